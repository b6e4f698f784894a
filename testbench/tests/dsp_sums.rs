//! The blocks of rtl/dsp that add: both forms of each against integers, cycle by cycle, the form of
//! a family with a functional model of its block; and the whole engine of that form.

mod common;

use common::{Case, Fill, MAKES, check};
use std::path::PathBuf;
use terntable_testbench::{
    Clock, Sim,
    build::{ModelSpec, workspace_root},
    engine::{EngineOptions, EngineParams, EngineSim},
    seed::{Random, seed},
    sim::{SimOptions, trace_from_env},
};

const CYCLES: usize = 20_000;
const MASK: u64 = (1 << 48) - 1;
const START: u64 = 0x8123_4567_89ab;

/// The portable form, and that of a family of devices with the model of its block.
fn forms() -> [Vec<PathBuf>; 2] {
    let rtl = workspace_root().join("rtl");
    let model = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/rtl/sums");
    [vec![rtl.clone()], vec![rtl.clone(), rtl.join("dsp/xcup"), model]]
}

fn open(top: &str, parameters: &[(&str, u64)], roots: &[PathBuf]) -> (Sim, Clock) {
    let trace = trace_from_env();
    let mut spec = ModelSpec::new(top, roots).trace(trace.is_some());
    for (name, value) in parameters {
        spec = spec.parameter(name, *value);
    }
    let sim = Sim::open(&spec.build().unwrap(), &SimOptions { seed: seed(), trace }).unwrap();
    let clock = sim.clock("clk_i", 1000).unwrap();
    (sim, clock)
}

/// So many bits: often all zeros or ones, or the ends of a signed number.
fn any(random: &mut Random, bits: u32) -> u64 {
    let mask = (1 << bits) - 1;
    match random.range(0, 7) {
        0 => 0,
        1 => mask,
        2 => 1 << (bits - 1),
        3 => mask >> 1,
        _ => random.bits() & mask,
    }
}

/// The value of so many bits as a signed number.
fn signed(value: u64, bits: u32) -> i64 {
    (value << (64 - bits)) as i64 >> (64 - bits)
}

/// Drives ports at random and compares `sum_o` with what `expected` makes of all cycles before.
fn run(
    top: &str,
    parameters: &[(&str, u64)],
    ports: &[(&str, u32)],
    first: usize,
    expected: impl Fn(&[Vec<u64>]) -> u64,
) {
    for roots in forms() {
        let (sim, clock) = open(top, parameters, &roots);
        let signals: Vec<_> = ports.iter().map(|(name, _)| sim.signal(name).unwrap()).collect();
        let sum = sim.signal("sum_o").unwrap();
        let mut random = Random::new(seed(), top);
        let (mut cycles, mut seen) = (Vec::new(), 0);
        for cycle in 0..CYCLES {
            let values: Vec<u64> = ports.iter().map(|(_, bits)| any(&mut random, *bits)).collect();
            signals.iter().zip(&values).for_each(|(signal, value)| signal.set(*value));
            // What is seen at an edge is the value before it.
            sim.block_on(clock.cycles(1)).unwrap();
            let found = sum.get();
            if cycle > first {
                let want = expected(&cycles) & MASK;
                let last = &cycles[cycle - first..];
                assert_eq!(
                    found,
                    want,
                    "{top}, {roots:?}, cycle {cycle}, {last:x?}, {:#x}",
                    seed()
                );
                seen |= found;
            }
            cycles.push(values);
        }
        assert_eq!(seen, MASK, "bits that were never set");
    }
}

#[test]
fn a_link_adds_three_operands_to_a_chain() {
    let ports = [
        ("a_i", 27),
        ("d_i", 27),
        ("minus_a_i", 1),
        ("minus_d_i", 1),
        ("c_i", 48),
        ("minus_c_i", 1),
        ("chain_i", 48),
    ];
    for begins in [0, 1] {
        run("tt_dsp_link", &[("First", begins), ("Start", START)], &ports, 4, |cycles| {
            let last = cycles.len() - 1;
            // a, d in cycle 0, c in cycle 2, the chain in cycle 3, whose edge makes the sum.
            let ([a, d, minus_a, minus_d, ..], [.., c, minus_c, _]) =
                (&cycles[last - 3][..], &cycles[last - 1][..])
            else {
                unreachable!()
            };
            let chain = cycles[last][6];
            let both = if *minus_a == 1 { d.wrapping_sub(*a) } else { d + a };
            let product = signed(both, 27) * (1 - 2 * *minus_d as i64);
            let addend = c.wrapping_add(product as u64);
            match (begins, minus_c) {
                (1, _) => START.wrapping_add(addend),
                (_, 1) => chain.wrapping_sub(addend),
                _ => chain.wrapping_add(addend),
            }
        });
    }
}

/// Joins sums of so many bits.
fn fields(bits: u32, of: impl Fn(u32) -> u64) -> u64 {
    (0..48 / bits).map(|f| (of(bits * f) & ((1 << bits) - 1)) << (bits * f)).sum()
}

#[test]
fn two_sums_of_24_bits_do_not_meet() {
    let offset = 0xff_e0a5;
    let ports = [("clear_i", 1), ("c_i", 48), ("a_i", 48), ("minus_i", 1)];
    run("tt_dsp_add", &[("Offset", offset)], &ports, 2, |cycles| {
        let [clear, c, a, minus] = cycles[cycles.len() - 2][..] else { unreachable!() };
        fields(24, |low| {
            let (c, addend) = (if clear == 1 { 0 } else { c >> low }, (a >> low) + offset);
            if minus == 1 { c.wrapping_sub(addend) } else { c.wrapping_add(addend) }
        })
    });
}

#[test]
fn four_sums_of_12_bits_grow() {
    let ports = [("start_i", 1), ("a_i", 48), ("minus_i", 1)];
    // A start comes without a minus.
    let start = 0x9a5;
    for roots in forms() {
        let (sim, clock) = open("tt_dsp_accumulate", &[("Start", start)], &roots);
        let signals = ports.map(|(name, _)| sim.signal(name).unwrap());
        let sum = sim.signal("sum_o").unwrap();
        let mut random = Random::new(seed(), "accumulate");
        let mut want = 0_u64;
        for cycle in 0..CYCLES {
            let starts = cycle == 0 || random.chance(0.05);
            let (a, minus) = (any(&mut random, 48), u64::from(!starts && random.chance(0.5)));
            [u64::from(starts), a, minus].iter().zip(&signals).for_each(|(v, s)| s.set(*v));
            sim.block_on(clock.cycles(1)).unwrap();
            // What is seen at an edge is the value before it.
            if cycle > 0 {
                assert_eq!(sum.get(), want, "{roots:?}, cycle {cycle}, {:#x}", seed());
            }
            want = fields(12, |low| match (starts, minus) {
                (true, _) => start,
                (_, 1) => (want >> low).wrapping_sub(a >> low),
                _ => (want >> low).wrapping_add(a >> low),
            });
        }
    }
}

/// The engine as it is synthesised for the family, the edge card's tile and the small one.
#[test]
fn the_engine_of_dsp48e2_is_the_golden_one() {
    let [_, rtl] = forms();
    for make in MAKES.into_iter().filter(|make| make.dsp_sums > 0) {
        let edge = EngineParams { slots: 3, dsp_sums: make.dsp_sums, ..EngineParams::KV260 };
        for params in [make, edge] {
            let options = EngineOptions { rtl: rtl.clone(), ..EngineOptions::default() };
            let mut engine = EngineSim::with(params, options).unwrap();
            for activations in [Fill::Random, Fill::Ends, Fill::All(-128)] {
                for (rows, cols) in [(1, 1), (7, 45), (46, 91), (101, 400)] {
                    check(&mut engine, &[Case { activations, ..Case::new(rows, cols, 3) }]);
                }
            }
        }
    }
}
