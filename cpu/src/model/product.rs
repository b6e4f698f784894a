//! Linear layers as jobs.

use super::Cpu;
use crate::{
    image::{Image, Matrix},
    level::Level,
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
    /// Bands of a piece.
    bands: usize,
}

/// Outputs of some bands: `[band][slot][row]`.
struct Piece {
    slots: usize,
    values: Vec<f32>,
}

impl Piece {
    fn new(bands: usize, slots: usize) -> Self {
        Self { slots, values: Vec::with_capacity(bands * slots * BAND_ROWS) }
    }

    /// Appends the rows of the next band and slot: sums times a factor.
    fn push(&mut self, level: Level, sums: &[i32; BAND_ROWS], factor: f32) {
        let mut row = [0.0; BAND_ROWS];
        vector::dequantise(level, sums, factor, &mut row);
        self.values.extend_from_slice(&row);
    }

    /// The rows of a band and slot; none beyond the last band.
    fn band(&self, band: usize, slot: usize) -> Option<&[f32]> {
        self.values.get((band * self.slots + slot) * BAND_ROWS..)?.get(..BAND_ROWS)
    }
}

impl Product {
    /// Writes the outputs of a slot from row `first` on.
    pub fn read(&self, slot: usize, mut first: usize, mut out: &mut [f32]) {
        while !out.is_empty() {
            let (band, from) = (first / BAND_ROWS, first % BAND_ROWS);
            let piece = self.pieces.get(band / self.bands);
            let Some(rows) = piece.and_then(|piece| piece.band(band % self.bands, slot)) else {
                return;
            };
            let count = out.len().min(BAND_ROWS - from);
            let (now, later) = out.split_at_mut(count);
            now.copy_from_slice(&rows[from..from + count]);
            (first, out) = (first + count, later);
        }
    }
}

/// Where a matrix begins in the product of several: rows of whole bands.
pub fn first_row(matrices: &[Matrix<'_>]) -> usize {
    matrices.iter().map(|matrix| matrix.shape.bands() * BAND_ROWS).sum()
}

impl Cpu {
    /// How many of `items` a piece takes when they are shared.
    pub(super) fn share(&self, items: usize) -> usize {
        items.div_ceil(self.threads() * PIECES).max(1)
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
        let each = self.share(total);
        let (image, level) = (self.image.clone(), self.level);
        let (projections, inputs) = (projections.to_vec(), inputs.to_vec());
        let pieces = self.pool.run(total.div_ceil(each), move |piece| {
            let first = piece * each;
            let count = each.min(total - first);
            let mut out = Piece::new(count, inputs[0].slots());
            let mut start = 0;
            for (i, &projection) in projections.iter().enumerate() {
                let matrix = image.matrix(layer, projection);
                let x = &inputs[i.min(inputs.len() - 1)];
                let end = start + bands[i];
                for at in first.max(start)..(first + count).min(end) {
                    band(level, matrix.band(at - start), x, |slot, sums| {
                        out.push(level, sums, x.step(slot) * matrix.scale);
                    });
                }
                start = end;
            }
            out
        });
        Product { pieces, bands: each }
    }

    /// The gated rows of a layer's feed-forward block.
    pub(super) fn gated(&self, layer: usize, inputs: &[Arc<Activations>]) -> Product {
        let total = self.image.matrix(layer, Projection::Gate).shape.bands();
        let each = self.share(total);
        let (image, level, kind) = (self.image.clone(), self.level, self.config().gate);
        let inputs = inputs.to_vec();
        let pieces = self.pool.run(total.div_ceil(each), move |piece| {
            let first = piece * each;
            let count = each.min(total - first);
            let gate = image.matrix(layer, Projection::Gate);
            let up = image.matrix(layer, Projection::Up);
            let (x, y) = (&inputs[0], &inputs[inputs.len() - 1]);
            let mut out = Piece::new(count, x.slots());
            for at in first..first + count {
                let gated = out.values.len();
                band(level, gate.band(at), x, |slot, sums| {
                    out.push(level, sums, x.step(slot) * gate.scale);
                });
                let mut up_row = [0.0; BAND_ROWS];
                band(level, up.band(at), y, |slot, sums| {
                    vector::dequantise(level, sums, y.step(slot) * up.scale, &mut up_row);
                    let row = &mut out.values[gated + slot * BAND_ROWS..][..BAND_ROWS];
                    vector::gate(level, kind, row, &up_row);
                });
            }
            out
        });
        Product { pieces, bands: each }
    }
}
