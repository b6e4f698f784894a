//! Drives the lanes of `tb_float.sv`: operations in, results compared in the cycle they are due.

use super::reference::Format;
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};
use terntable_testbench::{
    Clock, Signal, Sim,
    build::{ModelSpec, workspace_root},
    seed::{Random, seed},
    sim::{SimOptions, trace_from_env},
};

/// Lanes of the bench.
pub const LANES: usize = 4;
const NAMES: [&str; 4] = ["tt_fadd", "tt_fmul", "tt_from_int", "tt_to_int"];
const LATENCIES: [u64; 4] = [4, 4, 2, 2];

/// Operands of the four pipelined units: a + b and a * b; c to an integer; n to a number.
#[derive(Debug, Clone, Copy, Default)]
pub struct Operands {
    pub a: u32,
    pub b: u32,
    pub c: u32,
    pub n: i64,
}

/// Bits of the integers of a lane.
pub fn int_bits(lane: usize) -> u32 {
    [8, 24, 32, 48][lane % 4]
}

/// What a run counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Operations of each pipelined unit.
    pub pipelined: u64,
    pub divisions: u64,
    pub roots: u64,
    pub cycles: u64,
}

/// A simulation of the lanes of a format.
pub struct Bench {
    format: Format,
    sim: Sim,
    clock: Clock,
    /// Random pauses of the pipelined units, and a reset now and then.
    pub disturb: bool,
    random: Random,
}

impl Bench {
    /// The lanes of a format.
    pub fn new(format: Format) -> Self {
        Self::of(format, &workspace_root().join("rtl/float"))
    }

    /// The same with the units of another folder.
    pub fn of(format: Format, rtl: &Path) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/float");
        let trace = trace_from_env();
        let built = ModelSpec::new("tb_float", [rtl.to_owned(), folder])
            .parameter("ExpBits", format.exp.into())
            .parameter("ManBits", format.man.into())
            .parameter("Lanes", LANES as u64)
            .trace(trace.is_some())
            .build()
            .unwrap();
        let sim = Sim::open(&built, &SimOptions { seed: seed(), trace }).unwrap();
        let clock = sim.clock("clk_i", 4000).unwrap();
        sim.block_on(clock.cycles(2)).unwrap();
        sim.signal("rst_ni").unwrap().set(1);
        let random = Random::new(seed(), "disturbances");
        Bench { format, sim, clock, disturb: false, random }
    }

    /// The format of its lanes.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Runs all operations to their end, the three kinds side by side.
    pub fn run(
        &mut self,
        mut pipelined: impl Iterator<Item = Operands>,
        divisions: impl Iterator<Item = (u32, u32)>,
        roots: impl Iterator<Item = u32>,
    ) -> Counts {
        let Bench { format, sim, clock, disturb, random } = self;
        let port = |name: &str| sim.signal(name).unwrap();
        let mut pipe = Pipe::new(*format, sim);
        let mut div = Iterative::new(sim, "div", ["x_i", "y_i"], "quotient_o", divisions);
        let both = roots.map(|z| (z, 0));
        let mut sqrt = Iterative::new(sim, "sqrt", ["z_i", "z_i"], "root_o", both);
        let reset = port("rst_ni");
        let mut counts = Counts::default();
        let work = async {
            let mut more = true;
            let mut quiet = 0;
            while quiet < 16 {
                clock.rising_edge().await;
                let now = clock.cycle();
                counts.cycles += 1;
                pipe.check(now, &mut counts);
                div.check(|x, y| format.div(x, y), "tt_fdiv", &mut counts.divisions);
                sqrt.check(|x, _| format.sqrt(x), "tt_fsqrt", &mut counts.roots);
                if *disturb && random.chance(0.001) {
                    // The edge to come takes nothing; what was on its way is gone.
                    reset.set(0);
                    pipe.drop_all();
                    div.drop_all();
                    sqrt.drop_all();
                    clock.rising_edge().await;
                    reset.set(1);
                    continue;
                }
                let pause = *disturb && random.chance(0.2);
                more = pipe.drive(now, if more && !pause { Some(&mut pipelined) } else { None })
                    || (more && pause);
                let busy = [div.drive(), sqrt.drive()];
                quiet = if more || busy != [false; 2] { 0 } else { quiet + 1 };
            }
        };
        sim.block_on(work).unwrap();
        pipe.finish();
        counts
    }
}

/// The pipelined units.
struct Pipe {
    format: Format,
    inputs: [Signal; 4],
    valid: [Signal; 2],
    outputs: [Signal; 4],
    /// Cycle and operands of what is on its way, for each unit how many are answered.
    queue: VecDeque<(u64, [Operands; LANES])>,
    /// How many of them each unit has answered.
    answered: [usize; 4],
}

impl Pipe {
    fn new(format: Format, sim: &Sim) -> Self {
        let port = |name: &str| sim.signal(name).unwrap();
        Pipe {
            format,
            inputs: ["a_i", "b_i", "c_i", "n_i"].map(port),
            valid: ["valid_i", "valid_o"].map(port),
            outputs: ["sum_o", "product_o", "number_o", "integer_o"].map(port),
            queue: VecDeque::new(),
            answered: [0; 4],
        }
    }

    fn drive(&mut self, now: u64, from: Option<&mut impl Iterator<Item = Operands>>) -> bool {
        let mut words = [Operands::default(); LANES];
        let mut any = false;
        for (word, next) in words.iter_mut().zip(from.into_iter().flatten()) {
            *word = next;
            any = true;
        }
        self.valid[0].set(any.into());
        if any {
            let [a, b, c, n] = &self.inputs;
            put(a, &words.map(|w| w.a));
            put(b, &words.map(|w| w.b));
            put(c, &words.map(|w| w.c));
            n.set_with(|to| {
                for (to, word) in to.chunks_exact_mut(8).zip(words) {
                    to.copy_from_slice(&word.n.to_le_bytes());
                }
            });
            self.queue.push_back((now, words));
        }
        any
    }

    fn check(&mut self, now: u64, counts: &mut Counts) {
        let valid = self.valid[1].get();
        for unit in 0..4 {
            // Written after edge t, sampled at t + 1, visible before the edge after the latency.
            let due = self.queue.get(self.answered[unit]);
            let due = due.filter(|(t, _)| t + 1 + LATENCIES[unit] == now);
            let name = NAMES[unit];
            assert_eq!(valid >> unit & 1 == 1, due.is_some(), "{name}: valid_o, cycle {now}");
            let Some((_, words)) = due else { continue };
            self.answered[unit] += 1;
            compare(self.format, unit, &self.outputs[unit], words);
        }
        if self.answered.iter().all(|&n| n > 0) {
            self.queue.pop_front();
            self.answered = self.answered.map(|n| n - 1);
            counts.pipelined += LANES as u64;
        }
    }

    fn drop_all(&mut self) {
        self.queue.clear();
        self.answered = [0; 4];
        self.valid[0].set(0);
    }

    fn finish(&self) {
        assert!(self.queue.is_empty(), "operations were not answered");
    }
}

fn put(signal: &Signal, words: &[u32; LANES]) {
    signal.set_with(|to| {
        for (to, word) in to.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
    });
}

fn words(signal: &Signal) -> [u32; LANES] {
    let mut bytes = [0; 4 * LANES];
    signal.get_bytes(&mut bytes);
    std::array::from_fn(|i| u32::from_le_bytes(bytes[4 * i..][..4].try_into().unwrap()))
}

fn compare(f: Format, unit: usize, output: &Signal, operands: &[Operands; LANES]) {
    let report = |lane: usize, want: String, found: String| -> ! {
        panic!(
            "{} of {f:?}, lane {lane}: {:x?}: expected {want}, found {found} (seed {:#x})",
            NAMES[unit],
            operands[lane],
            seed()
        )
    };
    if unit == 3 {
        let mut bytes = [0; 8 * LANES];
        output.get_bytes(&mut bytes);
        for (lane, word) in operands.iter().enumerate() {
            let found = i64::from_le_bytes(bytes[8 * lane..][..8].try_into().unwrap());
            let want = f.to_int(word.c, int_bits(lane));
            if want != found {
                report(lane, want.to_string(), found.to_string());
            }
        }
        return;
    }
    let found = words(output);
    for (lane, word) in operands.iter().enumerate() {
        let want = match unit {
            0 => f.add(word.a, word.b),
            1 => f.mul(word.a, word.b),
            _ => {
                let shift = 64 - int_bits(lane);
                f.of_int(word.n << shift >> shift)
            }
        };
        if want != found[lane] {
            report(lane, format!("{want:#x}"), format!("{:#x}", found[lane]));
        }
    }
}

/// The lanes of an iterative unit: each takes the next operation when it is idle.
struct Iterative<I> {
    source: I,
    offer: Signal,
    ready: Signal,
    valid: Signal,
    operands: [Signal; 2],
    result: Signal,
    offered: [Option<(u32, u32)>; LANES],
    running: [Option<(u32, u32)>; LANES],
}

impl<I: Iterator<Item = (u32, u32)>> Iterative<I> {
    fn new(sim: &Sim, unit: &str, operands: [&str; 2], result: &str, source: I) -> Self {
        let port = |name: &str| sim.signal(name).unwrap();
        Iterative {
            source,
            offer: port(&format!("{unit}_valid_i")),
            ready: port(&format!("{unit}_ready_o")),
            valid: port(&format!("{unit}_valid_o")),
            operands: operands.map(port),
            result: port(result),
            offered: [None; LANES],
            running: [None; LANES],
        }
    }

    /// What finished, and what was taken at this edge.
    fn check(&mut self, want: impl Fn(u32, u32) -> u32, name: &str, count: &mut u64) {
        let (valid, ready) = (self.valid.get(), self.ready.get());
        if valid == 0 && ready == 0 {
            return;
        }
        let results = words(&self.result);
        for (lane, &found) in results.iter().enumerate() {
            if valid >> lane & 1 == 1 {
                let Some((x, y)) = self.running[lane].take() else {
                    panic!("{name}: a result in lane {lane} that nobody asked for");
                };
                let want = want(x, y);
                assert!(
                    want == found,
                    "{name}: {x:#x}, {y:#x}: expected {want:#x}, found {found:#x} (seed {:#x})",
                    seed()
                );
                *count += 1;
            }
            if ready >> lane & 1 == 1 && self.offered[lane].is_some() {
                assert!(self.running[lane].is_none(), "{name}: lane {lane} forgot an operation");
                self.running[lane] = self.offered[lane].take();
            }
        }
    }

    /// Offers the next operations; true while there are any, or some are on their way.
    fn drive(&mut self) -> bool {
        let mut changed = false;
        for slot in self.offered.iter_mut().filter(|slot| slot.is_none()) {
            *slot = self.source.next();
            changed |= slot.is_some();
        }
        if changed {
            let get = |slot: Option<(u32, u32)>| slot.unwrap_or_default();
            // Second operand first: a root has one alone, on both.
            put(&self.operands[1], &self.offered.map(|slot| get(slot).1));
            put(&self.operands[0], &self.offered.map(|slot| get(slot).0));
        }
        let offer = (0..LANES).map(|i| u64::from(self.offered[i].is_some()) << i).sum();
        self.offer.set(offer);
        offer != 0 || self.running.iter().any(Option::is_some)
    }

    fn drop_all(&mut self) {
        self.running = [None; LANES];
        self.offered = [None; LANES];
        self.offer.set(0);
    }
}
