//! Packed structs, least significant field first.

/// Bits of a port.
#[derive(Default)]
pub struct Bits {
    bits: Vec<bool>,
}

impl Bits {
    /// Adds a field above those before it.
    pub fn push(&mut self, value: u64, width: usize) -> &mut Self {
        self.bits.extend((0..width).map(|i| value >> i & 1 == 1));
        self
    }

    /// Little-endian bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| bits.iter().rev().fold(0, |b, &bit| b << 1 | u8::from(bit));
        self.bits.chunks(8).map(byte).collect()
    }
}
