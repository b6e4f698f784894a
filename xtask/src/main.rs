//! `cargo xtask`: set-up, demo, gate and the long checks.
//!
//! Every command but `doctor` and `generate` first installs the pinned tools it needs (`scripts/tools.toml`) into
//! `.tools/`.

mod cycles;
mod demo;
mod doctor;
mod gate;
mod generate;
mod parity;
mod process;
mod server;
mod soak;
mod tools;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use tools::Group;

/// Terntable's set-up, demo, gate and long checks.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The bundled model answers a prompt on golden model, CPU and simulated card; tokens must agree.
    Demo,
    /// The gate: every suite that proves something.
    Test,
    /// What is installed, what is missing, and the command that fixes it.
    Doctor,
    /// Generate the register block, its Rust constants and its page (--check: compare only).
    Registers(Arguments),
    /// Write the files that come from the definitions of commands and cards.
    Generate {
        /// Compare only.
        #[arg(long)]
        check: bool,
    },
    /// Lint the RTL with Verilator and Verible.
    Lint(Arguments),
    /// Prove that lookup equals multiply-add (--bug: with a seeded bug, which must be found).
    Formal(Arguments),
    /// Synthesise the engine, a card or its units with Yosys: LUTs, levels.
    Synth(Arguments),
    /// Place and route the engine on an ECP5.
    Pnr(Arguments),
    /// Put faults into copies of the RTL: do the suites notice?
    Mutate(Arguments),
    /// Count cycles on real shapes: of the engine (`engine`), of whole layers on the card (`layers`).
    Cycles(Arguments),
    /// Compare the CPU path with llama.cpp, built here: paired rates of decode and prompts.
    BenchCpu(Arguments),
    /// The server under the `openai` package and schemathesis (--examples N, --seed N).
    Api(Arguments),
    /// The page in the system's Chromium (needs node); screenshots into a folder, if one is given.
    Page(Arguments),
    /// The card in a virtual machine: QEMU, an IOMMU, a kernel's VFIO, `terntable generate` in the guest.
    VmTest(Arguments),
    /// Tests of the gate for longer: damaged files, clients of the server, faults of cards, hostile hosts.
    Soak {
        /// Which one; all in turn without a name.
        name: Option<String>,
        /// How long those run that can run for ever.
        #[arg(long, default_value_t = 20.0)]
        minutes: f64,
    },
    /// Compare with PyTorch, transformers and llama.cpp (5.6 GB of tools); writes the fixtures of the gate.
    Parity(Arguments),
    /// Train the bundled model anew (5.6 GB of tools).
    Train(Arguments),
}

/// Options that go to the underlying script as they are.
#[derive(Debug, clap::Args)]
struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), String> {
    match command {
        Command::Demo => demo::run(),
        Command::Test => gate::run(),
        Command::Doctor => doctor::run(),
        Command::Registers(a) => process::script(Group::Gate, "scripts/registers.py", &a.rest),
        Command::Generate { check } => generate::run(check),
        Command::Lint(a) => process::script(Group::Gate, "scripts/lint.py", &a.rest),
        Command::Formal(a) => process::script(Group::Gate, "scripts/formal.py", &a.rest),
        Command::Synth(a) => process::script(Group::Gate, "scripts/synth.py", &a.rest),
        Command::Pnr(a) => {
            tools::install(Group::Route)?;
            process::script(Group::Gate, "scripts/pnr.py", &a.rest)
        }
        Command::Mutate(a) => process::script(Group::Gate, "scripts/mutate.py", &a.rest),
        Command::Cycles(a) => cycles::run(&a.rest),
        Command::BenchCpu(a) => {
            process::script(Group::Peers, "scripts/llama_cpp/bench.py", &a.rest)
        }
        Command::Api(a) => server::api(&a.rest),
        Command::Page(a) => server::page(&a.rest),
        Command::VmTest(a) => process::script(Group::Gate, "scripts/vm.py", &a.rest),
        Command::Soak { name, minutes } => soak::run(name.as_deref(), minutes),
        Command::Parity(a) => parity::parity(&a.rest),
        Command::Train(a) => process::script(Group::Parity, "scripts/train/train.py", &a.rest),
    }
}
