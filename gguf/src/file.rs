//! An open file: typed keys, tensors in their places, rows and matrices.

use crate::{
    DEFAULT_ALIGNMENT, ElementType, Error, Trits, Value,
    dequantise::dequantise,
    header::{self, Header},
    ternary::recover,
};
use std::{
    collections::BTreeMap,
    fs::File,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// A tensor: where it lies and what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// What its elements are stored as.
    pub element: ElementType,
    /// Its shape as the file has it: the row length first.
    pub shape: Vec<u64>,
    /// Bytes, without padding.
    pub bytes: u64,
    /// Where it begins in the file.
    start: u64,
}

impl Tensor {
    /// Elements of a row.
    pub fn cols(&self) -> u64 {
        self.shape[0]
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.shape[1..].iter().product()
    }
}

/// A GGUF file, its header checked and its tensors in place.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    file: File,
    length: u64,
    version: u32,
    alignment: u64,
    keys: BTreeMap<String, Value>,
    tensors: Vec<Tensor>,
    by_name: BTreeMap<String, usize>,
}

impl Gguf {
    /// Opens a file, reads its header and checks that its tensors fill it without hole or overlap.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let cannot = |source| Error::Read { path: path.into(), source };
        let file = File::open(path).map_err(cannot)?;
        let length = file.metadata().map_err(cannot)?.len();
        let header = header::parse(path, &file, length)?;
        let alignment = alignment(path, &header)?;
        let tensors = place(path, &header, alignment, length)?;
        let by_name = tensors.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect();
        let Header { version, keys, .. } = header;
        Ok(Self { path: path.into(), file, length, version, alignment, keys, tensors, by_name })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Version of the format, 2 or 3.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Alignment of tensors, bytes.
    pub fn alignment(&self) -> u64 {
        self.alignment
    }

    /// All keys and values, sorted.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.keys.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// `general.architecture`, where it is a string.
    pub fn architecture(&self) -> Option<&str> {
        match self.keys.get("general.architecture") {
            Some(Value::String(name)) => Some(name),
            _ => None,
        }
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.keys.get(key) else {
            return Ok(None);
        };
        let wrong = || self.key_error(key, format!("{:?}; expected {expected}", value.kind()));
        convert(value).map(Some).ok_or_else(wrong)
    }

    /// A string, if the key is there.
    pub fn string(&self, key: &str) -> Result<Option<&str>, Error> {
        self.typed(key, "a string", |value| match value {
            Value::String(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A whole number, if the key is there.
    pub fn unsigned(&self, key: &str) -> Result<Option<u64>, Error> {
        self.typed(key, "a number that is 0 or more", Value::as_unsigned)
    }

    /// A real number, if the key is there.
    pub fn real(&self, key: &str) -> Result<Option<f32>, Error> {
        self.typed(key, "a real number", Value::as_real)
    }

    /// A boolean, if the key is there.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, Error> {
        self.typed(key, "a boolean", |value| match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        })
    }

    /// Strings, if the key is there.
    pub fn strings(&self, key: &str) -> Result<Option<Vec<&str>>, Error> {
        self.typed(key, "an array of strings", |value| match value {
            Value::Array(array) => Some(array.as_strings()?.collect()),
            _ => None,
        })
    }

    /// Real numbers, if the key is there.
    pub fn reals(&self, key: &str) -> Result<Option<Vec<f32>>, Error> {
        self.typed(key, "an array of real numbers", |value| match value {
            Value::Array(array) => array.as_values()?.map(|v| v.as_real()).collect(),
            _ => None,
        })
    }

    /// Whole numbers, or a single one, if the key is there.
    pub fn unsigneds(&self, key: &str) -> Result<Option<Vec<u64>>, Error> {
        self.typed(key, "numbers that are 0 or more", |value| match value {
            Value::Array(array) => array.as_values()?.map(|v| v.as_unsigned()).collect(),
            value => Some(vec![value.as_unsigned()?]),
        })
    }

    /// An error about a key.
    pub fn key_error(&self, key: &str, text: impl Into<String>) -> Error {
        Error::Key { path: self.path.clone(), key: key.into(), text: text.into() }
    }

    /// An error about a tensor.
    pub fn tensor_error(&self, tensor: &str, text: impl Into<String>) -> Error {
        Error::Tensor { path: self.path.clone(), tensor: tensor.into(), text: text.into() }
    }

    /// All tensors, in the order of the file.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// A tensor by name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.by_name.get(name).map(|&index| &self.tensors[index])
    }

    /// Some of a tensor's bytes.
    fn read(&self, tensor: &Tensor, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.file
            .read_exact_at(&mut bytes, tensor.start + range.start)
            .map_err(|source| Error::Read { path: self.path.clone(), source })?;
        Ok(bytes)
    }

    /// A tensor's bytes as they are stored.
    pub fn bytes(&self, tensor: &Tensor) -> Result<Vec<u8>, Error> {
        self.read(tensor, 0..tensor.bytes)
    }

    /// Rows of a tensor as binary32, one after the other.
    pub fn rows(&self, tensor: &Tensor, rows: Range<u64>) -> Result<Vec<f32>, Error> {
        if let Some(text) = tensor.element.refusal() {
            return Err(self.tensor_error(&tensor.name, text));
        }
        if rows.start > rows.end || rows.end > tensor.rows() {
            let text = format!("has {} rows; rows {rows:?} were asked for", tensor.rows());
            return Err(self.tensor_error(&tensor.name, text));
        }
        let (block, size) = tensor.element.block();
        let row = tensor.cols() / block * size;
        let mut bytes = self.read(tensor, rows.start * row..rows.end * row)?;
        if tensor.element == ElementType::I2S {
            bytes.extend(self.read(tensor, tensor.rows() * row..tensor.bytes)?);
        }
        let mut values = Vec::with_capacity(((rows.end - rows.start) * tensor.cols()) as usize);
        dequantise(tensor.element, &bytes, &mut values);
        Ok(values)
    }

    /// A ternary matrix, exactly; refuses what is not one.
    pub fn trits(&self, tensor: &Tensor) -> Result<Trits, Error> {
        let bytes = self.bytes(tensor)?;
        recover(tensor.element, &bytes).map_err(|text| self.tensor_error(&tensor.name, text))
    }
}

/// The alignment that the file gives, or the default.
fn alignment(path: &Path, header: &Header) -> Result<u64, Error> {
    const KEY: &str = "general.alignment";
    let Some(value) = header.keys.get(KEY) else {
        return Ok(DEFAULT_ALIGNMENT);
    };
    match value.as_unsigned() {
        Some(n) if n.is_power_of_two() && n <= 1 << 20 => Ok(n),
        _ => Err(Error::Key {
            path: path.into(),
            key: KEY.into(),
            text: format!("{value:?}; expected a power of two up to 2^20: the file is damaged"),
        }),
    }
}

/// Puts every tensor in its place: each begins where the one before it ends, padded.
fn place(path: &Path, header: &Header, alignment: u64, length: u64) -> Result<Vec<Tensor>, Error> {
    let data = header.end.next_multiple_of(alignment);
    let room = length.saturating_sub(data);
    let mut expected = 0_u64;
    let mut tensors = Vec::with_capacity(header.infos.len());
    for (index, info) in header.infos.iter().enumerate() {
        let fail = |text: String| {
            Err(Error::Tensor { path: path.into(), tensor: info.name.clone(), text })
        };
        if info.offset != expected {
            let how = if info.offset < expected { "an overlap" } else { "a hole" };
            return fail(format!(
                "begins at byte {} of the data; expected {expected}, where the tensor before it ends: \
                 {how}, so the file is damaged or of an unknown dialect",
                info.offset
            ));
        }
        let next = header.infos.get(index + 1).map_or(room, |next| next.offset.min(room));
        // Without the room of its own a tensor of an ambiguous type has no size.
        let own = next.saturating_sub(info.offset);
        let (element, bytes) = match ElementType::resolve(info.type_id, &info.shape, own, alignment)
        {
            Ok(found) => found,
            Err(text) => return fail(text),
        };
        let left = room.saturating_sub(info.offset);
        if bytes > left {
            return fail(format!(
                "{bytes} bytes of {element}, shape {:?}; {left} are left in the file: it is truncated; \
                 fetch it again",
                info.shape
            ));
        }
        expected = (info.offset + bytes).next_multiple_of(alignment);
        let (name, shape) = (info.name.clone(), info.shape.clone());
        tensors.push(Tensor { name, element, shape, bytes, start: data + info.offset });
    }
    if room > expected {
        return Err(Error::File {
            path: path.into(),
            text: format!(
                "{} bytes follow the last tensor; expected none: the file is damaged or of an unknown \
                 dialect",
                room - expected
            ),
        });
    }
    Ok(tensors)
}
