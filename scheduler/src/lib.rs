//! Serves many requests in the slots of passes.
//!
//! ```text
//! requests -> queue -> policy: who gets which slots of the next pass -> device -> ranked candidates
//!                ^        decodes, then prompts, then drafts                          |
//!                |                                                                    v
//!             events <- tokens <-------------------- each request's own sampler ------+
//! ```
//!
//! The same request gives the same tokens whatever else is running: passes do not depend on who shares them, and
//! every request draws from its own stream of random numbers. docs/scheduler.md has the picture.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod bay;
pub mod cost;
pub mod device;
mod draft;
mod ledger;
pub mod options;
mod pace;
mod policy;
pub mod replay;
pub mod request;
mod scheduler;
pub mod service;
pub mod snapshot;
pub mod status;
mod task;
mod work;

pub use device::{Device, DeviceError};
pub use options::{Options, PolicyName, Role};
pub use request::{
    Answer, Event, Finish, FinishReason, Refusal, Request, RequestId, Sampling, Token, Usage,
};
pub use service::{Client, Error, Service};
pub use status::Status;
