//! A device that checks that it is asked for no more than it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use terntable_golden::model::Config;
use terntable_scheduler::{
    Device, DeviceError,
    cost::Cost,
    device::{Chunk, Limits, Passed, SequenceId, Tier},
    snapshot::Snapshot,
};

/// Another device, audited: what goes past its limits is an error.
pub struct Audited {
    inner: Box<dyn Device>,
    held: BTreeMap<SequenceId, Held>,
    /// Pages so far; the next one's name.
    named: u64,
}

/// What a sequence holds: positions, and names of pages, which others may hold as well.
#[derive(Default)]
struct Held {
    length: usize,
    pages: Vec<u64>,
}

impl Audited {
    pub fn new(inner: Box<dyn Device>) -> Self {
        Self { inner, held: BTreeMap::new(), named: 0 }
    }

    /// Writes positions behind the first `from`, into pages of the sequence's own.
    fn write(&mut self, id: SequenceId, from: usize, to: usize) -> Result<(), DeviceError> {
        let Limits { sequences, pages, page_rows, .. } = self.inner.limits();
        let mut held = self.held.remove(&id).unwrap_or_default();
        held.length = to;
        held.pages.truncate(to.div_ceil(page_rows));
        let others: BTreeSet<u64> =
            self.held.values().flat_map(|held| &held.pages).copied().collect();
        for page in from / page_rows..to.div_ceil(page_rows) {
            if held.pages.get(page).is_none_or(|name| others.contains(name)) {
                held.pages.truncate(page);
                held.pages.push(self.named);
                self.named += 1;
            }
        }
        self.held.insert(id, held);
        let all = self.held.values().flat_map(|held| &held.pages);
        let used = all.collect::<BTreeSet<_>>().len();
        match self.held.len() <= sequences && used <= pages {
            true => Ok(()),
            false => Err(DeviceError(format!(
                "{used} of {pages} pages and {} of {sequences} sequences",
                self.held.len()
            ))),
        }
    }
}

impl Device for Audited {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn config(&self) -> &Config {
        self.inner.config()
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn tier(&self) -> Tier {
        self.inner.tier()
    }

    fn cost(&self) -> Option<Arc<Cost>> {
        self.inner.cost()
    }

    fn begin(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.inner.begin(id)?;
        self.write(id, 0, 0)
    }

    fn fork(&mut self, from: SequenceId, to: SequenceId, length: usize) -> Result<(), DeviceError> {
        self.inner.fork(from, to, length)?;
        assert!(length <= self.held[&from].length);
        let shared = self.inner.limits().shared_pages;
        let pages = if shared { self.held[&from].pages.clone() } else { Vec::new() };
        self.held.insert(to, Held { length, pages });
        self.write(
            to,
            if shared { length.next_multiple_of(self.inner.limits().page_rows) } else { 0 },
            length,
        )
    }

    fn truncate(&mut self, id: SequenceId, length: usize) -> Result<(), DeviceError> {
        self.inner.truncate(id, length)?;
        let length = length.min(self.held[&id].length);
        self.write(id, length.next_multiple_of(self.inner.limits().page_rows), length)
    }

    fn end(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.held.remove(&id);
        self.inner.end(id)
    }

    fn pass(&mut self, chunks: &[Chunk<'_>]) -> Result<Passed, DeviceError> {
        let slots: usize = chunks.iter().map(|chunk| chunk.tokens.len()).sum();
        let most = self.inner.limits().slots;
        if slots > most || chunks.iter().any(|chunk| chunk.tokens.is_empty()) {
            return Err(DeviceError(format!("{slots} of {most} slots, or an empty chunk")));
        }
        for chunk in chunks {
            let length = self.held[&chunk.sequence].length;
            self.write(chunk.sequence, length, length + chunk.tokens.len())?;
        }
        self.inner.pass(chunks)
    }

    fn export(&mut self, id: SequenceId) -> Result<Snapshot, DeviceError> {
        let snapshot = self.inner.export(id)?;
        assert_eq!(snapshot.length(), self.held[&id].length);
        Ok(snapshot)
    }

    fn import(&mut self, id: SequenceId, snapshot: &Snapshot) -> Result<(), DeviceError> {
        self.inner.import(id, snapshot)?;
        self.write(id, 0, snapshot.length())
    }
}
