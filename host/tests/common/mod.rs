//! The program, run as its users run it.

use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Runs `terntable` in the root of the checkout.
pub fn terntable(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_terntable"))
        .args(args)
        .current_dir(root())
        .output()
        .expect("terntable starts")
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The JSON that a successful run printed.
pub fn json_of(args: &[&str]) -> Value {
    let output = terntable(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}
