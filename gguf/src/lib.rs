//! GGUF files, versions 2 and 3: a reader that refuses whatever is not whole, exact ternary matrices,
//! and a writer of TQ2_0.
//!
//! ```text
//! file -> header (keys, tensors) -> layout (element types, dialect) -> rows of f32 | trits and a scale
//! ```
//!
//! Nothing is allocated from a count that the file gives before the file was seen to be as long. The
//! file is read where it is asked for, and never mapped: a mapped file that another program shortens
//! ends the process.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod dequantise;
mod dialect;
mod element;
mod encode;
mod error;
mod file;
mod header;
mod ternary;
mod value;
mod writer;

pub use dialect::Dialect;
pub use element::ElementType;
pub use encode::{bf16, f16, f32, q8_0, scale_fits, tq2_0};
pub use error::Error;
pub use file::{Gguf, Tensor};
pub use ternary::Trits;
pub use value::{Array, Kind, Value};
pub use writer::{Body, Writer};

/// Bytes to which the data and every tensor are aligned when the file does not say.
pub const DEFAULT_ALIGNMENT: u64 = 32;
