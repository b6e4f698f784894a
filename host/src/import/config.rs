//! `config.json`.

use super::{
    Quantization, ScaleConvention, read_json,
    rope::{Rotary, rotary},
};
use crate::Error;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use terntable_golden::{attention::KvFormat, gate::Gate, model::Config};

/// The architectures that import knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// `BitNetForCausalLM`: sub-norms before the output and down projections.
    BitNet,
    /// `LlamaForCausalLM` with ternary linear layers: no sub-norms.
    Llama,
}

impl Architecture {
    const ALL: [Architecture; 2] = [Architecture::BitNet, Architecture::Llama];

    /// The class of transformers.
    pub fn as_str(self) -> &'static str {
        match self {
            Architecture::BitNet => "BitNetForCausalLM",
            Architecture::Llama => "LlamaForCausalLM",
        }
    }

    fn model_type(self) -> &'static str {
        match self {
            Architecture::BitNet => "bitnet",
            Architecture::Llama => "llama",
        }
    }

    /// Whether there are norms before the output and down projections.
    pub fn has_sub_norms(self) -> bool {
        self == Architecture::BitNet
    }

    /// What transformers takes when the file does not say: gate, eps of the norms, rotary base.
    fn defaults(self) -> (&'static str, f32, f32) {
        match self {
            Architecture::BitNet => ("relu2", 1e-5, 500_000.0),
            Architecture::Llama => ("silu", 1e-6, 10_000.0),
        }
    }
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
    rms_norm_eps: Option<f32>,
    hidden_act: Option<String>,
    rope_theta: Option<f32>,
    rope_parameters: Option<serde_json::Map<String, serde_json::Value>>,
    rope_scaling: Option<serde_json::Map<String, serde_json::Value>>,
    partial_rotary_factor: Option<f32>,
    /// Whether the head shares the embedding's rows.
    #[serde(default, deserialize_with = "or_default")]
    pub tie_word_embeddings: bool,
    eos_token_id: Option<OneOrMany>,
    #[serde(default, deserialize_with = "or_default")]
    attention_bias: bool,
    #[serde(default, deserialize_with = "or_default")]
    mlp_bias: bool,
    /// How linear layers are ternary.
    #[serde(default, rename = "quantization_config", deserialize_with = "or_default")]
    pub quantization: Quantization,
}

/// A field that is null counts as absent.
pub(super) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: serde::Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A number or a list of numbers.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

impl OneOrMany {
    pub fn list(&self) -> Vec<u32> {
        match self {
            OneOrMany::One(one) => vec![*one],
            OneOrMany::Many(many) => many.clone(),
        }
    }
}

impl CheckpointConfig {
    /// Reads and parses the file; what it describes must be known here.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut config: Self = read_json(
            path,
            "the config.json of a language model",
            "a checkpoint folder needs a config.json",
        )?;
        config.path = path.into();
        config.check()?;
        Ok(config)
    }

    fn error(&self, text: impl Into<String>) -> Error {
        Error::File { path: self.path.clone(), text: text.into() }
    }

    fn check(&self) -> Result<(), Error> {
        let architecture = self.architecture()?;
        self.gate()?;
        if self.attention_bias || self.mlp_bias {
            return Err(
                self.error("attention_bias or mlp_bias is true; linear layers here have no bias")
            );
        }
        if self.rope_parameters.is_some()
            && self.rope_scaling.is_some()
            && self.rope_parameters != self.rope_scaling
        {
            return Err(self.error("rope_parameters and rope_scaling differ; expected one of them"));
        }
        if self.partial_rotary_factor.is_some_and(|share| share != 1.0) {
            return Err(
                self.error("partial_rotary_factor is not 1; this version rotates whole heads")
            );
        }
        self.quantization.check().map_err(|text| self.error(text))?;
        if architecture == Architecture::Llama && !self.quantization.says_ternary() {
            return Err(self.error(
                "an ordinary Llama model: quantization_config has no quant_method \"bitnet\", so its \
                 weights are not ternary; this version runs ternary models",
            ));
        }
        if !architecture.has_sub_norms() && self.norm_eps()? == 0.0 {
            return Err(
                self.error("rms_norm_eps is 0; a model without sub-norms needs a positive one")
            );
        }
        Ok(())
    }

    /// The architecture: by `architectures`, or by `model_type` where that is absent.
    pub fn architecture(&self) -> Result<Architecture, Error> {
        let known = |a: &Architecture| {
            self.architectures.iter().any(|name| name == a.as_str())
                || (self.architectures.is_empty() && self.model_type == a.model_type())
        };
        Architecture::ALL.into_iter().find(known).ok_or_else(|| {
            self.error(format!(
                "unknown architecture {:?} (model_type {:?}); this version imports {}",
                self.architectures,
                self.model_type,
                Architecture::ALL.map(Architecture::as_str).join(", ")
            ))
        })
    }

    fn gate(&self) -> Result<Gate, Error> {
        let (default, ..) = self.architecture()?.defaults();
        match self.hidden_act.as_deref().unwrap_or(default) {
            "relu2" => Ok(Gate::Relu2),
            "silu" => Ok(Gate::Silu),
            other => Err(self.error(format!(
                "hidden_act {other:?}; this version computes the gates \"relu2\" and \"silu\""
            ))),
        }
    }

    fn norm_eps(&self) -> Result<f32, Error> {
        let (_, default, _) = self.architecture()?.defaults();
        Ok(self.rms_norm_eps.unwrap_or(default))
    }

    fn head_dim(&self) -> Result<usize, Error> {
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        match self.head_dim {
            Some(head_dim) if heads > 0 => Ok(head_dim),
            None if heads > 0 && hidden.is_multiple_of(heads) => Ok(hidden / heads),
            _ => Err(self.error(format!(
                "hidden_size {hidden} does not divide into {heads} heads and head_dim is not given"
            ))),
        }
    }

    /// What the rotary table is made of.
    pub fn rotary(&self) -> Result<Rotary, Error> {
        let (.., default) = self.architecture()?.defaults();
        let fields = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let theta = self.rope_theta.unwrap_or(default);
        rotary(fields, theta, self.head_dim()?, self.max_position_embeddings)
            .map_err(|text| self.error(text))
    }

    /// The golden model's configuration, checked.
    pub fn model(&self) -> Result<Config, Error> {
        let head_dim = self.head_dim()?;
        let heads = self.num_attention_heads;
        let mut config = Config {
            hidden: self.hidden_size,
            intermediate: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_dim,
            vocab: self.vocab_size,
            context: self.max_position_embeddings,
            rope_theta: 1.0,
            norm_eps: self.norm_eps()?,
            gate: self.gate()?,
            kv: KvFormat::Int8,
        };
        // Before the divisors of the rotary frequencies: head_dim has a limit.
        config.check().map_err(|e| self.error(e.to_string()))?;
        config.rope_theta = self.rotary()?.theta;
        config.check().map_err(|e| self.error(e.to_string()))?;
        Ok(config)
    }

    /// What `weight_scale` means in this checkpoint.
    pub fn scale_convention(&self) -> Result<ScaleConvention, Error> {
        self.quantization.scale_convention().map_err(|text| self.error(text))
    }

    /// Whether real weights are made ternary on load: the file says so, or nothing about it.
    pub fn ternary_on_load(&self) -> bool {
        self.quantization.mode() == Some("online") || !self.quantization.says_ternary()
    }

    /// Tokens that end a text, by this file.
    pub fn end_tokens(&self) -> Vec<u32> {
        self.eos_token_id.as_ref().map_or(Vec::new(), OneOrMany::list)
    }
}
