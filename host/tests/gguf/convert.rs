//! There and back.

use crate::{
    common::{json_of, root},
    file::{File, Stored, encode, weights},
    hostile::refused,
    write,
};
use serde_json::Value;
use std::path::Path;
use terntable::import::AnyCheckpoint;
use terntable_golden::model::{Model, Projection};

fn convert(from: &Path, to: &Path) -> Value {
    json_of(&["convert", &from.to_string_lossy(), &to.to_string_lossy(), "--json"])
}

/// Every weight, bit for bit.
fn assert_same(a: &Model, b: &Model) {
    assert_eq!(a.config, b.config);
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert!(bits(&a.embedding) == bits(&b.embedding));
    assert_eq!(bits(&a.norm), bits(&b.norm));
    for token in 0..a.config.vocab as u32 {
        assert_eq!(a.head.row(token), b.head.row(token));
        assert_eq!(a.head.step(token), b.head.step(token));
    }
    for (a, b) in a.layers.iter().zip(&b.layers) {
        assert!(a.projections == b.projections);
        assert_eq!((&a.attention_norm, &a.ffn_norm), (&b.attention_norm, &b.ffn_norm));
        assert_eq!(a.attention_sub_norm, b.attention_sub_norm);
        assert_eq!(a.ffn_sub_norm, b.ffn_sub_norm);
    }
}

fn model(path: &Path) -> Model {
    AnyCheckpoint::open(path).unwrap().model().unwrap()
}

#[test]
fn the_bundled_model_survives() {
    let folder = tempfile::tempdir().unwrap();
    let bundled = root().join("models/shakespeare");
    let (file, back) = (folder.path().join("s.gguf"), folder.path().join("back"));
    let there = convert(&bundled, &file);
    let again = convert(&file, &back);
    assert_same(&model(&bundled), &model(&file));
    assert_same(&model(&bundled), &model(&back));
    // Even the file of tensors is the same, so its hash is.
    let hash = |files: &Value| {
        let files = files.as_array().unwrap();
        let of = |f: &&Value| f["path"].as_str().unwrap().ends_with("model.safetensors");
        files.iter().find(of).unwrap()["sha256"].clone()
    };
    assert_eq!(hash(&there["inputs"]), hash(&again["outputs"]));
    assert_eq!(there["outputs"][0]["sha256"], again["inputs"][0]["sha256"]);
    let notes = there["notes"].to_string();
    assert!(notes.contains("mainline") && notes.contains("bitnet-b1.58"), "{notes}");

    for (prompt, temperature) in [("ROMEO:\n", "0"), ("What is thy name?", "0.9")] {
        let generate = |path: &Path| {
            let path = path.to_string_lossy();
            let args = ["generate", "--model", &path, "--prompt", prompt, "--temperature"];
            json_of(&[&args[..], &[temperature, "--max-tokens", "40", "--json"]].concat())
        };
        let expected = generate(&bundled);
        assert_eq!(expected["tokens"].as_array().unwrap().len(), 40);
        assert_eq!(generate(&file), expected);
        assert_eq!(generate(&back), expected);
    }
    // An image of the file is an image of the folder.
    let [a, b] = ["a.tti", "b.tti"].map(|name| folder.path().join(name));
    for (from, to) in [(&bundled, &a), (&file, &b)] {
        let (from, to) = (from.to_string_lossy(), to.to_string_lossy());
        json_of(&["convert", &from, &to, "--card", "sim-small", "--json"]);
    }
    assert!(std::fs::read(a).unwrap() == std::fs::read(b).unwrap());
}

/// Scales that binary16 does not hold stay exact, and embeddings that need 32 bits do.
#[test]
fn every_architecture_survives() {
    let folder = tempfile::tempdir().unwrap();
    for architecture in ["bitnet", "bitnet-b1.58", "llama"] {
        let mut file = File::model(architecture, Stored::F32);
        for (name, projection) in [("attn_q", Projection::V), ("ffn_down", Projection::Down)] {
            let tensor = file.tensor(&format!("blk.1.{name}.weight"));
            let rows = tensor.shape[1] as usize;
            let trits = &weights(1, projection)[..];
            let trits: Vec<i8> =
                trits.iter().copied().cycle().take(rows * tensor.shape[0] as usize).collect();
            tensor.bytes = encode(Stored::F32, &trits, 0.1).1;
        }
        let path = write(folder.path(), &file);
        let out = folder.path().join(format!("{architecture}.gguf"));
        let manifest = convert(&path, &out);
        let expected = model(&path);
        assert_eq!(expected.layers[1].projections[Projection::Q as usize].scale, 0.1);
        assert_same(&expected, &model(&out));
        let notes = manifest["notes"].to_string();
        assert!(notes.contains("terntable.scales") && notes.contains("as F32"), "{notes}");
        let report = json_of(&["inspect", &out.to_string_lossy(), "--json"]);
        assert_eq!(report["architecture"], architecture);
        assert_eq!(report["warnings"].as_array().unwrap().len(), 0, "{report}");
        let (ours, theirs) =
            (AnyCheckpoint::open(&out).unwrap(), AnyCheckpoint::open(&path).unwrap());
        assert_eq!(ours.end_tokens().unwrap(), theirs.end_tokens().unwrap());
        let (AnyCheckpoint::Gguf(ours), AnyCheckpoint::Gguf(theirs)) = (ours, theirs) else {
            panic!("two files")
        };
        assert_eq!(ours.chat_template().unwrap(), theirs.chat_template().unwrap());
    }
}

/// A scale that other software changed is noticed.
#[test]
fn exact_scales_must_fit_their_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::model("bitnet", Stored::Tq2_0);
    let mut scales: Vec<f32> =
        (0..2).flat_map(|layer| Projection::ALL.map(|p| crate::file::scale(layer, p))).collect();
    let key = |file: &mut File, scales: &[f32]| {
        let count = (scales.len() as u64).to_le_bytes();
        let bytes = [&6_u32.to_le_bytes()[..], &count, &crate::file::f32s(scales)].concat();
        file.key("terntable.scales", 9, bytes);
    };
    scales[8] *= 1.0 + 1.0 / 4096.0;
    key(&mut file, &scales);
    let path = write(folder.path(), &file);
    assert_eq!(model(&path).layers[1].projections[1].scale, scales[8]);
    scales[8] *= 1.01;
    key(&mut file, &scales);
    let path = write(folder.path(), &file).to_string_lossy().into_owned();
    let logits = ["logits", "--model", &path, "--tokens", "1"];
    refused(&logits, &["blk.1.attn_k.weight", "terntable.scales", "remove the key"]);
    scales[8] = f32::NAN;
    key(&mut file, &scales);
    write(folder.path(), &file);
    refused(&logits, &["blk.1.attn_k.weight", "NaN"]);
    key(&mut file, &scales[1..]);
    write(folder.path(), &file);
    refused(&logits, &["terntable.scales", "13 scales; expected 14"]);
}

#[test]
fn what_cannot_be_converted_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (out, shakespeare) = (at("out.gguf"), "models/shakespeare");
    let ragged = "host/tests/fixtures/autobitlinear-packed-gqa1-tied-bf16";
    refused(&["convert", ragged, &out], &["does not fit GGUF", "256", "attn_q"]);
    assert!(!Path::new(&out).exists());
    std::fs::write(&out, b"precious").unwrap();
    refused(&["convert", shakespeare, &out], &["out.gguf", "exists", "--force"]);
    assert_eq!(std::fs::read(&out).unwrap(), b"precious");
    json_of(&["convert", shakespeare, &out, "--force", "--json"]);
    let before = std::fs::read(&out).unwrap();
    refused(&["convert", &out, &out, "--force"], &["is the input"]);
    assert_eq!(std::fs::read(&out).unwrap(), before);
    refused(&["convert", shakespeare, &at("no/out.gguf")], &["cannot write", "no/out.gguf"]);
    refused(&["convert", shakespeare, &at("x.tti")], &["--card"]);
    refused(&["convert", shakespeare, &at("y"), "--embedding", "f16"], &["--embedding"]);
    let image = at("image.tti");
    json_of(&["convert", shakespeare, &image, "--card", "sim-small", "--json"]);
    refused(&["convert", &image, &at("z.gguf")], &["image.tti", "card image"]);

    // A separate head has no place in architectures with sub-norms.
    let mut file = File::model("bitnet-b1.58", Stored::Tq2_0);
    file.tensors
        .push(crate::file::Tensor { name: "output.weight".into(), ..file.tensors[0].clone() });
    let path = write(folder.path(), &file).to_string_lossy().into_owned();
    refused(&["convert", &path, &at("h.gguf")], &["head is separate", "bitnet-b1.58"]);
    // A scale outside binary16.
    let mut file = File::model("llama", Stored::F32);
    let tensor = file.tensor("blk.0.attn_v.weight");
    tensor.bytes = encode(Stored::F32, &weights(0, Projection::V), 1e-5).1;
    let path = write(folder.path(), &file).to_string_lossy().into_owned();
    refused(&["convert", &path, &at("v.gguf")], &["blk.0.attn_v", "TQ2_0"]);
}

/// A folder that is replaced keeps nothing of what was there.
#[test]
fn a_replaced_folder_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let index = r#"{"weight_map": {"a": "elsewhere.safetensors"}}"#;
    for name in ["model.safetensors.index.json", "chat_template.jinja"] {
        std::fs::write(out.join(name), index).unwrap();
    }
    let bundled = root().join("models/shakespeare");
    let (from, to) = (bundled.to_string_lossy(), out.to_string_lossy());
    refused(&["convert", &from, &to], &["exists", "--force"]);
    json_of(&["convert", &from, &to, "--force", "--json"]);
    assert_same(&model(&bundled), &model(&out));
    assert!(!out.join("chat_template.jinja").exists());
}

/// `--embedding` writes what it says.
#[test]
fn embeddings_of_every_type() {
    let folder = tempfile::tempdir().unwrap();
    let bundled = root().join("models/shakespeare");
    let expected = AnyCheckpoint::open(&bundled).unwrap().embedding_rows(0..64).unwrap();
    for (name, limit) in [("f32", 0.0), ("bf16", 0.0), ("f16", 1e-3), ("q8_0", 1e-2)] {
        let out = folder.path().join(format!("{name}.gguf"));
        let (from, to) = (bundled.to_string_lossy(), out.to_string_lossy());
        json_of(&["convert", &from, &to, "--embedding", name, "--json"]);
        let report = json_of(&["inspect", &to, "--json"]);
        assert_eq!(report["tensors"][0]["dtype"], name.to_uppercase());
        let rows = AnyCheckpoint::open(&out).unwrap().embedding_rows(0..64).unwrap();
        let largest = expected.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        for (a, b) in rows.iter().zip(&expected) {
            assert!((a - b).abs() <= limit * largest, "{name}: {a}, {b}");
        }
    }
}
