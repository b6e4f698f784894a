//! The floating point units: small formats exhaustively against exact integer arithmetic, binary32
//! against the processor's own.

#[path = "float/bench.rs"]
mod bench;
#[path = "float/mutants.rs"]
mod mutants;
#[path = "float/reference.rs"]
mod reference;

use bench::{Bench, Counts, Operands};
use reference::Format;
use terntable_testbench::seed::{Random, seed};

#[test]
fn the_reference_knows_what_is_known() {
    reference::check_known_values();
    // The exact arithmetic as binary32, where its integers are wide enough, against the processor.
    let (exact, native) = (Format::exact(8, 23), Format::SINGLE);
    let mut random = Random::new(seed(), "reference");
    for _ in 0..200_000 {
        let Operands { a, b, c, n } = operands(native, &mut random);
        assert_eq!(exact.mul(a, b), native.mul(a, b), "{a:#x} * {b:#x}");
        assert_eq!(exact.div(a, b), native.div(a, b), "{a:#x} / {b:#x}");
        assert_eq!(exact.sqrt(a), native.sqrt(a), "root of {a:#x}");
        assert_eq!(exact.of_int(n), native.of_int(n), "{n}");
        assert_eq!(exact.to_int(c, 32), native.to_int(c, 32), "{c:#x}");
        let near = b & 0x807f_ffff | (a & 0x7f80_0000) ^ (b & 0x0f80_0000);
        if (a >> 23 & 0xff).abs_diff(near >> 23 & 0xff) < 64 {
            assert_eq!(exact.add(a, near), native.add(a, near), "{a:#x} + {near:#x}");
        }
    }
}

/// All pairs, all values, and integers around everything that rounds.
fn exhaustive(exp: u32, man: u32) -> Counts {
    every_pair(Bench::new(Format::exact(exp, man)))
}

fn every_pair(mut bench: Bench) -> Counts {
    let format = bench.format();
    let count = 1_u32 << format.width();
    let pairs = move || (0..count * count).map(move |i| (i / count, i % count));
    // Conversions of every value, by every lane.
    let mut random = Random::new(seed(), "integers");
    let pipelined = pairs().enumerate().map(move |(i, (a, b))| {
        let n = integer(&mut random, i);
        Operands { a, b, c: (i / bench::LANES) as u32 % count, n }
    });
    bench.run(pipelined, pairs(), (0..count * 8).map(|i| i / 8))
}

#[test]
fn every_pair_of_3_2() {
    assert_eq!(exhaustive(3, 2).divisions, 1 << 12);
}

#[test]
fn every_pair_of_4_3() {
    assert_eq!(exhaustive(4, 3).pipelined, 1 << 16);
}

#[test]
fn every_pair_of_5_2() {
    assert_eq!(exhaustive(5, 2).roots, 1 << 11);
}

/// Many mantissa bits over few exponents: most numbers are subnormal or next to it.
#[test]
fn random_values_of_3_23() {
    random_values(Format::exact(3, 23), 400_000, false);
}

#[test]
fn random_values_of_5_2_with_pauses_and_resets() {
    random_values(Format::exact(5, 2), 200_000, true);
}

#[test]
fn every_pair_of_special_values_of_binary32() {
    let counts = every_special_pair(Bench::new(Format::SINGLE));
    println!("special values: {counts:?}");
}

fn every_special_pair(mut bench: Bench) -> Counts {
    let values = specials();
    let count = values.len();
    let get = values.clone();
    let pairs = move || {
        let get = get.clone();
        (0..count * count).map(move |i| (get[i / count], get[i % count]))
    };
    let mut random = Random::new(seed(), "integers");
    let get = values.clone();
    let pipelined = pairs().enumerate().map(move |(i, (a, b))| {
        let n = integer(&mut random, i);
        Operands { a, b, c: get[i / bench::LANES % count], n }
    });
    let roots = (0..count * 8).map(move |i| values[i / 8]);
    bench.run(pipelined, pairs(), roots)
}

#[test]
fn ten_million_random_values_of_binary32() {
    random_values(Format::SINGLE, 10_000_000, false);
}

#[test]
fn random_values_of_binary32_with_pauses_and_resets() {
    random_values(Format::SINGLE, 100_000, true);
}

fn random_values(format: Format, count: usize, disturb: bool) {
    let mut bench = Bench::new(format);
    bench.disturb = disturb;
    let [mut random, mut more, mut last] =
        ["pipelined", "div", "sqrt"].map(|purpose| Random::new(seed(), purpose));
    let pipelined = (0..count).map(|_| operands(format, &mut random));
    let divisions = (0..count / 24).map(|_| {
        let Operands { a, b, .. } = operands(format, &mut more);
        (a, b)
    });
    let roots = (0..count / 24).map(|_| operands(format, &mut last).c);
    let counts = bench.run(pipelined, divisions, roots);
    println!("{format:?}: {counts:?}, seed {:#x}", seed());
}

/// Random operands, of which many round, cancel, become subnormal or overflow.
fn operands(format: Format, random: &mut Random) -> Operands {
    let Format { exp, man, .. } = format;
    let (top, bias) = ((1_i64 << exp) - 1, (1_i64 << (exp - 1)) - 1);
    let a = number(format, random);
    let exponent = i64::from(a >> man) & top;
    let mut b = number(format, random);
    let (near, far) = (random.range(0, 8) as i64 - 4, random.range(0, man.into()) as i64);
    let place = |e: i64, b: u32| {
        let e = (e + near).clamp(0, top) as u32;
        b & (1 << (exp + man) | ((1 << man) - 1)) | e << man
    };
    match random.range(0, 7) {
        0 | 1 => b = place(exponent, b),
        // The product is at the edge of the subnormal numbers, or of infinity.
        2 => b = place(bias - exponent - far, b),
        3 => b = place(top + bias - exponent, b),
        // Cancellation.
        4 => b = (a ^ 1 << (exp + man)).wrapping_add(near as u32),
        // The quotient is at the edge.
        5 => b = place(exponent + bias + far, b),
        _ => {}
    }
    b &= ((1_u64 << format.width()) - 1) as u32;
    // Around the range of the integers of the lanes.
    let e = random.range(0, 56) as i64 + bias - 3;
    let c = number(format, random);
    let c = if random.chance(0.8) && e < top {
        c & (1 << (exp + man) | ((1 << man) - 1)) | (e as u32) << man
    } else {
        c
    };
    Operands { a, b, c, n: integer(random, 1) }
}

/// Random bits, or a mantissa of few ones or few zeros.
fn number(format: Format, random: &mut Random) -> u32 {
    let bits = random.bits();
    let (mut value, kind) = (bits as u32, bits >> 61);
    let man = format.man;
    let shift = (bits >> 32) as u32 % man;
    let mantissa = (1 << man) - 1;
    match kind {
        0 => value &= !mantissa | 1 << shift,
        1 => value |= mantissa ^ 1 << shift,
        2 => value &= !mantissa | mantissa << shift,
        _ => {}
    }
    (u64::from(value) & ((1 << format.width()) - 1)) as u32
}

/// Every 8-bit integer in turn, or one of random length, or a power of two and its neighbours.
fn integer(random: &mut Random, index: usize) -> i64 {
    let bits = random.bits();
    let length = bits % 48;
    match bits >> 56 & 3 {
        0 => index as i64 / bench::LANES as i64,
        1 => (bits as i64) >> (16 + length),
        2 => (1_i64 << length) + (bits >> 48 & 3) as i64 - 2,
        _ => 1_i64.wrapping_sub((bits >> 48 & 3) as i64) - (1_i64 << length),
    }
}

/// Zeros, ends of the ranges, powers of two and their neighbours, halfway cases, of both signs.
fn specials() -> Vec<u32> {
    let mut values = vec![
        0,
        1,
        2,
        3,
        0x0000_0fff,
        0x0040_0000,
        0x0055_5555,
        0x007f_fffe,
        0x007f_ffff,
        0x0080_0000,
        0x0080_0001,
        0x00ff_ffff,
        0x0100_0000,
        0x0100_0001,
        0x7f00_0000,
        0x7f7f_fffe,
        0x7f7f_ffff,
        0x7f80_0000,
        0x7f80_0001,
        0x7fc0_0000,
        0x7fff_ffff,
        0x7e80_0000,
        0x7effffff,
    ];
    for exponent in [
        1, 2, 23, 24, 25, 63, 64, 100, 103, 104, 125, 126, 127, 128, 129, 133, 134, 135, 149, 150,
        151, 152, 156, 157, 158, 173, 174, 175, 190, 191, 229, 230, 253,
    ] {
        let power = exponent << 23;
        values.extend([power, power + 1, power - 1]);
    }
    for mantissa in [0x40_0000, 0x40_0001, 0x3f_ffff, 0x7f_fffe, 0x2a_aaab, 0x00_0800, 0x00_1001] {
        values.extend([127_u32, 128, 139, 150].map(|exponent| exponent << 23 | mantissa));
    }
    values.extend([0.1_f32, 3.0, 5.0, 7.0, 1.0 / 3.0, 127.5, 128.5, 126.5, 1e10].map(f32::to_bits));
    values.iter().flat_map(|&v| [v, v | 1 << 31]).collect()
}
