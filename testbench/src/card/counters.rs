//! What the card counts.

use crate::{Error, agents::AxiLite};
use terntable_driver::card_registers as registers;

/// The counters of the card, since reset or [`super::CardSim::clear`]. 32 bits, so they wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CardCounters {
    /// Cycles in which a pass ran.
    pub cycles: u32,
    /// Commands finished.
    pub commands: u32,
    /// Beats read from memory.
    pub read_beats: u32,
    /// Beats written to memory.
    pub write_beats: u32,
    /// Cycles in which a unit had work: load, multiply, vector, attention, head, check.
    pub busy: [u32; 6],
    /// Cycles in which the next command of a unit waited for other units.
    pub wait: [u32; 6],
    /// Cycles lost: the tables were ready and no beat of weights was there.
    pub lost_memory: u32,
    /// Cycles lost: a beat of weights waited for its tables.
    pub lost_tables: u32,
    /// Cycles lost: the drain took the cycle.
    pub lost_drain: u32,
    /// Cycles lost: both banks of partial sums waited for the drain.
    pub lost_results: u32,
    /// Cycles lost: the partial sum of a beat was still on its way.
    pub lost_order: u32,
    /// Beats of weights consumed.
    pub weight_beats: u32,
}

impl CardCounters {
    pub(super) async fn read(port: &AxiLite) -> Result<Self, Error> {
        use registers::*;
        let mut counters = CardCounters {
            cycles: port.read32(cycles::OFFSET).await?,
            commands: port.read32(commands::OFFSET).await?,
            read_beats: port.read32(read_beats::OFFSET).await?,
            write_beats: port.read32(write_beats::OFFSET).await?,
            lost_memory: port.read32(lost_memory::OFFSET).await?,
            lost_tables: port.read32(lost_tables::OFFSET).await?,
            lost_drain: port.read32(lost_drain::OFFSET).await?,
            lost_results: port.read32(lost_results::OFFSET).await?,
            lost_order: port.read32(lost_order::OFFSET).await?,
            weight_beats: port.read32(weight_beats::OFFSET).await?,
            ..CardCounters::default()
        };
        let busy = [
            busy_load::OFFSET,
            busy_multiply::OFFSET,
            busy_vector::OFFSET,
            busy_attention::OFFSET,
            busy_head::OFFSET,
            busy_check::OFFSET,
        ];
        let wait = [
            wait_load::OFFSET,
            wait_multiply::OFFSET,
            wait_vector::OFFSET,
            wait_attention::OFFSET,
            wait_head::OFFSET,
            wait_check::OFFSET,
        ];
        for unit in 0..6 {
            counters.busy[unit] = port.read32(busy[unit]).await?;
            counters.wait[unit] = port.read32(wait[unit]).await?;
        }
        Ok(counters)
    }
}
