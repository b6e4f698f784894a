//! The main job, three ways.

use crate::{
    process,
    tools::{self, Group},
};
use std::time::Instant;

const PROMPT: &str = "ROMEO:\n";
const TOKENS: &str = "48";
const PROGRAM: [&str; 6] = ["run", "--quiet", "--release", "-p", "terntable", "--"];
const DEVICES: [&str; 3] = ["golden", "cpu", "sim"];

/// Generates on every device; the tokens must be the same.
fn three_ways() -> Result<(String, usize), String> {
    let mut first: Option<serde_json::Value> = None;
    for device in DEVICES {
        let start = Instant::now();
        let generate = ["generate", "--prompt", PROMPT, "--max-tokens", TOKENS, "--device", device];
        let printed = process::capture("cargo", &[&PROGRAM[..], &generate, &["--json"]].concat())?;
        let report: serde_json::Value = serde_json::from_slice(&printed)
            .map_err(|e| format!("terntable generate --json printed no JSON: {e}"))?;
        let tokens = report["tokens"].as_array().map_or(0, Vec::len);
        println!(
            "{device:>6}: {tokens} tokens in {:.1} s{}",
            start.elapsed().as_secs_f64(),
            usage(&report)
        );
        match &first {
            None => first = Some(report),
            Some(expected) if expected["tokens"] == report["tokens"] => {}
            Some(expected) => {
                return Err(format!(
                    "{device} made other tokens than golden: {} against {}",
                    report["tokens"], expected["tokens"]
                ));
            }
        }
    }
    let report = first.ok_or("no device ran")?;
    let text = report["text"].as_str().unwrap_or_default().to_string();
    Ok((text, report["tokens"].as_array().map_or(0, Vec::len)))
}

fn usage(report: &serde_json::Value) -> String {
    match (
        report["cycles"].as_u64(),
        report["bytes_read"].as_u64(),
        report["weight_share"].as_f64(),
    ) {
        (Some(cycles), Some(bytes), Some(share)) => format!(
            ", {cycles} RTL cycles, {bytes} bytes read, a beat of weights in {:.1} % of the cycles \
             (simulated)",
            100.0 * share
        ),
        _ => String::new(),
    }
}

/// `cargo xtask demo`.
pub fn run() -> Result<(), String> {
    tools::install(Group::Gate)?;
    process::run("cargo", &["build", "--release", "-p", "terntable"])?;
    let (text, tokens) = three_ways()?;
    println!("\n{PROMPT}{text}\n");
    println!("golden, cpu and sim produced the same {tokens} tokens");
    Ok(())
}
