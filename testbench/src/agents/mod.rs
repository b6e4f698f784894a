//! Tasks that sit on the ports of a design: bus masters, memories, streams.
//!
//! Every agent takes its random decisions from its own source (seed and port name), checks the
//! rules of its protocol on what the design drives, and ends the run with an error that names
//! channel, cycle and rule when one is broken.

pub mod axi_dram;
pub mod axi_lite;
pub mod axi_memory;
pub mod client;
pub mod host_bus;
pub mod memory;
pub mod stream;

pub use axi_dram::{AxiDram, DramStatistics, DramTiming};
pub use axi_lite::AxiLite;
pub use axi_memory::{AxiMemory, MemoryStatistics, MemoryTiming, Refresh};
pub use client::{ClientMemory, ClientStatistics, ReadClient, STATE, WriteClient};
pub use host_bus::{BusStatistics, BusTiming, HostBus};
pub use memory::Memory;
pub use stream::{Sink, Source};

/// The name of an AXI response.
pub fn response_name(response: u64) -> &'static str {
    match response {
        0 => "OKAY",
        1 => "EXOKAY",
        2 => "SLVERR",
        _ => "DECERR",
    }
}

/// Checks that a channel driven by the design keeps valid and payload until ready.
#[derive(Debug, Default)]
struct Held {
    waiting: bool,
    payload: Vec<u8>,
}

impl Held {
    /// At an edge: `valid`, `ready` and the payload of the channel. Gives what was broken.
    fn check(
        &mut self,
        valid: bool,
        ready: bool,
        equals: impl FnOnce(&[u8]) -> bool,
        copy: impl FnOnce(&mut Vec<u8>),
    ) -> Option<&'static str> {
        let mut broken = None;
        if self.waiting {
            if !valid {
                broken = Some("valid fell");
            } else if !equals(&self.payload) {
                broken = Some("the payload changed");
            }
        }
        if valid && !ready && !self.waiting {
            copy(&mut self.payload);
        }
        self.waiting = valid && !ready;
        broken
    }
}
