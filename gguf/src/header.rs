//! The header: keys with values, then what is said of each tensor.

use crate::{
    Error,
    value::{Array, Kind, Value},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

/// Longest header. That of a vocabulary of 262,144 tokens has about 20 MB.
const MAX_HEADER: u64 = 64 << 20;
/// Most keys, and most tensors; the largest models have a few thousand tensors.
const MAX_COUNT: u64 = 1 << 16;
/// Most dimensions of a tensor.
const MAX_DIMENSIONS: u32 = 4;

/// What the header says of a tensor.
#[derive(Debug, Clone)]
pub struct Info {
    pub name: String,
    /// The first dimension is the row length.
    pub shape: Vec<u64>,
    pub type_id: u32,
    pub offset: u64,
}

/// The header, parsed.
#[derive(Debug)]
pub struct Header {
    pub version: u32,
    pub keys: BTreeMap<String, Value>,
    pub infos: Vec<Info>,
    /// Where it ends.
    pub end: u64,
}

/// Reads a file from its start and knows how much is left.
struct Cursor<'a> {
    path: &'a Path,
    reader: BufReader<&'a File>,
    position: u64,
    length: u64,
}

/// Parses the header of a file of `length` bytes.
pub fn parse(path: &Path, file: &File, length: u64) -> Result<Header, Error> {
    let mut cursor = Cursor { path, reader: BufReader::new(file), position: 0, length };
    if cursor.fixed::<4>("the magic")? != *b"GGUF" {
        return cursor.fail("not a GGUF file; expected \"GGUF\" in its first four bytes");
    }
    let version = cursor.u32("the version")?;
    if version.swap_bytes() == 2 || version.swap_bytes() == 3 {
        return cursor.fail("a big-endian GGUF file; this version reads little-endian ones");
    }
    if !(2..=3).contains(&version) {
        return cursor.fail(format!(
            "GGUF version {version}; expected 2 or 3: convert the model with newer software"
        ));
    }
    let tensors = cursor.count("tensors")?;
    let keys = cursor.count("keys")?;
    let keys = cursor.keys(keys)?;
    let infos = cursor.infos(tensors)?;
    Ok(Header { version, keys, infos, end: cursor.position })
}

impl Cursor<'_> {
    fn fail<T>(&self, text: impl Into<String>) -> Result<T, Error> {
        Err(Error::File { path: self.path.into(), text: text.into() })
    }

    /// Reads so many bytes, which must be there.
    fn bytes(&mut self, count: u64, what: &str, into: &mut Vec<u8>) -> Result<(), Error> {
        let left = self.length - self.position;
        if count > left {
            return self.fail(format!(
                "{what} at byte {} needs {count} bytes; {left} are left: the file is truncated or \
                 damaged; fetch it again",
                self.position
            ));
        }
        self.position += count;
        if self.position > MAX_HEADER {
            return self.fail(format!(
                "the header goes on past {MAX_HEADER} bytes; expected a few million at most: the file \
                 is damaged"
            ));
        }
        let read = self.reader.by_ref().take(count).read_to_end(into);
        match read {
            Ok(read) if read as u64 == count => Ok(()),
            Ok(_) => self.fail("it became shorter while it was read; read it again"),
            Err(source) => Err(Error::Read { path: self.path.into(), source }),
        }
    }

    fn fixed<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Error> {
        let mut bytes = Vec::with_capacity(N);
        self.bytes(N as u64, what, &mut bytes)?;
        Ok(std::array::from_fn(|i| bytes[i]))
    }

    fn u32(&mut self, what: &str) -> Result<u32, Error> {
        self.fixed(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64, Error> {
        self.fixed(what).map(u64::from_le_bytes)
    }

    fn count(&mut self, what: &str) -> Result<u64, Error> {
        let count = self.u64(&format!("the number of {what}"))?;
        if count > MAX_COUNT {
            return self.fail(format!(
                "says that it has {count} {what}; expected at most {MAX_COUNT}: the file is damaged"
            ));
        }
        Ok(count)
    }

    fn string(&mut self, what: &str) -> Result<String, Error> {
        let at = self.position;
        let length = self.u64(what)?;
        let mut bytes = Vec::new();
        self.bytes(length, what, &mut bytes)?;
        String::from_utf8(bytes).or_else(|_| {
            self.fail(format!("{what} at byte {at} is not UTF-8: the file is damaged"))
        })
    }

    fn keys(&mut self, count: u64) -> Result<BTreeMap<String, Value>, Error> {
        let mut keys = BTreeMap::new();
        for index in 0..count {
            let key = self.string(&format!("name of key {index} of {count}"))?;
            let value = self.value(&key)?;
            if keys.contains_key(&key) {
                return self.key_fail(&key, "stands in the file twice; expected once");
            }
            keys.insert(key, value);
        }
        Ok(keys)
    }

    fn key_fail<T>(&self, key: &str, text: impl Into<String>) -> Result<T, Error> {
        Err(Error::Key { path: self.path.into(), key: key.into(), text: text.into() })
    }

    fn kind(&mut self, key: &str) -> Result<Kind, Error> {
        let id = self.u32(&format!("type of key {key}"))?;
        match Kind::of(id) {
            Some(kind) => Ok(kind),
            None => self.key_fail(
                key,
                format!("value type {id}; expected 0 to 12: the file is damaged or of a new kind"),
            ),
        }
    }

    fn value(&mut self, key: &str) -> Result<Value, Error> {
        let kind = self.kind(key)?;
        let what = format!("value of key {key}");
        match kind {
            Kind::String => Ok(Value::String(self.string(&what)?)),
            Kind::Array => Ok(Value::Array(self.array(key)?)),
            _ => {
                let mut bytes = Vec::new();
                self.bytes(kind.bytes().unwrap_or(0) as u64, &what, &mut bytes)?;
                match Value::fixed(kind, &bytes) {
                    Some(value) => Ok(value),
                    None => self.key_fail(key, "a boolean that is neither 0 nor 1; damaged"),
                }
            }
        }
    }

    fn array(&mut self, key: &str) -> Result<Array, Error> {
        let kind = self.kind(key)?;
        let what = format!("array of key {key}");
        let count = self.u64(&what)?;
        let mut bytes = Vec::new();
        match kind.bytes() {
            Some(size) => {
                let Some(all) = count.checked_mul(size as u64) else {
                    return self.key_fail(
                        key,
                        format!("says that it has {count} items: the file is damaged"),
                    );
                };
                self.bytes(all, &what, &mut bytes)?;
                if kind == Kind::Bool && bytes.iter().any(|&b| b > 1) {
                    return self.key_fail(key, "a boolean that is neither 0 nor 1; damaged");
                }
            }
            None if kind == Kind::Array => {
                return self.key_fail(key, "an array of arrays; expected one of plain values");
            }
            None => self.strings(key, count, &mut bytes)?,
        }
        Ok(Array::new(kind, count, bytes))
    }

    /// The strings of an array, as they lie in the file.
    fn strings(&mut self, key: &str, count: u64, bytes: &mut Vec<u8>) -> Result<(), Error> {
        for index in 0..count {
            let what = format!("string {index} of {count} of key {key}");
            let length: [u8; 8] = self.fixed(&what)?;
            bytes.extend(length);
            let start = bytes.len();
            self.bytes(u64::from_le_bytes(length), &what, bytes)?;
            if std::str::from_utf8(&bytes[start..]).is_err() {
                return self.key_fail(
                    key,
                    format!("string {index} is not UTF-8; damaged, or by a faulty converter"),
                );
            }
        }
        Ok(())
    }

    fn infos(&mut self, count: u64) -> Result<Vec<Info>, Error> {
        let path = self.path;
        let mut infos = Vec::new();
        let mut names = BTreeSet::new();
        for index in 0..count {
            let what = format!("description of tensor {index} of {count}");
            let name = self.string(&what)?;
            let fail =
                |text: String| Err(Error::Tensor { path: path.into(), tensor: name.clone(), text });
            if !names.insert(name.clone()) {
                return fail("stands in the file twice; expected once".into());
            }
            let dimensions = self.u32(&what)?;
            if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
                return fail(format!(
                    "{dimensions} dimensions; expected 1 to {MAX_DIMENSIONS}: the file is damaged"
                ));
            }
            let shape = (0..dimensions).map(|_| self.u64(&what)).collect::<Result<Vec<_>, _>>()?;
            let type_id = self.u32(&what)?;
            let offset = self.u64(&what)?;
            infos.push(Info { name, shape, type_id, offset });
        }
        Ok(infos)
    }
}
