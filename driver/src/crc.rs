//! CRC-32C at the speed of memory.

use crc_fast::{CrcAlgorithm::Crc32Iscsi, Digest};

/// A checksum in the making.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crc(Digest);

impl Default for Crc {
    fn default() -> Self {
        Self(Digest::new(Crc32Iscsi))
    }
}

impl Crc {
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes so far.
    pub fn value(&self) -> u32 {
        self.0.finalize() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_cards() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|i| ((i * i) >> 3) as u8).collect();
        for cut in [0, 1, 16, 4096, 9_999] {
            let mut crc = Crc::default();
            crc.update(&bytes[..cut]);
            crc.update(&bytes[cut..]);
            assert_eq!(crc.value(), terntable_golden::card::image::crc32c(&bytes));
        }
    }
}
