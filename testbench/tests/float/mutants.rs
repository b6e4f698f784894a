//! Is a broken unit noticed? Each mutant is one edit in a copy of the RTL, run on all pairs of a
//! small format, and if need be on the special values of binary32.

use super::{
    bench::{Bench, Counts},
    every_pair, every_special_pair,
    reference::Format,
};
use std::{fs, panic};
use terntable_testbench::build::workspace_root;

/// (what it breaks, file, text, instead)
const MUTANTS: [(&str, &str, &str, &str); 24] = [
    ("ties", "round", "half & (rest | odd)", "half"),
    ("the sticky bit", "round", "rest      = sum_i[0] | ", "rest      = "),
    ("overflow by rounding place", "round", "huge_i | (up & (exponent_i == Top))", "huge_i"),
    ("overflow by carry", "round", "(carry & (exponent_i == Top - 1'b1))", "1'b0"),
    ("what a shift drops", "shift", "~amount_i[l] & (", "~amount_i[l] & (l != 0) & ("),
    ("the exponent of subnormals", "unpack", "exponent[0] | ~normal", "exponent[0]"),
    ("the sign of zero", "tt_fadd", "sign2_q & ~(minus2_q & none & ~sum[SumBits])", "sign2_q"),
    ("a subnormal sum", "tt_fadd", "down[DownBits-1] | (down == '0)", "down[DownBits-1]"),
    ("a distant operand", "tt_fadd", "far ? '0 :", ""),
    ("infinity minus infinity", "tt_fadd", "(a_infinite & b_infinite & (a_sign ^ b_sign))", "1'b0"),
    ("a subnormal factor", "tt_fmul", "a_significand[ManBits] ? b_significand :", "1'b0 ? '0 :"),
    ("a product of nothing", "tt_fmul", "else if (limit[SignedBits-1])", "else if (1'b0)"),
    ("a subnormal product", "tt_fmul", "SignedBits'(Down - 1)", "SignedBits'(Down)"),
    ("zero times infinity", "tt_fmul", "(a_zero & b_infinite)", "1'b0"),
    (
        "the integer -1",
        "tt_from_int",
        "{flipped[IntBits-2:0], 1'b1}",
        "{flipped[IntBits-2:0], 1'b0}",
    ),
    ("negative integers", "tt_from_int", "flipped + IntBits'(sign)", "flipped"),
    ("saturation by rounding", "tt_to_int", "vast_q | (~sign_q & rounded[IntBits-1])", "vast_q"),
    ("infinity to integer", "tt_to_int", "infinite | (places", "(places"),
    ("ties to integer", "tt_to_int", "half_q & (rest_q | whole_q[0])", "half_q"),
    ("the remainder", "tt_fdiv", "lost_q | (remainder_q != '0)", "lost_q"),
    ("a subnormal divisor", "tt_fdiv", "+ SignedBits'(!divisor_q[ManBits])", ""),
    ("an odd exponent", "tt_fsqrt", "biased[0] ? radicand_q << 1 :", "1'b0 ? '0 :"),
    ("the root of -0", "tt_fsqrt", "(sign & ~is_zero)", "sign"),
    ("the remainder of a root", "tt_fsqrt", "lost_q | (remainder_q != '0)", "lost_q"),
];

#[test]
#[ignore = "builds a model for each mutant, minutes"]
fn every_mutant_is_noticed() {
    let original = workspace_root().join("rtl/float");
    let copy = std::env::temp_dir().join(format!("terntable-float-{}", std::process::id()));
    let mut survivors = Vec::new();
    // TERNTABLE_MUTANT: those alone whose name holds this.
    let only = std::env::var("TERNTABLE_MUTANT").unwrap_or_default();
    for (what, file, text, instead) in MUTANTS.iter().filter(|m| m.0.contains(&only)) {
        fs::create_dir_all(&copy).unwrap();
        for entry in fs::read_dir(&original).unwrap().flatten() {
            fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
        let part = if file.starts_with("tt_") { "" } else { "tt_float_" };
        let path = copy.join(format!("{part}{file}.sv"));
        let source = fs::read_to_string(&path).unwrap();
        assert!(source.contains(text), "{file} no longer holds `{text}`; adapt the mutant");
        fs::write(&path, source.replacen(text, instead, 1)).unwrap();
        let noticed = |format: Format, run: fn(Bench) -> Counts| {
            let bench = Bench::of(format, &copy);
            panic::catch_unwind(panic::AssertUnwindSafe(|| run(bench))).is_err()
        };
        // Some need an exponent range or a mantissa that the small format does not have.
        let small = noticed(Format::exact(4, 3), every_pair);
        if small || noticed(Format::SINGLE, every_special_pair) {
            println!("{what}: noticed ({})", if small { "small format" } else { "binary32" });
        } else {
            survivors.push(*what);
        }
    }
    fs::remove_dir_all(&copy).unwrap();
    assert!(survivors.is_empty(), "not noticed: {survivors:?}");
}
