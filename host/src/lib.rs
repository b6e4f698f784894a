//! The host side of Terntable: checkpoints in, tokens out.
//!
//! ```text
//! checkpoint -> import -> Model -> Runner (passes of slots) on a device -> ranked candidates -> sampler
//!                                    golden | cpu | sim | card-golden
//! ```
//!
//! Every device gives the same bits; they differ in where the integers are added up.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod bench;
pub mod bus;
pub mod card;
pub mod card_device;
pub mod card_lockstep;
pub mod chat;
pub mod convert;
pub mod device;
pub mod error;
pub mod estimate;
pub mod eval;
pub mod generate;
pub mod import;
pub mod inspect;
pub mod language;
pub mod lockstep;
pub mod pack;
pub mod packed;
pub mod replay;
pub mod runner;
pub mod serve;
pub mod sim;
pub mod stream;
pub mod usage;

pub use error::Error;
