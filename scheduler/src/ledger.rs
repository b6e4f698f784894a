//! What sequences of a device hold, as the scheduler counts it: the same books of pages that a card keeps.

use crate::device::{Limits, SequenceId};
use terntable_golden::card::kv::KvPages;

/// Pages and sequences of a device. What it grants, the device has room for.
#[derive(Debug)]
pub(crate) struct Ledger {
    kv: KvPages,
    limits: Limits,
}

impl Ledger {
    pub fn new(limits: Limits, context: usize) -> Self {
        let entries = context.div_ceil(limits.page_rows);
        let kv = KvPages::with(limits.pages as u32, limits.page_rows, entries, limits.sequences);
        Self { kv, limits }
    }

    /// Pages of a sequence of so many positions.
    pub fn pages_of(&self, positions: usize) -> usize {
        positions.div_ceil(self.limits.page_rows)
    }

    pub fn free(&self) -> usize {
        self.kv.free_pages()
    }

    /// Pages that any of these sequences holds.
    pub fn held(&self, sequences: impl Iterator<Item = SequenceId>) -> usize {
        let mut seen = vec![false; self.limits.pages];
        let pages = sequences.filter_map(|id| self.kv.pages(id).ok()).flatten();
        pages.filter(|&&page| !std::mem::replace(&mut seen[page as usize], true)).count()
    }

    pub fn length(&self, id: SequenceId) -> usize {
        self.kv.length(id).unwrap_or(0)
    }

    pub fn begin(&mut self) -> Option<SequenceId> {
        self.kv.create().ok()
    }

    /// A sequence with the first `length` positions of another; `None` if there is no room.
    pub fn fork(&mut self, from: SequenceId, length: usize) -> Option<SequenceId> {
        if self.limits.shared_pages {
            let id = self.kv.fork(from).ok()?;
            self.rewind(id, length);
            return Some(id);
        }
        self.filled(length)
    }

    /// A sequence of so many positions of its own; `None` if there is no room.
    pub fn filled(&mut self, length: usize) -> Option<SequenceId> {
        let id = self.begin()?;
        let filled = self.reserve(id, length) && self.kv.commit(id, length).is_ok();
        if !filled {
            self.end(id);
        }
        filled.then_some(id)
    }

    /// Makes room for the next rows; says whether there is any.
    pub fn reserve(&mut self, id: SequenceId, rows: usize) -> bool {
        self.kv.reserve(id, rows).is_ok()
    }

    /// The reserved rows were written.
    pub fn commit(&mut self, id: SequenceId, rows: usize) {
        // It cannot fail: what is written was reserved.
        let _ = self.kv.commit(id, rows);
    }

    pub fn rewind(&mut self, id: SequenceId, length: usize) {
        // It cannot fail: the scheduler knows its sequences.
        let _ = self.kv.rewind(id, length);
    }

    pub fn end(&mut self, id: SequenceId) {
        // As above.
        let _ = self.kv.end(id);
    }
}
