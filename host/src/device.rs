//! Devices by name.

use crate::{
    Error,
    card::{Card, CardModel, CardRunner, GoldenCard},
    pack::{PackOptions, pack_model},
    runner::{CpuPasses, Feed, GoldenPasses, Passes, Runner},
    sim::{Recording, SimCard},
    usage::Spent,
};
use terntable_cpu::{
    image::{Image, ModelParts},
    model::Cpu,
};
use terntable_golden::{card::config::CardConfig, head::HeadMode, model::Model};

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceName {
    /// Table lookup and ternary attention in the golden model.
    Golden,
    /// SIMD kernels on the CPU.
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

/// A model on a device that runs its parts.
pub fn passes<'a>(name: DeviceName, model: &'a Model) -> Result<Box<dyn Passes + 'a>, Error> {
    match name {
        DeviceName::Golden => Ok(Box::new(GoldenPasses::new(model))),
        DeviceName::Cpu => Ok(Box::new(CpuPasses::new(cpu(model)?))),
        DeviceName::Sim | DeviceName::CardGolden => Err(Error::Input(format!(
            "{} runs whole passes; this command needs the parts of one: take golden or cpu",
            name.as_str()
        ))),
    }
}

/// A model packed for the CPU, on all of its cores.
pub fn cpu(model: &Model) -> Result<Cpu, Error> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let image = Image::build(&mut ModelParts::new(model, "memory"), &mut |_, _| {})?;
    Ok(Cpu::new(image.into(), threads)?)
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
            Ok((run(&mut Runner::new(passes(name, model)?, head))?, None))
        }
    }
}
