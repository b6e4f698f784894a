//! The golden model as a device.

use super::{Chunk, Device, DeviceError, Limits, Passed, SequenceId, Sequences, slots, wanted};
use crate::snapshot::Snapshot;
use std::{sync::Arc, time::Instant};
use terntable_golden::{
    head::HeadMode,
    model::{Config, Golden, Model, Sequence},
};

/// Slots of a pass, as on the edge card.
const SLOTS: usize = 16;
/// Positions that are counted together.
const PAGE_ROWS: usize = 16;

/// The golden model: plain, slow, the specification.
pub struct GoldenDevice {
    model: Arc<Model>,
    golden: Golden,
    head: HeadMode,
    pages: usize,
    sequences: Sequences<Sequence>,
}

impl GoldenDevice {
    /// A model with room for K and V of so many positions.
    pub fn new(model: Arc<Model>, head: HeadMode, positions: usize) -> Self {
        let golden = Golden::new(&model);
        let pages = positions.div_ceil(PAGE_ROWS);
        Self { model, golden, head, pages, sequences: Sequences::default() }
    }
}

impl Device for GoldenDevice {
    fn name(&self) -> &str {
        "golden"
    }

    fn config(&self) -> &Config {
        &self.model.config
    }

    fn limits(&self) -> Limits {
        Limits {
            slots: SLOTS,
            sequences: 4 * SLOTS,
            pages: self.pages,
            page_rows: PAGE_ROWS,
            shared_pages: false,
        }
    }

    fn begin(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.sequences.put(id, self.model.sequence())
    }

    fn fork(&mut self, from: SequenceId, to: SequenceId, length: usize) -> Result<(), DeviceError> {
        let mut fork = self.sequences.get(from)?.clone();
        fork.iter_mut().for_each(|layer| layer.truncate(length));
        self.sequences.put(to, fork)
    }

    fn truncate(&mut self, id: SequenceId, length: usize) -> Result<(), DeviceError> {
        self.sequences.get(id)?.iter_mut().for_each(|layer| layer.truncate(length));
        Ok(())
    }

    fn end(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.sequences.take(id).map(drop)
    }

    fn pass(&mut self, chunks: &[Chunk<'_>]) -> Result<Passed, DeviceError> {
        let start = Instant::now();
        let mut lent = self.sequences.lend(chunks)?;
        let slots = slots(chunks, lent.iter().map(|sequence| sequence[0].len()));
        let outputs = self.model.pass(&self.golden, &mut lent, &slots)?;
        self.sequences.give_back(chunks, lent);
        let wanted: Vec<_> = wanted(chunks).into_iter().map(|slot| outputs[slot].clone()).collect();
        let ranked = self.model.head(&self.golden, self.head, &wanted);
        Ok(Passed { ranked, time: start.elapsed() })
    }

    fn export(&mut self, id: SequenceId) -> Result<Snapshot, DeviceError> {
        let sequence = self.sequences.get(id)?;
        let length = sequence[0].len();
        Ok(Snapshot::write(&self.model.config, length, |layer, head, position, row| {
            let (key, value) =
                (sequence[layer].key(position, head), sequence[layer].value(position, head));
            row.put(key.values, key.step, value.values, value.step);
        }))
    }

    fn import(&mut self, id: SequenceId, snapshot: &Snapshot) -> Result<(), DeviceError> {
        let mut sequence = self.model.sequence();
        let heads = self.model.config.kv_heads;
        for (layer, cache) in sequence.iter_mut().enumerate() {
            for position in 0..snapshot.length() {
                cache.append_rows((0..heads).map(|head| snapshot.rows(layer, head, position)));
            }
        }
        self.sequences.put(id, sequence)
    }
}
