//! The command line. Exit codes: 0 fine, 1 a result differs, 2 it could not run.

mod cli;

use clap::Parser;
use std::process::ExitCode;

/// Passes make and drop large buffers by the thousand; the system's allocator hands such memory back and asks for it
/// again every time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("terntable: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
