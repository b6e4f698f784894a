//! Devices by name.

use crate::{
    Error,
    card::{Card, CardModel, CardRunner, GoldenCard},
    import::AnyCheckpoint,
    pack::{PackOptions, pack_model},
    packed,
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
    let image = Image::build(&mut ModelParts::new(model, "memory"), &mut |_, _| {})?;
    Ok(Cpu::new(image.into(), cores())?)
}

/// Puts a model on a card, as an image made for it.
pub fn on_card<C: Card>(model: &Model, card: C) -> Result<CardModel<C>, Error> {
    let image = pack_model(model, card.config(), &PackOptions::default(), |_, _| {})?;
    CardModel::open(card, &image)
}

/// A device, and what it needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The device.
    pub device: DeviceName,
    /// Configuration of the card devices.
    pub card: &'a CardConfig,
    /// What to record of the simulated card.
    pub recording: &'a Recording,
    /// Threads of the CPU; by default as many as it has.
    pub threads: Option<usize>,
}

/// Runs one sequence of a checkpoint's model on a device; says what the simulated card spent.
pub fn with_feed<T>(
    place: &Place<'_>,
    checkpoint: &AnyCheckpoint,
    head: HeadMode,
    run: impl FnOnce(&mut dyn Feed) -> Result<T, Error>,
) -> Result<(T, Option<Spent>), Error> {
    let Place { device, card, recording, threads } = *place;
    match device {
        DeviceName::Sim => {
            let card = SimCard::open(card, recording)?;
            let mut runner = CardRunner::new(on_card(&checkpoint.model()?, card)?, head)?;
            let result = run(&mut runner)?;
            Ok((result, Some(runner.model().card().spent())))
        }
        _ if recording.wanted() => {
            Err(Error::Input("--trace and --perfetto need --device sim".into()))
        }
        DeviceName::CardGolden => {
            let card = on_card(&checkpoint.model()?, GoldenCard::new(card))?;
            Ok((run(&mut CardRunner::new(card, head)?)?, None))
        }
        DeviceName::Golden => {
            let model = checkpoint.model()?;
            Ok((run(&mut Runner::new(GoldenPasses::new(&model), head))?, None))
        }
        DeviceName::Cpu => {
            let threads = threads.unwrap_or_else(cores);
            let image = packed::open(checkpoint, threads)?;
            let cpu = Cpu::new(image.into(), threads)?;
            Ok((run(&mut Runner::new(CpuPasses::new(cpu), head))?, None))
        }
    }
}

/// Threads that the machine runs at a time.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
