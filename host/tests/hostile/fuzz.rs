//! Mutations of good checkpoints: import takes them or says why not, and never panics.

use crate::{
    checkpoint::Checkpoint,
    fuzzing::{Case, Tally, fuzz, soak_time},
};
use std::{fs, path::Path, time::Duration};
use terntable::import;
use terntable_golden::sample::mix;

/// Cases that led to outcomes of their own.
const CORPUS: &str = include_str!("corpus.txt");
/// What headers and configurations are full of.
const WORDS: [&str; 20] = [
    "0",
    "1",
    "-1",
    "4294967295",
    "18446744073709551615",
    "1e999",
    "0.5",
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "\"F32\"",
    "\"U8\"",
    "\"BF16\"",
    "\"F4\"",
    ",",
    ":",
    "}",
    "]",
];

/// Changes some bytes: bits, numbers of eight bytes, words of JSON in the place of others, cuts, repeats.
fn mutate(bytes: &mut Vec<u8>, seed: u64) {
    let draw = |salt: u64, n: usize| (mix(seed ^ salt << 32) % n.max(1) as u64) as usize;
    for round in 0..1 + draw(1, 4) as u64 {
        let draw = |salt: u64, n: usize| draw(salt + 10 * (round + 1), n);
        // Mostly where the structure is: in the first bytes.
        let near = if draw(0, 4) > 0 { 4000 } else { usize::MAX };
        let at = draw(1, bytes.len().min(near));
        match draw(2, 7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << draw(3, 8),
            1 if !bytes.is_empty() => bytes[at] = draw(3, 256) as u8,
            2 => {
                let end = bytes.len().min(at + 8);
                let number = [u64::MAX, 1 << 63, 1 << 32, 0, draw(4, 5000) as u64][draw(3, 5)];
                bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
            3 => bytes.truncate(at),
            4 => {
                let end = bytes.len().min(at + draw(3, 40));
                let part = bytes[at..end].to_vec();
                let to = draw(4, bytes.len());
                bytes.splice(to..to, part);
            }
            _ => {
                let is_value = |b: &u8| b.is_ascii_alphanumeric() || b"\"._-".contains(b);
                let from = bytes[at..].iter().position(is_value).map_or(at, |i| at + i);
                let length = bytes[from..].iter().take_while(|b| is_value(b)).count().min(40);
                let word = WORDS[draw(3, WORDS.len())].bytes();
                bytes.splice(from..from + length, word);
            }
        }
    }
}

/// Good checkpoints, whole or in shards, and which of their files is damaged.
const BASES: usize = 4 * 2 * 3;

/// Writes a case into an empty folder.
fn write(case: &Case, good: &[Checkpoint; 4], folder: &Path) {
    let (which, sharded, file) = (case.base % 4, case.base / 4 % 2 == 1, case.base / 8 % 3);
    let mut files = ["config.json", "model.safetensors", "tokenizer.json"];
    if sharded {
        good[which].write_shards(folder, 2);
        files[1] = "model-00001-of-00002.safetensors";
        files[2] = "model.safetensors.index.json";
    } else {
        good[which].write(folder);
    }
    let path = folder.join(files[file]);
    let mut bytes = fs::read(&path).unwrap();
    case.damage.iter().for_each(|&seed| mutate(&mut bytes, seed));
    fs::write(&path, bytes).unwrap();
}

fn fuzz_checkpoints(time: Duration) -> Tally {
    let good = [
        Checkpoint::new(),
        Checkpoint::llama(),
        Checkpoint::llama().online(),
        Checkpoint::llama().with_linear_norms(),
    ];
    fuzz(BASES, CORPUS, time, |case| {
        let folder = tempfile::tempdir().unwrap();
        write(case, &good, folder.path());
        let result = import::Checkpoint::open(folder.path()).and_then(|checkpoint| {
            checkpoint.verify()?;
            let tokenizer = checkpoint.tokenizer()?;
            tokenizer.decode(&tokenizer.encode("AB, the 1 <|end|> \u{fc}")?)?;
            terntable::inspect::inspect(&checkpoint).map(drop)
        });
        result.map_err(|error| {
            let text = error.to_string();
            assert!(text.contains(&*folder.path().to_string_lossy()), "names no file: {text}");
            text
        })
    })
}

#[test]
fn damaged_checkpoints_are_taken_or_refused() {
    let tally = fuzz_checkpoints(Duration::from_secs(3));
    assert!(tally.taken > 5 && tally.refused > 100, "{tally:?}");
}

/// `cargo xtask soak checkpoints`: prints the corpus at its end.
#[test]
#[ignore = "as long as it is told"]
fn soak() {
    let tally = fuzz_checkpoints(soak_time());
    println!("corpus:\n{}", tally.corpus.join("\n"));
}
