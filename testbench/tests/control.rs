//! The engine's registers and what happens when something goes wrong: identity, refused jobs,
//! errors of the memory, reset in the middle of a job, flipped bits.

mod common;

use common::{Case, check, makes, prepare, small};
use std::collections::BTreeSet;
use terntable_driver::registers as reg;
use terntable_golden::card::config::Engine;
use terntable_testbench::{
    Error,
    agents::MemoryTiming,
    engine::{EngineOptions, EngineSim, FaultUnit, Job},
    report::first_difference,
    seed::{Random, seed},
};

const BUSY: u32 = reg::status::BUSY.mask() as u32;
const JOB_READY: u32 = reg::status::JOB_READY.mask() as u32;
const MEMORY_ERROR: u32 = reg::status::MEMORY_ERROR.mask() as u32;
const JOB_OVERFLOW: u32 = reg::status::JOB_OVERFLOW.mask() as u32;
const BAD_JOB: u32 = reg::status::BAD_JOB.mask() as u32;

fn random() -> Random {
    Random::new(seed(), "control")
}

#[test]
fn the_registers_say_who_the_engine_is() {
    let engine = small(EngineOptions { register_stall: 0.5, ..EngineOptions::default() });
    assert_eq!(engine.read32(reg::magic::OFFSET).unwrap(), reg::magic::RESET);
    assert_eq!(engine.read32(reg::geometry::OFFSET).unwrap(), 0x0405_0504);
    assert_eq!(engine.read32(reg::limits::OFFSET).unwrap(), 0x0200_0010);
    assert_eq!(engine.read32(reg::status::OFFSET).unwrap(), JOB_READY);
    assert_eq!(engine.read32(0xff0).unwrap(), 0, "no register");
    engine.write32(reg::magic::OFFSET, 0).unwrap();
    assert_eq!(engine.read32(reg::magic::OFFSET).unwrap(), reg::magic::RESET, "read-only");
    for (offset, value) in
        [(reg::job_address_hi::OFFSET, 0xdead_beef), (reg::job_tiles::OFFSET, 0x5aa5_0ff0)]
    {
        engine.write32(offset, value).unwrap();
        assert_eq!(engine.read32(offset).unwrap(), value);
    }
}

#[test]
fn counters_count_the_job_and_are_cleared() {
    for mut engine in makes(EngineOptions::default()) {
        engine.clear().unwrap();
        check(&mut engine, &[Case::new(46, 91, 4), Case::new(20, 31, 2)]);
        let (counters, memory) = (engine.counters().unwrap(), engine.memory_statistics());
        let beats = 10 * 7 + 4 * 3;
        assert_eq!((counters.beats, memory.delivered), (beats, beats));
        let lost = counters.lost_memory
            + counters.lost_tables
            + counters.lost_drain
            + counters.lost_results
            + counters.lost_order;
        assert!(counters.cycles >= beats + lost, "{counters:?}");
        assert_eq!(engine.read32(reg::jobs_done::OFFSET).unwrap(), 2);
        engine.clear().unwrap();
        assert_eq!(engine.counters().unwrap(), Default::default());
    }
}

#[test]
fn the_share_of_the_memory_is_counted_honestly() {
    for mut engine in makes(EngineOptions::default()) {
        // One tile a block: every beat waits for its tables, or for four words of activations.
        let most = if engine.params().engine == Engine::Table { 0.15 } else { 0.36 };
        engine.clear().unwrap();
        check(&mut engine, &[Case::new(5, 15 * 300, 4)]);
        let memory = engine.memory_statistics();
        assert_eq!(memory.delivered, 300);
        assert!(memory.share() < most, "{memory:?}");
        assert!(engine.counters().unwrap().lost_tables > 300);
        // Many tiles a block: the memory is the limit.
        engine.clear().unwrap();
        check(&mut engine, &[Case::new(1000, 200, 4)]);
        let memory = engine.memory_statistics();
        assert!(memory.share() > 0.95, "{memory:?}");
        // Half of its cycles deliver nothing, and those are not offered.
        engine.memory().set_timing(MemoryTiming { stall: 0.5, ..MemoryTiming::IDEAL });
        engine.clear().unwrap();
        check(&mut engine, &[Case::new(1000, 200, 4)]);
        let memory = engine.memory_statistics();
        assert!(memory.share() > 0.95, "{memory:?}");
        assert!(memory.last_beat - memory.first_request > memory.delivered * 19 / 10, "{memory:?}");
    }
}

#[test]
fn a_memory_error_is_reported_and_cleared() {
    let mut engine = small(EngineOptions::default());
    let prepared = prepare(&mut engine, Case::new(46, 91, 4), &mut random());
    let params = *engine.params();
    engine.memory().fail_at(prepared.address + 5 * 16);
    let error = engine.run_jobs(&[prepared.job(&params)]).unwrap_err().to_string();
    assert!(error.contains("answered by an error"), "{error}");
    engine.memory().heal();
    engine.clear().unwrap();
    assert_eq!(engine.read32(reg::status::OFFSET).unwrap(), JOB_READY);
    let sums = engine.run_jobs(&[prepared.job(&params)]).unwrap();
    assert_eq!(first_difference("after the error", &prepared.expected, &sums[0]), None);
}

#[test]
fn weights_that_are_not_there_are_a_memory_error() {
    let mut engine = small(EngineOptions::default());
    let prepared = prepare(&mut engine, Case::new(5, 15, 1), &mut random());
    let params = *engine.params();
    engine.unload(prepared.address);
    let error = engine.run_jobs(&[prepared.job(&params)]).unwrap_err();
    assert!(matches!(error, Error::Engine { status, .. } if status.0 & MEMORY_ERROR != 0));
}

#[test]
fn a_job_that_cannot_be_is_refused() {
    let mut engine = small(EngineOptions::default());
    let prepared = prepare(&mut engine, Case::new(10, 30, 2), &mut random());
    let params = *engine.params();
    let good = prepared.job(&params);
    let bad = [
        ("tiles", Job { tiles: 0, ..good }),
        ("tiles", Job { tiles: 513, ..good }),
        ("blocks", Job { blocks: 0, ..good }),
        ("blocks", Job { blocks: 4370, ..good }), // 4369 blocks hold the 65,535 columns
        ("slots", Job { slots: 0, ..good }),
        ("slots", Job { slots: 5, ..good }),
        ("address", Job { address: good.address + 8, ..good }),
    ];
    for (what, job) in bad {
        let refused = engine.run_jobs(&[job]).unwrap_err().to_string();
        assert!(refused.starts_with(what), "{refused}");
        engine.start_job(&Job { activations: &[], ..job }).unwrap();
        let status = engine.read32(reg::status::OFFSET).unwrap();
        assert_eq!(status, JOB_READY | BAD_JOB, "{what} {job:?}");
        engine.clear().unwrap();
    }
    let sums = engine.run_jobs(&[good]).unwrap();
    assert_eq!(first_difference("after bad jobs", &prepared.expected, &sums[0]), None);
}

#[test]
fn a_fifth_job_is_dropped_and_reported() {
    // Slow weights keep the jobs in the engine while they are started.
    let timing = MemoryTiming { latency: 500, ..MemoryTiming::IDEAL };
    let mut engine = small(EngineOptions { timing, ..EngineOptions::default() });
    let prepared = prepare(&mut engine, Case::new(10, 30, 2), &mut random());
    let params = *engine.params();
    let job = prepared.job(&params);
    for n in 0..4 {
        engine.start_job(&job).unwrap();
        let ready = engine.read32(reg::status::OFFSET).unwrap() & JOB_READY != 0;
        assert_eq!(ready, n < 3, "after job {n}");
    }
    engine.start_job(&Job { activations: &[], ..job }).unwrap();
    let status = engine.read32(reg::status::OFFSET).unwrap();
    assert_eq!(status, BUSY | JOB_OVERFLOW);
    engine.wait(5000).unwrap();
    assert_eq!(engine.read32(reg::jobs_done::OFFSET).unwrap(), 4, "the four before it are done");
}

#[test]
fn reset_in_the_middle_of_a_job_leaves_nothing_behind() {
    let mut random = random();
    let timing = MemoryTiming { latency: 20, stall: 0.2, ..MemoryTiming::IDEAL };
    let options = EngineOptions { timing, result_stall: 0.2, ..EngineOptions::default() };
    for mut engine in makes(options) {
        let long = prepare(&mut engine, Case::new(91, 200, 4), &mut random);
        let params = *engine.params();
        for wait in [0, 1, 17, 40, 100, 200, 300, 333, 400, 500, 700] {
            engine.start_job(&long.job(&params)).unwrap();
            engine.start_job(&long.job(&params)).unwrap();
            engine.wait(wait + random.range(0, 9)).unwrap();
            engine.reset().unwrap();
            assert_eq!(engine.read32(reg::status::OFFSET).unwrap(), JOB_READY);
            assert_eq!(engine.counters().unwrap(), Default::default());
            check(&mut engine, &[Case::new(46, 91, 4), Case::new(8, 16, 3)]);
        }
    }
}

#[test]
fn a_job_without_weights_in_time_says_what_is_stuck() {
    let timing = MemoryTiming { stall: 1.0, ..MemoryTiming::IDEAL };
    let mut engine = small(EngineOptions { timing, ..EngineOptions::default() });
    let prepared = prepare(&mut engine, Case::new(10, 30, 2), &mut random());
    let params = *engine.params();
    let error = engine.run_jobs(&[prepared.job(&params)]).unwrap_err().to_string();
    assert!(error.contains("the results of job 0 of 1") && error.contains("busy"), "{error}");
    assert!(error.contains("0 beats were delivered"), "{error}");
}

/// Flips one bit in each unit; the comparison must notice, and only there where the unit reaches.
#[test]
fn a_flipped_bit_is_seen_in_the_sums() {
    let options = EngineOptions { faults: true, ..EngineOptions::default() };
    for mut engine in makes(options) {
        let params = *engine.params();
        let mut random = random();
        let case = Case::new(200, 200, 4);
        let prepared = prepare(&mut engine, case, &mut random);
        let run = |engine: &mut EngineSim, fault: Option<(u64, FaultUnit, usize)>| {
            engine.reset().unwrap();
            if let Some((cycles, unit, bit)) = fault {
                engine.fault_after(cycles, unit, bit);
            }
            let sums = engine.run_jobs(&[prepared.job(&params)]).unwrap().remove(0);
            let mut wrong = BTreeSet::new();
            for (slot, want) in prepared.expected.iter().enumerate() {
                let differ = (0..want.len()).filter(|&row| sums.slot(slot)[row] != want[row]);
                wrong.extend(differ.map(|row| (row, slot)));
            }
            (wrong, first_difference("fault", &prepared.expected, &sums))
        };
        assert_eq!(run(&mut engine, None).1, None, "no fault, no difference");

        // A table or an activation: many rows of slot 0, no other slot.
        let bit = match params.engine {
            Engine::Table => 2 * 320 + 10 * 3 + 7,
            Engine::Select => 8 * 6 + 7,
        };
        let (wrong, difference) = run(&mut engine, Some((250, FaultUnit::Table, bit)));
        assert!(wrong.len() > 3 && wrong.iter().all(|(_, slot)| *slot == 0), "{wrong:?}");
        let text = difference.unwrap().to_string();
        for part in ["first difference", "slot 0", "expected", "seed", "TERNTABLE_TRACE="] {
            assert!(text.contains(part), "{text}");
        }

        // A beat of weights: one row, every slot.
        let (wrong, _) = run(&mut engine, Some((250, FaultUnit::Weight, 8 * 3 + 1)));
        let rows: BTreeSet<usize> = wrong.iter().map(|(row, _)| *row).collect();
        assert_eq!((rows.len(), wrong.len()), (1, 4), "{wrong:?}");

        // A partial sum: one row of one slot. (Flipped while the word is on its way it would be healed.)
        let (tile, slot, row) = (9, 2, 3);
        let bit = tile * 24 * 20 + (slot * 5 + row) * 24 + 11;
        let (wrong, _) = run(&mut engine, Some((300, FaultUnit::Accumulator, bit)));
        assert_eq!(wrong, BTreeSet::from([(tile * 5 + row, slot)]));
    }
}
