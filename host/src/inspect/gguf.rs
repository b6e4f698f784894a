//! What is in a GGUF file.

use crate::{
    Error,
    import::gguf::{GgufCheckpoint, HEAD, Pieces},
};
use serde::Serialize;
use std::path::Path;
use terntable_gguf::{ElementType, Gguf, Tensor};
use terntable_golden::gate::Gate;

/// A GGUF file, described.
#[derive(Debug, Serialize)]
pub struct GgufReport {
    /// The software whose conventions it follows.
    pub dialect: &'static str,
    /// What shows that.
    pub evidence: String,
    /// Version of GGUF.
    pub version: u32,
    /// `general.architecture`.
    pub architecture: String,
    /// Sizes of the model, if import knows the architecture.
    #[serde(flatten)]
    pub model: Option<Sizes>,
    /// What the tokenizer is, if import can read it.
    pub tokenizer: Option<String>,
    /// Ternary weights.
    pub ternary_weights: usize,
    /// Share of zeros among them.
    pub zeros: f64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Types of elements, in the order in which the file first has them.
    pub types: Vec<TypeReport>,
    /// Every tensor.
    pub tensors: Vec<GgufTensorReport>,
    /// What looks wrong, or is easily taken for something else.
    pub warnings: Vec<String>,
}

/// Sizes of a model.
#[derive(Debug, Serialize)]
pub struct Sizes {
    /// Elements of the residual stream.
    pub hidden: usize,
    /// Elements of the feed-forward block.
    pub intermediate: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key-value heads.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Tokens.
    pub vocab: usize,
    /// Longest context.
    pub context: usize,
    /// `relu2` or `silu`: what the architecture stands for.
    pub gate: &'static str,
    /// Whether the layers have sub-norms.
    pub sub_norms: bool,
    /// Whether rotary pairs lie side by side in Q and K.
    pub interleaved: bool,
    /// Whether head and embedding share their rows.
    pub tied_head: bool,
}

/// A type of elements, counted.
#[derive(Debug, Serialize)]
pub struct TypeReport {
    /// Its name.
    pub name: &'static str,
    /// Tensors of it.
    pub tensors: usize,
    /// Bytes of them.
    pub bytes: u64,
}

/// A tensor, described.
#[derive(Debug, Serialize)]
pub struct GgufTensorReport {
    /// Name.
    pub name: String,
    /// Type of the stored elements.
    pub dtype: &'static str,
    /// Shape, the row length first.
    pub shape: Vec<u64>,
    /// Bytes.
    pub bytes: u64,
    /// Share of zeros of a ternary matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zeros: Option<f64>,
    /// Scale of the blocks of a ternary matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f32>,
}

/// Describes a file. What import would refuse is a warning here, so that any whole file can be looked
/// at.
pub fn inspect(path: &Path) -> Result<GgufReport, Error> {
    let gguf = Gguf::open(path)?;
    let (dialect, evidence) = gguf.dialect();
    let mut report = GgufReport {
        dialect: dialect.name(),
        evidence,
        version: gguf.version(),
        architecture: gguf.architecture().unwrap_or("none").into(),
        model: None,
        tokenizer: None,
        ternary_weights: 0,
        zeros: 0.0,
        bytes: gguf.length(),
        types: Vec::new(),
        tensors: Vec::new(),
        warnings: Vec::new(),
    };
    let mut zeros = 0;
    for tensor in gguf.tensors() {
        count(&mut report.types, tensor);
        let (described, zero) = describe(&gguf, tensor, &mut report.warnings);
        if let Some(zero) = zero {
            zeros += zero;
            report.ternary_weights += (tensor.cols() * tensor.rows()) as usize;
        }
        report.tensors.push(described);
    }
    report.zeros = zeros as f64 / report.ternary_weights.max(1) as f64;
    if report.types.iter().any(|t| t.name == ElementType::I2S.name()) {
        report.warnings.push(
            "I2_S is read in the layout of files and x86 builds; an ARM build has another, and nothing \
             in a file tells them apart: if the model makes no sense, convert the safetensors"
                .into(),
        );
    }
    match Pieces::read(&gguf) {
        Ok(pieces) => {
            report.warnings.extend(pieces.warnings.iter().cloned());
            report.tokenizer = Some(format!("{}, {} tokens", pieces.name(), pieces.count()));
        }
        Err(error) => report.warnings.push(format!("no tokenizer can be made: {error}")),
    }
    if let Err(error) = model(path, &mut report) {
        report.warnings.push(format!("import refuses it: {error}"));
    }
    Ok(report)
}

/// The model's sizes; then the first thing that import refuses.
fn model(path: &Path, report: &mut GgufReport) -> Result<(), Error> {
    let checkpoint = GgufCheckpoint::open(path)?;
    let (config, architecture) = (&checkpoint.config, checkpoint.architecture);
    report.model = Some(Sizes {
        hidden: config.hidden,
        intermediate: config.intermediate,
        layers: config.layers,
        heads: config.heads,
        kv_heads: config.kv_heads,
        head_dim: config.head_dim,
        vocab: config.vocab,
        context: config.context,
        gate: match config.gate {
            Gate::Relu2 => "relu2",
            Gate::Silu => "silu",
        },
        sub_norms: architecture.sub_norms(),
        interleaved: architecture.interleaved(),
        tied_head: checkpoint.tied_head(),
    });
    if architecture.sub_norms() && !checkpoint.tied_head() {
        report.warnings.push(format!(
            "{HEAD} is there and used here; other software of architecture {} computes with the \
             embedding's rows instead",
            report.architecture
        ));
    }
    for layer in 0..config.layers {
        checkpoint.layer(layer)?;
    }
    checkpoint.norm()?;
    checkpoint.rope_divisors()?;
    for start in (0..config.vocab).step_by(4096) {
        let rows = start..config.vocab.min(start + 4096);
        checkpoint.embedding_rows(rows.clone())?;
        checkpoint.head_rows(rows)?;
    }
    checkpoint.tokenizer()?;
    Ok(())
}

fn count(types: &mut Vec<TypeReport>, tensor: &Tensor) {
    let name = tensor.element.name();
    match types.iter_mut().find(|report| report.name == name) {
        Some(report) => {
            report.tensors += 1;
            report.bytes += tensor.bytes;
        }
        None => types.push(TypeReport { name, tensors: 1, bytes: tensor.bytes }),
    }
}

/// Describes a tensor; for a ternary matrix also its zero weights.
fn describe(
    gguf: &Gguf,
    tensor: &Tensor,
    warnings: &mut Vec<String>,
) -> (GgufTensorReport, Option<usize>) {
    let mut described = GgufTensorReport {
        name: tensor.name.clone(),
        dtype: tensor.element.name(),
        shape: tensor.shape.clone(),
        bytes: tensor.bytes,
        zeros: None,
        scale: None,
    };
    let ternary = [ElementType::Tq1_0, ElementType::Tq2_0, ElementType::I2S];
    if !ternary.contains(&tensor.element) {
        return (described, None);
    }
    match gguf.trits(tensor) {
        Ok(trits) => {
            let zero = trits.weights.iter().filter(|&&w| w == 0).count();
            if zero == trits.weights.len() {
                warnings.push(format!("{}: all {zero} weights are zero; damaged", tensor.name));
            }
            described.zeros = Some(zero as f64 / trits.weights.len().max(1) as f64);
            described.scale = Some(trits.scale);
            (described, Some(zero))
        }
        Err(error) => {
            warnings.push(error.to_string());
            (described, None)
        }
    }
}
