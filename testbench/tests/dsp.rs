//! The blocks of rtl/dsp: the portable form against integers, and the form of a family, with a
//! functional model of its block, against the portable one, cycle by cycle.

use std::path::PathBuf;
use terntable_testbench::{
    Clock, Sim,
    build::{ModelSpec, workspace_root},
    seed::{Random, seed},
    sim::{SimOptions, trace_from_env},
};

const LENGTH: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Portable,
    Xcup,
}

/// `tt_dsp_chain` of LENGTH blocks.
struct Chain {
    sim: Sim,
    clock: Clock,
    a_bits: u32,
    b_bits: u32,
}

impl Chain {
    fn new(form: Form, a_bits: u32, b_bits: u32) -> Chain {
        let dsp = workspace_root().join("rtl/dsp");
        let mut roots = vec![dsp.clone()];
        if form == Form::Xcup {
            roots.push(dsp.join("xcup"));
            roots.push(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/rtl"));
        }
        let trace = trace_from_env();
        let built = ModelSpec::new("tt_dsp_chain", roots)
            .parameter("Length", LENGTH as u64)
            .parameter("ABits", a_bits.into())
            .parameter("BBits", b_bits.into())
            .trace(trace.is_some())
            .build()
            .unwrap();
        let sim = Sim::open(&built, &SimOptions { seed: seed(), trace }).unwrap();
        let clock = sim.clock("clk_i", 1000).unwrap();
        Chain { sim, clock, a_bits, b_bits }
    }

    fn set(&self, name: &str, values: &[i64], bits: u32) {
        let mut bytes = vec![0_u8; (values.len() * bits as usize).div_ceil(8)];
        for (i, value) in values.iter().enumerate() {
            for bit in 0..bits as usize {
                let at = i * bits as usize + bit;
                bytes[at / 8] |= ((value >> bit & 1) as u8) << (at % 8);
            }
        }
        self.sim.signal(name).unwrap().set_bytes(&bytes);
    }

    fn step(&self, input: &Input) -> u64 {
        self.set("valid_i", &input.valid, 1);
        self.set("use_i", &input.used, 2);
        self.set("a_i", &input.a, self.a_bits);
        self.set("d_i", &input.d, self.a_bits);
        self.set("b_i", &input.b, self.b_bits);
        self.set("add_i", &[input.add], 1);
        self.set("c_i", &[input.c], 48);
        self.sim.block_on(self.clock.cycles(1)).unwrap();
        self.sim.signal("sum_o").unwrap().get()
    }
}

/// The inputs of a cycle.
#[derive(Debug, Clone, Default)]
struct Input {
    valid: Vec<i64>,
    used: Vec<i64>,
    a: Vec<i64>,
    d: Vec<i64>,
    b: Vec<i64>,
    add: i64,
    c: i64,
}

/// Any number of so many bits; often one of the ends.
fn any(random: &mut Random, bits: u32) -> i64 {
    let low = -(1_i64 << (bits - 1));
    match random.range(0, 5) {
        0 => low,
        1 => -low - 1,
        2 => [-1, 0, 1][random.range(0, 2) as usize],
        _ => low + (random.bits() & ((1 << bits) - 1)) as i64,
    }
}

fn any_input(random: &mut Random, a_bits: u32, b_bits: u32) -> Input {
    let mut input =
        Input { add: random.range(0, 1) as i64, c: any(random, 48), ..Input::default() };
    for _ in 0..LENGTH {
        // The block adds a and d in 27 bits: both ends of 27 bits at once are not for it.
        let half = if a_bits == 27 { 26 } else { a_bits };
        let used = random.range(0, 3) as i64;
        let bits = if used == 3 { half } else { a_bits };
        input.used.push(used);
        input.a.push(any(random, bits));
        input.d.push(any(random, bits));
        input.b.push(any(random, b_bits));
    }
    input
}

const WIDTHS: [(u32, u32); 3] = [(27, 18), (26, 8), (8, 17)];

/// With enables at random, holds included, both forms do the same in every cycle.
#[test]
fn a_cascade_of_dsp48e2_is_the_portable_one() {
    for (a_bits, b_bits) in WIDTHS {
        let mut random = Random::new(seed(), "cascades");
        let forms = [Form::Portable, Form::Xcup].map(|form| Chain::new(form, a_bits, b_bits));
        let mut seen = 0_u64;
        for cycle in 0..20_000 {
            let mut input = any_input(&mut random, a_bits, b_bits);
            // First fill every register, then hold any of them.
            let all = cycle <= 2 * LENGTH || random.chance(0.3);
            input.valid = (0..LENGTH + 3).map(|_| i64::from(all || random.chance(0.6))).collect();
            let [portable, xcup] = forms.each_ref().map(|chain| chain.step(&input));
            if cycle > 2 * LENGTH {
                assert_eq!(
                    portable,
                    xcup,
                    "cycle {cycle}, {a_bits} x {b_bits} bits, {input:?}, seed {:#x}",
                    seed()
                );
                seen |= portable;
            }
        }
        assert_eq!(seen, (1 << 48) - 1, "bits that were never set");
    }
}

/// A stream of operands, a set a cycle, each block p cycles later than the first.
#[test]
fn a_cascade_multiplies_and_adds() {
    for (a_bits, b_bits) in WIDTHS {
        let chain = Chain::new(Form::Portable, a_bits, b_bits);
        let mut random = Random::new(seed(), "sums");
        let sets: Vec<Input> = (0..2000).map(|_| any_input(&mut random, a_bits, b_bits)).collect();
        for cycle in 0..sets.len() + LENGTH + 4 {
            let at = |behind: usize| cycle.checked_sub(behind).and_then(|t| sets.get(t));
            let mut input = Input { valid: vec![1; LENGTH + 3], ..Input::default() };
            for p in 0..LENGTH {
                let set = at(p);
                let take = |values: fn(&Input) -> &Vec<i64>| set.map_or(0, |s| values(s)[p]);
                input.used.push(take(|s| &s.used));
                input.a.push(take(|s| &s.a));
                input.d.push(take(|s| &s.d));
                input.b.push(take(|s| &s.b));
            }
            (input.add, input.c) = at(LENGTH + 1).map_or((0, 0), |s| (s.add, s.c));
            let sum = chain.step(&input);
            if let Some(set) = at(LENGTH + 3) {
                let product = |p: usize| {
                    let [a, d] = [set.a[p] * (set.used[p] & 1), set.d[p] * (set.used[p] >> 1)];
                    (a + d) * set.b[p]
                };
                let want = (0..LENGTH).map(product).sum::<i64>() + set.add * set.c;
                assert_eq!(sum, want as u64 & ((1 << 48) - 1), "cycle {cycle}, {set:?}");
            }
        }
    }
}
