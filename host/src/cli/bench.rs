//! `terntable bench`.

use super::{HeadArg, ThreadsArg, print_json, print_text, progress_bar};
use serde::Serialize;
use terntable::{
    Error,
    bench::{Speed, Work, open, run as bench},
    device::cores,
    runner::CPU_SLOTS,
};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    of: Option<Of>,
    /// Checkpoint folder, or a shape with random weights: bitnet-0.73b, bitnet-2b4t, falcon3-1b,
    /// llama3-8b.
    #[arg(long, value_name = "PATH|SHAPE", default_value_t = super::bundled_model().display().to_string())]
    model: String,
    /// What runs it.
    #[arg(long, value_enum, default_value = "cpu")]
    device: BenchDevice,
    #[command(flatten)]
    threads: ThreadsArg,
    /// Tokens of the prompt; 0 decodes at once.
    #[arg(long, value_name = "N", default_value_t = 128)]
    prompt_tokens: usize,
    /// Tokens to decode.
    #[arg(long, value_name = "N", default_value_t = 64)]
    tokens: usize,
    /// Sequences decoded at a time.
    #[arg(long, value_name = "N", default_value_t = 1)]
    slots: usize,
    /// Slots of a pass over the prompt.
    #[arg(long, value_name = "N", default_value_t = CPU_SLOTS)]
    chunk: usize,
    /// Which head scores the tokens.
    #[arg(long, value_enum, default_value = "two-stage")]
    head: HeadArg,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Of {
    /// Replay a trace of requests against a server: times, throughput, goodput.
    Serve(super::bench_serve::Args),
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum BenchDevice {
    /// SIMD kernels on the CPU.
    Cpu,
}

#[derive(Serialize)]
struct Report {
    model: String,
    device: &'static str,
    tier: &'static str,
    #[serde(flatten)]
    speed: Speed,
}

pub fn run(args: &Args) -> Result<(), Error> {
    if let Some(Of::Serve(args)) = &args.of {
        return super::bench_serve::run(args);
    }
    let BenchDevice::Cpu = args.device;
    let threads = args.threads.threads.unwrap_or_else(cores);
    let (cpu, open_s) = open(&args.model, threads)?;
    let work = Work {
        prompt_tokens: args.prompt_tokens,
        tokens: args.tokens,
        slots: args.slots,
        chunk: args.chunk,
        head: args.head.into(),
    };
    let bar = progress_bar(0, "tokens");
    let speed = bench(&cpu, open_s, &work, &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    if args.json {
        let model = args.model.clone();
        return print_json(&Report { model, device: "cpu", tier: "measured", speed });
    }
    print_text(&table(&args.model, &speed))
}

fn table(model: &str, speed: &Speed) -> String {
    let rate =
        |rate: Option<f64>, unit| rate.map_or("-".into(), |rate| format!("{rate:.1} {unit}"));
    let mib = |bytes: f64| format!("{:.1} MiB", bytes / f64::from(1 << 20));
    let rows = [
        ("threads, instructions", format!("{}, {}", speed.threads, speed.simd)),
        ("packed model", mib(speed.image_bytes as f64)),
        ("bits a weight", format!("{:.3}", speed.bits_per_weight)),
        ("opened in", format!("{:.3} s", speed.open_s)),
        ("prompt", rate(speed.prefill_tokens_per_s, "tokens/s")),
        ("first token after", rate(speed.first_token_s.map(|s| s * 1e3), "ms")),
        ("decode, all slots", format!("{:.1} tokens/s", speed.decode_tokens_per_s)),
        ("read a pass", mib(speed.bytes_per_pass as f64)),
        ("memory read rate", format!("{:.1} GB/s", speed.read_gb_per_s)),
        ("share of it in decode", format!("{:.1} %", 100.0 * speed.read_share)),
        ("most memory held", speed.peak_memory_bytes.map_or("-".into(), |b| mib(b as f64))),
    ];
    let head = format!(
        "{model}: prompt of {}, {} decoded, {} slots [measured]\n",
        speed.prompt_tokens, speed.tokens, speed.slots
    );
    rows.iter().fold(head, |text, (what, value)| text + &format!("  {what:<22} {value}\n"))
}
