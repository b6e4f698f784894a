//! The vector unit and its loader with agents on every port.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};
use terntable_testbench::{
    Clock, Signal, Sim,
    agents::{ClientMemory, MemoryTiming, ReadClient, Sink, Source},
    build::{ModelSpec, workspace_root},
    seed::Random,
    sim::{SimOptions, trace_from_env},
};

/// Sizes of the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub slots: usize,
    pub rows: usize,
    pub groups: usize,
    pub lanes: usize,
    pub beat: usize,
    /// 1: small buffers, 4: those of longer rows.
    pub size: usize,
}

impl Shape {
    pub const L4: Shape = Shape { slots: 4, rows: 5, groups: 5, lanes: 4, beat: 16, size: 1 };
    /// A beat is two words, as on `kv260`.
    pub const L8: Shape = Shape { slots: 3, rows: 7, groups: 5, lanes: 8, beat: 64, size: 1 };
    pub const L2: Shape = Shape { slots: 2, rows: 6, groups: 5, lanes: 2, beat: 16, size: 1 };
    pub const L16: Shape = Shape { slots: 2, rows: 7, groups: 15, lanes: 16, beat: 64, size: 1 };
    pub const KV260: Shape = Shape { slots: 16, rows: 7, groups: 15, lanes: 8, beat: 64, size: 16 };

    pub fn block(&self) -> usize {
        3 * self.groups
    }
    pub fn words(&self, n: usize) -> usize {
        n.div_ceil(self.lanes)
    }
    pub fn act_blocks(&self) -> usize {
        32 * self.size
    }
    pub fn param_words(&self) -> usize {
        if self.size > 1 { 1024 } else { 256 / self.lanes }
    }
    pub fn residual_words(&self) -> usize {
        1024 * self.slots * self.size / self.lanes / 4
    }
    pub fn work_words(&self) -> usize {
        1024 * self.slots * self.size / self.lanes
    }
    pub fn query_words(&self) -> usize {
        if self.size > 1 { 1024 } else { 256 }
    }
    pub fn chunk(&self) -> usize {
        lcm(self.rows, self.lanes)
    }

    pub fn spec(&self) -> ModelSpec {
        let root = workspace_root();
        let roots = [root.join("testbench/tests/vector"), root.join("rtl")];
        ModelSpec::new("tb_vector", roots)
            .parameter("Slots", self.slots as u64)
            .parameter("Rows", self.rows as u64)
            .parameter("Groups", self.groups as u64)
            .parameter("Lanes", self.lanes as u64)
            .parameter("BeatBytes", self.beat as u64)
            .parameter("ResidualWords", self.residual_words() as u64)
            .parameter("WorkWords", self.work_words() as u64)
            .parameter("ActBlocks", self.act_blocks() as u64)
            .parameter("QueryWords", self.query_words() as u64)
            .parameter("ParamWords", self.param_words() as u64)
            .parameter("HeadDimMax", if self.size > 1 { 128 } else { 64 })
            .parameter("HeadsMax", if self.size > 1 { 32 } else { 8 })
    }
}

pub fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

/// Bits, from the lowest on.
#[derive(Default)]
pub struct Bits {
    pub bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    pub fn put(&mut self, width: usize, value: u64) -> &mut Self {
        for i in 0..width {
            if self.at.is_multiple_of(8) {
                self.bytes.push(0);
            }
            self.bytes[self.at / 8] |= ((value >> i & 1) as u8) << (self.at % 8);
            self.at += 1;
        }
        self
    }
}

/// A row that went to the KV writer.
#[derive(Debug, Clone, PartialEq)]
pub struct KvRow {
    pub values: Vec<i8>,
    pub step: f32,
    pub slot: usize,
    pub head: usize,
    pub value: bool,
    pub base: u64,
}

/// What the ports wrote, by address.
#[derive(Default)]
pub struct Written {
    pub a: BTreeMap<u64, Vec<u8>>,
    pub q: BTreeMap<u64, Vec<u8>>,
    pub factors: BTreeMap<(usize, usize), f32>,
}

/// How unhelpful the surroundings are.
#[derive(Debug, Clone, Copy)]
pub struct Stalls {
    pub sums: f64,
    pub kv: f64,
    pub memory: f64,
    pub latency: u32,
}

impl Stalls {
    pub const NONE: Stalls = Stalls { sums: 0.0, kv: 0.0, memory: 0.0, latency: 4 };
}

pub struct Bench {
    pub shape: Shape,
    pub sim: Sim,
    pub clock: Clock,
    pub memory: ClientMemory,
    pub written: Rc<RefCell<Written>>,
    pub sums: Source,
    pub cmd: Source,
    pub load: Source,
    pub att: Source,
    kv: Sink,
    clients: [ReadClient; 2],
    done: Rc<Cell<[u64; 2]>>,
    last_done: Rc<Cell<u64>>,
    kv_busy: Rc<Cell<u64>>,
    index: Signal,
    x: Signal,
    y: Signal,
    step_a: Signal,
    reset: Signal,
}

impl Bench {
    pub fn new(shape: Shape, stalls: Stalls, seed: u64) -> Self {
        let trace = trace_from_env();
        let built = shape.spec().trace(trace.is_some()).build().unwrap();
        let sim = Sim::open(&built, &SimOptions { seed, trace }).unwrap();
        let clock = sim.clock("clk_i", 4000).unwrap();
        let reset = sim.signal("rst_ni").unwrap();
        reset.set(0);
        sim.signal("kv_idle_i").unwrap().set(1);
        sim.block_on(clock.cycles(3)).unwrap();
        reset.set(1);
        sim.block_on(clock.cycles(1)).unwrap();
        let memory = ClientMemory::new(1 << 20, 4096);
        let timing = MemoryTiming {
            latency: stalls.latency,
            stall: stalls.memory,
            request_stall: stalls.memory,
            ..MemoryTiming::IDEAL
        };
        let client =
            |prefix: &str| ReadClient::new(&sim, &clock, prefix, &memory, timing, seed).unwrap();
        let clients = [client("rd"), client("ld")];
        let source = |name: &str, stall| Source::new(&sim, &clock, name, stall, seed).unwrap();
        let (sums, cmd) = (source("sums", stalls.sums), source("cmd", 0.0));
        let (load, att) = (source("load", 0.0), source("att", stalls.sums));
        let kv = Sink::new(&sim, &clock, "kv", stalls.kv, seed).unwrap();
        let written = Rc::new(RefCell::new(Written::default()));
        let done = Rc::new(Cell::new([0, 0]));
        let (last_done, kv_busy) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let signal = |name: &str| sim.signal(name).unwrap();
        let bench = Bench {
            shape,
            index: signal("index_i"),
            x: signal("x_o"),
            y: signal("y_o"),
            step_a: signal("step_a_o"),
            reset,
            memory,
            written,
            sums,
            cmd,
            load,
            att,
            kv,
            clients,
            done,
            last_done,
            kv_busy,
            clock,
            sim,
        };
        bench.watch(seed);
        bench
    }

    /// Writes to A, Q and factors, dones, and a KV writer that is busy for a while after a word.
    fn watch(&self, seed: u64) {
        let signal = |name: &str| self.sim.signal(name).unwrap();
        let names =
            ["a_write_o", "a_address_o", "a_data_o", "q_write_o", "q_address_o", "q_data_o"];
        let [aw, aa, ad, qw, qa, qd] = names.map(signal);
        let [fw, fs, fh, fd] =
            ["factor_write_o", "factor_slot_o", "factor_head_o", "factor_o"].map(signal);
        let [done, load_done, kv_valid, kv_idle] =
            ["done_o", "load_done_o", "kv_valid_o", "kv_idle_i"].map(signal);
        let (clock, written, dones) = (self.clock.clone(), self.written.clone(), self.done.clone());
        let (last, busy) = (self.last_done.clone(), self.kv_busy.clone());
        let mut random = Random::new(seed, "kv writer");
        self.sim.spawn(async move {
            let bytes = |s: &Signal| {
                let mut to = vec![0; s.bytes()];
                s.get_bytes(&mut to);
                to
            };
            loop {
                clock.rising_edge().await;
                if aw.high() {
                    written.borrow_mut().a.insert(aa.get(), bytes(&ad));
                }
                if qw.high() {
                    written.borrow_mut().q.insert(qa.get(), bytes(&qd));
                }
                if fw.high() {
                    let (slot, head) = (fs.get() as usize, fh.get() as usize);
                    let factor = f32::from_bits(fd.get() as u32);
                    written.borrow_mut().factors.insert((slot, head), factor);
                }
                let mut counts = dones.get();
                if done.high() {
                    counts[0] += 1;
                    last.set(clock.cycle());
                    assert!(busy.get() == 0, "done while the KV writer is busy");
                }
                counts[1] += u64::from(load_done.high());
                dones.set(counts);
                // A word that is offered may be taken in this cycle; the writer is then busy.
                if kv_valid.high() {
                    busy.set(random.range(3, 40));
                } else {
                    busy.set(busy.get().saturating_sub(1));
                }
                kv_idle.set(u64::from(busy.get() == 0));
            }
        });
    }

    /// Vector and load commands done so far.
    pub fn done(&self) -> [u64; 2] {
        self.done.get()
    }

    pub fn last_done(&self) -> u64 {
        self.last_done.get()
    }

    /// Runs until so many vector and load commands are done.
    pub fn run_until(&self, dones: [u64; 2], limit: u64) {
        let (done, clock) = (self.done.clone(), self.clock.clone());
        let wait = clock.until(limit, "commands to be done", || {
            done.get()[0] >= dones[0] && done.get()[1] >= dones[1]
        });
        self.sim.block_on(wait).unwrap().unwrap();
        assert_eq!(self.done(), dones);
    }

    pub fn cycles(&self, n: u64) {
        self.sim.block_on(self.clock.cycles(n)).unwrap();
    }

    /// Runs until the unit is idle, with what goes on beside commands.
    pub fn settle(&self) {
        let busy = self.sim.signal("busy_o").unwrap();
        let wait = self.clock.until(20_000, "the unit to be idle", || !busy.high());
        self.sim.block_on(wait).unwrap().unwrap();
        self.cycles(1);
    }

    pub fn set(&self, name: &str, bytes: &[u8]) {
        self.sim.signal(name).unwrap().set_bytes(bytes);
    }

    fn look(&self, signal: &Signal, index: usize) -> Vec<f32> {
        self.index.set(index as u64);
        self.cycles(1);
        let mut bytes = vec![0; signal.bytes()];
        signal.get_bytes(&mut bytes);
        floats(&bytes)
    }

    pub fn x_word(&self, index: usize) -> Vec<f32> {
        self.look(&self.x, index)
    }

    pub fn y_word(&self, index: usize) -> Vec<f32> {
        self.look(&self.y, index)
    }

    pub fn steps(&self) -> Vec<f32> {
        let mut bytes = vec![0; self.step_a.bytes()];
        self.step_a.get_bytes(&mut bytes);
        floats(&bytes)
    }

    /// The KV rows that have come since the last call.
    pub fn kv_rows(&self) -> Vec<KvRow> {
        let lanes = self.shape.lanes;
        let packet = self.kv.drain();
        let mut rows = Vec::new();
        let mut row: Option<KvRow> = None;
        for word in packet.words.chunks_exact(lanes + 12) {
            let side = &word[lanes..];
            let step = f32::from_le_bytes(side[3..7].try_into().unwrap());
            let base = side[7..12].iter().rev().fold(0, |b, &x| b << 8 | u64::from(x));
            let tag = KvRow {
                values: Vec::new(),
                step,
                slot: side[0].into(),
                head: side[1].into(),
                value: side[2] & 1 != 0,
                base,
            };
            let open = row.get_or_insert_with(|| tag.clone());
            assert!(
                (open.slot, open.head, open.step.to_bits()) == (tag.slot, tag.head, step.to_bits()),
                "the side band is constant over a row"
            );
            open.values.extend(word[..lanes].iter().map(|&b| b as i8));
            if side[2] & 2 != 0 {
                rows.extend(row.take());
            }
        }
        assert!(row.is_none(), "a KV row without an end");
        rows
    }

    /// Resets the unit in the middle of whatever it does.
    pub fn reset(&self) {
        self.reset.set(0);
        // A source that has nothing to send has nothing to forget.
        let sources = [&self.sums, &self.cmd, &self.load, &self.att];
        sources.iter().filter(|source| source.waiting() > 0).for_each(|source| source.reset());
        self.kv.reset();
        self.clients.iter().for_each(ReadClient::reset);
        self.cycles(3);
        self.kv.drain();
        *self.written.borrow_mut() = Written::default();
        self.done.set([0, 0]);
        self.kv_busy.set(0);
        self.reset.set(1);
        self.cycles(1);
    }
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}
