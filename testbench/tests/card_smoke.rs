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

    fn doorbell(&self, descriptor: u64) {
        self.write(reg::doorbell_lo::OFFSET, descriptor as u32);
        self.write(reg::doorbell_hi::OFFSET, (descriptor >> 32) as u32);
    }

    /// Runs the pass whose descriptor lies at an address; gives code and command of an error.
    fn run(&self, descriptor: u64) -> (u32, u32) {
        self.doorbell(descriptor);
        self.ended()
    }

    /// Waits for the end of a pass; gives code and command of an error.
    fn ended(&self) -> (u32, u32) {
        let irq = self.sim.signal("irq_o").unwrap();
        let wait = self.clock.until(3_000_000, "the interrupt", || irq.high());
        self.sim.block_on(wait).unwrap().unwrap();
        let status = self.read(reg::irq_status::OFFSET);
        self.write(reg::irq_status::OFFSET, status);
        let code = self.read(reg::error_code::OFFSET);
        assert_eq!(status, if code == 0 { 1 } else { 2 });
        (code, self.read(reg::error_command::OFFSET))
    }

    /// Compares the state memories.
    fn compare(&self, rig: &Rig, what: &str) {
        let found = self.memory.read_logical(STATE, 0, self.state).unwrap();
        let want = rig.machine.state();
        let layout = rig.layout();
        let offset = |address: u64| (address & ((1 << 39) - 1)) as usize;
        let wrong: Vec<usize> = (0..want.len()).filter(|&i| found[i] != want[i]).collect();
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

fn prepared(seed: u64, timing: DramTiming) -> (Rig, Card, usize) {
    let model = random_model(seed);
    let mut rig = Rig::new(&model, Some(8));
    let card = Card::new(&rig, timing);
    (0..3).for_each(|_| {
        rig.kv.create().unwrap();
    });
    (rig, card, model.config.vocab)
}

/// A pass that must give what the golden card gives.
fn good(rig: &mut Rig, card: &Card, salt: u64, vocab: usize) {
    let pass = random_pass(rig, |n| mix(salt << 20 ^ n), vocab);
    let descriptor = rig.layout().descriptor;
    rig.write(descriptor, &pass.encode());
    card.sync(rig);
    assert_eq!(card.run(descriptor), (0, 0), "good pass {salt}");
    rig.machine.run(descriptor).unwrap();
    card.compare(rig, &format!("good pass {salt}"));
}

#[test]
fn the_registers_say_who_the_card_is() {
    let (_, card, _) = prepared(1, DramTiming::IDEAL);
    assert_eq!(card.read(reg::magic::OFFSET), reg::magic::RESET);
    assert_eq!(card.read(reg::geometry::OFFSET), 0x0405_0504);
    assert_eq!(card.read(reg::memory::OFFSET), 0x0008_1001);
    assert_eq!(card.read(reg::limits::OFFSET), 0x0100_0200);
    let hash = rig::small_card().hash();
    assert_eq!(card.read(reg::config_hash_lo::OFFSET), hash as u32);
    assert_eq!(card.read(reg::config_hash_hi::OFFSET), (hash >> 32) as u32);
    assert_eq!(card.read(reg::status::OFFSET), 0);
}

#[test]
fn a_step_at_a_time_is_the_golden_card_a_step_at_a_time() {
    let (mut rig, card, vocab) = prepared(6, DramTiming::IDEAL);
    card.write(reg::control::OFFSET, reg::control::STEP_MODE.put(1) as u32);
    for round in 0..2 {
        let pass = random_pass(&mut rig, |n| mix(round << 20 ^ n), vocab);
        let descriptor = rig.layout().descriptor;
        rig.write(descriptor, &pass.encode());
        card.sync(&rig);
        card.doorbell(descriptor);
        rig.machine.start(descriptor).unwrap();
        for index in 0.. {
            let paused = || {
                let status = u64::from(card.read(reg::status::OFFSET));
                reg::status::PAUSED.get(status) == 1 || reg::status::BUSY.get(status) == 0
            };
            assert!((0..10_000).any(|_| paused()), "no pause before command {index}");
            card.compare(&rig, &format!("before command {index}"));
            assert_eq!(card.read(reg::status::OFFSET) >> 16, index);
            card.write(reg::step::OFFSET, 0);
            if rig.machine.step().unwrap().finished {
                break;
            }
        }
        assert_eq!(card.ended(), (0, 0));
        card.compare(&rig, "after the pass");
    }
    card.write(reg::control::OFFSET, 0);
    good(&mut rig, &card, 77, vocab);
}

#[test]
fn after_every_error_the_next_pass_is_right() {
    for timing in [DramTiming::IDEAL, DramTiming::HOSTILE] {
        let (mut rig, card, vocab) = prepared(2, timing);
        let descriptor = rig.layout().descriptor;
        good(&mut rig, &card, 1, vocab);
        // Image and state end early: reads and writes fail somewhere in the pass.
        for (round, part) in [(0_u64, 4), (1, 3), (2, 2), (3, 1)] {
            card.write(reg::image_bytes_lo::OFFSET, (card.image / 10 * part) as u32);
            let (code, _) = card.run(descriptor);
            assert_eq!(code, 0x21, "{part} tenths of the image");
            card.write(reg::image_bytes_lo::OFFSET, card.image as u32);
            good(&mut rig, &card, 10 + round, vocab);
        }
        // A memory that answers by errors.
        let program = rig.built.image.header.program(ProgramKind::TwoStage);
        card.memory.fail_at(IMAGE + (program.address & 0xff_ffff));
        let pass = {
            let mut pass = rig.pass(ProgramKind::TwoStage);
            let table = rig.layout().table(0);
            pass.push_chunk(table, 0, &[1], |_| true).unwrap();
            pass
        };
        rig.write(descriptor, &pass.encode());
        card.sync(&rig);
        assert_eq!(card.run(descriptor).0, 0x24, "SLVERR");
        card.memory.heal();
        good(&mut rig, &card, 20, vocab);
        let results = rig.layout().results & ((1 << 39) - 1);
        rig.write(descriptor, &pass.encode());
        card.sync(&rig);
        card.memory.fail_at(STATE + results);
        assert_eq!(card.run(descriptor).0, 0x25, "SLVERR of a write");
        card.memory.heal();
        good(&mut rig, &card, 21, vocab);
        // Ended by the host, at any time.
        for at in 0..40 {
            card.doorbell(descriptor);
            card.sim.block_on(card.clock.cycles(at * 97)).unwrap();
            if card.read(reg::status::OFFSET) & 1 == 0 {
                card.ended();
                break;
            }
            card.write(reg::control::OFFSET, reg::control::STOP.put(1) as u32);
            assert_eq!(card.ended().0, 0x41, "stopped after {at}");
            good(&mut rig, &card, 100 + at, vocab);
        }
        // A doorbell too many is dropped and said.
        card.doorbell(descriptor);
        card.doorbell(descriptor);
        let lost = reg::status::DOORBELL_LOST.get(u64::from(card.read(reg::status::OFFSET)));
        assert_eq!(lost, 1);
    }
}

/// Random damage to program, descriptor, page tables: the card ends as the golden card does, or stops
/// earlier, and never writes where it must not.
#[test]
fn damaged_passes_end() {
    let rounds: u64 = std::env::var("SMOKE_ROUNDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60);
    let (mut rig, card, vocab) = prepared(3, DramTiming::IDEAL);
    let (mut same, mut other) = (0, Vec::new());
    for round in 0..rounds {
        let draw = |n: u64| mix(round << 24 ^ n ^ 0x5eed << 40);
        let descriptor = rig.layout().descriptor;
        let before = rig.machine.clone();
        let pass = random_pass(&mut rig, draw, vocab);
        let mut bytes = pass.encode();
        let program = {
            let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            (u64::from(word(8)), word(16) as usize)
        };
        let mut image = rig.machine.image()[program.0 as usize..][..program.1].to_vec();
        let kept = image.clone();
        for n in 0..=draw(200) % 2 {
            let target = match draw(201 + n) % 4 {
                0 => &mut bytes,
                _ => &mut image,
            };
            let at = draw(210 + n) as usize % target.len();
            // The first words of a command say most.
            let at = if draw(220 + n) % 4 == 0 { at } else { at / 64 * 64 + at % 24 };
            match draw(230 + n) % 3 {
                0 => target[at] ^= 1 << (draw(240 + n) % 8),
                1 => target[at] = draw(240 + n) as u8,
                _ => target[at / 4 * 4..at / 4 * 4 + 4].fill(0xff),
            }
        }
        rig.write(descriptor, &bytes);
        card.sync(&rig);
        card.memory.write_logical(IMAGE, program.0, &image).unwrap();
        let found = card.run(descriptor);
        card.memory.write_logical(IMAGE, program.0, &kept).unwrap();
        // The golden card on the same bytes.
        let mut damaged = rig.machine.image().to_vec();
        damaged[program.0 as usize..][..program.1].copy_from_slice(&image);
        let mut machine =
            terntable_golden::card::machine::Machine::new(&rig.card, damaged, card.state);
        machine.state_mut().copy_from_slice(rig.machine.state());
        let want = match machine.run(descriptor) {
            Ok(()) => (0, 0),
            Err(error) => (error.code as u32, error.command as u32),
        };
        if found == want {
            same += 1;
        } else {
            other.push((round, found, want));
        }
        rig.machine = before;
        for id in 0..3 {
            let id = terntable_golden::card::kv::SequenceId(id);
            rig.kv.rewind(id, 0).unwrap();
        }
        if round % 6 == 0 {
            good(&mut rig, &card, 1000 + round, vocab);
            for id in 0..3 {
                rig.kv.rewind(terntable_golden::card::kv::SequenceId(id), 0).unwrap();
            }
        }
    }
    println!("{same} of {rounds} end in the same way; card and golden: {other:x?}");
}
