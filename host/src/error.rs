//! What can go wrong on the host. Every text says what was expected, what was found, where, and what
//! to do.

use std::path::PathBuf;
use thiserror::Error;

/// An error of the host.
#[derive(Debug, Error)]
pub enum Error {
    /// A file that cannot be read.
    #[error("cannot read {path}: {source}; {remedy}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// A file that cannot be written.
    #[error(
        "cannot write {path}: {source}; give a file in a folder that exists and can be written"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file whose contents are not what they should be.
    #[error("{path}: {text}")]
    File {
        /// The file.
        path: PathBuf,
        /// Expected, found, remedy.
        text: String,
    },
    /// A tensor that is missing or wrong.
    #[error("{path}: tensor {tensor}: {text}")]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// Expected, found, remedy.
        text: String,
    },
    /// A prompt or token list that cannot be served.
    #[error("{0}")]
    Input(String),
    /// The golden model's refusal.
    #[error(transparent)]
    Model(#[from] terntable_golden::Error),
    /// The CPU path's refusal.
    #[error(transparent)]
    Cpu(#[from] terntable_cpu::Error),
    /// A GGUF file that is refused.
    #[error(transparent)]
    Gguf(#[from] terntable_gguf::Error),
    /// A card behind a bus, or its driver, failed.
    #[error(transparent)]
    Driver(#[from] terntable_driver::Error),
    /// The simulated card failed.
    #[error("simulated card: {0}")]
    Simulator(String),
    /// The card, or its image, refused.
    #[error("card: {0}")]
    Card(String),
    /// Two devices that must agree do not. The only error with exit code 1.
    #[error("{0}")]
    Differs(String),
}

impl Error {
    /// Exit code of the command line: 1 when a result differs, 2 when the command could not run.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Differs(_) => 1,
            _ => 2,
        }
    }
}
