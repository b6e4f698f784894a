//! The gate: every suite that proves something, each a step with its time.

use crate::{
    generate, process,
    tools::{self, Group},
};
use std::time::{Duration, Instant};

type Step = (&'static str, fn() -> Result<(), String>);

const STEPS: [Step; 11] = [
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
    ("cycles of real layers", || {
        let program =
            ["run", "--release", "--quiet", "-p", "terntable", "--example", "layers", "--"];
        process::run("cargo", &[&program[..], &["--ceilings", CYCLES]].concat())
    }),
];

/// Cycles that layers may take.
const CYCLES: &str = "host/examples/layers/ceilings.toml";

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
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{name:<20} {:>5} s  {verdict}", time.as_secs());
    }
    let failed = results.iter().filter(|(_, result, _)| result.is_err()).count();
    println!("{} passed, {failed} failed", results.len() - failed);
    match failed {
        0 => Ok(()),
        _ => Err("the gate is red".into()),
    }
}
