//! Safetensors files: one, or shards with an index.

use super::read_file;
use crate::Error;
use safetensors::{Dtype, SafeTensors};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// A tensor as it is stored.
#[derive(Debug, Clone)]
pub struct Stored<'a> {
    /// The file that holds it.
    pub path: &'a Path,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its bytes, little-endian, row-major.
    pub bytes: &'a [u8],
}

#[derive(Debug)]
struct Entry {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    range: std::ops::Range<usize>,
}

/// The tensor files of a checkpoint, in memory, their headers checked.
#[derive(Debug)]
pub struct TensorFiles {
    files: Vec<(PathBuf, Vec<u8>)>,
    entries: BTreeMap<String, Entry>,
}

impl TensorFiles {
    /// Reads `model.safetensors`, or every shard that `model.safetensors.index.json` names.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let index = folder.join("model.safetensors.index.json");
        let mut tensors = Self { files: Vec::new(), entries: BTreeMap::new() };
        if index.is_file() {
            let places = shards(&index)?;
            let names: BTreeSet<&String> = places.values().collect();
            for name in names {
                let here = |tensor: &str| places.get(tensor) == Some(name);
                tensors.add(folder.join(name), here)?;
            }
        } else {
            tensors.add(folder.join("model.safetensors"), |_| true)?;
        }
        Ok(tensors)
    }

    /// Adds the tensors of a file for which `wanted` holds: by the index, they are in this shard.
    fn add(&mut self, path: PathBuf, wanted: impl Fn(&str) -> bool) -> Result<(), Error> {
        let bytes = read_file(&path, "a checkpoint folder needs its safetensors files")?;
        let file = self.files.len();
        let damaged = |e: safetensors::SafeTensorError| Error::File {
            text: format!(
                "not a whole safetensors file of {} bytes ({e}); the file may be truncated: \
                 fetch it again",
                bytes.len()
            ),
            path: path.clone(),
        };
        let parsed = SafeTensors::deserialize(&bytes).map_err(damaged)?;
        let base = bytes.as_ptr() as usize;
        for (name, view) in parsed.iter().filter(|(name, _)| wanted(name)) {
            let start = view.data().as_ptr() as usize - base;
            let entry = Entry {
                file,
                dtype: view.dtype(),
                shape: view.shape().to_vec(),
                range: start..start + view.data().len(),
            };
            self.entries.insert(name.to_string(), entry);
        }
        self.files.push((path, bytes));
        Ok(())
    }

    /// A tensor by name.
    pub fn get(&self, name: &str) -> Option<Stored<'_>> {
        let entry = self.entries.get(name)?;
        let (path, bytes) = &self.files[entry.file];
        Some(Stored {
            path,
            dtype: entry.dtype,
            shape: entry.shape.clone(),
            bytes: &bytes[entry.range.clone()],
        })
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The first file: where a missing tensor was looked for.
    pub fn path(&self) -> &Path {
        &self.files[0].0
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> usize {
        self.files.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// The file of every tensor by the index; names that leave the folder are refused.
fn shards(index: &Path) -> Result<BTreeMap<String, String>, Error> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let fail = |text: String| Error::File { path: index.into(), text };
    let bytes = read_file(index, "the index of a sharded checkpoint")?;
    let parsed: Index = serde_json::from_slice(&bytes)
        .map_err(|e| fail(format!("not an index of safetensors shards: {e}")))?;
    let places = parsed.weight_map;
    if places.is_empty() {
        return Err(fail("names no shard; expected at least one".into()));
    }
    if let Some(name) = places.values().find(|name| name.contains(['/', '\\'])) {
        return Err(fail(format!("names the shard {name:?}; expected files beside the index")));
    }
    Ok(places)
}
