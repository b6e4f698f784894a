//! Attention of a pass as jobs.

use super::{
    Cpu, Norm, Rows,
    product::{Product, first_row},
};
use crate::{
    attention::{QUERIES, Query, Scratch, attend, score_constant},
    image::LayerNorm,
    kv::{LayerCache, Sequence},
    pool::Results,
    vector,
};
use std::sync::Arc;
use terntable_golden::{
    attention::KvFormat,
    model::{Config, Projection, Slot},
};

/// Slots of one sequence that a piece of work takes.
const RUN: usize = 16;

/// Slots after each other of one sequence.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: usize,
    count: usize,
}

/// Consecutive slots of the same sequence, at most [`RUN`].
fn runs(slots: &[Slot]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (i, slot) in slots.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.count < RUN && slots[run.first].sequence == slot.sequence => {
                run.count += 1;
            }
            _ => runs.push(Run { first: i, count: 1 }),
        }
    }
    runs
}

/// A quantised key or value.
type Quantised = (Vec<i8>, f32);

impl Cpu {
    /// Queries, keys and values of a layer; keys and values go to their sequences, and the attended rows through
    /// the sub-norm.
    pub(super) fn attention_block(
        &self,
        sequences: &mut [Sequence],
        slots: &[Slot],
        layer: usize,
        x: &Rows,
    ) -> Rows {
        let projections = [Projection::Q, Projection::K, Projection::V];
        let product = self.multiply(layer, &projections, &self.inputs(x));
        self.append(sequences, slots, layer, &product);
        let runs = runs(slots);
        let heads = self.attend(sequences, slots, layer, &runs, product);

        let Config { kv_heads, head_dim, heads: query_heads, .. } = *self.config();
        let width = query_heads / kv_heads * head_dim;
        // A slot's run and its place there.
        let places: Vec<(usize, usize)> = runs
            .iter()
            .enumerate()
            .flat_map(|(run, r)| (0..r.count).map(move |place| (run, place)))
            .collect();
        let norm = Norm::Layer(layer, LayerNorm::AttentionSub);
        self.normed(slots.len(), norm, move |slot, row| {
            let (run, place) = places[slot];
            row.reserve_exact(kv_heads * width);
            for head in 0..kv_heads {
                if let Some(piece) = heads.get(run * kv_heads + head) {
                    row.extend_from_slice(&piece[place * width..][..width]);
                }
            }
        })
    }

    /// Rotates and quantises keys, quantises values, and puts both into the sequences.
    fn append(&self, sequences: &mut [Sequence], slots: &[Slot], layer: usize, product: &Product) {
        let Config { kv_heads, head_dim, .. } = *self.config();
        let k_first = first_row(&[self.image.matrix(layer, Projection::Q)]);
        let v_first = k_first + first_row(&[self.image.matrix(layer, Projection::K)]);
        let (image, level, kv) = (self.image.clone(), self.level, self.kv);
        let (product, positions) = (product.clone(), positions(slots));
        let operations = slots.len() * 16 * kv_heads * head_dim;
        let rows = self.pool.run_if_worth(operations, slots.len(), move |slot| {
            let mut row = vec![0.0; head_dim];
            let mut quantised = |first: usize, rotated: bool| -> Quantised {
                product.read(slot, first, &mut row);
                let mut values = vec![0; head_dim];
                if rotated {
                    vector::rotate(level, &mut row, image.rope(positions[slot]));
                }
                let step = vector::quantise(level, &row, kv, &mut values);
                (values, step)
            };
            let heads = 0..kv_heads;
            heads
                .map(|head| {
                    let at = head * head_dim;
                    (quantised(k_first + at, true), quantised(v_first + at, false))
                })
                .collect::<Vec<(Quantised, Quantised)>>()
        });
        for (slot, heads) in slots.iter().zip(rows.iter()) {
            let cache: &mut LayerCache = Arc::make_mut(&mut sequences[slot.sequence].layers[layer]);
            for (head, (key, value)) in cache.iter_mut().zip(heads) {
                head.put(slot.position, (&key.0, key.1), (&value.0, value.1));
            }
        }
    }

    /// Attended heads: for each run and key-value head the outputs of its query heads, slot by slot.
    fn attend(
        &self,
        sequences: &[Sequence],
        slots: &[Slot],
        layer: usize,
        runs: &[Run],
        product: Product,
    ) -> Results<Vec<f32>> {
        let Config { heads, kv_heads, head_dim, .. } = *self.config();
        let group = heads / kv_heads;
        let caches: Vec<Arc<LayerCache>> = runs
            .iter()
            .map(|run| sequences[slots[run.first].sequence].layers[layer].clone())
            .collect();
        let (image, level) = (self.image.clone(), self.level);
        let (positions, runs) = (positions(slots), runs.to_vec());
        let constant = score_constant(head_dim);
        // Two products an element and position, 64 at a time.
        let scores: usize = positions.iter().map(|position| position + 1).sum();
        let operations = scores * heads * head_dim / 8;
        self.pool.run_if_worth(operations, runs.len() * kv_heads, move |piece| {
            let (run, head) = (&runs[piece / kv_heads], piece % kv_heads);
            let cache = &caches[piece / kv_heads][head];
            let mut out = vec![0.0; run.count * group * head_dim];
            let mut row = vec![0.0; head_dim];
            let mut query = |i: usize| {
                let (slot, query_head) = (run.first + i / group, head * group + i % group);
                product.read(slot, query_head * head_dim, &mut row);
                let mut values = vec![0; head_dim.next_multiple_of(4)];
                vector::rotate(level, &mut row, image.rope(positions[slot]));
                let ints = &mut values[..head_dim];
                let step = vector::quantise(level, &row, KvFormat::Int8, ints);
                let sum = vector::sum(level, &values);
                Query { values, sum, factor: step * constant, positions: positions[slot] + 1 }
            };
            let mut scratch = Scratch::default();
            let all = run.count * group;
            for (batch, out) in out.chunks_mut(QUERIES * head_dim).enumerate() {
                let first = batch * QUERIES;
                let queries: Vec<Query> =
                    (first..all.min(first + QUERIES)).map(&mut query).collect();
                attend(level, cache, head_dim, &queries, &mut scratch, out);
            }
            out
        })
    }
}

fn positions(slots: &[Slot]) -> Vec<usize> {
    slots.iter().map(|slot| slot.position).collect()
}
