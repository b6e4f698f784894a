//! The multiply unit: panels against naive products, one and two planes, queues of panels, stalls
//! everywhere, activations overwritten as soon as they may be, resets, and beats a cycle.

use std::collections::VecDeque;
use terntable_golden::{
    pack::{Geometry, pack_panel},
    ternary::Ternary,
};
use terntable_testbench::{
    Clock, Sim,
    build::ModelSpec,
    seed::{Random, seed},
    sim::{Signal, SimOptions, trace_from_env},
};

#[derive(Debug, Clone, Copy)]
struct Shape {
    slots: usize,
    geometry: Geometry,
    panel_tiles: usize,
    lanes: usize,
    act_blocks: usize,
}

const SMALL: Shape =
    Shape { slots: 4, geometry: Geometry::SIM_SMALL, panel_tiles: 64, lanes: 4, act_blocks: 16 };
const SMALL8: Shape = Shape { lanes: 8, slots: 6, ..SMALL };
const ONE: Shape = Shape { slots: 1, ..SMALL };
const EDGE: Shape =
    Shape { slots: 16, geometry: Geometry::KV260, panel_tiles: 64, lanes: 8, act_blocks: 64 };
/// Words narrower than a tile in rows that are no power of two.
const EDGE4: Shape = Shape { slots: 5, lanes: 4, ..EDGE };

/// Probabilities of a pause.
#[derive(Debug, Clone, Copy, Default)]
struct Stalls {
    command: f64,
    request: f64,
    beat: f64,
    sums: f64,
    latency: u64,
}

struct Panel {
    rows: usize,
    planes: usize,
    columns: usize,
    to_head: bool,
    address: u64,
    matrix: Ternary,
}

/// A word of sums that must come: rows past the last tile are not compared.
struct Word {
    sums: Vec<Option<i32>>,
    slot: u64,
    last: bool,
    to_head: bool,
}

struct Bench {
    shape: Shape,
    clock: Clock,
    rst: Signal,
    slots: u64,
    slots_i: Signal,
    cmd: [Signal; 3],
    done: Signal,
    busy: Signal,
    issue: Signal,
    rd: [Signal; 6],
    a: [Signal; 4],
    sums: [[Signal; 5]; 2],
    random: Random,
    stalls: Stalls,
    memory: Vec<u8>,
    requests: VecDeque<(u64, u64, u64)>,
    ahead: u64,
    most_ahead: u64,
    commands: VecDeque<[u32; 16]>,
    offered: bool,
    taken: usize,
    finished: usize,
    writes: VecDeque<(u64, Vec<u8>)>,
    /// Blocks are written in order while commands run.
    beside: bool,
    expected: VecDeque<Word>,
    ready: [bool; 2],
    rd_ready: bool,
    held: [Option<Vec<u8>>; 2],
    issues: Vec<u64>,
    arrivals: Vec<u64>,
}

impl Bench {
    fn new(shape: Shape, stalls: Stalls, purpose: &str) -> (Sim, Bench) {
        let trace = trace_from_env();
        let Geometry { rows, groups, beat_bytes } = shape.geometry;
        let built = ModelSpec::terntable("tt_multiply")
            .parameter("Slots", shape.slots as u64)
            .parameter("Rows", rows as u64)
            .parameter("Groups", groups as u64)
            .parameter("BeatBytes", beat_bytes as u64)
            .parameter("PanelTiles", shape.panel_tiles as u64)
            .parameter("Lanes", shape.lanes as u64)
            .parameter("ActBlocks", shape.act_blocks as u64)
            .trace(trace.is_some())
            .build()
            .unwrap();
        let sim = Sim::open(&built, &SimOptions { seed: seed(), trace }).unwrap();
        let clock = sim.clock("clk_i", 1000).unwrap();
        let s = |name: &str| sim.signal(name).unwrap();
        let sums = |unit: &str| {
            ["valid_o", "ready_i", "data_o", "slot_o", "last_o"]
                .map(|n| s(&format!("{unit}sums_{n}")))
        };
        let bench = Bench {
            shape,
            rst: s("rst_ni"),
            slots: 0,
            slots_i: s("slots_i"),
            cmd: ["cmd_valid_i", "cmd_ready_o", "cmd_i"].map(s),
            done: s("done_o"),
            busy: s("busy_o"),
            issue: s("issue_o"),
            rd: [
                "rd_valid_o",
                "rd_ready_i",
                "rd_address_o",
                "rd_beats_o",
                "rd_data_valid_i",
                "rd_data_i",
            ]
            .map(s),
            a: ["a_write_i", "a_address_i", "a_data_i", "a_blocks_i"].map(s),
            sums: [sums("v"), sums("h")],
            random: Random::new(seed(), purpose),
            stalls,
            memory: Vec::new(),
            requests: VecDeque::new(),
            ahead: 0,
            most_ahead: 0,
            commands: VecDeque::new(),
            offered: false,
            taken: 0,
            finished: 0,
            writes: VecDeque::new(),
            beside: false,
            expected: VecDeque::new(),
            ready: [false; 2],
            rd_ready: false,
            held: [None, None],
            issues: Vec::new(),
            arrivals: Vec::new(),
            clock,
        };
        (sim, bench)
    }

    fn set_slots(&mut self, slots: u64) {
        self.slots = slots;
        self.slots_i.set(slots);
    }

    async fn reset(&mut self) {
        self.rst.set(0);
        for signal in
            [&self.cmd[0], &self.rd[1], &self.rd[4], &self.a[0], &self.sums[0][1], &self.sums[1][1]]
        {
            signal.set(0);
        }
        self.requests.clear();
        self.commands.clear();
        self.writes.clear();
        self.expected.clear();
        self.memory.clear();
        self.issues.clear();
        self.arrivals.clear();
        (self.ahead, self.taken, self.finished) = (0, 0, 0);
        (self.offered, self.rd_ready, self.ready, self.held) =
            (false, false, [false; 2], [None, None]);
        let cycles = self.random.range(1, 4);
        self.clock.cycles(cycles).await;
        self.rst.set(1);
    }

    /// A panel of random weights, packed into memory.
    fn panel(&mut self, rows: usize, planes: usize, columns: usize, to_head: bool) -> Panel {
        let geometry = self.shape.geometry;
        let tiles = geometry.tiles(rows) * planes;
        let extreme = self.random.chance(0.2);
        let mut weights = Vec::new();
        for tile in 0..tiles {
            for i in 0..geometry.rows {
                let there = tile / planes * geometry.rows + i < rows;
                weights.extend((0..columns).map(|_| match (there, extreme) {
                    (false, _) => 0,
                    (true, true) => 1 - 2 * ((tile % 2) as i8),
                    (true, false) => self.random.trit(),
                }));
            }
        }
        let matrix = Ternary::new(tiles * geometry.rows, columns, weights, 1.0).unwrap();
        let gap = self.random.range(0, 20) as usize * geometry.beat_bytes;
        let address = self.memory.len() + gap;
        self.memory.resize(address, 0xee);
        self.memory.extend(pack_panel(&geometry, &matrix, 0, matrix.rows));
        Panel { rows, planes, columns, to_head, address: address as u64, matrix }
    }

    /// Activations of a pass: a vector for each slot.
    fn activations(&mut self, slots: usize, columns: usize) -> Vec<Vec<i8>> {
        let extreme = self.random.chance(0.2);
        let mut one = || if extreme { -128 } else { self.random.int8() };
        (0..slots).map(|_| (0..columns).map(|_| one()).collect()).collect()
    }

    /// Queues the writes of buffer A, unused slots and blocks as noise: beside the commands that follow
    /// in the order of the blocks, before them in any order.
    fn write_activations(&mut self, x: &[Vec<i8>]) {
        let width = self.shape.geometry.block_cols();
        let blocks = self.shape.geometry.blocks(x[0].len());
        let mut words = Vec::new();
        for block in 0..(blocks + 1).min(self.shape.act_blocks) {
            for slot in 0..self.shape.slots {
                let mut word: Vec<u8> = (0..width).map(|_| self.random.bits() as u8).collect();
                if slot < x.len() && block < blocks {
                    word = (0..width)
                        .map(|c| x[slot].get(block * width + c).map_or(0, |v| *v as u8))
                        .collect();
                }
                words.push(((block * self.shape.slots + slot) as u64, word));
            }
        }
        self.beside = self.random.chance(0.5);
        let apart = if self.beside { self.shape.slots } else { words.len() };
        for words in words.chunks_mut(apart) {
            for i in (1..words.len()).rev() {
                words.swap(i, self.random.range(0, i as u64) as usize);
            }
        }
        self.writes.extend(words);
    }

    /// Queues the command and what it must give.
    fn multiply(&mut self, panel: &Panel, x: &[Vec<i8>]) {
        let geometry = self.shape.geometry;
        let tiles = geometry.tiles(panel.rows) * panel.planes;
        let blocks = geometry.blocks(panel.columns);
        let mut command = [0_u32; 16];
        command[0] = 0x30
            | (self.random.bits() as u32 & 0xff) << 8
            | (panel.planes as u32 - 1) << 16
            | u32::from(panel.to_head) << 17;
        command[1] = panel.address as u32;
        command[2] = (panel.address >> 32) as u32;
        command[3] = tiles as u32;
        command[4] = blocks as u32;
        self.commands.push_back(command);

        let (rows, lanes) = (geometry.rows, self.shape.lanes);
        let chunk = rows * lanes / gcd(rows, lanes);
        let all = tiles * rows / panel.planes;
        let dot = |row: &[i8], x: &[i8]| -> i32 {
            row.iter().zip(x).map(|(w, x)| i32::from(*w) * i32::from(*x)).sum()
        };
        for first in (0..all).step_by(chunk) {
            let words = (all - first).min(chunk).div_ceil(lanes);
            for (slot, x) in x.iter().enumerate() {
                for word in 0..words {
                    for plane in 0..panel.planes {
                        let sums = (0..lanes)
                            .map(|l| {
                                let row = first + word * lanes + l;
                                let at = (row / rows * panel.planes + plane) * rows + row % rows;
                                (row < all).then(|| dot(panel.matrix.row(at), x))
                            })
                            .collect();
                        let slot = slot as u64;
                        self.expected.push_back(Word {
                            sums,
                            slot,
                            last: false,
                            to_head: panel.to_head,
                        });
                    }
                }
            }
        }
        self.expected.back_mut().unwrap().last = true;
    }

    async fn step(&mut self) {
        self.clock.rising_edge().await;
        let now = self.clock.cycle();
        if self.issue.high() {
            self.issues.push(now);
        }
        self.finished += usize::from(self.done.high());
        assert!(self.finished <= self.taken, "cycle {now}: done without a command");

        // Commands.
        if self.offered && self.cmd[1].high() {
            self.commands.pop_front();
            (self.offered, self.taken) = (false, self.taken + 1);
        }
        let may_start = self.beside || self.writes.is_empty();
        if may_start && !self.commands.is_empty() && !self.offered {
            self.offered = !self.random.chance(self.stalls.command);
        }
        self.cmd[0].set(u64::from(self.offered));
        match self.commands.front() {
            Some(command) if self.offered => {
                let bytes: Vec<u8> = command.iter().flat_map(|w| w.to_le_bytes()).collect();
                self.cmd[2].set_bytes(&bytes);
            }
            _ => self.cmd[2].set_bytes(&[0xff; 64]),
        }

        // Buffer A.
        let first = self.writes.front().map(|(address, _)| address / self.shape.slots as u64);
        self.a[3].set(if self.beside { first.unwrap_or(0xffff) } else { 0xffff });
        let pauses = self.beside && self.random.chance(self.stalls.beat);
        match if pauses { None } else { self.writes.pop_front() } {
            Some((address, word)) => {
                self.a[0].set(1);
                self.a[1].set(address);
                self.a[2].set_bytes(&word);
            }
            None => self.a[0].set(0),
        }

        self.memory_step(now);

        // Sums.
        for unit in 0..2 {
            let [valid, ready, data, slot, last] = &self.sums[unit];
            let mut payload = vec![0; 3 * self.shape.lanes];
            data.get_bytes(&mut payload);
            payload.extend([slot.get() as u8, last.get() as u8]);
            if let Some(held) = &self.held[unit] {
                assert!(valid.high() && *held == payload, "cycle {now}: sums {unit} did not hold");
            }
            self.held[unit] = (valid.high() && !self.ready[unit]).then(|| payload.clone());
            if valid.high() && self.ready[unit] {
                let word = self.expected.pop_front();
                let word = word.unwrap_or_else(|| panic!("cycle {now}: sums that nobody expects"));
                let found: Vec<i32> = payload[..3 * self.shape.lanes]
                    .chunks(3)
                    .map(|b| i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8)
                    .collect();
                let equal = word
                    .sums
                    .iter()
                    .zip(&found)
                    .all(|(want, found)| want.is_none_or(|w| w == *found));
                assert!(
                    equal && word.slot == slot.get() && word.last == last.high(),
                    "cycle {now}: slot {} last {} {:?}, found slot {} last {} {found:?}",
                    word.slot,
                    word.last,
                    word.sums,
                    slot.get(),
                    last.high()
                );
                assert!(word.to_head == (unit == 1), "cycle {now}: sums for the other unit");
                self.arrivals.push(now);
            }
            self.ready[unit] = !self.random.chance(self.stalls.sums);
            ready.set(u64::from(self.ready[unit]));
        }
    }

    fn memory_step(&mut self, now: u64) {
        let [valid, ready, address, beats, data_valid, data] = &self.rd;
        let size = self.shape.geometry.beat_bytes as u64;
        if valid.high() && self.rd_ready {
            let (address, beats) = (address.get(), beats.get());
            assert!(address.is_multiple_of(size), "cycle {now}: {address:#x}");
            assert!((1..=16).contains(&beats) && address / size % 16 + beats <= 16, "cycle {now}");
            self.requests.push_back((address, beats, now + self.stalls.latency.max(1)));
            self.ahead += beats;
            self.most_ahead = self.most_ahead.max(self.ahead);
        }
        let able = !self.random.chance(self.stalls.beat);
        match self.requests.front_mut() {
            Some((address, beats, at)) if able && *at <= now + 1 => {
                data_valid.set(1);
                let from = *address as usize;
                data.set_bytes(&self.memory[from..from + size as usize]);
                (*address, *beats, self.ahead) = (*address + size, *beats - 1, self.ahead - 1);
                if *beats == 0 {
                    self.requests.pop_front();
                }
            }
            _ => data_valid.set(0),
        }
        self.rd_ready = !self.random.chance(self.stalls.request);
        ready.set(u64::from(self.rd_ready));
    }

    async fn until(&mut self, what: &str, done: impl Fn(&Bench) -> bool) {
        let limit = self.clock.cycle() + 400_000;
        while !done(self) {
            self.step().await;
            assert!(self.clock.cycle() < limit, "{what}: not after 400,000 cycles");
        }
    }

    async fn finish(&mut self) {
        self.until("all sums", |b| b.expected.is_empty() && b.commands.is_empty()).await;
        for _ in 0..50 {
            self.step().await;
        }
        assert!(!self.busy.high() && self.requests.is_empty(), "idle at the end");
        assert_eq!(self.finished, self.taken, "a done for each command");
    }

    /// Passes of several panels over the same activations, with new activations as soon as the old
    /// ones have been read.
    async fn passes(&mut self, passes: usize) {
        let geometry = self.shape.geometry;
        for pass in 0..passes {
            let most = self.shape.slots as u64;
            let slots = if pass == 0 { most } else { self.random.range(1, most) };
            if slots != self.slots {
                self.finish().await;
                self.set_slots(slots);
            }
            let limit = (self.shape.act_blocks * geometry.block_cols()) as u64;
            let long = if self.random.chance(0.3) { limit } else { limit.min(100) };
            let columns = self.random.range(1, long) as usize;
            let x = self.activations(slots as usize, columns);
            self.until("the activations are read", |b| {
                b.finished == b.taken && b.commands.is_empty()
            })
            .await;
            self.write_activations(&x);
            for _ in 0..self.random.range(1, 5) {
                let planes = self.random.range(1, 2) as usize;
                let most = (self.shape.panel_tiles / planes * geometry.rows) as u64;
                let few = if self.random.chance(0.5) { most.min(40) } else { most };
                let rows = self.random.range(1, few) as usize;
                let to_head = self.random.chance(0.3);
                let panel = self.panel(rows, planes, columns, to_head);
                self.multiply(&panel, &x);
            }
        }
        self.finish().await;
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

const FAST: Stalls = Stalls { command: 0.0, request: 0.0, beat: 0.0, sums: 0.0, latency: 1 };
const SLOW: Stalls = Stalls { command: 0.5, request: 0.5, beat: 0.3, sums: 0.5, latency: 40 };

fn run(shape: Shape, passes: usize) {
    let cases = [
        ("fast", FAST),
        ("slow", SLOW),
        ("slow sums", Stalls { sums: 0.9, ..FAST }),
        ("slow weights", Stalls { beat: 0.9, ..FAST }),
    ];
    for (name, stalls) in cases {
        let (sim, mut bench) = Bench::new(shape, stalls, name);
        sim.block_on(async {
            bench.reset().await;
            bench.set_slots(shape.slots as u64);
            bench.passes(passes).await;
        })
        .unwrap();
        let (panels, words) = (bench.taken, bench.arrivals.len());
        eprintln!("{shape:?} {name}: {panels} panels, {words} words, {} beats", bench.issues.len());
    }
}

#[test]
fn panels_of_the_small_card_are_the_products() {
    run(SMALL, 12);
}

#[test]
fn words_longer_than_a_tile_and_six_slots() {
    run(SMALL8, 8);
}

#[test]
fn one_slot() {
    run(ONE, 8);
}

#[test]
fn panels_of_the_edge_card_are_the_products() {
    run(EDGE, 5);
}

#[test]
fn words_shorter_than_a_tile_and_five_slots() {
    run(EDGE4, 5);
}

#[test]
fn every_count_of_tiles_of_a_chunk_in_both_planes() {
    let (sim, mut bench) = Bench::new(SMALL, FAST, "chunks");
    sim.block_on(async {
        bench.reset().await;
        for slots in 1..=4 {
            bench.set_slots(slots);
            let x = bench.activations(slots as usize, 31);
            bench.write_activations(&x);
            for rows in 1..=45 {
                for planes in [1, 2] {
                    let panel = bench.panel(rows, planes, 31, planes == 2);
                    bench.multiply(&panel, &x);
                }
            }
            bench.finish().await;
        }
    })
    .unwrap();
}

#[test]
fn four_panels_are_taken_while_no_sums_leave() {
    let (sim, mut bench) = Bench::new(SMALL, FAST, "queue");
    sim.block_on(async {
        bench.reset().await;
        bench.set_slots(4);
        let x = bench.activations(4, 60);
        bench.write_activations(&x);
        for i in 0..6 {
            let panel = bench.panel(60 + i, 1, 60, false);
            bench.multiply(&panel, &x);
        }
        bench.stalls.sums = 1.0;
        for _ in 0..3000 {
            bench.step().await;
        }
        assert!(bench.taken >= 4, "{} commands taken", bench.taken);
        bench.stalls.sums = 0.0;
        bench.finish().await;
    })
    .unwrap();
}

#[test]
fn a_reset_in_the_middle_leaves_nothing_behind() {
    for stalls in [FAST, SLOW] {
        let (sim, mut bench) = Bench::new(SMALL, stalls, "reset");
        sim.block_on(async {
            for _ in 0..20 {
                bench.reset().await;
                let slots = bench.random.range(1, 4);
                bench.set_slots(slots);
                let x = bench.activations(slots as usize, 70);
                bench.write_activations(&x);
                for _ in 0..6 {
                    let (rows, planes) = (bench.random.range(1, 120), bench.random.range(1, 2));
                    let panel = bench.panel(rows as usize, planes as usize, 70, false);
                    bench.multiply(&panel, &x);
                }
                for _ in 0..bench.random.range(1, 1500) {
                    bench.step().await;
                }
            }
            bench.reset().await;
            bench.set_slots(4);
            bench.passes(2).await;
        })
        .unwrap();
    }
}

#[test]
fn beats_a_cycle() {
    let timed = Stalls { latency: 32, ..FAST };
    for slots in [1, 4, 16] {
        let (sim, mut bench) = Bench::new(EDGE, timed, "throughput");
        let (rows, columns, panels) = (64 * 7, 45 * 40, 5);
        sim.block_on(async {
            bench.reset().await;
            bench.set_slots(slots);
            let x = bench.activations(slots as usize, columns);
            bench.write_activations(&x);
            for i in 0..panels {
                let panel = bench.panel(rows / (1 + i % 2), 1 + i % 2, columns, false);
                bench.multiply(&panel, &x);
            }
            bench.finish().await;
        })
        .unwrap();
        let (first, last) = (bench.issues[0], *bench.issues.last().unwrap());
        let beats = bench.issues.len() as f64;
        let share = beats / (last - first + 1) as f64;
        let tail = bench.arrivals.last().unwrap() - last;
        eprintln!(
            "{slots} slots: {panels} panels of 64 tiles x 40 blocks, latency 32: {share:.4} beats a cycle, \
             {} ahead at most, last sums {tail} cycles after the last beat",
            bench.most_ahead
        );
        assert!(bench.most_ahead >= 112 && share > if slots == 1 { 0.99 } else { 0.96 });
    }
}
