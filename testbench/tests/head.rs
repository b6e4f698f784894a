//! The vocabulary head `tt_head` against the golden model, bit for bit: which tokens pass the
//! screen, their logits, their order, and every logit.

#[path = "head/bench.rs"]
mod bench;
#[path = "head/case.rs"]
mod case;

use bench::{Shape, Timing};
use case::{Case, Kind, Runner, Steps, Sums};
use terntable_testbench::seed::{Random, seed};

const SMALL: Shape =
    Shape { slots: 4, lanes: 4, rows: 5, beat: 16, candidates: 16, query_words: 512 };
const SMALL_256: Shape = Shape { candidates: 256, ..SMALL };
const WIDE: Shape =
    Shape { slots: 4, lanes: 8, rows: 7, beat: 64, candidates: 16, query_words: 64 };
const KV260: Shape =
    Shape { slots: 16, lanes: 8, rows: 7, beat: 64, candidates: 256, query_words: 1024 };

fn base(shape: &Shape) -> Case {
    Case {
        vocab: 3 * shape.candidates + 7,
        hidden: 37,
        heads: vec![true; shape.slots],
        sums: Sums::Random,
        steps: Steps::Plain,
        panels: 1,
        shuffle: false,
    }
}

fn check(runner: &mut Runner, cases: &[Case], kinds: &[Kind]) {
    for case in cases {
        for &kind in kinds {
            runner.check(case, kind);
        }
    }
}

const ALL: [Kind; 3] = [Kind::TwoStage, Kind::Full, Kind::Logits];

fn vocabularies(shape: Shape, timing: Timing) {
    let mut runner = Runner::new(shape, timing);
    let c = shape.candidates;
    let vocabs = [1, 2, c - 1, c, c + 1, 2 * c, 3 * c + 5];
    let cases = vocabs.map(|vocab| Case { vocab, ..base(&shape) });
    check(&mut runner, &cases, &ALL);
}

#[test]
fn vocabularies_smaller_than_equal_to_and_larger_than_the_candidates() {
    vocabularies(SMALL, Timing::IDEAL);
    vocabularies(WIDE, Timing::IDEAL);
}

#[test]
fn vocabularies_under_stalls() {
    vocabularies(SMALL, Timing::STALLS);
    vocabularies(WIDE, Timing::STARVED);
}

#[test]
fn full_size_heaps() {
    vocabularies(SMALL_256, Timing::IDEAL);
}

fn contents(shape: Shape, timing: Timing) {
    let mut runner = Runner::new(shape, timing);
    let sums =
        [Sums::Zero, Sums::Ascending, Sums::Descending, Sums::Few, Sums::Extreme, Sums::Tail];
    let mut cases: Vec<Case> = sums.map(|sums| Case { sums, ..base(&shape) }).to_vec();
    let steps = [Steps::Equal, Steps::Wild, Steps::Signed, Steps::Tiny];
    cases.extend(steps.map(|steps| Case { steps, ..base(&shape) }));
    check(&mut runner, &cases, &ALL);
}

#[test]
fn ties_orders_and_special_values() {
    contents(SMALL, Timing::IDEAL);
    contents(WIDE, Timing::STALLS);
}

#[test]
fn ties_orders_and_special_values_full_size() {
    contents(SMALL_256, Timing::STARVED);
}

fn hidden_sizes(shape: Shape, timing: Timing) {
    let mut runner = Runner::new(shape, timing);
    let b = shape.beat;
    let sizes =
        [1, 3, b - 5, b - 4, b - 3, b - 1, b, b + 1, 2 * b - 4, 2 * b, 5 * b - 9, 11 * b + 2];
    let vocab = 2 * shape.candidates;
    let cases = sizes.map(|hidden| Case { hidden, vocab, ..base(&shape) });
    check(&mut runner, &cases, &ALL);
}

#[test]
fn ragged_hidden_sizes() {
    hidden_sizes(SMALL, Timing::IDEAL);
    hidden_sizes(SMALL, Timing::STALLS);
    hidden_sizes(WIDE, Timing::IDEAL);
}

#[test]
fn every_set_of_slots() {
    let mut runner = Runner::new(SMALL, Timing::IDEAL);
    for slots in 1..=SMALL.slots {
        for mask in 0..1_u32 << slots {
            let heads: Vec<bool> = (0..slots).map(|s| mask >> s & 1 == 1).collect();
            check(&mut runner, &[Case { heads, vocab: 61, ..base(&SMALL) }], &ALL);
        }
    }
}

#[test]
fn panels_in_any_order() {
    for timing in [Timing::IDEAL, Timing::STALLS, Timing::SPARSE] {
        let mut runner = Runner::new(SMALL, timing);
        for (panels, shuffle) in [(2, false), (7, false), (4, true)] {
            for sums in [Sums::Random, Sums::Zero, Sums::Few] {
                let case = Case { panels, shuffle, sums, vocab: 150, ..base(&SMALL) };
                check(&mut runner, &[case], &[Kind::TwoStage]);
            }
        }
    }
    let mut runner = Runner::new(WIDE, Timing::STALLS);
    for panels in [2, 5] {
        let case = Case { panels, vocab: 600, ..base(&WIDE) };
        check(&mut runner, &[case], &[Kind::TwoStage]);
    }
}

#[test]
fn random_cases() {
    let mut random = Random::new(seed(), "cases");
    for shape in [SMALL, WIDE] {
        let mut runner = Runner::new(shape, Timing::IDEAL);
        for _ in 0..40 {
            let timings = [Timing::IDEAL, Timing::STALLS, Timing::STARVED, Timing::SPARSE];
            let stall = |random: &mut Random| random.range(0, 9) as f64 / 10.0;
            let mut timing = timings[random.range(0, 3) as usize];
            timing.sums = stall(&mut random);
            timing.beats = stall(&mut random);
            timing.writes = stall(&mut random);
            runner.set_timing(timing);
            let case = Case::random(&mut random, &shape);
            let kind = ALL[random.range(0, 2) as usize];
            runner.check(&case, kind);
        }
    }
}

#[test]
fn a_reset_in_the_middle_leaves_nothing_behind() {
    let mut random = Random::new(seed(), "resets");
    for shape in [SMALL, WIDE] {
        let mut runner = Runner::new(shape, Timing::STALLS);
        for kind in ALL {
            for _ in 0..6 {
                let case = Case::random(&mut random, &shape);
                runner.abandon(&case, kind, random.range(1, 900));
                runner.check(&case, kind);
            }
        }
    }
}

#[test]
fn the_golden_head_whole() {
    for shape in [SMALL_256, KV260] {
        let mut runner = Runner::new(shape, Timing::IDEAL);
        runner.check_golden(700, 48);
    }
}

/// What the unit takes of its streams: `--nocapture` prints the cycles.
#[test]
fn throughput() {
    let mut runner = Runner::new(KV260, Timing { latency: 40, ..Timing::IDEAL });
    let case = Case {
        vocab: 4000,
        hidden: 640,
        sums: Sums::Random,
        heads: vec![true; 16],
        ..base(&KV260)
    };
    let random = runner.check(&case, Kind::TwoStage);
    let quiet = runner.check(&Case { sums: Sums::Descending, ..case.clone() }, Kind::TwoStage);
    let one = runner.check(&Case { heads: vec![true], ..case.clone() }, Kind::TwoStage);
    let full = runner.check(&Case { heads: vec![true], ..case.clone() }, Kind::Full);
    println!("16 slots, random sums:     {random}");
    println!("16 slots, descending sums: {quiet}");
    println!("1 slot, random sums:       {one}");
    println!("1 slot, full:              {full}");
    let words = 4000_u64.div_ceil(8) * 16;
    let fill = 16 * 256 * 9;
    assert!(quiet.screen < words + fill, "a word a cycle while nothing survives: {quiet}");
    assert!(quiet.score < quiet.beats * 105 / 100 + 2500, "a beat a cycle: {quiet}");
    assert!(full.score < full.beats * 102 / 100 + 300, "a beat a cycle: {full}");
}
