//! The command line. Exit codes: 0 fine, 1 a result differs, 2 it could not run.

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("terntable: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
