//! Memory that a card reaches.

use super::{Card, RINGS, SHARED, ring_fault};
use crate::{Error, memory::DmaMemory};

impl Card {
    /// Memory for entries to copy from and to; the card reaches it.
    pub fn shared(&self) -> Shared {
        Shared { memory: self.memory.clone(), from: RINGS, bytes: SHARED - RINGS }
    }
}

/// Part of the memory that a card reaches.
#[derive(Debug, Clone)]
pub struct Shared {
    memory: DmaMemory,
    from: usize,
    bytes: usize,
}

impl Shared {
    /// Its size.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Its address for the card.
    pub fn iova(&self) -> u64 {
        self.memory.iova + self.from as u64
    }

    /// Copies bytes in.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), Error> {
        self.memory.mapping.write(self.from + offset, bytes).map_err(ring_fault)
    }

    /// Copies bytes out.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) -> Result<(), Error> {
        self.memory.mapping.read(self.from + offset, bytes).map_err(ring_fault)
    }
}
