//! A checkpoint, wherever it lies: the one place where folders and GGUF files are told apart.

use super::{Checkpoint, Tokenizer, gguf::GgufCheckpoint, read_layer, weights::Reader};
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

    /// The golden model's configuration.
    pub fn config(&self) -> Result<Config, Error> {
        match self {
            Self::Folder(folder) => folder.config.model(),
            Self::Gguf(file) => Ok(file.config.clone()),
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

    /// Tokens that end a text.
    pub fn end_tokens(&self) -> Result<Vec<u32>, Error> {
        match self {
            Self::Folder(folder) => Ok(folder.config.end_tokens()),
            Self::Gguf(file) => file.end_tokens(),
        }
    }

    /// Rows of the embedding, of `hidden` elements each.
    pub fn embedding_rows(&self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        match self {
            Self::Folder(folder) => folder_rows(folder, "model.embed_tokens.weight", rows),
            Self::Gguf(file) => file.embedding_rows(rows),
        }
    }

    /// Rows of the head, of `hidden` elements each; a tied head has the embedding's.
    pub fn head_rows(&self, rows: Range<usize>) -> Result<Vec<f32>, Error> {
        match self {
            Self::Folder(_) if self.tied_head() => self.embedding_rows(rows),
            Self::Folder(folder) => folder_rows(folder, "lm_head.weight", rows),
            Self::Gguf(file) => file.head_rows(rows),
        }
    }

    /// The norm before the head.
    pub fn norm(&self) -> Result<Vec<f32>, Error> {
        match self {
            Self::Folder(folder) => {
                reader(folder)?.real("model.norm.weight", &[folder.config.model()?.hidden])
            }
            Self::Gguf(file) => file.norm(),
        }
    }

    /// What the rotary frequencies are divided by, unless nothing.
    pub fn rope_divisors(&self) -> Result<Option<Vec<f32>>, Error> {
        match self {
            Self::Folder(_) => Ok(None),
            Self::Gguf(file) => file.rope_divisors(),
        }
    }

    /// One layer.
    pub fn layer(&self, layer: usize) -> Result<Layer, Error> {
        match self {
            Self::Folder(folder) => read_layer(&reader(folder)?, &folder.config.model()?, layer),
            Self::Gguf(file) => file.layer(layer),
        }
    }

    /// Reads and checks every tensor of the model.
    pub fn model(&self) -> Result<Model, Error> {
        let config = match self {
            Self::Folder(folder) => return folder.model(),
            Self::Gguf(file) => file.config.clone(),
        };
        let embedding = self.embedding_rows(0..config.vocab)?;
        let head = if self.tied_head() {
            Head::new(config.vocab, config.hidden, &embedding)?
        } else {
            Head::new(config.vocab, config.hidden, &self.head_rows(0..config.vocab)?)?
        };
        let layers = (0..config.layers).map(|layer| self.layer(layer));
        let layers = layers.collect::<Result<_, _>>()?;
        let divisors = self.rope_divisors()?;
        Ok(Model {
            layers,
            norm: self.norm()?,
            rope: Rope::divided(config.head_dim, config.rope_theta, divisors, config.context),
            embedding,
            head,
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

fn reader(folder: &Checkpoint) -> Result<Reader<'_>, Error> {
    Ok(Reader::new(&folder.tensors, folder.config.scale_convention()?))
}

fn folder_rows(folder: &Checkpoint, name: &str, rows: Range<usize>) -> Result<Vec<f32>, Error> {
    let config = folder.config.model()?;
    let all = reader(folder)?.real(name, &[config.vocab, config.hidden])?;
    Ok(all[rows.start * config.hidden..rows.end * config.hidden].to_vec())
}
