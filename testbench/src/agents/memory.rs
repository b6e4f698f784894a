//! Card memory: regions of bytes at addresses.

use crate::Error;
use std::collections::BTreeMap;

/// Byte-addressed memory made of regions; the gaps between them do not answer.
#[derive(Debug, Default)]
pub struct Memory {
    regions: BTreeMap<u64, Vec<u8>>,
    end: u64,
    /// Regions are placed at multiples of this.
    align: u64,
}

impl Memory {
    /// Empty memory that places regions at multiples of `align` bytes, the first at `base`.
    pub fn new(base: u64, align: u64) -> Self {
        Memory { regions: BTreeMap::new(), end: base, align: align.max(1) }
    }

    /// Places bytes after all others and gives their address.
    pub fn load(&mut self, bytes: impl Into<Vec<u8>>) -> u64 {
        let bytes = bytes.into();
        let address = self.end.next_multiple_of(self.align);
        self.end = address + bytes.len() as u64;
        self.regions.insert(address, bytes);
        address
    }

    /// Places bytes at an address.
    pub fn load_at(&mut self, address: u64, bytes: impl Into<Vec<u8>>) -> Result<(), Error> {
        let bytes = bytes.into();
        let end = address + bytes.len() as u64;
        let clash = self
            .regions
            .range(..end)
            .next_back()
            .filter(|(at, held)| *at + held.len() as u64 > address);
        if let Some((at, held)) = clash {
            return Err(Error::Invalid {
                what: "address of a memory region".to_owned(),
                expected: "free bytes".to_owned(),
                found: format!(
                    "{address:#x}..{end:#x}, with {at:#x}..{:#x} in it",
                    at + held.len() as u64
                ),
            });
        }
        self.end = self.end.max(end);
        self.regions.insert(address, bytes);
        Ok(())
    }

    /// Removes the region at an address and gives its bytes.
    pub fn unload(&mut self, address: u64) -> Option<Vec<u8>> {
        self.regions.remove(&address)
    }

    /// The bytes at an address, or `None` if they are not all in one region.
    pub fn read(&self, address: u64, count: usize) -> Option<&[u8]> {
        let (at, bytes) = self.regions.range(..=address).next_back()?;
        let offset = usize::try_from(address - at).ok()?;
        bytes.get(offset..offset.checked_add(count)?)
    }

    /// The same, to be changed.
    pub fn read_mut(&mut self, address: u64, count: usize) -> Option<&mut [u8]> {
        let (at, bytes) = self.regions.range_mut(..=address).next_back()?;
        let offset = usize::try_from(address - at).ok()?;
        bytes.get_mut(offset..offset.checked_add(count)?)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.regions.values().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_answer_and_gaps_do_not() {
        let mut memory = Memory::new(0x1000, 64);
        let first = memory.load(vec![1; 100]);
        let second = memory.load(vec![2; 10]);
        assert_eq!((first, second), (0x1000, 0x1080));
        assert_eq!(memory.read(0x1063, 1), Some(&[1][..]));
        assert_eq!(memory.read(0x1063, 2), None);
        assert_eq!(memory.read(0x1070, 1), None);
        assert_eq!(memory.read(0xfff, 1), None);
        memory.read_mut(second, 1).unwrap()[0] = 7;
        assert_eq!(memory.read(second, 2), Some(&[7, 2][..]));
        let clash = memory.load_at(0x1050, vec![0; 4]).unwrap_err().to_string();
        assert!(clash.contains("0x1000..0x1064 in it"), "{clash}");
        memory.load_at(0x2000, vec![3; 4]).unwrap();
        assert_eq!(memory.bytes(), 114);
    }
}
