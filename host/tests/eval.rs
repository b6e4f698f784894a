//! `terntable eval`: units, and two devices or two models side by side.

mod common;

use common::{json_of, root, terntable};
use serde_json::Value;
use std::{fs, path::Path};

const TEXT: &str = "ROMEO:\nBut soft, what light through yonder window breaks? Señor, 7 o'clock.\n";

/// The bundled model with one field of its `config.json` changed.
fn changed(folder: &Path, key: &str, value: Value) {
    let model = root().join("models/shakespeare");
    for name in ["model.safetensors", "tokenizer.json"] {
        fs::copy(model.join(name), folder.join(name)).unwrap();
    }
    let text = fs::read(model.join("config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&text).unwrap();
    config[key] = value;
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

#[test]
fn figures_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text").to_string_lossy().into_owned();
    fs::write(&text, TEXT).unwrap();
    let args = ["eval", "--text", &text, "--device", "cpu", "--json"];
    let report = json_of(&args);
    let f = |key: &str| report[key].as_f64().unwrap();
    assert_eq!(f("bytes"), f("characters") + 1.0, "one character has two bytes");
    assert!((f("perplexity").ln() - f("nats_per_token")).abs() < 1e-9);
    let nats = f("nats_per_token") * f("tokens");
    assert!((nats / f("characters") - f("nats_per_character")).abs() < 1e-9);
    let bits = f("bits_per_byte") * f("bytes");
    assert!((bits - f("bits_per_character") * f("characters")).abs() < 1e-6);
    assert!((bits * std::f64::consts::LN_2 - nats).abs() < 1e-6);
    assert!(report["against"].is_null());

    // Devices give the same bits.
    let both = json_of(&[&args[..], &["--against-device", "golden"]].concat());
    assert_eq!(both["nats_per_token"], both["against"]["nats_per_token"]);
    assert_eq!(both["against"]["device"], "golden");
    assert_eq!(both["against"]["max_kl_divergence"], 0.0);
    assert_eq!(both["against"]["top_1_agreement"], 1.0);

    // Another model does not.
    let other = tempfile::tempdir().unwrap();
    changed(other.path(), "rms_norm_eps", 10.0.into());
    let path = other.path().to_string_lossy();
    let against = json_of(&[&args[..], &["--against-model", &path]].concat())["against"].clone();
    let (mean, largest) =
        (&against["mean_kl_divergence"].as_f64(), &against["max_kl_divergence"].as_f64());
    assert!(mean.unwrap() > 1e-3 && largest.unwrap() > mean.unwrap(), "{against}");
    assert!(against["top_1_agreement"].as_f64().unwrap() < 1.0, "{against}");
    assert_eq!(against["device"], "cpu");
    let own = json_of(&["eval", "--model", &path, "--text", &text, "--device", "cpu", "--json"]);
    assert_eq!(own["nats_per_token"], against["nats_per_token"]);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text").to_string_lossy().into_owned();
    fs::write(&text, TEXT).unwrap();
    let refused = |more: &[&str], part: &str| {
        let args = [&["eval", "--text", &text, "--device", "cpu"], more].concat();
        let output = terntable(&args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(part), "{more:?}: {error}");
    };
    let fixture = "host/tests/fixtures/bitlinear-packed-gqa2-tied-f32";
    refused(&["--against-model", fixture], "cut the text differently");
    refused(&["--against-device", "card-golden"], "take golden or cpu");
    refused(&["--against-model", "nowhere"], "nowhere");
    refused(&["--window", "100000"], "the model's context");
    let short = tempfile::tempdir().unwrap();
    changed(short.path(), "max_position_embeddings", 64.into());
    let path = short.path().to_string_lossy();
    refused(&["--against-model", &path], "window <= 64");
    fs::write(&text, [0xff, 0xfe]).unwrap();
    refused(&[], "cannot read");
}
