//! The CPU path: packed ternary models, SIMD kernels and whole passes, bit-identical to the golden model.

pub mod attention;
pub mod error;
pub mod kv;
pub mod level;
pub mod multiply;
pub mod pool;
pub mod tile;
pub mod vector;

pub use error::Error;
