//! The binary32 work: embedding, residual, gate, projections, norms.

use super::{Machine, Pending, canonical, error::Fault, memory::offset};
use crate::{
    attention::KvFormat,
    card::{
        command::{kind, source},
        shape::{embed_stride, rope_stride},
    },
    gate::Gate,
    norm::{Scales, largest},
    quantise::{dequantise, quantise},
    reduce::Partials,
    rope::rotate,
};

/// What a norm needs of a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Statistics {
    /// The sum of squares in the making.
    partials: Partials,
    /// The last finished one.
    pub sum: f32,
    /// The largest product of an element and its weight so far.
    largest: f32,
}

impl Statistics {
    /// Goes on with elements from `first` on and their weights; element 0 starts anew.
    fn add(&mut self, first: usize, values: &[f32], weights: &[f32], last: bool) {
        if first == 0 {
            self.partials = Partials::default();
            self.largest = 0.0;
        }
        for (i, value) in values.iter().enumerate() {
            self.partials.add(first + i, value * value);
        }
        self.largest = largest(self.largest, values, weights);
        if last {
            self.sum = self.partials.finish();
        }
    }
}

impl Machine {
    pub(super) fn load(&mut self, bank: bool, address: u64, columns: u32) -> Result<(), Fault> {
        let values = self.memory.floats(address, columns as usize)?;
        let base = usize::from(bank) * self.card.param_words * self.card.lanes;
        self.p.set_row(base, values);
        Ok(())
    }

    pub(super) fn load_rope(&mut self, address: u64) -> Result<(), Fault> {
        let (half, lanes) = (self.model.head_dim / 2, self.card.lanes);
        let stride = rope_stride(&self.card, self.model.head_dim);
        for (index, slot) in self.pass.slots.iter().enumerate() {
            let row = offset(address, (slot.position as usize).saturating_mul(stride));
            let values = self.memory.floats(row, 2 * half)?;
            for i in 0..half {
                let word = index * (half / lanes) + i / lanes;
                self.r.set(word * 2 * lanes + i % lanes, values[i]);
                self.r.set(word * 2 * lanes + lanes + i % lanes, values[half + i]);
            }
        }
        Ok(())
    }

    /// Weights of a norm from element `first` on.
    fn weights(&self, bank: bool, first: usize, count: usize) -> Vec<f32> {
        self.p.row(usize::from(bank) * self.card.param_words * self.card.lanes + first, count)
    }

    pub(super) fn embed(&mut self, bank: bool, address: u64) -> Result<(), Fault> {
        let weights = self.weights(bank, 0, self.model.hidden);
        let (hidden, bf16) = (self.model.hidden, self.model.embed_bf16);
        let stride = embed_stride(&self.card, hidden, bf16);
        for index in 0..self.pass.slots.len() {
            let token = self.pass.slots[index].token as usize;
            let row = offset(address, token.saturating_mul(stride));
            let values = match bf16 {
                false => self.memory.floats(row, hidden)?,
                true => {
                    let (halves, _) = self.memory.read(row, 2 * hidden)?.as_chunks::<2>();
                    let value = |h: &[u8; 2]| f32::from_le_bytes([0, 0, h[0], h[1]]);
                    halves.iter().map(value).collect()
                }
            };
            self.statistics[index].add(0, &values, &weights, true);
            let base = self.x_base(index);
            self.x.set_row(base, values);
        }
        Ok(())
    }

    /// Element 0 of a slot's row of X.
    fn x_base(&self, slot: usize) -> usize {
        slot * self.model.hidden.next_multiple_of(self.card.lanes)
    }

    /// Element 0 of a slot's row of Y, for rows of so many columns.
    pub(super) fn y_base(&self, slot: usize, columns: usize) -> usize {
        slot * columns.next_multiple_of(self.card.lanes)
    }

    pub(super) fn residual(
        &mut self,
        panel: &Pending,
        (first, rows): (usize, usize),
        scale: f32,
        (bank, last): (bool, bool),
    ) {
        let weights = self.weights(bank, first, rows);
        for slot in 0..self.pass.slots.len() {
            let sums = panel.plane(slot, 0, rows, self.card.rows);
            let base = self.x_base(slot) + first;
            let values: Vec<f32> = dequantise(&sums, self.step_a[slot], scale)
                .into_iter()
                .enumerate()
                .map(|(i, y)| canonical(self.x.get(base + i) + y))
                .collect();
            self.statistics[slot].add(first, &values, &weights, last);
            self.x.set_row(base, values);
        }
    }

    pub(super) fn gate(
        &mut self,
        panel: &Pending,
        (first, rows): (usize, usize),
        scales: [f32; 2],
        (bank, last): (bool, bool),
    ) {
        let weights = self.weights(bank, first, rows);
        let function = if self.model.silu { Gate::Silu } else { Gate::Relu2 };
        for slot in 0..self.pass.slots.len() {
            let [gate, up] = [0, 1].map(|plane| {
                let sums = panel.plane(slot, plane, rows, self.card.rows);
                dequantise(&sums, self.step_a[slot], scales[plane])
            });
            let values: Vec<f32> = function.apply(&gate, &up).into_iter().map(canonical).collect();
            self.statistics[slot].add(first, &values, &weights, last);
            let base = self.y_base(slot, self.model.ffn) + first;
            self.y.set_row(base, values);
        }
    }

    pub(super) fn project(
        &mut self,
        panel: &Pending,
        which: u8,
        (first_head, heads): (usize, usize),
        scale: f32,
        kv_base: u64,
    ) -> Result<(), Fault> {
        let head_dim = self.model.head_dim;
        let rows = heads * head_dim;
        for slot in 0..self.pass.slots.len() {
            let sums = panel.plane(slot, 0, rows, self.card.rows);
            let mut values = dequantise(&sums, self.step_a[slot], scale);
            let rope = self.rope_row(slot);
            for (i, head) in values.chunks_exact_mut(head_dim).enumerate() {
                if which != kind::V {
                    rotate(head, &rope);
                }
                let base = self.y_base(slot, rows) + i * head_dim;
                for (j, value) in head.iter_mut().enumerate() {
                    *value = canonical(*value);
                    self.y.set(base + j, *value);
                }
                match which {
                    kind::Q => self.write_query(slot, first_head + i, head),
                    _ => self.write_kv(slot, first_head + i, head, which == kind::V, kv_base)?,
                }
            }
        }
        Ok(())
    }

    /// Cosines and sines of a slot.
    fn rope_row(&self, slot: usize) -> Vec<(f32, f32)> {
        let (half, lanes) = (self.model.head_dim / 2, self.card.lanes);
        let pair = |i: usize| {
            let at = (slot * (half / lanes) + i / lanes) * 2 * lanes + i % lanes;
            (self.r.get(at), self.r.get(at + lanes))
        };
        (0..half).map(pair).collect()
    }

    fn write_query(&mut self, slot: usize, head: usize, values: &[f32]) {
        let quantised = quantise(values);
        let width = self.model.head_dim.next_multiple_of(self.card.beat_bytes());
        let base = (slot * self.model.heads + head) * width;
        for i in 0..width {
            self.q.set(base + i, quantised.values.get(i).copied().unwrap_or(0));
        }
        self.factors[slot][head] = canonical(quantised.step * self.model.score_constant);
    }

    fn write_kv(
        &mut self,
        slot: usize,
        head: usize,
        values: &[f32],
        is_value: bool,
        kv_base: u64,
    ) -> Result<(), Fault> {
        let record = self.pass.slots[slot];
        let shape = self.kv_shape();
        let row = record.row as usize % self.card.page_rows;
        let head_at = self.kv_head(kv_base, record.page, head)?;
        let quantised = match self.model.kv {
            KvFormat::Int8 => quantise(values),
            KvFormat::Int4 => crate::quantise::quantise_int4(values),
        };
        let (row_at, step_at) = match is_value {
            false => (shape.key(row), shape.key_step(row)),
            true => (shape.value(row), shape.value_step(row)),
        };
        self.memory.write(offset(head_at, row_at), &shape.pack(&quantised.values))?;
        self.memory.write(offset(head_at, step_at), &quantised.step.to_le_bytes())
    }

    pub(super) fn square(&mut self, bank: bool) {
        let columns = self.model.query_columns();
        let weights = self.weights(bank, 0, columns);
        for slot in 0..self.pass.slots.len() {
            let values = self.y.row(self.y_base(slot, columns), columns);
            self.statistics[slot].add(0, &values, &weights, true);
        }
    }

    pub(super) fn normalise(&mut self, from: u8, to_queries: bool, bank: bool) {
        let model = self.model;
        let (columns, inverse) = match from {
            source::X => (model.hidden, model.inv_hidden),
            source::Y_QUERY => (model.query_columns(), model.inv_query),
            _ => (model.ffn, model.inv_ffn),
        };
        let weights = self.weights(bank, 0, columns);
        for slot in 0..self.pass.slots.len() {
            let row = match from {
                source::X => self.x.row(self.x_base(slot), columns),
                _ => self.y.row(self.y_base(slot, columns), columns),
            };
            let Statistics { sum, largest, .. } = self.statistics[slot];
            let scales = Scales::new(sum, largest, inverse, model.eps);
            self.step_a[slot] = scales.step;
            let values: Vec<i8> =
                row.iter().zip(&weights).map(|(&x, &w)| scales.integer(x, w)).collect();
            self.write_activations(slot, &values);
            if to_queries {
                let width = columns.next_multiple_of(self.card.beat_bytes());
                for i in 0..width {
                    self.q.set(slot * width + i, values.get(i).copied().unwrap_or(0));
                }
            }
        }
    }

    fn write_activations(&mut self, slot: usize, values: &[i8]) {
        let width = self.card.geometry().block_cols();
        for i in 0..values.len().next_multiple_of(width) {
            let at = (i / width * self.card.slots + slot) * width + i % width;
            self.a.set(at, values.get(i).copied().unwrap_or(0));
        }
    }
}
