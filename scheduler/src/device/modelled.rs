//! A card of which only the time is modelled: another device gives the bits.

use super::{Chunk, Device, DeviceError, Limits, Passed, SequenceId, Tier};
use crate::{
    cost::{Cost, Run},
    snapshot::Snapshot,
};
use std::{collections::BTreeMap, sync::Arc};
use terntable_golden::model::Config;

/// Slots of the card's passes.
const SLOTS: usize = 16;
/// Positions of a page of the card.
const PAGE_ROWS: usize = 16;
/// Page tables of the card.
const SEQUENCES: usize = 64;

/// The edge card on a virtual clock: the tokens of the device inside, the time that a model of the card's cycles
/// gives. The shape that is timed may be another than that of the model that makes the tokens.
pub struct ModelledCard {
    name: String,
    inner: Box<dyn Device>,
    cost: Arc<Cost>,
    pages: usize,
    lengths: BTreeMap<SequenceId, usize>,
}

impl ModelledCard {
    /// `kv260` around a device that has room for `positions` positions in as many sequences as the card.
    pub fn kv260(inner: Box<dyn Device>, cost: Cost) -> Result<Self, DeviceError> {
        let limits = inner.limits();
        if limits.slots < SLOTS || limits.sequences < SEQUENCES {
            return Err(DeviceError(format!(
                "{} has {} slots and {} sequences; the modelled card has {SLOTS} and {SEQUENCES}: take the \
                 cpu",
                inner.name(),
                limits.slots,
                limits.sequences
            )));
        }
        // Pages that are short of a page of the device inside would not all fit there.
        let short = if limits.page_rows > PAGE_ROWS { SEQUENCES } else { 0 };
        let pages = limits.pages.saturating_sub(short) * limits.page_rows / PAGE_ROWS;
        let name = format!("model:kv260 ({})", inner.name());
        Ok(Self { name, inner, cost: Arc::new(cost), pages, lengths: BTreeMap::new() })
    }

    fn length(&mut self, id: SequenceId) -> &mut usize {
        self.lengths.entry(id).or_default()
    }
}

impl Device for ModelledCard {
    fn name(&self) -> &str {
        &self.name
    }

    fn config(&self) -> &Config {
        self.inner.config()
    }

    fn limits(&self) -> Limits {
        Limits {
            slots: SLOTS,
            sequences: SEQUENCES,
            pages: self.pages,
            page_rows: PAGE_ROWS,
            shared_pages: self.inner.limits().shared_pages,
        }
    }

    fn tier(&self) -> Tier {
        Tier::Modelled
    }

    fn cost(&self) -> Option<Arc<Cost>> {
        Some(self.cost.clone())
    }

    fn begin(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.inner.begin(id)?;
        *self.length(id) = 0;
        Ok(())
    }

    fn fork(&mut self, from: SequenceId, to: SequenceId, length: usize) -> Result<(), DeviceError> {
        self.inner.fork(from, to, length)?;
        *self.length(to) = length;
        Ok(())
    }

    fn truncate(&mut self, id: SequenceId, length: usize) -> Result<(), DeviceError> {
        self.inner.truncate(id, length)?;
        let held = self.length(id);
        *held = length.min(*held);
        Ok(())
    }

    fn end(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.lengths.remove(&id);
        self.inner.end(id)
    }

    fn pass(&mut self, chunks: &[Chunk<'_>]) -> Result<Passed, DeviceError> {
        let passed = self.inner.pass(chunks)?;
        let mut runs = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let length = self.length(chunk.sequence);
            *length += chunk.tokens.len();
            runs.push(Run { slots: chunk.tokens.len(), rows: *length, wanted: chunk.wanted });
        }
        Ok(Passed { time: self.cost.pass(&runs), ..passed })
    }

    fn export(&mut self, id: SequenceId) -> Result<Snapshot, DeviceError> {
        self.inner.export(id)
    }

    fn import(&mut self, id: SequenceId, snapshot: &Snapshot) -> Result<(), DeviceError> {
        self.inner.import(id, snapshot)?;
        *self.length(id) = snapshot.length();
        Ok(())
    }
}
