//! What can be wrong with a GGUF file.

use std::path::PathBuf;
use thiserror::Error;

/// An error of a GGUF file. Every text says what was expected, what was found and what to do.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; give a GGUF file that can be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error(
        "cannot write {path}: {source}; give a file in a folder that exists and can be written"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file as a whole is wrong.
    #[error("{path}: {text}")]
    File {
        /// The file.
        path: PathBuf,
        /// Expected, found, remedy.
        text: String,
    },
    /// A metadata key is missing or wrong.
    #[error("{path}: key {key}: {text}")]
    Key {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Expected, found, remedy.
        text: String,
    },
    /// A tensor is missing or wrong.
    #[error("{path}: tensor {tensor}: {text}")]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// Expected, found, remedy.
        text: String,
    },
}
