//! `config.json`.

use crate::Error;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use terntable_golden::{attention::KvFormat, gate::Gate, model::Config};

/// The architectures that import knows.
const ARCHITECTURES: [&str; 1] = ["BitNetForCausalLM"];

/// What a packed checkpoint's `weight_scale` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleConvention {
    /// `linear_class` `autobitlinear`: the product is multiplied by `weight_scale` (mean |w|).
    Multiply,
    /// `linear_class` `bitlinear` or none: the product is divided by `weight_scale` (1 / mean |w|).
    Divide,
}

/// The fields of `config.json` that matter here.
#[derive(Debug, Clone, Deserialize)]
pub struct CheckpointConfig {
    #[serde(skip)]
    path: PathBuf,
    #[serde(default, deserialize_with = "or_default")]
    architectures: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    model_type: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "default_eps")]
    rms_norm_eps: f32,
    hidden_act: String,
    rope_theta: Option<f32>,
    rope_parameters: Option<RopeParameters>,
    rope_scaling: Option<RopeParameters>,
    /// Whether the head shares the embedding's rows.
    #[serde(default, deserialize_with = "or_default")]
    pub tie_word_embeddings: bool,
    eos_token_id: Option<OneOrMany>,
    #[serde(default, deserialize_with = "or_default")]
    attention_bias: bool,
    #[serde(default, deserialize_with = "or_default")]
    mlp_bias: bool,
    quantization_config: Option<Quantization>,
}

#[derive(Debug, Clone, Deserialize)]
struct RopeParameters {
    rope_theta: Option<f32>,
    #[serde(alias = "type")]
    rope_type: Option<String>,
    factor: Option<f32>,
}

#[derive(Debug, Clone, Deserialize)]
struct Quantization {
    quant_method: Option<String>,
    linear_class: Option<String>,
    quantization_mode: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    use_rms_norm: bool,
    modules_to_not_convert: Option<Vec<String>>,
}

/// What transformers takes when the file does not say.
const DEFAULT_THETA: f32 = 500_000.0;

/// A field that is null counts as absent.
fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: serde::Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn default_eps() -> f32 {
    1e-5
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

impl CheckpointConfig {
    /// Reads and parses the file; the architecture must be known.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = super::read_file(path, "a checkpoint folder needs a config.json")?;
        let mut config: Self = serde_json::from_slice(&bytes).map_err(|e| Error::File {
            path: path.into(),
            text: format!("not the config.json of a language model: {e}"),
        })?;
        config.path = path.into();
        config.check_architecture()?;
        Ok(config)
    }

    fn fail<T>(&self, text: impl Into<String>) -> Result<T, Error> {
        Err(Error::File { path: self.path.clone(), text: text.into() })
    }

    fn check_architecture(&self) -> Result<(), Error> {
        let known = self.architectures.iter().any(|a| ARCHITECTURES.contains(&a.as_str()))
            || (self.architectures.is_empty() && self.model_type == "bitnet");
        if !known {
            return self.fail(format!(
                "unknown architecture {:?} (model_type {:?}); this version imports {}",
                self.architectures,
                self.model_type,
                ARCHITECTURES.join(", ")
            ));
        }
        self.gate()?;
        if self.attention_bias || self.mlp_bias {
            return self
                .fail("attention_bias or mlp_bias is true; linear layers here have no bias");
        }
        let scaling = [&self.rope_parameters, &self.rope_scaling].into_iter().flatten();
        for rope in scaling {
            let kind = rope.rope_type.as_deref().unwrap_or("default");
            if kind != "default" || rope.factor.is_some_and(|f| f != 1.0) {
                return self.fail(format!(
                    "rotary scaling (rope_type {kind:?}, factor {:?}); this version knows plain \
                     rotary embeddings",
                    rope.factor
                ));
            }
        }
        self.check_quantization()
    }

    fn gate(&self) -> Result<Gate, Error> {
        match self.hidden_act.as_str() {
            "relu2" => Ok(Gate::Relu2),
            "silu" => Ok(Gate::Silu),
            other => self.fail(format!(
                "hidden_act {other:?}; this version computes the gates \"relu2\" and \"silu\""
            )),
        }
    }

    /// Refuses what would change the results without a trace in the tensors' names.
    fn check_quantization(&self) -> Result<(), Error> {
        let Some(quantization) = &self.quantization_config else {
            return Ok(());
        };
        if let Some(method) = quantization.quant_method.as_deref().filter(|m| *m != "bitnet") {
            return self.fail(format!("quant_method {method:?}; this version reads \"bitnet\""));
        }
        if quantization.use_rms_norm {
            return self.fail(
                "use_rms_norm is true: every linear layer has a norm of its own; this version does \
                 not compute those",
            );
        }
        let kept = quantization.modules_to_not_convert.iter().flatten();
        if let Some(name) = kept.into_iter().find(|name| *name != "lm_head") {
            return self.fail(format!(
                "modules_to_not_convert names {name:?}; only lm_head may stay unquantised here"
            ));
        }
        Ok(())
    }

    /// The architecture's name.
    pub fn architecture(&self) -> &str {
        self.architectures.first().map_or(&self.model_type, String::as_str)
    }

    /// The golden model's configuration, checked.
    pub fn model(&self) -> Result<Config, Error> {
        let heads = self.num_attention_heads;
        if heads == 0 || (self.head_dim.is_none() && !self.hidden_size.is_multiple_of(heads)) {
            return self.fail(format!(
                "hidden_size {} does not divide into {heads} heads and head_dim is not given",
                self.hidden_size
            ));
        }
        let in_parameters = self.rope_parameters.as_ref().and_then(|r| r.rope_theta);
        let config = Config {
            hidden: self.hidden_size,
            intermediate: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_dim: self.head_dim.unwrap_or(self.hidden_size / heads),
            vocab: self.vocab_size,
            context: self.max_position_embeddings,
            rope_theta: in_parameters.or(self.rope_theta).unwrap_or(DEFAULT_THETA),
            norm_eps: self.rms_norm_eps,
            gate: self.gate()?,
            kv: KvFormat::Int8,
        };
        config.check().or_else(|e| self.fail(e.to_string()))?;
        Ok(config)
    }

    /// What `weight_scale` means in this checkpoint.
    pub fn scale_convention(&self) -> Result<ScaleConvention, Error> {
        let quantization = self.quantization_config.as_ref();
        match quantization.and_then(|q| q.linear_class.as_deref()) {
            None | Some("bitlinear") => Ok(ScaleConvention::Divide),
            Some("autobitlinear") => Ok(ScaleConvention::Multiply),
            Some(other) => self.fail(format!(
                "quantization_config.linear_class {other:?}; expected \"bitlinear\" (the scale \
                 divides) or \"autobitlinear\" (the scale multiplies)"
            )),
        }
    }

    /// Whether the file says how its weights are quantised; without that, unpacked weights are
    /// quantised on load all the same.
    pub fn says_quantized(&self) -> bool {
        self.quantization_config.as_ref().is_some_and(|q| q.quant_method.is_some())
    }

    /// `offline` (packed) or `online` (unpacked), where the file says it.
    pub fn quantization_mode(&self) -> Option<&str> {
        self.quantization_config.as_ref()?.quantization_mode.as_deref()
    }

    /// Tokens that end a text.
    pub fn end_tokens(&self) -> Vec<u32> {
        match &self.eos_token_id {
            None => Vec::new(),
            Some(OneOrMany::One(token)) => vec![*token],
            Some(OneOrMany::Many(tokens)) => tokens.clone(),
        }
    }
}
