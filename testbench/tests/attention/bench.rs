//! `tt_attention` with memory, buffer Q and a taker of output words around it.

use super::scene::{Placed, Scene, Shape};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::Path,
    rc::Rc,
};
use terntable_testbench::{
    Clock, Sim,
    agents::{ClientMemory, MemoryTiming, ReadClient},
    build::{ModelSpec, workspace_root},
    seed::{Random, seed},
    sim::{Handle, Signal, SimOptions, trace_from_env},
};

/// Cycles and beats of a command.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub cycles: u64,
    pub beats: u64,
    /// Processor time of the simulation.
    pub seconds: f64,
}

/// Processor time of this thread; a test machine has other things to do as well.
fn thread_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse().ok()).map_or(f64::NAN, |ns: f64| ns / 1e9)
}

type Words = Rc<RefCell<BTreeMap<(u64, u64), Vec<u8>>>>;

pub struct Bench {
    pub sim: Sim,
    pub clock: Clock,
    shape: Shape,
    memory: ClientMemory,
    read: ReadClient,
    queries: Rc<RefCell<Vec<Vec<u8>>>>,
    words: Words,
    twice: Rc<Cell<bool>>,
    stall: Rc<Cell<f64>>,
    errors: Rc<Cell<u32>>,
    pub random: Random,
}

const MEMORY: usize = 1 << 25;

impl Bench {
    pub fn new(shape: Shape, purpose: &str) -> Bench {
        Self::of(&workspace_root().join("rtl"), shape, purpose)
    }

    /// The unit of another copy of the RTL.
    pub fn of(rtl: &Path, shape: Shape, purpose: &str) -> Bench {
        let trace = trace_from_env();
        let built = ModelSpec::new("tt_attention", [rtl])
            .parameter("Slots", shape.slots as u64)
            .parameter("BeatBytes", shape.beat as u64)
            .parameter("Lanes", shape.lanes as u64)
            .parameter("PageRows", shape.page_rows as u64)
            .parameter("ScoreLanes", shape.score_lanes as u64)
            .parameter("ScoreWords", shape.score_words as u64)
            .parameter("QueryWords", shape.query_words as u64)
            .parameter("HeadDimMax", shape.head_dim_max as u64)
            .parameter("HeadsMax", shape.heads_max as u64)
            .trace(trace.is_some())
            .build()
            .unwrap();
        let sim = Sim::open(&built, &SimOptions { seed: seed(), trace }).unwrap();
        let clock = sim.clock("clk_i", 1000).unwrap();
        let memory = ClientMemory::new(0, MEMORY);
        let read =
            ReadClient::new(&sim, &clock, "rd", &memory, MemoryTiming::IDEAL, seed()).unwrap();
        let bench = Bench {
            shape,
            memory,
            read,
            queries: Rc::default(),
            words: Rc::default(),
            twice: Rc::default(),
            stall: Rc::default(),
            errors: Rc::default(),
            random: Random::new(seed(), purpose),
            clock,
            sim,
        };
        bench.sim.spawn(serve_queries(
            bench.sim.clone(),
            bench.clock.clone(),
            bench.queries.clone(),
        ));
        let taker = Taker {
            words: bench.words.clone(),
            twice: bench.twice.clone(),
            stall: bench.stall.clone(),
            errors: bench.errors.clone(),
            random: Random::new(seed(), "taker"),
        };
        bench.sim.spawn(taker.run(bench.sim.clone(), bench.clock.clone()));
        bench.reset();
        // Before the reset every register holds anything.
        bench.errors.set(0);
        bench
    }

    pub fn signal(&self, name: &str) -> Signal {
        self.sim.signal(name).unwrap()
    }

    pub fn reset(&self) {
        let rst = self.signal("rst_ni");
        rst.set(0);
        self.read.reset();
        self.signal("cmd_valid_i").set(0);
        self.sim.block_on(self.clock.cycles(3)).unwrap();
        rst.set(1);
        self.sim.block_on(self.clock.cycles(2)).unwrap();
        self.words.borrow_mut().clear();
    }

    pub fn timing(&self, timing: MemoryTiming, stall: f64) {
        self.read.set_timing(timing);
        self.stall.set(stall);
    }

    /// Puts a scene into memory, buffers and ports.
    pub fn prepare(&mut self, scene: &Scene) -> Placed {
        let placed = scene.place(&mut self.random);
        self.memory.write(1 << 39, &placed.bytes);
        self.signal("model_i").set_bytes(&scene.model.port(&self.shape, placed.pages));
        self.signal("slots_i").set(scene.slots.len() as u64);
        self.signal("slot_i").set_bytes(&scene.slots_port(&placed.tables));
        *self.queries.borrow_mut() = scene.query_buffer();
        let [write, slot_i, head_i, factor_i] =
            ["factor_write_i", "factor_slot_i", "factor_head_i", "factor_i"]
                .map(|n| self.signal(n));
        for (slot, heads) in scene.queries.iter().enumerate() {
            for (head, (_, factor)) in heads.iter().enumerate() {
                write.set(1);
                slot_i.set(slot as u64);
                head_i.set(head as u64);
                factor_i.set(u64::from(factor.to_bits()));
                self.sim.block_on(self.clock.cycles(1)).unwrap();
            }
        }
        write.set(0);
        placed
    }

    /// Offers the command; returns when it is taken.
    pub fn command(&self, placed: &Placed) {
        let mut command = vec![0_u8; 64];
        command[0] = 0x40;
        command[4..12].copy_from_slice(&placed.kv_base.to_le_bytes());
        self.signal("cmd_i").set_bytes(&command);
        let (valid, ready) = (self.signal("cmd_valid_i"), self.signal("cmd_ready_o"));
        valid.set(1);
        let taken = self.clock.until(1000, "the command to be taken", || {
            let taken = ready.high();
            if taken {
                valid.set(0);
            }
            taken
        });
        self.sim.block_on(taken).unwrap().unwrap();
    }

    /// Runs a scene that was prepared; what differs is the error.
    pub fn run_placed(&mut self, scene: &Scene, placed: &Placed) -> Result<Cost, String> {
        self.words.borrow_mut().clear();
        self.twice.set(false);
        self.read.clear_statistics();
        self.command(placed);
        let (start, seconds) = (self.clock.cycle(), thread_seconds());
        let done = self.signal("done_o");
        let waited = self.sim.block_on(self.clock.until(3_000_000, "done", || done.high()));
        waited.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        let cost = Cost {
            cycles: self.clock.cycle() - start,
            beats: self.read.statistics().beats,
            seconds: thread_seconds() - seconds,
        };
        self.sim.block_on(self.clock.cycles(3)).map_err(|e| e.to_string())?;
        if self.signal("busy_o").high() || done.high() {
            return Err("busy after done".to_owned());
        }
        self.compare(scene)?;
        Ok(cost)
    }

    pub fn run(&mut self, what: &str, scene: &Scene) -> Cost {
        let placed = self.prepare(scene);
        self.run_placed(scene, &placed).unwrap_or_else(|e| {
            let Scene { shape, model, slots, .. } = scene;
            panic!("{what}\n{shape:?}\n{model:?}\n{slots:?}\n{e}\nseed {:#x}", seed())
        })
    }

    pub fn memory(&self) -> &ClientMemory {
        &self.memory
    }

    /// Pulses of `error_o` so far.
    pub fn errors(&self) -> u32 {
        self.errors.get()
    }

    fn compare(&self, scene: &Scene) -> Result<(), String> {
        if self.twice.get() {
            return Err("a word came twice".to_owned());
        }
        let mut words = self.words.borrow().clone();
        for slot in 0..scene.slots.len() {
            for head in 0..scene.model.heads {
                let want = scene.expected(slot, head);
                for (w, want) in want.chunks(self.shape.lanes).enumerate() {
                    let at = head * scene.model.head_dim / self.shape.lanes + w;
                    let Some(found) = words.remove(&(slot as u64, at as u64)) else {
                        return Err(format!("slot {slot}, head {head}: word {at} did not come"));
                    };
                    let found: Vec<f32> = found
                        .chunks_exact(4)
                        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                        .collect();
                    let same = |(a, b): (&f32, &f32)| {
                        a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
                    };
                    if !found.iter().zip(want).all(same) {
                        return Err(format!(
                            "slot {slot}, head {head}, word {w}: expected {want:?}, found {found:?}"
                        ));
                    }
                }
            }
        }
        if words.is_empty() { Ok(()) } else { Err(format!("words of nobody: {:?}", words.keys())) }
    }
}

async fn serve_queries(sim: Handle, clock: Clock, queries: Rc<RefCell<Vec<Vec<u8>>>>) {
    let [read, address, data] =
        ["q_read_o", "q_address_o", "q_data_i"].map(|n| sim.signal(n).unwrap());
    loop {
        clock.rising_edge().await;
        if read.high() {
            match queries.borrow().get(address.get() as usize) {
                Some(word) => data.set_bytes(word),
                None => data.set_with(|to| to.fill(0x55)),
            }
        }
    }
}

struct Taker {
    words: Words,
    twice: Rc<Cell<bool>>,
    stall: Rc<Cell<f64>>,
    errors: Rc<Cell<u32>>,
    random: Random,
}

impl Taker {
    async fn run(mut self, sim: Handle, clock: Clock) {
        let [valid, ready, slot, word, data, error] =
            ["att_valid_o", "att_ready_i", "att_slot_o", "att_word_o", "att_data_o", "error_o"]
                .map(|n| sim.signal(n).unwrap());
        let mut is_ready = false;
        loop {
            clock.rising_edge().await;
            self.errors.set(self.errors.get() + u32::from(error.high()));
            if is_ready && valid.high() {
                let mut bytes = vec![0; data.bytes()];
                data.get_bytes(&mut bytes);
                let before = self.words.borrow_mut().insert((slot.get(), word.get()), bytes);
                self.twice.set(self.twice.get() || before.is_some());
            }
            is_ready = !self.random.chance(self.stall.get());
            ready.set(u64::from(is_ready));
        }
    }
}
