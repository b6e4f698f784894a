//! Replays a trace of requests against a server, and measures what its clients see.

mod client;
mod plot;
mod report;
mod trace;

pub use client::{Outcome, Target, replay};
pub use plot::plot;
pub use report::{Limits, Report, Spread};
pub use trace::{Arrival, Trace};
