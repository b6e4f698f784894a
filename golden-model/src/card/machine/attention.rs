//! Attention over the pages of every slot's sequence.

use super::{
    Machine, canonical,
    error::{ErrorCode, Fault},
    memory::offset,
};
use crate::{
    attention::{Row, attend_rows},
    card::shape::KvShape,
};

/// The rows of one key-value head that a run of slots streams.
#[derive(Default)]
struct Stream {
    keys: Vec<i8>,
    values: Vec<i8>,
    key_steps: Vec<f32>,
    value_steps: Vec<f32>,
}

impl Machine {
    pub(super) fn kv_shape(&self) -> KvShape {
        KvShape::new(&self.card, self.model.head_dim, self.model.kv)
    }

    /// Address of a head in a page; the page must exist.
    pub(super) fn kv_head(&self, base: u64, page: u32, head: usize) -> Result<u64, Fault> {
        if page >= self.model.pages {
            return Err(ErrorCode::Page.into());
        }
        let page = u64::from(page) * self.model.page_bytes as u64;
        Ok(offset(base.saturating_add(page), head * self.model.head_bytes))
    }

    pub(super) fn attend(&mut self, kv_base: u64) -> Result<(), Fault> {
        let model = self.model;
        let group = model.heads / model.kv_heads;
        let columns = model.query_columns();
        let width = model.head_dim.next_multiple_of(self.card.beat_bytes());
        for run in self.runs() {
            let table = self.pass.slots[run.start].page_table;
            let extent = self.pass.slots[run.clone()].iter().map(|s| s.extent()).max();
            let pages = self.pages(table, extent.unwrap_or(0))?;
            for kv_head in 0..model.kv_heads {
                let stream = self.stream(kv_base, &pages, kv_head)?;
                for slot in run.clone() {
                    for head in kv_head * group..(kv_head + 1) * group {
                        let query = self.q.row((slot * model.heads + head) * width, model.head_dim);
                        let rows = self.pass.slots[slot].visible().map(|j| stream.row(j));
                        let y = attend_rows(&query, self.factors[slot][head], rows);
                        let base = self.y_base(slot, columns) + head * model.head_dim;
                        for (i, value) in y.into_iter().enumerate() {
                            self.y.set(base + i, canonical(value));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Consecutive slots that share a page table.
    fn runs(&self) -> Vec<std::ops::Range<usize>> {
        let slots = &self.pass.slots;
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        for index in 0..slots.len() {
            match runs.last_mut() {
                Some(run) if slots[run.start].page_table == slots[index].page_table => {
                    run.end = index + 1;
                }
                _ => runs.push(index..index + 1),
            }
        }
        runs
    }

    /// The entries of a page table for rows 0 to `extent`.
    fn pages(&self, table: u64, extent: usize) -> Result<Vec<u32>, Fault> {
        let pages = 0..extent.div_ceil(self.card.page_rows);
        pages.map(|i| self.memory.word(offset(table, 4 * i))).collect()
    }

    fn stream(&self, base: u64, pages: &[u32], head: usize) -> Result<Stream, Fault> {
        let shape = self.kv_shape();
        let rows = self.card.page_rows;
        let mut stream = Stream::default();
        for &page in pages {
            let at = self.kv_head(base, page, head)?;
            let section = |from: usize| self.memory.read(offset(at, from), rows * shape.row_bytes);
            shape.unpack(section(shape.key(0))?, &mut stream.keys);
            shape.unpack(section(shape.value(0))?, &mut stream.values);
            stream.key_steps.extend(self.memory.floats(offset(at, shape.key_step(0)), rows)?);
            stream.value_steps.extend(self.memory.floats(offset(at, shape.value_step(0)), rows)?);
        }
        Ok(stream)
    }
}

impl Stream {
    fn row<'s>(&'s self, j: usize) -> (Row<'s>, Row<'s>) {
        let width = self.keys.len() / self.key_steps.len();
        let part = |of: &'s [i8]| &of[j * width..][..width];
        let key = Row { values: part(&self.keys), step: self.key_steps[j] };
        let value = Row { values: part(&self.values), step: self.value_steps[j] };
        (key, value)
    }
}
