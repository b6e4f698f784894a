//! `cargo xtask parity`: what others compute of the same files.

use crate::{
    process::{root, run, script},
    tools::Group,
};

/// Architectures that models are briefly trained of, with the SiLU gate that llama.cpp has.
const TRAINED: [&str; 2] = ["llama", "bitnet"];

/// Transformers and tokenizers first (`rest` goes there), then llama.cpp with random and trained models.
pub fn parity(rest: &[String]) -> Result<(), String> {
    run("cargo", &["build", "--release", "-p", "terntable"])?;
    script(Group::Parity, "scripts/parity/parity.py", rest)?;
    let mut args = vec!["--trained".to_string()];
    for name in TRAINED {
        let folder = format!("target/trained/{name}");
        if !root().join(&folder).join("model.safetensors").is_file() {
            let fixed = ["--minutes", "3", "--layers", "4", "--every", "100", "--processes", "1"];
            let chosen = ["--model-type", name, "--gate", "silu", "--no-compile", "--out", &folder];
            let train = fixed.iter().chain(&chosen).map(ToString::to_string);
            script(Group::Parity, "scripts/train/train.py", &train.collect::<Vec<_>>())?;
        }
        args.push(folder);
    }
    script(Group::Peers, "scripts/llama_cpp/parity.py", &args)
}
