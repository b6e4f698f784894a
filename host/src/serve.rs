//! A model on its devices, served.

use crate::{
    Error,
    card::GoldenCard,
    card_device::CardDevice,
    device::on_card,
    import::AnyCheckpoint,
    packed,
    sim::{Recording, SimCard},
};
use std::{fmt, str::FromStr, sync::Arc};
use terntable_cpu::model::Cpu;
use terntable_golden::{card::config::CardConfig, head::HeadMode, model::Config};
use terntable_scheduler::{
    Device, Options, Role, Service,
    cost::Cost,
    device::{CpuDevice, GoldenDevice, ModelledCard},
};

/// Positions of keys and values that a device holds by default, unless four contexts are more.
const POSITIONS: usize = 16_384;
/// Whose cycles the modelled card takes where no shape is named.
const SHAPE: &str = "bitnet-2b4t";

/// A device that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// SIMD kernels on the CPU.
    Cpu,
    /// The golden model.
    Golden,
    /// The golden card model.
    CardGolden,
    /// The Verilated RTL of the whole card.
    Sim,
    /// The CPU's tokens with the times of a `kv260` card and a model of this shape.
    Modelled(String),
}

impl FromStr for Server {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "cpu" => Ok(Self::Cpu),
            "golden" => Ok(Self::Golden),
            "card-golden" => Ok(Self::CardGolden),
            "sim" => Ok(Self::Sim),
            "model:kv260" => Ok(Self::Modelled(SHAPE.into())),
            _ => match name.strip_prefix("model:kv260:") {
                Some(shape) => Ok(Self::Modelled(shape.into())),
                None => Err(format!(
                    "{name:?}; expected cpu, golden, card-golden, sim, model:kv260 or model:kv260:SHAPE"
                )),
            },
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Golden => f.write_str("golden"),
            Self::CardGolden => f.write_str("card-golden"),
            Self::Sim => f.write_str("sim"),
            Self::Modelled(shape) => write!(f, "model:kv260:{shape}"),
        }
    }
}

/// How devices are set up.
#[derive(Debug, Clone)]
pub struct SetUp {
    /// Configuration of the cards.
    pub card: CardConfig,
    /// Threads of each device on the CPU.
    pub threads: usize,
    /// Which head scores the tokens.
    pub head: HeadMode,
    /// Positions of keys and values that each device holds.
    pub positions: Option<usize>,
}

/// A scheduler over these devices, all with the checkpoint's model.
pub fn service(
    checkpoint: &AnyCheckpoint,
    devices: &[Server],
    set_up: &SetUp,
    options: Options,
) -> Result<Service, Error> {
    check_roles(&options.roles, devices.len())?;
    let devices: Result<Vec<_>, Error> =
        devices.iter().map(|device| open(checkpoint, device, set_up)).collect();
    Service::start(devices?, options).map_err(|e| Error::Input(e.to_string()))
}

/// Refuses roles without a device, and devices that leave prompts or answers to nobody.
fn check_roles(roles: &[Role], devices: usize) -> Result<(), Error> {
    let wrong = |text: String| Err(Error::Input(text));
    if roles.len() > devices {
        return wrong(format!(
            "{} roles for {devices} devices; give one a device at most",
            roles.len()
        ));
    }
    for (role, work) in [(Role::Prefill, "answers"), (Role::Decode, "prompts")] {
        if roles.len() == devices && roles.iter().all(|of| *of == role) {
            return wrong(format!("no device is left for {work}; give one the role both"));
        }
    }
    Ok(())
}

fn open(
    checkpoint: &AnyCheckpoint,
    device: &Server,
    set_up: &SetUp,
) -> Result<Box<dyn Device>, Error> {
    let SetUp { threads, head, .. } = *set_up;
    let Config { context, .. } = *checkpoint.config();
    let positions = set_up.positions.unwrap_or(POSITIONS.max(4 * context)).max(context);
    let card = set_up.card.clone();
    Ok(match device {
        Server::Cpu => {
            let image = packed::open(checkpoint, threads)?;
            Box::new(CpuDevice::new(Cpu::new(image.into(), threads)?, head, positions))
        }
        Server::Golden => {
            Box::new(GoldenDevice::new(Arc::new(checkpoint.model()?), head, positions))
        }
        Server::CardGolden => {
            let model = checkpoint.model()?;
            let open = move || on_card(&model, GoldenCard::new(&card));
            Box::new(CardDevice::open("card-golden", head, open)?)
        }
        Server::Sim => {
            let model = checkpoint.model()?;
            let open = move || on_card(&model, SimCard::open(&card, &Recording::default())?);
            Box::new(CardDevice::open("sim", head, open)?)
        }
        Server::Modelled(shape) => {
            let cost = Cost::kv260(shape).map_err(|e| Error::Input(e.to_string()))?;
            let inner = open(checkpoint, &Server::Cpu, set_up)?;
            Box::new(ModelledCard::kv260(inner, cost).map_err(|e| Error::Input(e.to_string()))?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_work_has_a_device() {
        use Role::{Both, Decode, Prefill};
        for (roles, devices, fine) in [
            (&[][..], 1, true),
            (&[Prefill, Decode], 2, true),
            (&[Prefill], 2, true),
            (&[Prefill], 1, false),
            (&[Decode, Decode], 2, false),
            (&[Both, Both], 1, false),
        ] {
            assert_eq!(check_roles(roles, devices).is_ok(), fine, "{roles:?}");
        }
    }

    #[test]
    fn devices_have_names() {
        for name in ["cpu", "golden", "card-golden", "sim", "model:kv260:bitnet-0.73b"] {
            assert_eq!(name.parse::<Server>().unwrap().to_string(), name);
        }
        assert!("model:alveo".parse::<Server>().unwrap_err().contains("expected cpu"));
    }
}
