//! The two regions of the card's memory.

use super::error::{ErrorCode, Fault};
use crate::card::command::STATE;

/// Bits of an address.
const ADDRESS: u64 = (STATE << 1) - 1;

/// Image and state.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    pub image: Vec<u8>,
    pub state: Vec<u8>,
    beat: usize,
}

impl Memory {
    pub fn new(image: Vec<u8>, state_bytes: usize, beat: usize) -> Self {
        Self { image, state: vec![0; state_bytes], beat }
    }

    /// The range of an access in its region, if the beats that hold it lie inside.
    fn range(&self, address: u64, bytes: usize) -> Option<std::ops::Range<usize>> {
        let size = if address & STATE == 0 { self.image.len() } else { self.state.len() };
        let whole = (size - size % (16 * self.beat)) as u64;
        let offset = address & (STATE - 1);
        let end = offset.checked_add(bytes as u64)?;
        let fits = address <= ADDRESS && end.next_multiple_of(self.beat as u64) <= whole;
        fits.then_some(offset as usize..end as usize)
    }

    /// Reads bytes of either region.
    pub fn read(&self, address: u64, bytes: usize) -> Result<&[u8], Fault> {
        let fault = Fault::at(ErrorCode::Read, address);
        let range = self.range(address, bytes).ok_or(fault)?;
        Ok(if address & STATE == 0 { &self.image[range] } else { &self.state[range] })
    }

    /// Writes bytes of the state region.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Fault> {
        let range = self.range(address, bytes.len()).filter(|_| address & STATE != 0);
        match range {
            Some(range) => self.state[range].copy_from_slice(bytes),
            None => return Err(Fault::at(ErrorCode::Write, address)),
        }
        Ok(())
    }

    /// A 32-bit word.
    pub fn word(&self, address: u64) -> Result<u32, Fault> {
        let bytes = self.read(address, 4)?;
        Ok(u32::from_le_bytes(std::array::from_fn(|i| bytes[i])))
    }

    /// `count` binary32 values.
    pub fn floats(&self, address: u64, count: usize) -> Result<Vec<f32>, Fault> {
        let bytes = self.read(address, 4 * count)?;
        let (words, _) = bytes.as_chunks::<4>();
        Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
    }
}

/// `base + offset` for addresses that a 64-bit sum cannot exceed.
pub(super) fn offset(base: u64, offset: usize) -> u64 {
    base.saturating_add(offset as u64)
}
