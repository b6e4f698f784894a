//! What a bridge sees of a card.

use crate::memory::HostMemory;

/// A function of a bus: `tt_host_card`, golden or simulated.
pub trait Function {
    /// What it is, in words.
    fn name(&self) -> String;

    /// Reads a register of BAR0; zero where there is none.
    fn read32(&mut self, offset: usize) -> u32;

    /// Writes a register of BAR0; nothing happens where there is none.
    fn write32(&mut self, offset: usize, value: u32);

    /// Works a little, host memory at hand; false when there is nothing to do.
    fn work(&mut self, memory: &dyn HostMemory) -> bool;

    /// Takes the next message that waits: its vector.
    fn take_interrupt(&mut self) -> Option<u32>;

    /// A reset of the function.
    fn reset(&mut self);
}
