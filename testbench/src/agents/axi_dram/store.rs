//! The bytes of the card's memory: physical regions, and the striping of the logical ones.

use crate::Error;

/// Physical memory: regions of bytes; the gaps between them do not answer.
#[derive(Debug, Default)]
pub struct Store {
    regions: Vec<Region>,
    last: usize,
}

#[derive(Debug)]
struct Region {
    base: u64,
    bytes: Vec<u8>,
}

/// Where a burst lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    region: usize,
    offset: usize,
}

impl Store {
    /// Adds a region of bytes.
    pub fn add(&mut self, base: u64, bytes: Vec<u8>) -> Result<(), Error> {
        let end = base.saturating_add(bytes.len() as u64);
        let clash = |r: &Region| r.base < end && base < r.base + r.bytes.len() as u64;
        if let Some(other) = self.regions.iter().find(|r| clash(r)) {
            return Err(Error::Invalid {
                what: "address of a memory region".to_owned(),
                expected: "free bytes".to_owned(),
                found: format!("{base:#x}..{end:#x}, with one at {:#x} in it", other.base),
            });
        }
        self.regions.push(Region { base, bytes });
        Ok(())
    }

    /// Removes the region at an address and gives its bytes.
    pub fn remove(&mut self, base: u64) -> Option<Vec<u8>> {
        let index = self.regions.iter().position(|r| r.base == base)?;
        self.last = 0;
        Some(self.regions.swap_remove(index).bytes)
    }

    /// The bytes at a physical address, if they are all in one region.
    pub fn read(&mut self, address: u64, count: usize) -> Option<&[u8]> {
        let place = self.find(address, count)?;
        Some(self.bytes(place, 0, count))
    }

    /// The same, to be changed.
    pub fn read_mut(&mut self, address: u64, count: usize) -> Option<&mut [u8]> {
        let Place { region, offset } = self.find(address, count)?;
        Some(&mut self.regions[region].bytes[offset..offset + count])
    }

    /// Bytes held.
    pub fn bytes_held(&self) -> usize {
        self.regions.iter().map(|r| r.bytes.len()).sum()
    }

    pub(super) fn find(&mut self, address: u64, count: usize) -> Option<Place> {
        let within = |r: &Region| {
            let offset = usize::try_from(address.checked_sub(r.base)?).ok()?;
            (offset.checked_add(count)? <= r.bytes.len()).then_some(offset)
        };
        let last = self.last;
        if let Some(offset) = self.regions.get(last).and_then(within) {
            return Some(Place { region: last, offset });
        }
        let (region, offset) =
            self.regions.iter().enumerate().find_map(|(i, r)| Some((i, within(r)?)))?;
        self.last = region;
        Some(Place { region, offset })
    }

    #[inline]
    pub(super) fn bytes(&self, place: Place, skip: usize, count: usize) -> &[u8] {
        &self.regions[place.region].bytes[place.offset + skip..][..count]
    }

    #[inline]
    pub(super) fn merge(&mut self, place: Place, data: &[u8], strobe: &[u8]) {
        let bytes = &mut self.regions[place.region].bytes[place.offset..];
        for ((to, from), mask) in bytes.chunks_mut(8).zip(data.chunks(8)).zip(strobe) {
            if *mask == 0xff {
                to[..from.len()].copy_from_slice(from);
            } else {
                let pairs = to.iter_mut().zip(from).enumerate();
                pairs.filter(|(i, _)| mask >> i & 1 != 0).for_each(|(_, (to, from))| *to = *from);
            }
        }
    }
}

/// How logical bytes lie on the ports: in each block of 16 beats, port p holds its part of every
/// beat, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Striping {
    /// Ports.
    pub ports: usize,
    /// Bytes of a transfer of a port.
    pub port_bytes: usize,
}

impl Striping {
    /// Bytes of a beat.
    pub fn beat_bytes(&self) -> usize {
        self.ports * self.port_bytes
    }

    /// Bytes of a block of 16 beats.
    pub fn block_bytes(&self) -> usize {
        16 * self.beat_bytes()
    }

    /// The physical offset of a logical one.
    pub fn physical(&self, logical: u64) -> u64 {
        let (block, part) = (self.block_bytes() as u64, self.port_bytes as u64);
        let (start, within) = (logical / block * block, logical % block);
        let (beat, byte) = (within / self.beat_bytes() as u64, within % self.beat_bytes() as u64);
        start + byte / part * 16 * part + beat * part + byte % part
    }

    /// Calls `f(physical offset, logical bytes from, count)` for the pieces of a stretch.
    fn pieces(&self, offset: u64, count: usize, mut f: impl FnMut(u64, usize, usize)) {
        if self.ports == 1 {
            return f(offset, 0, count);
        }
        let mut done = 0;
        while done < count {
            let at = offset + done as u64;
            let rest = self.port_bytes - (at % self.port_bytes as u64) as usize;
            let piece = rest.min(count - done);
            f(self.physical(at), done, piece);
            done += piece;
        }
    }

    /// Logical bytes as they lie in memory, from a multiple of a block; whole blocks, the last one
    /// filled with zeros.
    pub fn stripe(&self, logical: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; logical.len().next_multiple_of(self.block_bytes())];
        self.pieces(0, logical.len(), |to, from, count| {
            bytes[to as usize..][..count].copy_from_slice(&logical[from..][..count]);
        });
        bytes
    }

    /// Writes logical bytes at an offset of the region at `base`; false if they are not all in it.
    #[must_use]
    pub fn write(&self, store: &mut Store, base: u64, offset: u64, bytes: &[u8]) -> bool {
        let mut whole = true;
        self.pieces(offset, bytes.len(), |to, from, count| {
            match store.read_mut(base + to, count) {
                Some(place) => place.copy_from_slice(&bytes[from..][..count]),
                None => whole = false,
            }
        });
        whole
    }

    /// Reads logical bytes at an offset of the region at `base`, if they are all in it.
    pub fn read(&self, store: &mut Store, base: u64, offset: u64, to: &mut [u8]) -> bool {
        let (count, mut whole) = (to.len(), true);
        self.pieces(offset, count, |from, at, count| match store.read(base + from, count) {
            Some(bytes) => to[at..][..count].copy_from_slice(bytes),
            None => whole = false,
        });
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Random;

    #[test]
    fn striping_is_the_formula_of_the_specification() {
        for (ports, port_bytes) in [(1, 16), (4, 16), (2, 32), (8, 8)] {
            let striping = Striping { ports, port_bytes };
            let beat = striping.beat_bytes();
            let logical: Vec<u8> = (0..40 * beat).map(|i| (i * 7 + i / 256) as u8).collect();
            let physical = striping.stripe(&logical);
            assert_eq!(physical.len(), 48 * beat);
            for (at, byte) in logical.iter().enumerate() {
                let (block, within) = (at / (16 * beat) * 16 * beat, at % (16 * beat));
                let (i, b) = (within / beat, within % beat);
                let (p, o) = (b / port_bytes, b % port_bytes);
                assert_eq!(physical[block + p * 16 * port_bytes + i * port_bytes + o], *byte);
            }
        }
    }

    #[test]
    fn logical_bytes_come_back_and_the_rest_stays() {
        let mut random = Random::new(7, "striping");
        let striping = Striping { ports: 4, port_bytes: 16 };
        let mut store = Store::default();
        store.add(0x1000, vec![0xee; 4096]).unwrap();
        assert!(store.add(0x1fff, vec![0; 4]).is_err());
        let mut image = vec![0xee; 4096];
        for _ in 0..200 {
            let (at, count) = (random.range(0, 4000), random.range(1, 96) as usize);
            let bytes: Vec<u8> = (0..count).map(|_| random.bits() as u8).collect();
            image[at as usize..][..count].copy_from_slice(&bytes);
            assert!(striping.write(&mut store, 0x1000, at, &bytes));
        }
        let mut back = vec![0; 4096];
        assert!(striping.read(&mut store, 0x1000, 0, &mut back));
        assert_eq!(back, image);
        assert_eq!(store.read(0x1000, 4096).unwrap(), striping.stripe(&image));
        assert!(!striping.read(&mut store, 0x1000, 4090, &mut back[..16]));
    }
}
