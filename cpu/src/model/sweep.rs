//! Reading the weights and doing nothing with them: how fast this memory can be read.

use super::Cpu;
use crate::{image::Part, level::at_every_level};
use std::ops::Range;
use terntable_golden::model::Projection;

/// Bytes of a piece of work.
const PIECE: usize = 1 << 20;

impl Cpu {
    /// Parts that every pass reads in full.
    fn weights(&self) -> Vec<Part> {
        let layers = 0..self.config().layers;
        let matrices = layers.flat_map(|layer| Projection::ALL.map(|p| Part::Matrix(layer, p)));
        matrices.chain([Part::Screen, Part::ScreenWeights]).collect()
    }

    /// Bytes that a pass reads of the weights, the two-stage head's screen among them.
    pub fn weight_bytes(&self) -> usize {
        self.weights().iter().map(|&part| self.image.part(part).len()).sum()
    }

    /// Reads what a pass reads of the weights, on all threads, and nothing more. The result is of no use but
    /// to keep the reading.
    pub fn sweep(&self) -> u64 {
        let (image, level) = (self.image.clone(), self.level);
        let pieces: Vec<(Part, Range<usize>)> = self
            .weights()
            .into_iter()
            .flat_map(|part| {
                let bytes = self.image.part(part).len() & !7;
                let starts = (0..bytes).step_by(PIECE);
                starts.map(move |from| (part, from..bytes.min(from + PIECE)))
            })
            .collect();
        let sums = self.pool.run(pieces.len(), move |piece| {
            let (part, range) = &pieces[piece];
            fold(level, bytemuck::cast_slice(&image.part(*part)[range.clone()]))
        });
        sums.iter().fold(0, |all, sum| all ^ sum)
    }
}

at_every_level! {
    fn fold(words: &[u64]) -> u64 {
        words.iter().fold(0, |all, word| all ^ word)
    }
}
