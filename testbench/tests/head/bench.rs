//! `tt_head` with everything around it: memory behind both clients, the buffer of inputs, the sums.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};
use terntable_testbench::{
    Clock, Error, Signal, Sim,
    build::ModelSpec,
    seed::{Random, seed},
    sim::{SimOptions, trace_from_env},
};

/// Parameters of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub slots: usize,
    pub lanes: usize,
    pub rows: usize,
    pub beat: usize,
    pub candidates: usize,
    pub query_words: usize,
}

/// Probabilities that an interface waits, and cycles that memory takes.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    pub sums: f64,
    pub requests: f64,
    pub beats: f64,
    pub writes: f64,
    pub latency: u64,
}

impl Timing {
    pub const IDEAL: Timing =
        Timing { sums: 0.0, requests: 0.0, beats: 0.0, writes: 0.0, latency: 1 };
    pub const STALLS: Timing =
        Timing { sums: 0.3, requests: 0.5, beats: 0.3, writes: 0.6, latency: 40 };
    pub const STARVED: Timing =
        Timing { sums: 0.0, requests: 0.8, beats: 0.7, writes: 0.9, latency: 3 };
    pub const SPARSE: Timing =
        Timing { sums: 0.9, requests: 0.0, beats: 0.0, writes: 0.0, latency: 100 };
}

/// A word of sums with its sideband.
#[derive(Debug, Clone)]
pub struct Word {
    pub data: Vec<u8>,
    pub slot: u8,
    pub last: bool,
}

/// What the environment holds.
#[derive(Default)]
pub struct World {
    /// Image memory, from address 0.
    pub image: Vec<u8>,
    /// State memory, from address 1 << 39.
    pub state: Vec<u8>,
    /// Buffer of inputs, words of a beat.
    pub inputs: Vec<u8>,
    /// Sums to come.
    pub sums: VecDeque<Word>,
    /// Beats read.
    pub beats: u64,
}

pub struct Bench {
    pub shape: Shape,
    pub sim: Sim,
    pub clock: Clock,
    pub world: Rc<RefCell<World>>,
    timing: Rc<Cell<Timing>>,
    reset: Rc<Cell<bool>>,
}

pub const STATE: u64 = 1 << 39;

impl Bench {
    pub fn spec(shape: Shape) -> ModelSpec {
        let parameters = [
            ("Slots", shape.slots),
            ("Lanes", shape.lanes),
            ("Rows", shape.rows),
            ("BeatBytes", shape.beat),
            ("Candidates", shape.candidates),
            ("QueryWords", shape.query_words),
        ];
        parameters.iter().fold(ModelSpec::terntable("tt_head"), |spec, &(name, value)| {
            spec.parameter(name, value as u64)
        })
    }

    pub fn new(shape: Shape, timing: Timing) -> Self {
        let trace = trace_from_env();
        let built = Self::spec(shape).trace(trace.is_some()).build().unwrap();
        let sim = Sim::open(&built, &SimOptions { seed: seed(), trace }).unwrap();
        let clock = sim.clock("clk_i", 4000).unwrap();
        let bench = Bench {
            shape,
            world: Rc::default(),
            timing: Rc::new(Cell::new(timing)),
            reset: Rc::default(),
            sim,
            clock,
        };
        let task = Task::new(&bench).unwrap();
        let handle = bench.sim.clone();
        bench.sim.spawn(async move {
            if let Err(error) = task.run().await {
                handle.fail(error);
            }
        });
        bench.reset();
        bench
    }

    pub fn set_timing(&self, timing: Timing) {
        self.timing.set(timing);
    }

    pub fn signal(&self, name: &str) -> Signal {
        self.sim.signal(name).unwrap()
    }

    /// Resets the design and everything around it.
    pub fn reset(&self) {
        let reset = self.signal("rst_ni");
        self.signal("cmd_valid_i").set(0);
        reset.set(0);
        self.reset.set(true);
        self.world.borrow_mut().sums.clear();
        self.sim.block_on(self.clock.cycles(3)).unwrap();
        self.reset.set(false);
        reset.set(1);
        self.sim.block_on(self.clock.cycles(1)).unwrap();
    }

    /// Runs a command to its end and gives the cycles it took.
    pub fn command(&self, words: [u32; 16], limit: u64) -> Result<u64, Error> {
        let (valid, ready) = (self.signal("cmd_valid_i"), self.signal("cmd_ready_o"));
        let (done, busy) = (self.signal("done_o"), self.signal("busy_o"));
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.signal("cmd_i").set_bytes(&bytes);
        valid.set(1);
        self.sim.block_on(async {
            self.clock.until(10, "the command to be taken", || ready.high()).await?;
            valid.set(0);
            self.signal("cmd_i").set_bytes(&[0xee; 64]);
            let start = self.clock.cycle();
            self.clock.until(limit, "the command to be done", || done.high()).await?;
            assert!(busy.high(), "done while busy");
            Ok(self.clock.cycle() - start)
        })?
    }

    /// Offers a command and stops in the middle of it, or at its end.
    pub fn interrupt(&self, words: [u32; 16], cycles: u64) {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.signal("cmd_i").set_bytes(&bytes);
        self.signal("cmd_valid_i").set(1);
        self.sim.block_on(self.clock.cycles(1)).unwrap();
        self.signal("cmd_valid_i").set(0);
        self.sim.block_on(self.clock.cycles(cycles)).unwrap();
    }
}

struct Task {
    shape: Shape,
    clock: Clock,
    world: Rc<RefCell<World>>,
    timing: Rc<Cell<Timing>>,
    reset: Rc<Cell<bool>>,
    random: Random,
    rd: [Signal; 6],
    wr: [Signal; 9],
    q: [Signal; 3],
    sums: [Signal; 5],
}

/// Checks that a request holds until it is taken.
#[derive(Default)]
struct Held(Option<Vec<u64>>);

impl Held {
    fn check(
        &mut self,
        name: &str,
        valid: bool,
        ready: bool,
        payload: Vec<u64>,
        cycle: u64,
    ) -> Result<(), Error> {
        let broken = match &self.0 {
            Some(_) if !valid => Some("valid fell"),
            Some(before) if *before != payload => Some("the payload changed"),
            _ => None,
        };
        self.0 = (valid && !ready).then_some(payload);
        match broken {
            Some(found) => Err(protocol(name, cycle, "valid and payload hold until ready", found)),
            None => Ok(()),
        }
    }
}

fn protocol(channel: &str, cycle: u64, rule: &str, found: impl ToString) -> Error {
    Error::Protocol {
        channel: channel.to_owned(),
        cycle,
        rule: rule.to_owned(),
        found: found.to_string(),
    }
}

impl Task {
    fn new(bench: &Bench) -> Result<Self, Error> {
        let find = |names: &[&str]| {
            names.iter().map(|n| bench.sim.signal(n)).collect::<Result<Vec<_>, _>>()
        };
        let rd = find(&[
            "rd_valid_o",
            "rd_ready_i",
            "rd_address_o",
            "rd_beats_o",
            "rd_data_valid_i",
            "rd_data_i",
        ])?;
        let wr = find(&[
            "wr_valid_o",
            "wr_ready_i",
            "wr_address_o",
            "wr_beats_o",
            "wr_data_valid_o",
            "wr_data_ready_i",
            "wr_data_o",
            "wr_strobe_o",
            "wr_done_i",
        ])?;
        let q = find(&["q_read_o", "q_address_o", "q_data_i"])?;
        let sums = find(&[
            "hsums_valid_i",
            "hsums_ready_o",
            "hsums_data_i",
            "hsums_slot_i",
            "hsums_last_i",
        ])?;
        Ok(Task {
            shape: bench.shape,
            clock: bench.clock.clone(),
            world: bench.world.clone(),
            timing: bench.timing.clone(),
            reset: bench.reset.clone(),
            random: Random::new(seed(), "head"),
            rd: rd.try_into().ok().unwrap(),
            wr: wr.try_into().ok().unwrap(),
            q: q.try_into().ok().unwrap(),
            sums: sums.try_into().ok().unwrap(),
        })
    }

    fn burst(&self, name: &str, address: u64, beats: u64, cycle: u64) -> Result<(), Error> {
        let beat = self.shape.beat as u64;
        let fits = address % (16 * beat) + beats * beat <= 16 * beat;
        if !(1..=16).contains(&beats) || !address.is_multiple_of(beat) || !fits {
            let rule = "whole beats, 1 to 16, inside a block of 16";
            return Err(protocol(name, cycle, rule, format!("{beats} beats at {address:#x}")));
        }
        Ok(())
    }

    async fn run(mut self) -> Result<(), Error> {
        let beat = self.shape.beat;
        let mut reads: VecDeque<(u64, u64)> = VecDeque::new(); // address of a beat, due
        let mut bursts: VecDeque<(u64, u64)> = VecDeque::new(); // address, beats
        let mut data: VecDeque<(Vec<u8>, Vec<u8>)> = VecDeque::new();
        let mut parts: Vec<(usize, u8)> = Vec::new(); // bytes of the burst that comes in
        let mut answers: VecDeque<(u64, Vec<(usize, u8)>)> = VecDeque::new();
        let (mut rd_held, mut wr_held, mut data_held) =
            (Held::default(), Held::default(), Held::default());
        let (mut rd_ready, mut wr_ready, mut data_ready, mut offered) =
            (false, false, false, false);
        let mut written = 0;
        loop {
            self.clock.rising_edge().await;
            let now = self.clock.cycle();
            if self.reset.get() {
                reads.clear();
                bursts.clear();
                data.clear();
                answers.clear();
                parts.clear();
                (rd_held, wr_held, data_held) = Default::default();
                (rd_ready, wr_ready, data_ready, offered) = (false, false, false, false);
                written = 0;
                for signal in
                    [&self.rd[1], &self.rd[4], &self.wr[1], &self.wr[5], &self.wr[8], &self.sums[0]]
                {
                    signal.set(0);
                }
                continue;
            }
            let timing = self.timing.get();
            let world_cell = self.world.clone();
            let mut world = world_cell.borrow_mut();

            // What happened at this edge: reads.
            let valid = self.rd[0].high();
            if valid || rd_held.0.is_some() {
                let (address, beats) = (self.rd[2].get(), self.rd[3].get());
                rd_held.check("rd", valid, rd_ready, vec![address, beats], now)?;
                if valid && rd_ready {
                    self.burst("rd", address, beats, now)?;
                    let due = now + timing.latency;
                    reads.extend((0..beats).map(|i| (address + i * beat as u64, due)));
                }
            }
            // Writes.
            let valid = self.wr[0].high();
            if valid || wr_held.0.is_some() {
                let (address, beats) = (self.wr[2].get(), self.wr[3].get());
                wr_held.check("wr", valid, wr_ready, vec![address, beats], now)?;
                if valid && wr_ready {
                    self.burst("wr", address, beats, now)?;
                    bursts.push_back((address, beats));
                }
            }
            let valid = self.wr[4].high();
            if valid || data_held.0.is_some() {
                let (mut bytes, mut strobe) = (vec![0; beat], vec![0; beat.div_ceil(8)]);
                self.wr[6].get_bytes(&mut bytes);
                self.wr[7].get_bytes(&mut strobe);
                let payload = bytes.iter().chain(&strobe).map(|&b| u64::from(b)).collect();
                data_held.check("wr_data", valid, data_ready, payload, now)?;
                if valid && data_ready {
                    data.push_back((bytes, strobe));
                }
            }
            while let Some(&(address, beats)) = bursts.front()
                && let Some((bytes, strobe)) = data.pop_front()
            {
                let at = address.checked_sub(STATE).map(|a| a as usize + written * beat);
                let Some(at) = at.filter(|at| at + beat <= world.state.len()) else {
                    return Err(protocol(
                        "wr",
                        now,
                        "inside the state region",
                        format!("{address:#x}"),
                    ));
                };
                for (i, byte) in bytes.iter().enumerate() {
                    if strobe[i / 8] >> (i % 8) & 1 == 1 {
                        parts.push((at + i, *byte));
                    }
                }
                written += 1;
                if written as u64 == beats {
                    written = 0;
                    bursts.pop_front();
                    answers.push_back((now + timing.latency, std::mem::take(&mut parts)));
                }
            }
            // Sums.
            if offered && self.sums[1].high() {
                offered = false;
                world.sums.pop_front();
            }

            // What the next cycle brings: inputs only where they were asked for.
            if self.q[0].high() {
                let at = self.q[1].get() as usize * beat;
                let Some(word) = world.inputs.get(at..at + beat) else {
                    return Err(protocol("q", now, "a word that was written", at / beat));
                };
                self.q[2].set_bytes(word);
            } else if now.is_multiple_of(8) {
                self.q[2].set_bytes(&vec![self.random.bits() as u8; beat]);
            }
            let due = reads.front().filter(|r| r.1 <= now && !self.random.chance(timing.beats));
            if let Some(&(address, _)) = due {
                reads.pop_front();
                let Some(bytes) = world.image.get(address as usize..address as usize + beat) else {
                    return Err(protocol("rd", now, "inside the image", format!("{address:#x}")));
                };
                self.rd[5].set_bytes(bytes);
                self.rd[4].set(1);
                world.beats += 1;
            } else {
                self.rd[4].set(0);
            }
            rd_ready = reads.len() < 1024 && !self.random.chance(timing.requests);
            self.rd[1].set(u64::from(rd_ready));
            wr_ready = !self.random.chance(timing.writes);
            self.wr[1].set(u64::from(wr_ready));
            data_ready = !self.random.chance(timing.writes);
            self.wr[5].set(u64::from(data_ready));
            // What is written shows with its answer and not before.
            let due = answers.front().is_some_and(|answer| answer.0 <= now);
            let answer = if due { answers.pop_front() } else { None };
            for &(at, byte) in answer.iter().flat_map(|a| &a.1) {
                world.state[at] = byte;
            }
            self.wr[8].set(u64::from(answer.is_some()));
            if !offered {
                offered = !world.sums.is_empty() && !self.random.chance(timing.sums);
                if let Some(word) = world.sums.front().filter(|_| offered) {
                    self.sums[2].set_bytes(&word.data);
                    self.sums[3].set(u64::from(word.slot));
                    self.sums[4].set(u64::from(word.last));
                }
                self.sums[0].set(u64::from(offered));
            }
        }
    }
}
