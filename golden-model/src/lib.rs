//! The golden model: Terntable's arithmetic as plain Rust, to be read beside `docs/arithmetic.md`.
//!
//! Every other implementation (RTL, CPU kernels, host) is right when it gives these bits. The rule
//! behind every line: **the result may not depend on order, tiling, chunking, slots or lanes.**
//!
//! The modules follow the data flow of a token:
//!
//! ```text
//! token -> embedding -> [ norm -> quantise -> tlmm -> rope -> attention -> norm -> quantise -> tlmm
//!                         norm -> quantise -> tlmm -> gate -> norm -> quantise -> tlmm ] x layers
//!       -> norm -> quantise -> head -> sample -> token
//! ```
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod attention;
pub mod card;
pub mod error;
pub mod gate;
pub mod head;
pub mod model;
pub mod norm;
pub mod pack;
pub mod quantise;
pub mod reduce;
pub mod rope;
pub mod round;
pub mod sample;
pub mod table;
pub mod ternary;
pub mod tlmm;

pub use error::Error;
