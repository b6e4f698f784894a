//! Keys and values of a sequence, laid out for the kernels of attention.
//!
//! Keys of 16 positions lie together, four elements of each position after the other, plus 128 so that
//! they are unsigned: a vector of 64 bytes times four broadcast elements of a query is a quarter of the way
//! to 16 scores. Values of 4 positions lie together, element by element: a vector is 16 elements of 4
//! positions. Int4 rows are held as bytes too.

use std::sync::Arc;

/// Positions whose keys share a vector.
pub const KEY_BLOCK: usize = 16;
/// Positions whose values share a vector.
pub const VALUE_BLOCK: usize = 4;
/// Elements of a value in a vector.
pub const VALUE_LANES: usize = 16;
/// What stored keys are larger by.
pub const KEY_OFFSET: u8 = 128;

/// Keys and values of one key-value head.
#[derive(Debug, Clone, Default)]
pub struct HeadCache {
    /// `[position / 16][element / 4][position % 16][element % 4]`.
    pub keys: Vec<u8>,
    /// The real value of one in a key, a position; padded to whole blocks.
    pub key_steps: Vec<f32>,
    /// `[position / 4][element][position % 4]`.
    pub values: Vec<i8>,
    /// The real value of one in a value, a position; padded to whole blocks of keys.
    pub value_steps: Vec<f32>,
}

/// Bytes of a block of keys.
pub fn key_block_bytes(head_dim: usize) -> usize {
    head_dim.next_multiple_of(4) * KEY_BLOCK
}

/// Bytes of a block of values.
pub fn value_block_bytes(head_dim: usize) -> usize {
    head_dim.next_multiple_of(VALUE_LANES) * VALUE_BLOCK
}

impl HeadCache {
    /// Puts a key and a value at a position, at most one past the last.
    pub fn put(&mut self, position: usize, key: (&[i8], f32), value: (&[i8], f32)) {
        let (block, lane) = (position / KEY_BLOCK, position % KEY_BLOCK);
        let bytes = key_block_bytes(key.0.len());
        if self.keys.len() <= block * bytes {
            self.keys.resize((block + 1) * bytes, KEY_OFFSET);
            self.key_steps.resize((block + 1) * KEY_BLOCK, 0.0);
            self.value_steps.resize((block + 1) * KEY_BLOCK, 0.0);
        }
        for (i, four) in key.0.chunks(4).enumerate() {
            let at = block * bytes + (i * KEY_BLOCK + lane) * 4;
            for (out, &k) in self.keys[at..].iter_mut().zip(four) {
                *out = (k as u8) ^ KEY_OFFSET;
            }
        }
        (self.key_steps[position], self.value_steps[position]) = (key.1, value.1);

        let (block, lane) = (position / VALUE_BLOCK, position % VALUE_BLOCK);
        let bytes = value_block_bytes(value.0.len());
        if self.values.len() <= block * bytes {
            self.values.resize((block + 1) * bytes, 0);
        }
        for (i, &v) in value.0.iter().enumerate() {
            self.values[block * bytes + i * VALUE_BLOCK + lane] = v;
        }
    }
}

/// Keys and values of a layer, a [`HeadCache`] for each key-value head.
pub type LayerCache = Vec<HeadCache>;

/// Keys and values of a sequence. A clone shares them until one of the two writes.
#[derive(Debug, Clone)]
pub struct Sequence {
    pub(crate) layers: Vec<Arc<LayerCache>>,
    pub(crate) length: usize,
}

impl Sequence {
    /// An empty sequence.
    pub fn new(layers: usize, kv_heads: usize) -> Self {
        let layer = Arc::new(vec![HeadCache::default(); kv_heads]);
        Self { layers: vec![layer; layers], length: 0 }
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether no position is held.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Forgets the positions from `length` on.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}
