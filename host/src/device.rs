//! Devices by name.

use crate::{
    Error,
    card::{Card, CardModel, CardRunner, GoldenCard},
    cpu::Cpu,
    pack::{PackOptions, pack_model},
    runner::{Feed, Runner},
    sim::{Recording, SimCard},
    usage::Spent,
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
    /// The Verilated RTL of the whole card; the host only samples.
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
}

impl<'a> AnyDevice<'a> {
    /// Puts a model on a device.
    pub fn open(name: DeviceName, model: &'a Model) -> Result<Self, Error> {
        Ok(match name {
            DeviceName::Golden => AnyDevice::Golden(Golden::new(model)),
            DeviceName::Cpu => AnyDevice::Cpu(Cpu::new(model)),
            DeviceName::Sim | DeviceName::CardGolden => {
                return Err(Error::Input(format!(
                    "{} runs whole passes; this command needs the parts of one: take golden or cpu",
                    name.as_str()
                )));
            }
        })
    }

    /// The device as the model's passes use it.
    pub fn as_device(&mut self) -> &mut dyn Device {
        match self {
            AnyDevice::Golden(device) => device,
            AnyDevice::Cpu(device) => device,
        }
    }
}

/// Puts a model on a card, as an image made for it.
pub fn on_card<C: Card>(model: &Model, card: C) -> Result<CardModel<C>, Error> {
    let image = pack_model(model, card.config(), &PackOptions::default(), |_, _| {})?;
    CardModel::open(card, &image)
}

/// Runs one sequence of a model on a device, or on a card of the given configuration; says what the
/// simulated card spent.
pub fn with_feed<T>(
    name: DeviceName,
    model: &Model,
    head: HeadMode,
    card: &CardConfig,
    recording: &Recording,
    run: impl FnOnce(&mut dyn Feed) -> Result<T, Error>,
) -> Result<(T, Option<Spent>), Error> {
    match name {
        DeviceName::Sim => {
            let card = SimCard::open(card, recording)?;
            let mut runner = CardRunner::new(on_card(model, card)?, head)?;
            let result = run(&mut runner)?;
            Ok((result, Some(runner.model().card().spent())))
        }
        _ if recording.wanted() => {
            Err(Error::Input("--trace and --perfetto need --device sim".into()))
        }
        DeviceName::CardGolden => {
            let mut runner = CardRunner::new(on_card(model, GoldenCard::new(card))?, head)?;
            Ok((run(&mut runner)?, None))
        }
        DeviceName::Golden | DeviceName::Cpu => {
            let mut device = AnyDevice::open(name, model)?;
            Ok((run(&mut Runner::new(model, device.as_device(), head))?, None))
        }
    }
}
