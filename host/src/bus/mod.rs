//! Cards behind a bus: found by name, driven by `terntable_driver`, left for the CPU when they fail.

mod card;
mod failover;
mod name;
mod simulated;

pub use card::BusCard;
pub use failover::{Failover, Spare};
pub use name::BusName;
pub use simulated::simulated;

use crate::Error;
use terntable_driver::{
    Card, Transport, Waits,
    doctor::{Machine, PciCard},
    golden::HostCard,
    in_process::InProcess,
    platform::Platform,
    vfio::Vfio,
    vfio_user::VfioUser,
};
use terntable_golden::card::config::CardConfig;

/// The first card on the PCI bus that can be opened; `note` is told which, and what is wrong with the others.
pub fn first(card: &CardConfig, progress: fn(u64, u64), note: &dyn Fn(&str)) -> Option<BusCard> {
    let cards = Machine::default().cards();
    for PciCard { bdf, .. } in &cards {
        let name = BusName::Vfio(bdf.clone());
        match open(&name, card, progress) {
            Ok(card) => {
                note(&format!("{name} is taken: card {}", card.name()));
                return Some(card);
            }
            Err(error) => note(&error.to_string()),
        }
    }
    note(&format!("the CPU is taken: none of {} cards on the PCI bus works", cards.len()));
    None
}

/// Opens the card of a name. `card` is the configuration of a card in this process, and known beside the
/// bundled ones. Calls `progress` with the bytes of an image that have arrived, and all.
pub fn open(
    name: &BusName,
    card: &CardConfig,
    progress: impl FnMut(u64, u64) + 'static,
) -> Result<BusCard, Error> {
    let transport: Box<dyn Transport> = match name {
        BusName::Golden => Box::new(InProcess::new(HostCard::new(card))),
        BusName::Sim => Box::new(InProcess::new(simulated(card)?)),
        BusName::VfioUser(socket) => Box::new(VfioUser::connect(socket)?),
        BusName::Vfio(bdf) => Box::new(Vfio::open(bdf)?),
        BusName::Platform(name) => Box::new(Platform::open(name)?),
    };
    let opened = Card::open(transport, Waits::default())?;
    let bundled: Vec<CardConfig> =
        CardConfig::names().filter_map(|name| CardConfig::named(name).ok()).collect();
    let config = opened.config(std::iter::once(card).chain(&bundled))?.clone();
    Ok(BusCard::new(opened, config, progress))
}
