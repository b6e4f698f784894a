//! Images on the command line, and the golden card with one of them.

mod common;

use common::{json_of, root, terntable};
use std::path::Path;
use terntable::{
    card::{CardModel, Chunk, GoldenCard},
    device::on_card,
    import::Checkpoint,
    pack,
};
use terntable_golden::{
    card::config::CardConfig,
    head::HeadMode,
    model::{Golden, Slot},
};

fn refused(args: &[&str], parts: &[&str]) {
    let output = terntable(args);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?} printed {text}");
    assert!(!text.contains("panicked"), "{text}");
    for part in parts {
        assert!(text.contains(part), "{args:?}: expected {part:?} in {text:?}");
    }
}

fn packed(folder: &Path, card: &str) -> String {
    let path = folder.join("image").to_string_lossy().into_owned();
    let report = json_of(&["pack", "models/shakespeare", "--card", card, "-o", &path, "--json"]);
    assert_eq!(report["card"], card);
    path
}

#[test]
fn pack_and_inspect_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for card in ["sim-small", "kv260", "alveo"] {
        let path = packed(folder.path(), card);
        let report = json_of(&["inspect", &path, "--json"]);
        assert_eq!(report["name"], "shakespeare");
        assert_eq!(report["ternary_weights"], 3_538_944);
        let bits = report["bits_per_weight"].as_f64().unwrap();
        assert!((1.58..1.9).contains(&bits), "{bits}");
        assert_eq!(report["warnings"].as_array().unwrap().len(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left");
        let text = String::from_utf8(terntable(&["inspect", &path]).stdout).unwrap();
        assert!(text.contains("two-stage head") && text.contains("bits each"), "{text}");
    }
}

#[test]
fn what_cannot_be_packed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image").to_string_lossy().into_owned();
    let pack = |card: &str, more: &[&str], parts: &[&str]| {
        let args = ["pack", "models/shakespeare", "--card", card, "-o", &path];
        refused(&[&args[..], more].concat(), parts);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    };
    pack("kv999", &[], &["kv999", "sim-small"]);
    pack("README.md", &[], &["README.md", "not the configuration of a card"]);
    pack("sim-small", &["--pages", "0"], &["at least one page"]);
    pack("sim-small", &["--pages", "4294967295"], &["2^39"]);
    let nowhere = folder.path().join("no/image").to_string_lossy().into_owned();
    let args = ["pack", "models/shakespeare", "--card", "sim-small", "-o", &nowhere];
    refused(&args, &["cannot write", "no/image"]);
    refused(&["pack", "nowhere", "--card", "kv260", "-o", &path], &["no such folder"]);
}

#[test]
fn damaged_images_give_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = packed(folder.path(), "sim-small");
    let good = std::fs::read(&path).unwrap();
    let damaged = |change: &dyn Fn(&mut Vec<u8>), parts: &[&str]| {
        let mut bytes = good.clone();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        refused(&["inspect", &path], &[&[path.as_str()], parts].concat());
    };
    damaged(&|b| b.clear(), &["not a card image"]);
    damaged(&|b| b.truncate(100), &["truncated"]);
    damaged(&|b| b.truncate(100_000), &["truncated", "100000"]);
    damaged(&|b| b.push(0), &["bytes; expected"]);
    damaged(&|b| b[0] = b'X', &["not a card image"]);
    damaged(&|b| b[8] = 9, &["version 9"]);
    damaged(&|b| b[20] ^= 1, &["header", "damaged"]);
    damaged(&|b| b[0x81000] ^= 1, &["norm weights", "damaged"]);
    damaged(
        &|b| {
            let end = b.len() - 4096;
            b[end] ^= 1;
        },
        &["table of checksums"],
    );
}

fn shakespeare() -> terntable_golden::model::Model {
    Checkpoint::open(&root().join("models/shakespeare")).unwrap().model().unwrap()
}

/// Two sequences and a fork of one, in mixed passes on the card, against the golden model.
#[test]
fn sequences_share_a_card() {
    let model = shakespeare();
    let mut card =
        on_card(&model, GoldenCard::new(&CardConfig::named("sim-small").unwrap())).unwrap();
    let [a, b] = [0, 1].map(|_| card.kv().create().unwrap());
    let chunk = |sequence, tokens, wanted| Chunk { sequence, tokens, wanted };
    card.pass(HeadMode::TwoStage, &[chunk(a, &[5, 6, 7], 0), chunk(b, &[9], 0)]).unwrap();
    let c = card.kv().fork(a).unwrap();
    let chunks = [chunk(a, &[1, 2], 1), chunk(b, &[4], 1), chunk(c, &[3], 1)];
    let ranked = card.pass(HeadMode::TwoStage, &chunks).unwrap();
    for (tokens, got) in [&[5, 6, 7, 1, 2][..], &[9, 4], &[5, 6, 7, 3]].into_iter().zip(ranked) {
        let slot = |(position, &token)| Slot { sequence: 0, position, token };
        let slots: Vec<Slot> = tokens.iter().enumerate().map(slot).collect();
        let golden = Golden::new(&model);
        let outputs = model.pass(&golden, &mut [model.sequence()], &slots).unwrap();
        let last = &outputs[outputs.len() - 1..];
        assert_eq!(model.head(&golden, HeadMode::TwoStage, last)[0], got);
    }
    let error = card.pass(HeadMode::Full, &[chunk(a, &[0; 5], 1)]).unwrap_err();
    assert!(error.to_string().contains("4 slots"), "{error}");
    let error = card.pass(HeadMode::Full, &[chunk(a, &[2000], 1)]).unwrap_err();
    assert!(error.to_string().contains("0x1f"), "{error}");
}

#[test]
fn an_image_for_another_card_is_refused() {
    let options = pack::PackOptions::default();
    let model = shakespeare();
    let [small, edge] = ["sim-small", "kv260"].map(|name| CardConfig::named(name).unwrap());
    let image = pack::pack_model(&model, &small, &options, |_, _| {}).unwrap();
    let error = CardModel::open(GoldenCard::new(&edge), &image).err().unwrap().to_string();
    assert!(error.contains("made for card sim-small") && error.contains("pack"), "{error}");
}

#[test]
fn the_golden_card_makes_the_same_tokens() {
    let generate = |device: &str, card: &str, prompt: &str, temperature: &str| {
        let args = ["generate", "--prompt", prompt, "--max-tokens", "24", "--seed", "3", "--json"];
        let more = ["--device", device, "--card", card, "--temperature", temperature];
        json_of(&[&args[..], &more].concat())["tokens"].clone()
    };
    for (prompt, temperature) in [("ROMEO:\n", "0"), ("What is thy name, good fellow?", "0.8")] {
        let golden = generate("golden", "sim-small", prompt, temperature);
        for card in ["sim-small", "kv260", "alveo"] {
            assert_eq!(generate("card-golden", card, prompt, temperature), golden, "{card}");
        }
    }
    let logits = |device| json_of(&["logits", "--tokens", "5,6,7", "--device", device, "--json"]);
    assert_eq!(logits("card-golden")["logits"], logits("golden")["logits"]);
    let report = json_of(&["verify", "--device", "card-golden", "--json"]);
    assert_eq!(report["equal"], true);
    assert!(report["compared"].as_u64().unwrap() > 10_000);
}
