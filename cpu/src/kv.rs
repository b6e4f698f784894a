//! Keys and values of a sequence, in blocks of 4 positions laid out for the kernels of attention.
//!
//! A block holds all heads of a layer in a piece of memory of its own and is never changed once others hold
//! it: a pass makes the blocks anew that it adds to, sequences with a common beginning share theirs, and
//! forgetting positions is forgetting blocks.

use bytemuck::{Pod, Zeroable};
use std::sync::Arc;

/// Positions of a block.
pub const POSITIONS: usize = 4;
/// Elements of keys or values in a line.
pub const ELEMENTS: usize = 16;
/// What stored keys are larger by, so that they are unsigned.
pub const KEY_OFFSET: u8 = 128;

/// A line of cache, a vector of AVX-512.
#[repr(C, align(64))]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Line([u8; 64]);

/// Keys and values of 4 positions, head after head. Int4 rows are held as bytes too.
///
/// The steps of all heads come first, of each those of the keys and those of the values; then for each head lines of
/// keys, `[position][element % 16]`, and lines of values, `[element % 16][position]`.
#[derive(Debug, Clone)]
pub struct Block {
    lines: Arc<[Line]>,
    /// Lines before the first head, and lines of a head.
    steps: usize,
    each: usize,
}

impl Block {
    /// A block of zeros.
    pub fn new(heads: usize, head_dim: usize) -> Self {
        let half = head_dim.div_ceil(ELEMENTS);
        let (steps, each) = ((heads * 2 * POSITIONS).div_ceil(ELEMENTS), 2 * half);
        let mut lines = vec![Line::zeroed(); steps + heads * each];
        for head in lines[steps..].chunks_exact_mut(each) {
            head[..half].fill(Line([KEY_OFFSET; 64]));
        }
        Self { lines: lines.into(), steps, each }
    }

    /// One of its heads.
    #[inline]
    pub fn head(&self, head: usize) -> Head<'_> {
        let (steps, lines) = self.lines.split_at(self.steps);
        let steps: &[[[f32; POSITIONS]; 2]] = bytemuck::cast_slice(steps);
        Head { steps: &steps[head], lines: &lines[head * self.each..][..self.each] }
    }

    /// Puts a key and a value of a head at a position of the block; copies the block if others hold it.
    pub fn put(&mut self, head: usize, at: usize, key: (&[i8], f32), value: (&[i8], f32)) {
        let (steps, lines) = Arc::make_mut(&mut self.lines).split_at_mut(self.steps);
        let steps: &mut [[[f32; POSITIONS]; 2]] = bytemuck::cast_slice_mut(steps);
        (steps[head][0][at], steps[head][1][at]) = (key.1, value.1);
        let lines = &mut lines[head * self.each..][..self.each];
        let (keys, values) = lines.split_at_mut(self.each / 2);
        for (line, elements) in keys.iter_mut().zip(key.0.chunks(ELEMENTS)) {
            let out: &mut [[u8; ELEMENTS]; POSITIONS] = bytemuck::cast_mut(line);
            out[at].iter_mut().zip(elements).for_each(|(out, &k)| *out = k as u8 ^ KEY_OFFSET);
        }
        for (line, elements) in values.iter_mut().zip(value.0.chunks(ELEMENTS)) {
            let out: &mut [[i8; POSITIONS]; ELEMENTS] = bytemuck::cast_mut(line);
            out.iter_mut().zip(elements).for_each(|(out, &v)| out[at] = v);
        }
    }

    /// The key and the value of a head at a position of the block, as [`Block::put`] took them: the elements into
    /// `key` and `value`, the steps returned.
    pub fn get(&self, head: usize, at: usize, key: &mut [i8], value: &mut [i8]) -> (f32, f32) {
        let head = self.head(head);
        for (line, elements) in head.keys().iter().zip(key.chunks_mut(ELEMENTS)) {
            let keys: &[[u8; ELEMENTS]; POSITIONS] = bytemuck::cast_ref(line);
            elements.iter_mut().zip(keys[at]).for_each(|(out, k)| *out = (k ^ KEY_OFFSET) as i8);
        }
        for (line, elements) in head.values().iter().zip(value.chunks_mut(ELEMENTS)) {
            let values: &[[i8; POSITIONS]; ELEMENTS] = bytemuck::cast_ref(line);
            elements.iter_mut().zip(values).for_each(|(out, four)| *out = four[at]);
        }
        (head.steps[0][at], head.steps[1][at])
    }
}

/// A head of a block.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The real values of one in the keys, and in the values.
    pub steps: &'a [[f32; POSITIONS]; 2],
    lines: &'a [Line],
}

impl<'a> Head<'a> {
    /// Keys, elements padded to whole lines.
    #[inline]
    pub fn keys(self) -> &'a [Line] {
        &self.lines[..self.lines.len() / 2]
    }

    /// Values, elements padded to whole lines.
    #[inline]
    pub fn values(self) -> &'a [Line] {
        &self.lines[self.lines.len() / 2..]
    }
}

/// Keys and values of a layer, the first positions first.
pub type LayerCache = Vec<Block>;

/// Keys and values of a sequence. A clone shares them until one of the two writes.
#[derive(Debug, Clone)]
pub struct Sequence {
    pub(crate) layers: Vec<Arc<LayerCache>>,
    pub(crate) length: usize,
}

impl Sequence {
    /// An empty sequence.
    pub fn new(layers: usize) -> Self {
        Self { layers: vec![Arc::default(); layers], length: 0 }
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
        for layer in &mut self.layers {
            if layer.len() > self.length.div_ceil(POSITIONS) {
                Arc::make_mut(layer).truncate(self.length.div_ceil(POSITIONS));
            }
        }
    }

    /// A sequence of the first `length` positions; it shares their blocks.
    pub fn prefix(&self, length: usize) -> Self {
        let mut prefix = self.clone();
        prefix.truncate(length);
        prefix
    }

    /// Keys and values of a layer.
    pub fn layer(&self, layer: usize) -> &[Block] {
        &self.layers[layer]
    }

    /// Appends a position: `heads` gives key and value of a layer and head, as [`Block::get`] gave them, for
    /// `kv_heads` heads.
    pub fn append<'a>(
        &mut self,
        kv_heads: usize,
        mut heads: impl FnMut(usize, usize) -> [(&'a [i8], f32); 2],
    ) {
        let at = self.length % POSITIONS;
        for (layer, cache) in self.layers.iter_mut().enumerate() {
            let cache = Arc::make_mut(cache);
            for head in 0..kv_heads {
                let [key, value] = heads(layer, head);
                if cache.len() == self.length / POSITIONS {
                    cache.push(Block::new(kv_heads, key.0.len()));
                }
                cache[self.length / POSITIONS].put(head, at, key, value);
            }
        }
        self.length += 1;
    }
}
