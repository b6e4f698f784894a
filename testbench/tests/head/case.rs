//! A head with its inputs, the commands that run it, and what has to come out.

use crate::bench::{Bench, STATE, Shape, Timing, Word};
use std::{fmt, time::Instant};
use terntable_golden::{
    head::{CANDIDATES, Candidate, Head},
    tlmm,
};
use terntable_testbench::seed::{Random, seed};

/// Which commands run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// screen, score, emit.
    TwoStage,
    /// score_all, emit.
    Full,
    /// The same with every logit.
    Logits,
}

/// Sums and row weights of the screen.
#[derive(Debug, Clone, Copy)]
pub enum Sums {
    Random,
    /// Every product is zero.
    Zero,
    /// Every row beats all before it.
    Ascending,
    Descending,
    /// Five different products.
    Few,
    /// The ends of the ranges.
    Extreme,
    /// Zeros, then rows that win.
    Tail,
}

/// Steps of rows and inputs.
#[derive(Debug, Clone, Copy)]
pub enum Steps {
    Plain,
    /// One row and one step everywhere: every logit is equal.
    Equal,
    /// NaN, infinities, zeros among them.
    Wild,
    /// Both signs and zeros.
    Signed,
    /// Subnormal results.
    Tiny,
}

#[derive(Debug, Clone)]
pub struct Case {
    pub vocab: usize,
    pub hidden: usize,
    /// A flag a slot.
    pub heads: Vec<bool>,
    pub sums: Sums,
    pub steps: Steps,
    pub panels: usize,
    /// Panels in another order than their tokens.
    pub shuffle: bool,
}

impl Case {
    pub fn random(random: &mut Random, shape: &Shape) -> Self {
        let slots = random.range(1, shape.slots as u64);
        let sums = [
            Sums::Random,
            Sums::Zero,
            Sums::Ascending,
            Sums::Descending,
            Sums::Few,
            Sums::Extreme,
            Sums::Tail,
        ];
        let steps = [Steps::Plain, Steps::Equal, Steps::Wild, Steps::Signed, Steps::Tiny];
        let vocab = random.range(1, 9 * shape.candidates as u64) as usize;
        Case {
            vocab,
            hidden: random.range(1, 4 * shape.beat as u64) as usize,
            heads: (0..slots).map(|_| random.chance(0.7)).collect(),
            sums: sums[random.range(0, 6) as usize],
            steps: steps[random.range(0, 4) as usize],
            panels: random.range(1, 3.min(vocab as u64)) as usize,
            shuffle: random.chance(0.3),
        }
    }
}

/// The content of a case.
struct Content {
    rows: Vec<i8>,
    steps: Vec<f32>,
    weights: Vec<u16>,
    inputs: Vec<Vec<i8>>,
    input_steps: Vec<f32>,
    sums: Vec<Vec<i32>>,
}

const WILD: [f32; 8] =
    [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1e30, 3e-39, f32::MAX];

impl Content {
    fn new(case: &Case, random: &mut Random) -> Self {
        let Case { vocab, hidden, .. } = *case;
        let slots = case.heads.len();
        let equal = matches!(case.steps, Steps::Equal);
        let mut step = || match case.steps {
            Steps::Plain => random.range(1, 1 << 20) as f32 / 1e6,
            Steps::Equal => 0.25,
            Steps::Wild if random.chance(0.3) => WILD[random.range(0, 7) as usize],
            Steps::Wild => random.range(1, 1000) as f32,
            Steps::Signed => random.range(0, 4) as f32 - 2.0,
            Steps::Tiny => f32::from_bits(random.range(1, 1 << 29) as u32),
        };
        let steps = (0..vocab).map(|_| step()).collect();
        let mut input_steps: Vec<f32> = (0..slots).map(|_| step()).collect();
        if matches!(case.steps, Steps::Wild) && slots > 1 {
            input_steps[0] = 1.5;
        }
        let rows = match equal {
            true => (0..vocab * hidden).map(|i| (i % hidden) as i8).collect(),
            false => (0..vocab * hidden).map(|_| random.int8()).collect(),
        };
        let inputs = (0..slots).map(|_| (0..hidden).map(|_| random.int8()).collect()).collect();
        let weights = (0..vocab)
            .map(|_| match case.sums {
                Sums::Zero if random.chance(0.5) => random.range(0, 65535) as u16,
                Sums::Zero => 0,
                Sums::Ascending | Sums::Descending => 3,
                Sums::Few | Sums::Tail => 1,
                Sums::Extreme => [0, 1, 65535][random.range(0, 2) as usize],
                Sums::Random => random.range(0, 65535) as u16,
            })
            .collect();
        let sums = (0..slots)
            .map(|slot| {
                let sum = |row: usize| match case.sums {
                    Sums::Random => random.range(0, 1 << 17) as i32 - (1 << 16),
                    Sums::Zero => 0,
                    Sums::Ascending => (row * (slot + 1)) as i32 - 999,
                    Sums::Descending => 999 - (row * (slot + 1)) as i32,
                    Sums::Few => random.range(0, 4) as i32 - 2,
                    Sums::Extreme => [-8_388_480, 8_388_480, 0, 1, -1][random.range(0, 4) as usize],
                    Sums::Tail => i32::from(row + 20 > vocab),
                };
                (0..vocab).map(sum).collect()
            })
            .collect();
        Content { rows, steps, weights, inputs, input_steps, sums }
    }

    fn logit(&self, token: u32, slot: usize) -> f32 {
        let hidden = self.inputs[slot].len();
        let row = &self.rows[token as usize * hidden..][..hidden];
        let dot: i32 =
            row.iter().zip(&self.inputs[slot]).map(|(&w, &x)| i32::from(w) * i32::from(x)).sum();
        dot as f32 * (self.steps[token as usize] * self.input_steps[slot])
    }

    /// The contract of `Head::select`, for any number of candidates.
    fn select(&self, slot: usize, count: usize) -> Vec<u32> {
        let mut ids: Vec<u32> = (0..self.weights.len() as u32).collect();
        ids.sort_by_key(|&id| {
            let score =
                i64::from(self.sums[slot][id as usize]) * i64::from(self.weights[id as usize]);
            (std::cmp::Reverse(score), id)
        });
        ids.truncate(count);
        ids
    }

    fn expected(&self, slot: usize, kind: Kind, count: usize) -> Vec<Candidate> {
        let ids = match kind {
            Kind::TwoStage => self.select(slot, count),
            _ => (0..self.weights.len() as u32).collect(),
        };
        let scored = |token| Candidate { token, logit: self.logit(token, slot) };
        let mut candidates: Vec<Candidate> = ids.into_iter().map(scored).collect();
        Head::rank(&mut candidates);
        candidates.truncate(count);
        candidates
    }
}

/// Cycles of the commands of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cycles {
    pub screen: u64,
    pub score: u64,
    pub emit: u64,
    /// Beats read by the score.
    pub beats: u64,
    pub per_second: f64,
}

impl fmt::Display for Cycles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cycles { screen, score, emit, beats, per_second } = self;
        write!(f, "screen {screen}, score {score} ({beats} beats), emit {emit} cycles; ")?;
        write!(f, "{per_second:.0} cycles/s simulated")
    }
}

pub struct Runner {
    bench: Bench,
    random: Random,
}

/// Bits that two floats agree in: a NaN is the canonical one.
fn bits(value: f32) -> u32 {
    if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() }
}

fn put(bytes: &mut [u8], at: usize, width: usize, value: u64) {
    for bit in 0..width {
        let (byte, mask) = ((at + bit) / 8, 1 << ((at + bit) % 8));
        bytes[byte] = if value >> bit & 1 == 1 { bytes[byte] | mask } else { bytes[byte] & !mask };
    }
}

const SLOT_BITS: usize = 233;

impl Runner {
    pub fn new(shape: Shape, timing: Timing) -> Self {
        Runner { bench: Bench::new(shape, timing), random: Random::new(seed(), "content") }
    }

    pub fn set_timing(&self, timing: Timing) {
        self.bench.set_timing(timing);
    }

    /// Runs a case and compares all memory that it may have written.
    pub fn check(&mut self, case: &Case, kind: Kind) -> Cycles {
        let content = Content::new(case, &mut self.random);
        self.check_content(case, &content, kind)
    }

    /// The golden `Head` itself, screen and all.
    pub fn check_golden(&mut self, vocab: usize, hidden: usize) {
        let shape = self.bench.shape;
        assert_eq!(shape.candidates, CANDIDATES);
        let random = &mut self.random;
        let real: Vec<f32> =
            (0..vocab * hidden).map(|_| random.bits() as i32 as f32 / 2.0_f32.powi(31)).collect();
        let head = Head::new(vocab, hidden, &real).unwrap();
        let inputs: Vec<Vec<i8>> =
            (0..shape.slots).map(|_| (0..hidden).map(|_| random.int8()).collect()).collect();
        let content = Content {
            rows: (0..vocab as u32).flat_map(|t| head.row(t).to_vec()).collect(),
            steps: (0..vocab as u32).map(|t| head.logit(t, 1, 1.0)).collect(),
            weights: head.screen_weights().to_vec(),
            sums: inputs.iter().map(|x| tlmm::naive(head.screen(), x)).collect(),
            input_steps: (0..shape.slots).map(|_| random.range(1, 999) as f32 / 777.0).collect(),
            inputs,
        };
        // The copy of the contract in this file is the contract.
        for slot in 0..shape.slots {
            let mut mine = content.select(slot, CANDIDATES);
            mine.sort_unstable();
            let ids = head.select(&content.sums[slot]);
            assert_eq!(mine, ids);
            let dots = head.dots(&ids, &content.inputs[slot]);
            for (id, dot) in ids.into_iter().zip(dots) {
                let step = content.input_steps[slot];
                assert_eq!(head.logit(id, dot, step).to_bits(), content.logit(id, slot).to_bits());
            }
        }
        let case = Case {
            vocab,
            hidden,
            heads: vec![true; shape.slots],
            sums: Sums::Random,
            steps: Steps::Plain,
            panels: 2,
            shuffle: false,
        };
        self.check_content(&case, &content, Kind::TwoStage);
        self.check_content(&case, &content, Kind::Full);
    }

    /// Begins a case, stops somewhere and resets.
    pub fn abandon(&mut self, case: &Case, kind: Kind, cycles: u64) {
        let content = Content::new(case, &mut self.random);
        let (commands, _, _) = self.prepare(case, &content, kind);
        let mut left = cycles;
        for command in commands {
            if self.random.chance(0.5) || left < 100 {
                self.bench.interrupt(command, left);
                break;
            }
            match self.bench.command(command, 1 << 22) {
                Ok(took) => left = left.saturating_sub(took).max(1),
                Err(error) => panic!("{case:?}: {error}"),
            }
        }
        self.bench.reset();
    }

    fn check_content(&mut self, case: &Case, content: &Content, kind: Kind) -> Cycles {
        let shape = self.bench.shape;
        let (commands, results, logits) = self.prepare(case, content, kind);
        let unit = format!("tt_head {shape:?}, {case:?}, {kind:?}, seed {:#x}", seed());
        let start = Instant::now();
        let mut cycles = Cycles::default();
        let mut all = 0;
        for command in commands {
            self.bench.world.borrow_mut().beats = 0;
            let took = match self.bench.command(command, 1 << 24) {
                Ok(took) => took,
                Err(error) => panic!("{unit}: command {:#x}: {error}", command[0]),
            };
            all += took;
            match command[0] & 0xff {
                0x50 => cycles.screen += took,
                0x53 => cycles.emit += took,
                _ => {
                    cycles.score += took;
                    cycles.beats = self.bench.world.borrow().beats;
                }
            }
        }
        cycles.per_second = all as f64 / start.elapsed().as_secs_f64();

        let world = self.bench.world.borrow();
        assert!(world.sums.is_empty(), "{unit}: {} words of sums not taken", world.sums.len());
        let mut want = vec![FILL; world.state.len()];
        for (slot, _) in case.heads.iter().enumerate().filter(|h| *h.1) {
            let area = results + slot * shape.candidates * 8;
            let expected = content.expected(slot, kind, shape.candidates);
            for (i, candidate) in expected.iter().enumerate() {
                let at = area + 8 * i;
                want[at..at + 4].copy_from_slice(&candidate.token.to_le_bytes());
                want[at + 4..at + 8].copy_from_slice(&bits(candidate.logit).to_le_bytes());
                let found = &world.state[at..at + 8];
                let word = |i: usize| u32::from_le_bytes(found[i..i + 4].try_into().unwrap());
                assert!(
                    *found == want[at..at + 8],
                    "{unit}\n  slot {slot}, rank {i}\n  expected token {} logit {:#010x} ({})\n  \
                     found    token {} logit {:#010x} ({})",
                    candidate.token,
                    bits(candidate.logit),
                    candidate.logit,
                    word(0),
                    word(4),
                    f32::from_bits(word(4)),
                );
            }
            if kind == Kind::Logits {
                let area = logits + slot * (case.vocab * 4).next_multiple_of(shape.beat);
                for token in 0..case.vocab {
                    let logit = bits(content.logit(token as u32, slot));
                    let at = area + 4 * token;
                    want[at..at + 4].copy_from_slice(&logit.to_le_bytes());
                    assert!(
                        world.state[at..at + 4] == logit.to_le_bytes(),
                        "{unit}\n  slot {slot}, logit of token {token}: expected {logit:#010x}, \
                         found {:02x?}",
                        &world.state[at..at + 4]
                    );
                }
            }
        }
        if let Some(at) = (0..want.len()).find(|&at| want[at] != world.state[at]) {
            panic!("{unit}\n  byte {at:#x} of the state was written ({:#x})", world.state[at]);
        }
        cycles
    }

    /// Fills the world; the commands, and where results and logits go.
    fn prepare(
        &mut self,
        case: &Case,
        content: &Content,
        kind: Kind,
    ) -> (Vec<[u32; 16]>, usize, usize) {
        let shape = self.bench.shape;
        let random = &mut self.random;
        let slots = case.heads.len();
        let mut world = self.bench.world.borrow_mut();

        // Image: rows, then the weights of each panel; garbage in every gap.
        world.image.clear();
        let gap = |image: &mut Vec<u8>, random: &mut Random| {
            while !image.len().is_multiple_of(shape.beat) {
                image.push(random.bits() as u8);
            }
        };
        for _ in 0..random.range(0, 5 * shape.beat as u64) {
            world.image.push(0x5a);
        }
        gap(&mut world.image, random);
        let rows_at = world.image.len();
        for (row, step) in content.rows.chunks(case.hidden).zip(&content.steps) {
            world.image.extend(row.iter().map(|&v| v as u8));
            while !world.image.len().is_multiple_of(4) {
                world.image.push(random.bits() as u8);
            }
            world.image.extend(step.to_le_bytes());
            gap(&mut world.image, random);
        }
        let bounds: Vec<usize> = {
            let mut cuts: Vec<usize> =
                (1..case.panels).map(|_| random.range(1, case.vocab as u64) as usize).collect();
            cuts.extend([0, case.vocab]);
            cuts.sort_unstable();
            cuts.dedup();
            cuts
        };
        let mut panels: Vec<(usize, usize)> = bounds.windows(2).map(|w| (w[0], w[1])).collect();
        if case.shuffle {
            panels.reverse();
        }
        let mut commands = Vec::new();
        let head_address = rows_at as u32;
        if kind == Kind::TwoStage {
            for (index, &(first, end)) in panels.iter().enumerate() {
                let at = world.image.len();
                world
                    .image
                    .extend(content.weights[first..end].iter().flat_map(|w| w.to_le_bytes()));
                gap(&mut world.image, random);
                let mut command = [0; 16];
                command[0] = 0x50 | u32::from(index == 0) << 16;
                command[1] = first as u32;
                command[2] = (end - first) as u32;
                command[3] = at as u32;
                commands.push(command);
                let words = stream(&shape, content, slots, first, end, random);
                world.sums.extend(words);
            }
            let mut score = [0; 16];
            (score[0], score[1]) = (0x51, head_address);
            commands.push(score);
        } else {
            let mut score = [0; 16];
            score[0] = 0x52 | u32::from(kind == Kind::Logits) << 16;
            score[1] = head_address;
            commands.push(score);
        }
        let mut emit = [0; 16];
        emit[0] = 0x53;
        commands.push(emit);
        // Fields that a command does not have.
        for command in &mut commands {
            let used = if command[0] & 0xff == 0x50 { 5 } else { 3 };
            command[used..].fill_with(|| random.bits() as u32);
        }

        // Inputs, with garbage in the slots that hold none.
        let words = case.hidden.div_ceil(shape.beat);
        world.inputs = vec![0; slots * words * shape.beat];
        for (slot, input) in content.inputs.iter().enumerate() {
            for (i, &value) in input.iter().enumerate() {
                world.inputs[slot * words * shape.beat + i] = value as u8;
            }
        }

        // State: results, logits.
        let results = shape.beat * random.range(1, 9) as usize;
        let logits = results + slots * shape.candidates * 8 + 2 * shape.beat;
        let end = logits + slots * (case.vocab * 4).next_multiple_of(shape.beat) + shape.beat;
        world.state = vec![FILL; end];
        world.beats = 0;
        drop(world);

        let set = |name: &str, bytes: &[u8]| self.bench.signal(name).set_bytes(bytes);
        let mut model: Vec<u8> = (0..48).map(|_| self.random.bits() as u8).collect();
        put(&mut model, 0, 16, case.hidden as u64);
        put(&mut model, 88, 32, case.vocab as u64);
        set("model_i", &model);
        let mut flags = vec![0; (SLOT_BITS * shape.slots).div_ceil(8)];
        flags.fill_with(|| self.random.bits() as u8);
        for (slot, &head) in case.heads.iter().enumerate() {
            put(&mut flags, SLOT_BITS * slot + SLOT_BITS - 1, 1, u64::from(head));
        }
        set("slot_i", &flags);
        let steps: Vec<u8> =
            content.input_steps.iter().flat_map(|s| s.to_bits().to_le_bytes()).collect();
        set("step_a_i", &steps);
        self.bench.signal("slots_i").set(slots as u64);
        self.bench.signal("results_i").set(STATE | results as u64);
        self.bench.signal("logits_i").set(STATE | logits as u64);
        (commands, results, logits)
    }
}

const FILL: u8 = 0xa5;

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The sums of a panel in the order of the engine; garbage where there is no row.
fn stream(
    shape: &Shape,
    content: &Content,
    slots: usize,
    first: usize,
    end: usize,
    random: &mut Random,
) -> Vec<Word> {
    let rows = end - first;
    let padded = rows.next_multiple_of(shape.rows);
    let chunk = shape.rows * shape.lanes / gcd(shape.rows, shape.lanes);
    let mut words = Vec::new();
    for at in (0..padded).step_by(chunk) {
        let count = (padded - at).min(chunk).div_ceil(shape.lanes);
        for slot in 0..slots {
            for word in 0..count {
                let mut data = Vec::new();
                for lane in 0..shape.lanes {
                    let row = at + word * shape.lanes + lane;
                    let sum = match row < rows {
                        true => content.sums[slot][first + row],
                        false => random.bits() as i32,
                    };
                    data.extend(&sum.to_le_bytes()[..3]);
                }
                words.push(Word { data, slot: slot as u8, last: false });
            }
        }
    }
    words.last_mut().unwrap().last = true;
    words
}
