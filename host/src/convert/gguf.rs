//! To a GGUF file with TQ2_0 matrices.

use super::{ROWS, encode, lossless};
use crate::{
    Error,
    import::{
        AnyCheckpoint,
        gguf::{
            Architecture, EMBEDDING, HEAD, NORM, Pieces, ROPE_DIVISORS, SCALES, interleaved_row,
            projection_name,
        },
    },
};
use serde_json::Value as Json;
use std::path::Path;
use terntable_gguf::{Array, ElementType, Value, Writer, scale_fits, tq2_0};
use terntable_golden::{
    gate::Gate,
    model::{Config, Layer, Projection},
    ternary::Ternary,
};

/// `general.file_type` of files with TQ2_0 matrices.
const MOSTLY_TQ2_0: u32 = 37;

/// Writes a file; the notes say who can run it.
pub fn write(
    checkpoint: &AnyCheckpoint,
    out: &Path,
    embedding: Option<ElementType>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<String>, Error> {
    let config = checkpoint.config();
    let refuse = |text: String| Error::File {
        path: checkpoint.path().into(),
        text: format!("does not fit GGUF: {text}"),
    };
    let architecture = architecture(checkpoint, config).map_err(&refuse)?;
    check_rows(config).map_err(&refuse)?;
    let mut writer = Writer::new();
    let warnings = keys(&mut writer, checkpoint, architecture, config)?;
    let parts = 2 * config.layers + config.vocab.div_ceil(ROWS);
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done.min(parts), parts);
    };

    // Scales stand in the header, before the layers.
    let mut scales = Vec::new();
    for index in 0..config.layers {
        let layer = checkpoint.layer(index)?;
        for (projection, matrix) in Projection::ALL.into_iter().zip(&layer.projections) {
            if !scale_fits(matrix.scale) {
                return Err(refuse(format!(
                    "{} has the scale {}; blocks of TQ2_0 hold 6.2e-5 to 65504",
                    projection_name(index, projection),
                    matrix.scale
                )));
            }
            scales.push(matrix.scale);
        }
        step();
    }

    let element = match embedding {
        Some(element) => element,
        None => lossless(checkpoint, [ElementType::F16, ElementType::Bf16])?,
    };
    let divisors = checkpoint.rope_divisors()?;
    writer.key(SCALES, Value::Array(Array::f32s(&scales)));
    let size = |n: usize| n as u64;
    let rows = [size(config.hidden), size(config.vocab)];
    writer.tensor(EMBEDDING, element, &rows);
    for layer in 0..config.layers {
        declare_layer(&mut writer, architecture, config, layer);
    }
    writer.tensor(NORM, ElementType::F32, &[size(config.hidden)]);
    if !checkpoint.tied_head() {
        writer.tensor(HEAD, element, &rows);
    }
    if let Some(divisors) = &divisors {
        writer.tensor(ROPE_DIVISORS, ElementType::F32, &[size(divisors.len())]);
    }

    let mut body = writer.start(out)?;
    let ranges = || (0..config.vocab).step_by(ROWS).map(|at| at..config.vocab.min(at + ROWS));
    for range in ranges() {
        body.append(EMBEDDING, &encode(element, &checkpoint.embedding_rows(range)?))?;
        step();
    }
    for index in 0..config.layers {
        let layer = checkpoint.layer(index)?;
        for (name, norm) in norms(&layer) {
            body.append(&format!("blk.{index}.{name}.weight"), &terntable_gguf::f32(norm))?;
        }
        for (projection, matrix) in Projection::ALL.into_iter().zip(&layer.projections) {
            let name = format!("{}.weight", projection_name(index, projection));
            let weights = rows_as_written(architecture, config, projection, matrix);
            body.append(&name, &tq2_0(&weights, matrix.scale))?;
        }
        step();
    }
    body.append(NORM, &terntable_gguf::f32(&checkpoint.norm()?))?;
    if !checkpoint.tied_head() {
        for range in ranges() {
            body.append(HEAD, &encode(element, &checkpoint.head_rows(range)?))?;
        }
    }
    if let Some(divisors) = &divisors {
        body.append(ROPE_DIVISORS, &terntable_gguf::f32(divisors))?;
    }
    body.finish()?;
    Ok([notes(architecture, element, embedding, &scales), warnings].concat())
}

/// The architecture that computes what the model computes.
fn architecture(checkpoint: &AnyCheckpoint, config: &Config) -> Result<Architecture, String> {
    let first = checkpoint.layer(0).map_err(|e| e.to_string())?;
    if first.linear_norms.is_some() {
        return Err(
            "its linear layers have norms of their own, which no architecture there has".into()
        );
    }
    let architecture = match (first.attention_sub_norm.is_some(), config.gate) {
        (true, Gate::Relu2) => Architecture::BitnetB158,
        (true, Gate::Silu) => Architecture::Bitnet,
        (false, Gate::Silu) => Architecture::Llama,
        (false, Gate::Relu2) => {
            return Err(
                "it has a ReLU-squared gate and no sub-norms, as no architecture there".into()
            );
        }
    };
    if architecture.sub_norms() && !checkpoint.tied_head() {
        return Err(format!(
            "its head is separate; software that runs architecture {} takes the embedding's rows for \
             the head without a word",
            architecture.name()
        ));
    }
    Ok(architecture)
}

/// TQ2_0 has blocks of 256 elements in a row.
fn check_rows(config: &Config) -> Result<(), String> {
    let mut shapes = Projection::ALL.into_iter().map(|p| (p, config.shape(p).1));
    match shapes.find(|(_, cols)| !cols.is_multiple_of(256)) {
        None => Ok(()),
        Some((projection, cols)) => Err(format!(
            "rows of {} have {cols} elements and blocks of TQ2_0 256; expected a multiple: keep the \
             model as a Hugging Face folder",
            projection_name(0, projection)
        )),
    }
}

/// Writes the keys; says what they cannot hold.
fn keys(
    writer: &mut Writer,
    checkpoint: &AnyCheckpoint,
    architecture: Architecture,
    config: &Config,
) -> Result<Vec<String>, Error> {
    let string = |text: &str| Value::String(text.into());
    let number = |n: usize| Value::U32(n as u32);
    writer.key("general.architecture", string(architecture.name()));
    writer.key("general.name", string(&checkpoint.name()));
    writer.key("general.file_type", Value::U32(MOSTLY_TQ2_0));
    writer.key("general.quantization_version", Value::U32(2));
    let mut key = |name: &str, value| writer.key(format!("{}.{name}", architecture.name()), value);
    key("context_length", number(config.context));
    key("embedding_length", number(config.hidden));
    key("block_count", number(config.layers));
    key("feed_forward_length", number(config.intermediate));
    key("attention.head_count", number(config.heads));
    key("attention.head_count_kv", number(config.kv_heads));
    key("attention.key_length", number(config.head_dim));
    key("attention.value_length", number(config.head_dim));
    key("attention.layer_norm_rms_epsilon", Value::F32(config.norm_eps));
    key("rope.freq_base", Value::F32(config.rope_theta));
    key("rope.dimension_count", number(config.head_dim));
    key("vocab_size", number(config.vocab));
    let (pieces, template) = match checkpoint {
        AnyCheckpoint::Gguf(file) => {
            (Pieces::read(&file.gguf)?, file.chat_template()?.map(str::to_string))
        }
        AnyCheckpoint::Folder(folder) => folder_tokenizer(&folder.path, config.vocab)?,
    };
    pieces.keys().into_iter().for_each(|(key, value)| writer.key(key, value));
    // The first is in the keys already.
    let ends = checkpoint.end_tokens()?;
    for (name, token) in ["eot", "eom"].into_iter().zip(ends.iter().skip(1)) {
        writer.key(format!("tokenizer.ggml.{name}_token_id"), Value::U32(*token));
    }
    if let Some(template) = template {
        writer.key("tokenizer.chat_template", Value::String(template));
    }
    let mut warnings = pieces.warnings;
    if ends.len() > 3 {
        warnings.push(format!("{} tokens end a text; GGUF has keys for three", ends.len()));
    }
    Ok(warnings)
}

/// Tokenizer and chat template of a folder.
fn folder_tokenizer(folder: &Path, vocab: usize) -> Result<(Pieces, Option<String>), Error> {
    let json = |name: &str| -> Option<Json> {
        serde_json::from_slice(&std::fs::read(folder.join(name)).ok()?).ok()
    };
    let config = json("config.json").unwrap_or_default();
    let first = |value: &Json| {
        let value = value.get(0).unwrap_or(value);
        value.as_u64().and_then(|id| u32::try_from(id).ok())
    };
    let (bos, eos) = (first(&config["bos_token_id"]), first(&config["eos_token_id"]));
    let path = folder.join("tokenizer.json");
    let tokenizer = json("tokenizer.json").unwrap_or_default();
    let pieces = Pieces::from_json(&tokenizer, vocab, bos, eos)
        .map_err(|text| Error::File { path, text })?;
    let template = std::fs::read_to_string(folder.join("chat_template.jinja"))
        .ok()
        .or_else(|| Some(json("tokenizer_config.json")?["chat_template"].as_str()?.to_string()));
    Ok((pieces, template))
}

/// A layer's norms, with the names of their tensors.
fn norms(layer: &Layer) -> impl Iterator<Item = (&'static str, &[f32])> {
    [
        ("attn_norm", Some(&layer.attention_norm)),
        ("attn_sub_norm", layer.attention_sub_norm.as_ref()),
        ("ffn_norm", Some(&layer.ffn_norm)),
        ("ffn_sub_norm", layer.ffn_sub_norm.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, norm)| Some((name, norm?.as_slice())))
}

fn declare_layer(writer: &mut Writer, architecture: Architecture, config: &Config, layer: usize) {
    let sub = architecture.sub_norms();
    let norms = [
        ("attn_norm", config.hidden, true),
        ("attn_sub_norm", config.heads * config.head_dim, sub),
        ("ffn_norm", config.hidden, true),
        ("ffn_sub_norm", config.intermediate, sub),
    ];
    for (name, length, _) in norms.into_iter().filter(|(_, _, there)| *there) {
        writer.tensor(format!("blk.{layer}.{name}.weight"), ElementType::F32, &[length as u64]);
    }
    for projection in Projection::ALL {
        let (rows, cols) = config.shape(projection);
        let name = format!("{}.weight", projection_name(layer, projection));
        writer.tensor(name, ElementType::Tq2_0, &[cols as u64, rows as u64]);
    }
}

/// A matrix with its rows in the order of the architecture.
fn rows_as_written(
    architecture: Architecture,
    config: &Config,
    projection: Projection,
    matrix: &Ternary,
) -> Vec<i8> {
    if !(architecture.interleaved() && [Projection::Q, Projection::K].contains(&projection)) {
        return matrix.weights.clone();
    }
    let mut weights = vec![0; matrix.weights.len()];
    for row in 0..matrix.rows {
        let to = interleaved_row(row, config.head_dim) * matrix.cols;
        weights[to..to + matrix.cols].copy_from_slice(matrix.row(row));
    }
    weights
}

/// What the file's reader should know.
fn notes(
    architecture: Architecture,
    element: ElementType,
    asked: Option<ElementType>,
    scales: &[f32],
) -> Vec<String> {
    let mut notes = Vec::new();
    if architecture == Architecture::BitnetB158 {
        notes.push(
            "a ReLU-squared model: written as architecture bitnet-b1.58 of the BitNet fork; mainline \
             llama.cpp, whose bitnet has a SiLU gate, cannot run it"
                .into(),
        );
    }
    if scales.iter().any(|scale| half::f16::from_f32(*scale).to_f32() != *scale) {
        notes.push(format!(
            "blocks of TQ2_0 hold scales as binary16: other software computes with scales rounded to 11 \
             bits; here the key {SCALES} keeps them exact"
        ));
    }
    if asked == Some(ElementType::Q8_0) {
        notes.push("Q8_0 rounds embedding and head: converting back gives other values".into());
    } else {
        notes.push(format!("embedding and head as {element}"));
    }
    notes
}
