//! Child processes, run in the root of the checkout.

use crate::tools::{self, Group};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The root of the checkout.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// Runs a program; its output goes where ours goes.
pub fn run(program: &str, args: &[&str]) -> Result<(), String> {
    run_with(program, args, &[])
}

/// The same with variables of its environment.
pub fn run_with(program: &str, args: &[&str], variables: &[(&str, &str)]) -> Result<(), String> {
    let mut command = command(program, args);
    let status = command.envs(variables.iter().copied()).status().map_err(|e| {
        format!("cannot start {program}: {e}; `cargo xtask doctor` says what is missing")
    })?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("`{program} {}` failed ({status})", args.join(" "))),
    }
}

/// Runs a program and gives what it printed; its errors and progress go where ours go.
pub fn capture(program: &str, args: &[&str]) -> Result<Vec<u8>, String> {
    let out = command(program, args)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot start {program}: {e}"))?;
    match out.status.success() {
        true => Ok(out.stdout),
        false => Err(format!("`{program} {}` failed ({})", args.join(" "), out.status)),
    }
}

/// Runs a program and keeps all its output; `None` when it cannot start.
pub fn output(program: &str, args: &[&str]) -> Option<Output> {
    command(program, args).output().ok()
}

/// Runs a Python script of this repository with the tools of a group.
pub fn script(group: Group, path: &str, args: &[String]) -> Result<(), String> {
    let python = tools::install(group)?;
    let mut all = vec![path];
    all.extend(args.iter().map(String::as_str));
    run(&python.to_string_lossy(), &all)
}
