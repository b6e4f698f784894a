//! Packed models: what the CPU path runs, in memory or memory-mapped from a file.
//!
//! A file is a header page or more (magic, length and check of the header's JSON, the JSON), then the parts
//! in the order of [`Layout`], each at a multiple of 4,096 bytes, little-endian. The JSON holds the
//! model's sizes, so that it alone says where every part must lie, and a CRC-32 of every part.

mod build;
mod layout;
mod open;
mod synthetic;

pub use build::{Fill, ModelParts, fill_norm, floats, sub_norms_missing, write_all};
pub use layout::{LayerNorm, Layout, Part, norm_elements};
pub use synthetic::Synthetic;

use crate::{Error, tile::Shape};
use memmap2::{Mmap, MmapMut};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, ops::Range};
use terntable_golden::model::{Config, Projection};

/// Version of the file format: changes whenever the order or the form of the parts does.
pub const VERSION: u8 = 1;
const MAGIC: [u8; 8] = [b'T', b'E', b'R', b'N', b'C', b'P', b'U', b'0' + VERSION];
/// Bytes before the JSON: magic, its length, its CRC-32.
const PREFIX: usize = 16;

const _: () =
    assert!(cfg!(target_endian = "little"), "packed models are read as they lie in memory");

/// What a packed model says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Sizes and constants.
    pub config: Config,
    /// What it was packed from: a name and a fingerprint of the files.
    pub source: String,
    /// Embeddings are bfloat16, else binary32.
    pub bf16: bool,
    /// The output, and the down projections have no norm before them: the identity norm takes its place.
    pub identity_sub_norms: [bool; 2],
    /// Projections have norms of their own, with this added to the mean square.
    pub linear_norm_eps: Option<f32>,
    /// CRC-32 of the parts.
    pub checks: Vec<u32>,
}

/// A packed model.
#[derive(Debug)]
pub struct Image {
    header: Header,
    layout: HashMap<Part, Range<usize>>,
    scales: Vec<f32>,
    bytes: Mmap,
}

/// A packed matrix.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// Rows and columns.
    pub shape: Shape,
    /// The real value of a trit.
    pub scale: f32,
    /// Its bands.
    pub bytes: &'a [u8],
}

impl Matrix<'_> {
    /// The bytes of a band.
    pub fn band(&self, band: usize) -> &[u8] {
        let bytes = self.shape.band_bytes();
        &self.bytes[band * bytes..][..bytes]
    }
}

impl Image {
    fn new(header: Header, layout: &Layout, bytes: Mmap) -> Result<Self, Error> {
        let layout = layout.parts().iter().cloned().collect();
        let mut image = Self { header, layout, scales: Vec::new(), bytes };
        image.scales = image.floats(Part::Scales).to_vec();
        Ok(image)
    }

    /// The same in memory of its own, in huge pages where the system gives them: faster to read, because fewer addresses
    /// need to be looked up, but no longer shared with other processes.
    pub fn in_huge_pages(self) -> Result<Self, Error> {
        let failed = |source| Error::Io { path: "memory".into(), source };
        let mut copy = MmapMut::map_anon(self.bytes.len()).map_err(failed)?;
        #[cfg(target_os = "linux")]
        // Larger pages where the system has them; without, it is only not faster.
        let _ = copy.advise(memmap2::Advice::HugePage);
        copy.copy_from_slice(&self.bytes);
        let bytes = copy.make_read_only().map_err(failed)?;
        Ok(Self { bytes, ..self })
    }

    /// What the model says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Sizes and constants.
    pub fn config(&self) -> &Config {
        &self.header.config
    }

    /// Bytes of a part; none if the model lacks it.
    pub fn part(&self, part: Part) -> &[u8] {
        self.layout.get(&part).map_or(&[], |range| &self.bytes[range.clone()])
    }

    /// Bytes of the whole image.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// A part of binary32 numbers.
    pub fn floats(&self, part: Part) -> &[f32] {
        bytemuck::cast_slice(self.part(part))
    }

    /// Cosine and sine of every frequency at a position.
    pub fn rope(&self, position: usize) -> &[[f32; 2]] {
        let half = self.header.config.head_dim / 2;
        &bytemuck::cast_slice(self.part(Part::Rope))[position * half..][..half]
    }

    /// A matrix of a layer.
    pub fn matrix(&self, layer: usize, projection: Projection) -> Matrix<'_> {
        let (rows, cols) = self.header.config.shape(projection);
        let scale = self.scales[layer * Projection::ALL.len() + projection as usize];
        let bytes = self.part(Part::Matrix(layer, projection));
        Matrix { shape: Shape { rows, cols }, scale, bytes }
    }

    /// The ternary rows of the head's screen.
    pub fn screen(&self) -> Matrix<'_> {
        let Config { vocab, hidden, .. } = self.header.config;
        let shape = Shape { rows: vocab, cols: hidden };
        Matrix { shape, scale: 1.0, bytes: self.part(Part::Screen) }
    }

    /// The 16-bit weights of the screen's rows.
    pub fn screen_weights(&self) -> &[u16] {
        bytemuck::cast_slice(self.part(Part::ScreenWeights))
    }

    /// Writes the embedding of a token.
    pub fn embed(&self, token: usize, out: &mut [f32]) {
        let hidden = self.header.config.hidden;
        let part = self.part(Part::Embedding);
        if self.header.bf16 {
            let row: &[u16] = &bytemuck::cast_slice(part)[token * hidden..][..hidden];
            for (out, &bits) in out.iter_mut().zip(row) {
                *out = f32::from_bits(u32::from(bits) << 16);
            }
        } else {
            out.copy_from_slice(&bytemuck::cast_slice(part)[token * hidden..][..hidden]);
        }
    }
}
