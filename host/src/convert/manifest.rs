//! Hashes of what was read and written.

use crate::Error;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// A file and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hashed {
    /// Where it lies.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// Hashes a file, or the files of a checkpoint folder, by name.
pub fn hash(path: &Path) -> Result<Vec<Hashed>, Error> {
    let cannot = |path: &Path, source| Error::Read {
        path: path.into(),
        source,
        remedy: "its hash belongs to the manifest",
    };
    if !path.is_dir() {
        return Ok(vec![hash_file(path).map_err(|e| cannot(path, e))?]);
    }
    let entries = std::fs::read_dir(path).map_err(|e| cannot(path, e))?;
    let belongs = |path: &PathBuf| {
        let ending = path.extension().unwrap_or_default();
        path.is_file() && ["json", "safetensors", "jinja"].iter().any(|known| ending == *known)
    };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(belongs).collect();
    files.sort();
    files.iter().map(|file| hash_file(file).map_err(|e| cannot(file, e))).collect()
}

fn hash_file(path: &Path) -> std::io::Result<Hashed> {
    let mut file = std::fs::File::open(path)?;
    let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => {
                hasher.update(&buffer[..count]);
                bytes += count as u64;
            }
        }
    }
    let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Hashed { path: path.into(), bytes, sha256 })
}
