//! `terntable devices`.

use super::{CardArg, print_json, print_text};
use serde::Serialize;
use terntable::{
    Error,
    bus::{self, BusName},
};
use terntable_driver::doctor::{Machine, PciCard};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    card: CardArg,
    /// JSON instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Device {
    device: String,
    #[serde(flatten)]
    pci: PciCard,
    /// Name of its configuration.
    card: Option<String>,
    memory_bytes: Option<u64>,
    /// What it was built from.
    revision: Option<String>,
    /// Why it cannot be used.
    error: Option<String>,
}

pub fn run(args: &Args) -> Result<(), Error> {
    let config = args.card.config()?;
    let look = |pci: PciCard| {
        let name = BusName::Vfio(pci.bdf.clone());
        let (device, unknown) = (name.to_string(), None);
        let (card, memory_bytes, revision, error) = match bus::open(&name, &config, |_, _| {}) {
            Err(error) => (unknown, None, None, Some(error.to_string())),
            Ok(mut open) => {
                let identity = open.driver().identity().clone();
                let revision = format!("{:08x}", identity.revision);
                (Some(open.name().into()), Some(identity.memory_bytes), Some(revision), None)
            }
        };
        Device { device, pci, card, memory_bytes, revision, error }
    };
    let devices: Vec<Device> = Machine::default().cards().into_iter().map(look).collect();
    if args.json {
        return print_json(&devices);
    }
    if devices.is_empty() {
        return print_text("no card on the PCI bus; `terntable doctor` says more\n");
    }
    for Device { device, card, memory_bytes, error, .. } in devices {
        let text = match (card, memory_bytes, error) {
            (Some(card), Some(bytes), _) => format!("{card}, {} MiB of memory", bytes >> 20),
            (_, _, error) => error.unwrap_or_default(),
        };
        print_text(&format!("{device}  {text}\n"))?;
    }
    Ok(())
}
