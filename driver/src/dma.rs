//! What a card may reach of a host's memory.

use crate::memory::Mapping;
use std::{io, sync::Arc};

/// Memory of the host that a card reaches.
#[derive(Debug, Clone)]
pub struct DmaMemory {
    /// The bytes.
    pub mapping: Arc<Mapping>,
    /// Their address for the card.
    pub iova: u64,
}

/// A card asked for an address that is not mapped for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unmapped;

/// Host memory as a card sees it.
pub trait HostMemory {
    /// Reads all of the bytes or says that some are not mapped.
    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Unmapped>;

    /// Writes all of the bytes, the last word last, or says that some are not mapped.
    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Unmapped>;
}

/// What is mapped for a card: an IOMMU of one device.
#[derive(Debug, Default)]
pub struct DmaTable {
    maps: Vec<DmaMap>,
}

#[derive(Debug)]
struct DmaMap {
    iova: u64,
    writable: bool,
    mapping: Arc<Mapping>,
}

impl DmaMap {
    fn end(&self) -> u64 {
        self.iova + self.mapping.bytes() as u64
    }
}

impl DmaTable {
    /// Maps memory at an address; refuses what overlaps another mapping or the end of the address space.
    pub fn map(&mut self, iova: u64, mapping: Arc<Mapping>, writable: bool) -> io::Result<()> {
        let end = iova.checked_add(mapping.bytes() as u64);
        let free = |end| self.maps.iter().all(|map| end <= map.iova || map.end() <= iova);
        if !end.is_some_and(free) {
            return Err(io::Error::other(format!(
                "{:#x} bytes at {iova:#x} overlap a mapping or the end of the address space",
                mapping.bytes()
            )));
        }
        self.maps.push(DmaMap { iova, writable, mapping });
        Ok(())
    }

    /// Unmaps whatever lies inside of a range; says how many mappings.
    pub fn unmap(&mut self, iova: u64, bytes: u64) -> usize {
        let before = self.maps.len();
        let end = iova.saturating_add(bytes);
        self.maps.retain(|map| map.iova < iova || map.end() > end);
        before - self.maps.len()
    }

    /// Unmaps everything.
    pub fn clear(&mut self) {
        self.maps.clear();
    }

    /// Visits a range piece by piece, or nothing of it if a part is not mapped.
    fn pieces(
        &self,
        address: u64,
        bytes: usize,
        write: bool,
        mut visit: impl FnMut(&Mapping, usize, std::ops::Range<usize>) -> io::Result<()>,
    ) -> Result<(), Unmapped> {
        let mut pieces = Vec::with_capacity(1);
        let mut done = 0;
        while done < bytes {
            let at = address.checked_add(done as u64).ok_or(Unmapped)?;
            let holds = |map: &&DmaMap| map.iova <= at && at < map.end();
            let map = self.maps.iter().find(holds).ok_or(Unmapped)?;
            if write && !map.writable {
                return Err(Unmapped);
            }
            let piece = (bytes - done).min((map.end() - at) as usize);
            pieces.push((&map.mapping, (at - map.iova) as usize, done..done + piece));
            done += piece;
        }
        let visited =
            pieces.into_iter().try_for_each(|(mapping, at, range)| visit(mapping, at, range));
        visited.map_err(|_| Unmapped)
    }
}

impl HostMemory for DmaTable {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Unmapped> {
        self.pieces(address, bytes.len(), false, |mapping, at, range| {
            mapping.read(at, &mut bytes[range])
        })
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Unmapped> {
        self.pieces(address, bytes.len(), true, |mapping, at, range| {
            mapping.publish(at, &bytes[range])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::PAGE;

    #[test]
    fn a_table_reaches_what_is_mapped_and_nothing_else() {
        let (a, b) = (Mapping::sharable(PAGE).unwrap().0, Mapping::anonymous(PAGE, false).unwrap());
        let page = PAGE as u64;
        let mut table = DmaTable::default();
        table.map(page, a.clone(), true).unwrap();
        table.map(2 * page, b, false).unwrap();
        assert!(table.map(2 * page - 1, a.clone(), true).is_err());
        assert!(table.map(u64::MAX - 1, a.clone(), true).is_err());
        table.write(page + 4092, &[1, 2, 3, 4]).unwrap();
        let mut bytes = [9; 8];
        table.read(page + 4092, &mut bytes).unwrap();
        assert_eq!(bytes, [1, 2, 3, 4, 0, 0, 0, 0]);
        assert_eq!(table.write(page + 4092, &[5; 8]), Err(Unmapped), "read-only behind");
        table.read(page + 4092, &mut bytes).unwrap();
        assert_eq!(bytes[0], 1, "a refused write writes nothing");
        assert_eq!(table.read(page - 1, &mut bytes), Err(Unmapped));
        assert_eq!(table.read(3 * page - 1, &mut bytes), Err(Unmapped));
        assert_eq!(table.read(u64::MAX, &mut bytes), Err(Unmapped));
        assert_eq!(table.unmap(page, page), 1);
        assert_eq!(table.read(page, &mut bytes), Err(Unmapped));
    }
}
