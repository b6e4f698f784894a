//! Linear layers as jobs.

use super::Cpu;
use crate::{
    image::{Image, Matrix},
    multiply::{Activations, band},
    pool::Results,
    tile::BAND_ROWS,
    vector,
};
use std::sync::Arc;
use terntable_golden::model::Projection;

/// Pieces of a job a thread: enough that one who falls behind costs little.
const PIECES: usize = 8;

/// Real outputs of linear layers, bands beside each other: a matrix begins at a multiple of 32 rows.
#[derive(Clone)]
pub struct Product {
    pieces: Results<Piece>,
    rows: usize,
}

/// Outputs of some rows, slot by slot.
struct Piece {
    rows: usize,
    values: Vec<f32>,
}

impl Piece {
    fn new(bands: usize, slots: usize) -> Self {
        let rows = bands * BAND_ROWS;
        Self { rows, values: vec![0.0; rows * slots] }
    }

    /// The rows of a band and slot.
    fn band(&mut self, band: usize, slot: usize) -> &mut [f32] {
        &mut self.values[slot * self.rows + band * BAND_ROWS..][..BAND_ROWS]
    }
}

impl Product {
    /// Writes the outputs of a slot from row `first` on.
    pub fn read(&self, slot: usize, mut first: usize, mut out: &mut [f32]) {
        while let Some(piece) = self.pieces.get(first / self.rows).filter(|_| !out.is_empty()) {
            let from = first % self.rows;
            let count = out.len().min(piece.rows - from);
            let (now, later) = out.split_at_mut(count);
            now.copy_from_slice(&piece.values[slot * piece.rows + from..][..count]);
            (first, out) = (first + count, later);
        }
    }
}

/// Where a matrix begins in the product of several: rows of whole bands.
pub fn first_row(matrices: &[Matrix<'_>]) -> usize {
    matrices.iter().map(|matrix| matrix.shape.bands() * BAND_ROWS).sum()
}

impl Cpu {
    /// Bands of a piece when `bands` are to be shared.
    pub(super) fn piece_bands(&self, bands: usize) -> usize {
        bands.div_ceil(self.threads() * PIECES).max(1)
    }

    /// The real outputs of projections of a layer, whose inputs are the same or one each.
    pub(super) fn multiply(
        &self,
        layer: usize,
        projections: &[Projection],
        inputs: &[Arc<Activations>],
    ) -> Product {
        let matrices = |image: &Image, projections: &[Projection]| {
            projections.iter().map(|&p| image.matrix(layer, p).shape.bands()).collect::<Vec<_>>()
        };
        let bands = matrices(&self.image, projections);
        let total: usize = bands.iter().sum();
        let each = self.piece_bands(total);
        let (image, level) = (self.image.clone(), self.level);
        let (projections, inputs) = (projections.to_vec(), inputs.to_vec());
        let pieces = self.pool.run(total.div_ceil(each), move |piece| {
            let first = piece * each;
            let count = each.min(total - first);
            let mut out = Piece::new(count, inputs[0].slots());
            level.run(|| {
                let mut start = 0;
                for (i, &projection) in projections.iter().enumerate() {
                    let matrix = image.matrix(layer, projection);
                    let x = &inputs[i.min(inputs.len() - 1)];
                    let end = start + bands[i];
                    for at in first.max(start)..(first + count).min(end) {
                        band(level, matrix.band(at - start), x, |slot, sums| {
                            let factor = x.step(slot) * matrix.scale;
                            vector::dequantise(sums, factor, out.band(at - first, slot));
                        });
                    }
                    start = end;
                }
            });
            out
        });
        Product { pieces, rows: each * BAND_ROWS }
    }

    /// The gated rows of a layer's feed-forward block.
    pub(super) fn gated(&self, layer: usize, inputs: &[Arc<Activations>]) -> Product {
        let total = self.image.matrix(layer, Projection::Gate).shape.bands();
        let each = self.piece_bands(total);
        let (image, level, kind) = (self.image.clone(), self.level, self.config().gate);
        let inputs = inputs.to_vec();
        let pieces = self.pool.run(total.div_ceil(each), move |piece| {
            let first = piece * each;
            let count = each.min(total - first);
            let gate = image.matrix(layer, Projection::Gate);
            let up = image.matrix(layer, Projection::Up);
            let (x, y) = (&inputs[0], &inputs[inputs.len() - 1]);
            let mut out = Piece::new(count, x.slots());
            level.run(|| {
                for at in 0..count {
                    band(level, gate.band(first + at), x, |slot, sums| {
                        vector::dequantise(sums, x.step(slot) * gate.scale, out.band(at, slot));
                    });
                    band(level, up.band(first + at), y, |slot, sums| {
                        let mut up_row = [0.0; BAND_ROWS];
                        vector::dequantise(sums, y.step(slot) * up.scale, &mut up_row);
                        vector::gate(kind, out.band(at, slot), &up_row);
                    });
                }
            });
            out
        });
        Product { pieces, rows: each * BAND_ROWS }
    }
}
