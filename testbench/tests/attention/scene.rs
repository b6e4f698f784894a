//! What attention works on: a model, sequences with their rows and pages, slots, and what must come.

use super::bits::Bits;
use terntable_golden::attention::{self, attend_rows};
use terntable_testbench::{agents::STATE, seed::Random};

/// Parameters of the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub slots: usize,
    pub beat: usize,
    pub lanes: usize,
    pub page_rows: usize,
    pub score_lanes: usize,
    pub score_words: usize,
    pub query_words: usize,
    pub head_dim_max: usize,
    pub heads_max: usize,
}

/// A model.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub int4: bool,
}

impl Model {
    pub fn row_bytes(&self) -> usize {
        if self.int4 { self.head_dim / 2 } else { self.head_dim }
    }

    /// Bytes of the rows, and of the steps, of a page.
    pub fn sections(&self, shape: &Shape) -> (usize, usize) {
        let rows = (self.row_bytes() * shape.page_rows).next_multiple_of(shape.beat);
        (rows, (4 * shape.page_rows).next_multiple_of(shape.beat))
    }

    pub fn head_bytes(&self, shape: &Shape) -> usize {
        let (rows, steps) = self.sections(shape);
        2 * (rows + steps)
    }

    /// Row words of a row.
    pub fn words(&self, shape: &Shape) -> usize {
        self.head_dim.div_ceil(shape.beat)
    }

    /// The `model_i` port.
    pub fn port(&self, shape: &Shape, pages: usize) -> Vec<u8> {
        let head_bytes = self.head_bytes(shape);
        let mut bits = Bits::default();
        bits.push(0xdead, 16).push(0xbeef, 16); // hidden, ffn
        bits.push(self.heads as u64, 8).push((self.heads / self.kv_heads) as u64, 8);
        bits.push(self.kv_heads as u64, 8).push(self.head_dim as u64, 16);
        bits.push((self.heads * self.head_dim) as u64, 16).push(0, 32);
        bits.push(u64::from(self.int4), 1).push(0, 2);
        for _ in 0..5 {
            bits.push(0, 32); // eps, inverses, score constant
        }
        bits.push(pages as u64, 32).push(head_bytes as u64, 32);
        bits.push((self.kv_heads * head_bytes) as u64, 32);
        bits.bytes()
    }
}

/// What rows and queries hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Steps and factors as real data have them: scores spread over the table.
    Usual,
    /// All elements at the lower end.
    Lowest,
    /// Scores saturate on both sides.
    Saturating,
    /// Every step is zero.
    ZeroSteps,
    /// Some V steps are infinite: the outputs are not numbers.
    InfiniteSteps,
    /// V steps from 2^-100 to the end of binary32, and zeros. (Below 2^-112 the ratios of the golden
    /// model leave 16 bits; the card writes no step below 2^-24.)
    WildSteps,
}

/// A row of K and of V for every key-value head.
#[derive(Debug, Clone)]
pub struct Row {
    pub key: Vec<i8>,
    pub key_step: f32,
    pub value: Vec<i8>,
    pub value_step: f32,
}

/// A sequence: rows[position][kv head].
#[derive(Debug, Clone)]
pub struct Sequence {
    pub rows: Vec<Vec<Row>>,
}

/// A slot of the pass.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    pub sequence: usize,
    pub history: usize,
    pub mask: u32,
}

impl Slot {
    fn sees(&self, row: usize) -> bool {
        row < self.history
            || (row - self.history < 32 && self.mask >> (row - self.history) & 1 == 1)
    }
}

/// One attend command and everything around it.
#[derive(Debug, Clone)]
pub struct Scene {
    pub shape: Shape,
    pub model: Model,
    pub sequences: Vec<Sequence>,
    pub slots: Vec<Slot>,
    /// queries[slot][head]: elements and factor.
    pub queries: Vec<Vec<(Vec<i8>, f32)>>,
}

/// Where things are in memory.
pub struct Placed {
    pub bytes: Vec<u8>,
    pub kv_base: u64,
    pub tables: Vec<u64>,
    pub pages: usize,
}

impl Scene {
    /// `lengths`: rows of each sequence; slots name sequences.
    pub fn new(
        random: &mut Random,
        shape: Shape,
        model: Model,
        content: Content,
        lengths: &[usize],
        slots: Vec<Slot>,
    ) -> Scene {
        let mut row = |_: usize| Row {
            key: elements(random, &model, content),
            key_step: step(random, content, true),
            value: elements(random, &model, content),
            value_step: step(random, content, false),
        };
        let sequences = lengths
            .iter()
            .map(|&n| Sequence {
                rows: (0..n).map(|_| (0..model.kv_heads).map(&mut row).collect()).collect(),
            })
            .collect();
        let queries = slots
            .iter()
            .map(|_| {
                let query = |_| {
                    let wide = Model { int4: false, ..model };
                    (elements(random, &wide, content), factor(random, content, model.head_dim))
                };
                (0..model.heads).map(query).collect()
            })
            .collect();
        Scene { shape, model, sequences, slots, queries }
    }

    /// Pages in random order among each other and among pages of nobody, tables anywhere.
    pub fn place(&self, random: &mut Random) -> Placed {
        let Scene { shape, model, .. } = self;
        let per_page = |s: &Sequence| s.rows.len().div_ceil(shape.page_rows).max(1);
        let used: usize = self.sequences.iter().map(per_page).sum();
        let pages = used + random.range(0, 3) as usize;
        let mut ids: Vec<usize> = (0..pages).collect();
        for i in (1..pages).rev() {
            ids.swap(i, random.range(0, i as u64) as usize);
        }
        let head_bytes = model.head_bytes(shape);
        let page_bytes = model.kv_heads * head_bytes;
        let block = 16 * shape.beat;
        let kv_base = random.range(1, 40) as usize * shape.beat;
        let mut bytes: Vec<u8> =
            (0..kv_base + pages * page_bytes).map(|_| random.bits() as u8).collect();
        let mut tables = Vec::new();
        for sequence in &self.sequences {
            let mine: Vec<usize> = ids.split_off(ids.len() - per_page(sequence));
            for (position, row) in sequence.rows.iter().enumerate() {
                let page = mine[position / shape.page_rows];
                for (head, row) in row.iter().enumerate() {
                    let at = kv_base + page * page_bytes + head * head_bytes;
                    self.put_row(&mut bytes[at..at + head_bytes], position % shape.page_rows, row);
                }
            }
            // Any word of memory, often the start of a beat.
            let skip = if random.chance(0.5) { 0 } else { random.range(0, 40) as usize * 4 };
            let table = bytes.len().next_multiple_of(block) + skip;
            bytes.resize(table, 0xee);
            for id in mine {
                bytes.extend((id as u32).to_le_bytes());
            }
            tables.push(STATE | table as u64);
        }
        let end = (bytes.len() + block).next_multiple_of(block);
        bytes.resize(end, 0xee);
        Placed { bytes, kv_base: STATE | kv_base as u64, tables, pages }
    }

    fn put_row(&self, head: &mut [u8], place: usize, row: &Row) {
        let (rows, steps) = self.model.sections(&self.shape);
        let n = self.model.row_bytes();
        let pack = |values: &[i8]| -> Vec<u8> {
            if self.model.int4 {
                values.chunks(2).map(|v| v[0] as u8 & 15 | (v[1] as u8) << 4).collect()
            } else {
                values.iter().map(|&v| v as u8).collect()
            }
        };
        head[place * n..][..n].copy_from_slice(&pack(&row.key));
        head[rows + 4 * place..][..4].copy_from_slice(&row.key_step.to_le_bytes());
        head[rows + steps + 4 * place..][..4].copy_from_slice(&row.value_step.to_le_bytes());
        head[rows + 2 * steps + place * n..][..n].copy_from_slice(&pack(&row.value));
    }

    /// The `slot_i` port.
    pub fn slots_port(&self, tables: &[u64]) -> Vec<u8> {
        let mut bits = Bits::default();
        for slot in &self.slots {
            bits.push(7, 32).push(9, 32).push(3, 32); // token, position, row
            bits.push(slot.history as u64, 32).push(u64::from(slot.mask), 32);
            bits.push(tables[slot.sequence], 40).push(0, 32).push(0, 1);
        }
        bits.bytes()
    }

    /// Words of buffer Q.
    pub fn query_buffer(&self) -> Vec<Vec<u8>> {
        let mut words = Vec::new();
        for (query, _) in self.queries.iter().flatten() {
            for chunk in query.chunks(self.shape.beat) {
                let mut word: Vec<u8> = chunk.iter().map(|&q| q as u8).collect();
                word.resize(self.shape.beat, 0);
                words.push(word);
            }
        }
        words
    }

    /// What a slot and head must give.
    pub fn expected(&self, slot: usize, head: usize) -> Vec<f32> {
        let seen = self.slots[slot];
        let group = self.model.heads / self.model.kv_heads;
        let rows = &self.sequences[seen.sequence].rows;
        let rows = rows.iter().enumerate().filter(|(j, _)| seen.sees(*j)).map(|(_, row)| {
            let row = &row[head / group];
            let key = attention::Row { values: &row.key, step: row.key_step };
            (key, attention::Row { values: &row.value, step: row.value_step })
        });
        let (query, factor) = &self.queries[slot][head];
        attend_rows(query, *factor, rows)
    }

    /// Beats that must be streamed when every page comes once in each pass, and page tables.
    pub fn beats(&self) -> (u64, u64) {
        let (rows, steps) = self.model.sections(&self.shape);
        let (rows, steps) = ((rows / self.shape.beat) as u64, (steps / self.shape.beat) as u64);
        let mut pages = 0;
        for (i, slot) in self.slots.iter().enumerate() {
            let first = i == 0 || self.slots[i - 1].sequence != slot.sequence;
            if first {
                let run = self.slots[i..].iter().take_while(|s| s.sequence == slot.sequence);
                let rows = run.map(|s| s.history + (32 - s.mask.leading_zeros()) as usize).max();
                pages += rows.unwrap_or(0).div_ceil(self.shape.page_rows).max(1);
            }
        }
        let pages = (pages * self.model.kv_heads) as u64;
        (pages * (rows + 2 * steps), pages * (rows + steps))
    }
}

fn elements(random: &mut Random, model: &Model, content: Content) -> Vec<i8> {
    let low = if model.int4 { -8 } else { -128 };
    (0..model.head_dim)
        .map(|_| match content {
            Content::Lowest => low,
            _ if model.int4 => (random.int8() >> 4).max(-8),
            _ => random.int8(),
        })
        .collect()
}

fn spread(random: &mut Random, low: i32, high: i32) -> f32 {
    let exponent = random.range(0, (high - low) as u64) as i32 + low;
    (1.0 + random.range(0, 1 << 23) as f32 / (1 << 23) as f32) * 2.0_f32.powi(exponent)
}

fn step(random: &mut Random, content: Content, key: bool) -> f32 {
    match content {
        Content::ZeroSteps => 0.0,
        Content::InfiniteSteps if !key && random.chance(0.5) => f32::INFINITY,
        Content::WildSteps if !key => {
            let any = f32::from_bits(random.bits() as u32 & 0x7fff_ffff);
            match any.is_finite() && !random.chance(0.3) {
                true if any < 2.0_f32.powi(-100) => 0.0,
                true => any,
                false => spread(random, -100, -90),
            }
        }
        Content::Saturating if key => spread(random, 20, 60),
        _ => spread(random, -9, -5),
    }
}

/// Scores of a few thousand, so that weights fall over the whole table.
fn factor(random: &mut Random, content: Content, head_dim: usize) -> f32 {
    match content {
        Content::Saturating => spread(random, 0, 20),
        _ => spread(random, -2, 3) / (head_dim as f32).sqrt(),
    }
}
