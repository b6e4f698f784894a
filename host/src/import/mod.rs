//! Checkpoints as Hugging Face stores them: `config.json`, `model.safetensors` (or shards with an
//! index), `tokenizer.json`. Packed and unpacked BitNet weights load as they are.

mod any;
mod config;
mod files;
pub mod gguf;
mod tokenizer;
mod weights;

pub use any::AnyCheckpoint;
pub use config::{CheckpointConfig, ScaleConvention};
pub use files::{Stored, TensorFiles};
pub use tokenizer::Tokenizer;
pub use weights::{PackedCodes, packed_rows, real_values, unpack_codes};

use crate::Error;
use std::path::{Path, PathBuf};
use terntable_golden::{
    head::Head,
    model::{Config, Layer, Model, Projection},
    rope::Rope,
};
use weights::Reader;

/// A checkpoint folder.
#[derive(Debug)]
pub struct Checkpoint {
    /// Its folder.
    pub path: PathBuf,
    /// Its configuration.
    pub config: CheckpointConfig,
    /// Its tensors.
    pub tensors: TensorFiles,
}

impl Checkpoint {
    /// Opens a folder; reads the configuration and the tensor files and checks their headers.
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
        config.model()?;
        let tensors = TensorFiles::open(path)?;
        Ok(Self { path: path.into(), config, tensors })
    }

    /// Reads and checks every tensor of the model.
    pub fn model(&self) -> Result<Model, Error> {
        let config = self.config.model()?;
        let reader = Reader::new(&self.tensors, self.config.scale_convention()?);
        let embedding = reader.real("model.embed_tokens.weight", &[config.vocab, config.hidden])?;
        let head = if self.config.tie_word_embeddings {
            Head::new(config.vocab, config.hidden, &embedding)?
        } else {
            let rows = reader.real("lm_head.weight", &[config.vocab, config.hidden])?;
            Head::new(config.vocab, config.hidden, &rows)?
        };
        let layers = (0..config.layers).map(|l| read_layer(&reader, &config, l));
        let layers = layers.collect::<Result<_, _>>()?;
        let norm = reader.real("model.norm.weight", &[config.hidden])?;
        reader.check_all_read()?;
        Ok(Model {
            layers,
            norm,
            rope: Rope::new(config.head_dim, config.rope_theta, config.context),
            embedding,
            head,
            config,
        })
    }

    /// The tokenizer, checked against the vocabulary.
    pub fn tokenizer(&self) -> Result<Tokenizer, Error> {
        Tokenizer::read(&self.path.join("tokenizer.json"), self.config.vocab_size)
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

fn read_layer(reader: &Reader<'_>, config: &Config, layer: usize) -> Result<Layer, Error> {
    let norm = |name: &str, n: usize| reader.real(&format!("model.layers.{layer}.{name}"), &[n]);
    let mut projections = Vec::with_capacity(Projection::ALL.len());
    for projection in Projection::ALL {
        let (rows, cols) = config.shape(projection);
        projections.push(reader.ternary(&projection_name(layer, projection), rows, cols)?);
    }
    Ok(Layer {
        attention_norm: norm("input_layernorm.weight", config.hidden)?,
        attention_sub_norm: Some(norm(
            "self_attn.attn_sub_norm.weight",
            config.heads * config.head_dim,
        )?),
        ffn_norm: norm("post_attention_layernorm.weight", config.hidden)?,
        ffn_sub_norm: Some(norm("mlp.ffn_sub_norm.weight", config.intermediate)?),
        linear_norms: None,
        projections: projections.try_into().expect("one matrix a projection"),
    })
}

/// Reads a whole file, with a remedy in the error.
fn read_file(path: &Path, remedy: &'static str) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source, remedy })
}
