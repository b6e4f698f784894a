//! Devices by name.

use crate::{
    Error,
    card::{CardModel, CardRunner, GoldenCard},
    cpu::Cpu,
    pack::{PackOptions, pack_model},
    runner::{Feed, Runner},
    sim::{Sim, Usage},
};
use terntable_golden::{
    card::config::CardConfig,
    head::HeadMode,
    model::{Device, Golden, Model},
};

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceName {
    /// Table lookup and ternary attention in the golden model.
    Golden,
    /// Plain integer products on the CPU.
    Cpu,
    /// Every linear layer in the Verilated RTL, the rest in the golden model.
    Sim,
    /// The golden card model: whole passes from an image.
    CardGolden,
}

impl DeviceName {
    /// The name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            DeviceName::Golden => "golden",
            DeviceName::Cpu => "cpu",
            DeviceName::Sim => "sim",
            DeviceName::CardGolden => "card-golden",
        }
    }
}

/// A device with a model on it.
pub enum AnyDevice<'a> {
    /// See [`DeviceName::Golden`].
    Golden(Golden<'a>),
    /// See [`DeviceName::Cpu`].
    Cpu(Cpu<'a>),
    /// See [`DeviceName::Sim`].
    Sim(Box<Sim<'a>>),
}

impl<'a> AnyDevice<'a> {
    /// Puts a model on a device.
    pub fn open(name: DeviceName, model: &'a Model) -> Result<Self, Error> {
        Ok(match name {
            DeviceName::Golden => AnyDevice::Golden(Golden::new(model)),
            DeviceName::Cpu => AnyDevice::Cpu(Cpu::new(model)),
            DeviceName::Sim => AnyDevice::Sim(Box::new(Sim::open(model)?)),
            DeviceName::CardGolden => {
                return Err(Error::Input(format!(
                    "{} runs whole passes; this command needs the parts of one: take golden, cpu or \
                     sim",
                    name.as_str()
                )));
            }
        })
    }

    /// What the simulated card spent so far; `None` on other devices.
    pub fn usage(&mut self) -> Result<Option<Usage>, Error> {
        match self {
            AnyDevice::Sim(sim) => sim.usage().map(Some),
            _ => Ok(None),
        }
    }

    /// The clock cycle that the simulated card has come to; `None` on other devices.
    pub fn cycle(&self) -> Option<u64> {
        match self {
            AnyDevice::Sim(sim) => Some(sim.cycle()),
            _ => None,
        }
    }

    /// The device as the model's passes use it.
    pub fn as_device(&mut self) -> &mut dyn Device {
        match self {
            AnyDevice::Golden(device) => device,
            AnyDevice::Cpu(device) => device,
            AnyDevice::Sim(device) => device.as_mut(),
        }
    }
}

/// Puts a model on the golden card, as an image made for that card.
pub fn golden_card(model: &Model, card: &CardConfig) -> Result<CardModel<GoldenCard>, Error> {
    let image = pack_model(model, card, &PackOptions::default(), |_, _| {})?;
    CardModel::open(GoldenCard::new(card), &image)
}

/// Runs one sequence of a model on a device, or on a card of the given configuration; says what the
/// simulated card spent.
pub fn with_feed<T>(
    name: DeviceName,
    model: &Model,
    head: HeadMode,
    card: &CardConfig,
    run: impl FnOnce(&mut dyn Feed) -> Result<T, Error>,
) -> Result<(T, Option<Usage>), Error> {
    if name == DeviceName::CardGolden {
        let mut runner = CardRunner::new(golden_card(model, card)?, head)?;
        return Ok((run(&mut runner)?, None));
    }
    let mut device = AnyDevice::open(name, model)?;
    let result = run(&mut Runner::new(model, device.as_device(), head))?;
    Ok((result, device.usage()?))
}
