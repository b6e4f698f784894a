//! How fast the CPU runs a model: prompts, decode, memory.

use crate::{Error, estimate::shapes::Shape, import::AnyCheckpoint, packed};
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    time::Instant,
};
use terntable_cpu::{
    image::{Image, Synthetic},
    kv::Sequence,
    model::Cpu,
};
use terntable_golden::{
    attention::KvFormat,
    head::{CANDIDATES, HeadMode},
    model::{Config, Projection, Slot},
    sample::mix,
};

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Tokens of the prompt; 0 begins to decode at once.
    pub prompt_tokens: usize,
    /// Tokens decoded a sequence.
    pub tokens: usize,
    /// Sequences decoded at a time.
    pub slots: usize,
    /// Slots of a pass over the prompt.
    pub chunk: usize,
    /// Which head ends a pass.
    pub head: HeadMode,
}

/// What came out. Rates are tokens a second of wall clock.
#[derive(Debug, Clone, Serialize)]
pub struct Speed {
    /// Threads.
    pub threads: usize,
    /// Instructions in use.
    pub simd: &'static str,
    /// Tokens of the prompt, of the answer, and sequences at a time.
    pub prompt_tokens: usize,
    /// Tokens decoded a sequence.
    pub tokens: usize,
    /// Sequences decoded at a time.
    pub slots: usize,
    /// Seconds to open the packed model.
    pub open_s: f64,
    /// Prompt tokens a second.
    pub prefill_tokens_per_s: Option<f64>,
    /// Seconds from the prompt to the first token.
    pub first_token_s: Option<f64>,
    /// Tokens a second, all sequences together.
    pub decode_tokens_per_s: f64,
    /// Bytes that a decode pass reads: weights, candidates of the head, keys and values.
    pub bytes_per_pass: usize,
    /// Bytes a second of reading the same weights alone, median of sweeps between the decodes.
    pub read_gb_per_s: f64,
    /// Share of that rate that decode reads at.
    pub read_share: f64,
    /// Bits a weight of the linear layers.
    pub bits_per_weight: f64,
    /// Bytes of the packed model.
    pub image_bytes: usize,
    /// Most memory that the process has held, bytes; where the system tells.
    pub peak_memory_bytes: Option<u64>,
}

/// The packed model of a checkpoint or of a shape by name, and the seconds that opening it took. A shape
/// has random weights, packed once into the cache.
pub fn open(model: &str, threads: usize) -> Result<(Cpu, f64), Error> {
    let shape = Shape::named(model).map(synthetic).transpose()?;
    let start = Instant::now();
    let image = match shape {
        Some(path) => packed::map(&path, threads)?,
        None => packed::open(&AnyCheckpoint::open(Path::new(model))?, threads)?,
    };
    Ok((Cpu::new(image.into(), threads)?, start.elapsed().as_secs_f64()))
}

/// Random weights of a shape, packed into a file of the cache if they are not there.
fn synthetic(shape: &Shape) -> Result<PathBuf, Error> {
    let folder = packed::folder();
    let path = folder.join(format!("{}.tcpu", shape.name));
    if !path.is_file() {
        std::fs::create_dir_all(&folder)
            .map_err(|source| Error::Write { path: folder.clone(), source })?;
        let mut source = Synthetic::new(&shape.config(KvFormat::Int8), 1);
        Image::build_file(&mut source, &path, &mut |_, _| {})?;
    }
    Ok(path)
}

/// Runs the work; `progress` is told the tokens done and the tokens in all.
pub fn run(
    cpu: &Cpu,
    open_s: f64,
    work: &Work,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Speed, Error> {
    let Work { prompt_tokens, tokens, slots, head, .. } = *work;
    let context = cpu.config().context;
    if prompt_tokens + tokens > context || tokens == 0 || slots == 0 {
        return Err(Error::Input(format!(
            "{prompt_tokens} tokens of prompt and {tokens} decoded in {slots} slots; expected at \
             least one token and slot, and at most {context} tokens, the model's context"
        )));
    }
    let all = prompt_tokens + tokens;
    // Touches every page of the weights and the memory that a pass takes, as the peer's own warm-up does.
    cpu.sweep();
    prefill(
        cpu,
        &Work { prompt_tokens: prompt_tokens.clamp(1, work.chunk.max(1)), ..*work },
        &mut |_| {},
    )?;
    let (sequence, first, prefill_s) = prefill(cpu, work, &mut |done| progress(done, all))?;

    let mut sequences = vec![sequence; slots];
    let mut last = vec![first; slots];
    let (mut decode_s, mut sweeps) = (0.0, vec![sweep(cpu)]);
    for token in 0..tokens {
        let pass: Vec<Slot> = (0..slots)
            .map(|i| Slot { sequence: i, position: sequences[i].len(), token: last[i] })
            .collect();
        let start = Instant::now();
        let outputs = cpu.pass(&mut sequences, &pass)?;
        let ranked = cpu.head(head, &outputs);
        decode_s += start.elapsed().as_secs_f64();
        for (last, candidates) in last.iter_mut().zip(&ranked) {
            *last = candidates[0].token;
        }
        if token % tokens.div_ceil(8) == 0 {
            sweeps.push(sweep(cpu));
        }
        progress(prompt_tokens + token + 1, all);
    }
    sweeps.sort_by(f64::total_cmp);
    let sweep_s = sweeps[sweeps.len() / 2];
    let middle = prompt_tokens + tokens / 2;
    let bytes_per_pass = cpu.weight_bytes() + slots * bytes_of_slot(cpu.config(), head, middle);
    let read = cpu.weight_bytes() as f64 / sweep_s;
    Ok(Speed {
        threads: cpu.threads(),
        simd: cpu.level().as_str(),
        prompt_tokens,
        tokens,
        slots,
        open_s,
        prefill_tokens_per_s: (prompt_tokens > 0).then(|| prompt_tokens as f64 / prefill_s),
        first_token_s: (prompt_tokens > 0).then_some(prefill_s),
        decode_tokens_per_s: (tokens * slots) as f64 / decode_s,
        bytes_per_pass,
        read_gb_per_s: read / 1e9,
        read_share: bytes_per_pass as f64 * tokens as f64 / decode_s / read,
        bits_per_weight: bits_per_weight(cpu),
        image_bytes: cpu.image().bytes(),
        peak_memory_bytes: peak_memory(),
    })
}

/// A prompt of random tokens: its sequence, the first token of the answer, and the seconds.
fn prefill(
    cpu: &Cpu,
    work: &Work,
    progress: &mut dyn FnMut(usize),
) -> Result<(Sequence, u32, f64), Error> {
    let mut sequences = [cpu.sequence()];
    let vocab = cpu.config().vocab as u64;
    let slots: Vec<Slot> = (0..work.prompt_tokens)
        .map(|i| Slot { sequence: 0, position: i, token: (mix(i as u64) % vocab) as u32 })
        .collect();
    let (start, mut token) = (Instant::now(), 0);
    for pass in slots.chunks(work.chunk.max(1)) {
        let outputs = cpu.pass(&mut sequences, pass)?;
        let fed = sequences[0].len();
        if fed == work.prompt_tokens {
            let last = outputs.select(pass.len() - 1..pass.len());
            token = cpu.head(work.head, &last)[0][0].token;
        }
        progress(fed);
    }
    let [sequence] = sequences;
    Ok((sequence, token, start.elapsed().as_secs_f64()))
}

fn sweep(cpu: &Cpu) -> f64 {
    let start = Instant::now();
    std::hint::black_box(cpu.sweep());
    start.elapsed().as_secs_f64()
}

/// Bytes that a slot reads for itself: rows of the head, keys and values with their steps.
fn bytes_of_slot(config: &Config, head: HeadMode, positions: usize) -> usize {
    let Config { layers, kv_heads, head_dim, hidden, vocab, .. } = *config;
    let rows = match head {
        HeadMode::TwoStage => CANDIDATES.min(vocab),
        HeadMode::Full => vocab,
    };
    layers * kv_heads * positions * 2 * (head_dim + 4) + rows * (hidden + 4)
}

fn bits_per_weight(cpu: &Cpu) -> f64 {
    let layers = 0..cpu.config().layers;
    let matrices = layers.flat_map(|layer| Projection::ALL.map(|p| cpu.image().matrix(layer, p)));
    let (bytes, weights) = matrices.fold((0, 0), |(bytes, weights), matrix| {
        (bytes + matrix.bytes.len(), weights + matrix.shape.rows * matrix.shape.cols)
    });
    bytes as f64 * 8.0 / weights as f64
}

/// The most memory that this process has held, from the system's own count.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
