//! Attention of a pass as jobs.

use super::{
    Cpu, Norm, Rows,
    product::{Product, first_row},
};
use crate::{
    attention::{QUERIES, Query, Scratch, attend, score_constant},
    image::LayerNorm,
    kv::{Block, ELEMENTS, LayerCache, POSITIONS, Sequence},
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

/// What rotating and quantising costs an element, elementary operations.
const ROW_OPERATIONS: usize = 16;

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

/// A block of cache that a pass adds to.
struct Growth {
    sequence: usize,
    /// The block's number in the sequence.
    block: usize,
    /// The slots that it takes, in order.
    slots: Vec<usize>,
}

/// The blocks that slots add to; those of a sequence in order.
fn growths(slots: &[Slot]) -> Vec<Growth> {
    let mut all: Vec<Growth> = Vec::new();
    for (i, &Slot { sequence, position, .. }) in slots.iter().enumerate() {
        let block = position / POSITIONS;
        match all.iter_mut().rfind(|growth| growth.sequence == sequence && growth.block == block) {
            Some(growth) => growth.slots.push(i),
            None => all.push(Growth { sequence, block, slots: vec![i] }),
        }
    }
    all
}

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
        let (heads, each) = self.attend(sequences, slots, layer, &runs, product);

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
            for item in (0..kv_heads).map(|head| run * kv_heads + head) {
                if let Some(piece) = heads.get(item / each) {
                    row.extend_from_slice(&piece[item % each][place * width..][..width]);
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
        let growths = Arc::new(growths(slots));
        let old = growths.iter().map(|growth| {
            let blocks = &sequences[growth.sequence].layers[layer];
            blocks.get(growth.block).cloned().unwrap_or_else(|| Block::new(kv_heads, head_dim))
        });
        let old: Vec<Block> = old.collect();
        let operations = slots.len() * kv_heads * head_dim * ROW_OPERATIONS;
        let all = growths.clone();
        let blocks = self.pool.run_if_worth(operations, all.len(), move |piece| {
            let mut row = vec![0.0; head_dim];
            let (mut key, mut value) = (vec![0; head_dim], vec![0; head_dim]);
            let mut block = old[piece].clone();
            for &slot in &all[piece].slots {
                for head in 0..kv_heads {
                    product.read(slot, k_first + head * head_dim, &mut row);
                    vector::rotate(level, &mut row, image.rope(positions[slot]));
                    let key_step = vector::quantise(level, &row, kv, &mut key);
                    product.read(slot, v_first + head * head_dim, &mut row);
                    let value_step = vector::quantise(level, &row, kv, &mut value);
                    let at = positions[slot] % POSITIONS;
                    block.put(head, at, (&key, key_step), (&value, value_step));
                }
            }
            block
        });
        for (growth, block) in growths.iter().zip(blocks.iter()) {
            let cache: &mut LayerCache =
                Arc::make_mut(&mut sequences[growth.sequence].layers[layer]);
            cache.truncate(growth.block);
            cache.push(block.clone());
        }
    }

    /// Attended heads: for each run and key-value head, some of them a piece, the outputs of its query heads,
    /// slot by slot; and how many a piece holds.
    fn attend(
        &self,
        sequences: &[Sequence],
        slots: &[Slot],
        layer: usize,
        runs: &[Run],
        product: Product,
    ) -> (Results<Vec<Vec<f32>>>, usize) {
        let Config { heads, kv_heads, head_dim, .. } = *self.config();
        let group = heads / kv_heads;
        let caches: Vec<Arc<LayerCache>> = runs
            .iter()
            .map(|run| sequences[slots[run.first].sequence].layers[layer].clone())
            .collect();
        let (image, level) = (self.image.clone(), self.level);
        let (positions, runs) = (positions(slots), runs.to_vec());
        let constant = score_constant(head_dim);
        // Two products an element and position, 64 at a time, beside what a query costs.
        let scores: usize =
            positions.iter().map(|position| (position + 1) / 8 + ROW_OPERATIONS).sum();
        let operations = scores * heads * head_dim;
        let items = runs.len() * kv_heads;
        let each = self.share(items);
        let heads = self.pool.run_if_worth(operations, items.div_ceil(each), move |piece| {
            let mut row = vec![0.0; head_dim];
            let mut scratch = Scratch::default();
            let mut queries: [Query; QUERIES] = Default::default();
            let mut attended = |item: usize| {
                let (run, head) = (&runs[item / kv_heads], item % kv_heads);
                let cache = &caches[item / kv_heads];
                let mut out = vec![0.0; run.count * group * head_dim];
                for (batch, out) in out.chunks_mut(QUERIES * head_dim).enumerate() {
                    let queries = &mut queries[..out.len() / head_dim];
                    for (i, query) in (batch * QUERIES..).zip(queries.iter_mut()) {
                        let (slot, query_head) = (run.first + i / group, head * group + i % group);
                        product.read(slot, query_head * head_dim, &mut row);
                        vector::rotate(level, &mut row, image.rope(positions[slot]));
                        query.values.resize(head_dim.next_multiple_of(ELEMENTS), 0);
                        let ints = &mut query.values[..head_dim];
                        let step = vector::quantise(level, &row, KvFormat::Int8, ints);
                        query.sum = vector::sum(level, ints);
                        query.factor = step * constant;
                        query.positions = positions[slot] + 1;
                    }
                    attend(level, cache, head, head_dim, queries, &mut scratch, out);
                }
                out
            };
            (piece * each..items.min((piece + 1) * each)).map(&mut attended).collect::<Vec<_>>()
        });
        (heads, each)
    }
}

fn positions(slots: &[Slot]) -> Vec<usize> {
    slots.iter().map(|slot| slot.position).collect()
}
