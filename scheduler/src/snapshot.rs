//! Keys and values of a sequence on their way from one device to another.

use terntable_golden::{attention::Row, model::Config};

/// Keys and values as they were quantised, an element a byte, with a CRC-32 of everything.
///
/// `[layer][head][position]`: key, its step, value, its step; steps are little-endian binary32.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    length: usize,
    heads: usize,
    head_dim: usize,
    bytes: Vec<u8>,
    crc: u32,
}

/// Takes the row of a position and head.
pub struct RowWriter<'a>(&'a mut Vec<u8>);

impl RowWriter<'_> {
    /// The row.
    pub fn put(&mut self, key: &[i8], key_step: f32, value: &[i8], value_step: f32) {
        for (values, step) in [(key, key_step), (value, value_step)] {
            self.0.extend_from_slice(bytemuck::cast_slice(values));
            self.0.extend(step.to_le_bytes());
        }
    }
}

impl Snapshot {
    /// Asks for the rows of every layer, head and position in this order.
    pub fn write(
        config: &Config,
        length: usize,
        mut row: impl FnMut(usize, usize, usize, &mut RowWriter<'_>),
    ) -> Self {
        let Config { layers, kv_heads: heads, head_dim, .. } = *config;
        let mut bytes = Vec::with_capacity(bytes_of(config, length));
        for layer in 0..layers {
            for head in 0..heads {
                (0..length).for_each(|at| row(layer, head, at, &mut RowWriter(&mut bytes)));
            }
        }
        let crc = crc32fast::hash(&bytes);
        Self { length, heads, head_dim, bytes, crc }
    }

    /// Positions.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Key and value of a position.
    pub fn rows(&self, layer: usize, head: usize, position: usize) -> (Row<'_>, Row<'_>) {
        let size = row_bytes(self.head_dim);
        let at = ((layer * self.heads + head) * self.length + position) * size;
        let (key, value) = self.bytes[at..][..size].split_at(size / 2);
        (self.row(key), self.row(value))
    }

    fn row<'a>(&self, bytes: &'a [u8]) -> Row<'a> {
        let (values, step) = bytes.split_at(self.head_dim);
        let step = f32::from_le_bytes(std::array::from_fn(|i| step[i]));
        Row { values: bytemuck::cast_slice(values), step }
    }

    /// Whether it is what was written, and of a model like this.
    pub fn check(&self, config: &Config) -> Result<(), String> {
        let Config { kv_heads, head_dim, .. } = *config;
        let expected = bytes_of(config, self.length);
        if (self.heads, self.head_dim, self.bytes.len()) != (kv_heads, head_dim, expected) {
            return Err(format!(
                "K and V of {} heads of {} elements in {} bytes; expected {kv_heads} of {head_dim} in \
                 {expected}",
                self.heads,
                self.head_dim,
                self.bytes.len()
            ));
        }
        let found = crc32fast::hash(&self.bytes);
        match found == self.crc {
            true => Ok(()),
            false => Err(format!(
                "K and V of {} positions: CRC {found:08x}, expected {:08x}; they are computed again",
                self.length, self.crc
            )),
        }
    }

    /// Flips a bit, as a bad link would.
    pub(crate) fn damage(&mut self, bit: usize) {
        let at = bit / 8 % self.bytes.len().max(1);
        if let Some(byte) = self.bytes.get_mut(at) {
            *byte ^= 1 << (bit % 8);
        }
    }
}

/// Bytes of a snapshot of so many positions.
pub(crate) fn bytes_of(config: &Config, length: usize) -> usize {
    config.layers * config.kv_heads * length * row_bytes(config.head_dim)
}

/// Bytes of key and value of a position and head.
fn row_bytes(head_dim: usize) -> usize {
    2 * (head_dim + 4)
}
