//! A checkpoint, wherever it lies: the one place where folders and GGUF files are told apart.

use super::{Checkpoint, HEAD_ROWS, Sampling, Template, Tokenizer, gguf::GgufCheckpoint};
use crate::Error;
use std::{io::Read, ops::Range, path::Path};
use terntable_golden::{
    card::image::MAGIC,
    head::Head,
    model::{Config, Layer, Model},
    rope::Rope,
};

/// A checkpoint of any kind.
#[derive(Debug)]
pub enum AnyCheckpoint {
    /// A folder as Hugging Face stores it.
    Folder(Box<Checkpoint>),
    /// One GGUF file.
    Gguf(Box<GgufCheckpoint>),
}

impl AnyCheckpoint {
    /// Opens a GGUF file or a folder.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if path.is_file() {
            refuse_image(path)?;
            return Ok(Self::Gguf(Box::new(GgufCheckpoint::open(path)?)));
        }
        Ok(Self::Folder(Box::new(Checkpoint::open(path)?)))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(folder) => &folder.path,
            Self::Gguf(file) => file.gguf.path(),
        }
    }

    /// Its name: what a GGUF file says, else that of the folder or file without its ending.
    pub fn name(&self) -> String {
        let path = self.path().canonicalize().unwrap_or_else(|_| self.path().into());
        let name = match self {
            Self::Folder(_) => path.file_name(),
            Self::Gguf(file) => match file.gguf.string("general.name") {
                Ok(Some(name)) => return name.into(),
                _ => path.file_stem(),
            },
        };
        name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The model's sizes and constants.
    pub fn config(&self) -> &Config {
        match self {
            Self::Folder(folder) => folder.config(),
            Self::Gguf(file) => &file.config,
        }
    }

    /// Whether the head has the embedding's rows.
    pub fn tied_head(&self) -> bool {
        match self {
            Self::Folder(folder) => folder.config.tie_word_embeddings,
            Self::Gguf(file) => file.tied_head(),
        }
    }

    /// The tokenizer, checked against the vocabulary.
    pub fn tokenizer(&self) -> Result<Tokenizer, Error> {
        match self {
            Self::Folder(folder) => folder.tokenizer(),
            Self::Gguf(file) => file.tokenizer(),
        }
    }

    /// The chat template, if there is one.
    pub fn template(&self) -> Result<Option<Template>, Error> {
        match self {
            Self::Folder(folder) => folder.template(),
            Self::Gguf(file) => file.template(),
        }
    }

    /// How the model's makers sample; a GGUF file does not say: greedy.
    pub fn sampling(&self) -> Sampling {
        match self {
            Self::Folder(folder) => folder.generation.sampling(),
            Self::Gguf(_) => Sampling::GREEDY,
        }
    }

    /// Tokens that end a text.
    pub fn end_tokens(&self) -> Result<Vec<u32>, Error> {
        match self {
            Self::Folder(folder) => Ok(folder.end_tokens()),
            Self::Gguf(file) => file.end_tokens(),
        }
    }

    /// Rows of the embedding, of `hidden` elements each.
    pub fn embedding_rows(&self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        match self {
            Self::Folder(folder) => folder.embedding_rows(rows),
            Self::Gguf(file) => file.embedding_rows(rows),
        }
    }

    /// Rows of the head, of `hidden` elements each; a tied head has the embedding's.
    pub fn head_rows(&self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        match self {
            Self::Folder(folder) => folder.head_rows(rows),
            Self::Gguf(file) => file.head_rows(rows),
        }
    }

    /// The norm before the head.
    pub fn norm(&self) -> Result<Vec<f32>, Error> {
        match self {
            Self::Folder(folder) => folder.norm(),
            Self::Gguf(file) => file.norm(),
        }
    }

    /// What the rotary frequencies are divided by, unless nothing.
    pub fn rope_divisors(&self) -> Result<Option<Vec<f32>>, Error> {
        match self {
            Self::Folder(folder) => Ok(folder.config.rotary()?.divisors),
            Self::Gguf(file) => file.rope_divisors(),
        }
    }

    /// The rotary table.
    pub fn rope(&self) -> Result<Rope, Error> {
        let Config { head_dim, rope_theta, context, .. } = *self.config();
        Ok(Rope::divided(head_dim, rope_theta, self.rope_divisors()?, context))
    }

    /// One layer.
    pub fn layer(&self, layer: usize) -> Result<Layer, Error> {
        match self {
            Self::Folder(folder) => folder.layer(layer),
            Self::Gguf(file) => file.layer(layer),
        }
    }

    /// Refuses tensors that the model would use and nothing here reads. Reads no tensor.
    pub fn check_names(&self) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => folder.check_names(),
            // Checked when it was opened.
            Self::Gguf(_) => Ok(()),
        }
    }

    /// Reads and checks every tensor of the model.
    pub fn model(&self) -> Result<Model, Error> {
        self.check_names()?;
        let config = self.config().clone();
        let layers = (0..config.layers).map(|layer| self.layer(layer));
        let starts = (0..config.vocab).step_by(HEAD_ROWS);
        let rows = starts.map(|from| self.head_rows(from..(from + HEAD_ROWS).min(config.vocab)));
        Ok(Model {
            layers: layers.collect::<Result<_, _>>()?,
            norm: self.norm()?,
            embedding: self.embedding_rows(0..config.vocab)?,
            head: Head::from_parts(config.vocab, config.hidden, rows)?,
            rope: self.rope()?,
            config,
        })
    }
}

/// An image has no checkpoint in it.
fn refuse_image(path: &Path) -> Result<(), Error> {
    let mut magic = [0; MAGIC.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    if read.is_err() || magic != MAGIC {
        return Ok(());
    }
    let text = "is a card image, of which no checkpoint can be made; give the checkpoint folder or the \
                GGUF file from which it was packed";
    Err(Error::File { path: path.into(), text: text.into() })
}
