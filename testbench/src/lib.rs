//! Runs Terntable's SystemVerilog from Rust, as fast as the simulator allows.
//!
//! The idea: Verilator turns a top module into C++, [`build`] compiles that once into a shared
//! library in a cache folder, and [`sim`] drives it with async tasks that wait for clock edges, in
//! the manner of cocotb but without an interpreter or VPI between test and model. [`agents`] are
//! the tasks every test needs: bus masters, a memory with a stated timing, stream sources and sinks.
//! [`engine`] puts them around `tt_engine`, so that a caller sees matrices and sums, [`card`] around
//! `tt_card`, so that a caller sees images and passes, [`host_card`] around `tt_host_card`, so that a driver
//! sees a function of a bus.
//!
//! ```text
//!   rtl/*.sv ─► build ─► model.so ◄─ ffi ─ sim: clock, tasks, signals
//!                                            │
//!                    agents: AXI-Lite master ┼ AXI4 memory ┼ stream source, sink ┼ clients
//!                                            │
//!                                  engine: load, run_jobs, counters
//!                                  card: load_image, run_pass, step, buffers, perfetto
//! ```
//!
//! `docs/testbench.md` shows how to write a test, look at waveforms and repeat a random run.
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod agents;
pub mod build;
pub mod card;
pub mod engine;
pub mod error;
#[allow(unsafe_code)]
mod ffi;
pub mod host_card;
pub mod perfetto;
pub mod report;
pub mod seed;
pub mod sim;

pub use error::Error;
pub use sim::{Clock, Probe, Signal, Sim, with_timeout};
