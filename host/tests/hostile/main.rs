//! Bad input: each gives one clear line and exit code 2, never a panic.

mod checkpoint;
#[path = "../common/mod.rs"]
mod common;
mod files;
mod fuzz;
#[path = "../common/fuzz.rs"]
mod fuzzing;
mod llama;

use checkpoint::{Checkpoint, real};
use common::terntable;
use safetensors::Dtype;
use serde_json::json;
use std::{fs, path::Path};

/// Runs the command on a checkpoint; expects exit code 2 and an error with every given part.
fn refused(command: &str, folder: &Path, parts: &[&str]) {
    let path = folder.to_string_lossy();
    let mut args = vec![command];
    match command {
        "inspect" => args.push(&path),
        "logits" => args.extend(["--model", &path, "--tokens", "1,2"]),
        _ => args.extend(["--model", &path, "--prompt", "ABC", "--max-tokens", "2"]),
    }
    expect_refusal(&args, parts);
}

fn expect_refusal(args: &[&str], parts: &[&str]) {
    let output = terntable(args);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?} printed {text}");
    assert!(!text.contains("panicked"), "{text}");
    for part in parts {
        assert!(text.contains(part), "{args:?}: expected {part:?} in {text:?}");
    }
}

/// Damages a good checkpoint and expects `generate` to refuse it.
fn damaged(damage: impl FnOnce(&mut Checkpoint), parts: &[&str]) {
    damaged_from(Checkpoint::new(), damage, parts);
}

fn damaged_from(mut checkpoint: Checkpoint, damage: impl FnOnce(&mut Checkpoint), parts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    damage(&mut checkpoint);
    checkpoint.write(folder.path());
    refused("generate", folder.path(), parts);
}

#[test]
fn the_undamaged_checkpoint_runs() {
    let folder = tempfile::tempdir().unwrap();
    Checkpoint::new().write(folder.path());
    let path = folder.path().to_string_lossy();
    let args = ["generate", "--model", &path, "--prompt", "ABC", "--max-tokens", "3", "--json"];
    assert_eq!(common::json_of(&args)["tokens"].as_array().unwrap().len(), 3);
}

/// Trits stored as real numbers beside a scale mean the same as packed ones.
#[test]
fn packed_and_plain_trits_with_a_scale_agree() {
    let logits = |checkpoint: &Checkpoint| {
        let folder = tempfile::tempdir().unwrap();
        checkpoint.write(folder.path());
        let path = folder.path().to_string_lossy();
        common::json_of(&["logits", "--model", &path, "--tokens", "1,2,3", "--json"])["logits"]
            .clone()
    };
    let packed = Checkpoint::new();
    let name = "model.layers.0.mlp.down_proj.weight";
    let (_, _, bytes) = &packed.tensors[name];
    let codes = terntable::import::unpack_codes(bytes, 20, 28);
    let plain: Vec<f32> = codes.weights.iter().map(|&w| f32::from(w)).collect();
    let mut unpacked = Checkpoint::new();
    unpacked.tensors.insert(name.into(), (Dtype::F32, vec![20, 28], real(&plain)));
    assert_eq!(logits(&packed), logits(&unpacked));
}

#[test]
fn missing_files() {
    let folder = tempfile::tempdir().unwrap();
    refused("generate", &folder.path().join("nothing"), &["no such folder", "config.json"]);
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        Checkpoint::new().write(folder.path());
        fs::remove_file(folder.path().join(name)).unwrap();
        refused("generate", folder.path(), &[name, "cannot read"]);
    }
}

#[test]
fn truncated_and_lying_safetensors() {
    let folder = tempfile::tempdir().unwrap();
    Checkpoint::new().write(folder.path());
    let path = folder.path().join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    for length in [0, 4, 8, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        for command in ["generate", "inspect", "logits"] {
            refused(command, folder.path(), &["model.safetensors", "truncated"]);
        }
    }
    for header in [u64::MAX, 1 << 40, whole.len() as u64] {
        let mut lying = whole.clone();
        lying[..8].copy_from_slice(&header.to_le_bytes());
        fs::write(&path, lying).unwrap();
        refused("generate", folder.path(), &["not a whole safetensors file"]);
    }
}

#[test]
fn wrong_tensors() {
    const Q: &str = "model.layers.0.self_attn.q_proj.weight";
    let tensor = |c: &mut Checkpoint, name: &str, t| c.tensors.insert(name.into(), t);
    damaged(|c| drop(c.tensors.remove(Q)), &[Q, "missing"]);
    damaged(
        |c| drop(tensor(c, Q, (Dtype::U8, vec![5, 19], vec![0; 95]))),
        &[Q, "[5, 19]", "[5, 20]"],
    );
    damaged(|c| drop(tensor(c, Q, (Dtype::I32, vec![20, 20], vec![0; 1600]))), &[Q, "I32"]);
    damaged(|c| drop(tensor(c, Q, (Dtype::U8, vec![5, 20], vec![255; 100]))), &[Q, "code 3"]);
    let scale = "model.layers.0.self_attn.q_proj.weight_scale";
    for bad in [f32::NAN, f32::INFINITY, 0.0, -1.0] {
        damaged(
            |c| drop(tensor(c, scale, (Dtype::F32, vec![1], real(&[bad])))),
            &[scale, "positive"],
        );
    }
    damaged(|c| drop(c.tensors.remove(scale)), &[scale, "missing"]);
    damaged(
        |c| drop(tensor(c, Q, (Dtype::F32, vec![20, 20], real(&[0.5; 400])))),
        &[Q, "0.5", "weight_scale"],
    );
    let norm = "model.norm.weight";
    damaged(
        |c| drop(tensor(c, norm, (Dtype::F32, vec![20], real(&[f32::NAN; 20])))),
        &[norm, "finite"],
    );
}

#[test]
fn wrong_configurations() {
    damaged(
        |c| c.config["architectures"] = json!(["MambaForCausalLM"]),
        &["MambaForCausalLM", "BitNet"],
    );
    damaged(|c| c.config["hidden_act"] = json!("gelu"), &["gelu", "relu2"]);
    damaged(|c| c.config["num_attention_heads"] = json!(3), &["3 heads"]);
    damaged(|c| c.config["num_attention_heads"] = json!(0), &["0 heads"]);
    damaged(|c| c.config["num_key_value_heads"] = json!(0), &["kv_heads is 0"]);
    damaged(|c| c.config["vocab_size"] = json!(-1), &["config.json"]);
    damaged(|c| c.config["hidden_size"] = json!(24), &["shape", "config.json"]);
    damaged(
        |c| c.config["quantization_config"]["linear_class"] = json!("other"),
        &["linear_class", "bitlinear"],
    );
    damaged(
        |c| c.config["quantization_config"]["use_rms_norm"] = json!(true),
        &["q_proj.rms_norm.weight", "missing"],
    );
    damaged(
        |c| c.config["quantization_config"]["modules_to_not_convert"] = json!(["down_proj"]),
        &["down_proj", "lm_head"],
    );
    damaged(|c| c.config["quantization_config"]["quant_method"] = json!("gptq"), &["gptq"]);
    damaged(|c| c.config["rope_scaling"] = json!({"rope_type": "yarn"}), &["yarn"]);
    damaged(|c| c.config = json!([1, 2]), &["config.json"]);
}

#[test]
fn a_tokenizer_of_another_model() {
    damaged(
        |c| {
            c.tokenizer["model"]["vocab"]["zz"] = json!(32);
        },
        &["tokenizer.json", "33 tokens", "vocab_size"],
    );
    damaged(|c| c.tokenizer["model"]["vocab"] = json!({"A": 0}), &["1 tokens", "another model"]);
    damaged(|c| c.tokenizer = json!({}), &["tokenizer.json"]);
}

/// Contradictory contents make the tokenizers library panic; here they are an error.
#[test]
fn a_tokenizer_that_contradicts_itself() {
    damaged(
        |c| {
            c.tokenizer["normalizer"] =
                json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"});
        },
        &["tokenizer.json", "damaged"],
    );
}

/// Truncation and padding of the tokenizer's file would change prompts and losses silently.
#[test]
fn truncation_and_padding_are_not_obeyed() {
    let prompt_tokens = |change: fn(&mut Checkpoint)| {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoint = Checkpoint::new();
        change(&mut checkpoint);
        checkpoint.write(folder.path());
        let path = folder.path().to_string_lossy();
        let args = ["generate", "--model", &path, "--prompt", "ABC", "--max-tokens", "1", "--json"];
        common::json_of(&args)["prompt_tokens"].clone()
    };
    assert_eq!(prompt_tokens(|_| ()), 3);
    assert_eq!(
        prompt_tokens(|c| {
            c.tokenizer["truncation"] = json!({"direction": "Right", "max_length": 2,
                                               "strategy": "LongestFirst", "stride": 0});
        }),
        3
    );
    assert_eq!(
        prompt_tokens(|c| {
            c.tokenizer["padding"] = json!({"strategy": {"Fixed": 8}, "direction": "Right",
                                            "pad_to_multiple_of": null, "pad_id": 0,
                                            "pad_type_id": 0, "pad_token": "A"});
        }),
        3
    );
}

#[test]
fn sizes_that_nothing_can_hold() {
    for (name, size) in [
        ("max_position_embeddings", 1_u64 << 40),
        ("max_position_embeddings", 1 << 62),
        ("num_hidden_layers", 1 << 40),
        ("vocab_size", 1 << 60),
        ("hidden_size", 1 << 40),
        ("head_dim", 1 << 63),
        ("head_dim", (1 << 63) + 10),
    ] {
        damaged(|c| c.config[name] = json!(size), &["config.json", "at most"]);
    }
}

/// A file with more than the model that config.json describes.
#[test]
fn tensors_without_a_place() {
    let extra = |c: &mut Checkpoint, name: &str| {
        c.tensors.insert(name.into(), (Dtype::F32, vec![20], real(&[5.0; 20])));
    };
    for name in ["model.layers.0.self_attn.q_proj.bias", "model.layers.1.input_layernorm.weight"] {
        damaged(|c| extra(c, name), &[name, "has no place"]);
    }
}

/// A tensor that lies in two shards is taken from the one that the index names.
#[test]
fn shards_follow_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let logits = || {
        let path = folder.path().to_string_lossy();
        common::json_of(&["logits", "--model", &path, "--tokens", "1,2", "--json"])["logits"]
            .clone()
    };
    let checkpoint = Checkpoint::new();
    checkpoint.write(folder.path());
    let expected = logits();
    let file = |name: &str| folder.path().join(name);
    fs::rename(file("model.safetensors"), file("a.safetensors")).unwrap();
    let mut other = Checkpoint::new();
    for (dtype, _, bytes) in other.tensors.values_mut() {
        if *dtype == Dtype::F32 {
            bytes.fill(0x3f);
        }
    }
    other.tensors.insert("unused".into(), (Dtype::F32, vec![1], real(&[1.0])));
    other.write(folder.path());
    fs::rename(file("model.safetensors"), file("z.safetensors")).unwrap();
    let places: serde_json::Map<_, _> =
        checkpoint.tensors.keys().map(|name| (name.clone(), json!("a.safetensors"))).collect();
    let index = file("model.safetensors.index.json");
    let mut map = json!({"weight_map": places});
    map["weight_map"]["unused"] = json!("z.safetensors");
    fs::write(&index, map.to_string()).unwrap();
    assert_eq!(logits(), expected);
    map["weight_map"]["nowhere"] = json!("z.safetensors");
    fs::write(&index, map.to_string()).unwrap();
    refused("logits", folder.path(), &["index.json", "nowhere", "z.safetensors", "does not hold"]);
    map["weight_map"]["nowhere"] = json!("../z.safetensors");
    fs::write(&index, map.to_string()).unwrap();
    refused("logits", folder.path(), &["../z.safetensors", "beside the index"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_terntable"))
        .args(["inspect", "models/shakespeare"])
        .current_dir(common::root())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn prompts_that_cannot_be_served() {
    let folder = tempfile::tempdir().unwrap();
    Checkpoint::new().write(folder.path());
    let path = folder.path().to_string_lossy();
    expect_refusal(&["generate", "--model", &path, "--prompt", ""], &["the prompt is empty"]);
    expect_refusal(&["verify", "--model", &path, "--device", "cpu", "--prompt", ""], &["empty"]);
    let long = "A".repeat(17);
    expect_refusal(&["generate", "--model", &path, "--prompt", &long], &["17 tokens", "holds 16"]);
    expect_refusal(&["logits", "--model", &path, "--tokens", "5,32"], &["token 32", "0..32"]);
    let many = vec!["1"; 17].join(",");
    expect_refusal(&["logits", "--model", &path, "--tokens", &many], &["context of 16"]);
}

#[test]
fn unknown_options() {
    expect_refusal(&["generate", "--prompt", "A", "--device", "gpu"], &["gpu", "golden", "sim"]);
    expect_refusal(&["generate", "--prompt", "A", "--fast"], &["--fast"]);
    expect_refusal(&["generate", "--prompt", "A", "--temperature", "-1"], &["0 or more"]);
    expect_refusal(&["generate", "--prompt", "A", "--temperature", "nan"], &["0 or more"]);
    expect_refusal(
        &["generate", "--prompt", "A", "--model", "nowhere"],
        &["nowhere", "no such folder"],
    );
    expect_refusal(&["verify", "--inject", "tables:1"], &["UNIT:BIT"]);
    expect_refusal(&["verify", "--inject", "table:140"], &["0..140"]);
    expect_refusal(&["verify", "--device", "cpu", "--inject", "table:1"], &["--device sim"]);
    expect_refusal(&["frobnicate"], &["frobnicate"]);
}

#[test]
fn inspect_explains_and_warns() {
    let folder = tempfile::tempdir().unwrap();
    let mut checkpoint = Checkpoint::new();
    let up = "model.layers.0.mlp.up_proj";
    checkpoint
        .tensors
        .insert(format!("{up}.weight"), (Dtype::U8, vec![7, 20], vec![0b0101_0101; 140]));
    let down = "model.layers.0.mlp.down_proj.weight_scale";
    checkpoint.tensors.insert(down.into(), (Dtype::F32, vec![1], real(&[-2.0])));
    let gate = "model.layers.0.mlp.gate_proj.weight";
    checkpoint.tensors.get_mut(gate).unwrap().2[0] = 0b1100_0000;
    checkpoint.write(folder.path());
    let report = common::json_of(&["inspect", &folder.path().to_string_lossy(), "--json"]);
    assert_eq!(report["architecture"], "BitNetForCausalLM");
    assert_eq!(report["scale_convention"], "multiply");
    assert!(report["zeros"].as_f64().unwrap() > 0.2);
    let warnings = report["warnings"].to_string();
    for part in [
        "up_proj.weight: all 560 weights are zero",
        "down_proj.weight_scale: the scale is -2",
        "code 3",
    ] {
        assert!(warnings.contains(part), "{part:?} not in {warnings}");
    }
}
