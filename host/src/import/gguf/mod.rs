//! Checkpoints in one GGUF file: `bitnet`, `bitnet-b1.58`, `bitnet-25` and `llama` architectures of
//! mainline llama.cpp and of the BitNet fork.

mod config;
mod tokenizer;

pub use config::Architecture;
use tokenizer::special;
pub use tokenizer::{Pieces, Pre, tokenizer_json};

use super::{Template, Tokenizer};
use crate::Error;
use std::{ops::Range, path::Path};
use terntable_gguf::{Gguf, Tensor, Trits};
use terntable_golden::{
    model::{Config, Layer, Projection},
    ternary::Ternary,
};

/// The embedding's tensor.
pub const EMBEDDING: &str = "token_embd.weight";
/// The tensor of a head of its own.
pub const HEAD: &str = "output.weight";
/// The last norm's tensor.
pub const NORM: &str = "output_norm.weight";
/// The tensor that divides rotary frequencies.
pub const ROPE_DIVISORS: &str = "rope_freqs.weight";
/// Our key of the exact scales, one a projection in the order of layers and of [`Projection::ALL`]:
/// blocks of TQ2_0 hold binary16. Other software does not look at it.
pub const SCALES: &str = "terntable.scales";

/// A checkpoint in a GGUF file.
#[derive(Debug)]
pub struct GgufCheckpoint {
    /// The file.
    pub gguf: Gguf,
    /// Its architecture.
    pub architecture: Architecture,
    /// The model's sizes and constants.
    pub config: Config,
    /// Exact scales of the projections, of files that have them.
    scales: Option<Vec<f32>>,
}

/// Name of a projection's tensor, without `.weight`.
pub fn projection_name(layer: usize, projection: Projection) -> String {
    let name = match projection {
        Projection::Q => "attn_q",
        Projection::K => "attn_k",
        Projection::V => "attn_v",
        Projection::O => "attn_output",
        Projection::Gate => "ffn_gate",
        Projection::Up => "ffn_up",
        Projection::Down => "ffn_down",
    };
    format!("blk.{layer}.{name}")
}

/// Where row `row` of the golden model's Q or K stands in a file whose rotary pairs lie side by side:
/// element i of the first half of a head at 2i, of the second half at 2i + 1.
pub fn interleaved_row(row: usize, head_dim: usize) -> usize {
    let (head, at) = (row / head_dim, row % head_dim);
    head * head_dim + 2 * (at % (head_dim / 2)) + at / (head_dim / 2)
}

impl GgufCheckpoint {
    /// Opens a file; checks its header, its keys, and that every tensor of the model is there in its
    /// shape and no other.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let gguf = Gguf::open(path)?;
        let (architecture, config) = config::read(&gguf)?;
        let scales = gguf.reals(SCALES)?;
        let expected = config.layers * Projection::ALL.len();
        if let Some(found) = scales.as_ref().map(Vec::len).filter(|found| *found != expected) {
            let text = format!("{found} scales; expected {expected}: the file is damaged");
            return Err(gguf.key_error(SCALES, text).into());
        }
        let checkpoint = Self { gguf, architecture, config, scales };
        checkpoint.check_tensors()?;
        Ok(checkpoint)
    }

    /// Whether the head has the embedding's rows.
    pub fn tied_head(&self) -> bool {
        self.gguf.tensor(HEAD).is_none()
    }

    /// Rows of the embedding, of `hidden` elements each.
    pub fn embedding_rows(&self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        self.real_rows(EMBEDDING, rows)
    }

    /// Rows of the head, of `hidden` elements each; a tied head has the embedding's.
    pub fn head_rows(&self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        self.real_rows(if self.tied_head() { EMBEDDING } else { HEAD }, rows)
    }

    /// The norm before the head.
    pub fn norm(&self) -> Result<Vec<f32>, Error> {
        self.real_rows(NORM, 0..1)
    }

    /// What the rotary frequencies are divided by, unless nothing.
    pub fn rope_divisors(&self) -> Result<Option<Vec<f32>>, Error> {
        if self.gguf.tensor(ROPE_DIVISORS).is_none() {
            return Ok(None);
        }
        let divisors = self.real_rows(ROPE_DIVISORS, 0..1)?;
        match divisors.iter().find(|d| **d <= 0.0) {
            None => Ok(Some(divisors)),
            Some(d) => Err(self
                .gguf
                .tensor_error(ROPE_DIVISORS, format!("holds {d}; expected positive numbers"))
                .into()),
        }
    }

    /// A layer, its matrices recovered exactly.
    pub fn layer(&self, layer: usize) -> Result<Layer, Error> {
        let norm = |name: &str| self.real_rows(&format!("blk.{layer}.{name}.weight"), 0..1);
        let sub_norm = |name| self.architecture.sub_norms().then(|| norm(name)).transpose();
        let mut projections = Vec::with_capacity(Projection::ALL.len());
        for projection in Projection::ALL {
            projections.push(self.ternary(layer, projection)?);
        }
        Ok(Layer {
            attention_norm: norm("attn_norm")?,
            attention_sub_norm: sub_norm("attn_sub_norm")?,
            ffn_norm: norm("ffn_norm")?,
            ffn_sub_norm: sub_norm("ffn_sub_norm")?,
            linear_norms: None,
            projections: projections.try_into().expect("one matrix a projection"),
        })
    }

    /// The tokenizer that the file's keys describe.
    pub fn tokenizer(&self) -> Result<Tokenizer, Error> {
        let pieces = Pieces::read(&self.gguf)?;
        let (count, vocab) = (pieces.count(), self.config.vocab);
        if count != vocab {
            let text = format!("{count} tokens; expected {vocab}, the rows of {EMBEDDING}");
            return Err(self.gguf.key_error(tokenizer::TOKENS, text).into());
        }
        let json = tokenizer_json(&pieces).to_string();
        Tokenizer::parse(self.gguf.path(), json.as_bytes(), self.config.vocab)
    }

    /// Tokens that end a text. A file that does not say what ends a turn has it by name, as llama.cpp
    /// finds it: the keys of old converters lack it.
    pub fn end_tokens(&self) -> Result<Vec<u32>, Error> {
        let mut tokens = Vec::new();
        for name in ["eos", "eot", "eom"] {
            tokens.extend(tokenizer::special(&self.gguf, name)?.filter(|t| !tokens.contains(t)));
        }
        if tokenizer::special(&self.gguf, "eot")?.is_none() {
            let pieces = self.gguf.strings(tokenizer::TOKENS)?.unwrap_or_default();
            let ends = |piece: &&str| tokenizer::TURN_ENDS.contains(piece);
            let by_name = pieces.iter().position(ends).map(|id| id as u32);
            tokens.extend(by_name.filter(|id| !tokens.contains(id)));
        }
        Ok(tokens)
    }

    /// The template of chats, where the file has one.
    pub fn chat_template(&self) -> Result<Option<&str>, Error> {
        Ok(self.gguf.string("tokenizer.chat_template")?)
    }

    /// The chat template, ready to be used.
    pub fn template(&self) -> Result<Option<Template>, Error> {
        let Some(source) = self.chat_template()? else { return Ok(None) };
        let pieces = Pieces::read(&self.gguf)?;
        let token = |name| -> Result<Option<String>, Error> {
            Ok(special(&self.gguf, name)?.map(|id| pieces.token(id).to_string()))
        };
        let (bos, eos) = (token("bos")?.unwrap_or_default(), token("eos")?);
        Template::parse(self.gguf.path().into(), source.into(), bos, eos).map(Some)
    }

    fn real_rows(&self, name: &str, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        let Some(tensor) = self.gguf.tensor(name) else {
            return Err(self.gguf.tensor_error(name, "missing; the file is incomplete").into());
        };
        let first = rows.start * tensor.cols() as usize;
        let values = self.gguf.rows(tensor, rows.start as u64..rows.end as u64)?;
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(values),
            Some(at) => {
                let text = format!(
                    "element {} is {}; expected finite numbers: the tensor is damaged",
                    first + at,
                    values[at]
                );
                Err(self.gguf.tensor_error(name, text).into())
            }
        }
    }

    /// A projection's matrix, its rows in the golden model's order.
    fn ternary(&self, layer: usize, projection: Projection) -> Result<Ternary, Error> {
        let (rows, cols) = self.config.shape(projection);
        let stem = projection_name(layer, projection);
        let name = format!("{stem}.weight");
        let Some(tensor) = self.gguf.tensor(&name) else {
            return Err(self.gguf.tensor_error(&name, "missing; the file is incomplete").into());
        };
        let mut trits = self.gguf.trits(tensor)?;
        let scale = self.scale(layer, projection, tensor, &trits)?;
        if self.architecture.interleaved() && [Projection::Q, Projection::K].contains(&projection) {
            let row = |row| interleaved_row(row, self.config.head_dim) * cols;
            trits.weights =
                (0..rows).flat_map(|r| trits.weights[row(r)..][..cols].iter().copied()).collect();
        }
        Ok(Ternary::new(rows, cols, trits.weights, scale)?)
    }

    /// The scale of a projection: that of its blocks, times the tensor that some converters put beside
    /// it; or the exact one that we wrote, of which the blocks must have the rounded one.
    fn scale(
        &self,
        layer: usize,
        projection: Projection,
        tensor: &Tensor,
        trits: &Trits,
    ) -> Result<f32, Error> {
        let name = format!("{}.scale", projection_name(layer, projection));
        let beside = match self.gguf.tensor(&name) {
            Some(_) => self.real_rows(&name, 0..1)?[0],
            None => 1.0,
        };
        let scale = trits.scale * beside;
        if !(scale.is_finite() && scale > 0.0) {
            let text = format!("the scale is {scale}; expected a positive finite number: damaged");
            return Err(self.gguf.tensor_error(&tensor.name, text).into());
        }
        let Some(scales) = &self.scales else {
            return Ok(scale);
        };
        let exact = scales[layer * Projection::ALL.len() + projection as usize];
        // A matrix of zeros alone says nothing of its scale.
        let zeros = || exact > 0.0 && trits.weights.iter().all(|&w| w == 0);
        if (exact - scale).abs() <= exact / 2048.0 || zeros() {
            return Ok(exact);
        }
        let text = format!(
            "its blocks have the scale {scale} and {SCALES} says {exact}; expected the same but for \
             rounding: other software changed the file; remove the key"
        );
        Err(self.gguf.tensor_error(&tensor.name, text).into())
    }

    /// Every tensor that the model needs, with its shape as the file has it.
    fn check_tensors(&self) -> Result<(), Error> {
        let config = &self.config;
        let heads = config.heads * config.head_dim;
        let mut expected = vec![
            (EMBEDDING.to_string(), vec![config.hidden, config.vocab], true),
            (HEAD.to_string(), vec![config.hidden, config.vocab], false),
            (NORM.to_string(), vec![config.hidden], true),
            (ROPE_DIVISORS.to_string(), vec![config.head_dim / 2], false),
        ];
        // A file has no more layers than tensors; without this, block_count decides how long this takes.
        let layers = config.layers.min(self.gguf.tensors().len());
        for layer in 0..layers {
            let sub_norms = self.architecture.sub_norms();
            let norms = [
                ("attn_norm", config.hidden, true),
                ("attn_sub_norm", heads, sub_norms),
                ("ffn_norm", config.hidden, true),
                ("ffn_sub_norm", config.intermediate, sub_norms),
            ];
            for (name, length, _) in norms.into_iter().filter(|(_, _, there)| *there) {
                expected.push((format!("blk.{layer}.{name}.weight"), vec![length], true));
            }
            for projection in Projection::ALL {
                let stem = projection_name(layer, projection);
                let (rows, cols) = config.shape(projection);
                expected.push((format!("{stem}.weight"), vec![cols, rows], true));
                expected.push((format!("{stem}.scale"), vec![1], false));
            }
        }
        for (name, shape, required) in &expected {
            let shape: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
            let text = match self.gguf.tensor(name) {
                None if !*required => continue,
                Some(tensor) if tensor.shape == shape => continue,
                None => "missing; the file is incomplete or its keys are another model's".into(),
                Some(tensor) => format!(
                    "shape {:?}; expected {shape:?} by the file's keys (row length first)",
                    tensor.shape
                ),
            };
            return Err(self.gguf.tensor_error(name, text).into());
        }
        let names: std::collections::BTreeSet<&str> =
            expected.iter().map(|(name, _, _)| name.as_str()).collect();
        match self.gguf.tensors().iter().find(|tensor| !names.contains(tensor.name.as_str())) {
            None => Ok(()),
            Some(tensor) => {
                let text = format!(
                    "is in the file and has no place in a model of architecture {}; the results would \
                     be wrong without it",
                    self.gguf.architecture().unwrap_or_default()
                );
                Err(self.gguf.tensor_error(&tensor.name, text).into())
            }
        }
    }
}
