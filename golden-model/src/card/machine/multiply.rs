//! Ternary panels times the activations of every slot.

use super::{Machine, Pending, error::Fault};
use crate::pack::{UNIT, decode_unit};

impl Pending {
    /// The sums of a slot's rows of a plane.
    pub fn plane(&self, slot: usize, plane: usize, rows: usize, tile_rows: usize) -> Vec<i32> {
        let planes = if self.two_planes { 2 } else { 1 };
        let at = |row: usize| (row / tile_rows * planes + plane) * tile_rows + row % tile_rows;
        (0..rows).map(|row| self.sums[slot].get(at(row)).copied().unwrap_or(0)).collect()
    }
}

impl Machine {
    /// The sums of a panel. Bytes that are no trits count as zeros.
    pub(super) fn multiply(
        &self,
        (two_planes, to_head): (bool, bool),
        address: u64,
        tiles: usize,
        blocks: usize,
    ) -> Result<Pending, Fault> {
        let geometry = self.card.geometry();
        let width = geometry.block_cols();
        let slots = self.pass.slots.len();
        let bytes = self.memory.read(address, tiles * blocks * geometry.beat_bytes)?;
        let mut sums = vec![vec![0; tiles * geometry.rows]; slots];
        let mut weights = vec![0_i8; width];
        for (index, beat) in bytes.chunks_exact(geometry.beat_bytes).enumerate() {
            let (block, tile) = (index / tiles, index % tiles);
            for i in 0..geometry.rows {
                let row = &beat[i * geometry.row_bytes()..][..geometry.row_bytes()];
                for (unit, weights) in row.chunks_exact(3).zip(weights.chunks_exact_mut(UNIT)) {
                    weights.copy_from_slice(&decode_unit(unit).unwrap_or_default());
                }
                for (slot, sums) in sums.iter_mut().enumerate() {
                    let (activations, _) = self.a.word(block * self.card.slots + slot);
                    let dot = weights.iter().zip(activations);
                    sums[tile * geometry.rows + i] +=
                        dot.map(|(&w, &a)| i32::from(w) * i32::from(a)).sum::<i32>();
                }
            }
        }
        Ok(Pending { two_planes, to_head, tiles, sums })
    }
}
