//! Whole passes of the simulated card: beside the golden card model, beside plain runs on the CPU, and
//! with every kind of damage in its memory.
//!
//! `TERNTABLE_TEST_RTL` names another folder of RTL to test, such as one with a fault in it.

mod hostile;
mod kit;
mod models;
mod passes;
#[allow(dead_code)]
#[path = "../../../golden-model/tests/card/rig.rs"]
mod rig;
mod timing;
