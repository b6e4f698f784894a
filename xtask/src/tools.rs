//! Pinned tools, installed into `.tools/`.

use crate::process::{output, root, run};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::PathBuf};

/// A group of tools in `scripts/tools.toml`; each has its own virtual environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Simulator, lint, formal, register generation.
    Gate,
    /// Place and route.
    Route,
    /// PyTorch and transformers.
    Parity,
    /// llama.cpp, and what it takes to build it.
    Peers,
    /// Clients of the server.
    Server,
}

/// Packages that scripts build from their sources: pinned in the same file, not installed.
const FROM_SOURCE: [&str; 1] = ["llama-cpp-python"];

#[derive(Debug, Deserialize)]
struct Pins {
    gate: BTreeMap<String, String>,
    route: BTreeMap<String, String>,
    parity: BTreeMap<String, String>,
    peers: BTreeMap<String, String>,
    server: BTreeMap<String, String>,
    page: BTreeMap<String, String>,
}

impl Pins {
    fn read() -> Result<Self, String> {
        let path = root().join("scripts/tools.toml");
        let text = fs::read_to_string(&path).map_err(|e| format!("cannot read {path:?}: {e}"))?;
        toml::from_str(&text).map_err(|e| format!("{path:?}: {e}"))
    }
}

impl Group {
    /// Folder of the group's virtual environment.
    pub fn folder(self) -> PathBuf {
        root().join(".tools").join(match self {
            Group::Gate => "venv",
            Group::Route => "venv-route",
            Group::Parity => "venv-parity",
            Group::Peers => "venv-peers",
            Group::Server => "venv-server",
        })
    }

    /// The group's Python.
    pub fn python(self) -> PathBuf {
        self.folder().join("bin").join("python3")
    }

    /// The pinned packages to install.
    pub fn pins(self) -> Result<BTreeMap<String, String>, String> {
        let pins = Pins::read()?;
        let mut pins = match self {
            Group::Gate => pins.gate,
            Group::Route => pins.route,
            Group::Parity => pins.parity,
            Group::Peers => pins.peers,
            Group::Server => pins.server,
        };
        pins.retain(|name, _| !FROM_SOURCE.contains(&name.as_str()));
        Ok(pins)
    }

    /// Installed packages, by lower-case name with `_` as `-`.
    pub fn installed(self) -> BTreeMap<String, String> {
        let python = self.python();
        let list = output(&python.to_string_lossy(), &["-m", "pip", "list", "--format=freeze"]);
        let text =
            list.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split_once("=="))
            .map(|(name, version)| (name.to_lowercase().replace('_', "-"), version.into()))
            .collect()
    }
}

/// Installs what the group lacks; returns its Python. Does nothing when the stamp fits the pins.
pub fn install(group: Group) -> Result<PathBuf, String> {
    let (folder, python) = (group.folder(), group.python());
    let wanted: Vec<String> = group.pins()?.iter().map(|(n, v)| format!("{n}=={v}")).collect();
    let stamp = folder.join("terntable-pins");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == wanted.join("\n")) {
        return Ok(python);
    }
    eprintln!("installing pinned tools into {}", folder.display());
    if !python.is_file() {
        run("python3", &["-m", "venv", &folder.to_string_lossy()])?;
    }
    let mut args = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    args.extend(["--only-binary", ":all:"]);
    args.extend(wanted.iter().map(String::as_str));
    run(&python.to_string_lossy(), &args)?;
    fs::write(&stamp, wanted.join("\n")).map_err(|e| format!("cannot write {stamp:?}: {e}"))?;
    Ok(python)
}

/// Installs the browser's driver of `cargo xtask page` from npm; returns the folder of its modules.
pub fn install_page() -> Result<PathBuf, String> {
    let folder = root().join(".tools").join("page");
    let modules = folder.join("node_modules");
    for (name, version) in Pins::read()?.page {
        let package = fs::read_to_string(modules.join(&name).join("package.json"));
        if package.is_ok_and(|text| text.contains(&format!("\"version\": \"{version}\""))) {
            continue;
        }
        let (into, package) = (folder.to_string_lossy(), format!("{name}@{version}"));
        run("npm", &["install", "--no-audit", "--no-fund", "--prefix", &into, &package])?;
    }
    Ok(modules)
}
