//! `cargo xtask soak`: tests of the gate for longer, and harder.

use crate::process;

/// A test, and what goes to `cargo test` to run it.
struct Soak {
    name: &'static str,
    test: &'static [&'static str],
}

const SOAKS: [Soak; 5] = [
    Soak {
        name: "checkpoints",
        test: &["-p", "terntable", "--test", "hostile", "--", "fuzz::soak"],
    },
    Soak { name: "gguf", test: &["-p", "terntable", "--test", "gguf", "--", "hostile::soak"] },
    Soak { name: "serve", test: &["-p", "terntable", "--test", "server", "--", "crowd::soak"] },
    Soak { name: "faults", test: &["-p", "terntable", "--test", "bus"] },
    Soak { name: "host", test: &["-p", "terntable-driver", "--test", "hostile"] },
];

/// Runs a soak by name, or all of them in turn. Those that run as long as they are told read the seconds from
/// `TERNTABLE_SOAK`; `faults` tries twenty points of every fault, `host` a million operations.
pub fn run(name: Option<&str>, minutes: f64) -> Result<(), String> {
    let chosen: Vec<&Soak> =
        SOAKS.iter().filter(|soak| name.is_none_or(|name| name == soak.name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = SOAKS.iter().map(|soak| soak.name).collect();
        return Err(format!("no soak {:?}; there are {}", name.unwrap_or(""), names.join(", ")));
    }
    let seconds = format!("TERNTABLE_SOAK={}", (60.0 * minutes).round() as u64);
    for soak in chosen {
        let cargo = ["TERNTABLE_FAULTS=20", "TERNTABLE_FUZZ=1000000", "cargo", "test", "--release"];
        let alone: &[&str] = match soak.test.contains(&"--") {
            true => &["--exact", "--ignored", "--nocapture"],
            false => &[],
        };
        process::run("env", &[&[seconds.as_str()], &cargo[..], soak.test, alone].concat())?;
    }
    Ok(())
}
