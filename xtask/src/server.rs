//! Checks of the server that need other tools, or hours.

use crate::{
    process,
    tools::{self, Group},
};

const PROGRAM: &str = "target/release/terntable";

fn build() -> Result<(), String> {
    process::run("cargo", &["build", "--release", "-p", "terntable"])
}

/// `cargo xtask api`: the `openai` package and schemathesis.
pub fn api(arguments: &[String]) -> Result<(), String> {
    build()?;
    process::script(Group::Server, "scripts/server/check.py", arguments)
}

/// `cargo xtask page`: the page in a browser; writes screenshots into a folder if one is given.
pub fn page(arguments: &[String]) -> Result<(), String> {
    build()?;
    let modules = tools::install_page()?;
    let mut args = vec![
        "scripts/page/check.mjs".into(),
        PROGRAM.into(),
        modules.to_string_lossy().into_owned(),
    ];
    args.extend_from_slice(arguments);
    process::run("node", &args.iter().map(String::as_str).collect::<Vec<_>>())
}
