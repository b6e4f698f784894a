//! The sequencer alone: programs run in order and respect what they wait for, malformed ones end
//! with their error, and whatever happened, the next pass runs. Units and memory are simple models
//! with random latencies. At the end of the file: the page checker against a software CRC.

use std::collections::VecDeque;
use terntable_testbench::{
    Clock, Signal, Sim,
    agents::{ClientMemory, MemoryTiming, ReadClient},
    build::ModelSpec,
    seed::{Random, seed},
    sim::{SimOptions, trace_from_env},
};

const UNITS: usize = 6;
const LOAD: usize = 0;
const MULTIPLY: usize = 1;
const VECTOR: usize = 2;
const ATTENTION: usize = 3;
const HEAD: usize = 4;
const CHECK: usize = 5;
const STATE: u64 = 1 << 39;
const REGION: usize = 1 << 16;
const DESCRIPTOR: u64 = STATE | 0x1000;
const PROGRAM: u64 = 0x2000;
const TABLES: u64 = STATE | 0x8000;

/// Parameters of the card that a sequencer checks against.
#[derive(Debug, Clone, Copy)]
struct Card {
    slots: usize,
    rows: usize,
    groups: usize,
    beat: usize,
    panel_tiles: usize,
    lanes: usize,
    page_rows: usize,
    residual_words: usize,
    work_words: usize,
    act_blocks: usize,
    query_words: usize,
    param_words: usize,
    head_dim_max: usize,
    heads_max: usize,
    watchdog_bits: u32,
}

const SMALL: Card = Card {
    slots: 4,
    rows: 5,
    groups: 5,
    beat: 16,
    panel_tiles: 512,
    lanes: 4,
    page_rows: 8,
    residual_words: 1024,
    work_words: 2048,
    act_blocks: 128,
    query_words: 512,
    param_words: 512,
    head_dim_max: 64,
    heads_max: 8,
    watchdog_bits: 12,
};
/// The same with a record a beat and with two of them.
const BEAT64: Card = Card { beat: 64, slots: 3, lanes: 8, ..SMALL };
const BEAT128: Card = Card { beat: 128, slots: 5, ..SMALL };

type Command = [u32; 16];

/// What `begin` says.
#[derive(Debug, Clone, Copy)]
struct Model {
    hidden: usize,
    ffn: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    vocab: usize,
    kv_bits: usize,
    pages: usize,
}

const MODEL: Model = Model {
    hidden: 256,
    ffn: 300,
    heads: 4,
    kv_heads: 2,
    head_dim: 32,
    vocab: 777,
    kv_bits: 8,
    pages: 16,
};

impl Model {
    fn head_bytes(&self, card: &Card) -> usize {
        let rows = (card.page_rows * self.head_dim * self.kv_bits / 8).next_multiple_of(card.beat);
        2 * rows + 2 * (4 * card.page_rows).next_multiple_of(card.beat)
    }

    fn begin(&self, card: &Card) -> Command {
        let head_bytes = self.head_bytes(card);
        let mut c = [0; 16];
        c[0] = 0x01 | 2 << 16;
        c[1] = 0x4242_5454;
        c[4] = (self.hidden | self.ffn << 16) as u32;
        c[5] = (self.heads | self.kv_heads << 8 | self.head_dim << 16) as u32;
        c[6] = self.vocab as u32;
        c[7] = self.kv_bits as u32;
        for (i, word) in c.iter_mut().enumerate().take(13).skip(8) {
            *word = 0x3f80_0000 + i as u32;
        }
        c[13] = self.pages as u32;
        c[14] = head_bytes as u32;
        c[15] = (head_bytes * self.kv_heads) as u32;
        c
    }
}

const END: Command = [0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn command(opcode: u32, words: &[u32]) -> Command {
    let mut c = [0; 16];
    c[0] = opcode;
    c[1..=words.len()].copy_from_slice(words);
    c
}

fn opcode(c: &Command) -> u32 {
    c[0] & 0xff
}

fn waits(c: &Command) -> u32 {
    c[0] >> 8 & 0xff
}

/// The unit of a command; `None`: the sequencer itself.
fn unit(c: &Command) -> Option<usize> {
    Some(match opcode(c) {
        0x10 | 0x11 => LOAD,
        0x20..=0x25 => VECTOR,
        0x30 => MULTIPLY,
        0x40 => ATTENTION,
        0x50..=0x53 => HEAD,
        0x60 => CHECK,
        _ => return None,
    })
}

/// Bit of a multiply that follows the normalise before it.
const FOLLOWS: u32 = 1 << 18;

fn follows(c: &Command) -> bool {
    opcode(c) == 0x30 && c[0] & FOLLOWS != 0
}

fn takes_panel(c: &Command) -> bool {
    matches!(opcode(c), 0x21 | 0x22 | 0x23 | 0x50)
}

/// A slot record.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    token: u32,
    position: u32,
    row: u32,
    history: u32,
    mask: u32,
    head: bool,
    table: u64,
}

/// A pass: what lies in memory.
#[derive(Debug, Clone)]
struct Pass {
    slots: Vec<Slot>,
    program: Vec<Command>,
}

impl Pass {
    fn descriptor(&self) -> Vec<u32> {
        let mut words = vec![0; 16 * (1 + self.slots.len())];
        let bytes = 64 * self.program.len();
        words[..10].copy_from_slice(&[
            0x5353_5454,
            self.slots.len() as u32,
            PROGRAM as u32,
            (PROGRAM >> 32) as u32,
            bytes as u32,
            0,
            0x5000,
            0x80,
            0x6000,
            0x80,
        ]);
        for (slot, to) in self.slots.iter().zip(words[16..].chunks_exact_mut(16)) {
            to[..8].copy_from_slice(&[
                slot.token,
                slot.position,
                slot.row,
                slot.history,
                slot.mask,
                u32::from(slot.head),
                slot.table as u32,
                (slot.table >> 32) as u32,
            ]);
        }
        words
    }
}

/// A model of a unit: takes commands, finishes them in order after a random time.
#[derive(Default)]
struct Unit {
    /// Index in the program and the earliest cycle of the end of each command that was taken.
    running: VecDeque<(usize, u64)>,
    capacity: usize,
    ready: bool,
    taken: usize,
    /// Never finishes anything.
    stuck: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Failed { code: u64, command: u64, address: u64 },
}

/// The ports, and everything around them.
struct Machine {
    card: Card,
    clock: Clock,
    random: Random,
    image: Vec<u8>,
    state: Vec<u8>,
    reads: VecDeque<(u64, u64, u64)>,
    rd_ready: bool,
    stall: f64,
    latency: u64,
    slow: u64,
    units: [Unit; UNITS],
    pass: Pass,
    /// For each command of the program: started, finished.
    started: Vec<bool>,
    finished: Vec<bool>,
    /// Indices of the commands that give and take panels.
    gives: Vec<usize>,
    takes: Vec<usize>,
    done: u64,
    commands_done: u64,
    /// Multiplies that started beside the normalise that they follow.
    overlaps: u64,
    /// Errors of units to raise when this command has started.
    raise: Option<(usize, &'static str)>,
    quiet: bool,
    ports: Ports,
}

macro_rules! ports {
    ($($name:ident),*) => {
        struct Ports { $($name: Signal),* }
        impl Ports {
            fn new(sim: &Sim) -> Self {
                Ports { $($name: sim.signal(stringify!($name)).unwrap()),* }
            }
        }
    };
}

ports!(
    rst_ni,
    start_i,
    address_i,
    abort_i,
    step_mode_i,
    step_i,
    busy_o,
    paused_o,
    next_o,
    pass_done_o,
    commands_done_o,
    failed_o,
    code_o,
    command_o,
    address_o,
    rd_valid_o,
    rd_ready_i,
    rd_address_o,
    rd_beats_o,
    rd_data_valid_i,
    rd_data_i,
    slots_o,
    slot_o,
    cmd_valid_o,
    cmd_ready_i,
    cmd_o,
    done_i,
    beat_i,
    memory_error_i,
    memory_kind_i,
    memory_address_i,
    memory_quiet_i,
    page_error_i,
    table_error_i,
    checksum_error_i,
    checksum_address_i,
    halt_o,
    unit_rst_no
);

impl Machine {
    fn region(&mut self, address: u64) -> (&mut Vec<u8>, usize) {
        let offset = (address & (STATE - 1)) as usize;
        (if address & STATE == 0 { &mut self.image } else { &mut self.state }, offset)
    }

    fn write(&mut self, address: u64, bytes: &[u8]) {
        let (region, offset) = self.region(address);
        region[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn write_words(&mut self, address: u64, words: &[u32]) {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.write(address, &bytes);
    }

    /// Puts a pass into memory and forgets the one before.
    fn load(&mut self, pass: &Pass) {
        self.pass = pass.clone();
        self.write_words(DESCRIPTOR, &pass.descriptor());
        self.write_words(PROGRAM, pass.program.as_flattened());
        self.started = vec![false; pass.program.len()];
        self.finished = vec![false; pass.program.len()];
        let of = |f: fn(&Command) -> bool| {
            pass.program.iter().enumerate().filter(move |(_, c)| f(c)).map(|(i, _)| i).collect()
        };
        self.gives = of(|c| opcode(c) == 0x30);
        self.takes = of(takes_panel);
        self.commands_done = 0;
        self.done = 0;
        self.forget();
    }

    fn forget(&mut self) {
        for unit in &mut self.units {
            *unit = Unit { capacity: self.random.range(1, 6) as usize, ..Unit::default() };
        }
        self.reads.clear();
    }

    /// What happened at this rising edge, and what the world does next.
    fn step(&mut self) {
        let now = self.clock.cycle();
        let p = &self.ports;
        let halt = p.halt_o.high();
        for error in [&p.memory_error_i, &p.page_error_i, &p.table_error_i, &p.checksum_error_i] {
            error.set(0);
        }
        self.commands_done += p.commands_done_o.get();
        if !p.unit_rst_no.high() {
            let taken: Vec<usize> = self.units.iter().map(|u| u.taken).collect();
            let stuck: Vec<bool> = self.units.iter().map(|u| u.stuck).collect();
            self.forget();
            for (u, unit) in self.units.iter_mut().enumerate() {
                (unit.taken, unit.stuck) = (taken[u], stuck[u]);
            }
            self.ports.done_i.set(0);
            self.ports.rd_data_valid_i.set(0);
            self.ports.memory_quiet_i.set(1);
            return;
        }
        self.memory(now, halt);
        let done = self.work(now);
        let p = &self.ports;
        p.done_i.set(done);
        let quiet = self.reads.is_empty() && self.quiet;
        p.memory_quiet_i.set(u64::from(quiet));
    }

    fn memory(&mut self, now: u64, halt: bool) {
        let beat = self.card.beat as u64;
        if self.ports.rd_valid_o.high() && self.rd_ready {
            let (address, beats) = (self.ports.rd_address_o.get(), self.ports.rd_beats_o.get());
            assert!(
                address.is_multiple_of(beat) && (1..=16).contains(&beats),
                "{address:#x} {beats}"
            );
            assert!(address / beat % 16 + beats <= 16, "{address:#x} {beats} crosses a block");
            let due = now + 1 + self.random.range(0, self.latency);
            self.reads.push_back((due, address, beats));
        }
        self.rd_ready = !self.random.chance(self.stall);
        self.ports.rd_ready_i.set(u64::from(self.rd_ready));
        let stalled = self.random.chance(self.stall);
        let give = matches!(self.reads.front(), Some((due, ..)) if *due <= now) && !stalled;
        self.ports.rd_data_valid_i.set(u64::from(give));
        self.ports.beat_i.set(u64::from(give));
        if !give {
            return;
        }
        let (_, address, beats) = self.reads[0];
        let mut data = vec![0; beat as usize];
        if !halt {
            let (region, offset) = self.region(address);
            match region.get(offset..offset + beat as usize) {
                Some(bytes) => data.copy_from_slice(bytes),
                None => {
                    self.ports.memory_error_i.set(1);
                    self.ports.memory_kind_i.set(1);
                    self.ports.memory_address_i.set(address);
                }
            }
        }
        self.ports.rd_data_i.set_bytes(&data);
        if beats == 1 {
            self.reads.pop_front();
        } else {
            self.reads[0].1 += beat;
            self.reads[0].2 -= 1;
        }
    }

    /// The units; gives who finished a command.
    fn work(&mut self, now: u64) -> u64 {
        let valid = self.ports.cmd_valid_o.get();
        let mut commands = Vec::new();
        let mut done = 0;
        for u in 0..UNITS {
            // Taken.
            if valid >> u & 1 == 1 && self.units[u].ready {
                if commands.is_empty() {
                    commands = vec![0; 64 * UNITS];
                    self.ports.cmd_o.get_bytes(&mut commands);
                }
                self.start(u, &commands[64 * u..64 * (u + 1)], now);
            }
            if let Some(&(index, due)) = self.units[u].running.front()
                && due <= now
            {
                self.raise(u, index);
            }
            // Finished.
            if let Some(&(index, due)) = self.units[u].running.front()
                && due <= now
                && !self.units[u].stuck
                && self.can_finish(index)
            {
                self.units[u].running.pop_front();
                self.finished[index] = true;
                self.done += 1;
                done |= 1 << u;
            }
            let unit = &mut self.units[u];
            unit.ready = unit.running.len() < unit.capacity && !self.random.chance(self.stall);
        }
        let ready = (0..UNITS).map(|u| u64::from(self.units[u].ready) << u).sum();
        self.ports.cmd_ready_i.set(ready);
        done
    }

    /// Raises the error that is asked for when its command is about to finish.
    fn raise(&mut self, u: usize, index: usize) {
        if let Some((at, what)) = self.raise
            && at == index
        {
            let p = &self.ports;
            match what {
                "page" => p.page_error_i.set(1),
                "table" => p.table_error_i.set(1),
                "checksum" => {
                    p.checksum_error_i.set(1);
                    p.checksum_address_i.set(0x12_3456_7000);
                }
                "abort" => p.abort_i.set(1),
                "hang" => self.units[u].stuck = true,
                _ => panic!("{what}"),
            }
        }
    }

    fn can_finish(&self, index: usize) -> bool {
        if let Some(panel) = self.gives.iter().position(|&i| i == index) {
            // Two panels of sums may wait; the third needs the place of the first.
            return panel < 2 || self.takes.get(panel - 2).is_some_and(|&i| self.finished[i]);
        }
        match self.takes.iter().position(|&i| i == index) {
            Some(panel) => self.finished[self.gives[panel]],
            None => true,
        }
    }

    fn start(&mut self, u: usize, bytes: &[u8], now: u64) {
        let mut of_unit =
            (0..self.pass.program.len()).filter(|&i| unit(&self.pass.program[i]) == Some(u));
        let index = of_unit.nth(self.units[u].taken);
        let index = index.unwrap_or_else(|| panic!("unit {u} got a command too many"));
        let want = &self.pass.program[index];
        let words: Vec<u32> =
            bytes.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(words[..6], want[..6], "unit {u}, command {index}");
        assert!(words[6..].iter().all(|&w| w == 0), "{words:x?}");
        assert_safe(&self.card, &self.pass, want);
        for v in (0..UNITS).filter(|v| waits(want) >> v & 1 == 1) {
            let earlier = (0..index).filter(|&i| unit(&self.pass.program[i]) == Some(v));
            let runs = |i: usize| follows(want) && i + 1 == index && self.started[i];
            let late: Vec<usize> = earlier.filter(|&i| !self.finished[i] && !runs(i)).collect();
            assert!(
                late.is_empty(),
                "command {index} started before {late:?} of unit {v} finished"
            );
        }
        self.overlaps += u64::from(follows(want) && !self.finished[index - 1]);
        self.units[u].taken += 1;
        self.started[index] = true;
        let time = self.random.range(0, self.slow);
        self.units[u].running.push_back((index, now + 1 + time));
    }
}

/// A command that a unit got must keep it inside its buffers.
fn assert_safe(card: &Card, pass: &Pass, c: &Command) {
    let b = &pass.program[0];
    let (hidden, ffn) = (b[4] & 0xffff, b[4] >> 16);
    let (heads, kv_heads, head_dim, vocab) = (b[5] & 0xff, b[5] >> 8 & 0xff, b[5] >> 16, b[6]);
    let slots = pass.slots.len();
    let words = |n: u32| slots * (n as usize).div_ceil(card.lanes);
    assert!(words(hidden) <= card.residual_words && words(ffn) <= card.work_words, "{b:x?}");
    assert!(words(heads * head_dim) <= card.work_words && heads % kv_heads == 0, "{b:x?}");
    let queries = slots * heads as usize * (head_dim as usize).div_ceil(card.beat);
    assert!(queries <= card.query_words && heads as usize <= card.heads_max, "{b:x?}");
    assert!((head_dim as usize) <= card.head_dim_max && head_dim.is_multiple_of(16), "{b:x?}");
    let input = slots * (hidden as usize).div_ceil(card.beat);
    let params = (card.param_words * card.lanes) as u32;
    let end = u64::from(c[1]) + u64::from(c[2]);
    let first = u64::from(c[1]) | u64::from(c[2]) << 32;
    match opcode(c) {
        0x10 => assert!((1..=params).contains(&c[3]), "{c:x?}"),
        0x11 => assert!(pass.slots.iter().all(|s| s.position < c[3]), "{c:x?}"),
        0x20 => assert!(pass.slots.iter().all(|s| s.token < vocab), "{c:x?}"),
        0x21 => assert!(
            end <= u64::from(hidden) && (c[1] as usize).is_multiple_of(card.lanes),
            "{c:x?}"
        ),
        0x22 => {
            assert!(end <= u64::from(ffn) && (c[1] as usize).is_multiple_of(card.lanes), "{c:x?}")
        }
        0x23 => {
            let most = [heads, kv_heads, kv_heads][(c[0] >> 16 & 3) as usize];
            assert!(end <= u64::from(most), "{c:x?}");
        }
        0x25 => {
            let n = [hidden, heads * head_dim, ffn][(c[0] >> 16 & 3) as usize];
            assert!(n <= params, "{c:x?}");
            assert!((n as usize).div_ceil(3 * card.groups) <= card.act_blocks, "{c:x?}");
            let to_queries = c[0] >> 18 & 1 == 1;
            assert!(!to_queries || (input <= card.query_words && n == hidden), "{c:x?}");
        }
        0x30 => {
            assert!((1..=card.panel_tiles as u32).contains(&c[3]), "{c:x?}");
            assert!((1..=card.act_blocks as u32).contains(&c[4]), "{c:x?}");
        }
        0x50 => assert!(end <= u64::from(vocab), "{c:x?}"),
        0x51 | 0x52 => assert!(input <= card.query_words, "{c:x?}"),
        0x60 => assert!(c[3] > 0, "{c:x?}"),
        _ => {}
    }
    let addressed = matches!(opcode(c), 0x10 | 0x11 | 0x20 | 0x30 | 0x40 | 0x51 | 0x52 | 0x60);
    assert!(!addressed || first.is_multiple_of(card.beat as u64), "{c:x?}");
}

/// A machine with its simulation.
struct Bench {
    sim: Sim,
    m: Machine,
}

impl Bench {
    fn new(card: Card) -> Self {
        let trace = trace_from_env();
        let spec = [
            ("Slots", card.slots),
            ("Rows", card.rows),
            ("Groups", card.groups),
            ("BeatBytes", card.beat),
            ("PanelTiles", card.panel_tiles),
            ("Lanes", card.lanes),
            ("PageRows", card.page_rows),
            ("ResidualWords", card.residual_words),
            ("WorkWords", card.work_words),
            ("ActBlocks", card.act_blocks),
            ("QueryWords", card.query_words),
            ("ParamWords", card.param_words),
            ("HeadDimMax", card.head_dim_max),
            ("HeadsMax", card.heads_max),
            ("WatchdogBits", card.watchdog_bits as usize),
        ]
        .into_iter()
        .fold(ModelSpec::terntable("tt_sequencer"), |s, (n, v)| s.parameter(n, v as u64));
        let built = spec.trace(trace.is_some()).build().unwrap();
        let sim = Sim::open(&built, &SimOptions { seed: seed(), trace }).unwrap();
        let clock = sim.clock("clk_i", 4000).unwrap();
        let ports = Ports::new(&sim);
        let mut m = Machine {
            card,
            clock,
            random: Random::new(seed(), "sequencer"),
            image: vec![0; REGION],
            state: vec![0; REGION],
            reads: VecDeque::new(),
            rd_ready: false,
            stall: 0.2,
            latency: 20,
            slow: 60,
            units: Default::default(),
            pass: Pass { slots: Vec::new(), program: Vec::new() },
            started: Vec::new(),
            finished: Vec::new(),
            gives: Vec::new(),
            takes: Vec::new(),
            done: 0,
            commands_done: 0,
            overlaps: 0,
            raise: None,
            quiet: true,
            ports,
        };
        for offset in (0x8000..REGION as u64).step_by(4) {
            m.write_words(STATE | offset, &[page_at(offset)]);
        }
        let mut bench = Bench { sim, m };
        bench.reset();
        bench
    }

    fn reset(&mut self) {
        self.m.ports.rst_ni.set(0);
        self.m.forget();
        self.sim.block_on(self.m.clock.cycles(2)).unwrap();
        for input in [&self.m.ports.rd_data_valid_i, &self.m.ports.done_i, &self.m.ports.start_i] {
            input.set(0);
        }
        self.m.ports.abort_i.set(0);
        self.m.ports.rst_ni.set(1);
        self.sim.block_on(self.m.clock.cycles(3)).unwrap();
    }

    /// Steps until the condition gives something, at most `limit` cycles.
    fn until<T>(&mut self, limit: u64, f: impl Fn(&mut Machine) -> Option<T>) -> Option<T> {
        let m = &mut self.m;
        self.sim
            .block_on(async {
                for _ in 0..limit {
                    m.clock.rising_edge().await;
                    let found = f(m);
                    m.step();
                    if found.is_some() {
                        return found;
                    }
                }
                None
            })
            .unwrap()
    }

    fn doorbell(&mut self, address: u64) {
        self.m.ports.address_i.set(address);
        self.m.ports.start_i.set(1);
        self.until(1, |_| None::<()>);
        self.m.ports.start_i.set(0);
    }

    fn outcome(&mut self, limit: u64) -> Outcome {
        let outcome = self.until(limit, |m| {
            let p = &m.ports;
            p.abort_i.set(0);
            match (p.pass_done_o.high(), p.failed_o.high()) {
                (true, false) => Some(Outcome::Done),
                (false, true) => Some(Outcome::Failed {
                    code: p.code_o.get(),
                    command: p.command_o.get(),
                    address: p.address_o.get(),
                }),
                (true, true) => panic!("done and failed"),
                (false, false) => None,
            }
        });
        let outcome = outcome.unwrap_or_else(|| {
            let p = &self.m.ports;
            panic!("the pass never ended: next command {}, halt {}", p.next_o.get(), p.halt_o.get())
        });
        self.until(2, |_| None::<()>);
        assert!(!self.m.ports.busy_o.high() && !self.m.ports.halt_o.high(), "{outcome:x?}");
        outcome
    }

    fn run(&mut self, pass: &Pass) -> Outcome {
        self.m.load(pass);
        self.doorbell(DESCRIPTOR);
        self.outcome(100_000)
    }

    /// A pass that must complete.
    fn good(&mut self, pass: &Pass) {
        assert_eq!(self.run(pass), Outcome::Done, "{pass:x?}");
        let m = &self.m;
        for (i, c) in pass.program.iter().enumerate() {
            assert!(unit(c).is_none() || m.finished[i], "command {i} did not run");
        }
        assert_eq!(m.commands_done, pass.program.len() as u64);
        assert_eq!(m.ports.slots_o.get(), pass.slots.len() as u64);
        let mut bytes = vec![0; m.ports.slot_o.bytes()];
        m.ports.slot_o.get_bytes(&mut bytes);
        for (s, slot) in pass.slots.iter().enumerate() {
            let field = |at: usize, bits: usize| {
                (0..bits).fold(0u64, |v, b| {
                    let bit = 233 * s + at + b;
                    v | u64::from(bytes[bit / 8] >> (bit % 8) & 1) << b
                })
            };
            let entry = slot.table + 4 * u64::from(slot.row / m.card.page_rows as u32);
            let page = u64::from(page_at(entry & (STATE - 1)));
            let found = [field(0, 32), field(32, 32), field(64, 32), field(96, 32), field(128, 32)];
            let want = [slot.token, slot.position, slot.row, slot.history, slot.mask];
            assert_eq!(found, want.map(u64::from), "slot {s}");
            assert_eq!(field(160, 40), slot.table, "slot {s}");
            assert_eq!(field(200, 32), page, "slot {s}");
            assert_eq!(field(232, 1), u64::from(slot.head), "slot {s}");
        }
    }
}

/// What the page tables hold at an offset of the state.
fn page_at(offset: u64) -> u32 {
    (offset as u32 / 4) ^ 0x5a5a
}

fn random_slots(card: &Card, model: &Model, random: &mut Random) -> Vec<Slot> {
    let count = random.range(1, card.slots as u64) as usize;
    let rows = (model.pages * card.page_rows) as u64;
    let mut slots: Vec<Slot> = Vec::new();
    for s in 0..count {
        let mut slot = Slot {
            token: random.range(0, model.vocab as u64 - 1) as u32,
            position: random.range(0, 499) as u32,
            row: random.range(0, rows - 1) as u32,
            history: random.range(0, rows) as u32,
            mask: random.bits() as u32,
            head: random.chance(0.5),
            table: TABLES + 0x1000 * s as u64 + 4 * random.range(0, 7),
        };
        if s > 0 && random.chance(0.5) {
            (slot.table, slot.history) = (slots[s - 1].table, slots[s - 1].history);
        }
        slots.push(slot);
    }
    slots
}

/// A command that takes a panel, and the multiply that gives it.
fn random_panel(card: &Card, model: &Model, random: &mut Random) -> (Command, Command) {
    let beat = card.beat as u32;
    let address = random.range(0, 999) as u32 * beat;
    let mut flags = 0;
    let (take, rows, planes) = match random.range(0, 3) {
        0 | 1 => {
            let gate = random.chance(0.5);
            let n = if gate { model.ffn } else { model.hidden };
            let first = random.range(0, (n - 1) as u64) as usize / card.lanes * card.lanes;
            let rows = random.range(1, (n - first) as u64) as usize;
            flags = u32::from(gate);
            let last = u32::from(first + rows == n);
            let words = [first as u32, rows as u32, 0x3f80_0000, 0x4000_0000];
            (command((0x21 + flags) | last << 16, &words), rows, 1 + flags as usize)
        }
        2 => {
            let kind = random.range(0, 2) as u32;
            let most = if kind == 0 { model.heads } else { model.kv_heads } as u64;
            let first = random.range(0, most - 1);
            let heads = random.range(1, most - first);
            let base = [random.range(0, 999) as u32 * beat, 0x80];
            let words = [first as u32, heads as u32, 0x3f80_0000, base[0], base[1]];
            (command(0x23 | kind << 16, &words), heads as usize * model.head_dim, 1)
        }
        _ => {
            let first = random.range(0, model.vocab as u64 - 1);
            let most = (model.vocab as u64 - first).min((card.panel_tiles * card.rows) as u64);
            let rows = random.range(1, most);
            flags = 2;
            (command(0x50, &[first as u32, rows as u32, address, 0]), rows as usize, 1)
        }
    };
    let tiles = (rows.div_ceil(card.rows) * planes) as u32;
    let blocks = random.range(1, card.act_blocks as u64) as u32;
    (command(0x30 | flags << 16, &[address, 0, tiles, blocks]), take)
}

/// A program that may run, with everything in any order that is allowed.
fn random_program(card: &Card, model: &Model, random: &mut Random) -> Vec<Command> {
    let mut program = vec![model.begin(card)];
    let mut pending: VecDeque<Command> = VecDeque::new();
    let count = random.range(0, 60);
    for n in 0..u64::MAX {
        if n >= count && pending.is_empty() {
            break;
        }
        let address = random.range(0, 999) as u32 * card.beat as u32;
        let normalised = program.last().is_some_and(|c| opcode(c) == 0x25);
        let choice = if n < count { 15 } else { 1 };
        let choice = if normalised && n < count { 5 } else { choice };
        let mut c = match random.range(0, choice) {
            0..=3 => match pending.front() {
                Some(c) => *c,
                None => continue,
            },
            4..=6 if pending.len() < 4 => {
                let (give, take) = random_panel(card, model, random);
                pending.push_back(take);
                give
            }
            4..=6 => continue,
            7 => command(0x10, &[address, 0, random.range(1, 2048) as u32]),
            8 => command(0x11, &[address, 0, 500]),
            9 => command(0x20, &[address, 1]),
            10 => command(0x24, &[]),
            11 => command(0x25 | [0, 1, 2, 4, 8][random.range(0, 4) as usize] << 16, &[]),
            12 => command(0x40, &[address, 0x80]),
            13 => command(0x51 + random.range(0, 1) as u32, &[address, 0]),
            14 => command(0x53, &[]),
            _ => command(0x60, &[address, 0, random.range(1, 9) as u32, address, 0]),
        };
        let before = pending.len() - usize::from(opcode(&c) == 0x30);
        if random.chance(0.4) {
            let most = if before > 2 { 0x3d } else { 0x3f };
            c[0] |= ((random.bits() & random.bits()) as u32 & most) << 8;
        }
        if normalised && opcode(&c) == 0x30 && random.chance(0.7) {
            c[0] |= FOLLOWS | 0x04 << 8;
        }
        if takes_panel(&c) {
            pending.pop_front();
        }
        program.push(c);
    }
    program.push(END);
    program
}

fn random_pass(card: &Card, model: &Model, random: &mut Random) -> Pass {
    Pass { slots: random_slots(card, model, random), program: random_program(card, model, random) }
}

/// A short pass with something for every unit.
fn plain_pass(card: &Card) -> Pass {
    let model = MODEL;
    let tiles = (2 * model.head_dim).div_ceil(card.rows) as u32;
    let slot =
        Slot { token: 5, position: 3, row: 9, history: 9, mask: 1, head: true, table: TABLES };
    let program = vec![
        model.begin(card),
        command(0x10, &[0x400, 0, 256]),                   // 1
        command(0x20, &[0x800, 0]),                        // 2
        command(0x25 | 0x01 << 8, &[]),                    // 3
        command(0x30 | 0x04 << 8, &[0xc00, 0, tiles, 18]), // 4
        command(0x23 | 1 << 16, &[0, 2, 0x3f80_0000, 0x1000, 0x80]), // 5
        command(0x40 | 0x04 << 8, &[0x1000, 0x80]),        // 6
        command(0x30 | 2 << 16, &[0xc00, 0, 20, 18]),      // 7
        command(0x50 | 1 << 16, &[0, 20 * card.rows as u32, 0, 0]), // 8
        command(0x60, &[0x1000, 0, 1, 0x800, 0]),          // 9
        command(0x53, &[]),                                // 10
        END,                                               // 11
    ];
    Pass { slots: vec![slot; 2], program }
}

#[test]
fn random_programs_run_in_order_and_respect_what_they_wait_for() {
    for card in [SMALL, BEAT64, BEAT128] {
        let mut bench = Bench::new(card);
        let mut random = Random::new(seed(), "programs");
        for n in 0..120 {
            bench.m.stall = [0.0, 0.2, 0.6][n % 3];
            bench.m.slow = [0, 10, 300][n / 3 % 3];
            bench.m.latency = [1, 40][n / 9 % 2];
            let pass = random_pass(&card, &MODEL, &mut random);
            bench.good(&pass);
        }
        println!("{} multiplies started beside their normalise", bench.m.overlaps);
        assert!(bench.m.overlaps > 20, "{}", bench.m.overlaps);
    }
}

#[test]
fn a_command_reaches_an_idle_unit_in_a_few_cycles() {
    let mut bench = Bench::new(BEAT64);
    (bench.m.stall, bench.m.slow, bench.m.latency) = (0.0, 0, 0);
    let empty = Pass {
        slots: vec![Slot { table: TABLES, ..Slot::default() }],
        program: vec![MODEL.begin(&BEAT64), END],
    };
    let time = |bench: &mut Bench, pass: &Pass| {
        let start = bench.m.clock.cycle();
        bench.good(pass);
        bench.m.clock.cycle() - start
    };
    let bare = time(&mut bench, &empty);
    let mut pass = empty.clone();
    for _ in 0..100 {
        // Each waits for the one before.
        pass.program.insert(1, command(0x53 | 0x10 << 8, &[]));
    }
    let full = time(&mut bench, &pass);
    println!("an empty pass takes {bare} cycles, a command {:.2}", (full - bare) as f64 / 100.0);
    assert!(bare < 120, "{bare}");
    assert!(full - bare <= 700, "{full}");
}

/// What is wrong, how it is made, and the error: code and command.
type Bad = (&'static str, fn(&mut Pass), u64, u64);

const BAD: &[Bad] = &[
    ("opcode", |p| p.program[3][0] = 0x26, 0x10, 3),
    ("opcode zero", |p| p.program[1] = [0; 16], 0x10, 1),
    (
        "begin missing",
        |p| {
            p.program.remove(0);
        },
        0x11,
        0,
    ),
    ("begin again", |p| p.program.insert(4, p.program[0]), 0x12, 4),
    ("version", |p| p.program[0][0] = 0x01 | 1 << 16, 0x13, 0),
    ("magic", |p| p.program[0][1] ^= 1, 0x14, 0),
    ("hash low", |p| p.program[0][2] ^= 1 << 31, 0x15, 0),
    ("hash high", |p| p.program[0][3] ^= 1, 0x15, 0),
    ("hidden zero", |p| p.program[0][4] &= !0xffff, 0x16, 0),
    ("hidden too large", |p| p.program[0][4] = 2053 | 300 << 16, 0x16, 0),
    ("ffn too large", |p| p.program[0][4] = 256 | 4101 << 16, 0x16, 0),
    ("ffn longer than its weights", |p| p.program[0][4] = 256 | 2049 << 16, 0x16, 0),
    ("heads too many", |p| p.program[0][5] = 9 | 3 << 8 | 32 << 16, 0x16, 0),
    ("heads uneven", |p| p.program[0][5] = 5 | 2 << 8 | 32 << 16, 0x16, 0),
    ("kv heads zero", |p| p.program[0][5] = 4 | 32 << 16, 0x16, 0),
    ("head dim too large", |p| p.program[0][5] = 4 | 2 << 8 | 80 << 16, 0x16, 0),
    ("head dim uneven", |p| p.program[0][5] = 4 | 2 << 8 | 24 << 16, 0x16, 0),
    ("vocab zero", |p| p.program[0][6] = 0, 0x16, 0),
    ("kv bits", |p| p.program[0][7] = 5, 0x16, 0),
    ("pages zero", |p| p.program[0][13] = 0, 0x16, 0),
    ("head bytes", |p| p.program[0][14] += 16, 0x16, 0),
    ("page bytes", |p| p.program[0][15] += 16, 0x16, 0),
    ("token", |p| p.slots[1].token = 777, 0x1f, 0),
    ("row", |p| p.slots[1].row = 16 * 8, 0x1f, 0),
    ("history", |p| p.slots.iter_mut().for_each(|s| s.history = 16 * 8 + 1), 0x1f, 0),
    ("load of nothing", |p| p.program[1][3] = 0, 0x17, 1),
    ("load too long", |p| p.program[1][3] = 2049, 0x17, 1),
    ("rotary table too short", |p| p.program[1] = command(0x11, &[0, 0, 3]), 0x17, 1),
    ("normalise nothing", |p| p.program[3][0] |= 3 << 16, 0x17, 3),
    ("normalise work to queries", |p| p.program[3][0] |= 5 << 16, 0x17, 3),
    ("multiply no tiles", |p| p.program[4][3] = 0, 0x17, 4),
    ("multiply many tiles", |p| p.program[4][3] = 513, 0x17, 4),
    ("multiply no blocks", |p| p.program[4][4] = 0, 0x17, 4),
    ("multiply many blocks", |p| p.program[4][4] = 129, 0x17, 4),
    ("two planes, odd tiles", |p| p.program[4] = command(0x30 | 1 << 16, &[0, 0, 13, 4]), 0x17, 4),
    ("two planes to the head", |p| p.program[4] = command(0x30 | 3 << 16, &[0, 0, 12, 4]), 0x17, 4),
    ("project kind", |p| p.program[5][0] |= 3 << 16, 0x17, 5),
    ("project past the heads", |p| p.program[5][1] = 1, 0x17, 5),
    ("project far past the heads", |p| p.program[5][1] = u32::MAX, 0x17, 5),
    ("screen past the vocabulary", |p| p.program[8][1] = 700, 0x17, 8),
    ("check of nothing", |p| p.program[9][3] = 0, 0x17, 9),
    ("residual past the end", |p| p.program[5] = command(0x21, &[252, 8, 0]), 0x17, 5),
    ("residual on no word", |p| p.program[5] = command(0x21, &[2, 64, 0]), 0x17, 5),
    ("gate past the end", |p| p.program[5] = command(0x22, &[300, 1, 0]), 0x17, 5),
    ("load address", |p| p.program[1][1] += 8, 0x18, 1),
    ("load address high", |p| p.program[1][2] = 0x100, 0x18, 1),
    ("kv base address", |p| p.program[5][4] += 4, 0x18, 5),
    ("kv base in the image", |p| p.program[5][5] = 0, 0x18, 5),
    ("row weights address", |p| p.program[8][3] = 2, 0x18, 8),
    ("crc address", |p| p.program[9][4] += 4, 0x18, 9),
    (
        "taker without panel",
        |p| {
            p.program.remove(4);
        },
        0x19,
        4,
    ),
    ("panel of other tiles", |p| p.program[4][3] += 1, 0x19, 5),
    ("panel of fewer tiles", |p| p.program[4][3] -= 1, 0x19, 5),
    ("panel for the head", |p| p.program[4][0] |= 2 << 16, 0x19, 5),
    ("panel for the vector unit", |p| p.program[7][0] = 0x30, 0x19, 8),
    ("panel of two planes", |p| p.program[4] = command(0x30 | 1 << 16, &[0, 0, 26, 4]), 0x19, 5),
    ("no rows", |p| (p.program[7][3], p.program[8][2]) = (1, 0), 0x19, 8),
    ("five panels", |p| (0..4).for_each(|_| p.program.insert(4, p.program[4])), 0x1a, 8),
    (
        "panel left",
        |p| {
            p.program.remove(8);
        },
        0x1b,
        10,
    ),
    ("follows no normalise", |p| p.program[7][0] |= 4 << 16 | 0x400, 0x1c, 7),
    ("follows without waiting", |p| p.program[4][0] = 0x30 | 4 << 16, 0x1c, 4),
    ("waits for a unit that is none", |p| p.program[2][0] |= 0x4000, 0x1c, 2),
    (
        "waits for multiply behind three panels",
        |p| {
            (0..2).for_each(|_| p.program.insert(4, p.program[4]));
            p.program[7][0] |= 0x200;
        },
        0x1c,
        7,
    ),
    ("no end", |p| p.program.truncate(11), 0x1d, 11),
    ("more after end", |p| p.program.push(END), 0x1e, 11),
];

#[test]
fn every_malformed_command_has_its_error() {
    let mut bench = Bench::new(SMALL);
    let plain = plain_pass(&SMALL);
    bench.good(&plain);
    for &(name, break_it, code, index) in BAD {
        let mut pass = plain.clone();
        break_it(&mut pass);
        match bench.run(&pass) {
            Outcome::Failed { code: c, command: i, .. } if (c, i) == (code, index) => {}
            other => panic!("{name}: expected {code:#x} in command {index}, found {other:x?}"),
        }
        assert!(!bench.m.started[index as usize..].iter().any(|s| *s), "{name}: started");
        bench.good(&plain);
    }
}

#[test]
fn a_small_query_buffer_is_respected() {
    // 2 slots of 4 heads of 2 words fill it; the head's input, 2 slots of 16 words, does not fit.
    let card = Card { query_words: 16, ..SMALL };
    let mut bench = Bench::new(card);
    let plain = plain_pass(&card);
    bench.good(&plain);
    let bad: [Bad; 4] = [
        ("a third slot", |p| p.slots.push(p.slots[0]), 0x16, 0),
        ("normalise to queries", |p| p.program[3][0] |= 4 << 16, 0x17, 3),
        ("score", |p| p.program[10] = command(0x51, &[0, 0]), 0x17, 10),
        ("score all", |p| p.program[10] = command(0x52, &[0, 0]), 0x17, 10),
    ];
    for (name, break_it, code, index) in bad {
        let mut pass = plain.clone();
        break_it(&mut pass);
        let want = Outcome::Failed { code, command: index, address: 0 };
        assert_eq!(bench.run(&pass), want, "{name}");
        bench.good(&plain);
    }
}

#[test]
fn every_malformed_descriptor_has_its_error() {
    let mut bench = Bench::new(SMALL);
    let plain = plain_pass(&SMALL);
    // Word, what it becomes, code, address.
    let d = DESCRIPTOR;
    type Change = fn(u32) -> u32;
    let bad: &[(usize, Change, u64, u64)] = &[
        (0, |w| w ^ 0x100, 1, d),
        (1, |_| 0, 2, d),
        (1, |_| 5, 2, d),
        (1, |_| 0x102, 2, d),
        (2, |w| w + 8, 3, d),
        (3, |_| 0x100, 3, d),
        (6, |w| w + 4, 3, d),
        (7, |_| 0x180, 3, d),
        (8, |w| w + 4, 3, d),
        (9, |_| 0x180, 3, d),
        (4, |_| 0, 4, d),
        (4, |w| w + 4, 4, d),
        (4, |_| 0x40_0000, 4, d),
        (16 + 5, |_| 2, 5, d + 64),
        (16 + 6, |w| w + 2, 5, d + 64),
        (32 + 7, |w| w + 0x100, 5, d + 128),
        (32 + 3, |w| w + 1, 5, d + 128),
    ];
    for &(word, change, code, address) in bad {
        bench.m.load(&plain);
        let mut words = plain.descriptor();
        words[word] = change(words[word]);
        bench.m.write_words(DESCRIPTOR, &words);
        bench.doorbell(DESCRIPTOR);
        let want = Outcome::Failed { code, command: 0, address };
        assert_eq!(bench.outcome(10_000), want, "word {word}");
        bench.good(&plain);
    }
    for (address, want) in
        [(d + 8, (3, d + 8)), (1 << 40 | d, (3, d)), (STATE | 0x10_0000, (0x21, STATE | 0x10_0000))]
    {
        bench.m.load(&plain);
        bench.doorbell(address);
        let want = Outcome::Failed { code: want.0, command: 0, address: want.1 };
        assert_eq!(bench.outcome(10_000), want, "{address:#x}");
        bench.good(&plain);
    }
}

#[test]
fn errors_of_units_end_the_pass() {
    let mut bench = Bench::new(SMALL);
    let plain = plain_pass(&SMALL);
    let bad = [
        (5, "page", 0x30, 5, 0),
        (6, "table", 0x30, 6, 0),
        (9, "checksum", 0x32, 9, 0x12_3456_7000),
        (2, "hang", 0x40, 2, 0),
        (4, "hang", 0x40, 4, 0),
        (10, "hang", 0x40, 10, 0),
    ];
    for (at, what, code, index, address) in bad {
        for busy in [false, true] {
            bench.m.load(&plain);
            bench.m.raise = Some((at, what));
            bench.m.quiet = !busy;
            bench.doorbell(DESCRIPTOR);
            let want = Outcome::Failed { code, command: index, address };
            assert_eq!(bench.outcome(20_000), want, "{what}");
            (bench.m.raise, bench.m.quiet) = (None, true);
            bench.good(&plain);
        }
    }
    // The host's way out, at any time.
    for at in (3..1000).step_by(7) {
        bench.m.load(&plain);
        bench.doorbell(DESCRIPTOR);
        bench.until(at, |_| None::<()>);
        if !bench.m.ports.busy_o.high() {
            assert!(at > 200, "{at}");
            break;
        }
        bench.m.ports.abort_i.set(1);
        bench.until(1, |_| None::<()>);
        match bench.outcome(10_000) {
            Outcome::Failed { code: 0x41, .. } => {}
            other => panic!("{other:x?}"),
        }
        bench.good(&plain);
    }
}

#[test]
fn corrupted_passes_end_and_the_next_one_runs() {
    let mut bench = Bench::new(SMALL);
    let mut random = Random::new(seed(), "corrupt");
    let plain = plain_pass(&SMALL);
    let mut ends = [0u32; 256];
    bench.m.slow = 20;
    bench.m.latency = 5;
    for n in 0..1500 {
        let mut pass = random_pass(&SMALL, &MODEL, &mut random);
        let mut slots = pass.descriptor();
        // Program, or descriptor and slots; a bit, a word, or one command for another.
        let program = random.chance(0.7);
        for _ in 0..random.range(1, 3) {
            let words = if program { pass.program.as_flattened_mut() } else { &mut slots[..] };
            let at = random.range(0, words.len() as u64 - 1) as usize;
            // Mostly where it hurts.
            let at = if random.chance(0.8) { at / 16 * 16 + at % 6 } else { at };
            match random.range(0, 3) {
                0 => words[at] ^= 1 << random.range(0, 31),
                1 => words[at] = random.bits() as u32,
                2 => words[at] = [0, 1, u32::MAX, 1 << 31][random.range(0, 3) as usize],
                _ => {
                    let from = random.range(0, words.len() as u64 / 16 - 1) as usize;
                    let record: Vec<u32> = words[16 * from..16 * from + 16].to_vec();
                    words[at / 16 * 16..at / 16 * 16 + 16].copy_from_slice(&record);
                }
            }
        }
        bench.m.load(&pass);
        bench.m.write_words(DESCRIPTOR, &slots);
        // What the sequencer reads is what the models compare with.
        bench.m.pass.slots.truncate(slots[1].clamp(1, 4) as usize);
        for (s, slot) in bench.m.pass.slots.iter_mut().enumerate() {
            let w = &slots[16 * (s + 1)..];
            (slot.token, slot.position) = (w[0], w[1]);
        }
        bench.doorbell(DESCRIPTOR);
        match bench.outcome(100_000) {
            Outcome::Done => ends[0] += 1,
            Outcome::Failed { code, .. } => ends[code as usize] += 1,
        }
        if n % 5 == 0 {
            bench.good(&plain);
        }
    }
    bench.good(&plain);
    let seen: Vec<_> = ends.iter().enumerate().filter(|(_, n)| **n > 0).collect();
    println!("ends of 1500 corrupted passes, code and count: {seen:x?}");
    assert!(seen.len() > 12 && ends[0x40] == 0, "{seen:x?}");
}

#[test]
fn step_mode_runs_a_command_a_step() {
    let mut bench = Bench::new(SMALL);
    let mut random = Random::new(seed(), "steps");
    bench.m.ports.step_mode_i.set(1);
    for _ in 0..10 {
        let pass = random_pass(&SMALL, &MODEL, &mut random);
        bench.m.load(&pass);
        bench.doorbell(DESCRIPTOR);
        for n in 0..pass.program.len() {
            bench.until(20_000, |m| m.ports.paused_o.high().then_some(())).expect("a pause");
            assert_eq!(bench.m.ports.next_o.get(), n as u64);
            // It really waits, longer than the watchdog would.
            if n == 3 {
                bench.until(5000, |_| None::<()>);
                assert_eq!(bench.m.ports.next_o.get(), n as u64);
            }
            let running = |u: usize| !bench.m.units[u].running.is_empty();
            let panels = bench.m.gives.iter().filter(|&&i| i < n).count()
                - bench.m.takes.iter().filter(|&&i| i < n).count();
            assert!((0..UNITS).all(|u| !running(u) || u == MULTIPLY && panels > 2));
            assert!(panels > 2 || bench.m.commands_done == n as u64);
            bench.m.ports.step_i.set(1);
            bench.until(1, |_| None::<()>);
            bench.m.ports.step_i.set(0);
        }
        assert_eq!(bench.outcome(20_000), Outcome::Done);
    }
    bench.m.ports.step_mode_i.set(0);
    let pass = random_pass(&SMALL, &MODEL, &mut random);
    bench.good(&pass);
}

#[test]
fn reset_in_the_middle_leaves_nothing_behind() {
    let mut bench = Bench::new(SMALL);
    let mut random = Random::new(seed(), "reset");
    for wait in 0..60 {
        let pass = random_pass(&SMALL, &MODEL, &mut random);
        bench.m.load(&pass);
        bench.doorbell(DESCRIPTOR);
        bench.until(wait * 11, |_| None::<()>);
        bench.reset();
        assert!(!bench.m.ports.busy_o.high());
        let pass = random_pass(&SMALL, &MODEL, &mut random);
        bench.good(&pass);
    }
}

// ---- tt_check --------------------------------------------------------------------------------

/// CRC-32C, a bit at a time.
fn crc32c(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ 0x82f6_3b78 };
    !bytes.iter().fold(u32::MAX, |crc, &b| (0..8).fold(crc ^ u32::from(b), bit))
}

#[test]
fn the_software_crc_is_crc32c() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
}

#[test]
fn pages_are_checked_against_their_crc() {
    for beat in [16, 64, 128] {
        let spec = ModelSpec::terntable("tt_check").parameter("BeatBytes", beat);
        let sim =
            Sim::open(&spec.build().unwrap(), &SimOptions { seed: seed(), trace: None }).unwrap();
        let clock = sim.clock("clk_i", 4000).unwrap();
        let memory = ClientMemory::new(1 << 17, 1 << 17);
        memory.randomise(seed());
        let [valid, ready, cmd, done, error, address, reset] = [
            "cmd_valid_i",
            "cmd_ready_o",
            "cmd_i",
            "done_o",
            "error_o",
            "error_address_o",
            "rst_ni",
        ]
        .map(|name| sim.signal(name).unwrap());
        let timing =
            MemoryTiming { latency: 9, stall: 0.2, request_stall: 0.3, ..MemoryTiming::IDEAL };
        reset.set(0);
        sim.block_on(clock.cycles(3)).unwrap();
        reset.set(1);
        let client = |name| ReadClient::new(&sim, &clock, name, &memory, timing, seed()).unwrap();
        let (pages_client, table_client) = (client("rd"), client("crc"));
        let mut random = Random::new(seed(), "check");
        for run in 0..24 {
            let fast = run % 3 == 0;
            for client in [&pages_client, &table_client] {
                client.set_timing(if fast { MemoryTiming::IDEAL } else { timing });
            }
            let pages = random.range(1, 9);
            let at = random.range(0, 10) * 4096 + random.range(0, 3) * beat;
            let table = STATE | (random.range(0, 99) * beat);
            let mut bad = Vec::new();
            for page in 0..pages {
                let place = at + 4096 * page;
                let mut crc = crc32c(&memory.read(place, 4096));
                if random.chance(0.2) {
                    crc ^= 1 << random.range(0, 31);
                    bad.push(place);
                }
                memory.write(table + 4 * page, &crc.to_le_bytes());
            }
            let words = [0x60, at as u32, 0, pages as u32, table as u32, (table >> 32) as u32];
            let bytes: Vec<u8> = words.iter().flat_map(|w: &u32| w.to_le_bytes()).collect();
            let mut padded = [0; 64];
            padded[..24].copy_from_slice(&bytes);
            cmd.set_bytes(&padded);
            valid.set(1);
            let start = clock.cycle();
            let found = sim
                .block_on(async {
                    let mut found = Vec::new();
                    let mut taken = false;
                    for _ in 0..20_000 {
                        clock.rising_edge().await;
                        if ready.high() && !taken {
                            taken = true;
                            valid.set(0);
                        }
                        if error.high() {
                            found.push(address.get());
                        }
                        if done.high() {
                            return Some(found);
                        }
                    }
                    None
                })
                .unwrap();
            assert_eq!(found.expect("done"), bad, "{pages} pages at {at:#x}");
            let cycles = clock.cycle() - start;
            assert!(!fast || cycles < pages * 262 + 40, "{cycles} cycles for {pages} pages");
        }
        // Reset in the middle, then all is well.
        valid.set(1);
        sim.block_on(clock.cycles(300)).unwrap();
        valid.set(0);
        reset.set(0);
        pages_client.reset();
        table_client.reset();
        sim.block_on(clock.cycles(3)).unwrap();
        reset.set(1);
        sim.block_on(clock.cycles(3)).unwrap();
        assert!(ready.high() && !done.high());
    }
}
