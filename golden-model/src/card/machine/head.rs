//! The vocabulary head: screen, exact rows, results.

use super::{Machine, Pending, canonical, error::Fault, memory::offset};
use crate::{
    card::shape::{head_step_offset, head_stride, logits_stride, results_stride},
    head::{Candidate, Head},
};
use std::cmp::Reverse;

impl Machine {
    pub(super) fn screen(
        &mut self,
        panel: &Pending,
        first: bool,
        first_token: u32,
        rows: usize,
        weights: u64,
    ) -> Result<(), Fault> {
        let bytes = self.memory.read(weights, 2 * rows)?;
        let (words, _) = bytes.as_chunks::<2>();
        let weights: Vec<i64> = words.iter().map(|w| u16::from_le_bytes(*w).into()).collect();
        for slot in 0..self.pass.slots.len() {
            let sums = panel.plane(slot, 0, rows, self.card.rows);
            let heap = &mut self.heaps[slot];
            if first {
                heap.clear();
            }
            let scored = sums.iter().zip(&weights).zip(first_token..);
            heap.extend(scored.map(|((&sum, weight), token)| (i64::from(sum) * weight, token)));
            heap.sort_unstable_by_key(|&(score, token)| (Reverse(score), token));
            heap.truncate(self.card.candidates);
        }
        Ok(())
    }

    /// The logit of a token for a slot.
    fn logit(&self, rows: u64, token: u32, input: &[i8], step: f32) -> Result<f32, Fault> {
        let hidden = self.model.hidden;
        let stride = head_stride(&self.card, hidden);
        let at = offset(rows, (token as usize).saturating_mul(stride));
        let record = self.memory.read(at, stride)?;
        let step_at = head_step_offset(hidden);
        let row_step = f32::from_le_bytes(std::array::from_fn(|i| record[step_at + i]));
        let products = record.iter().zip(input).map(|(&w, &x)| i32::from(w as i8) * i32::from(x));
        Ok(canonical(products.sum::<i32>() as f32 * (row_step * step)))
    }

    fn head_input(&self, slot: usize) -> Vec<i8> {
        let hidden = self.model.hidden;
        self.q.row(slot * hidden.next_multiple_of(self.card.beat_bytes()), hidden)
    }

    pub(super) fn score(&mut self, rows: u64) -> Result<(), Fault> {
        for slot in 0..self.pass.slots.len() {
            let (input, step) = (self.head_input(slot), self.step_a[slot]);
            let scored = |&(_, token): &(i64, u32)| {
                Ok(Candidate { token, logit: self.logit(rows, token, &input, step)? })
            };
            let mut ranked =
                self.heaps[slot].iter().map(scored).collect::<Result<Vec<_>, Fault>>()?;
            Head::rank(&mut ranked);
            self.ranked[slot] = ranked;
        }
        Ok(())
    }

    pub(super) fn score_all(&mut self, rows: u64, write: bool) -> Result<(), Fault> {
        let stride = logits_stride(&self.card, self.model.vocab);
        for slot in 0..self.pass.slots.len() {
            let (input, step) = (self.head_input(slot), self.step_a[slot]);
            let scored =
                |token| Ok(Candidate { token, logit: self.logit(rows, token, &input, step)? });
            let mut ranked =
                (0..self.model.vocab as u32).map(scored).collect::<Result<Vec<_>, Fault>>()?;
            if write && self.pass.slots[slot].head {
                let bytes: Vec<u8> = ranked.iter().flat_map(|c| c.logit.to_le_bytes()).collect();
                self.memory.write(offset(self.pass.logits, slot * stride), &bytes)?;
            }
            Head::rank(&mut ranked);
            ranked.truncate(self.card.candidates);
            self.ranked[slot] = ranked;
        }
        Ok(())
    }

    pub(super) fn emit(&mut self) -> Result<(), Fault> {
        for slot in 0..self.pass.slots.len() {
            if !self.pass.slots[slot].head {
                continue;
            }
            let pair = |c: &Candidate| [c.token.to_le_bytes(), c.logit.to_le_bytes()].concat();
            let bytes: Vec<u8> = self.ranked[slot].iter().flat_map(pair).collect();
            let at = offset(self.pass.results, slot * results_stride(&self.card));
            self.memory.write(at, &bytes)?;
        }
        Ok(())
    }
}
