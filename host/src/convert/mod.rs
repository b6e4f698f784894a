//! Checkpoints from one format to another; every weight is kept.

mod folder;
mod gguf;
mod manifest;

pub use manifest::{Hashed, hash};

use crate::{
    Error,
    import::AnyCheckpoint,
    pack::{self, PackOptions},
};
use std::path::Path;
use terntable_gguf::ElementType;
use terntable_golden::card::config::CardConfig;

/// What to write.
#[derive(Debug, Clone)]
pub enum Target {
    /// A folder as Hugging Face stores it, packed.
    Folder,
    /// A GGUF file with TQ2_0 matrices.
    Gguf {
        /// Type of embedding and head; by default the smallest that keeps every value.
        embedding: Option<ElementType>,
    },
    /// An image for a card.
    Image(Box<CardConfig>),
}

/// Converts a checkpoint; says what the reader of the output should know. `progress` is told how many
/// of how many parts are done.
pub fn convert(
    checkpoint: &AnyCheckpoint,
    target: &Target,
    out: &Path,
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<String>, Error> {
    match target {
        Target::Folder => folder::write(checkpoint, out, &mut progress),
        Target::Gguf { embedding } => gguf::write(checkpoint, out, *embedding, &mut progress),
        Target::Image(card) => {
            let options = PackOptions { name: checkpoint.name(), ..PackOptions::default() };
            pack::write(&pack::pack(checkpoint, card, &options, progress)?, out)?;
            Ok(Vec::new())
        }
    }
}

/// Refuses an output that is there already, unless it may be replaced, and one that is the input.
pub fn check_output(input: &Path, out: &Path, force: bool) -> Result<(), Error> {
    let fail = |text: &str| Err(Error::File { path: out.into(), text: text.into() });
    let same = |a: &Path, b: &Path| {
        a.canonicalize().ok().is_some_and(|a| b.canonicalize().ok() == Some(a))
    };
    if same(input, out) {
        return fail("is the input; give another output");
    }
    let empty =
        |path: &Path| std::fs::read_dir(path).is_ok_and(|mut folder| folder.next().is_none());
    if out.exists() && !empty(out) && !force {
        return fail("exists; give another output, or --force to replace it");
    }
    Ok(())
}

/// Rows of embedding and head that are held at a time.
const ROWS: usize = 8192;

/// The first of these types that keeps every value of the rows that `rows` gives; F32 if none does.
fn lossless(checkpoint: &AnyCheckpoint, types: [ElementType; 2]) -> Result<ElementType, Error> {
    let vocab = checkpoint.config().vocab;
    let mut fits = [true; 2];
    for start in (0..vocab).step_by(ROWS) {
        let range = start..vocab.min(start + ROWS);
        let mut look = |values: Vec<f32>| {
            for (fits, element) in fits.iter_mut().zip(types) {
                *fits = *fits && values.iter().all(|v| keeps(element, *v));
            }
        };
        look(checkpoint.embedding_rows(range.clone())?);
        if !checkpoint.tied_head() {
            look(checkpoint.head_rows(range)?);
        }
    }
    let found = types.into_iter().zip(fits).find(|(_, fits)| *fits);
    Ok(found.map_or(ElementType::F32, |(element, _)| element))
}

/// Whether a 16-bit type keeps a value.
fn keeps(element: ElementType, value: f32) -> bool {
    let back = match element {
        ElementType::F16 => half::f16::from_f32(value).to_f32(),
        ElementType::Bf16 => half::bf16::from_f32(value).to_f32(),
        _ => value,
    };
    back.to_bits() == value.to_bits()
}

/// Values as stored.
fn encode(element: ElementType, values: &[f32]) -> Vec<u8> {
    match element {
        ElementType::F16 => terntable_gguf::f16(values),
        ElementType::Bf16 => terntable_gguf::bf16(values),
        ElementType::Q8_0 => terntable_gguf::q8_0(values),
        _ => terntable_gguf::f32(values),
    }
}
