//! The gate: every suite that proves something, each a step with its time.

use crate::{
    generate, process,
    tools::{self, Group},
};
use std::time::{Duration, Instant};

type Step = (&'static str, fn() -> Result<(), String>);

const STEPS: [Step; 12] = [
    ("tools", || tools::install(Group::Gate).map(|_| ())),
    ("format", || process::run("cargo", &["fmt", "--all", "--check"])),
    ("clippy", || {
        process::run(
            "cargo",
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--release",
                "--quiet",
                "--",
                "-D",
                "warnings",
            ],
        )
    }),
    ("registers fresh", || script("scripts/registers.py", &["--check"])),
    ("generated files fresh", || generate::run(true)),
    ("lint", || script("scripts/lint.py", &[])),
    ("proof", || script("scripts/formal.py", &[])),
    ("proof, seeded bug", || script("scripts/formal.py", &["--bug"])),
    ("ceilings", || script("scripts/synth.py", &["--ceilings"])),
    ("suites", || process::run("cargo", &["test", "--workspace", "--release"])),
    ("virtual machine", || script("scripts/vm.py", &[]).map_err(not_run)),
    ("cycles of real layers", || {
        let program =
            ["run", "--release", "--quiet", "-p", "terntable", "--example", "layers", "--"];
        process::run("cargo", &[&program[..], &["--ceilings", CYCLES]].concat())
    }),
];

/// Cycles that layers may take.
const CYCLES: &str = "host/examples/layers/ceilings.toml";

/// What a step says that could not be run here; it is neither passed nor failed.
const NOT_RUN: &str = "not run";

/// Programs that could not run here end with exit code 77.
fn not_run(error: String) -> String {
    if error.contains("exit status: 77") { NOT_RUN.into() } else { error }
}

fn script(path: &str, args: &[&str]) -> Result<(), String> {
    let args: Vec<String> = args.iter().map(|a| a.to_string()).collect();
    process::script(Group::Gate, path, &args)
}

/// Runs every step, also after a failure; fails if one failed.
pub fn run() -> Result<(), String> {
    let mut results: Vec<(&str, Result<(), String>, Duration)> = Vec::new();
    for (name, step) in STEPS {
        println!("== {name}");
        let start = Instant::now();
        let result = step();
        if let Err(error) = &result {
            println!("{error}");
        }
        results.push((name, result, start.elapsed()));
        if name == "tools" && results[0].1.is_err() {
            break;
        }
    }
    println!("\n{:<20} {:>7}", "step", "time");
    for (name, result, time) in &results {
        let verdict = match result {
            Ok(()) => "ok",
            Err(error) if error == NOT_RUN => NOT_RUN,
            Err(_) => "FAILED",
        };
        println!("{name:<20} {:>5} s  {verdict}", time.as_secs());
    }
    let errors = results.iter().filter_map(|(_, result, _)| result.as_ref().err());
    let (not_run, failed): (Vec<_>, Vec<_>) = errors.partition(|error| *error == NOT_RUN);
    let (not_run, failed) = (not_run.len(), failed.len());
    let passed = results.len() - failed - not_run;
    match not_run {
        0 => println!("{passed} passed, {failed} failed"),
        _ => println!("{passed} passed, {failed} failed, {not_run} not run"),
    }
    match failed {
        0 => Ok(()),
        _ => Err("the gate is red".into()),
    }
}
