//! Devices by name.

use crate::{
    Error,
    bus::{self, BusCard, BusName, Failover, Spare},
    card::{Card, CardModel, CardRunner, GoldenCard},
    import::AnyCheckpoint,
    pack::{PackOptions, pack_model},
    packed,
    runner::{CpuPasses, Feed, GoldenPasses, Passes, Runner},
    sim::{Recording, SimCard},
    usage::Spent,
};
use std::{fmt, str::FromStr};
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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Golden, Self::Cpu, Self::Sim, Self::CardGolden];

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

/// What `--device` may say where whole passes are enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// A device of this machine's processors.
    Here(DeviceName),
    /// A card behind a bus.
    Bus(BusName),
    /// The first card on the PCI bus that works, else the CPU.
    Auto,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(name) => f.write_str(name.as_str()),
            Self::Bus(name) => name.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let here = DeviceName::ALL.into_iter().find(|name| name.as_str() == text);
        match here {
            Some(name) => Ok(Self::Here(name)),
            None if text == "auto" => Ok(Self::Auto),
            None => text.parse().map(Self::Bus).map_err(|buses| {
                let names = DeviceName::ALL.map(DeviceName::as_str).join(", ");
                format!("expected one of auto, {names}, {buses}")
            }),
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
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The device.
    pub device: &'a Device,
    /// Configuration of the card devices.
    pub card: &'a CardConfig,
    /// What to record of the simulated card.
    pub recording: &'a Recording,
    /// Threads of the CPU; by default as many as it has.
    pub threads: Option<usize>,
    /// Whether the CPU takes over when a card behind a bus fails.
    pub fallback: bool,
    /// Told what happens to a card.
    pub note: &'a dyn Fn(&str),
    /// Told the bytes of an image that have arrived on a card, and all.
    pub loading: fn(u64, u64),
}

/// Runs one sequence of a checkpoint's model on a device; says what the simulated card spent.
pub fn with_feed<T>(
    place: &Place<'_>,
    checkpoint: &AnyCheckpoint,
    head: HeadMode,
    run: impl FnOnce(&mut dyn Feed) -> Result<T, Error>,
) -> Result<(T, Option<Spent>), Error> {
    let Place { device, card, recording, threads, .. } = *place;
    let device = match device {
        Device::Here(name) => *name,
        Device::Bus(_) | Device::Auto if recording.wanted() => return Err(no_recording()),
        Device::Bus(name) => {
            let card = bus::open(name, card, place.loading);
            return Ok((on_bus(card, place, checkpoint, head, run)?, None));
        }
        Device::Auto => match bus::first(card, place.loading, place.note) {
            Some(card) => return Ok((on_bus(Ok(card), place, checkpoint, head, run)?, None)),
            None => DeviceName::Cpu,
        },
    };
    match device {
        DeviceName::Sim => {
            let card = SimCard::open(card, recording)?;
            let mut runner = CardRunner::new(on_card(&checkpoint.model()?, card)?, head)?;
            let result = run(&mut runner)?;
            Ok((result, Some(runner.model().card().spent())))
        }
        _ if recording.wanted() => Err(no_recording()),
        DeviceName::CardGolden => {
            let card = on_card(&checkpoint.model()?, GoldenCard::new(card))?;
            Ok((run(&mut CardRunner::new(card, head)?)?, None))
        }
        DeviceName::Golden => {
            let model = checkpoint.model()?;
            Ok((run(&mut Runner::new(GoldenPasses::new(&model), head))?, None))
        }
        DeviceName::Cpu => Ok((run(&mut on_cpu(checkpoint, threads, head)?)?, None)),
    }
}

fn no_recording() -> Error {
    Error::Input("--trace and --perfetto need --device sim".into())
}

/// One sequence of a checkpoint's model on the CPU.
fn on_cpu(
    checkpoint: &AnyCheckpoint,
    threads: Option<usize>,
    head: HeadMode,
) -> Result<Runner<CpuPasses>, Error> {
    let threads = threads.unwrap_or_else(cores);
    let image = packed::open(checkpoint, threads)?;
    Ok(Runner::new(CpuPasses::new(Cpu::new(image.into(), threads)?), head))
}

/// Runs one sequence on a card behind a bus; the CPU takes over when it may.
fn on_bus<T>(
    card: Result<BusCard, Error>,
    place: &Place<'_>,
    checkpoint: &AnyCheckpoint,
    head: HeadMode,
    run: impl FnOnce(&mut dyn Feed) -> Result<T, Error>,
) -> Result<T, Error> {
    let spare = || -> Result<Box<dyn Feed>, Error> {
        Ok(Box::new(on_cpu(checkpoint, place.threads, head)?))
    };
    let opened = card.and_then(|card| {
        let model = checkpoint.model()?;
        let image = pack_model(&model, card.config(), &PackOptions::default(), |_, _| {})?;
        Ok((card, image))
    });
    let (card, image) = match opened {
        Err(error @ Error::Driver(_)) if place.fallback => {
            (place.note)(&format!("{error}; the CPU takes over"));
            return run(&mut *spare()?);
        }
        opened => opened?,
    };
    let spare = place.fallback.then_some(Box::new(spare) as Spare<'_>);
    run(&mut Failover::open(card, image, head, spare, place.note)?)
}

/// Threads that the machine runs at a time.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
