//! The driver's suite over the simulated card: the same checks as over the golden card and behind a socket.

#[path = "../../driver/tests/suite/mod.rs"]
mod suite;

use terntable_driver::in_process::InProcess;
use terntable_testbench::host_card::{HostCardOptions, HostCardSim};

#[test]
fn the_rtl_does_what_a_driver_expects() {
    suite::all(&|| {
        let card = HostCardSim::new(&suite::config(), HostCardOptions::default()).unwrap();
        Box::new(InProcess::new(card))
    });
}
