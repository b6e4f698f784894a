//! Devices by name.

use crate::{
    Error,
    cpu::Cpu,
    sim::{Sim, Usage},
};
use terntable_golden::model::{Device, Golden, Model};

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceName {
    /// Table lookup and ternary attention in the golden model.
    Golden,
    /// Plain integer products on the CPU.
    Cpu,
    /// Every linear layer in the Verilated RTL, the rest in the golden model.
    Sim,
}

impl DeviceName {
    /// The name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            DeviceName::Golden => "golden",
            DeviceName::Cpu => "cpu",
            DeviceName::Sim => "sim",
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
