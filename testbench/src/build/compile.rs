//! C++ on every core: the simulator's runtime once for all models, the model's own files for each.

use super::{
    cache, shim,
    tools::{Tools, run},
};
use crate::Error;
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Optimisation of what runs every cycle, and of what runs once at the start: that is large, so it
/// is compiled fast.
pub const OPTIMISE: [&str; 2] = ["-O2", "-O0"];

/// Compiler flags of every file of a build.
pub fn flags(trace: bool) -> Vec<&'static str> {
    let mut flags: Vec<&str> = "-std=c++17 -fPIC -fvisibility=hidden -w -pthread -DVERILATOR=1 \
        -DVL_TIME_CONTEXT -DVL_USER_FINISH -DVL_USER_STOP -DVL_USER_FATAL -DVM_COVERAGE=0 \
        -DVM_SC=0 -DVM_TIMING=0 -DVM_TRACE_VCD=0 -DVM_TRACE_SAIF=0"
        .split_whitespace()
        .collect();
    flags.extend(if trace {
        ["-DVM_TRACE=1", "-DVM_TRACE_FST=1"]
    } else {
        ["-DVM_TRACE=0", "-DVM_TRACE_FST=0"]
    });
    flags
}

/// The object files of Verilator's runtime, compiled once for a tool version and kind.
pub fn runtime(tools: &Tools, trace: bool) -> Result<Vec<PathBuf>, Error> {
    let mut names = vec!["verilated", "verilated_threads", "verilated_dpi"];
    names.extend(trace.then_some("verilated_fst_c"));
    let mut hash = Sha256::new();
    hash.update(tools.identity());
    hash.update(flags(trace).join(" "));
    shim::PARTS[1..].iter().for_each(|part| hash.update(part));
    let key = hash.finalize().iter().take(8).fold(String::new(), |s, b| s + &format!("{b:02x}"));
    let place = cache::get_or_make(
        &super::cache_dir().join("verilated"),
        &format!("runtime-{key}"),
        |dir| {
            shim::write_headers(dir)?;
            let include = tools.verilator_root.join("include");
            let files: Vec<Unit> = names
                .iter()
                .map(|name| Unit::new(include.join(format!("{name}.cpp")), dir, OPTIMISE[0]))
                .collect();
            compile(tools, "the simulator's runtime", &files, dir, trace)
        },
    )?;
    Ok(names.iter().map(|name| place.join(format!("{name}.o"))).collect())
}

/// Compiles the generated files in `dir` and links them with the runtime.
pub fn model(
    tools: &Tools,
    dir: &Path,
    runtime: &[PathBuf],
    trace: bool,
    library: &Path,
) -> Result<(), Error> {
    let entries = fs::read_dir(dir).map_err(|e| Error::file("read", dir, e))?;
    let mut sources: Vec<(u64, PathBuf)> = entries
        .flatten()
        .map(|entry| (entry.metadata().map_or(0, |m| m.len()), entry.path()))
        .filter(|(_, path)| path.extension().is_some_and(|e| e == "cpp"))
        .collect();
    // The largest first, so that no core ends up alone with it.
    sources.sort_by(|a, b| b.cmp(a));
    let files: Vec<Unit> = sources
        .into_iter()
        .map(|(_, path)| {
            let slow = path.to_string_lossy().contains("__Slow");
            Unit::new(path, dir, OPTIMISE[usize::from(slow)])
        })
        .collect();
    let subject = library.display().to_string();
    compile(tools, &subject, &files, dir, trace)?;
    let mut link = tools.cxx();
    link.args(["-shared", "-pthread", "-Wl,-Bsymbolic", "-o"]).arg(library);
    link.args(files.iter().map(|unit| &unit.object)).args(runtime);
    run("the C++ linker", &subject, link)
}

struct Unit {
    source: PathBuf,
    object: PathBuf,
    optimise: &'static str,
}

impl Unit {
    fn new(source: PathBuf, dir: &Path, optimise: &'static str) -> Self {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Unit { source, object: dir.join(format!("{name}.o")), optimise }
    }
}

fn compile(
    tools: &Tools,
    subject: &str,
    units: &[Unit],
    headers: &Path,
    trace: bool,
) -> Result<(), Error> {
    let (next, failure) = (AtomicUsize::new(0), Mutex::new(None));
    let include = tools.verilator_root.join("include");
    let worker = || {
        while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut cxx = tools.cxx();
            cxx.args(flags(trace)).arg(unit.optimise);
            if tools.is_gcc() {
                // Statics of inline functions must not be shared between two models in a process.
                cxx.arg("-fno-gnu-unique");
            }
            cxx.arg("-include").arg(headers.join("hooks.h"));
            cxx.arg("-I").arg(headers).arg("-I").arg(&include);
            cxx.arg("-I").arg(include.join("vltstd"));
            cxx.arg("-c").arg(&unit.source).arg("-o").arg(&unit.object);
            if let Err(e) = run("the C++ compiler", subject, cxx) {
                next.store(units.len(), Ordering::Relaxed);
                failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(e);
            }
        }
    };
    let jobs = thread::available_parallelism().map_or(1, usize::from).min(units.len());
    thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(worker))));
    match failure.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
