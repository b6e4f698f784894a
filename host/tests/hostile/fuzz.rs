//! Mutations of good checkpoints: import takes them or says why not, and never panics.

use crate::checkpoint::Checkpoint;
use std::{
    fs,
    time::{Duration, Instant},
};
use terntable::import;
use terntable_golden::sample::mix;

/// How long it mutates.
const TIME: Duration = Duration::from_secs(3);
/// Cases of a slow machine.
const LEAST: u64 = 300;
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

#[test]
fn mutated_checkpoints_are_taken_or_refused() {
    let seed = std::env::var("TERNTABLE_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    println!("TERNTABLE_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let base = [
        Checkpoint::new(),
        Checkpoint::llama(),
        Checkpoint::llama().online(),
        Checkpoint::llama().with_linear_norms(),
    ];
    let (mut taken, mut refused) = (0, 0);
    let start = Instant::now();
    for case in 0_u64.. {
        if start.elapsed() > TIME && case >= LEAST {
            break;
        }
        let which = &base[case as usize % base.len()];
        let sharded = mix(seed ^ case).is_multiple_of(4);
        for entry in fs::read_dir(folder.path()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let mut files = ["config.json", "model.safetensors", "model.safetensors"];
        if sharded {
            which.write_shards(folder.path(), 2);
            files[1] = "model-00001-of-00002.safetensors";
            files[2] = "model.safetensors.index.json";
        } else {
            which.write(folder.path());
        }
        let path = folder.path().join(files[mix(seed ^ case << 20) as usize % files.len()]);
        let mut bytes = fs::read(&path).unwrap();
        mutate(&mut bytes, seed ^ case << 8);
        fs::write(&path, bytes).unwrap();
        let result = import::Checkpoint::open(folder.path()).and_then(|checkpoint| {
            checkpoint.verify()?;
            terntable::inspect::inspect(&checkpoint).map(drop)
        });
        match result {
            Ok(()) => taken += 1,
            Err(error) => {
                refused += 1;
                let text = error.to_string();
                assert!(text.contains(&*folder.path().to_string_lossy()), "case {case}: {text}");
            }
        }
    }
    println!("{taken} taken, {refused} refused");
    assert!(taken > 5 && refused > 100, "{taken} taken, {refused} refused");
}
