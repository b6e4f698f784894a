//! GGUF files: what loads is exact, what is converted keeps every weight, what is damaged is refused.

#[path = "../common/mod.rs"]
mod common;
mod convert;
mod file;
#[path = "../common/fuzz.rs"]
mod fuzzing;
mod hostile;
mod tokenizer;

use common::json_of;
use file::{File, Stored, encode, scale, weights};
use serde_json::json;
use std::path::{Path, PathBuf};
use terntable::import::AnyCheckpoint;
use terntable_golden::{gate::Gate, model::Projection};

const STORED: [Stored; 6] =
    [Stored::F32, Stored::F16, Stored::Bf16, Stored::Tq1_0, Stored::Tq2_0, Stored::I2S];

/// Writes a file into a folder.
fn write(folder: &Path, file: &File) -> PathBuf {
    let path = folder.join("model.gguf");
    std::fs::write(&path, file.bytes()).unwrap();
    path
}

#[test]
fn every_architecture_and_type_loads_exactly() {
    let folder = tempfile::tempdir().unwrap();
    for architecture in ["bitnet", "bitnet-b1.58", "bitnet-25", "llama"] {
        for stored in STORED {
            let path = write(folder.path(), &File::model(architecture, stored));
            let checkpoint = AnyCheckpoint::open(&path).unwrap();
            let config = checkpoint.config();
            let relu = architecture == "bitnet-b1.58" || architecture == "bitnet-25";
            assert_eq!(config.gate, if relu { Gate::Relu2 } else { Gate::Silu }, "{architecture}");
            assert_eq!(config.rope_theta, 10_000.0);
            assert_eq!(checkpoint.tied_head(), architecture != "llama");
            assert_eq!(checkpoint.embedding_rows(3..5).unwrap(), file::real(1, 5 * 256)[3 * 256..]);
            let head = if architecture == "llama" { 7 } else { 1 };
            assert_eq!(checkpoint.head_rows(0..2).unwrap(), file::real(head, 2 * 256));
            assert_eq!(checkpoint.norm().unwrap(), file::real(6, 256));
            for index in 0..file::LAYERS {
                let layer = checkpoint.layer(index).unwrap();
                assert_eq!(layer.attention_norm, file::real(2, 256));
                assert_eq!(layer.ffn_norm, file::real(3, 256));
                let sub = architecture != "llama";
                assert_eq!(layer.attention_sub_norm, sub.then(|| file::real(4, 256)));
                assert_eq!(layer.ffn_sub_norm, sub.then(|| file::real(5, 512)));
                for (matrix, projection) in layer.projections.iter().zip(Projection::ALL) {
                    let at = format!("{architecture}, {stored:?}, layer {index}, {projection:?}");
                    assert_eq!(matrix.scale, scale(index, projection), "{at}");
                    assert!(matrix.weights == weights(index, projection), "{at}");
                }
            }
            assert_eq!(checkpoint.end_tokens().unwrap(), [262]);
        }
    }
}

/// A file runs, and a folder made of it gives the same bits; the two dialects of one model, too.
#[test]
fn files_run_as_folders_do() {
    let folder = tempfile::tempdir().unwrap();
    let logits = |path: &Path, device: &str| {
        let path = path.to_string_lossy();
        json_of(&["logits", "--model", &path, "--tokens", "1,2,3", "--device", device, "--json"])
            ["logits"]
            .clone()
    };
    for architecture in ["bitnet", "bitnet-b1.58", "llama"] {
        let path = write(folder.path(), &File::model(architecture, Stored::Tq1_0));
        let golden = logits(&path, "golden");
        assert_eq!(golden, logits(&path, "cpu"), "{architecture}");
        let out = folder.path().join(architecture);
        let (from, to) = (path.to_string_lossy(), out.to_string_lossy());
        json_of(&["convert", &from, &to, "--to", "hf", "--json"]);
        assert_eq!(golden, logits(&out, "cpu"), "{architecture}");
        write(folder.path(), &File::model(architecture, Stored::I2S));
        assert_eq!(golden, logits(&path, "cpu"), "{architecture}");
    }
}

/// Scales beside a matrix multiply; divided rotary frequencies change what comes out.
#[test]
fn scales_and_rotary_divisors_beside_the_matrices() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::model("llama", Stored::Tq2_0);
    let more = |name: &str, values: &[f32]| file::Tensor {
        name: name.into(),
        type_id: 0,
        shape: vec![values.len() as u64],
        bytes: file::f32s(values),
    };
    file.tensors.push(more("blk.1.ffn_up.scale", &[0.5]));
    // Converters of bitnet write this, which stretches nothing.
    file.string("llama.rope.scaling.type", "linear");
    file.key("llama.rope.scaling.factor", 6, 1_f32.to_le_bytes().to_vec());
    file.tensors.push(more("rope_freqs.weight", &[8.0; 32]));
    let path = write(folder.path(), &file);
    let checkpoint = AnyCheckpoint::open(&path).unwrap();
    let up = &checkpoint.layer(1).unwrap().projections[Projection::Up as usize];
    assert_eq!(up.scale, scale(1, Projection::Up) * 0.5);
    let model = checkpoint.model().unwrap();
    assert_eq!(model.rope.divisors(), Some(&[8.0; 32][..]));
    // They stay in GGUF and have no place in a folder.
    let (from, out) = (path.to_string_lossy(), folder.path().join("again.gguf"));
    json_of(&["convert", &from, &out.to_string_lossy(), "--json"]);
    let again = AnyCheckpoint::open(&out).unwrap();
    assert_eq!(again.rope_divisors().unwrap(), Some(vec![8.0; 32]));
    assert!(again.layer(1).unwrap().projections == checkpoint.layer(1).unwrap().projections);
    let to = folder.path().join("folder");
    hostile::refused(&["convert", &from, &to.to_string_lossy()], &["rope_freqs", "Llama 3"]);
    assert!(!to.exists());
    // Those of Llama 3 have a formula.
    let parameters = json!({"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192});
    let divisors = rope(&parameters);
    file.tensor("rope_freqs.weight").bytes = file::f32s(&divisors);
    let path = write(folder.path(), &file);
    json_of(&["convert", &from, &to.to_string_lossy(), "--json"]);
    assert_eq!(AnyCheckpoint::open(&to).unwrap().rope_divisors().unwrap(), Some(divisors));
    let (a, b) = (AnyCheckpoint::open(&to).unwrap(), AnyCheckpoint::open(&path).unwrap());
    assert!(a.layer(1).unwrap().projections == b.layer(1).unwrap().projections);
}

/// Divisors of heads of 64 and base 10,000 by the definition of Llama 3's scaling.
fn rope(parameters: &serde_json::Value) -> Vec<f32> {
    let number = |name: &str| parameters[name].as_f64().unwrap();
    let (factor, context) = (number("factor"), number("original_max_position_embeddings"));
    let divisor = |i: u32| {
        let wave = 2.0 * std::f64::consts::PI * 10_000_f64.powf(f64::from(i) / 32.0);
        let smooth = (context / wave - 1.0) / 3.0;
        let blend = 1.0 / ((1.0 - smooth.clamp(0.0, 1.0)) / factor + smooth.clamp(0.0, 1.0));
        blend as f32
    };
    (0..32).map(divisor).collect()
}

#[test]
fn inspect_names_dialect_types_and_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    let inspect = |file: &File| {
        json_of(&["inspect", &write(folder.path(), file).to_string_lossy(), "--json"])
    };
    let report = inspect(&File::model("llama", Stored::Tq2_0));
    assert_eq!(report["dialect"], "llama.cpp");
    assert_eq!((&report["gate"], &report["interleaved"]), (&"silu".into(), &true.into()));
    assert_eq!(report["warnings"].as_array().unwrap().len(), 0, "{report}");
    assert!(report["tokenizer"].as_str().unwrap().contains("gpt-2, 272 tokens"), "{report}");
    let report = inspect(&File::model("bitnet", Stored::I2S));
    assert_eq!(report["dialect"], "BitNet fork of llama.cpp");
    assert!(report["evidence"].as_str().unwrap().contains("I2_S"));
    assert!(report["warnings"][0].as_str().unwrap().contains("ARM"), "{report}");
    let types = report["types"].as_array().unwrap();
    let i2_s = types.iter().find(|t| t["name"] == "I2_S").unwrap();
    assert_eq!(i2_s["tensors"], 14);
    let zeros = report["zeros"].as_f64().unwrap();
    assert!((zeros - 1.0 / 3.0).abs() < 0.01, "{zeros}");

    // What import refuses can be looked at.
    let mut file = File::model("bitnet-25", Stored::I2S);
    file.tensor("blk.0.ffn_up.weight").type_id = 39;
    let report = inspect(&file);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("TL2") && warnings.contains("permuted"), "{warnings}");

    // Architectures of tied heads compute without a separate one.
    let mut file = File::model("bitnet-b1.58", Stored::Tq2_0);
    file.tensors.push(file::Tensor { name: "output.weight".into(), ..file.tensors[0].clone() });
    let warnings = inspect(&file)["warnings"].to_string();
    assert!(warnings.contains("output.weight"), "{warnings}");
    let table =
        common::terntable(&["inspect", &folder.path().join("model.gguf").to_string_lossy()]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("relu2 gate") && table.contains("half a head apart"), "{table}");
}

/// The number of a type means what its bytes say.
#[test]
fn numbers_that_two_dialects_share() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, cols) = file::shape(Projection::Up);
    let elements = rows * cols;
    for (id, bytes, name) in [
        (36, elements / 4 + 32, None),
        (36, elements * 18 / 32, Some("IQ4_NL_4_4")),
        (37, elements * 18 / 32, Some("IQ4_NL_4_8")),
        (37, elements + 32, Some("I8_S")),
        (38, elements * 18 / 32, Some("IQ4_NL_8_8")),
        (38, elements / 4, Some("TL1")),
        (39, elements * 17 / 32, Some("MXFP4")),
        (39, elements * 5 / 24 / 32 * 32, Some("TL2")),
        (33, elements * 18 / 32, Some("Q4_0_8_8")),
        (36, elements / 4, Some("fit neither")),
        (5, elements, Some("which no dialect known here has")),
    ] {
        let mut file = File::model("llama", Stored::I2S);
        let tensor = file.tensor("blk.0.ffn_up.weight");
        tensor.type_id = id;
        tensor.bytes.resize(bytes, 0x55);
        if name.is_none() {
            tensor.bytes = encode(Stored::I2S, &weights(0, Projection::Up), 0.5).1;
        }
        let path = write(folder.path(), &file);
        let error = AnyCheckpoint::open(&path).and_then(|checkpoint| checkpoint.layer(0)).err();
        match (name, error) {
            (None, None) => {}
            (Some(name), Some(error)) => {
                let text = error.to_string();
                assert!(text.contains(name) && text.contains("blk.0.ffn_up"), "{id}: {text}");
            }
            (_, error) => panic!("{id}, {bytes} bytes: {error:?}"),
        }
    }
}
