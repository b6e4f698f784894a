//! What is in a checkpoint.

pub mod gguf;

use crate::{
    Error,
    import::{
        Checkpoint, Sampling, ScaleConvention, Stored, TokenizerKind, packed_rows, projection_name,
        unpack_codes,
    },
};
use safetensors::Dtype;
use serde::Serialize;
use std::path::PathBuf;
use terntable_golden::{
    model::{Config, Projection},
    ternary::Ternary,
};

/// A checkpoint, described.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Architecture by `config.json`.
    pub architecture: &'static str,
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
    /// `relu2` or `silu`.
    pub gate: &'static str,
    /// Whether there are norms before the output and down projections.
    pub sub_norms: bool,
    /// Eps of the norms inside linear layers (`use_rms_norm`), where there are such.
    pub linear_norm_eps: Option<f32>,
    /// Base of the rotary frequencies.
    pub rope_theta: f32,
    /// The largest number that a rotary frequency is divided by, where they are stretched.
    pub rope_stretch: Option<f32>,
    /// Whether head and embedding share their rows.
    pub tied_head: bool,
    /// `multiply` or `divide`: what `weight_scale` does to the product.
    pub scale_convention: &'static str,
    /// `quantization_mode` of `config.json`, where given.
    pub quantization_mode: Option<String>,
    /// Where it can run.
    pub devices: Vec<&'static str>,
    /// The tokenizer, if it can be used.
    pub tokenizer: Option<TokenizerKind>,
    /// The file of the chat template, if there is one.
    pub template: Option<PathBuf>,
    /// Tokens that end a text.
    pub end_tokens: Vec<u32>,
    /// How the makers of the model sample.
    pub sampling: Sampling,
    /// Ternary weights.
    pub ternary_weights: usize,
    /// Share of zeros among them.
    pub zeros: f64,
    /// Tensor files.
    pub files: usize,
    /// Bytes of all tensor files.
    pub bytes: u64,
    /// Every tensor.
    pub tensors: Vec<TensorReport>,
    /// What looks wrong.
    pub warnings: Vec<String>,
}

/// A tensor, described.
#[derive(Debug, Serialize)]
pub struct TensorReport {
    /// Name.
    pub name: String,
    /// Type of the stored elements.
    pub dtype: String,
    /// Shape as stored.
    pub shape: Vec<usize>,
    /// `ternary, packed`, `ternary on load`, `real` or `scale`.
    pub format: &'static str,
    /// Bytes.
    pub bytes: usize,
    /// Share of zeros of a ternary matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zeros: Option<f64>,
    /// Value of a scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f32>,
}

/// Describes a checkpoint. What import would refuse is a warning here, so that a damaged checkpoint
/// can be looked at.
pub fn inspect(checkpoint: &Checkpoint) -> Result<Report, Error> {
    let config = checkpoint.config().clone();
    let convention = match checkpoint.config.scale_convention()? {
        ScaleConvention::Multiply => "multiply",
        ScaleConvention::Divide => "divide",
    };
    let mut report = Report {
        architecture: checkpoint.config.architecture()?.as_str(),
        hidden: config.hidden,
        intermediate: config.intermediate,
        layers: config.layers,
        heads: config.heads,
        kv_heads: config.kv_heads,
        head_dim: config.head_dim,
        vocab: config.vocab,
        context: config.context,
        gate: config.gate.as_str(),
        sub_norms: checkpoint.config.architecture()?.has_sub_norms(),
        linear_norm_eps: checkpoint.config.quantization.linear_norm_eps(),
        rope_theta: config.rope_theta,
        rope_stretch: checkpoint
            .config
            .rotary()?
            .divisors
            .map(|divisors| divisors.into_iter().fold(1.0, f32::max)),
        tied_head: checkpoint.config.tie_word_embeddings,
        scale_convention: convention,
        quantization_mode: checkpoint.config.quantization.mode().map(str::to_string),
        devices: vec!["golden", "cpu"],
        tokenizer: None,
        template: None,
        end_tokens: checkpoint.end_tokens(),
        sampling: checkpoint.generation.sampling(),
        ternary_weights: 0,
        zeros: 0.0,
        files: checkpoint.tensors.count(),
        bytes: checkpoint.tensors.bytes(),
        tensors: Vec::new(),
        warnings: Vec::new(),
    };
    if !checkpoint.config.quantization.says_ternary() {
        report.warnings.push(
            "config.json has no quantization_config: other software would run the real weights; here \
             they are made ternary on load"
                .into(),
        );
    }
    match report.linear_norm_eps {
        None => report.devices.push("cards"),
        Some(_) => report.warnings.push(
            "linear layers have norms of their own (use_rms_norm): cards do not run the model"
                .into(),
        ),
    }
    match checkpoint.tokenizer() {
        Ok(tokenizer) => report.tokenizer = Some(tokenizer.kind()),
        Err(error) => report.warnings.push(error.to_string()),
    }
    match checkpoint.template() {
        Ok(template) => report.template = template.map(|template| template.path().into()),
        Err(error) => report.warnings.push(error.to_string()),
    }
    let mut zeros = 0;
    for name in checkpoint.tensors.names() {
        let stored = checkpoint.tensors.get(name).expect("a listed tensor");
        let (tensor, zero_weights) = describe(&stored, &config, &mut report.warnings)?;
        if let Some(count) = zero_weights {
            zeros += count.0;
            report.ternary_weights += count.1;
        }
        report.tensors.push(tensor);
    }
    report.zeros = zeros as f64 / report.ternary_weights.max(1) as f64;
    // Import checks more than the warnings above; its first refusal is one, too.
    if let Err(error) = checkpoint.verify() {
        report.warnings.push(format!("import refuses it: {error}"));
    }
    Ok(report)
}

/// Describes a tensor; for a ternary matrix also its zero weights and all weights.
fn describe(
    stored: &Stored<'_>,
    config: &Config,
    warnings: &mut Vec<String>,
) -> Result<(TensorReport, Option<(usize, usize)>), Error> {
    let name = stored.name;
    let mut tensor = TensorReport {
        name: name.into(),
        dtype: format!("{:?}", stored.dtype),
        shape: stored.shape.to_vec(),
        format: "real",
        bytes: stored.len,
        zeros: None,
        scale: None,
    };
    if name.ends_with("weight_scale") {
        tensor.format = "scale";
        tensor.scale = first(stored);
        if !tensor.scale.is_some_and(|s| s.is_finite() && s > 0.0) {
            let scale = tensor.scale;
            let scale = scale.map_or("unreadable".into(), |s| s.to_string());
            warnings
                .push(format!("{name}: the scale is {scale}; expected a positive finite number"));
        }
        return Ok((tensor, None));
    }
    let Some((rows, cols)) = projection_shape(name, config) else {
        if all_zero(stored) {
            warnings.push(format!("{name}: every value is zero; the checkpoint may be damaged"));
        }
        return Ok((tensor, None));
    };
    let weights = if stored.dtype == Dtype::U8 {
        tensor.format = "ternary, packed";
        if stored.shape != [packed_rows(rows), cols] {
            warnings.push(format!("{name}: shape {:?} does not fit config.json", stored.shape));
            return Ok((tensor, None));
        }
        let codes = unpack_codes(&stored.bytes()?, rows, cols);
        if codes.illegal > 0 {
            warnings.push(format!("{name}: {} weights have the illegal code 3", codes.illegal));
        }
        codes.weights
    } else {
        tensor.format = "ternary on load";
        let elements = stored.shape.iter().product();
        let mut real = Vec::new();
        let read = stored.reals(0..elements, |values| {
            real.extend_from_slice(values);
            Ok(())
        });
        match read.and_then(|()| Ok(Ternary::absmean(rows, cols, &real)?)) {
            Ok(matrix) => matrix.weights,
            Err(e) => {
                warnings.push(format!("{name}: {e}"));
                return Ok((tensor, None));
            }
        }
    };
    let zero = weights.iter().filter(|&&w| w == 0).count();
    tensor.zeros = Some(zero as f64 / weights.len() as f64);
    if zero == weights.len() {
        warnings.push(format!("{name}: all {zero} weights are zero; the checkpoint is damaged"));
    }
    Ok((tensor, Some((zero, weights.len()))))
}

/// The first element of a real tensor.
fn first(stored: &Stored<'_>) -> Option<f32> {
    let mut first = None;
    let elements: usize = stored.shape.iter().product();
    let _ = stored.reals(0..elements.min(1), |values| {
        first = values.first().copied();
        Ok(())
    });
    first
}

/// Whether every element of a real tensor is zero; false if it cannot be read as one.
fn all_zero(stored: &Stored<'_>) -> bool {
    let mut zero = true;
    let read = stored.reals(0..stored.shape.iter().product(), |values| {
        zero &= values.iter().all(|&v| v == 0.0);
        Ok(())
    });
    zero && read.is_ok()
}

/// Rows and columns of the projection that a tensor name stands for.
fn projection_shape(name: &str, config: &Config) -> Option<(usize, usize)> {
    let stem = name.strip_suffix(".weight")?;
    let layer: usize = stem.strip_prefix("model.layers.")?.split('.').next()?.parse().ok()?;
    let of = |p: &Projection| projection_name(layer, *p) == stem;
    Projection::ALL.into_iter().find(of).map(|p| config.shape(p))
}
