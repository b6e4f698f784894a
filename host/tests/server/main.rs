//! `terntable serve` over real sockets, with the bundled model on the CPU.

#[path = "../common/mod.rs"]
mod common;

mod api;
mod bench;
mod client;
mod crowd;
mod devices;
mod limits;
mod template;
