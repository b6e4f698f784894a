//! From a top module to a loadable simulator, built once.
//!
//! ```text
//! sources (the files the top really needs) ─► hash ─► <cache>/verilated/<top>-<hash>/model.so ?
//!                        no: verilator ─► .cpp ─► c++ on every core ─► link ─► rename into place
//! ```
//!
//! The folder's name is a hash of everything that decides the result: sources, parameters, the
//! shim, both tools' versions and flags. Whoever finds it there loads it; whoever does not takes a
//! file lock, builds in a folder of its own and renames it, so parallel test processes are safe and
//! a build that was killed leaves nothing behind that looks finished.

mod cache;
mod compile;
mod shim;
mod sources;
mod tools;

pub use sources::Sources;
pub use tools::{Tools, cache_dir, workspace_root};

use crate::Error;
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

/// A model to build: a top module with its parameters.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    top: String,
    roots: Vec<PathBuf>,
    parameters: Vec<(String, u64)>,
    storage: Vec<Storage>,
    visible: Vec<Storage>,
    trace: bool,
}

/// Internal storage that tests may see or change: variable `variable` of every instance of `module`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The module's name.
    pub module: String,
    /// The variable's name in the module.
    pub variable: String,
}

impl Storage {
    /// The variable of every instance of a module.
    pub fn new(module: &str, variable: &str) -> Self {
        Storage { module: module.to_owned(), variable: variable.to_owned() }
    }
}

/// A model that is built and lies in the cache.
#[derive(Debug, Clone)]
pub struct Built {
    /// The top module.
    pub top: String,
    /// The shared library.
    pub library: PathBuf,
    /// Whether it can write waveforms.
    pub trace: bool,
}

impl ModelSpec {
    /// The module `top`, found with everything it needs in the `.sv` files under `roots`.
    pub fn new(top: &str, roots: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        ModelSpec {
            top: top.to_owned(),
            roots: roots.into_iter().map(Into::into).collect(),
            parameters: Vec::new(),
            storage: Vec::new(),
            visible: Vec::new(),
            trace: false,
        }
    }

    /// A module of Terntable's own `rtl/`.
    pub fn terntable(top: &str) -> Self {
        Self::new(top, [workspace_root().join("rtl")])
    }

    /// Sets a parameter of the top module.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: u64) -> Self {
        self.parameters.push((name.to_owned(), value));
        self
    }

    /// Whether the model can write waveforms. Such a model is slower and a build of its own.
    #[must_use]
    pub fn trace(mut self, trace: bool) -> Self {
        self.trace = trace;
        self
    }

    /// Makes internal storage writable by [`crate::sim::Handle::flip`]. The simulator then assumes that it
    /// may change at any time, which costs speed, so such a model is a build of its own too.
    #[must_use]
    pub fn storage(mut self, storage: &[Storage]) -> Self {
        self.storage.extend_from_slice(storage);
        self
    }

    /// Makes internal storage readable by [`crate::sim::Handle::peek`]. Only what could be optimised away is
    /// kept; memories are there anyway, so this costs next to nothing.
    #[must_use]
    pub fn visible(mut self, storage: &[Storage]) -> Self {
        self.visible.extend_from_slice(storage);
        self
    }

    /// The model from the cache, built first if it is not there.
    pub fn build(&self) -> Result<Built, Error> {
        let tools = Tools::find()?;
        let sources = Sources::of(&self.top, &self.roots)?;
        let folder = format!("{}-{}", self.top, self.key(&tools, &sources));
        let place = cache::get_or_make(&cache_dir().join("verilated"), &folder, |dir| {
            let start = Instant::now();
            progress(&format!("building the simulator {} ...", self.describe()));
            self.make(&tools, &sources, dir)?;
            let took = start.elapsed().as_secs_f64();
            progress(&format!("building the simulator {} ... {took:.0} s", self.describe()));
            Ok(())
        })?;
        Ok(Built { top: self.top.clone(), library: place.join(LIBRARY), trace: self.trace })
    }

    /// The top module and its parameters, for people.
    pub fn describe(&self) -> String {
        let mut text = self.top.clone();
        for (name, value) in &self.parameters {
            let _ = write!(text, " {name}={value}");
        }
        text += if self.trace { " (waveforms)" } else { "" };
        text += if self.storage.is_empty() { "" } else { " (writable storage)" };
        text
    }

    fn key(&self, tools: &Tools, sources: &Sources) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        add(&self.describe());
        add(&self.control_file());
        add(&tools.identity());
        add(&self.verilator_arguments().join(" "));
        add(&compile::flags(self.trace).join(" "));
        add(&compile::OPTIMISE.join(" "));
        for part in shim::PARTS {
            add(part);
        }
        for file in sources.files() {
            add(&file.name);
            add(&file.text);
        }
        hash.finalize().iter().take(8).fold(String::new(), |s, byte| s + &format!("{byte:02x}"))
    }

    fn verilator_arguments(&self) -> Vec<String> {
        let fixed = "--cc -O3 --assert --threads 1 --x-assign fast --x-initial unique -Wno-fatal \
                     --timescale-override 1ps/1ps --prefix Vmodel";
        let mut arguments: Vec<String> = fixed.split_whitespace().map(str::to_owned).collect();
        if self.trace {
            arguments.extend(["--trace-fst", "--trace-structs"].map(str::to_owned));
        }
        arguments.extend(["--top-module".to_owned(), self.top.clone()]);
        arguments.extend(self.parameters.iter().map(|(name, value)| match value {
            // A plain decimal has 32 bits.
            0..=0x7fff_ffff => format!("-G{name}={value}"),
            _ => format!("-G{name}=64'h{value:x}"),
        }));
        arguments
    }

    /// The control file that makes storage public, or nothing.
    fn control_file(&self) -> String {
        let mut text = String::new();
        for Storage { module, variable } in &self.storage {
            let _ = writeln!(text, "public_flat_rw -module \"{module}\" -var \"{variable}\"");
        }
        for place in self.visible.iter().filter(|place| !self.storage.contains(place)) {
            let Storage { module, variable } = place;
            let _ = writeln!(text, "public_flat_rd -module \"{module}\" -var \"{variable}\"");
        }
        text
    }

    fn make(&self, tools: &Tools, sources: &Sources, dir: &Path) -> Result<(), Error> {
        let generated = dir.join("generated");
        let mut arguments = self.verilator_arguments();
        arguments.extend(["--Mdir".to_owned(), generated.display().to_string()]);
        if !(self.storage.is_empty() && self.visible.is_empty()) {
            let path = dir.join("storage.vlt");
            write(&path, &format!("`verilator_config\n{}", self.control_file()))?;
            arguments.push(path.display().to_string());
        }
        arguments
            .extend(sources.include_folders().iter().map(|d| format!("+incdir+{}", d.display())));
        arguments.extend(sources.compile_order().map(|path| path.display().to_string()));
        tools.verilate(&self.describe(), &arguments)?;

        let header = generated.join("Vmodel.h");
        let text = std::fs::read_to_string(&header).map_err(|e| Error::file("read", &header, e))?;
        let ports = shim::ports(&self.top, &text)?;
        shim::write(&generated, &ports)?;

        let runtime = compile::runtime(tools, self.trace)?;
        compile::model(tools, &generated, &runtime, self.trace, &dir.join(LIBRARY))?;
        // The generated C++ is of no use once it is linked.
        std::fs::remove_dir_all(&generated).map_err(|e| Error::file("remove", &generated, e))
    }
}

const LIBRARY: &str = "model.so";

/// A line for the person who waits. Not `eprintln`: the test harness would keep it to itself.
fn progress(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|e| Error::file("write", path, e))
}
