//! KV pages: who owns which, for the host.
//!
//! A sequence is a list of pages. Sequences share the pages of a common prefix; a shared page is copied
//! before it is written. Rewinding forgets rows and gives whole pages back.

use super::layout::CardLayout;
use thiserror::Error;

/// A sequence; its number is that of its page table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceId(pub usize);

/// What the manager refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KvError {
    /// Not enough pages.
    #[error("{needed} KV pages are needed and {free} are free; end a sequence or pack more pages")]
    Pages {
        /// Pages needed.
        needed: usize,
        /// Pages free.
        free: usize,
    },
    /// No page table left.
    #[error("all {0} page tables are in use; end a sequence first")]
    Tables(usize),
    /// A row past the context.
    #[error("row {row} is past the {rows} rows that a page table names")]
    Rows {
        /// The row.
        row: usize,
        /// Rows of a page table.
        rows: usize,
    },
    /// No such sequence.
    #[error("sequence {0} does not exist; it may have ended")]
    Sequence(usize),
}

/// A page to be copied in every layer before the pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCopy {
    /// From this page.
    pub from: u32,
    /// To this page.
    pub to: u32,
}

/// What the host must do before a pass that writes the reserved rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reserved {
    /// Copy these pages.
    pub copies: Vec<PageCopy>,
    /// Write this page table, if it changed.
    pub table: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Default)]
struct Sequence {
    pages: Vec<u32>,
    length: usize,
    /// The page table in the card is that of `pages`.
    written: bool,
}

/// The manager of all pages.
#[derive(Debug, Clone)]
pub struct KvPages {
    page_rows: usize,
    entries: usize,
    free: Vec<u32>,
    references: Vec<u32>,
    sequences: Vec<Option<Sequence>>,
}

impl KvPages {
    /// All pages of a layout, free; `context` rows a sequence.
    pub fn new(layout: &CardLayout, context: usize) -> Self {
        let entries = context.div_ceil(layout.page_rows).min(layout.table_bytes as usize / 4);
        Self::with(layout.pages, layout.page_rows, entries, layout.table_count)
    }

    /// So many pages of so many rows, free; so many page tables of so many entries.
    pub fn with(pages: u32, page_rows: usize, entries: usize, tables: usize) -> Self {
        Self {
            page_rows,
            entries,
            free: (0..pages).rev().collect(),
            references: vec![0; pages as usize],
            sequences: vec![None; tables],
        }
    }

    /// Free pages.
    pub fn free_pages(&self) -> usize {
        self.free.len()
    }

    /// An empty sequence.
    pub fn create(&mut self) -> Result<SequenceId, KvError> {
        self.insert(Sequence::default())
    }

    /// A sequence that shares the rows of another; its pages are copied when either writes them.
    pub fn fork(&mut self, id: SequenceId) -> Result<SequenceId, KvError> {
        let mut fork = self.get(id)?.clone();
        fork.pages.truncate(fork.length.div_ceil(self.page_rows));
        fork.written = false;
        let pages = fork.pages.clone();
        let id = self.insert(fork)?;
        pages.iter().for_each(|&page| self.references[page as usize] += 1);
        Ok(id)
    }

    /// Ends a sequence.
    pub fn end(&mut self, id: SequenceId) -> Result<(), KvError> {
        self.get(id)?;
        if let Some(sequence) = self.sequences[id.0].take() {
            sequence.pages.into_iter().for_each(|page| self.release(page));
        }
        Ok(())
    }

    /// Rows of a sequence.
    pub fn length(&self, id: SequenceId) -> Result<usize, KvError> {
        Ok(self.get(id)?.length)
    }

    /// The physical pages of a sequence.
    pub fn pages(&self, id: SequenceId) -> Result<&[u32], KvError> {
        Ok(&self.get(id)?.pages)
    }

    /// Makes the next `rows` rows of a sequence its own and writable. Nothing changes on an error.
    pub fn reserve(&mut self, id: SequenceId, rows: usize) -> Result<Reserved, KvError> {
        let sequence = self.get(id)?;
        let (first, end) = (sequence.length, sequence.length + rows);
        if end > self.entries * self.page_rows {
            let rows = self.entries * self.page_rows;
            return Err(KvError::Rows { row: end - 1, rows });
        }
        let range = first / self.page_rows..end.div_ceil(self.page_rows);
        let shared = |&&page: &&u32| self.references[page as usize] > 1;
        let have = sequence.pages.len();
        let copied = sequence.pages[range.start.min(have)..range.end.min(have)].iter();
        let needed = copied.filter(shared).count() + range.end.saturating_sub(have);
        if needed > self.free.len() {
            return Err(KvError::Pages { needed, free: self.free.len() });
        }
        let mut pages = sequence.pages.clone();
        let mut written = sequence.written;
        let mut copies = Vec::new();
        for index in range {
            let old = pages.get(index).copied();
            if old.is_some_and(|page| self.references[page as usize] == 1) {
                continue;
            }
            let Some(page) = self.free.pop() else { break };
            self.references[page as usize] = 1;
            written = false;
            match old {
                None => pages.push(page),
                Some(old) => {
                    self.release(old);
                    // A page without rows of this sequence needs no copy.
                    if index * self.page_rows < first {
                        copies.push(PageCopy { from: old, to: page });
                    }
                    pages[index] = page;
                }
            }
        }
        let table = (!written).then(|| pages.iter().flat_map(|page| page.to_le_bytes()).collect());
        if let Some(sequence) = &mut self.sequences[id.0] {
            (sequence.pages, sequence.written) = (pages, true);
        }
        Ok(Reserved { copies, table })
    }

    /// The next `rows` rows were written.
    pub fn commit(&mut self, id: SequenceId, rows: usize) -> Result<(), KvError> {
        let most = self.get(id)?.pages.len() * self.page_rows;
        let length = self.get(id)?.length + rows;
        if length > most {
            return Err(KvError::Rows { row: length - 1, rows: most });
        }
        if let Some(sequence) = &mut self.sequences[id.0] {
            sequence.length = length;
        }
        Ok(())
    }

    /// Forgets the rows from `length` on and gives their pages back.
    pub fn rewind(&mut self, id: SequenceId, length: usize) -> Result<(), KvError> {
        let keep = length.div_ceil(self.page_rows);
        self.get(id)?;
        if let Some(sequence) = &mut self.sequences[id.0] {
            sequence.length = sequence.length.min(length);
            let given = sequence.pages.split_off(keep.min(sequence.pages.len()));
            given.into_iter().for_each(|page| self.release(page));
        }
        Ok(())
    }

    fn get(&self, id: SequenceId) -> Result<&Sequence, KvError> {
        self.sequences.get(id.0).and_then(Option::as_ref).ok_or(KvError::Sequence(id.0))
    }

    fn insert(&mut self, sequence: Sequence) -> Result<SequenceId, KvError> {
        let free = self.sequences.iter().position(Option::is_none);
        let index = free.ok_or(KvError::Tables(self.sequences.len()))?;
        self.sequences[index] = Some(sequence);
        Ok(SequenceId(index))
    }

    fn release(&mut self, page: u32) {
        let references = &mut self.references[page as usize];
        *references -= 1;
        if *references == 0 {
            self.free.push(page);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::mix;

    fn pages(count: u32) -> KvPages {
        KvPages::with(count, 8, 10, 6)
    }

    #[test]
    fn a_shared_page_is_copied_before_it_is_written_and_only_then() {
        let mut kv = pages(8);
        let a = kv.create().unwrap();
        assert_eq!(kv.reserve(a, 12).unwrap().table.unwrap().len(), 8);
        kv.commit(a, 12).unwrap();
        assert_eq!(kv.reserve(a, 1).unwrap(), Reserved::default(), "the page is its own");
        let b = kv.fork(a).unwrap();
        assert_eq!(kv.free_pages(), 6);
        let reserved = kv.reserve(b, 1).unwrap();
        assert_eq!(reserved.copies, [PageCopy { from: 1, to: 2 }]);
        assert_eq!(kv.pages(b).unwrap(), [0, 2]);
        assert!(kv.reserve(a, 1).unwrap().copies.is_empty(), "nobody else holds it any more");
        kv.end(a).unwrap();
        kv.end(b).unwrap();
        assert_eq!(kv.free_pages(), 8);
        assert_eq!(kv.length(a), Err(KvError::Sequence(0)));
    }

    #[test]
    fn refusals_change_nothing() {
        let mut kv = pages(3);
        let a = kv.create().unwrap();
        assert_eq!(kv.reserve(a, 25), Err(KvError::Pages { needed: 4, free: 3 }));
        assert_eq!(kv.reserve(a, 81), Err(KvError::Rows { row: 80, rows: 80 }));
        assert_eq!((kv.free_pages(), kv.pages(a).unwrap().len()), (3, 0));
        for _ in 1..6 {
            kv.create().unwrap();
        }
        assert_eq!(kv.create(), Err(KvError::Tables(6)));
    }

    /// Random forks, rewinds and writes: every page is free or counted by the sequences that hold it,
    /// and no two sequences write one page.
    #[test]
    fn pages_are_never_lost_or_written_by_two() {
        for seed in 0..50_u64 {
            let mut kv = pages(20);
            for step in 0..300 {
                let draw = mix(seed << 32 | step);
                let id = SequenceId(draw as usize % 6);
                let rows = (draw >> 8) as usize % 20;
                match draw >> 16 & 7 {
                    0 => drop(kv.create()),
                    1 => drop(kv.fork(id)),
                    2 => drop(kv.end(id)),
                    3 => drop(kv.rewind(id, rows)),
                    _ => {
                        let Ok(length) = kv.length(id) else { continue };
                        if kv.reserve(id, rows).is_ok() {
                            let mine = &kv.pages(id).unwrap()[length / 8..];
                            let shared = mine.iter().any(|&p| kv.references[p as usize] != 1);
                            assert!(rows == 0 || !shared);
                            kv.commit(id, rows).unwrap();
                        }
                    }
                }
                let mut count = vec![0; 20];
                for sequence in kv.sequences.iter().flatten() {
                    sequence.pages.iter().for_each(|&page| count[page as usize] += 1);
                }
                assert_eq!(count, kv.references, "seed {seed}");
                assert_eq!(kv.free.len(), count.iter().filter(|&&c| c == 0).count());
            }
        }
    }
}
