//! Do the suites notice a broken engine? Each mutant is one edit in a copy of the RTL.
//!
//! `cargo test --release -p terntable-testbench --test mutants -- --ignored`: every mutant is a
//! model of its own to build.

mod common;

use common::{Case, compare, small};
use std::{fs, path::Path};
use terntable_testbench::{agents::MemoryTiming, build::workspace_root, engine::EngineOptions};

/// (what it breaks, file, text, instead)
const MUTANTS: [(&str, &str, &str, &str); 6] = [
    (
        "a pair of trits",
        "tlmm/tt_trit_decoder.sv",
        "3'd5: pair = {Plus, Minus};",
        "3'd5: pair = {Plus, Plus};",
    ),
    (
        "the sign of the root",
        "tlmm/tt_partial_sums.sv",
        "assign minus  = signs_i[i%Rows];",
        "assign minus  = 1'b0;",
    ),
    ("the first block", "tlmm/tt_partial_sums.sv", "if (first_q) old_q", "if (1'b0) old_q"),
    (
        "4 KiB",
        "stream/tt_weight_reader.sv",
        "MaxBurst - BurstBits'(index_q[3:0])",
        "MaxBurst - 5'd0",
    ),
    (
        "a word that waits",
        "stream/tt_fifo.sv",
        "valid_q     <= read | (valid_q & ~ready_i);",
        "valid_q     <= read;",
    ),
    ("the order of sums", "tlmm/tt_lookup_control.sv", "|| age_q == MaxAge ||", "|| 1'b1 ||"),
];

#[test]
#[ignore = "builds a model for each mutant, minutes"]
fn every_mutant_is_noticed() {
    let original = workspace_root().join("rtl");
    let copy = std::env::temp_dir().join(format!("terntable-mutants-{}", std::process::id()));
    let mut survivors = Vec::new();
    for (what, file, text, instead) in MUTANTS {
        copy_tree(&original, &copy);
        let path = copy.join(file);
        let source = fs::read_to_string(&path).unwrap();
        assert!(source.contains(text), "{file} no longer holds `{text}`; adapt the mutant");
        fs::write(&path, source.replacen(text, instead, 1)).unwrap();
        match run(&copy) {
            Err(report) => println!("{what}: noticed\n{report}\n"),
            Ok(()) => survivors.push(what),
        }
    }
    fs::remove_dir_all(&copy).unwrap();
    assert!(survivors.is_empty(), "not noticed: {survivors:?}");
}

fn run(rtl: &Path) -> Result<(), String> {
    for latency in [1, 100] {
        let timing = MemoryTiming { latency, ..MemoryTiming::IDEAL };
        let rtl = vec![rtl.to_owned()];
        let mut engine =
            small(EngineOptions { rtl, timing, result_stall: 0.2, ..EngineOptions::default() });
        let shapes = [(3, 700, 2), (91, 130, 4), (46, 91, 3), (400, 46, 4)];
        compare(&mut engine, &shapes.map(|(rows, cols, slots)| Case::new(rows, cols, slots)))?;
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
