//! `CardSim`: the whole card, driven as a host does.

#[allow(dead_code)]
#[path = "../../golden-model/tests/card/rig.rs"]
mod rig;

use rig::{Rig, random_model};
use terntable_golden::card::program::ProgramKind;
use terntable_testbench::{
    agents::DramTiming,
    build::Storage,
    card::{Buffer, CardOptions, CardSim, PassEnd, Stepped},
    seed::seed,
};

fn card(rig: &Rig, options: CardOptions) -> CardSim {
    let mut card = CardSim::with(&rig.card, options).unwrap();
    card.load_image(rig.built.image.bytes()).unwrap();
    card.new_state(rig.machine.state().len()).unwrap();
    card
}

/// A pass of a few tokens, its descriptor in both memories.
fn prepare(rig: &mut Rig, card: &CardSim, kind: ProgramKind, tokens: &[u32]) -> u64 {
    let id = rig.kv.create().unwrap();
    rig.reserve(id, tokens.len());
    let mut pass = rig.pass(kind);
    let table = rig.layout().table(id.0);
    pass.push_chunk(table, 0, tokens, |_| true).unwrap();
    let descriptor = rig.layout().descriptor;
    rig.write(descriptor, &pass.encode());
    card.write_state(0, rig.machine.state()).unwrap();
    descriptor
}

#[test]
fn a_pass_ends_in_its_interrupt_and_the_golden_results() {
    let model = random_model(3);
    let mut rig = Rig::new(&model, None);
    for timing in [DramTiming::IDEAL, DramTiming::HOSTILE, DramTiming::KV260] {
        let mut card = card(&rig, CardOptions { timing, ..CardOptions::default() });
        let descriptor = prepare(&mut rig, &card, ProgramKind::TwoStage, &[3, 1, 4]);
        card.clear().unwrap();
        assert_eq!(card.run_pass(descriptor).unwrap(), PassEnd::Done);
        rig.machine.run(descriptor).unwrap();
        let at = rig.layout().results;
        let bytes = 3 * rig.layout().results_stride as usize;
        assert!(rig.read(at, bytes).iter().any(|b| *b != 0));
        assert!(card.read(at, bytes).unwrap() == rig.read(at, bytes), "{}", timing.name());
        let counters = card.counters().unwrap();
        let statistics = card.memory_statistics();
        assert_eq!(u64::from(counters.read_beats), statistics.reads);
        assert_eq!(u64::from(counters.write_beats), statistics.writes);
        assert!(counters.weight_beats > 0 && counters.busy[1] < counters.cycles, "{counters:?}");
        println!("{}: {counters:?}", timing.name());
    }
}

#[test]
fn a_pass_that_fails_says_why_and_the_next_one_runs() {
    let model = random_model(3);
    let mut rig = Rig::new(&model, None);
    let mut card = card(&rig, CardOptions::default());
    let descriptor = prepare(&mut rig, &card, ProgramKind::TwoStage, &[3]);
    card.write(descriptor, &[0; 4]).unwrap();
    let PassEnd::Failed(failure) = card.run_pass(descriptor).unwrap() else { panic!("it ran") };
    assert_eq!((failure.code, failure.address), (1, descriptor), "{failure}");
    let text = PassEnd::Failed(failure).ok().unwrap_err().to_string();
    assert!(text.contains("does not begin with its magic (error 0x01"), "{text}");
    card.write_state(0, rig.machine.state()).unwrap();
    assert_eq!(card.run_pass(descriptor).unwrap(), PassEnd::Done);
    // A limit that is too short names what the units do.
    card.doorbell(descriptor).unwrap();
    let error = card.wait_pass(300).unwrap_err().to_string();
    assert!(error.contains("waited 300 cycles") && error.contains("still running"), "{error}");
    assert!(error.contains("multiply ") && error.contains("at command"), "{error}");
    card.stop().unwrap();
    let PassEnd::Failed(failure) = card.wait_pass(100_000).unwrap() else { panic!("it ran") };
    assert_eq!(failure.code, 0x41, "{failure}");
    // Reset in the middle.
    card.doorbell(descriptor).unwrap();
    card.wait(777).unwrap();
    card.reset().unwrap();
    card.write_state(0, rig.machine.state()).unwrap();
    assert_eq!(card.run_pass(descriptor).unwrap(), PassEnd::Done);
}

#[test]
fn steps_show_the_buffers_after_every_command() {
    let model = random_model(1);
    let mut rig = Rig::new(&model, None);
    let mut card = card(&rig, CardOptions::default());
    let descriptor = prepare(&mut rig, &card, ProgramKind::TwoStage, &[5, 6]);
    let buffers = card.buffers().unwrap();
    for buffer in Buffer::ALL {
        println!("{buffer:?}: {}", buffers.probe(buffer).name());
    }
    card.set_step_mode(true).unwrap();
    card.doorbell(descriptor).unwrap();
    rig.machine.start(descriptor).unwrap();
    let mut compared = 0;
    let mut at = card.wait_step().unwrap();
    while let Stepped::Paused(index) = at {
        let step = rig.machine.step().unwrap();
        assert_eq!(step.index, index as usize);
        at = card.step().unwrap();
        for word in 0..rig.machine.x().words() {
            let found = buffers.word(Buffer::Residual, word).unwrap();
            let difference = rig.machine.x().difference(word, &found);
            assert_eq!(difference, None, "X[{word}] after {index}: {:?}", step.command);
        }
        for word in 0..rig.machine.a().words() {
            let found = buffers.word(Buffer::Activations, word).unwrap();
            let difference = rig.machine.a().difference(word, &found);
            assert_eq!(difference, None, "A[{word}] after {index}: {:?}", step.command);
        }
        compared += 1;
    }
    assert_eq!(at, Stepped::Over(PassEnd::Done));
    println!("{compared} commands");
    assert!(compared > 20);
}

#[test]
fn one_flipped_bit_changes_the_results() {
    let model = random_model(3);
    let mut rig = Rig::new(&model, None);
    let faults = vec![Storage::new("tt_ram", "memory")];
    let mut card = card(&rig, CardOptions { faults, ..CardOptions::default() });
    let descriptor = prepare(&mut rig, &card, ProgramKind::TwoStage, &[3]);
    card.run_pass(descriptor).unwrap().ok().unwrap();
    let (at, bytes) = (rig.layout().results, rig.layout().results_stride as usize);
    let right = card.read(at, bytes).unwrap();
    card.write_state(0, rig.machine.state()).unwrap();
    let last = card.cycle();
    card.run_pass(descriptor).unwrap().ok().unwrap();
    let cycles = card.cycle() - last;
    assert!(card.read(at, bytes).unwrap() == right);
    let mut noticed = 0;
    for part in 1..8 {
        card.write_state(0, rig.machine.state()).unwrap();
        card.fault_after(cycles * part / 8, "u_residual.memory", 0, 30);
        let _ = card.run_pass(descriptor).unwrap();
        noticed += u32::from(card.read(at, bytes).unwrap() != right);
    }
    println!("{noticed} of 7 flips noticed");
    assert!(noticed > 0, "nobody noticed");
}

/// `cargo test --release -p terntable-testbench --test card_sim speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn speed() {
    // Processor time of this thread: other load does not count.
    let time = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0.0) * 1e-9
    };
    let model = random_model(3);
    let path = std::env::temp_dir().join(format!("card-speed-{}.json", std::process::id()));
    let default = CardOptions::default;
    let memories = vec![Storage::new("tt_ram", "memory")];
    for (name, options) in [
        ("ideal", default()),
        ("ddr4", CardOptions { timing: DramTiming::KV260, ..default() }),
        ("perfetto", CardOptions { perfetto: Some(path.clone()), ..default() }),
        ("without peek", CardOptions { peek: false, ..default() }),
        ("faults in memories", CardOptions { faults: memories, ..default() }),
    ] {
        let mut rig = Rig::new(&model, None);
        let mut card = card(&rig, options);
        let descriptor = prepare(&mut rig, &card, ProgramKind::TwoStage, &[3, 4, 5, 6]);
        for _ in 0..2 {
            let (start, cycle) = (time(), card.cycle());
            for _ in 0..8 {
                card.run_pass(descriptor).unwrap().ok().unwrap();
            }
            let (cycles, seconds) = (card.cycle() - cycle, time() - start);
            println!("{name}: {:.0} k cycles/s, {cycles} cycles", cycles as f64 / seconds / 1e3);
        }
        let (start, cycle) = (time(), card.cycle());
        card.wait(300_000).unwrap();
        let rate = (card.cycle() - cycle) as f64 / (time() - start);
        println!("{name}, idle: {:.0} k cycles/s", rate / 1e3);
    }
    let _ = std::fs::remove_file(path);
}

#[test]
fn a_trace_shows_units_and_commands() {
    let model = random_model(3);
    let mut rig = Rig::new(&model, None);
    let path = std::env::temp_dir().join(format!("card-{}.json", std::process::id()));
    let perfetto = Some(path.clone());
    let mut card = card(&rig, CardOptions { perfetto, seed: seed(), ..CardOptions::default() });
    let descriptor = prepare(&mut rig, &card, ProgramKind::TwoStage, &[3, 4]);
    card.tracer().unwrap().mark("the pass begins");
    card.run_pass(descriptor).unwrap().ok().unwrap();
    let counters = card.counters().unwrap();
    drop(card);
    let text = std::fs::read_to_string(&path).unwrap();
    let events: serde_json::Value = serde_json::from_str(&text).unwrap();
    let events = events.as_array().unwrap();
    // Busy cycles of every unit are those of its counter.
    for (unit, busy) in counters.busy.iter().enumerate() {
        let cycles: f64 = events
            .iter()
            .filter(|e| e["ph"] == "X" && e["tid"] == unit as u64 + 1)
            .map(|e| e["args"]["cycles"].as_f64().unwrap())
            .sum();
        assert_eq!(cycles as u32, *busy, "unit {unit}");
    }
    assert!(events.iter().any(|e| e["name"] == "pass" && e["ph"] == "X"));
    let weights: f64 = events
        .iter()
        .filter(|e| e["ph"] == "C" && e["args"]["beats"].is_number())
        .map(|e| e["args"]["beats"].as_f64().unwrap())
        .sum();
    assert!(weights > 0.0 && events.len() > 50);
    println!("{} events, {} bytes", events.len(), text.len());
    std::fs::remove_file(path).unwrap();
}
