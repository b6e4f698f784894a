//! What can go wrong.

use std::path::PathBuf;
use thiserror::Error;

/// An error of the CPU path.
#[derive(Debug, Error)]
pub enum Error {
    /// The environment asks for instructions by a name that is none.
    #[error("{0}")]
    Level(String),
    /// A file that cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A packed model that is not what it should be.
    #[error("{path}: {text}")]
    Image {
        /// The file.
        path: PathBuf,
        /// Expected, found, remedy.
        text: String,
    },
    /// What a model is packed from cannot be read; its own error.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    /// The golden model's refusal.
    #[error(transparent)]
    Model(#[from] terntable_golden::Error),
}
