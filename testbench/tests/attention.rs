//! Ternary attention against the golden model, bit for bit: decode, prefill, mixed runs, trees,
//! grouped heads, int8 and int4, pages anywhere, scores that do not fit the store, slow memory,
//! back-pressure, extremes, resets; and the cycles that it takes.

#[path = "attention/bench.rs"]
mod bench;
#[path = "attention/bits.rs"]
mod bits;
#[path = "attention/mutants.rs"]
mod mutants;
#[path = "attention/scene.rs"]
mod scene;
#[path = "attention/writer.rs"]
mod writer;

use bench::Bench;
use scene::{Content, Model, Row, Scene, Shape, Slot};
use terntable_golden::{
    attention::{KvCache, KvFormat, attend, query_factor},
    quantise::quantise,
};
use terntable_testbench::{
    agents::{MemoryTiming, STATE},
    seed::{Random, seed},
};
use writer::Writer;

const SMALL: Shape = Shape {
    slots: 4,
    beat: 16,
    lanes: 4,
    page_rows: 8,
    score_lanes: 1,
    score_words: 47,
    query_words: 512,
    head_dim_max: 64,
    heads_max: 8,
};
const EDGE: Shape = Shape {
    slots: 16,
    beat: 64,
    lanes: 8,
    page_rows: 16,
    score_lanes: 4,
    score_words: 1024,
    query_words: 1024,
    head_dim_max: 128,
    heads_max: 32,
};

/// A slot of a run that writes rows one after the other: a chunk of a prompt.
fn prompt(sequence: usize, history: usize, index: usize) -> Slot {
    Slot { sequence, history, mask: ((1_u64 << (index + 1)) - 1) as u32 }
}

fn model(heads: usize, kv_heads: usize, head_dim: usize, int4: bool) -> Model {
    Model { heads, kv_heads, head_dim, int4 }
}

fn slow(random: &mut Random) -> MemoryTiming {
    MemoryTiming {
        latency: random.range(1, 90) as u32,
        stall: [0.0, 0.1, 0.5][random.range(0, 2) as usize],
        request_stall: [0.0, 0.4][random.range(0, 1) as usize],
        outstanding: random.range(1, 8) as usize,
        refresh: None,
    }
}

/// Pages of 16 rows in narrow beats: four beats of steps, many words a row.
const NARROW: Shape = Shape { page_rows: 16, score_lanes: 4, score_words: 64, ..SMALL };
/// Pages of 8 rows in wide beats: a beat of steps is half empty, four scores in two cycles.
const WIDE: Shape = Shape {
    slots: 5,
    beat: 64,
    lanes: 8,
    page_rows: 8,
    score_lanes: 4,
    score_words: 40,
    query_words: 512,
    head_dim_max: 128,
    heads_max: 8,
};

/// A model that the shape can hold.
fn any_model(random: &mut Random, shape: &Shape) -> Model {
    let dims: Vec<usize> = [16, 32, 48, 64, 80, 96, 128]
        .into_iter()
        .filter(|d| *d <= shape.head_dim_max && d.is_multiple_of(2 * shape.lanes))
        .collect();
    loop {
        let pick = |random: &mut Random, from: &[usize]| {
            from[random.range(0, from.len() as u64 - 1) as usize]
        };
        let kv_heads = pick(random, &[1, 2, 3]);
        let heads = kv_heads * pick(random, &[1, 2, 3, 4]);
        let model = model(heads, kv_heads, pick(random, &dims), random.chance(0.5));
        if heads <= shape.heads_max && model.words(shape) * heads * shape.slots <= shape.query_words
        {
            return model;
        }
    }
}

/// Runs of one or more slots, in chunks of prompts, decode steps and trees.
fn any_scene(random: &mut Random, shape: Shape, longest: u64) -> Scene {
    let model = any_model(random, &shape);
    let count = random.range(1, shape.slots as u64) as usize;
    let (mut slots, mut lengths) = (Vec::new(), Vec::new());
    while slots.len() < count {
        let most = if random.chance(0.3) { 1 } else { (count - slots.len()) as u64 };
        let run = random.range(1, most) as usize;
        let history = random.range(0, longest) as usize;
        let kind = random.range(0, 2);
        for i in 0..run {
            let mut slot = prompt(lengths.len(), history, i);
            match kind {
                _ if random.chance(0.05) => (slot.history, slot.mask) = (0, 0),
                0 => {}
                1 => slot.mask = random.bits() as u32,
                // Not what runs are made of, but slots stand for themselves.
                _ => slot.history = history.saturating_sub(random.range(0, 20) as usize),
            }
            slots.push(slot);
        }
        // Rows behind the last visible one are nobody's business.
        lengths.push(history + 32 + random.range(0, 9) as usize);
    }
    let content = match random.range(0, 9) {
        0 => Content::Lowest,
        1 => Content::Saturating,
        2 => Content::ZeroSteps,
        3 => Content::WildSteps,
        4 => Content::InfiniteSteps,
        _ => Content::Usual,
    };
    Scene::new(random, shape, model, content, &lengths, slots)
}

fn random_scenes(shape: Shape, purpose: &str, scenes: usize, longest: u64) {
    scenes_on(&mut Bench::new(shape, purpose), shape, purpose, scenes, longest);
}

fn scenes_on(bench: &mut Bench, shape: Shape, purpose: &str, scenes: usize, longest: u64) {
    let mut random = Random::new(seed(), purpose);
    for i in 0..scenes {
        let scene = any_scene(&mut random, shape, longest);
        let (timing, stall) = match random.range(0, 2) {
            0 => (MemoryTiming::IDEAL, 0.0),
            1 => (slow(&mut random), 0.0),
            _ => (slow(&mut random), 0.7),
        };
        bench.timing(timing, stall);
        bench.run(&format!("{purpose} {i}, {timing:?}, stall {stall}"), &scene);
    }
    assert_eq!(bench.errors(), 0);
}

#[test]
fn random_scenes_small() {
    random_scenes(SMALL, "small", 150, 130);
}

#[test]
fn random_scenes_narrow() {
    random_scenes(NARROW, "narrow", 100, 150);
}

#[test]
fn random_scenes_wide() {
    random_scenes(WIDE, "wide", 100, 150);
}

#[test]
fn random_scenes_edge() {
    random_scenes(EDGE, "edge", 40, 500);
}

#[test]
fn decode_at_every_context() {
    let mut bench = Bench::new(SMALL, "decode");
    let mut random = Random::new(seed(), "decode scenes");
    for rows in 1..=300 {
        let model = model(2, 1, 32, rows % 2 == 1);
        let slots = vec![prompt(0, rows - 1, 0)];
        let scene = Scene::new(&mut random, SMALL, model, Content::Usual, &[rows], slots);
        bench.run(&format!("{rows} rows"), &scene);
    }
}

/// 32768 / 0 is quick: nothing of the item before may be taken for this one's.
#[test]
fn zero_steps_after_infinite_ones() {
    extremes_on(&mut Bench::new(SMALL, "extremes"));
}

fn extremes_on(bench: &mut Bench) {
    let mut random = Random::new(seed(), "extremes");
    for i in 0..6 {
        for content in [Content::InfiniteSteps, Content::ZeroSteps, Content::Lowest] {
            let slots = vec![prompt(0, 20 + i, 0)];
            let model = model(2, 1, 32, i % 2 == 1);
            let scene = Scene::new(&mut random, SMALL, model, content, &[21 + i], slots);
            bench.run(&format!("{content:?} {i}"), &scene);
        }
    }
}

/// One query and rows of one column word: pages follow each other at the shortest distance.
#[test]
fn decode_of_short_heads() {
    short_heads_on(&mut Bench::new(WIDE, "short heads"));
}

fn short_heads_on(bench: &mut Bench) {
    let mut random = Random::new(seed(), "short heads");
    for rows in 1..=100 {
        let model = model(2, 2, 16 + rows % 2 * 16, rows % 3 == 0);
        let slots = vec![prompt(0, rows - 1, 0)];
        let scene = Scene::new(&mut random, WIDE, model, Content::Usual, &[rows], slots);
        bench.run(&format!("{rows} rows"), &scene);
    }
}

#[test]
fn prefill_in_runs_of_every_length() {
    let mut bench = Bench::new(EDGE, "prefill");
    let mut random = Random::new(seed(), "prefill scenes");
    for run in 1..=EDGE.slots {
        for history in [0, 17, 250] {
            let model = model(8, 2, 128, run % 2 == 1);
            let slots = (0..run).map(|i| prompt(0, history, i)).collect();
            let rows = history + run;
            let scene = Scene::new(&mut random, EDGE, model, Content::Usual, &[rows], slots);
            bench.run(&format!("a run of {run} after {history}"), &scene);
        }
    }
}

/// Two rows whose scores are a stated distance apart, for every distance at which the second still
/// has a weight: L is 2^23 + e, which binary32 holds, and nothing else changes.
#[test]
fn every_weight_of_the_table() {
    distances_on(&mut Bench::new(SMALL, "distances"), 0..24 * 256 + 40);
}

fn distances_on(bench: &mut Bench, distances: std::ops::Range<usize>) {
    let mut random = Random::new(seed(), "distances");
    let model = model(8, 1, 16, false);
    for first in distances.step_by(8 * SMALL.slots) {
        let slots = (0..SMALL.slots).map(|_| Slot { sequence: 0, history: 2, mask: 0 }).collect();
        let mut scene = Scene::new(&mut random, SMALL, model, Content::Usual, &[2], slots);
        let rows = &mut scene.sequences[0].rows;
        for (row, key, value) in [(0, 0, 127), (1, -1, 0)] {
            let step = 1.0;
            rows[row][0] = Row {
                key: vec![key; 16],
                key_step: step,
                value: vec![value; 16],
                value_step: step,
            };
        }
        for (i, (query, factor)) in scene.queries.iter_mut().flatten().enumerate() {
            *query = vec![0; 16];
            query[3] = 1;
            *factor = (first + i) as f32;
        }
        bench.run(&format!("distances from {first}"), &scene);
    }
}

/// More heads a key-value head than one item holds: the run is cut.
#[test]
fn long_runs_are_cut() {
    let mut bench = Bench::new(EDGE, "cut");
    let mut random = Random::new(seed(), "cut scenes");
    for (heads, kv_heads) in [(20, 1), (32, 1), (32, 2)] {
        let model = model(heads, kv_heads, 64, false);
        let slots = (0..EDGE.slots).map(|i| prompt(0, 90, i)).collect();
        let scene = Scene::new(&mut random, EDGE, model, Content::Usual, &[106], slots);
        bench.run(&format!("{heads} heads on {kv_heads}"), &scene);
    }
}

/// From real queries, keys and values to outputs, with the golden model's own cache.
#[test]
fn equals_the_golden_attention() {
    let mut bench = Bench::new(SMALL, "golden");
    let mut random = Random::new(seed(), "golden scenes");
    let model = model(4, 2, 32, false);
    for (rows, format) in
        [(1, KvFormat::Int8), (7, KvFormat::Int4), (61, KvFormat::Int4), (200, KvFormat::Int8)]
    {
        let model = Model { int4: format == KvFormat::Int4, ..model };
        let mut cache = KvCache::new(model.kv_heads, model.head_dim, format);
        let mut real = |n: usize| -> Vec<f32> {
            (0..n).map(|_| (random.bits() as i32) as f32 / 2.0_f32.powi(30)).collect()
        };
        for _ in 0..rows {
            let n = model.kv_heads * model.head_dim;
            cache.append(&real(n), &real(n));
        }
        let slots = vec![prompt(0, rows - 1, 0)];
        let queries: Vec<Vec<f32>> = (0..model.heads).map(|_| real(model.head_dim)).collect();
        let mut scene = Scene::new(&mut random, SMALL, model, Content::Usual, &[rows], slots);
        for (position, row) in scene.sequences[0].rows.iter_mut().enumerate() {
            for (head, row) in row.iter_mut().enumerate() {
                let (key, value) = (cache.key(position, head), cache.value(position, head));
                *row = Row {
                    key: key.values.to_vec(),
                    key_step: key.step,
                    value: value.values.to_vec(),
                    value_step: value.step,
                };
            }
        }
        for (head, query) in queries.iter().enumerate() {
            let q = quantise(query);
            scene.queries[0][head] = (q.values, query_factor(q.step, model.head_dim));
            let golden = attend(query, &cache, head / 2, 0..rows);
            assert_eq!(scene.expected(0, head), golden, "the test's own formulas, head {head}");
        }
        bench.run(&format!("{rows} rows"), &scene);
    }
}

#[test]
fn a_slot_that_sees_nothing_gives_zeros() {
    let mut bench = Bench::new(SMALL, "nothing");
    let mut random = Random::new(seed(), "nothing scenes");
    let blind = |sequence| Slot { sequence, history: 0, mask: 0 };
    let slots = vec![blind(0), blind(1), prompt(1, 20, 0), blind(2)];
    let model = model(2, 1, 48, false);
    let scene = Scene::new(&mut random, SMALL, model, Content::Usual, &[8, 30, 8], slots);
    bench.run("nothing", &scene);
    assert!(scene.expected(0, 0).iter().all(|y| y.to_bits() == 0));
}

#[test]
fn a_page_number_outside_of_the_cache_is_an_error_and_no_hang() {
    let mut bench = Bench::new(SMALL, "pages");
    let mut random = Random::new(seed(), "page scenes");
    let model = model(2, 2, 32, false);
    let slots = vec![prompt(0, 99, 0)];
    let scene = Scene::new(&mut random, SMALL, model, Content::Usual, &[100], slots);
    let placed = bench.prepare(&scene);
    let table = placed.tables[0];
    bench.memory().write(table + 12, &u32::MAX.to_le_bytes());
    bench.run_placed(&scene, &placed).unwrap_err();
    assert!(bench.errors() > 0);
    let before = bench.errors();
    bench.run("afterwards", &scene);
    assert_eq!(bench.errors(), before);
}

/// Memory with anything in it ends, whatever comes out.
#[test]
fn any_bits_in_memory_end() {
    let mut bench = Bench::new(SMALL, "any");
    let mut random = Random::new(seed(), "any scenes");
    for _ in 0..20 {
        let scene = any_scene(&mut random, SMALL, 100);
        let mut placed = bench.prepare(&scene);
        let from = (placed.kv_base & !STATE) as usize;
        let end = (placed.tables[0] & !STATE) as usize - 200;
        placed.bytes[from..end].iter_mut().for_each(|b| *b = random.bits() as u8);
        bench.memory().write(STATE, &placed.bytes);
        let result = bench.run_placed(&scene, &placed);
        assert!(!result.is_err_and(|e| e.contains("waited")), "hangs");
    }
}

#[test]
fn reset_in_the_middle_leaves_nothing_behind() {
    let mut bench = Bench::new(SMALL, "reset");
    let mut random = Random::new(seed(), "reset scenes");
    for i in 0..60 {
        let scene = any_scene(&mut random, SMALL, 100);
        bench.timing(slow(&mut random), 0.2);
        let placed = bench.prepare(&scene);
        bench.command(&placed);
        let cycles = random.range(1, 4000);
        bench.sim.block_on(bench.clock.cycles(cycles)).unwrap();
        bench.reset();
        bench.run(&format!("after reset {i}"), &scene);
    }
}

/// Cycles against the beats that must come, at the parameters of the card.
#[test]
fn decode_is_as_fast_as_its_stream() {
    let mut bench = Bench::new(EDGE, "cycles");
    let mut random = Random::new(seed(), "cycle scenes");
    let latency = MemoryTiming { latency: 60, ..MemoryTiming::IDEAL };
    bench.timing(latency, 0.0);
    for (model, rows, run) in [
        (model(20, 5, 128, false), 2048, 1),
        (model(20, 5, 128, true), 2048, 1),
        (model(32, 8, 64, false), 1024, 1),
        (model(32, 8, 64, true), 1024, 1),
        (model(8, 8, 32, false), 1024, 1),
        (model(20, 5, 128, false), 6000, 1),
        (model(20, 5, 128, false), 128, 16),
        (model(20, 5, 128, false), 512, 16),
        (model(20, 5, 128, false), 2048, 16),
    ] {
        let slots: Vec<Slot> = (0..run).map(|i| prompt(0, rows - run, i)).collect();
        let scene = Scene::new(&mut random, EDGE, model, Content::Usual, &[rows], slots);
        let cost = bench.run(&format!("{rows} rows, {run} slots"), &scene);
        let (keys, values) = scene.beats();
        println!(
            "{rows} rows, {run} slots, {model:?}: {} cycles, {} beats (K {keys}, V {values}), \
             {:.0} cycles/s of processor time",
            cost.cycles,
            cost.beats,
            cost.cycles as f64 / cost.seconds
        );
        // A page takes as long as its beats, or as its queries of four cycles each; K and V one after
        // the other is the most that it may take.
        let pages = (rows.div_ceil(EDGE.page_rows) * model.kv_heads) as u64;
        let compute = pages * (run * model.heads / model.kv_heads * 4) as u64;
        let again = cost.beats.saturating_sub(keys + values);
        let least = keys.max(compute) + (values + again).max(compute);
        let bound = least + least / 50 + (600 + 500 * model.kv_heads * run / 8) as u64;
        assert!(cost.cycles < bound, "{} cycles, expected less than {bound}", cost.cycles);
    }
}

/// Cycles of whole commands of real shapes, against the beats that must come, the queries' cycles
/// and the elements of the output, four a cycle.
#[test]
fn cycles_of_layers() {
    let mut bench = Bench::new(EDGE, "layers");
    let mut random = Random::new(seed(), "layer scenes");
    bench.timing(MemoryTiming { latency: 60, ..MemoryTiming::IDEAL }, 0.0);
    let (large, small) = (model(20, 5, 128, false), model(16, 16, 96, false));
    for (what, model, contexts, run) in [
        ("decode 1@128, heads of 128", large, vec![128], 1),
        ("decode 1@128, heads of 96", small, vec![128], 1),
        ("decode 1@1000, heads of 96", small, vec![1000], 1),
        ("decode 16@128", large, vec![128; 16], 1),
        ("decode 16@1000", large, vec![1000; 16], 1),
        ("prefill 16@0", large, vec![0], 16),
        ("prefill 16@112", large, vec![112], 16),
        ("prefill 16@496", large, vec![496], 16),
    ] {
        let slots = contexts
            .iter()
            .enumerate()
            .flat_map(|(sequence, &rows)| (0..run).map(move |i| prompt(sequence, rows, i)))
            .collect();
        let lengths: Vec<usize> = contexts.iter().map(|rows| rows + run).collect();
        let scene = Scene::new(&mut random, EDGE, model, Content::Usual, &lengths, slots);
        let cost = bench.run(what, &scene);
        println!("{what}: {} cycles, {} beats", cost.cycles, cost.beats);
        // K of the first head, V beside K, V of the last one and its output.
        let (items, sweeps) = (model.kv_heads * contexts.len(), model.kv_heads + 1);
        let pages = lengths[0].div_ceil(EDGE.page_rows) * contexts.len();
        let queries = run * model.heads / model.kv_heads;
        let compute = pages * queries * 5 * if pages > 16 { 2 * sweeps } else { sweeps };
        let output = items * queries * model.head_dim / 4;
        let least = cost.beats.max(compute as u64).max(output as u64);
        let bound = least + least / 50 + (500 + items * (20 + 30 * run) + output / items) as u64;
        assert!(cost.cycles < bound, "{what}: {} cycles, expected less than {bound}", cost.cycles);
    }
}

fn random_rows(shape: Shape, purpose: &str) {
    rows_on(&mut Writer::new(shape, purpose), shape, purpose);
}

fn rows_on(writer: &mut Writer, shape: Shape, purpose: &str) {
    let mut random = Random::new(seed(), purpose);
    for i in 0..60 {
        let model = any_model(&mut random, &shape);
        let timing = if i % 2 == 0 { MemoryTiming::IDEAL } else { slow(&mut random) };
        writer.check(&model, timing, if i % 3 == 0 { 0.0 } else { 0.3 });
        if i % 8 == 7 {
            // A row that a reset cuts off.
            let row = writer::Offer {
                slot: 0,
                head: 0,
                value: true,
                elements: vec![1; model.head_dim],
                step: 0,
            };
            let places = vec![(0, 0); shape.slots];
            let stop = Some(random.range(1, 20));
            writer.ports(&model, 9, &places);
            writer.write(STATE, &vec![row; 9], 0.0, stop);
            writer.reset();
        }
    }
}

#[test]
fn rows_reach_memory_small() {
    random_rows(SMALL, "rows small");
}

#[test]
fn rows_reach_memory_narrow() {
    random_rows(NARROW, "rows narrow");
}

#[test]
fn rows_reach_memory_edge() {
    random_rows(EDGE, "rows edge");
}

#[test]
fn rows_take_a_cycle_a_word_and_five() {
    let mut writer = Writer::new(EDGE, "row cycles");
    let model = model(20, 5, 128, false);
    let cycles = writer.check(&model, MemoryTiming::IDEAL, 0.0);
    println!("{cycles} cycles a row");
    assert!(cycles <= 16 + 6, "{cycles} cycles a row");
}
