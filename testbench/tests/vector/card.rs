//! What the commands of the vector unit should do, by the golden functions, and the streams that go
//! with them.

use super::bench::{Bench, Bits, KvRow, Shape};
use std::collections::BTreeMap;
use terntable_golden::{
    gate::{Gate, add_residual},
    norm::{Scales, largest},
    quantise::{dequantise, quantise, quantise_int4},
    reduce,
};
use terntable_testbench::seed::Random;

/// The model.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    pub hidden: usize,
    pub ffn: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub silu: bool,
    pub int4: bool,
    pub bf16: bool,
    pub eps: f32,
    pub score: f32,
}

impl Model {
    pub fn query(&self) -> usize {
        self.heads * self.head_dim
    }

    pub fn random(shape: &Shape, random: &mut Random) -> Self {
        let unit = (2 * shape.lanes).max(16) as u64;
        let head_dim = unit * random.range(1, 64 / unit);
        let most = (200 / head_dim).clamp(1, 8);
        let kv_heads = random.range(1, most.min(3));
        let heads = kv_heads * random.range(1, most / kv_heads);
        Model {
            hidden: random.range(1, 110) as usize,
            ffn: random.range(1, 200) as usize,
            heads: heads as usize,
            kv_heads: kv_heads as usize,
            head_dim: head_dim as usize,
            silu: random.bits() & 1 == 0,
            int4: random.bits() & 1 == 0,
            bf16: random.bits() & 1 == 0,
            eps: 1e-5,
            score: 369.329_9 / (head_dim as f32).sqrt(),
        }
    }

    fn register(&self) -> Vec<u8> {
        let mut bits = Bits::default();
        let inverse = |n: usize| u64::from((1.0 / n as f32).to_bits());
        bits.put(16, self.hidden as u64).put(16, self.ffn as u64);
        bits.put(8, self.heads as u64).put(8, (self.heads / self.kv_heads) as u64);
        bits.put(8, self.kv_heads as u64).put(16, self.head_dim as u64);
        bits.put(16, self.query() as u64).put(32, 1000);
        bits.put(1, self.int4.into()).put(1, self.silu.into()).put(1, self.bf16.into());
        bits.put(32, self.eps.to_bits().into()).put(32, inverse(self.hidden));
        bits.put(32, inverse(self.query())).put(32, inverse(self.ffn));
        bits.put(32, self.score.to_bits().into()).put(32, 1).put(32, 1).put(32, 1);
        bits.bytes
    }
}

/// Where numbers come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fill {
    /// Of ordinary size.
    Usual,
    /// Ordinary, with NaN, infinities, zeros, subnormals and huge numbers among them.
    Wild,
    /// Zeros of both signs.
    Zero,
    /// One number.
    All(f32),
}

impl Fill {
    pub fn number(self, random: &mut Random) -> f32 {
        let usual = |random: &mut Random| {
            let x = (random.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0;
            x * [0.01, 1.0, 4.0, 30.0][(random.bits() & 3) as usize]
        };
        match self {
            Fill::Usual => usual(random),
            Fill::Zero => [0.0, -0.0][(random.bits() & 1) as usize],
            Fill::All(x) => x,
            Fill::Wild => match random.range(0, 199) {
                0 => f32::NAN,
                1 => f32::INFINITY,
                2 => f32::NEG_INFINITY,
                3..=9 => f32::from_bits(random.bits() as u32 & 0x807f_ffff),
                10..=14 => -0.0,
                15..=19 => 0.0,
                20 => f32::MAX,
                21..=25 => f32::from_bits(random.bits() as u32),
                _ => usual(random),
            },
        }
    }

    fn sum(self, random: &mut Random) -> i32 {
        match self {
            Fill::Usual | Fill::All(_) => random.range(0, 8000) as i32 - 4000,
            Fill::Zero => 0,
            Fill::Wild => match random.range(0, 20) {
                0 => -(1 << 23),
                1 => (1 << 23) - 1,
                2 => 0,
                _ => (random.bits() as i32) >> (8 + random.range(0, 20)),
            },
        }
    }
}

/// The unit beside its golden model.
pub struct Card {
    pub bench: Bench,
    pub model: Model,
    pub slots: usize,
    pub fill: Fill,
    pub random: Random,
    tokens: Vec<usize>,
    positions: Vec<usize>,
    x: Vec<Vec<f32>>,
    y: BTreeMap<usize, Vec<f32>>,
    squares: Vec<f32>,
    largest: Vec<f32>,
    steps: Vec<f32>,
    params: [Vec<f32>; 2],
    rope: Vec<Vec<(f32, f32)>>,
    a: BTreeMap<u64, Vec<u8>>,
    q: BTreeMap<u64, Vec<u8>>,
    factors: BTreeMap<(usize, usize), f32>,
    kv: Vec<KvRow>,
    sent: [u64; 2],
    /// Scales of matrices to come, before random ones.
    pub scales: Vec<f32>,
    /// Rows are one panel.
    pub whole_panels: bool,
    /// What was sent, for reports.
    pub log: Vec<String>,
}

const TABLE: u64 = 0x1_0000;
const ROPE: u64 = 0x8_0000;
const PARAMS: u64 = 0xc_0000;
const TOKENS: usize = 40;
const POSITIONS: usize = 24;

/// Kinds of projections.
pub const Q: u32 = 0;
pub const K: u32 = 1;
pub const V: u32 = 2;

impl Card {
    pub fn new(bench: Bench, mut random: Random, model: Model, slots: usize, fill: Fill) -> Self {
        let mut pick = |most: usize| -> Vec<usize> {
            (0..slots).map(|_| random.range(0, most as u64 - 1) as usize).collect()
        };
        let (tokens, positions) = (pick(TOKENS), pick(POSITIONS));
        let sent = bench.done();
        let card = Card {
            model,
            slots,
            fill,
            tokens,
            positions,
            x: vec![vec![0.0; model.hidden]; slots],
            y: BTreeMap::new(),
            squares: Vec::new(),
            largest: Vec::new(),
            steps: vec![1.0; slots],
            params: [Vec::new(), Vec::new()],
            rope: Vec::new(),
            a: BTreeMap::new(),
            q: BTreeMap::new(),
            factors: BTreeMap::new(),
            kv: Vec::new(),
            sent,
            scales: Vec::new(),
            whole_panels: false,
            log: vec![format!("{model:?}, {slots} slots, {fill:?}")],
            bench,
            random,
        };
        card.bench.set("model_i", &card.model.register());
        card.bench.set("slots_i", &[card.slots as u8]);
        let mut bits = Bits::default();
        for (&token, &position) in card.tokens.iter().zip(&card.positions) {
            bits.put(32, token as u64).put(32, position as u64);
            bits.put(32, 0).put(32, 0).put(32, 0).put(40, 0).put(32, 0).put(1, 0);
        }
        card.bench.set("slot_i", &bits.bytes);
        *card.bench.written.borrow_mut() = Default::default();
        card
    }

    /// A new model and pass on the same unit.
    pub fn renew(self, model: Model, slots: usize, fill: Fill) -> Self {
        Card::new(self.bench, self.random, model, slots, fill)
    }

    fn number(&mut self) -> f32 {
        self.fill.number(&mut self.random)
    }

    fn scale(&mut self) -> f32 {
        if !self.scales.is_empty() {
            return self.scales.remove(0);
        }
        const SPECIAL: [f32; 6] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-42, 1e38];
        match self.fill {
            Fill::Wild if self.random.range(0, 2) == 0 => SPECIAL[self.random.range(0, 5) as usize],
            _ => (self.random.range(1, 1000) as f32) * 1e-4,
        }
    }

    fn send(&mut self, load: bool, words: &[(usize, u32)]) {
        let mut bytes = [0; 64];
        for &(at, word) in words {
            bytes[4 * at..4 * at + 4].copy_from_slice(&word.to_le_bytes());
        }
        if load {
            self.bench.load.send(&bytes)
        } else {
            self.bench.cmd.send(&bytes)
        }
        self.sent[usize::from(load)] += 1;
    }

    /// Waits for everything sent.
    pub fn wait(&self) {
        self.bench.run_until(self.sent, 2_000_000);
    }

    /// Loads a bank of parameters; waits.
    pub fn load(&mut self, bank: usize, columns: usize) {
        self.log.push(format!("load {bank} {columns}"));
        let params: Vec<f32> = (0..columns).map(|_| self.number()).collect();
        let bytes: Vec<u8> = params.iter().flat_map(|x| x.to_le_bytes()).collect();
        let address = PARAMS + self.random.range(0, 40) * self.bench.shape.beat as u64;
        self.bench.memory.write(address, &bytes);
        self.params[bank] = params;
        self.send(
            true,
            &[(0, 0x10 | (bank as u32) << 16), (1, address as u32), (3, columns as u32)],
        );
        self.wait();
    }

    /// Loads the rotary rows of the slots; waits.
    pub fn load_rope(&mut self) {
        self.log.push("load_rope".into());
        let (half, beat) = (self.model.head_dim / 2, self.bench.shape.beat);
        let stride = (self.model.head_dim * 4).div_ceil(beat) * beat;
        self.rope.clear();
        for s in 0..self.slots {
            // Slots of one position share a row.
            if let Some(e) = (0..s).find(|&e| self.positions[e] == self.positions[s]) {
                self.rope.push(self.rope[e].clone());
                continue;
            }
            let row: Vec<f32> = (0..2 * half).map(|_| self.number()).collect();
            let bytes: Vec<u8> = row.iter().flat_map(|x| x.to_le_bytes()).collect();
            self.bench.memory.write(ROPE + (self.positions[s] * stride) as u64, &bytes);
            let (cosines, sines) = row.split_at(half);
            self.rope.push(cosines.iter().copied().zip(sines.iter().copied()).collect());
        }
        self.send(true, &[(0, 0x11), (1, ROPE as u32), (3, POSITIONS as u32)]);
        self.wait();
    }

    fn y_row(&self, slot: usize, n: usize) -> Vec<f32> {
        let words = self.bench.shape.words(n);
        let mut row: Vec<f32> =
            (0..words).flat_map(|w| self.y[&(slot * words + w)].clone()).collect();
        row.truncate(n);
        row
    }

    fn set_y(&mut self, slot: usize, n: usize, first: usize, values: &[f32]) {
        let (lanes, words) = (self.bench.shape.lanes, self.bench.shape.words(n));
        assert!(first.is_multiple_of(lanes));
        for (i, word) in values.chunks(lanes).enumerate() {
            let mut word = word.to_vec();
            word.resize(lanes, 0.0);
            self.y.insert(slot * words + first / lanes + i, word);
        }
    }

    /// What a norm needs of rows: sums of squares, and the largest products with the weights of a bank.
    fn statistics(&mut self, rows: &[Vec<f32>], bank: usize) {
        self.squares = rows.iter().map(|x| reduce::sum(x.iter().map(|v| v * v))).collect();
        self.largest = rows.iter().map(|x| largest(0.0, x, &self.params[bank])).collect();
    }

    pub fn embed(&mut self, bank: usize) {
        self.log.push(format!("embed, weights {bank}"));
        let (hidden, beat) = (self.model.hidden, self.bench.shape.beat);
        let bytes = if self.model.bf16 { 2 } else { 4 };
        let stride = (hidden * bytes).div_ceil(beat) * beat;
        for token in 0..TOKENS {
            let mask = if self.model.bf16 { 0xffff_0000 } else { u32::MAX };
            let row: Vec<f32> =
                (0..hidden).map(|_| f32::from_bits(self.number().to_bits() & mask)).collect();
            // What follows the row is not zero.
            let mut padded = vec![0x7f; stride];
            for (to, x) in padded.chunks_exact_mut(bytes).zip(&row) {
                to.copy_from_slice(&x.to_le_bytes()[4 - bytes..]);
            }
            self.bench.memory.write(TABLE + (token * stride) as u64, &padded);
            for s in (0..self.slots).filter(|&s| self.tokens[s] == token) {
                self.x[s].clone_from(&row);
            }
        }
        self.send(false, &[(0, 0x20 | (bank as u32) << 19), (1, TABLE as u32)]);
        self.statistics(&self.x.clone(), bank);
    }

    /// Sums of `[plane][slot][row]`, and the words of the stream that the multiply unit makes of them.
    fn panel(&mut self, planes: usize, rows: usize) -> Vec<Vec<Vec<i32>>> {
        let shape = self.bench.shape;
        let padded = rows.div_ceil(shape.rows) * shape.rows;
        let sums: Vec<Vec<Vec<i32>>> = (0..planes)
            .map(|_| {
                let row = |random: &mut Random| (0..rows).map(|_| self.fill.sum(random)).collect();
                (0..self.slots).map(|_| row(&mut self.random)).collect()
            })
            .collect();
        let mut stream = Vec::new();
        for chunk in (0..padded).step_by(shape.chunk()) {
            let end = (chunk + shape.chunk()).min(padded).div_ceil(shape.lanes) * shape.lanes;
            for slot in 0..self.slots {
                for word in (chunk..end).step_by(shape.lanes) {
                    for plane in &sums {
                        let lane = |l| plane[slot].get(word + l).copied();
                        for l in 0..shape.lanes {
                            let sum = lane(l).unwrap_or(0x5a5a5a);
                            stream.extend(&sum.to_le_bytes()[..3]);
                        }
                    }
                }
            }
        }
        self.bench.sums.send(&stream);
        sums
    }

    /// Cuts `rows` into panels of a multiple of the chunk.
    fn cut(&mut self, rows: usize) -> Vec<(usize, usize)> {
        let chunk = self.bench.shape.chunk();
        let mut panels = Vec::new();
        let mut first = 0;
        while first < rows {
            let some = chunk * self.random.range(1, 4) as usize;
            let whole = self.whole_panels || self.random.bits() & 1 == 0;
            let count = if whole { rows } else { some };
            let count = count.min(rows - first);
            panels.push((first, count));
            first += count;
        }
        panels
    }

    pub fn residual(&mut self, bank: usize) {
        let hidden = self.model.hidden;
        for (first, rows) in self.cut(hidden) {
            self.log.push(format!("residual {first}+{rows}, weights {bank}"));
            let scale = self.scale();
            let sums = self.panel(1, rows);
            let last = first + rows == hidden;
            let op = 0x21 | u32::from(last) << 16 | (bank as u32) << 19;
            self.send(false, &[(0, op), (1, first as u32), (2, rows as u32), (3, scale.to_bits())]);
            for ((x, sums), step) in self.x.iter_mut().zip(&sums[0]).zip(&self.steps) {
                add_residual(&mut x[first..first + rows], &dequantise(sums, *step, scale));
            }
        }
        self.statistics(&self.x.clone(), bank);
    }

    pub fn gate(&mut self, bank: usize) {
        let ffn = self.model.ffn;
        let kind = if self.model.silu { Gate::Silu } else { Gate::Relu2 };
        for (first, rows) in self.cut(ffn) {
            self.log.push(format!("gate {first}+{rows}, weights {bank}"));
            let (scale, scale_up) = (self.scale(), self.scale());
            let sums = self.panel(2, rows);
            let op = 0x22 | u32::from(first + rows == ffn) << 16 | (bank as u32) << 19;
            let scales = [(3, scale.to_bits()), (4, scale_up.to_bits())];
            self.send(
                false,
                &[&[(0, op), (1, first as u32), (2, rows as u32)], &scales[..]].concat(),
            );
            for (s, (gate, up)) in sums[0].iter().zip(&sums[1]).enumerate() {
                let gate = dequantise(gate, self.steps[s], scale);
                let up = dequantise(up, self.steps[s], scale_up);
                self.set_y(s, ffn, first, &kind.apply(&gate, &up));
            }
        }
        self.statistics_of_y(ffn, bank);
    }

    fn statistics_of_y(&mut self, n: usize, bank: usize) {
        let rows: Vec<Vec<f32>> = (0..self.slots).map(|s| self.y_row(s, n)).collect();
        self.statistics(&rows, bank);
    }

    pub fn square(&mut self, bank: usize) {
        self.log.push(format!("square, weights {bank}"));
        self.send(false, &[(0, 0x24 | (bank as u32) << 19)]);
        self.statistics_of_y(self.model.query(), bank);
    }

    /// Attention's output comes.
    pub fn attend(&mut self) {
        self.log.push("attend".into());
        let (n, lanes) = (self.model.query(), self.bench.shape.lanes);
        let words = self.bench.shape.words(n);
        let mut places: Vec<(usize, usize)> =
            (0..self.slots).flat_map(|s| (0..words).map(move |w| (s, w))).collect();
        for i in (1..places.len()).rev() {
            places.swap(i, self.random.range(0, i as u64) as usize);
        }
        for (slot, word) in places {
            let values: Vec<f32> = (0..lanes).map(|_| self.number()).collect();
            let mut bytes = vec![slot as u8, 0, word as u8, (word >> 8) as u8];
            bytes.extend(values.iter().flat_map(|x| x.to_le_bytes()));
            self.bench.att.send(&bytes);
            self.set_y(slot, n, word * lanes, &values);
        }
        while self.bench.att.waiting() > 0 {
            self.bench.cycles(20);
        }
        self.bench.cycles(4);
    }

    /// Words come from attention for places of Y behind those of rows of n.
    pub fn attend_beyond(&mut self, n: usize) {
        let shape = self.bench.shape;
        let first = self.slots * shape.words(n);
        for word in first..(first + 100).min(shape.work_words()) {
            let values: Vec<f32> = (0..shape.lanes).map(|_| self.number()).collect();
            let mut bytes = vec![0, 0, word as u8, (word >> 8) as u8];
            bytes.extend(values.iter().flat_map(|x| x.to_le_bytes()));
            self.bench.att.send(&bytes);
            self.y.insert(word, values);
        }
    }

    pub fn project(&mut self, kind: u32) {
        let all = if kind == Q { self.model.heads } else { self.model.kv_heads };
        let mut first = 0;
        while first < all {
            let some = self.random.range(1, (all - first) as u64) as usize;
            let heads = if self.whole_panels { all } else { some };
            self.project_heads(kind, first, heads);
            first += heads;
        }
    }

    fn project_heads(&mut self, kind: u32, first: usize, heads: usize) {
        self.log.push(format!("project {kind} {first}+{heads}"));
        let (d, beat) = (self.model.head_dim, self.bench.shape.beat);
        let (n, scale) = (heads * d, self.scale());
        let base = (1 << 39) + self.random.range(0, 1 << 20) * beat as u64;
        let sums = self.panel(1, n);
        let words = [
            (0, 0x23 | kind << 16),
            (1, first as u32),
            (2, heads as u32),
            (3, scale.to_bits()),
            (4, base as u32),
            (5, (base >> 32) as u32),
        ];
        self.send(false, &words);
        for (s, sums) in sums[0].iter().enumerate() {
            let mut row = dequantise(sums, self.steps[s], scale);
            for (h, head) in row.chunks_exact_mut(d).enumerate() {
                if kind != V {
                    let (low, high) = head.split_at_mut(d / 2);
                    for ((a, b), (cos, sin)) in low.iter_mut().zip(high).zip(&self.rope[s]) {
                        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                    }
                }
                let int4 = self.model.int4 && kind != Q;
                let quantised = if int4 { quantise_int4(head) } else { quantise(head) };
                if kind == Q {
                    let mut bytes: Vec<u8> = quantised.values.iter().map(|&v| v as u8).collect();
                    let dw = d.div_ceil(beat);
                    bytes.resize(dw * beat, 0);
                    for (w, bytes) in bytes.chunks_exact(beat).enumerate() {
                        let address = (s * self.model.heads + first + h) * dw + w;
                        self.q.insert(address as u64, bytes.to_vec());
                    }
                    self.factors.insert((s, first + h), quantised.step * self.model.score);
                } else {
                    let (values, step) = (quantised.values, quantised.step);
                    let value = kind == V;
                    self.kv.push(KvRow { values, step, slot: s, head: first + h, value, base });
                }
            }
            self.set_y(s, n, 0, &row);
        }
    }

    pub fn normalise(&mut self, source: u32, bank: usize, to_queries: bool) {
        self.log.push(format!("normalise {source} bank {bank}, to Q {to_queries}"));
        let shape = self.bench.shape;
        let op = 0x25 | source << 16 | u32::from(to_queries) << 18 | (bank as u32) << 19;
        self.send(false, &[(0, op)]);
        let n = [self.model.hidden, self.model.query(), self.model.ffn][source as usize];
        for s in 0..self.slots {
            let row = if source == 0 { self.x[s].clone() } else { self.y_row(s, n) };
            let weight = &self.params[bank][..n];
            let (squares, largest) = (self.squares[s], self.largest[s]);
            let scales = Scales::new(squares, largest, 1.0 / n as f32, self.model.eps);
            self.steps[s] = scales.step;
            let mut bytes: Vec<u8> =
                row.iter().zip(weight).map(|(&x, &w)| scales.integer(x, w) as u8).collect();
            if to_queries {
                bytes.resize(n.div_ceil(shape.beat) * shape.beat, 0);
                let words = n.div_ceil(shape.beat);
                for (w, word) in bytes.chunks_exact(shape.beat).enumerate() {
                    self.q.insert((s * words + w) as u64, word.to_vec());
                }
                bytes.truncate(n);
            }
            bytes.resize(n.div_ceil(shape.block()) * shape.block(), 0);
            for (block, word) in bytes.chunks_exact(shape.block()).enumerate() {
                self.a.insert((block * shape.slots + s) as u64, word.to_vec());
            }
        }
    }

    /// Compares everything the unit holds and wrote. Waits first.
    pub fn check(&mut self) {
        self.wait();
        self.bench.settle();
        let shape = self.bench.shape;
        let words = shape.words(self.model.hidden);
        for (s, x) in self.x.iter().enumerate() {
            for (w, part) in x.chunks(shape.lanes).enumerate() {
                let found = self.bench.x_word(s * words + w);
                self.compare(&format!("X slot {s} column {}", w * shape.lanes), part, &found);
            }
        }
        for (index, want) in &self.y {
            self.compare(&format!("Y word {index}"), want, &self.bench.y_word(*index));
        }
        let written = self.bench.written.borrow();
        if !self.a.is_empty() {
            self.compare("steps of A", &self.steps, &self.bench.steps());
        }
        let bytes = |name: &str, want: &BTreeMap<u64, Vec<u8>>, found: &BTreeMap<u64, Vec<u8>>| {
            for (address, want) in want {
                let found = found.get(address);
                assert!(found == Some(want), "{}", self.report(name, address, want, found));
            }
            let extra = found.keys().find(|a| !want.contains_key(a));
            assert!(extra.is_none(), "{}", self.report(name, extra, "nothing", "a write"));
        };
        bytes("A", &self.a, &written.a);
        bytes("Q", &self.q, &written.q);
        for (place, want) in &self.factors {
            let found = written.factors.get(place).copied().unwrap_or(f32::MIN);
            self.compare(&format!("query factor {place:?}"), &[*want], &[found]);
        }
        assert_eq!(self.factors.len(), written.factors.len(), "query factors");
        drop(written);
        let rows = self.bench.kv_rows();
        assert_eq!(rows.len(), self.kv.len(), "{}", self.report("KV rows", "", "", ""));
        for (found, want) in rows.iter().zip(&self.kv) {
            let mut want = want.clone();
            let place = format!("slot {} head {} value {}", want.slot, want.head, want.value);
            self.compare(&format!("KV step, {place}"), &[want.step], &[found.step]);
            want.step = found.step;
            assert!(
                *found == want || want.step.is_nan(),
                "{}",
                self.report("KV", place, &want, found)
            );
        }
        self.kv.clear();
    }

    fn compare(&self, name: &str, want: &[f32], found: &[f32]) {
        let differs = want.iter().zip(found).position(|(w, f)| !same(*w, *f));
        if let Some(i) = differs {
            let show = |x: f32| format!("{x:e} {:#010x}", x.to_bits());
            panic!("{}", self.report(name, i, show(want[i]), show(found[i])));
        }
        // Elements past the end are zero.
        let rest = found.get(want.len()..).unwrap_or(&[]);
        let clean = !name.starts_with('X') || rest.iter().all(|x| x.to_bits() == 0);
        assert!(clean, "{}", self.report(name, "past the end", "zeros", rest));
    }

    fn report(
        &self,
        name: &str,
        place: impl std::fmt::Debug,
        want: impl std::fmt::Debug,
        found: impl std::fmt::Debug,
    ) -> String {
        format!(
            "{name} {place:?}\n  expected {want:?}\n  found    {found:?}\n  {:?}\n  {}\n  seed {:#x}",
            self.bench.shape,
            self.log.join(", "),
            terntable_testbench::seed::seed()
        )
    }
}

/// Equal bits; any NaN is any other.
pub fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}
