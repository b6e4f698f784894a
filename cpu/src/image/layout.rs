//! Where the parts of a packed model lie.

use super::Header;
use crate::tile::Shape;
use std::ops::Range;
use terntable_golden::{
    Error,
    model::{Config, Projection},
};

/// Parts begin at multiples of this: a page.
pub const ALIGN: usize = 4096;

/// A part of a packed model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Scales of the matrices, binary32, seven a layer in the order of [`Projection::ALL`].
    Scales,
    /// Weights of a layer's norm, binary32.
    Norm(usize, LayerNorm),
    /// Weights of a projection's own norm, binary32, in models that have them.
    LinearNorm(usize, Projection),
    /// Weights of the norm before the head, binary32.
    LastNorm,
    /// Cosine and sine of every position and frequency, binary32.
    Rope,
    /// A matrix of a layer, as [`crate::tile`] describes.
    Matrix(usize, Projection),
    /// The ternary rows of the head's screen, a matrix.
    Screen,
    /// The 16-bit weights of the screen's rows.
    ScreenWeights,
    /// The steps of the head's rows, binary32.
    HeadSteps,
    /// The int8 rows of the head, plus 128.
    HeadRows,
    /// Embeddings, bfloat16 or binary32.
    Embedding,
}

/// The norms of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayerNorm {
    /// Before attention.
    Attention,
    /// Before the output projection.
    AttentionSub,
    /// Before the feed-forward block.
    Ffn,
    /// Before the down projection.
    FfnSub,
}

impl LayerNorm {
    /// All, in stream order.
    pub const ALL: [LayerNorm; 4] =
        [LayerNorm::Attention, LayerNorm::AttentionSub, LayerNorm::Ffn, LayerNorm::FfnSub];
}

/// The parts of a model and their bytes, behind the header.
#[derive(Debug, Clone)]
pub struct Layout {
    parts: Vec<(Part, Range<usize>)>,
    bytes: usize,
}

impl Layout {
    /// The parts of a model in the order in which they are filled: scales behind the matrices, weights of the
    /// screen and steps behind the rows that they belong to.
    pub fn new(header: &Header) -> Result<Self, Error> {
        let Header { config, bf16, linear_norm_eps, .. } = header;
        config.check()?;
        let Config { hidden, vocab, layers, .. } = *config;
        // Matrices and norms: at most 18 a layer.
        let parts = 18 * layers + 8;
        let mut layout = Self { parts: Vec::with_capacity(parts), bytes: header_bytes(parts) };
        layout.push(Part::Embedding, &[vocab, hidden, if *bf16 { 2 } else { 4 }])?;
        layout.push(Part::Rope, &[config.context, config.head_dim / 2, 8])?;
        for layer in 0..layers {
            for norm in LayerNorm::ALL {
                layout.push(Part::Norm(layer, norm), &[norm_elements(config, norm), 4])?;
            }
            for projection in Projection::ALL {
                let (rows, cols) = config.shape(projection);
                let shape = Shape { rows, cols };
                layout
                    .push(Part::Matrix(layer, projection), &[shape.bands(), shape.band_bytes()])?;
                if linear_norm_eps.is_some() {
                    layout.push(Part::LinearNorm(layer, projection), &[cols, 4])?;
                }
            }
        }
        layout.push(Part::Scales, &[layers, Projection::ALL.len(), 4])?;
        layout.push(Part::LastNorm, &[hidden, 4])?;
        let screen = Shape { rows: vocab, cols: hidden };
        layout.push(Part::Screen, &[screen.bands(), screen.band_bytes()])?;
        layout.push(Part::ScreenWeights, &[vocab, 2])?;
        layout.push(Part::HeadRows, &[vocab, hidden])?;
        layout.push(Part::HeadSteps, &[vocab, 4])?;
        Ok(layout)
    }

    fn push(&mut self, part: Part, sizes: &[usize]) -> Result<(), Error> {
        let bytes = sizes.iter().try_fold(1_usize, |bytes, size| bytes.checked_mul(*size));
        let end = bytes.and_then(|bytes| self.bytes.checked_add(bytes));
        let next = end.and_then(|end| end.checked_next_multiple_of(ALIGN));
        let (Some(end), Some(next)) = (end, next) else {
            return Err(Error::Config(format!("{part:?} has more bytes than memory can address")));
        };
        self.parts.push((part, self.bytes..end));
        self.bytes = next;
        Ok(())
    }

    /// Every part and where it lies.
    pub fn parts(&self) -> &[(Part, Range<usize>)] {
        &self.parts
    }

    /// Bytes in all.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Room for a header that lists the checks of so many parts.
fn header_bytes(parts: usize) -> usize {
    (ALIGN + 12 * parts).next_multiple_of(ALIGN)
}

/// Elements of a norm's row.
pub fn norm_elements(config: &Config, norm: LayerNorm) -> usize {
    match norm {
        LayerNorm::Attention | LayerNorm::Ffn => config.hidden,
        LayerNorm::AttentionSub => config.heads * config.head_dim,
        LayerNorm::FfnSub => config.intermediate,
    }
}
