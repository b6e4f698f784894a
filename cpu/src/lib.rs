//! The CPU path: packed ternary models, SIMD kernels and whole passes, bit-identical to the golden model.

pub mod attention;
pub mod error;
pub mod image;
pub mod kv;
pub mod level;
pub mod model;
pub mod multiply;
pub mod pool;
pub mod rows;
pub mod tile;
pub mod vector;

pub use error::Error;
