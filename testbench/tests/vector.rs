//! The vector unit and the loader against the golden model, bit for bit.

#[path = "vector/bench.rs"]
mod bench;
#[path = "vector/card.rs"]
mod card;

use bench::{Bench, Shape, Stalls};
use card::{Card, Fill, K, Model, Q, V};
use terntable_testbench::seed::{Random, seed};

const FILLS: [Fill; 4] = [Fill::Usual, Fill::Wild, Fill::Usual, Fill::Zero];

fn card(shape: Shape, stalls: Stalls, purpose: &str) -> Card {
    let mut random = Random::new(seed(), purpose);
    let bench = Bench::new(shape, stalls, seed());
    let model = Model::random(&shape, &mut random);
    Card::new(bench, random, model, 1, Fill::Usual)
}

fn any_stalls(random: &mut Random) -> Stalls {
    let mut p = || [0.0, 0.2, 0.6][random.range(0, 2) as usize];
    Stalls { sums: p(), kv: p(), memory: p(), latency: 5 }
}

/// A layer, checked after every command.
fn layer(card: &mut Card) {
    let model = card.model;
    card.load(0, model.hidden);
    card.load_rope();
    card.embed(0);
    card.check();
    card.normalise(0, 0, false);
    card.check();
    for kind in [Q, K, V] {
        card.project(kind);
        card.check();
    }
    card.load(1, model.query());
    card.attend();
    card.square(1);
    card.check();
    card.normalise(1, 1, false);
    card.check();
    card.residual(0);
    card.check();
    card.load(1, model.ffn);
    card.normalise(0, 0, false);
    card.gate(1);
    card.check();
    card.load(0, model.hidden);
    card.normalise(2, 1, false);
    card.check();
    card.residual(0);
    card.normalise(0, 0, true);
    card.check();
}

fn layers(shape: Shape, purpose: &str, count: usize) {
    let mut random = Random::new(seed(), purpose);
    for round in 0..count {
        let stalls = if round == 0 { Stalls::NONE } else { any_stalls(&mut random) };
        let mut unit = card(shape, stalls, &format!("{purpose} {round}"));
        for fill in FILLS {
            let model = Model::random(&shape, &mut unit.random);
            let slots = unit.random.range(1, shape.slots as u64) as usize;
            unit = unit.renew(model, slots, fill);
            layer(&mut unit);
        }
    }
}

#[test]
fn layers_of_4_lanes() {
    layers(Shape::L4, "layers 4", 6);
}

#[test]
fn layers_of_8_lanes() {
    layers(Shape::L8, "layers 8", 6);
}

#[test]
#[ignore = "a build of its own"]
fn layers_of_2_lanes() {
    layers(Shape::L2, "layers 2", 6);
}

#[test]
#[ignore = "a build of its own"]
fn layers_of_16_lanes() {
    layers(Shape::L16, "layers 16", 6);
}

/// A layer whose commands are all there from the beginning: one follows the other at once.
fn chain(card: &mut Card) {
    let model = card.model;
    let longest = model.hidden.max(model.ffn).max(model.query());
    card.load(0, longest);
    card.load(1, longest);
    card.load_rope();
    card.embed(0);
    card.normalise(0, 0, false);
    for kind in [K, Q, V] {
        card.project(kind);
    }
    card.wait();
    card.normalise(0, 1, false);
    card.attend();
    card.square(1);
    card.normalise(1, 1, false);
    for _ in 0..2 {
        card.residual(0);
        card.normalise(0, 0, false);
    }
    card.gate(1);
    card.normalise(2, 1, false);
    card.residual(1);
    card.normalise(0, 1, true);
    card.check();
}

#[test]
fn commands_follow_each_other() {
    for (shape, rounds) in [(Shape::L4, 6), (Shape::L8, 6)] {
        let mut random = Random::new(seed(), "chains");
        for round in 0..rounds {
            let stalls = if round == 0 { Stalls::NONE } else { any_stalls(&mut random) };
            let mut unit = card(shape, stalls, &format!("chain {round}"));
            for fill in FILLS {
                let model = Model::random(&shape, &mut unit.random);
                let slots = unit.random.range(1, shape.slots as u64) as usize;
                unit = unit.renew(model, slots, fill);
                chain(&mut unit);
            }
        }
    }
}

#[test]
fn a_reset_in_the_middle_leaves_nothing() {
    let shape = Shape::L4;
    let mut random = Random::new(seed(), "resets");
    let mut unit = card(shape, any_stalls(&mut random), "reset");
    for _ in 0..40 {
        let model = Model::random(&shape, &mut unit.random);
        let slots = unit.random.range(1, shape.slots as u64) as usize;
        unit = unit.renew(model, slots, Fill::Usual);
        let longest = model.hidden.max(model.ffn).max(model.query());
        unit.load(0, longest);
        unit.load_rope();
        unit.embed(0);
        unit.normalise(0, 0, false);
        unit.project(Q);
        unit.project(K);
        unit.residual(0);
        unit.gate(0);
        unit.normalise(2, 0, true);
        let cycles = unit.random.range(1, 6000);
        unit.bench.cycles(cycles);
        unit.bench.reset();
        let model = Model::random(&shape, &mut unit.random);
        unit = unit.renew(model, slots, Fill::Usual);
        if unit.random.range(0, 3) == 0 {
            layer(&mut unit);
        } else {
            chain(&mut unit);
        }
    }
}

#[test]
fn attention_waits_for_the_port() {
    let shape = Shape::L4;
    for round in 0..6 {
        let mut unit = card(shape, Stalls::NONE, &format!("port {round}"));
        let model = Model::random(&shape, &mut unit.random);
        unit = unit.renew(model, shape.slots, Fill::Usual);
        unit.load(0, model.hidden.max(model.ffn));
        unit.embed(0);
        unit.normalise(0, 0, false);
        unit.wait();
        unit.gate(0);
        unit.attend_beyond(model.ffn);
        unit.check();
    }
}

/// Gates and ups that are no numbers, infinite, huge, tiny.
#[test]
fn gates_of_every_kind() {
    let shape = Shape::L4;
    let mut unit = card(shape, Stalls::NONE, "gates");
    let kinds =
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38, -1e36, 1e34, 0.0, -0.0, 1e-42, 0.3];
    for silu in [false, true] {
        let model = Model { silu, ffn: 90, ..Model::random(&shape, &mut unit.random) };
        unit = unit.renew(model, shape.slots, Fill::Usual);
        unit.whole_panels = true;
        unit.load(0, model.hidden.max(model.ffn));
        unit.embed(0);
        unit.normalise(0, 0, false);
        for gate in kinds {
            for up in kinds {
                unit.scales = vec![gate, up];
                unit.gate(0);
                unit.check();
            }
        }
    }
}

/// A sum of squares is being finished while the next one begins.
#[test]
fn sums_of_squares_follow_each_other() {
    let shape = Shape::L4;
    let mut unit = card(shape, Stalls::NONE, "squares");
    for slots in [1, 1, 2, 4] {
        for hidden in [1, 4, 9, 30] {
            let mut model = Model::random(&shape, &mut unit.random);
            (model.heads, model.kv_heads, model.head_dim, model.hidden) = (1, 1, 16, hidden);
            unit = unit.renew(model, slots, Fill::Usual);
            unit.load(0, model.hidden.max(16));
            unit.embed(0);
            unit.normalise(0, 0, false);
            unit.attend();
            unit.residual(0);
            unit.square(0);
            unit.normalise(1, 0, false);
            unit.residual(0);
            unit.normalise(0, 0, false);
            unit.check();
        }
    }
}

/// Rows of the extremes: every element one value.
#[test]
fn extreme_rows() {
    let shape = Shape::L4;
    let mut unit = card(shape, Stalls::NONE, "extremes");
    let bits = [
        0x0000_0001,
        0x007f_ffff,
        0x0080_0000,
        0x7f7f_ffff,
        0xff7f_ffff,
        0x7f80_0000,
        0xff80_0000,
        0x7fc0_0000,
        0x3f80_0000,
        0x8000_0000,
        0x3727_c5ac,
        0x3727_c5ab,
        0x4b00_0000,
    ];
    for bits in bits {
        let mut model = Model::random(&shape, &mut unit.random);
        model.bf16 = false;
        unit = unit.renew(model, shape.slots, Fill::All(f32::from_bits(bits)));
        layer(&mut unit);
    }
}

/// Prints the cycles of commands of the kv260 card on the shapes of BitNet b1.58 2B4T, and the speed of the
/// simulation.
#[test]
#[ignore = "a measurement"]
fn cycles() {
    let shape = Shape::KV260;
    let mut random = Random::new(seed(), "cycles");
    let (hidden, ffn, heads, kv_heads) = (2560, 6912, 20, 5);
    let (eps, score) = (1e-5, 32.6);
    let (silu, int4, bf16, head_dim) = (false, false, true, 128);
    let model = Model { hidden, ffn, heads, kv_heads, head_dim, silu, int4, bf16, eps, score };
    let mut unit =
        Card::new(Bench::new(shape, Stalls::NONE, seed()), random.clone(), model, 1, Fill::Usual);
    random.bits();
    for slots in [1, 16] {
        unit = unit.renew(model, slots, Fill::Usual);
        unit.whole_panels = true;
        unit.load(0, ffn);
        unit.load(1, hidden);
        unit.load_rope();
        let start = std::time::Instant::now();
        let first = unit.bench.clock.cycle();
        let measure = |unit: &mut Card, name: &str, f: &dyn Fn(&mut Card)| {
            unit.wait();
            unit.bench.settle();
            let begin = unit.bench.clock.cycle();
            f(unit);
            unit.wait();
            println!("{slots:2} slots  {name:<28} {:6}", unit.bench.last_done() - begin);
        };
        measure(&mut unit, "embed", &|u| u.embed(1));
        measure(&mut unit, "normalise X", &|u| u.normalise(0, 1, false));
        measure(&mut unit, "project Q", &|u| u.project(Q));
        measure(&mut unit, "project K", &|u| u.project(K));
        measure(&mut unit, "project V", &|u| u.project(V));
        unit.attend();
        measure(&mut unit, "square", &|u| u.square(0));
        measure(&mut unit, "normalise Y", &|u| u.normalise(1, 0, false));
        measure(&mut unit, "residual, whole", &|u| u.residual(1));
        measure(&mut unit, "gate, whole", &|u| u.gate(0));
        measure(&mut unit, "normalise ffn", &|u| u.normalise(2, 0, false));
        measure(&mut unit, "normalise to Q", &|u| {
            u.residual(1);
            u.normalise(0, 1, true);
        });
        let cycles = unit.bench.clock.cycle() - first;
        let speed = cycles as f64 / start.elapsed().as_secs_f64();
        println!("{cycles} cycles, {speed:.0} a second, golden model included");
        unit.check();
    }
}
