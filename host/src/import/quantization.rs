//! `quantization_config` of `config.json`: how the linear layers are ternary.

use super::config::or_default;
use serde::Deserialize;

/// What a packed checkpoint's `weight_scale` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleConvention {
    /// `linear_class` `autobitlinear`: the product is multiplied by `weight_scale` (mean |w|).
    Multiply,
    /// `linear_class` `bitlinear` or none: the product is divided by `weight_scale` (1 / mean |w|).
    Divide,
}

/// The fields of `quantization_config` that matter here.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Quantization {
    quant_method: Option<String>,
    linear_class: Option<String>,
    quantization_mode: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    use_rms_norm: bool,
    rms_norm_eps: Option<f32>,
    modules_to_not_convert: Option<Vec<String>>,
}

/// Modules that are no ternary linear layers in any case.
const REAL_MODULES: [&str; 3] = ["lm_head", "embed_tokens", "norm"];

impl Quantization {
    /// Refuses what would change the results without a trace in the tensors' names.
    pub fn check(&self) -> Result<(), String> {
        if let Some(method) = self.quant_method.as_deref().filter(|m| *m != "bitnet") {
            return Err(format!("quant_method {method:?}; this version reads \"bitnet\""));
        }
        if let Some(mode) = self.mode().filter(|mode| !["online", "offline"].contains(mode)) {
            return Err(format!(
                "quantization_mode {mode:?}; expected \"offline\" (packed weights) or \"online\" (real \
                 weights, made ternary on load)"
            ));
        }
        if let Some(eps) = self.linear_norm_eps().filter(|eps| !(*eps > 0.0 && eps.is_finite())) {
            return Err(format!("rms_norm_eps of linear layers is {eps}; expected more than 0"));
        }
        self.scale_convention()?;
        let Some(kept) = &self.modules_to_not_convert else {
            return Ok(());
        };
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_string();
        if let Some(name) = kept.iter().find(|name| !REAL_MODULES.contains(&&*last(name))) {
            return Err(format!(
                "modules_to_not_convert names {name:?}; only lm_head may stay unquantised here"
            ));
        }
        match kept.iter().any(|name| last(name) == "lm_head") {
            true => Ok(()),
            false => Err("modules_to_not_convert does not name lm_head: by this file the head is \
                          ternary; this version computes heads of real rows"
                .into()),
        }
    }

    /// What `weight_scale` means in this checkpoint.
    pub fn scale_convention(&self) -> Result<ScaleConvention, String> {
        match self.linear_class.as_deref() {
            None | Some("bitlinear") => Ok(ScaleConvention::Divide),
            Some("autobitlinear") => Ok(ScaleConvention::Multiply),
            Some(other) => Err(format!(
                "quantization_config.linear_class {other:?}; expected \"bitlinear\" (the scale \
                 divides) or \"autobitlinear\" (the scale multiplies)"
            )),
        }
    }

    /// Whether the file says that the model is ternary.
    pub fn says_ternary(&self) -> bool {
        self.quant_method.is_some()
    }

    /// `offline` (packed) or `online` (real weights, made ternary on load), where the file says it.
    pub fn mode(&self) -> Option<&str> {
        self.quantization_mode.as_deref()
    }

    /// Eps of the norms inside linear layers, where there are such.
    pub fn linear_norm_eps(&self) -> Option<f32> {
        self.use_rms_norm.then(|| self.rms_norm_eps.unwrap_or(1e-6))
    }
}
