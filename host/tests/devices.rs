//! Golden model, CPU and simulated card give the same tokens and logits, bit for bit.

mod common;

use common::{json_of, terntable};
use terntable::{
    device::{AnyDevice, DeviceName},
    import::Checkpoint,
    lockstep::{Lockstep, Scope},
    runner::Runner,
    sim::Sim,
};
use terntable_golden::{head::HeadMode, model::Golden};
use terntable_testbench::{
    agents::MemoryTiming,
    engine::{EngineOptions, EngineParams},
};

const PROMPTS: [&str; 3] = ["ROMEO:\n", "What is thy name, good fellow?", "KING"];

fn generate(prompt: &str, device: &str, temperature: &str, tokens: &str) -> serde_json::Value {
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
fn three_devices_make_the_same_tokens() {
    for prompt in PROMPTS {
        for temperature in ["0", "0.8"] {
            let golden = generate(prompt, "golden", temperature, "12");
            assert_eq!(golden["tokens"].as_array().unwrap().len(), 12);
            for device in ["cpu", "sim"] {
                let other = generate(prompt, device, temperature, "12");
                assert_eq!(
                    other["tokens"], golden["tokens"],
                    "{prompt:?} on {device}, {temperature}"
                );
                assert_eq!(other["text"], golden["text"]);
            }
        }
    }
}

#[test]
fn the_simulated_card_reports_what_it_spent() {
    let report = generate("KING", "sim", "0", "2");
    let count = |name: &str| report[name].as_u64().unwrap();
    assert!(count("cycles") > 0 && count("weight_bytes") > 0);
    let share = report["utilisation"].as_f64().unwrap();
    let beats = count("weight_bytes") as f64 / 64.0;
    assert!((share - beats / count("cycles") as f64).abs() < 1e-9);
}

#[test]
fn cpu_equals_golden_over_a_whole_context() {
    let folder = common::root().join("models/shakespeare");
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let model = checkpoint.model().unwrap();
    let text = std::fs::read_to_string(folder.join("tinyshakespeare.txt")).unwrap();
    let text = text.get(..1500).unwrap();
    let tokens = checkpoint.tokenizer().unwrap().encode(text).unwrap();
    let tokens = &tokens[..model.config.context.min(tokens.len())];
    let mut golden = Golden::new(&model);
    let mut cpu = AnyDevice::open(DeviceName::Cpu, &model).unwrap();
    let mut lockstep = Lockstep::new(&mut golden, cpu.as_device(), Scope::Everything);
    let mut runner = Runner::new(&model, &mut lockstep, HeadMode::Full);
    runner.feed(tokens, tokens.len(), |_| {}).unwrap();
    assert!(lockstep.compared > 1_000_000, "{}", lockstep.compared);
}

/// A card of other sizes and a slow, stalling memory: the same bits.
#[test]
fn a_small_card_with_a_slow_memory_equals_golden() {
    let checkpoint = Checkpoint::open(&common::root().join("models/shakespeare")).unwrap();
    let model = checkpoint.model().unwrap();
    let timing =
        MemoryTiming { latency: 40, stall: 0.2, request_stall: 0.2, ..MemoryTiming::IDEAL };
    let options = EngineOptions {
        timing,
        result_stall: 0.3,
        activation_stall: 0.1,
        ..EngineOptions::default()
    };
    let mut golden = Golden::new(&model);
    let mut sim = Sim::with(&model, EngineParams::SIM_SMALL, options).unwrap();
    let mut lockstep = Lockstep::new(&mut golden, &mut sim, Scope::LinearLayers);
    let mut runner = Runner::new(&model, &mut lockstep, HeadMode::TwoStage);
    runner.feed(&[1, 2, 3, 4, 5, 6, 7], 2, |_| {}).unwrap();
    assert!(lockstep.compared > 10_000);
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

#[test]
fn verify_finds_every_kind_of_fault() {
    let clean = json_of(&["verify", "--device", "sim", "--prompt", "KING", "--json"]);
    assert_eq!(clean["equal"], true);
    assert!(clean["compared"].as_u64().unwrap() > 10_000);
    for fault in ["table:3", "table:47", "weight:9", "accumulator:0", "accumulator:2687"] {
        let output = terntable(&["verify", "--device", "sim", "--inject", fault, "--json"]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{fault}: {text}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["equal"], false);
        let difference = &report["difference"];
        assert_ne!(difference["expected"], difference["got"], "{fault}");
        assert!(text.contains("first difference") && text.contains("--trace"), "{text}");
    }
}
