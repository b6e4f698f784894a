//! The layers below the engine, on a small unit of their own: build, signals, tasks, streams,
//! waveforms, and every check once seen to fail.

use std::{cell::Cell, path::PathBuf, rc::Rc};
use terntable_testbench::{
    Clock, Error, Sim,
    agents::{Sink, Source},
    build::{Built, ModelSpec, Storage},
    seed::{Random, seed},
    sim::{SimOptions, trace_from_env},
    with_timeout,
};

const PERIOD: u64 = 1000;

fn spec() -> ModelSpec {
    let rtl = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/rtl");
    ModelSpec::new("tb_adder", [rtl])
}

fn open(built: &Built, trace: Option<PathBuf>) -> (Sim, Clock) {
    let sim = Sim::open(built, &SimOptions { seed: seed(), trace }).unwrap();
    let clock = sim.clock("clk_i", PERIOD).unwrap();
    let reset = sim.signal("rst_ni").unwrap();
    reset.set(0);
    sim.block_on(clock.cycles(2)).unwrap();
    reset.set(1);
    sim.block_on(clock.cycles(1)).unwrap();
    (sim, clock)
}

fn adder() -> (Sim, Clock) {
    let trace = trace_from_env();
    open(&spec().trace(trace.is_some()).build().unwrap(), trace)
}

#[test]
fn tasks_see_values_before_the_edge_and_write_after_it() {
    let (sim, clock) = adder();
    let [count, data, addend, sum] =
        ["count_o", "in_data_i", "addend_i", "sum_o"].map(|name| sim.signal(name).unwrap());
    assert_eq!((count.width(), data.width(), data.bytes()), (37, 96, 12));
    sim.block_on(async {
        let first = count.get();
        clock.rising_edge().await;
        assert_eq!(count.get(), first + 1, "the value before the edge");
        data.set(0x1ff);
        addend.set(0x1);
        assert_eq!(sum.get(), 0, "a write shows after the edge");
        clock.rising_edge().await;
        assert_eq!(sum.get(), 0x100, "the high bits of the addend and byte 1 do not count");
        let start = clock.cycle();
        clock.cycles(100).await;
        assert_eq!(clock.cycle(), start + 100);
        assert_eq!(count.get(), first + 102);
        let time = sim.time_ps();
        sim.timer(3 * PERIOD + 1).await;
        assert_eq!((sim.time_ps(), clock.cycle()), (time + 3 * PERIOD + 1, start + 103));
    })
    .unwrap();
}

#[test]
fn tasks_are_joined_and_waits_name_what_they_waited_for() {
    let (sim, clock) = adder();
    let ticks = Rc::new(Cell::new(0));
    let task = sim.spawn({
        let (clock, ticks) = (clock.clone(), ticks.clone());
        async move {
            for _ in 0..10 {
                clock.rising_edge().await;
                ticks.set(ticks.get() + 1);
            }
            ticks.get() * 2
        }
    });
    let (joined, late) = sim
        .block_on(async {
            let joined = with_timeout(&clock, 20, "ten ticks", task).await;
            let late = with_timeout(&clock, 5, "pigs to fly", std::future::pending::<()>()).await;
            (joined, late)
        })
        .unwrap();
    assert_eq!(joined.unwrap(), 20);
    let late = late.unwrap_err().to_string();
    assert!(late.contains("waited 5 cycles") && late.contains("for pigs to fly"), "{late}");
}

#[test]
fn streams_carry_every_word_under_random_pauses() {
    for (source_stall, sink_stall) in [(0.0, 0.0), (0.4, 0.0), (0.0, 0.4), (0.5, 0.7)] {
        let (sim, clock) = adder();
        let source = Source::new(&sim, &clock, "in", source_stall, seed()).unwrap();
        let sink = Sink::new(&sim, &clock, "out", sink_stall, seed()).unwrap();
        sim.signal("addend_i").unwrap().set(3);
        let mut random = Random::new(seed(), "words");
        let words: Vec<u8> = (0..12 * 400).map(|_| random.bits() as u8).collect();
        source.send(&words);
        let packets = sim
            .block_on(async {
                let mut packets = Vec::new();
                for _ in 0..100 {
                    let packet = with_timeout(&clock, 200, "a packet", sink.packet()).await?;
                    packets.push(packet);
                }
                Ok::<_, Error>(packets)
            })
            .unwrap()
            .unwrap();
        let got: Vec<u8> = packets.iter().flat_map(|p| p.words.clone()).collect();
        let want: Vec<u8> = words.iter().map(|b| b.wrapping_add(3)).collect();
        assert!(got == want, "stalls {source_stall} {sink_stall}");
        assert!(packets.iter().all(|p| p.cycles.len() == 4));
        let span = packets[99].cycles[3] - packets[0].cycles[0];
        if source_stall == 0.0 && sink_stall == 0.0 {
            assert_eq!(span, 399, "a word a cycle");
        } else {
            assert!(span > 500, "stalls {source_stall} {sink_stall}: {span} cycles");
        }
    }
}

#[test]
fn a_payload_that_changes_while_it_waits_ends_the_run() {
    let (sim, clock) = adder();
    let source = Source::new(&sim, &clock, "in", 0.0, seed()).unwrap();
    let _sink = Sink::new(&sim, &clock, "out", 0.8, seed()).unwrap();
    sim.signal("cheat_i").unwrap().set(1);
    source.send(&[7; 12 * 20]);
    let error = sim.block_on(clock.cycles(200)).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Protocol { .. }), "{text}");
    assert!(text.contains("out at cycle") && text.contains("the payload changed"), "{text}");
}

#[test]
fn an_assertion_of_the_design_ends_the_run_with_its_text() {
    let (sim, clock) = adder();
    sim.block_on(clock.cycles(5)).unwrap();
    sim.signal("poison_i").unwrap().set(1);
    let error = sim.block_on(clock.cycles(5)).unwrap_err().to_string();
    assert!(error.contains("poisoned in cycle") && error.contains("tb_adder"), "{error}");
}

#[test]
fn one_bit_of_internal_storage_can_be_flipped() {
    let storage = ["word_q", "history"]
        .map(|variable| Storage { module: "tb_adder".to_owned(), variable: variable.to_owned() });
    let built = spec().storage(&storage).build().unwrap();
    let (sim, clock) = open(&built, None);
    let names: Vec<_> = sim.storage().map(|(n, w, b)| (n.to_owned(), w, b)).collect();
    assert!(names.contains(&("tb_adder.word_q".to_owned(), 96, 12)), "{names:?}");
    assert!(names.contains(&("tb_adder.history".to_owned(), 8, 4)), "{names:?}");
    let data = sim.signal("out_data_o").unwrap();
    let mut before = [0; 12];
    data.get_bytes(&mut before);
    sim.flip("word_q", 0, 77).unwrap();
    let mut after = [0; 12];
    data.get_bytes(&mut after);
    before[77 / 8] ^= 1 << (77 % 8);
    assert_eq!(before, after, "the output follows at once");
    sim.block_on(clock.cycles(3)).unwrap();
    data.get_bytes(&mut after);
    assert_eq!(before, after, "and keeps the flipped bit");
    let error = sim.flip("history", 4, 0).unwrap_err().to_string();
    assert!(error.contains("found 4 elements of 8 bits"), "{error}");
    let error = sim.flip("absent", 0, 0).unwrap_err().to_string();
    assert!(error.contains("it has: ") && error.contains("tb_adder.history"), "{error}");
}

#[test]
fn two_parameters_are_two_models_in_one_process() {
    let (small, wide) = (spec().parameter("Bytes", 4), spec().parameter("Bytes", 30));
    let (small, wide) = (open(&small.build().unwrap(), None), open(&wide.build().unwrap(), None));
    assert_eq!(small.0.signal("in_data_i").unwrap().width(), 32);
    assert_eq!(wide.0.signal("in_data_i").unwrap().width(), 240);
    for (sim, clock) in [small, wide] {
        let data = sim.signal("in_data_i").unwrap();
        data.set_bytes(&[0x55; 30]);
        sim.signal("addend_i").unwrap().set(1);
        sim.signal("in_valid_i").unwrap().set(1);
        sim.block_on(clock.cycles(3)).unwrap();
        assert!(sim.signal("out_data_o").unwrap().equals(&vec![0x56; data.bytes()]));
    }
}

#[test]
fn names_and_widths_are_checked() {
    let (sim, _clock) = adder();
    let missing = sim.signal("addend").err().unwrap().to_string();
    assert!(missing.contains("no port `addend`") && missing.contains("addend_i"), "{missing}");
    let wrong = sim.signal("sum_o").unwrap().input(8).err().unwrap().to_string();
    assert_eq!(wrong, "`sum_o`: expected an input of 8 bits, found an output of 9 bits");
}

#[test]
fn waveforms_hold_the_signals_and_survive_a_panic() {
    let dir = std::env::temp_dir().join(format!("terntable-trace-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let built = spec().trace(true).build().unwrap();
    for panics in [false, true] {
        let path = dir.join(format!("panics-{panics}.fst"));
        let traced = path.clone();
        let built = built.clone();
        let run = std::thread::spawn(move || {
            let (sim, clock) = open(&built, Some(traced));
            sim.spawn({
                let clock = clock.clone();
                async move { clock.cycles(1_000_000).await }
            });
            sim.block_on(clock.cycles(1000)).unwrap();
            assert!(!panics, "on purpose");
        });
        assert_eq!(run.join().is_err(), panics);
        let mut wave = wellen::simple::read(&path).unwrap();
        let hierarchy = wave.hierarchy();
        let counter = hierarchy
            .all_vars()
            .find(|&var| hierarchy[var].full_name(hierarchy).ends_with("tb_adder.count_o"));
        let signal = hierarchy[counter.unwrap()].signal_ref();
        wave.load_signals(&[signal]);
        let changes = wave.get_signal(signal).unwrap().time_indices().len();
        assert!(changes > 1000, "{changes} changes");
    }
    std::fs::remove_dir_all(dir).unwrap();
}
