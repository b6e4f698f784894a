//! `cargo xtask cycles`: what the simulated RTL takes for real shapes.

use crate::{process, tools};

/// `engine` (matrices on the engine alone), `layers` (whole layers on the card), or both in turn; the
/// rest goes to the program.
pub fn run(arguments: &[String]) -> Result<(), String> {
    tools::install(tools::Group::Gate)?;
    let (which, rest) = match arguments.first().map(String::as_str) {
        Some("engine") => (&PROGRAMS[..1], &arguments[1..]),
        Some("layers") => (&PROGRAMS[1..], &arguments[1..]),
        None => (&PROGRAMS[..], arguments),
        // As before there were layers.
        Some(_) => (&PROGRAMS[..1], arguments),
    };
    for (package, example) in which {
        let mut args = vec!["run", "--release", "-p", package, "--example", example, "--"];
        args.extend(rest.iter().map(String::as_str));
        process::run("cargo", &args)?;
    }
    Ok(())
}

/// Package and example: the engine's, the layers'.
const PROGRAMS: [(&str, &str); 2] = [("terntable-testbench", "cycles"), ("terntable", "layers")];
