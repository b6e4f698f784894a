//! What is in a checkpoint.

pub mod gguf;

use crate::{
    Error,
    import::{
        Checkpoint, ScaleConvention, Stored, packed_rows, projection_name, real_values,
        unpack_codes,
    },
};
use safetensors::Dtype;
use serde::Serialize;
use terntable_golden::model::Projection;

/// A checkpoint, described.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Architecture by `config.json`.
    pub architecture: String,
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
    /// Whether head and embedding share their rows.
    pub tied_head: bool,
    /// `multiply` or `divide`: what `weight_scale` does to the product.
    pub scale_convention: &'static str,
    /// `quantization_mode` of `config.json`, where given.
    pub quantization_mode: Option<String>,
    /// Ternary weights.
    pub ternary_weights: usize,
    /// Share of zeros among them.
    pub zeros: f64,
    /// Bytes of all tensor files.
    pub bytes: usize,
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
    let config = checkpoint.config.model()?;
    let convention = match checkpoint.config.scale_convention()? {
        ScaleConvention::Multiply => "multiply",
        ScaleConvention::Divide => "divide",
    };
    let mut report = Report {
        architecture: checkpoint.config.architecture().into(),
        hidden: config.hidden,
        intermediate: config.intermediate,
        layers: config.layers,
        heads: config.heads,
        kv_heads: config.kv_heads,
        head_dim: config.head_dim,
        vocab: config.vocab,
        context: config.context,
        tied_head: checkpoint.config.tie_word_embeddings,
        scale_convention: convention,
        quantization_mode: checkpoint.config.quantization_mode().map(str::to_string),
        ternary_weights: 0,
        zeros: 0.0,
        bytes: checkpoint.tensors.bytes(),
        tensors: Vec::new(),
        warnings: Vec::new(),
    };
    if !checkpoint.config.says_quantized() {
        report.warnings.push(
            "config.json has no quantization_config: other software would run the real weights; here \
             they are made ternary on load"
                .into(),
        );
    }
    let mut zeros = 0;
    for name in checkpoint.tensors.names() {
        let stored = checkpoint.tensors.get(name).expect("a listed tensor");
        let (tensor, zero_weights) = describe(name, &stored, &config, &mut report.warnings);
        if let Some(count) = zero_weights {
            zeros += count.0;
            report.ternary_weights += count.1;
        }
        report.tensors.push(tensor);
    }
    report.zeros = zeros as f64 / report.ternary_weights.max(1) as f64;
    // Import checks more than the warnings above; its first refusal is one, too.
    if let Err(error) = checkpoint.model() {
        report.warnings.push(format!("import refuses it: {error}"));
    }
    Ok(report)
}

/// Describes a tensor; for a ternary matrix also its zero weights and all weights.
fn describe(
    name: &str,
    stored: &Stored<'_>,
    config: &terntable_golden::model::Config,
    warnings: &mut Vec<String>,
) -> (TensorReport, Option<(usize, usize)>) {
    let mut tensor = TensorReport {
        name: name.into(),
        dtype: format!("{:?}", stored.dtype),
        shape: stored.shape.clone(),
        format: "real",
        bytes: stored.bytes.len(),
        zeros: None,
        scale: None,
    };
    if name.ends_with("weight_scale") {
        tensor.format = "scale";
        tensor.scale = real_values(stored, name).ok().and_then(|v| v.first().copied());
        if !tensor.scale.is_some_and(|s| s.is_finite() && s > 0.0) {
            let scale = tensor.scale;
            let scale = scale.map_or("unreadable".into(), |s| s.to_string());
            warnings
                .push(format!("{name}: the scale is {scale}; expected a positive finite number"));
        }
        return (tensor, None);
    }
    let Some((rows, cols)) = projection_shape(name, config) else {
        if real_values(stored, name).is_ok_and(|v| v.iter().all(|&v| v == 0.0)) {
            warnings.push(format!("{name}: every value is zero; the checkpoint may be damaged"));
        }
        return (tensor, None);
    };
    let weights = if stored.dtype == Dtype::U8 {
        tensor.format = "ternary, packed";
        if stored.shape != [packed_rows(rows), cols] {
            warnings.push(format!("{name}: shape {:?} does not fit config.json", stored.shape));
            return (tensor, None);
        }
        let codes = unpack_codes(stored.bytes, rows, cols);
        if codes.illegal > 0 {
            warnings.push(format!("{name}: {} weights have the illegal code 3", codes.illegal));
        }
        codes.weights
    } else {
        tensor.format = "ternary on load";
        let real = real_values(stored, name).unwrap_or_default();
        match terntable_golden::ternary::Ternary::absmean(rows, cols, &real) {
            Ok(matrix) => matrix.weights,
            Err(e) => {
                warnings.push(format!("{name}: {e}"));
                return (tensor, None);
            }
        }
    };
    let zero = weights.iter().filter(|&&w| w == 0).count();
    tensor.zeros = Some(zero as f64 / weights.len() as f64);
    if zero == weights.len() {
        warnings.push(format!("{name}: all {zero} weights are zero; the checkpoint is damaged"));
    }
    (tensor, Some((zero, weights.len())))
}

/// Rows and columns of the projection that a tensor name stands for.
fn projection_shape(
    name: &str,
    config: &terntable_golden::model::Config,
) -> Option<(usize, usize)> {
    let stem = name.strip_suffix(".weight")?;
    let layer: usize = stem.strip_prefix("model.layers.")?.split('.').next()?.parse().ok()?;
    let of = |p: &Projection| projection_name(layer, *p) == stem;
    Projection::ALL.into_iter().find(of).map(|p| config.shape(p))
}
