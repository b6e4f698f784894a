//! The assembled card against the golden card model: random small models, passes of every kind, the
//! whole state memory after every pass; errors and what comes after them.

#[allow(dead_code)]
#[path = "../../golden-model/tests/card/rig.rs"]
mod rig;

use rig::{Rig, random_model};
use std::sync::OnceLock;
use terntable_driver::card_registers as reg;
use terntable_golden::{
    card::{pass::CardPass, program::ProgramKind},
    sample::mix,
};
use terntable_testbench::{
    Clock, Sim,
    agents::{AxiDram, AxiLite, axi_dram::DramTiming},
    build::{Built, ModelSpec},
    seed::seed,
    sim::{SimOptions, trace_from_env},
};

const PERIOD: u64 = 4000;
const IMAGE: u64 = 0x1000_0000;
const STATE: u64 = 0x8000_0000;

/// The model of the card, built once.
static BUILT: OnceLock<Built> = OnceLock::new();

struct Card {
    sim: Sim,
    clock: Clock,
    memory: AxiDram,
    bus: AxiLite,
    image: usize,
    state: usize,
}

impl Card {
    fn new(rig: &Rig, timing: DramTiming) -> Self {
        let trace = trace_from_env();
        let spec = || ModelSpec::terntable("tt_card").parameter("WatchdogBits", 16);
        let built = BUILT.get_or_init(|| spec().trace(trace.is_some()).build().unwrap());
        let sim = Sim::open(built, &SimOptions { seed: seed(), trace }).unwrap();
        let clock = sim.clock("clk_i", PERIOD).unwrap();
        let reset = sim.signal("rst_ni").unwrap();
        reset.set(0);
        sim.block_on(clock.cycles(3)).unwrap();
        reset.set(1);
        sim.block_on(clock.cycles(3)).unwrap();
        let memory = AxiDram::new(&sim, &clock, "m_axi", timing, PERIOD, seed()).unwrap();
        let bus = AxiLite::new(&sim, &clock, "s_axil", seed()).unwrap();
        let (image, state) = (rig.built.image.bytes().len(), rig.machine.state().len());
        memory.load_logical(IMAGE, rig.built.image.bytes(), 0).unwrap();
        memory.load_logical(STATE, rig.machine.state(), 0).unwrap();
        let card = Card { sim, clock, memory, bus, image, state };
        for (offset, value) in [
            (reg::image_base_lo::OFFSET, IMAGE as u32),
            (reg::image_bytes_lo::OFFSET, card.image as u32),
            (reg::state_base_lo::OFFSET, STATE as u32),
            (reg::state_bytes_lo::OFFSET, card.state as u32),
            (reg::irq_enable::OFFSET, 3),
        ] {
            card.write(offset, value);
        }
        card
    }

    fn read(&self, offset: usize) -> u32 {
        self.sim.block_on(self.bus.read32(offset)).unwrap().unwrap()
    }

    fn write(&self, offset: usize, value: u32) {
        self.sim.block_on(self.bus.write32(offset, value)).unwrap().unwrap();
    }

    /// Makes the card's state memory that of the golden card.
    fn sync(&self, rig: &Rig) {
        self.memory.write_logical(STATE, 0, rig.machine.state()).unwrap();
    }

    /// Runs the pass whose descriptor lies at an address; gives code and command of an error.
    fn run(&self, descriptor: u64) -> (u32, u32) {
        self.write(reg::doorbell_lo::OFFSET, descriptor as u32);
        self.write(reg::doorbell_hi::OFFSET, (descriptor >> 32) as u32);
        let irq = self.sim.signal("irq_o").unwrap();
        let wait = self.clock.until(3_000_000, "the interrupt", || irq.high());
        self.sim.block_on(wait).unwrap().unwrap();
        let status = self.read(reg::irq_status::OFFSET);
        self.write(reg::irq_status::OFFSET, status);
        let code = self.read(reg::error_code::OFFSET);
        assert_eq!(status, if code == 0 { 1 } else { 2 });
        (code, self.read(reg::error_command::OFFSET))
    }

    /// Compares the state memories, but for the scratch area of attention.
    fn compare(&self, rig: &Rig, what: &str) {
        let found = self.memory.read_logical(STATE, 0, self.state).unwrap();
        let want = rig.machine.state();
        let layout = rig.layout();
        let offset = |address: u64| (address & ((1 << 39) - 1)) as usize;
        let spill = offset(layout.spill)..offset(layout.spill) + layout.spill_bytes as usize;
        let wrong: Vec<usize> =
            (0..want.len()).filter(|&i| found[i] != want[i] && !spill.contains(&i)).collect();
        if let Some(&first) = wrong.first() {
            panic!(
                "{what}: {} bytes differ, from {first:#x}: {:02x?} instead of {:02x?}; results {:#x}, \
                 logits {:#x}, kv {:#x}",
                wrong.len(),
                &found[first / 16 * 16..first / 16 * 16 + 32],
                &want[first / 16 * 16..first / 16 * 16 + 32],
                offset(layout.results),
                offset(layout.logits),
                offset(layout.kv),
            );
        }
    }
}

fn random_pass(rig: &mut Rig, draw: impl Fn(u64) -> u64, vocab: usize) -> CardPass {
    let kind = ProgramKind::ALL[draw(0) as usize % 4];
    let mut pass = rig.pass(kind);
    let mut room = 1 + draw(1) as usize % rig.card.slots;
    for index in 0..3 {
        let id = terntable_golden::card::kv::SequenceId(index);
        let count = (draw(2 + index as u64) as usize % 3).min(room);
        let count = if index == 2 && pass.slots().is_empty() { room } else { count };
        room -= count;
        let first = rig.kv.length(id).unwrap();
        let tokens: Vec<u32> = (0..count as u64)
            .map(|i| (draw(100 + 10 * index as u64 + i) % vocab as u64) as u32)
            .collect();
        rig.reserve(id, count);
        let table = rig.layout().table(id.0);
        pass.push_chunk(table, first as u32, &tokens, |i| draw(i as u64) & 1 == 0).unwrap();
        rig.kv.commit(id, count).unwrap();
    }
    pass
}

#[test]
fn passes_equal_the_golden_card() {
    let seeds: u64 = std::env::var("SMOKE_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(4);
    for seed in 0..seeds {
        let model = random_model(seed);
        let tiles = [None, Some(8), Some(20)][seed as usize % 3];
        let mut rig = Rig::new(&model, tiles);
        let timing = [DramTiming::IDEAL, DramTiming::HOSTILE, DramTiming::KV260][seed as usize % 3];
        let card = Card::new(&rig, timing);
        (0..3).for_each(|_| {
            rig.kv.create().unwrap();
        });
        for round in 0..4_u64 {
            let draw = |salt: u64| mix(seed << 20 ^ round << 8 ^ salt);
            let pass = random_pass(&mut rig, draw, model.config.vocab);
            let descriptor = rig.layout().descriptor;
            rig.write(descriptor, &pass.encode());
            card.sync(&rig);
            let start = card.clock.cycle();
            let outcome = card.run(descriptor);
            let what = format!("seed {seed}, round {round}, {} slots", pass.slots().len());
            assert_eq!(outcome, (0, 0), "{what}: {:?}", model.config);
            println!("{what}: {} cycles", card.clock.cycle() - start);
            rig.machine.run(descriptor).unwrap();
            card.compare(&rig, &format!("{what} {:?}", model.config));
        }
    }
}
