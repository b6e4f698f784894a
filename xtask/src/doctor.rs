//! What is installed, what is missing, and the command that fixes it.

use crate::{process::output, tools::Group};

/// Prints one line a tool. Fails when the gate could not run.
pub fn run() -> Result<(), String> {
    let mut missing = 0;
    for (name, program, flag, remedy) in [
        ("Rust", "cargo", "--version", "install Rust with rustup"),
        ("C++ compiler", "c++", "--version", "install g++ or clang++"),
        ("Python 3", "python3", "--version", "install Python 3.9 or newer with its venv module"),
    ] {
        let found = output(program, &[flag]).filter(|o| o.status.success());
        let version = found
            .map(|o| String::from_utf8_lossy(&o.stdout).lines().next().unwrap_or("").to_string());
        missing += u32::from(version.is_none());
        line(name, version.as_deref(), None, remedy);
    }
    missing += group(Group::Gate, "cargo xtask test  (installs it)")?;
    let route = group(Group::Route, "cargo xtask pnr  (installs it)")?;
    let parity = group(Group::Parity, "cargo xtask parity  (installs it: 5.6 GB)")?;
    let peers = group(Group::Peers, "cargo xtask bench-cpu  (installs it)")?;
    let server = group(Group::Server, "cargo xtask api  (installs it)")?;
    if route + parity + peers + server > 0 {
        println!(
            "the demo and the gate need no tools of routing, parity, training, peers or servers"
        );
    }
    match missing {
        0 => Ok(()),
        n => Err(format!("{n} tools of the gate are missing or of another version")),
    }
}

fn group(group: Group, remedy: &str) -> Result<u32, String> {
    let installed = group.installed();
    let mut missing = 0;
    for (name, wanted) in group.pins()? {
        let found = installed.get(&name.to_lowercase().replace('_', "-"));
        missing += u32::from(found != Some(&wanted));
        line(&name, found.map(String::as_str), Some(&wanted), remedy);
    }
    Ok(missing)
}

fn line(name: &str, found: Option<&str>, wanted: Option<&str>, remedy: &str) {
    let fits = found.is_some_and(|f| wanted.is_none_or(|w| w == f));
    let mark = if fits { "[ok]     " } else { "[missing]" };
    let wanted = wanted.map_or(String::new(), |w| format!(" (pinned {w})"));
    let remedy = if fits { String::new() } else { format!("; fix: {remedy}") };
    println!("{mark} {name:<20} {}{wanted}{remedy}", found.unwrap_or("-"));
}
