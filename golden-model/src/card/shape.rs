//! Sizes and strides that images, programs and the card share.

use super::config::CardConfig;
use crate::{Error, attention::KvFormat, model::Config};

/// Bytes from an embedding to the next.
pub fn embed_stride(card: &CardConfig, hidden: usize, bf16: bool) -> usize {
    card.pad(hidden * if bf16 { 2 } else { 4 })
}

/// Bytes from a rotary row to the next.
pub fn rope_stride(card: &CardConfig, head_dim: usize) -> usize {
    card.pad(head_dim * 4)
}

/// Where the step of a head row lies, after its int8 elements.
pub fn head_step_offset(hidden: usize) -> usize {
    hidden.next_multiple_of(4)
}

/// Bytes from a head row to the next.
pub fn head_stride(card: &CardConfig, hidden: usize) -> usize {
    card.pad(head_step_offset(hidden) + 4)
}

/// Bytes of the logits of a slot.
pub fn logits_stride(card: &CardConfig, vocab: usize) -> usize {
    card.pad(vocab * 4)
}

/// Bytes of the results of a slot.
pub fn results_stride(card: &CardConfig) -> usize {
    card.candidates * 8
}

/// A KV head in a page: K rows, K steps, V steps, V rows, each section padded to a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvShape {
    /// How elements are held.
    pub format: KvFormat,
    /// Bytes of a row.
    pub row_bytes: usize,
    /// Bytes of the section of the rows of K, or of V.
    pub rows_bytes: usize,
    /// Bytes of the section of the steps of K, or of V.
    pub steps_bytes: usize,
}

impl KvShape {
    /// The shape of heads of `head_dim` elements.
    pub fn new(card: &CardConfig, head_dim: usize, format: KvFormat) -> Self {
        let row_bytes = head_dim * format.bits() / 8;
        Self {
            format,
            row_bytes,
            rows_bytes: card.pad(card.page_rows * row_bytes),
            steps_bytes: card.pad(card.page_rows * 4),
        }
    }

    /// Bytes of a head.
    pub fn head_bytes(&self) -> usize {
        2 * (self.rows_bytes + self.steps_bytes)
    }

    /// Offset of a row of K.
    pub fn key(&self, row: usize) -> usize {
        row * self.row_bytes
    }

    /// Offset of the step of a row of K.
    pub fn key_step(&self, row: usize) -> usize {
        self.rows_bytes + 4 * row
    }

    /// Offset of the step of a row of V.
    pub fn value_step(&self, row: usize) -> usize {
        self.rows_bytes + self.steps_bytes + 4 * row
    }

    /// Offset of a row of V.
    pub fn value(&self, row: usize) -> usize {
        self.rows_bytes + 2 * self.steps_bytes + row * self.row_bytes
    }

    /// Elements as they lie in memory: int8, or int4 with the even element in the low half.
    pub fn pack(&self, values: &[i8]) -> Vec<u8> {
        match self.format {
            KvFormat::Int8 => values.iter().map(|&v| v as u8).collect(),
            KvFormat::Int4 => {
                let high = |pair: &[i8]| pair.get(1).map_or(0, |&v| (v as u8) << 4);
                values.chunks(2).map(|pair| pair[0] as u8 & 15 | high(pair)).collect()
            }
        }
    }

    /// The inverse of [`KvShape::pack`], appended to `values`.
    pub fn unpack(&self, bytes: &[u8], values: &mut Vec<i8>) {
        match self.format {
            KvFormat::Int8 => values.extend(bytes.iter().map(|&b| b as i8)),
            KvFormat::Int4 => {
                values.extend(bytes.iter().flat_map(|&b| [(b << 4) as i8 >> 4, b as i8 >> 4]));
            }
        }
    }
}

/// Checks that a model's sizes fit a card, its buffers and its number formats.
pub fn check_fits(card: &CardConfig, model: &Config) -> Result<(), Error> {
    model.check()?;
    let Config { hidden, intermediate: ffn, heads, head_dim, .. } = *model;
    let lanes = card.lanes;
    let query = heads * head_dim;
    let beat = card.beat_bytes();
    if !head_dim.is_multiple_of(2 * lanes) || !head_dim.is_multiple_of(16) {
        return Err(Error::Config(format!(
            "head_dim {head_dim} does not suit card {}: expected a multiple of {} and of 16",
            card.name,
            2 * lanes
        )));
    }
    let widest = hidden.max(query).max(ffn);
    let limits = [
        ("head_dim", head_dim, card.head_dim_max, "HeadDimMax"),
        ("heads", heads, card.heads_max, "HeadsMax"),
        ("words of X", card.slots * hidden.div_ceil(lanes), card.residual_words, "ResidualWords"),
        ("words of Y", card.slots * query.max(ffn).div_ceil(lanes), card.work_words, "WorkWords"),
        ("blocks of A", card.geometry().blocks(widest), card.act_blocks, "ActBlocks"),
        (
            "words of Q (queries)",
            card.slots * heads * head_dim.div_ceil(beat),
            card.query_words,
            "QueryWords",
        ),
        ("words of Q (head)", card.slots * hidden.div_ceil(beat), card.query_words, "QueryWords"),
        ("words of P", widest.div_ceil(lanes), card.param_words, "ParamWords"),
    ];
    match limits.iter().find(|(_, size, limit, _)| size > limit) {
        None => Ok(()),
        Some((what, size, limit, name)) => Err(Error::Config(format!(
            "the model does not fit card {}: it needs {size} {what}; the card has {limit} ({name})",
            card.name
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int4_rows_pack_two_a_byte_even_low() {
        let card = CardConfig::named("sim-small").unwrap();
        let shape = KvShape::new(&card, 16, KvFormat::Int4);
        assert_eq!(shape.pack(&[1, -1, -8, 7]), [0xf1, 0x78]);
        let mut values = Vec::new();
        shape.unpack(&[0xf1, 0x78], &mut values);
        assert_eq!(values, [1, -1, -8, 7]);
        assert_eq!((shape.row_bytes, shape.rows_bytes, shape.steps_bytes), (8, 64, 32));
        assert_eq!(shape.head_bytes(), 192);
        assert_eq!((shape.key_step(1), shape.value_step(0), shape.value(1)), (68, 96, 136));
    }
}
