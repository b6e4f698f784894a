//! Damaged files: one clear line, exit code 2, under a second and 200 MB.

use crate::{
    common::root,
    file::{File, Stored, f32s, string, strings},
    fuzzing::{Tally, fuzz, soak_time},
};
use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};
use terntable::import::AnyCheckpoint;
use terntable_golden::sample::mix;

/// Cases that led to outcomes of their own.
const CORPUS: &str = include_str!("corpus.txt");

/// Runs the program with 200 MB of address space.
fn confined(args: &[&str]) -> Output {
    Command::new("sh")
        .args(["-c", "ulimit -v 204800; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_terntable")])
        .args(args)
        .env("MALLOC_ARENA_MAX", "1")
        .current_dir(root())
        .output()
        .unwrap()
}

/// Expects exit code 2 and one line with every given part, soon.
pub fn refused(args: &[&str], parts: &[&str]) {
    let start = Instant::now();
    let output = confined(args);
    let took = start.elapsed();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?} printed {text}");
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    assert!(!text.contains("panicked"), "{text}");
    assert!(took < Duration::from_secs(1), "{args:?}: {took:?}");
    for part in parts {
        assert!(text.contains(part), "{args:?}: expected {part:?} in {text:?}");
    }
}

/// A damage and what the error must say of it.
type Damage = (fn(&mut File), &'static [&'static str]);

const UP: &str = "blk.0.ffn_up.weight";

/// Damages of the file's contents.
const DAMAGES: &[Damage] = &[
    (|f| f.version = 1, &["version 1", "2 or 3"]),
    (|f| f.version = 3_u32.swap_bytes(), &["big-endian"]),
    (|f| f.counts = Some((u64::MAX, 9)), &["tensors", "at most 65536"]),
    (|f| f.counts = Some((1, u64::MAX)), &["keys", "at most 65536"]),
    (|f| f.counts = Some((60_000, f.keys.len() as u64)), &["tensor"]),
    (|f| f.counts = Some((f.tensors.len() as u64, 60_000)), &["key"]),
    (|f| f.counts = Some((1, f.keys.len() as u64)), &["bytes follow the last tensor"]),
    // Keys.
    (|f| f.keys.push(f.keys[3].clone()), &["key bitnet", "twice"]),
    (|f| f.key("x", 13, vec![0; 8]), &["key x", "value type 13"]),
    (|f| f.key("x", 7, vec![2]), &["key x", "boolean"]),
    (|f| f.key("x", 8, u64::MAX.to_le_bytes().to_vec()), &["key x", "truncated"]),
    (|f| f.key("x", 8, [&2_u64.to_le_bytes()[..], &[255, 254]].concat()), &["key x", "UTF-8"]),
    (|f| f.key("x", 9, [&8_u32.to_le_bytes()[..], &[255; 8]].concat()), &["key x", "truncated"]),
    (|f| f.key("x", 9, [&10_u32.to_le_bytes()[..], &[255; 8]].concat()), &["key x", "damaged"]),
    (
        |f| f.key("x", 9, [&4_u32.to_le_bytes()[..], &[255, 255, 255, 255, 0, 0, 0, 0]].concat()),
        &["key x", "truncated"],
    ),
    (
        |f| f.key("x", 9, [&9_u32.to_le_bytes()[..], &[1; 8]].concat()),
        &["key x", "array of arrays"],
    ),
    (|f| f.u32("general.alignment", 24), &["general.alignment", "power of two"]),
    (|f| f.u32("general.alignment", 0), &["general.alignment", "power of two"]),
    (
        |f| f.string("general.architecture", "gemma3"),
        &["general.architecture", "gemma3", "bitnet-b1.58"],
    ),
    (|f| f.u32("general.architecture", 4), &["general.architecture", "string"]),
    (|f| f.keys.retain(|k| !k.0.ends_with("block_count")), &["bitnet.block_count", "missing"]),
    (|f| f.u32("bitnet.block_count", u32::MAX), &["layers"]),
    (|f| f.u32("bitnet.block_count", 3), &["blk.2", "missing"]),
    (|f| f.u32("bitnet.block_count", 1), &["blk.1.", "no place"]),
    (|f| f.u32("bitnet.context_length", 0), &["context is 0"]),
    (|f| f.u32("bitnet.context_length", u32::MAX), &["context"]),
    (|f| f.u32("bitnet.attention.head_count", 0), &["head_count"]),
    (|f| f.u32("bitnet.attention.head_count_kv", 3), &["key-value heads"]),
    (|f| f.u32("bitnet.embedding_length", 512), &["token_embd.weight", "shape [256, 272]"]),
    (|f| f.u32("bitnet.rope.dimension_count", 32), &["rope.dimension_count", "64"]),
    (|f| f.u32("split.count", 3), &["split.count", "3 parts", "gguf-split"]),
    (|f| f.u32("bitnet.expert_count", 8), &["expert_count", "dense"]),
    (|f| f.string("bitnet.rope.scaling.type", "yarn"), &["rope.scaling.type", "yarn"]),
    (
        |f| f.key("bitnet.rope.scaling.factor", 6, 4_f32.to_le_bytes().to_vec()),
        &["rope.scaling.factor", "expected 1"],
    ),
    (|f| f.key("bitnet.rope.freq_base", 6, f32::NAN.to_le_bytes().to_vec()), &["rope_theta NaN"]),
    (
        |f| f.key("bitnet.attention.layer_norm_rms_epsilon", 6, (-1_f32).to_le_bytes().to_vec()),
        &["norm_eps"],
    ),
    // Tensors.
    (|f| f.tensors.push(f.tensors[2].clone()), &["tensor blk.0.ffn_norm.weight", "twice"]),
    (|f| f.tensor(UP).shape = vec![], &[UP, "0 dimensions"]),
    (|f| f.tensor(UP).shape = vec![1; 9], &[UP, "9 dimensions"]),
    (|f| f.tensor(UP).shape = vec![256, 0], &[UP, "dimension of 0"]),
    (|f| f.tensor(UP).shape = vec![1 << 40, 1 << 40], &[UP, "more elements"]),
    // A type whose size follows from the next tensor: its shape counts all the same.
    (
        |f| (f.tensor(UP).type_id, f.tensor(UP).shape) = (38, vec![1 << 40; 4]),
        &[UP, "more elements"],
    ),
    (|f| f.tensor(UP).shape = vec![250, 512], &[UP, "multiple"]),
    (|f| f.tensor(UP).type_id = 99, &[UP, "type 99"]),
    (|f| f.tensor(UP).shape = vec![512, 512], &["blk.0.ffn_down.weight", "an overlap"]),
    (|f| f.tensor(UP).shape = vec![256, 256], &["blk.0.ffn_down.weight", "a hole"]),
    (|f| f.offsets.push((3, 0)), &["blk.0.attn_sub_norm.weight", "overlap"]),
    (|f| f.offsets.push((3, u64::MAX)), &["blk.0.attn_sub_norm.weight", "a hole"]),
    (|f| f.offsets.push((0, 32)), &["token_embd.weight", "a hole"]),
    (|f| f.tensors.truncate(20), &["missing"]),
    (|f| f.tensor(UP).name = "blk.0.ffn_up.bias".into(), &[UP, "missing"]),
    (
        |f| f.tensors.push(crate::file::Tensor { name: "v.patch".into(), ..f.tensors[1].clone() }),
        &["v.patch", "no place"],
    ),
    (|f| f.tensor(UP).bytes[0] = 0xff, &[UP, "code 3", "damaged"]),
    (|f| f.tensor(UP).bytes[66 + 64..66 + 66].fill(0), &[]),
    (|f| f.tensor(UP).bytes[64..66].copy_from_slice(&[0, 0x7e]), &[UP, "scale NaN"]),
    (|f| f.tensor(UP).bytes[64..66].copy_from_slice(&[0, 0xc0]), &[UP, "scale -2"]),
    (|f| f.tensor(UP).bytes[64..66].copy_from_slice(&[0, 0x40]), &[UP, "one scale a matrix"]),
    (
        |f| f.tensor("output_norm.weight").bytes[..4].fill(255),
        &["output_norm.weight", "element 0 is NaN"],
    ),
    (
        |f| f.tensor("token_embd.weight").bytes[4..8].copy_from_slice(&f32s(&[f32::INFINITY])),
        &["token_embd.weight", "element 1 is inf"],
    ),
    // Tokenizers.
    (|f| f.string("tokenizer.ggml.model", "t5"), &["tokenizer.ggml.model", "t5"]),
    (|f| f.string("tokenizer.ggml.pre", "tekken"), &["tokenizer.ggml.pre", "tekken"]),
    (|f| f.keys.retain(|k| k.0 != "tokenizer.ggml.tokens"), &["tokenizer.ggml"]),
    (|f| f.keys.retain(|k| k.0 != "tokenizer.ggml.merges"), &["tokenizer.ggml.merges", "missing"]),
    (
        |f| f.key("tokenizer.ggml.merges", 9, strings(&["nospace".into()])),
        &["tokenizer.ggml.merges", "nospace"],
    ),
    (
        |f| f.key("tokenizer.ggml.merges", 9, strings(&["h zzz".into()])),
        &["tokenizer.ggml.merges", "\"zzz\" is no token"],
    ),
    (
        |f| f.key("tokenizer.ggml.tokens", 9, strings(&vec!["a".to_string(); 272])),
        &["tokenizer.ggml.tokens", "both \"a\""],
    ),
    (|f| f.key("tokenizer.ggml.tokens", 9, strings(&[])), &["tokenizer.ggml"]),
    (|f| f.u32("tokenizer.ggml.eos_token_id", 5000), &["eos_token_id", "5000"]),
    (|f| f.string("tokenizer.ggml.add_bos_token", "yes"), &["add_bos_token", "boolean"]),
    (|f| f.string("tokenizer.ggml.model", "llama"), &["tokenizer.ggml.scores", "missing"]),
];

#[test]
fn damaged_contents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.gguf");
    let name = path.to_string_lossy().into_owned();
    assert!(DAMAGES.len() >= 60, "{}", DAMAGES.len());
    for (index, (damage, parts)) in DAMAGES.iter().enumerate() {
        let mut file = File::model("bitnet", Stored::Tq2_0);
        damage(&mut file);
        std::fs::write(&path, file.bytes()).unwrap();
        let args = ["generate", "--model", &name, "--prompt", "hello", "--max-tokens", "1"];
        if parts.is_empty() {
            let output = confined(&args);
            assert!(output.status.success(), "{index}: {output:?}");
            continue;
        }
        refused(&args, &[&["damaged.gguf"], *parts].concat());
    }
}

/// A whole number of keys may take gigabytes of a file that has none of them.
#[test]
fn the_header_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.gguf");
    let file = std::fs::File::create(&path).unwrap();
    let mut header = b"GGUF".to_vec();
    header.extend(3_u32.to_le_bytes());
    header.extend([0_u64, 1].map(u64::to_le_bytes).concat());
    header.extend(string("x"));
    header.extend(8_u32.to_le_bytes());
    header.extend((3_u64 << 30).to_le_bytes());
    std::os::unix::fs::FileExt::write_all_at(&file, &header, 0).unwrap();
    // A hole: it takes no room.
    file.set_len(4 << 30).unwrap();
    let name = path.to_string_lossy();
    refused(&["inspect", &name], &["long.gguf", "the header goes on past"]);
    refused(&["logits", "--model", &name, "--tokens", "1"], &["the header goes on past"]);
}

/// Cut anywhere, the file is refused.
#[test]
fn truncated_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.gguf");
    let good = File::model("bitnet", Stored::I2S).bytes();
    let header = 16_000;
    let cuts =
        (0..header).step_by(97).chain((header..good.len()).step_by(9973)).chain([good.len() - 32]);
    for cut in cuts {
        std::fs::write(&path, &good[..cut]).unwrap();
        let error = AnyCheckpoint::open(&path).map(|_| ()).unwrap_err().to_string();
        let known = ["truncated", "missing", "hole", "fit neither", "follow"];
        assert!(
            error.contains("cut.gguf") && known.iter().any(|k| error.contains(k)),
            "{cut}: {error}"
        );
    }
    std::fs::write(&path, []).unwrap();
    refused(&["inspect", &path.to_string_lossy()], &["cut.gguf", "the magic", "truncated"]);
    std::fs::write(&path, b"PK\x03\x04 something else").unwrap();
    refused(&["inspect", &path.to_string_lossy()], &["cut.gguf", "not a GGUF file"]);
    refused(&["inspect", &folder.path().join("no.gguf").to_string_lossy()], &["no.gguf"]);
}

/// Changes some bytes: bits, numbers, cuts; mostly in the header, where most can go wrong.
fn damage(bytes: &mut Vec<u8>, seed: u64) {
    let draw = |salt: u64, n: usize| mix(seed ^ salt << 32) as usize % n.max(1);
    for change in 0..1 + draw(1, 3) as u64 {
        let draw = |salt: u64, n: usize| draw(salt + 10 * (change + 1), n);
        let long = if draw(1, 8) == 0 { bytes.len() } else { 14_000 };
        let at = draw(2, long.min(bytes.len()));
        let end = bytes.len().min(at + 8);
        match draw(3, 6) {
            0 if at < end => bytes[at] ^= 1 << draw(4, 8),
            1 if at < end => bytes[at] = [0, 1, 127, 128, 255][draw(4, 5)],
            2 => bytes.truncate(at.max(8)),
            3 => {
                let end = bytes.len().min(at + draw(4, 64));
                bytes.drain(at.max(8).min(end)..end);
            }
            4 => {
                let part = bytes[at..bytes.len().min(at + draw(4, 64))].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let value = [0, 1, u64::MAX, 1 << 63, 1 << 32][draw(4, 5)];
                bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
            }
        }
    }
}

fn fuzz_files(time: Duration) -> Tally {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fuzz.gguf");
    let made = |stored| ["bitnet", "bitnet-b1.58", "llama"].map(|a| File::model(a, stored).bytes());
    let good: Vec<Vec<u8>> = crate::STORED.into_iter().flat_map(made).collect();
    fuzz(good.len(), CORPUS, time, |case| {
        let mut bytes = good[case.base].clone();
        case.damage.iter().for_each(|&seed| damage(&mut bytes, seed));
        std::fs::write(&path, bytes).unwrap();
        let _ = terntable::inspect::gguf::inspect(&path);
        touch_everything(&path).map_err(|error| {
            let text = error.to_string();
            assert!(text.contains("fuzz.gguf") || error.exit_code() == 2, "{text}");
            text
        })
    })
}

/// No panic, whatever comes out.
#[test]
fn damaged_files_are_taken_or_refused() {
    let tally = fuzz_files(Duration::from_secs(4));
    assert!(tally.refused > 50 && tally.taken > 5, "{tally:?}");
}

/// `cargo xtask soak gguf`: prints the corpus at its end.
#[test]
#[ignore = "as long as it is told"]
fn soak() {
    let tally = fuzz_files(soak_time());
    println!("corpus:\n{}", tally.corpus.join("\n"));
}

/// Reads whatever a model and its tokenizer need.
fn touch_everything(path: &Path) -> Result<(), terntable::Error> {
    let checkpoint = AnyCheckpoint::open(path)?;
    for layer in 0..checkpoint.config().layers {
        checkpoint.layer(layer)?;
    }
    checkpoint.end_tokens()?;
    let tokenizer = checkpoint.tokenizer()?;
    tokenizer.decode(&tokenizer.encode("hello, the 1 <|end|> ü")?)?;
    Ok(())
}
