//! The RTL of a card behind its host interface.

use terntable_driver::Error;
use terntable_golden::card::config::CardConfig;
use terntable_testbench::{
    agents::{BusTiming, DramTiming},
    host_card::{HostCardOptions, HostCardSim},
};

/// The simulated host card of a configuration, with memories that answer at once.
pub fn simulated(card: &CardConfig) -> Result<HostCardSim, Error> {
    let options = HostCardOptions {
        memory: DramTiming::IDEAL,
        bus: BusTiming::IDEAL,
        ..HostCardOptions::default()
    };
    HostCardSim::new(card, options)
        .map_err(|error| Error::Refused(format!("the simulator: {error}")))
}
