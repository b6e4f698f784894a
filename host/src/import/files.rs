//! Safetensors files: one, or shards with an index. Headers are read when a checkpoint is opened,
//! tensors when they are asked for, so that memory holds what is used.

use super::read_json;
use crate::Error;
use safetensors::{Dtype, tensor::Metadata};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Longest header that is read; those of the largest models stay below a tenth of it.
const MAX_HEADER: u64 = 16 << 20;
/// Bytes that are read and converted at a time.
const BLOCK: usize = 1 << 20;

/// A tensor as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// The file that holds it.
    pub path: &'a Path,
    /// Its name.
    pub name: &'a str,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: &'a [usize],
    /// Its bytes.
    pub len: usize,
    file: &'a File,
    start: u64,
}

impl Stored<'_> {
    /// An error that names file and tensor.
    pub fn wrong(&self, text: impl Into<String>) -> Error {
        Error::Tensor { path: self.path.into(), tensor: self.name.into(), text: text.into() }
    }

    /// Its bytes, little-endian, row-major.
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; self.len];
        self.read(&mut bytes, 0)?;
        Ok(bytes)
    }

    fn read(&self, into: &mut [u8], from: usize) -> Result<(), Error> {
        self.file.read_exact_at(into, self.start + from as u64).map_err(|source| Error::Read {
            path: self.path.into(),
            source,
            remedy: "the file changed since it was opened, or its disk fails: fetch it again",
        })
    }

    /// Calls `take` with blocks of its elements as binary32: those of a range of elements, in order.
    /// F32, BF16 and F16 are read.
    pub fn reals(
        &self,
        elements: Range<usize>,
        mut take: impl FnMut(&[f32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(width) = real_width(self.dtype) else {
            let text = format!("elements of type {:?}; expected F32, BF16 or F16", self.dtype);
            return Err(self.wrong(text));
        };
        let (mut from, end) = (elements.start * width, elements.end * width);
        let mut block = vec![0; BLOCK.min(end - from)];
        while from < end {
            let bytes = &mut block[..BLOCK.min(end - from)];
            self.read(bytes, from)?;
            take(&real_values(self.dtype, bytes).unwrap_or_default())?;
            from += bytes.len();
        }
        Ok(())
    }
}

/// Bytes of an element of a type that is read as binary32.
fn real_width(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F32 => Some(4),
        Dtype::BF16 | Dtype::F16 => Some(2),
        _ => None,
    }
}

/// Elements of type F32, BF16 or F16 as binary32, exact; nothing for other types.
pub fn real_values(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let pairs = || bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    Some(match dtype {
        Dtype::F32 => {
            let quads = bytes.chunks_exact(4);
            quads.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        Dtype::BF16 => pairs().map(|b| f32::from_bits(u32::from(b) << 16)).collect(),
        Dtype::F16 => pairs().map(half_to_single).collect(),
        _ => return None,
    })
}

/// IEEE binary16 to binary32, exact.
fn half_to_single(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
    }
}

#[derive(Debug)]
struct Entry {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    start: u64,
    len: usize,
}

#[derive(Debug)]
struct Shard {
    path: PathBuf,
    file: File,
    bytes: u64,
}

/// The tensor files of a checkpoint, open, their headers checked.
#[derive(Debug)]
pub struct TensorFiles {
    shards: Vec<Shard>,
    entries: BTreeMap<String, Entry>,
}

impl TensorFiles {
    /// Opens `model.safetensors`, or every shard that `model.safetensors.index.json` names.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let index = folder.join("model.safetensors.index.json");
        let mut tensors = Self { shards: Vec::new(), entries: BTreeMap::new() };
        if !index.is_file() {
            tensors.add(folder.join("model.safetensors"), |_| true)?;
            return Ok(tensors);
        }
        let places = shards(&index)?;
        let names: BTreeSet<&String> = places.values().collect();
        for name in names {
            tensors.add(folder.join(name), |tensor| places.get(tensor) == Some(name))?;
        }
        match places.iter().find(|(tensor, _)| !tensors.entries.contains_key(*tensor)) {
            None => Ok(tensors),
            Some((tensor, shard)) => Err(Error::File {
                text: format!(
                    "places tensor {tensor} in {shard}, which does not hold it: index and shards do \
                     not belong together; fetch them again"
                ),
                path: index,
            }),
        }
    }

    /// Adds the tensors of a file for which `wanted` holds: by the index, they are in this shard.
    fn add(&mut self, path: PathBuf, wanted: impl Fn(&str) -> bool) -> Result<(), Error> {
        let unreadable = |source| Error::Read {
            path: path.clone(),
            source,
            remedy: "a checkpoint folder needs its safetensors files",
        };
        let info = std::fs::metadata(&path).map_err(unreadable)?;
        if !info.is_file() {
            let text = "not a plain file; expected a safetensors file".into();
            return Err(Error::File { path, text });
        }
        let file = File::open(&path).map_err(unreadable)?;
        let (metadata, base) = header(&file, info.len()).map_err(|text| Error::File {
            path: path.clone(),
            text: format!(
                "not a whole safetensors file of {} bytes ({text}); the file may be truncated: fetch \
                 it again",
                info.len()
            ),
        })?;
        for (name, tensor) in metadata.tensors().into_iter().filter(|(name, _)| wanted(name)) {
            let (start, end) = tensor.data_offsets;
            let entry = Entry {
                file: self.shards.len(),
                dtype: tensor.dtype,
                shape: tensor.shape.clone(),
                start: base + start as u64,
                len: end - start,
            };
            self.entries.insert(name, entry);
        }
        self.shards.push(Shard { path, file, bytes: info.len() });
        Ok(())
    }

    /// A tensor by name.
    pub fn get(&self, name: &str) -> Option<Stored<'_>> {
        let (name, entry) = self.entries.get_key_value(name)?;
        let Shard { path, file, .. } = &self.shards[entry.file];
        let Entry { dtype, ref shape, start, len, .. } = *entry;
        Some(Stored { path, name, dtype, shape, len, file, start })
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The first file: where a missing tensor was looked for.
    pub fn path(&self) -> &Path {
        &self.shards[0].path
    }

    /// Number of files.
    pub fn count(&self) -> usize {
        self.shards.len()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.bytes).sum()
    }
}

/// The header of a file of `bytes` bytes, and where its data begins. The `safetensors` crate checks that
/// tensors have the sizes of their shapes and follow each other without hole or overlap.
fn header(file: &File, bytes: u64) -> Result<(Metadata, u64), String> {
    let mut length = [0; 8];
    if bytes < 8 {
        return Err("no room for the length of a header".into());
    }
    file.read_exact_at(&mut length, 0).map_err(|e| e.to_string())?;
    let length = u64::from_le_bytes(length);
    if length > bytes - 8 {
        return Err(format!("its header claims {length} bytes"));
    }
    if length > MAX_HEADER {
        return Err(format!("a header of {length} bytes; at most {MAX_HEADER} are read"));
    }
    let mut text = vec![0; length as usize];
    file.read_exact_at(&mut text, 8).map_err(|e| e.to_string())?;
    let metadata: Metadata =
        serde_json::from_slice(&text).map_err(|e| format!("its header: {e}"))?;
    let (found, expected) = (bytes - 8 - length, metadata.data_len() as u64);
    match found == expected {
        true => Ok((metadata, 8 + length)),
        false => Err(format!("{found} bytes of data, {expected} by its header")),
    }
}

/// The file of every tensor by the index; names that leave the folder are refused.
fn shards(index: &Path) -> Result<BTreeMap<String, String>, Error> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let fail = |text: String| Error::File { path: index.into(), text };
    let Index { weight_map: places } =
        read_json(index, "an index of safetensors shards", "a sharded checkpoint has an index")?;
    if places.is_empty() {
        return Err(fail("names no shard; expected at least one".into()));
    }
    if let Some(name) = places.values().find(|name| name.contains(['/', '\\'])) {
        return Err(fail(format!("names the shard {name:?}; expected files beside the index")));
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_convert_exactly() {
        for (bits, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 2.0_f32.powi(-24)), (0x7bff, 65504.0)]
        {
            assert_eq!(half_to_single(bits), value);
        }
        assert!(half_to_single(0x7e00).is_nan());
        assert_eq!(half_to_single(0xfc00), f32::NEG_INFINITY);
    }
}
