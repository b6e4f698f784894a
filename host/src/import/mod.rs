//! Checkpoints as Hugging Face stores them: `config.json`, `model.safetensors` (or shards with an
//! index), `tokenizer.json`, `generation_config.json`, chat template. Packed and unpacked ternary
//! weights of BitNet and Llama architectures load as they are.

mod any;
mod config;
mod files;
mod generation;
pub mod gguf;
mod quantization;
mod rope;
mod template;
mod tokenizer;
mod weights;

pub use any::AnyCheckpoint;
pub use config::{Architecture, CheckpointConfig};
pub use files::{Stored, TensorFiles, real_values};
pub use generation::{Generation, Sampling};
pub use quantization::{Quantization, ScaleConvention};
pub use rope::{Rotary, llama3_parameters};
pub use template::{Message, Template};
pub use tokenizer::{Tokenizer, TokenizerKind};
pub use weights::{PackedCodes, packed_rows, unpack_codes};

use crate::Error;
use serde::de::DeserializeOwned;
use std::{
    ops::Range,
    path::{Path, PathBuf},
};
use terntable_golden::{
    head::Head,
    model::{Config, Layer, LinearNorms, Model, Projection},
    rope::Rope,
};
use weights::Reader;

/// Rows of the head that are read at a time.
const HEAD_ROWS: usize = 1024;
/// Longest JSON file that is read. Real ones stay below half of it.
const MAX_JSON: u64 = 64 << 20;

/// A checkpoint folder. Its tensors are read part by part, as they are asked for; [`Checkpoint::model`]
/// reads them all.
#[derive(Debug)]
pub struct Checkpoint {
    /// Its folder.
    pub path: PathBuf,
    /// Its configuration.
    pub config: CheckpointConfig,
    /// Its generation defaults.
    pub generation: Generation,
    /// Its tensors.
    pub tensors: TensorFiles,
    sizes: Config,
}

impl Checkpoint {
    /// Opens a folder; reads the configuration and the headers of the tensor files.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if !path.is_dir() {
            return Err(Error::File {
                path: path.into(),
                text: "no such folder; expected a checkpoint folder with config.json, \
                       model.safetensors and tokenizer.json"
                    .into(),
            });
        }
        let config = CheckpointConfig::read(&path.join("config.json"))?;
        let sizes = config.model()?;
        let generation = Generation::read(&path.join("generation_config.json"))?;
        let tensors = TensorFiles::open(path)?;
        Ok(Self { path: path.into(), config, generation, tensors, sizes })
    }

    /// The model's sizes and constants.
    pub fn config(&self) -> &Config {
        &self.sizes
    }

    fn reader(&self) -> Result<Reader<'_>, Error> {
        let convention = self.config.scale_convention()?;
        let ternary_on_load = self.config.ternary_on_load();
        Ok(Reader { tensors: &self.tensors, convention, ternary_on_load })
    }

    /// A layer.
    pub fn layer(&self, index: usize) -> Result<Layer, Error> {
        let (reader, config) = (self.reader()?, &self.sizes);
        let prefix = format!("model.layers.{index}");
        let norm = |name: &str, n: usize| reader.vector(&format!("{prefix}.{name}.weight"), n);
        let sub_norm = |name: &str, n: usize| match self.config.architecture()?.has_sub_norms() {
            true => norm(name, n).map(Some),
            false => Ok(None),
        };
        let mut projections = Vec::with_capacity(Projection::ALL.len());
        for projection in Projection::ALL {
            let (rows, cols) = config.shape(projection);
            projections.push(reader.ternary(&projection_name(index, projection), rows, cols)?);
        }
        Ok(Layer {
            attention_norm: norm("input_layernorm", config.hidden)?,
            attention_sub_norm: sub_norm(
                "self_attn.attn_sub_norm",
                config.heads * config.head_dim,
            )?,
            ffn_norm: norm("post_attention_layernorm", config.hidden)?,
            ffn_sub_norm: sub_norm("mlp.ffn_sub_norm", config.intermediate)?,
            projections: projections.try_into().expect("one matrix a projection"),
            linear_norms: self.linear_norms(&reader, index)?,
        })
    }

    /// The norms inside the linear layers, where `config.json` says that there are such.
    fn linear_norms(
        &self,
        reader: &Reader<'_>,
        index: usize,
    ) -> Result<Option<LinearNorms>, Error> {
        let Some(eps) = self.config.quantization.linear_norm_eps() else {
            return Ok(None);
        };
        let mut weights = [const { Vec::new() }; 7];
        for projection in Projection::ALL {
            let name = format!("{}.rms_norm.weight", projection_name(index, projection));
            weights[projection as usize] = reader.vector(&name, self.sizes.shape(projection).1)?;
        }
        Ok(Some(LinearNorms { weights, eps }))
    }

    /// Embeddings of a range of tokens, row-major.
    pub fn embedding_rows(&self, tokens: Range<usize>) -> Result<Vec<f32>, Error> {
        let Config { vocab, hidden, .. } = self.sizes;
        self.reader()?.rows("model.embed_tokens.weight", (vocab, hidden), tokens)
    }

    /// Rows of the head of a range of tokens, row-major: the embeddings, if they are tied.
    pub fn head_rows(&self, tokens: Range<usize>) -> Result<Vec<f32>, Error> {
        let Config { vocab, hidden, .. } = self.sizes;
        match self.config.tie_word_embeddings {
            true => self.embedding_rows(tokens),
            false => self.reader()?.rows("lm_head.weight", (vocab, hidden), tokens),
        }
    }

    /// The norm before the head.
    pub fn norm(&self) -> Result<Vec<f32>, Error> {
        self.reader()?.vector("model.norm.weight", self.sizes.hidden)
    }

    /// The rotary table.
    pub fn rope(&self) -> Result<Rope, Error> {
        let Config { head_dim, context, .. } = self.sizes;
        let Rotary { theta, divisors } = self.config.rotary()?;
        Ok(Rope::divided(head_dim, theta, divisors, context))
    }

    /// The head, quantised, read part by part.
    pub fn head(&self) -> Result<Head, Error> {
        let Config { vocab, hidden, .. } = self.sizes;
        let starts = (0..vocab).step_by(HEAD_ROWS);
        let parts = starts.map(|from| self.head_rows(from..(from + HEAD_ROWS).min(vocab)));
        Head::from_parts(vocab, hidden, parts)
    }

    /// Refuses tensors that the model would use and nothing here reads: more layers than `config.json`
    /// says, biases, norms of another architecture. Reads no tensor.
    pub fn check_names(&self) -> Result<(), Error> {
        match self.tensors.names().find(|name| !self.has_place(name)) {
            None => Ok(()),
            Some(name) => Err(Error::Tensor {
                path: self.tensors.get(name).map_or(self.tensors.path(), |t| t.path).into(),
                tensor: name.into(),
                text:
                    "is in the file and has no place in the model that config.json describes; the \
                       results would be wrong without it"
                        .into(),
            }),
        }
    }

    /// Whether a tensor is used here, or by no model.
    fn has_place(&self, name: &str) -> bool {
        if let Some(rest) = name.strip_prefix("model.layers.") {
            let (layer, tensor) = rest.split_once('.').unwrap_or((rest, ""));
            let in_model = layer.parse().is_ok_and(|layer: usize| layer < self.sizes.layers);
            return name.ends_with("rotary_emb.inv_freq") || (in_model && self.in_layer(tensor));
        }
        !name.ends_with(".bias") && (!name.starts_with("lm_head.") || name == "lm_head.weight")
    }

    /// Whether layers have a tensor of this name.
    fn in_layer(&self, name: &str) -> bool {
        let norms: &[&str] = match self.config.architecture().is_ok_and(|a| a.has_sub_norms()) {
            true => &["self_attn.attn_sub_norm.weight", "mlp.ffn_sub_norm.weight"],
            false => &[],
        };
        let own = self.config.quantization.linear_norm_eps().map(|_| "rms_norm.weight");
        let of_projection = |projection| {
            let stem = projection_name(0, projection);
            let stem = stem.trim_start_matches("model.layers.0.");
            let last = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.'));
            last.is_some_and(|l| ["weight", "weight_scale"].contains(&l) || Some(l) == own)
        };
        ["input_layernorm.weight", "post_attention_layernorm.weight"].contains(&name)
            || norms.contains(&name)
            || Projection::ALL.into_iter().any(of_projection)
    }

    /// Reads and checks every tensor of the model.
    pub fn model(&self) -> Result<Model, Error> {
        self.check_names()?;
        let layers = (0..self.sizes.layers).map(|index| self.layer(index));
        Ok(Model {
            layers: layers.collect::<Result<_, _>>()?,
            norm: self.norm()?,
            embedding: self.embedding_rows(0..self.sizes.vocab)?,
            head: self.head()?,
            rope: self.rope()?,
            config: self.sizes.clone(),
        })
    }

    /// Checks all that [`Checkpoint::model`] checks and keeps nothing.
    pub fn verify(&self) -> Result<(), Error> {
        self.check_names()?;
        (0..self.sizes.layers).try_for_each(|index| self.layer(index).map(drop))?;
        self.norm()?;
        let vocab = self.sizes.vocab;
        (0..vocab).step_by(HEAD_ROWS).try_for_each(|from| {
            let rows = from..(from + HEAD_ROWS).min(vocab);
            self.embedding_rows(rows.clone())?;
            self.head_rows(rows).map(drop)
        })
    }

    /// The tokenizer, checked against the vocabulary.
    pub fn tokenizer(&self) -> Result<Tokenizer, Error> {
        Tokenizer::read(&self.path.join("tokenizer.json"), self.config.vocab_size)
    }

    /// The chat template, if the folder has one.
    pub fn template(&self) -> Result<Option<Template>, Error> {
        Template::read(&self.path)
    }

    /// Tokens that end a text: by `generation_config.json`, else by `config.json`.
    pub fn end_tokens(&self) -> Vec<u32> {
        self.generation.end_tokens().unwrap_or_else(|| self.config.end_tokens())
    }
}

/// Name of a projection's tensor, without `.weight`.
pub fn projection_name(layer: usize, projection: Projection) -> String {
    let block = match projection {
        Projection::Q | Projection::K | Projection::V | Projection::O => "self_attn",
        Projection::Gate | Projection::Up | Projection::Down => "mlp",
    };
    let name = format!("{projection:?}").to_lowercase();
    format!("model.layers.{layer}.{block}.{name}_proj")
}

/// Reads a whole small file, with a remedy in the error.
fn read_file(path: &Path, remedy: &'static str) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::Read { path: path.into(), source, remedy };
    let info = std::fs::metadata(path).map_err(unreadable)?;
    if !info.is_file() || info.len() > MAX_JSON {
        return Err(Error::File {
            path: path.into(),
            text: format!(
                "{} bytes; expected a plain file of at most {MAX_JSON}: {remedy}",
                info.len()
            ),
        });
    }
    std::fs::read(path).map_err(unreadable)
}

/// Reads a JSON file that is `what`.
fn read_json<T: DeserializeOwned>(
    path: &Path,
    what: &str,
    remedy: &'static str,
) -> Result<T, Error> {
    serde_json::from_slice(&read_file(path, remedy)?)
        .map_err(|e| Error::File { path: path.into(), text: format!("not {what}: {e}") })
}
