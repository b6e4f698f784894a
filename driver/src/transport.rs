//! What carries accesses between a driver and a card.

use crate::{Error, memory::DmaMemory};
use std::time::Duration;

/// The function of a card on some bus: registers, memory that both reach, interrupts, reset.
pub trait Transport {
    /// Where the card is, in words.
    fn describe(&self) -> String;

    /// Reads a register of BAR0. A lost link reads as all ones or is an error.
    fn read32(&mut self, offset: usize) -> Result<u32, Error>;

    /// Writes a register of BAR0. What was copied into mapped memory before is there when the card acts
    /// on it.
    fn write32(&mut self, offset: usize, value: u32) -> Result<(), Error>;

    /// Zeroed memory that the card reaches until it is unmapped or the transport is dropped; whole pages.
    fn map(&mut self, bytes: usize) -> Result<DmaMemory, Error>;

    /// Takes memory away from the card.
    fn unmap(&mut self, memory: &DmaMemory) -> Result<(), Error>;

    /// Waits for an interrupt of any vector, at most so long; says whether there was one. With no time it
    /// only looks, and gives a card in this process a turn.
    fn wait(&mut self, at_most: Duration) -> Result<bool, Error>;

    /// Resets the function. Mappings stay, registers do not.
    fn reset(&mut self) -> Result<(), Error>;
}
