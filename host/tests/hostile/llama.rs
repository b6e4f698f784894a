//! Llama-architecture checkpoints: every form that they come in means the same, what has no place here
//! is refused.

use crate::{
    checkpoint::{Checkpoint, real},
    common, damaged_from, refused,
};
use safetensors::Dtype;
use serde_json::{Value, json};

fn logits(checkpoint: &Checkpoint, device: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    checkpoint.write(folder.path());
    logits_of(folder.path(), device)
}

fn logits_of(folder: &std::path::Path, device: &str) -> Value {
    let path = folder.to_string_lossy();
    let args = ["logits", "--model", &path, "--tokens", "1,2,3,30,4", "--device", device, "--json"];
    common::json_of(&args)["logits"].clone()
}

fn changed(change: impl FnOnce(&mut Checkpoint)) -> Checkpoint {
    let mut checkpoint = Checkpoint::llama();
    change(&mut checkpoint);
    checkpoint
}

#[test]
fn golden_and_cpu_agree_on_every_form() {
    let forms = [
        Checkpoint::llama(),
        Checkpoint::llama().online(),
        Checkpoint::llama().with_linear_norms(),
        Checkpoint::new().with_linear_norms(),
    ];
    let all = forms.map(|form| {
        let golden = logits(&form, "golden");
        assert_eq!(golden, logits(&form, "cpu"));
        golden
    });
    // Each of them is a model of its own.
    for (i, a) in all.iter().enumerate() {
        assert!(all[..i].iter().all(|b| a != b), "form {i}");
    }
}

/// The card has the identity norm, and refuses norms inside linear layers.
#[test]
fn the_golden_card_runs_what_it_can() {
    let wide = changed(|c| {
        c.config["head_dim"] = json!(16);
        for (name, shape) in [("q", [8, 20]), ("k", [4, 20]), ("v", [4, 20]), ("o", [5, 32])] {
            let name = format!("model.layers.0.self_attn.{name}_proj.weight");
            let bytes = vec![0b0110_0001; shape[0] * shape[1]];
            c.tensors.insert(name, (Dtype::U8, shape.to_vec(), bytes));
        }
    });
    assert_eq!(logits(&wide, "golden"), logits(&wide, "card-golden"));
    let folder = tempfile::tempdir().unwrap();
    wide.with_linear_norms().write(folder.path());
    let path = folder.path().to_string_lossy();
    let output = folder.path().join("image").to_string_lossy().into_owned();
    let args = ["pack", &path, "--card", "sim-small", "-o", &output];
    crate::expect_refusal(&args, &["use_rms_norm", "card"]);
}

#[test]
fn shards_mean_the_same_as_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::llama();
    checkpoint.write_shards(folder.path(), 3);
    assert_eq!(logits_of(folder.path(), "cpu"), logits(&checkpoint, "cpu"));
    let path = folder.path().to_string_lossy().into_owned();
    assert_eq!(common::json_of(&["inspect", &path, "--json"])["files"], 3);
    std::fs::remove_file(folder.path().join("model-00002-of-00003.safetensors")).unwrap();
    refused("logits", folder.path(), &["model-00002-of-00003.safetensors", "cannot read"]);
}

#[test]
fn inspect_explains_the_architecture() {
    let folder = tempfile::tempdir().unwrap();
    let mut checkpoint = Checkpoint::llama().with_linear_norms();
    checkpoint.config["rope_scaling"] = json!({
        "type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    });
    checkpoint.tokenizer["added_tokens"] = json!([{
        "id": 0, "content": "A", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
    }]);
    checkpoint.write(folder.path());
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file("chat_template.jinja", "{{ messages[0].content }}");
    file("generation_config.json", r#"{"eos_token_id": [3, 4], "do_sample": true, "top_p": 0.9}"#);
    let path = folder.path().to_string_lossy().into_owned();
    let report = common::json_of(&["inspect", &path, "--json"]);
    for (key, value) in [
        ("architecture", json!("LlamaForCausalLM")),
        ("gate", json!("silu")),
        ("sub_norms", json!(false)),
        ("scale_convention", json!("divide")),
        ("rope_stretch", json!(8.0)),
        ("devices", json!(["golden", "cpu"])),
        ("end_tokens", json!([3, 4])),
        ("sampling", json!({"temperature": 1.0, "top_k": null, "top_p": 0.9})),
    ] {
        assert_eq!(report[key], value, "{key}");
    }
    assert_eq!(report["tokenizer"]["model"], "WordLevel");
    assert_eq!(
        (&report["tokenizer"]["added"], &report["tokenizer"]["special"]),
        (&json!(1), &json!(1))
    );
    assert!(report["template"].as_str().unwrap().ends_with("chat_template.jinja"));
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("use_rms_norm") && !warnings.contains("refuses"), "{warnings}");
    let text = String::from_utf8(common::terntable(&["inspect", &path]).stdout).unwrap();
    for part in
        ["silu gate", "one in every linear layer", "stretched 8 times", "WordLevel", "top_p 0.9"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A divided scale is the inverse of a multiplied one.
#[test]
fn the_conventions_are_inverse() {
    let multiplied = changed(|c| {
        c.config["quantization_config"]["linear_class"] = json!("autobitlinear");
        for (name, tensor) in &mut c.tensors {
            if name.ends_with("_scale") {
                *tensor = (Dtype::F32, vec![1], real(&[2.0]));
            }
        }
    });
    let divided = changed(|c| {
        for (name, tensor) in &mut c.tensors {
            if name.ends_with("_scale") {
                *tensor = (Dtype::F32, vec![1], real(&[0.5]));
            }
        }
    });
    assert_eq!(logits(&multiplied, "cpu"), logits(&divided, "cpu"));
}

#[test]
fn defaults_are_those_of_the_architecture() {
    let named = changed(|c| {
        c.config["rms_norm_eps"] = json!(1e-6);
        c.config["rope_theta"] = json!(10000.0);
        c.config["hidden_act"] = json!("silu");
    });
    let absent = changed(|c| {
        for key in ["rms_norm_eps", "rope_theta", "hidden_act"] {
            c.config.as_object_mut().unwrap().remove(key);
        }
    });
    assert_eq!(logits(&named, "cpu"), logits(&absent, "cpu"));
}

#[test]
fn rotary_scaling_counts() {
    let scaled = |key: &str, kind: &str| {
        changed(|c| {
            c.config[key] = json!({
                kind: "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 16,
            });
        })
    };
    let new = logits(&scaled("rope_parameters", "rope_type"), "cpu");
    assert_eq!(new, logits(&scaled("rope_scaling", "type"), "cpu"));
    assert_ne!(new, logits(&Checkpoint::llama(), "cpu"));
}

#[test]
fn what_is_no_ternary_llama_is_refused() {
    let refuse = |change: &dyn Fn(&mut Checkpoint), parts: &[&str]| {
        damaged_from(Checkpoint::llama(), change, parts);
    };
    refuse(
        &|c| drop(c.config.as_object_mut().unwrap().remove("quantization_config")),
        &["config.json", "ordinary Llama"],
    );
    refuse(&|c| c.config["architectures"] = json!(["Qwen2ForCausalLM"]), &["Qwen2", "Llama"]);
    refuse(&|c| c.config["rms_norm_eps"] = json!(0.0), &["rms_norm_eps is 0"]);
    refuse(&|c| c.config["rope_scaling"] = json!({"type": "linear", "factor": 2.0}), &["linear"]);
    refuse(
        &|c| c.config["quantization_config"]["modules_to_not_convert"] = json!([]),
        &["does not name lm_head"],
    );
    refuse(
        &|c| {
            let list = json!(["lm_head", "model.layers.0.mlp.down_proj"]);
            c.config["quantization_config"]["modules_to_not_convert"] = list;
        },
        &["layers.0.mlp.down_proj"],
    );
    refuse(
        &|c| c.config["quantization_config"]["quantization_mode"] = json!("lazy"),
        &["lazy", "offline"],
    );
    refuse(&|c| c.config["mlp_bias"] = json!(true), &["mlp_bias"]);
    let sub_norm = "model.layers.0.mlp.ffn_sub_norm.weight";
    refuse(
        &|c| drop(c.tensors.insert(sub_norm.into(), (Dtype::F32, vec![28], real(&[1.0; 28])))),
        &[sub_norm, "no place"],
    );
    refuse(&|c| drop(c.tensors.remove("lm_head.weight")), &["lm_head.weight", "missing"]);
    damaged_from(
        Checkpoint::llama().online(),
        |c| c.config["quantization_config"]["quantization_mode"] = json!("offline"),
        &["real weights without a weight_scale"],
    );
    damaged_from(
        Checkpoint::llama().with_linear_norms(),
        |c| c.config["quantization_config"]["rms_norm_eps"] = json!(-1.0),
        &["rms_norm_eps of linear layers is -1"],
    );
}
