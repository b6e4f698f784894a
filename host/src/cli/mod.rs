//! Commands and their options.

mod bench;
mod bench_serve;
mod card_server;
mod chat;
mod convert;
mod devices;
mod doctor;
mod estimate;
mod eval;
mod generate;
mod inspect;
mod logits;
mod pack;
mod serve;
mod tokens;
mod verify;

use clap::{Parser, Subcommand, ValueEnum};
use std::{
    io::Write,
    path::{Path, PathBuf},
};
use terntable::{
    Error,
    device::{Device, DeviceName, Place},
    import::AnyCheckpoint,
    sim::Recording,
};
use terntable_golden::{attention::KvFormat, card::config::CardConfig, head::HeadMode};

/// Ternary language models by table lookup: golden model, CPU and simulated card, bit for bit.
///
/// Exit codes: 0 fine, 1 a result differs, 2 it could not run.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Continue a text.
    Generate(generate::Args),
    /// Talk with a model in a terminal.
    Chat(chat::Args),
    /// Serve a model over HTTP, as OpenAI's API has it, with a page to chat and look.
    Serve(serve::Args),
    /// Tokens of texts, or of conversations as the model's chat template renders them.
    Tokens(tokens::Args),
    /// Logits of every position of a token list, for comparing with other software.
    Logits(logits::Args),
    /// Run a device in lockstep with the golden model and compare every value.
    Verify(verify::Args),
    /// Loss, perplexity and bits a character on a text; compare two devices or two models.
    Eval(eval::Args),
    /// Measure the speed of the CPU on a model, or on random weights of a shape.
    Bench(bench::Args),
    /// Estimate a model's speed on a card, from passes of the RTL in simulation.
    Estimate(estimate::Args),
    /// Pack a checkpoint into an image for a card.
    Pack(pack::Args),
    /// Serve a card as a PCI function on a vfio-user socket, for QEMU or `--device vfio-user:SOCKET`.
    CardServer(card_server::Args),
    /// List the cards on the PCI bus.
    Devices(devices::Args),
    /// Find what keeps a card from being used, and the command that fixes it.
    Doctor(doctor::Args),
    /// Convert a checkpoint: Hugging Face folder, GGUF file, card image.
    Convert(convert::Args),
    /// Explain a checkpoint (folder or GGUF) or a card image: sizes, formats, programs; warn of damage.
    Inspect(inspect::Args),
}

/// Runs a command.
pub fn run(cli: Cli) -> Result<(), Error> {
    match cli.command {
        Command::Generate(args) => generate::run(&args),
        Command::Chat(args) => chat::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Tokens(args) => tokens::run(&args),
        Command::Logits(args) => logits::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Estimate(args) => estimate::run(&args),
        Command::Pack(args) => pack::run(&args),
        Command::CardServer(args) => card_server::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Inspect(args) => inspect::run(&args),
    }
}

/// The model to run.
#[derive(Debug, clap::Args)]
struct ModelArg {
    /// Checkpoint folder (config.json, model.safetensors, tokenizer.json) or GGUF file.
    #[arg(long, value_name = "PATH", default_value_os_t = bundled_model())]
    model: PathBuf,
}

impl ModelArg {
    fn open(&self) -> Result<AnyCheckpoint, Error> {
        AnyCheckpoint::open(&self.model)
    }
}

/// The bundled model: below the current folder or one above it, else where the program was built.
fn bundled_model() -> PathBuf {
    let bundled = Path::new("models/shakespeare");
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors()
        .map(|folder| folder.join(bundled))
        .find(|path| path.join("config.json").is_file())
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(bundled))
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DeviceArg {
    /// Table lookup and ternary attention in the golden model.
    Golden,
    /// SIMD kernels on the CPU.
    Cpu,
    /// The Verilated RTL of the whole card; the host only samples.
    Sim,
    /// The golden card model: whole passes from an image.
    CardGolden,
}

impl From<DeviceArg> for DeviceName {
    fn from(arg: DeviceArg) -> Self {
        match arg {
            DeviceArg::Golden => DeviceName::Golden,
            DeviceArg::Cpu => DeviceName::Cpu,
            DeviceArg::Sim => DeviceName::Sim,
            DeviceArg::CardGolden => DeviceName::CardGolden,
        }
    }
}

/// A device that runs whole passes, cards behind a bus among them.
#[derive(Debug, clap::Args)]
struct PlaceArg {
    /// Where the tokens are made: auto (a card if one works, else the CPU), golden, cpu, sim, card-golden; a card
    /// behind its host interface: card:golden, card:sim, vfio-user:SOCKET, vfio:BDF, platform:NAME.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: Device,
    /// End with an error when a card fails; otherwise the CPU goes on with the same answer.
    #[arg(long)]
    no_fallback: bool,
}

impl PlaceArg {
    fn place<'a>(
        &'a self,
        card: &'a CardConfig,
        recording: &'a Recording,
        threads: Option<usize>,
    ) -> Place<'a> {
        let note = &|text: &str| eprintln!("terntable: {text}");
        let loading = |arrived, all| loading_bar(arrived, all);
        let fallback = !self.no_fallback;
        Place { device: &self.device, card, recording, threads, fallback, note, loading }
    }
}

/// Draws how much of an image has arrived.
fn loading_bar(arrived: u64, all: u64) {
    static BAR: std::sync::OnceLock<indicatif::ProgressBar> = std::sync::OnceLock::new();
    let bar = BAR.get_or_init(|| progress_bar(0, "image"));
    bar.set_length(all);
    bar.set_position(arrived);
    if arrived == all {
        bar.finish_and_clear();
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum HeadArg {
    /// Integer screen, then exact scores of the best 256 rows.
    TwoStage,
    /// Exact scores of every row.
    Full,
}

impl From<HeadArg> for HeadMode {
    fn from(arg: HeadArg) -> Self {
        match arg {
            HeadArg::TwoStage => HeadMode::TwoStage,
            HeadArg::Full => HeadMode::Full,
        }
    }
}

/// Threads of the CPU.
#[derive(Debug, clap::Args)]
struct ThreadsArg {
    /// Threads of the CPU; by default as many as it runs at a time.
    #[arg(long, value_name = "N", value_parser = positive)]
    threads: Option<usize>,
}

/// The card of the card devices.
#[derive(Debug, clap::Args)]
struct CardArg {
    /// Configuration of the card devices: sim-small, kv260, alveo, or the TOML file of one.
    #[arg(long, value_name = "NAME", default_value = "sim-small")]
    card: String,
}

impl CardArg {
    fn config(&self) -> Result<CardConfig, Error> {
        terntable::pack::card(&self.card)
    }
}

/// What to record of the simulated card.
#[derive(Debug, clap::Args)]
struct RecordingArg {
    /// Write a waveform (FST) of the simulated card.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write a trace of units, streams and stalls of the simulated card (JSON, for Perfetto).
    #[arg(long, value_name = "FILE")]
    perfetto: Option<PathBuf>,
}

impl RecordingArg {
    fn recording(&self) -> terntable::sim::Recording {
        let (trace, perfetto) = (self.trace.clone(), self.perfetto.clone());
        terntable::sim::Recording { trace, perfetto }
    }
}

/// Bits of K and V to their format.
fn kv_bits(text: &str) -> Result<KvFormat, String> {
    match text {
        "8" => Ok(KvFormat::Int8),
        "4" => Ok(KvFormat::Int4),
        _ => Err("expected 8 or 4".into()),
    }
}

/// A temperature of a sampler.
fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(t) if t.is_finite() && t >= 0.0 => Ok(t),
        _ => Err("expected a number that is 0 or more".into()),
    }
}

/// A share of a whole.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if s > 0.0 && s <= 1.0 => Ok(s),
        _ => Err("expected a share above 0 and at most 1".into()),
    }
}

/// A count of at least one.
fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or("expected a whole number above 0".into())
}

/// Prints a report as JSON.
fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    let text = serde_json::to_string(value)
        .map_err(|e| Error::Input(format!("the report does not fit JSON: {e}")))?;
    print_text(&format!("{text}\n"))
}

/// Writes to standard output. A reader that has gone away (`| head`) ends the program quietly.
fn print_text(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => Err(Error::Input(format!("cannot write to standard output: {e}"))),
    }
}

/// A progress bar on standard error, drawn only on a terminal.
fn progress_bar(length: u64, what: &'static str) -> indicatif::ProgressBar {
    let style = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}")
        .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar());
    indicatif::ProgressBar::new(length).with_style(style).with_message(what)
}
