//! Writes GGUF version 3: keys and tensors are declared, then the tensors' bytes follow in order.

use crate::{DEFAULT_ALIGNMENT, ElementType, Error, Value, value::put_string};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

const VERSION: u32 = 3;

/// What a file will hold.
#[derive(Debug, Default)]
pub struct Writer {
    keys: Vec<(String, Value)>,
    tensors: Vec<Declared>,
}

#[derive(Debug)]
struct Declared {
    name: String,
    element: ElementType,
    shape: Vec<u64>,
}

/// A file whose tensors are being written.
#[derive(Debug)]
pub struct Body {
    path: PathBuf,
    part: PathBuf,
    file: BufWriter<File>,
    /// Name and bytes of the tensors still to come, the last first.
    rest: Vec<(String, u64)>,
    /// Bytes that the first of them still needs.
    needed: u64,
    written: u64,
}

impl Writer {
    /// An empty file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key.
    pub fn key(&mut self, key: impl Into<String>, value: Value) {
        self.keys.push((key.into(), value));
    }

    /// Adds a tensor; the row length comes first in its shape.
    pub fn tensor(&mut self, name: impl Into<String>, element: ElementType, shape: &[u64]) {
        self.tensors.push(Declared { name: name.into(), element, shape: shape.to_vec() });
    }

    /// Writes the header beside the file's place; the file moves there when it is whole.
    pub fn start(&self, path: &Path) -> Result<Body, Error> {
        let mut header = Vec::from(*b"GGUF");
        header.extend(VERSION.to_le_bytes());
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend((self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            put_string(&mut header, key);
            header.extend((value.kind() as u32).to_le_bytes());
            value.put(&mut header);
        }
        let (mut offset, mut rest) = (0_u64, Vec::new());
        for Declared { name, element, shape } in &self.tensors {
            let bytes = element.bytes(shape).map_err(|text| Error::Tensor {
                path: path.into(),
                tensor: name.clone(),
                text,
            })?;
            put_string(&mut header, name);
            header.extend((shape.len() as u32).to_le_bytes());
            shape.iter().for_each(|n| header.extend(n.to_le_bytes()));
            header.extend(element.id().to_le_bytes());
            header.extend(offset.to_le_bytes());
            offset += bytes.next_multiple_of(DEFAULT_ALIGNMENT);
            rest.push((name.clone(), bytes));
        }
        rest.reverse();
        let mut file_name = path.file_name().unwrap_or_default().to_os_string();
        file_name.push(".part");
        let part = path.with_file_name(file_name);
        let file =
            File::create(&part).map_err(|source| Error::Write { path: path.into(), source })?;
        let needed = rest.last().map_or(0, |(_, bytes)| *bytes);
        let file = BufWriter::new(file);
        let mut body = Body { path: path.into(), part, file, rest, needed, written: 0 };
        body.put(&header)?;
        body.pad()?;
        Ok(body)
    }
}

impl Body {
    /// More bytes of a tensor, which must be the next in order.
    pub fn append(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let count = bytes.len() as u64;
        match self.rest.last() {
            Some((next, _)) if next == name && count <= self.needed => {}
            next => {
                let text = format!(
                    "{count} bytes come; expected {} of {:?}: the writer's order is wrong",
                    self.needed,
                    next.map(|(name, _)| name)
                );
                return Err(Error::Tensor { path: self.path.clone(), tensor: name.into(), text });
            }
        }
        self.put(bytes)?;
        self.needed -= count;
        if self.needed == 0 {
            self.pad()?;
            self.rest.pop();
            self.needed = self.rest.last().map_or(0, |(_, bytes)| *bytes);
        }
        Ok(())
    }

    /// Moves the file to its place; every tensor must be there.
    pub fn finish(mut self) -> Result<(), Error> {
        if let Some((tensor, _)) = self.rest.last() {
            let text = format!("{} of its bytes were not written", self.needed);
            return Err(Error::Tensor { path: self.path.clone(), tensor: tensor.clone(), text });
        }
        let moved = self.file.flush().and_then(|()| std::fs::rename(&self.part, &self.path));
        moved.map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.written += bytes.len() as u64;
        self.file
            .write_all(bytes)
            .map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    fn pad(&mut self) -> Result<(), Error> {
        let padding = self.written.next_multiple_of(DEFAULT_ALIGNMENT) - self.written;
        self.put(&vec![0; padding as usize])
    }
}

impl Drop for Body {
    /// What was not finished leaves nothing behind.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.part);
    }
}
