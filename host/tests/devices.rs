//! Golden model, CPU, golden card model and simulated card give the same tokens and logits, bit for
//! bit, as the command line's users see it.

mod common;

use common::{json_of, terntable};
use serde_json::Value;
use terntable::{
    device::{DeviceName, passes},
    import::Checkpoint,
    lockstep::{candidates_differ, rows_differ},
    runner::{GoldenPasses, Passes},
};
use terntable_golden::head::HeadMode;

const PROMPTS: [&str; 3] = ["ROMEO:\n", "What is thy name, good fellow?", "KING"];

fn generate(prompt: &str, device: &str, temperature: &str, tokens: &str) -> Value {
    json_of(&[
        "generate",
        "--prompt",
        prompt,
        "--max-tokens",
        tokens,
        "--temperature",
        temperature,
        "--seed",
        "7",
        "--device",
        device,
        "--json",
    ])
}

#[test]
fn all_devices_make_the_same_tokens() {
    for (prompt, temperature) in PROMPTS.into_iter().zip(["0", "0.8", "0"]) {
        let golden = generate(prompt, "golden", temperature, "12");
        assert_eq!(golden["tokens"].as_array().unwrap().len(), 12);
        for device in ["cpu", "card-golden", "sim"] {
            let other = generate(prompt, device, temperature, "12");
            assert_eq!(other["tokens"], golden["tokens"], "{prompt:?} on {device}, {temperature}");
            assert_eq!(other["text"], golden["text"]);
            assert_eq!(other["device"], device);
            assert_eq!(other["cycles"].is_u64(), device == "sim", "{other}");
        }
    }
}

#[test]
fn every_instruction_set_makes_the_same_tokens() {
    let run = |simd: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_terntable"));
        command.env("TERNTABLE_SIMD", simd).current_dir(common::root());
        command.args(["generate", "--prompt", "KING", "--max-tokens", "40", "--json"]);
        command.output().unwrap()
    };
    let golden = generate("KING", "golden", "0", "40");
    for simd in ["portable", "avx2", "avx512", ""] {
        let output = run(simd);
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(made["tokens"], golden["tokens"], "{simd}");
    }
    let refused = run("sse9");
    assert_eq!(refused.status.code(), Some(2));
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("TERNTABLE_SIMD") && text.contains("avx512"), "{text}");
}

#[test]
fn the_simulated_card_reports_what_it_spent() {
    let report = generate("KING", "sim", "0", "2");
    let count = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{report}"));
    let cycles = count(&report["cycles"]);
    let (read, written) = (count(&report["bytes_read"]), count(&report["bytes_written"]));
    // Every pass reads the weights; the memory has 16 bytes a cycle.
    assert!(read > 1_000_000 && read < 16 * cycles, "{report}");
    assert!(written > 0 && written < read / 10, "{report}");
    let share = report["weight_share"].as_f64().unwrap();
    assert!(share > 0.1 && share < 1.0, "{report}");
    let busy = report["busy"].as_object().unwrap();
    assert_eq!(busy.len(), 6, "{report}");
    for unit in ["load", "multiply", "vector", "attention", "head", "check"] {
        let busy = count(&busy[unit]);
        assert!(0 < busy && busy < cycles, "{unit}: {report}");
    }
    assert!(count(&busy["multiply"]) as f64 > share * cycles as f64, "{report}");
    // Every cycle of every pass has a beat of weights or a reason why not.
    let passes = report["passes"].as_array().unwrap();
    assert!(passes.len() >= 2, "{report}");
    for pass in passes.iter().chain([&report]) {
        let stalls = pass["stalls"].as_object().unwrap();
        let without: u64 = stalls.values().map(count).sum();
        assert_eq!(without + count(&pass["weight_beats"]), count(&pass["cycles"]), "{pass}");
        assert!(count(&stalls["no_panel"]) > 0, "{pass}");
    }
    assert!(count(&report["stalls"]["memory"]) > 0, "{report}");
    let sum: u64 = passes.iter().map(|pass| count(&pass["cycles"])).sum();
    assert_eq!(sum, cycles, "{report}");
}

#[test]
fn cpu_equals_golden_over_a_whole_context() {
    let folder = common::root().join("models/shakespeare");
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let model = checkpoint.model().unwrap();
    let text = std::fs::read_to_string(folder.join("tinyshakespeare.txt")).unwrap();
    let text = text.get(..3000).unwrap();
    let tokens = checkpoint.tokenizer().unwrap().encode(text).unwrap();
    let tokens = &tokens[..model.config.context.min(tokens.len())];
    assert!(tokens.len() >= 500, "{}", tokens.len());
    let mut golden = GoldenPasses::new(&model);
    let mut cpu = passes(DeviceName::Cpu, &model).unwrap();
    let feed =
        |passes: &mut dyn Passes| passes.feed_outputs(tokens, tokens.len(), &mut |_| {}).unwrap();
    let (expected, got) = (feed(&mut golden), feed(&mut *cpu));
    for (position, (expected, got)) in expected.iter().zip(&got).enumerate() {
        assert_eq!(rows_differ(position, expected, got), None);
    }
    for head in [HeadMode::TwoStage, HeadMode::Full] {
        let expected = golden.rank(head, &expected).unwrap();
        let got = cpu.rank(head, &got).unwrap();
        for (position, (expected, got)) in expected.iter().zip(&got).enumerate() {
            assert_eq!(candidates_differ(position, expected, got), None);
        }
    }
}

#[test]
fn logits_agree_and_the_two_stage_head_leaves_rows_out() {
    let logits = |device: &str, head: &str| {
        json_of(&["logits", "--tokens", "5,6,7", "--device", device, "--head", head, "--json"])
    };
    let full = logits("golden", "full");
    assert_eq!(full["logits"], logits("cpu", "full")["logits"]);
    let rows = full["logits"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    let two_stage = logits("golden", "two-stage");
    for (row, all) in two_stage["logits"].as_array().unwrap().iter().zip(rows) {
        let (row, all) = (row.as_array().unwrap(), all.as_array().unwrap());
        let kept: Vec<_> = (0..row.len()).filter(|&i| !row[i].is_null()).collect();
        assert_eq!(kept.len(), 256.min(all.len()));
        assert!(kept.iter().all(|&i| row[i] == all[i]));
    }
}

const SHORT: &str = "KING HENRY:";

#[test]
fn verify_compares_every_device() {
    for (device, least) in [("cpu", 1_000), ("card-golden", 1_000), ("sim", 1_000_000)] {
        let report = json_of(&["verify", "--device", device, "--prompt", SHORT, "--json"]);
        assert_eq!(report["equal"], true, "{report}");
        assert!(report["compared"].as_u64().unwrap() > least, "{report}");
        assert!(report["difference"].is_null() && report["injected"].is_null(), "{report}");
        let commands = report["commands"].as_u64();
        assert_eq!(commands.is_some_and(|commands| commands > 300), device == "sim", "{report}");
    }
}

#[test]
fn verify_finds_every_kind_of_fault() {
    for fault in ["table:3", "table:47", "weight:9", "accumulator:0", "accumulator:119"] {
        let output = terntable(&[
            "verify", "--device", "sim", "--prompt", SHORT, "--inject", fault, "--json",
        ]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{fault}: {text}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["equal"], false);
        assert_eq!(report["injected"], fault);
        let difference = &report["difference"];
        assert_ne!(difference["expected"], difference["found"], "{fault}: {report}");
        // The sums of the first projections: what takes them sees it first.
        assert!(difference["command"].as_u64().is_some_and(|command| command > 0), "{report}");
        assert_eq!(difference["unit"], "vector", "{report}");
        assert_eq!(difference["layer"], 0, "{report}");
        for place in ["name", "place", "element", "lane", "cycle"] {
            assert!(!difference[place].is_null(), "{place}: {report}");
        }
        for part in ["first difference: command", "layer 0", "unit vector", "--trace", fault] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn faults_that_do_not_exist_are_refused() {
    for (fault, part) in [
        ("table:140", "0..140"),
        ("accumulator:480", "0..480"),
        ("table", "UNIT:BIT"),
        ("fifo:1", "UNIT:BIT"),
    ] {
        let output = terntable(&["verify", "--device", "sim", "--inject", fault]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{fault}: {text}");
        assert!(text.contains(part), "{fault}: {text}");
    }
    let output = terntable(&["verify", "--device", "cpu", "--inject", "table:3"]);
    assert_eq!(output.status.code(), Some(2));
}
