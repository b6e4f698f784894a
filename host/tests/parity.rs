//! The gate's parity check: random checkpoints of BitNet and Llama architecture that transformers ran in float32 (written by
//! `cargo xtask parity`) must import, give the same bits on golden model and CPU, and match
//! transformers' logits.

use safetensors::SafeTensors;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use terntable::{
    device::{DeviceName, passes},
    import::{Checkpoint, ScaleConvention, real_values},
    runner::{Feed, Runner},
};
use terntable_golden::{head::HeadMode, model::Model};

/// Least cosine of the logits at a position.
const MIN_COSINE: f64 = 0.999;
/// Least share of positions with the same best token, over all fixtures.
const MIN_TOP1: f64 = 0.97;
const MIN_FIXTURES: usize = 12;

fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = std::fs::read_dir(&root)
        .unwrap_or_else(|e| panic!("{}: {e}; `cargo xtask parity` writes it", root.display()));
    let mut folders: Vec<_> =
        entries.map(|e| e.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// One sequence and the logits that transformers gave it, positions x vocabulary.
struct Expected {
    tokens: Vec<u32>,
    logits: Vec<Vec<f32>>,
}

fn expected(folder: &Path, vocab: usize) -> Vec<Expected> {
    let path = folder.join("expected.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let sequence = |index: usize| {
        let tokens = file.tensor(&format!("{index}.tokens")).ok()?;
        let tokens =
            tokens.data().chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let name = format!("{index}.logits");
        let view = file.tensor(&name).unwrap();
        let values = real_values(view.dtype(), view.data()).unwrap();
        let logits = values.chunks_exact(vocab).map(<[f32]>::to_vec).collect();
        Some(Expected { tokens: tokens.collect(), logits })
    };
    (0..).map_while(sequence).collect()
}

/// Logits in the order of the vocabulary at every position.
fn logits(model: &Model, device: DeviceName, tokens: &[u32]) -> Vec<Vec<f32>> {
    let mut runner = Runner::new(passes(device, model).unwrap(), HeadMode::Full);
    let ranked = runner.feed(tokens, tokens.len(), &mut |_| {}).unwrap();
    let row = |candidates: &Vec<terntable_golden::head::Candidate>| {
        let mut row = vec![f32::NAN; model.config.vocab];
        candidates.iter().for_each(|c| row[c.token as usize] = c.logit);
        row
    };
    ranked.iter().map(row).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Index of the largest; the first of equals.
fn best(row: &[f32]) -> usize {
    (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

/// What a comparison found.
#[derive(Default)]
struct Match {
    positions: usize,
    top1: usize,
    failures: Vec<String>,
}

/// Runs every sequence of a fixture.
fn compare(folder: &Path) -> Match {
    let name = folder.file_name().unwrap().to_string_lossy();
    let checkpoint = Checkpoint::open(folder).unwrap();
    checkpoint.tokenizer().unwrap();
    let model = checkpoint.model().unwrap();
    let mut found = Match::default();
    for (sequence, Expected { tokens, logits: expected }) in
        expected(folder, model.config.vocab).into_iter().enumerate()
    {
        let golden = logits(&model, DeviceName::Golden, &tokens);
        let cpu = logits(&model, DeviceName::Cpu, &tokens);
        assert_eq!((golden.len(), cpu.len()), (tokens.len(), tokens.len()), "{name}");
        assert_eq!(expected.len(), tokens.len(), "{name}: positions of the expected logits");
        for (position, expected) in expected.iter().enumerate() {
            let at = format!("{name}, sequence {sequence}, position {position}");
            let bits = |row: &[f32]| row.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&golden[position]), bits(&cpu[position]), "{at}: golden and cpu");
            let cosine = cosine(&golden[position], expected);
            if cosine.is_nan() || cosine < MIN_COSINE {
                found.failures.push(format!("{at}: cosine {cosine:.6}, at least {MIN_COSINE}"));
            }
            found.positions += 1;
            found.top1 += usize::from(best(&golden[position]) == best(expected));
        }
    }
    found
}

#[test]
fn logits_match_transformers() {
    let mut all = Match::default();
    for folder in fixtures() {
        let found = compare(&folder);
        assert!(found.positions > 0, "{}: no expected logits", folder.display());
        println!(
            "{}: top-1 {} of {}",
            folder.file_name().unwrap().to_string_lossy(),
            found.top1,
            found.positions
        );
        all.positions += found.positions;
        all.top1 += found.top1;
        all.failures.extend(found.failures);
    }
    assert!(all.failures.is_empty(), "logits differ:\n{}", all.failures.join("\n"));
    let share = all.top1 as f64 / all.positions as f64;
    assert!(
        share >= MIN_TOP1,
        "same best token at {} of {} positions; expected {MIN_TOP1}",
        all.top1,
        all.positions
    );
}

#[test]
fn fixtures_cover_every_kind() {
    let folders = fixtures();
    assert!(folders.len() >= MIN_FIXTURES, "{} fixtures, expected {MIN_FIXTURES}", folders.len());
    let mut kinds = BTreeSet::new();
    for folder in &folders {
        let checkpoint = Checkpoint::open(folder).unwrap();
        let model = checkpoint.config.model().unwrap();
        for size in [model.hidden, model.intermediate] {
            assert!(!size.is_multiple_of(3), "{}: {size}", folder.display());
        }
        kinds.insert(format!("gqa {}", model.heads / model.kv_heads));
        kinds.insert(format!("tied {}", checkpoint.config.tie_word_embeddings));
        let architecture = checkpoint.config.architecture().unwrap().as_str();
        kinds.insert(architecture.into());
        if checkpoint.tensors.count() > 1 {
            kinds.insert(format!("{architecture} in shards"));
        }
        if checkpoint.config.rotary().unwrap().divisors.is_some() {
            kinds.insert("stretched".into());
        }
        if checkpoint.config.quantization.linear_norm_eps().is_some() {
            kinds.insert(format!("{architecture} with norms in linear layers"));
        }
        let stored = checkpoint.tensors.get("model.layers.0.self_attn.q_proj.weight").unwrap();
        let kind = match (stored.dtype, checkpoint.config.scale_convention().unwrap()) {
            (safetensors::Dtype::U8, ScaleConvention::Multiply) => "packed, multiply".into(),
            (safetensors::Dtype::U8, ScaleConvention::Divide) => "packed, divide".into(),
            (real, _) => format!("unpacked {real:?}"),
        };
        kinds.insert(format!("{architecture}, {kind}"));
    }
    for kind in ["gqa 1", "gqa 2", "gqa 4", "tied true", "tied false", "stretched"] {
        assert!(kinds.contains(kind), "no fixture is {kind:?}; found {kinds:?}");
    }
    for architecture in ["BitNetForCausalLM", "LlamaForCausalLM"] {
        for kind in [
            ", packed, multiply",
            ", packed, divide",
            ", unpacked BF16",
            ", unpacked F32",
            " in shards",
            " with norms in linear layers",
        ] {
            let kind = format!("{architecture}{kind}");
            assert!(kinds.contains(&kind), "no fixture is {kind:?}; found {kinds:?}");
        }
    }
}

/// The comparison can fail: with the scale convention the other way round it does.
#[test]
fn a_wrong_scale_convention_is_seen() {
    let packed: Vec<_> = fixtures()
        .into_iter()
        .filter(|f| f.file_name().unwrap().to_string_lossy().contains("linear-packed"))
        .collect();
    assert!(!packed.is_empty());
    for folder in packed {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
        let path = copy.path().join("config.json");
        let config = std::fs::read_to_string(&path).unwrap();
        let flipped = match config.contains("\"autobitlinear\"") {
            true => config.replace("\"autobitlinear\"", "\"bitlinear\""),
            false => config.replace("\"bitlinear\"", "\"autobitlinear\""),
        };
        assert_ne!(flipped, config);
        std::fs::write(&path, flipped).unwrap();
        let found = compare(copy.path());
        assert!(!found.failures.is_empty(), "{}: the flip was not seen", folder.display());
    }
}
