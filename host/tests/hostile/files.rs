//! Malformed files, written by a generator: each gives exit code 2 and one line that names the file, within
//! a second and 200 MB.

use crate::{
    checkpoint::{Checkpoint, real},
    common::root,
};
use safetensors::Dtype;
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Most memory of a refusal, kilobytes, as the shell counts it.
const MEMORY: usize = 200 * 1024;

/// Runs `logits` (or `chat`, for the files that only it reads) on a folder under the limits.
fn refusal(folder: &Path, command: &str, name: &str, file: &str) {
    let path = folder.to_string_lossy();
    let mut args = vec![command, "--model", &path];
    match command {
        "generate" => args.extend(["--prompt", "ABC"]),
        "logits" => args.extend(["--tokens", "1,2"]),
        _ => {}
    }
    let limited = format!("ulimit -v {MEMORY} && exec \"$0\" \"$@\"");
    let start = Instant::now();
    let output = Command::new("sh")
        .args(["-c", &limited, env!("CARGO_BIN_EXE_terntable")])
        .args(&args)
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (text, took) = (String::from_utf8_lossy(&output.stderr), start.elapsed());
    assert_eq!(output.status.code(), Some(2), "{name}: {text}");
    assert_eq!(text.lines().count(), 1, "{name}: {text}");
    assert!(text.len() < 2000, "{name}: a line of {} bytes", text.len());
    assert!(text.contains(file), "{name} does not name {file}: {text}");
    assert!(took < Duration::from_secs(1), "{name} took {took:?}");
}

/// A good checkpoint's folder, in which a case then damages a file.
fn folder(checkpoint: &Checkpoint) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    checkpoint.write(folder.path());
    folder
}

/// Damages one file of a good checkpoint, by its bytes.
fn bytes(name: &str, file: &str, command: &str, damage: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let folder = folder(&Checkpoint::new());
    let path = folder.path().join(file);
    let damaged = damage(fs::read(&path).unwrap_or_default());
    fs::write(path, damaged).unwrap();
    refusal(folder.path(), command, name, file);
}

/// A safetensors file of a header and data.
fn safetensors(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}

/// Header and data of a safetensors file.
fn parts(file: &[u8]) -> (Value, Vec<u8>) {
    let end = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&file[8..end]).unwrap(), file[end..].to_vec())
}

const TENSORS: &str = "model.safetensors";
const NORM: &str = "model.norm.weight";
const Q: &str = "model.layers.0.self_attn.q_proj.weight";
const SCALE: &str = "model.layers.0.self_attn.q_proj.weight_scale";

#[test]
fn safetensors_files() {
    let raw = |name: &str, damage: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        bytes(name, TENSORS, "logits", damage);
    };
    raw("nothing", &|_| Vec::new());
    raw("half a length", &|b| b[..4].into());
    raw("a length only", &|b| b[..8].into());
    for length in [0, 1, 1 << 40, 1 << 63, u64::MAX, u64::MAX - 7] {
        raw(&format!("header of {length} bytes"), &|b| [&length.to_le_bytes(), &b[8..]].concat());
    }
    for (name, header) in [
        ("no JSON", &b"hello"[..]),
        ("a list", b"[]"),
        ("null", b"null"),
        ("not UTF-8", b"{\"\xff\": 1}"),
        ("a tensor that is a number", b"{\"a\": 1}"),
        ("a tensor without offsets", br#"{"a":{"dtype":"F32","shape":[1]}}"#),
        ("metadata that is a number", br#"{"__metadata__": 5}"#),
        ("no tensor", b"{}"),
    ] {
        raw(name, &|_| safetensors(header, &[]));
    }
    raw("deep metadata", &|_| {
        safetensors(&[b"{\"a\":".repeat(100_000), b"1".to_vec()].concat(), &[])
    });
    raw("huge metadata", &|_| safetensors(&b" ".repeat(17 << 20), &[]));
    raw("cut in the header", &|b| b[..100].into());
    for cut in [2, 3, 4, 7] {
        raw(&format!("cut at {cut} eighths"), &|b| b[..b.len() * cut / 8].into());
    }
    raw("cut by a byte", &|b| b[..b.len() - 1].into());
    raw("a byte too many", &|b| [b, vec![0]].concat());
    raw("a name twice", &|b| {
        let (header, data) = parts(&b);
        let text = header.to_string();
        let again = format!("{},\"{NORM}\":{}}}", &text[..text.len() - 1], header[Q]);
        safetensors(again.as_bytes(), &data)
    });
}

#[test]
fn headers_of_safetensors_files() {
    let header = |name: &str, change: &dyn Fn(&mut Value)| {
        bytes(name, TENSORS, "logits", |file| {
            let (mut header, data) = parts(&file);
            change(&mut header);
            safetensors(header.to_string().as_bytes(), &data)
        });
    };
    header("overlapping offsets", &|h| h[NORM]["data_offsets"] = h[Q]["data_offsets"].clone());
    header("a hole", &|h| drop(h.as_object_mut().unwrap().remove(NORM)));
    for offsets in [
        json!([80, 0]),
        json!([0, 1_u64 << 40]),
        json!([u64::MAX - 80, u64::MAX]),
        json!([-80, 0]),
        json!([0]),
        json!("0-80"),
    ] {
        header(&format!("offsets {offsets}"), &|h| h[NORM]["data_offsets"] = offsets.clone());
    }
    for shape in [
        json!([1_u64 << 40, 1_u64 << 40]),
        json!([u64::MAX, 4]),
        json!([1_u64 << 63, 2]),
        json!([19]),
        json!([-20]),
        json!([20.5]),
        json!([20, 1]),
        json!([5, 4]),
        json!([]),
    ] {
        header(&format!("shape {shape}"), &|h| h[NORM]["shape"] = shape.clone());
    }
    for dtype in [json!("F99"), json!("F64"), json!("I32"), json!("U8"), json!("F4"), json!(7)] {
        header(&format!("type {dtype}"), &|h| h[NORM]["dtype"] = dtype.clone());
    }
}

#[test]
fn contents_of_tensors() {
    let tensor = |name: &str, tensor: &str, value: Option<(Dtype, Vec<usize>, Vec<u8>)>| {
        let mut checkpoint = Checkpoint::new();
        checkpoint.tensors.remove(tensor);
        checkpoint.tensors.extend(value.map(|value| (tensor.to_string(), value)));
        let folder = folder(&checkpoint);
        refusal(folder.path(), "logits", name, TENSORS);
        refusal(folder.path(), "logits", name, tensor);
    };
    let f32s = |values: &[f32]| (Dtype::F32, vec![values.len()], real(values));
    for bad in [f32::NAN, f32::INFINITY, -0.0, 0.0, -1.0] {
        tensor(&format!("scale {bad}"), SCALE, Some(f32s(&[bad])));
    }
    tensor("no scale", SCALE, None);
    tensor("two scales", SCALE, Some(f32s(&[1.0, 1.0])));
    tensor("an empty scale", SCALE, Some(f32s(&[])));
    tensor("an integer scale", SCALE, Some((Dtype::I32, vec![1], vec![1, 0, 0, 0])));
    tensor("a bf16 scale that is NaN", SCALE, Some((Dtype::BF16, vec![1], vec![0xc0, 0x7f])));
    tensor("code 3", Q, Some((Dtype::U8, vec![5, 20], vec![3; 100])));
    tensor("packed along the other axis", Q, Some((Dtype::U8, vec![20, 5], vec![0; 100])));
    tensor("a packed row too many", Q, Some((Dtype::U8, vec![6, 20], vec![0; 120])));
    tensor("signed bytes", Q, Some((Dtype::I8, vec![20, 20], vec![0; 400])));
    tensor("halves beside a scale", Q, Some((Dtype::F32, vec![20, 20], real(&[0.5; 400]))));
    tensor("NaN weights", Q, Some((Dtype::F32, vec![20, 20], real(&[f32::NAN; 400]))));
    tensor("no weights", Q, None);
    tensor("a norm with an infinity", NORM, Some(f32s(&[f32::INFINITY; 20])));
    tensor("a norm of f16 NaN", NORM, Some((Dtype::F16, vec![20], vec![0xff; 40])));
    tensor("no norm", NORM, None);
    tensor("no embeddings", "model.embed_tokens.weight", None);
    let mut large = vec![1.0; 640];
    large[639] = f32::NEG_INFINITY;
    let large = (Dtype::F32, vec![32, 20], real(&large));
    tensor("an infinite embedding", "model.embed_tokens.weight", Some(large));
    for extra in ["model.layers.1.input_layernorm.weight", "model.layers.x", "lm_head.bias"] {
        tensor("a tensor too many", extra, Some(f32s(&[1.0])));
    }
}

#[test]
fn configurations() {
    let file = "config.json";
    for (name, text) in [
        ("nothing", &b""[..]),
        ("a list", b"[]"),
        ("cut", br#"{"hidden_size": 20, "#),
        ("not UTF-8", b"{\"model_type\": \"\xff\"}"),
        ("zeros", &[0; 64]),
        ("NaN", br#"{"hidden_size": NaN}"#),
    ] {
        bytes(name, file, "logits", |_| text.into());
    }
    bytes("deep", file, "logits", |_| b"{\"rope_scaling\":".repeat(100_000));
    bytes("a key twice", file, "logits", |b| {
        [b"{\"vocab_size\": 32, ", b.trim_ascii_start().strip_prefix(b"{").unwrap()].concat()
    });
    let set = |key: &str, value: Value| {
        let mut checkpoint = Checkpoint::new();
        match key.strip_prefix("quantization_config.") {
            Some(key) => checkpoint.config["quantization_config"][key] = value.clone(),
            None => checkpoint.config[key] = value.clone(),
        }
        let folder = folder(&checkpoint);
        refusal(folder.path(), "logits", &format!("{key} = {value}"), file);
    };
    for size in [json!(0), json!(-1), json!(1.5), json!("20"), json!(1_u64 << 63), json!([20])] {
        for key in ["hidden_size", "num_hidden_layers", "vocab_size", "max_position_embeddings"] {
            set(key, size.clone());
        }
    }
    for theta in [json!(0), json!(-1), json!("x"), json!(1e300)] {
        set("rope_theta", theta.clone());
        set("rope_parameters", json!({"rope_theta": theta}));
    }
    set("max_position_embeddings", json!(1 << 21));
    set("head_dim", json!(9));
    set("num_attention_heads", json!(1_u64 << 40));
    set("rms_norm_eps", json!(-1e-5));
    set("architectures", json!(["BertModel"]));
    set("architectures", json!("BitNetForCausalLM"));
    set("hidden_act", json!("tanh"));
    set("rope_scaling", json!("llama3"));
    set("rope_scaling", json!({"type": "llama3", "factor": 0}));
    set("rope_scaling", json!({"full_attention": {"rope_theta": 10000.0}}));
    set("quantization_config", json!("bitnet"));
    set("quantization_config.quant_method", json!("awq"));
    set("quantization_config.linear_class", json!("Linear"));
    set("quantization_config.modules_to_not_convert", json!([1]));
    set("quantization_config.modules_to_not_convert", json!(["mlp.up_proj", "lm_head"]));
}

#[test]
fn indices_and_folders() {
    let index = |name: &str, names: &str, text: &str| {
        let folder = folder(&Checkpoint::new());
        fs::write(folder.path().join("model.safetensors.index.json"), text).unwrap();
        refusal(folder.path(), "logits", name, names);
    };
    const INDEX: &str = "model.safetensors.index.json";
    index("nothing", INDEX, "");
    index("no map", INDEX, "{}");
    index("an empty map", INDEX, r#"{"weight_map": {}}"#);
    index("a list", INDEX, r#"{"weight_map": ["a"]}"#);
    index("numbers", INDEX, r#"{"weight_map": {"a": 1}}"#);
    index("deep", INDEX, &"[".repeat(100_000));
    for name in ["../model.safetensors", "/etc/passwd", "a\\b"] {
        index("outside", INDEX, &json!({"weight_map": {"a": name}}).to_string());
    }
    let place = |shard: &str| json!({"weight_map": {"model.norm.weight": shard}}).to_string();
    index("a shard that is not there", "gone.safetensors", &place("gone.safetensors"));
    index("itself", INDEX, &place(INDEX));
    index("the folder", "not a plain file", &place(".."));
    index("a part of the tensors", "missing", &place(TENSORS));
    let elsewhere = json!({"weight_map": {"model.norm.weight2": TENSORS}}).to_string();
    index("a tensor that the shard lacks", INDEX, &elsewhere);
    for file in ["config.json", TENSORS, "tokenizer.json"] {
        let folder = folder(&Checkpoint::new());
        fs::remove_file(folder.path().join(file)).unwrap();
        refusal(folder.path(), "generate", "a file that is not there", file);
        fs::create_dir(folder.path().join(file)).unwrap();
        refusal(folder.path(), "generate", "a folder in the place of a file", file);
    }
    let folder = folder(&Checkpoint::new());
    let large = fs::File::create(folder.path().join("config.json")).unwrap();
    large.set_len(1 << 40).unwrap();
    refusal(folder.path(), "logits", "a terabyte of zeros", "config.json");
}

#[test]
fn tokenizers() {
    let file = "tokenizer.json";
    for (name, text) in [("nothing", ""), ("a list", "[]"), ("an object", "{}"), ("null", "null")] {
        bytes(name, file, "generate", |_| text.into());
    }
    bytes("cut", file, "generate", |b| b[..b.len() / 2].into());
    bytes("deep", file, "generate", |_| b"{\"model\":".repeat(100_000));
    let set = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut checkpoint = Checkpoint::new();
        change(&mut checkpoint.tokenizer);
        let folder = folder(&checkpoint);
        refusal(folder.path(), "generate", name, file);
    };
    let vocab: Value =
        (0..32).map(|i| (format!("t{i}"), json!(i))).collect::<serde_json::Map<_, _>>().into();
    let added = |id: u64, content: &str| {
        json!([{"id": id, "content": content, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true}])
    };
    set("another model", &|t| t["model"]["vocab"] = json!({"A": 0}));
    set("an id beyond the vocabulary", &|t| t["model"]["vocab"]["zz"] = json!(32));
    set("the largest id", &|t| t["model"]["vocab"]["zz"] = json!(u32::MAX));
    set("an id that is no u32", &|t| t["model"]["vocab"]["zz"] = json!(1_u64 << 40));
    set("a negative id", &|t| t["model"]["vocab"]["zz"] = json!(-1));
    set("an added token beyond it", &|t| t["added_tokens"] = added(4_000_000, "<x>"));
    set("an unknown model", &|t| t["model"]["type"] = json!("Mystery"));
    set("merges of tokens that are not there", &|t| {
        t["model"] = json!({"type": "BPE", "vocab": vocab, "merges": ["no such"]});
    });
    set("merges that are none", &|t| {
        t["model"] = json!({"type": "BPE", "vocab": vocab, "merges": ["t1"]});
    });
    set("a broken expression", &|t| t["pre_tokenizer"]["pattern"] = json!({"Regex": "(("}));
    set("an unknown normalizer", &|t| t["normalizer"] = json!({"type": "Rot13"}));
    set("a damaged map of characters", &|t| {
        t["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"});
    });
}

#[test]
fn chat_and_generation_files() {
    let write = |name: &str, file: &str, text: &str| {
        bytes(name, file, "chat", |_| text.into());
    };
    let generation = "generation_config.json";
    for text in [
        "",
        "[]",
        r#"{"temperature": -1}"#,
        r#"{"temperature": 1e999}"#,
        r#"{"top_p": 0}"#,
        r#"{"top_p": 2}"#,
        r#"{"top_k": -1}"#,
        r#"{"eos_token_id": "</s>"}"#,
        r#"{"eos_token_id": [-1]}"#,
    ] {
        write(text, generation, text);
    }
    let tokenizer = "tokenizer_config.json";
    for text in [
        "{",
        r#"{"chat_template": 5}"#,
        r#"{"chat_template": "{% for %}"}"#,
        r#"{"chat_template": "{{ 'open }}"}"#,
        r#"{"chat_template": [{"name": "tool_use", "template": "x"}]}"#,
        r#"{"chat_template": "x", "bos_token": 5}"#,
    ] {
        write(text, tokenizer, text);
    }
    write("a broken template", "chat_template.jinja", "{% if %}");
    write("deep", "chat_template.jinja", &"{{ ".repeat(10_000));
    write("nested", "chat_template.jinja", &format!("{{{{ {} }}}}", "(".repeat(100_000)));
    bytes("not UTF-8", "chat_template.jinja", "chat", |_| vec![0xff; 10]);
}

/// Embeddings of 160 MB are described and checked within 120 MB of address space: a block at a time.
#[test]
fn large_tensors_are_read_part_by_part() {
    const EMBEDDINGS: &str = "model.embed_tokens.weight";
    const ROWS: usize = 4_000_000;
    let mut checkpoint = Checkpoint::new();
    checkpoint.config["vocab_size"] = json!(ROWS);
    checkpoint.tensors.remove(EMBEDDINGS);
    let folder = folder(&checkpoint);
    let path = folder.path().join(TENSORS);
    let (mut header, data) = parts(&fs::read(&path).unwrap());
    let end = data.len() + ROWS * 20 * 2;
    header[EMBEDDINGS] =
        json!({"dtype": "BF16", "shape": [ROWS, 20], "data_offsets": [data.len(), end]});
    let bytes = safetensors(header.to_string().as_bytes(), &data);
    fs::write(&path, &bytes).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len((bytes.len() + end - data.len()) as u64).unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 122880 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_terntable")])
        .args(["inspect", &folder.path().to_string_lossy(), "--json"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("every value is zero"), "{warnings}");
    assert!(!warnings.contains("import refuses it"), "{warnings}");
}
