//! `terntable bench serve`.

use super::{
    ModelArg, print_json, print_text, progress_bar,
    serve::{PlaceArgs, listen, runtime},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use terntable::{
    Error,
    language::Language,
    replay::{Limits, Outcome, Report, Spread, Target, Trace, plot, replay},
};
use terntable_server::{Options, serve};

/// Tokens that prompts are drawn from, where the server does not tell its vocabulary.
const VOCAB: usize = 1000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The trace: JSON lines with arrival_s, prompt_tokens, output_tokens; Azure's CSV; Mooncake's JSON lines.
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// The server to ask. Default: one in this process, with the options below.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Its key.
    #[arg(long, value_name = "KEY", env = "TERNTABLE_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    #[command(flatten)]
    model: ModelArg,
    #[command(flatten)]
    place: PlaceArgs,
    /// Replay the first N requests only.
    #[arg(long, value_name = "N", default_value_t = usize::MAX, value_parser = super::positive)]
    #[arg(hide_default_value = true)]
    requests: usize,
    /// Replay so many times as fast.
    #[arg(long, value_name = "TIMES", default_value_t = 1.0, value_parser = factor)]
    speed: f64,
    /// Divide the lengths of prompts and answers; what then does not fit the context is cut.
    #[arg(long, value_name = "BY", default_value_t = 1.0, value_parser = factor)]
    shrink: f64,
    /// A good answer's longest time to the first token, ms.
    #[arg(long, value_name = "MS", default_value_t = 1000.0, value_parser = factor)]
    first_limit: f64,
    /// A good answer's longest mean time between tokens, ms.
    #[arg(long, value_name = "MS", default_value_t = 100.0, value_parser = factor)]
    between_limit: f64,
    /// The longest that an answer may take, seconds.
    #[arg(long, value_name = "S", default_value_t = 600.0, value_parser = factor)]
    max_time: f64,
    /// Draw how many requests and tokens came within which time (SVG).
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// A number above 0.
fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|f: &f64| f.is_finite() && *f > 0.0);
    factor.ok_or("expected a number above 0".into())
}

#[derive(serde::Serialize)]
struct Printed {
    trace: String,
    server: String,
    model: String,
    tier: &'static str,
    #[serde(flatten)]
    report: Report,
}

pub fn run(args: &Args) -> Result<(), Error> {
    let trace = Trace::read(&args.trace)?.scaled(args.requests, args.speed, args.shrink);
    let (model, outcomes, report) = runtime()?.block_on(async {
        match &args.url {
            Some(url) => measure(args, url, trace).await,
            None => in_process(args, trace).await,
        }
    })?;
    let name = args.trace.display().to_string();
    if let Some(path) = &args.plot {
        plot(path, &format!("{model}, {name} [measured]"), &outcomes)?;
    }
    let devices: Vec<String> = args.place.devices().map(|device| device.to_string()).collect();
    let server = args.url.clone().unwrap_or_else(|| format!("in process: {}", devices.join(",")));
    let printed = Printed { trace: name, server, model, tier: "measured", report };
    match args.json {
        true => print_json(&printed),
        false => print_text(&table(&printed)),
    }
}

/// Replays against a server in this process, over a real socket.
async fn in_process(args: &Args, trace: Trace) -> Result<(String, Vec<Outcome>, Report), Error> {
    let checkpoint = args.model.open()?;
    let language = Arc::new(Language::new(&checkpoint, None)?);
    let queue = trace.arrivals.len();
    let service = args.place.service(&checkpoint, queue)?;
    let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let url = match listener.local_addr() {
        Ok(address) => format!("http://{address}"),
        Err(e) => return Err(Error::Input(format!("the server has no address: {e}"))),
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let options = Options {
        max_requests: queue,
        request_time: Duration::from_secs_f64(args.max_time),
        ..Options::default()
    };
    let serving = tokio::spawn(serve(listener, service, language, options, async {
        let _ = stopped.await;
    }));
    let result = measure(args, &url, trace).await;
    drop(stop);
    match serving.await {
        Ok(Ok(())) => result,
        Ok(Err(error)) => Err(Error::Input(error.to_string())),
        Err(_) => Err(Error::Input("the server broke".into())),
    }
}

async fn measure(
    args: &Args,
    url: &str,
    trace: Trace,
) -> Result<(String, Vec<Outcome>, Report), Error> {
    let target = Target::open(url, args.api_key.clone()).await?;
    let trace = match target.context {
        Some(context) => trace.fitting(context),
        None => trace,
    };
    let bar = progress_bar(trace.arrivals.len() as u64, "answers");
    let before = target.slots().await;
    let limit = Duration::from_secs_f64(args.max_time);
    let vocab = target.vocab.unwrap_or(VOCAB);
    let outcomes =
        replay(&target, &trace, vocab, limit, |ended| bar.set_position(ended as u64)).await;
    bar.finish_and_clear();
    let bubbles = match (before, target.slots().await) {
        (Some((slots, empty)), Some((all, more))) if all > slots => {
            Some((more - empty) as f64 / (all - slots) as f64)
        }
        _ => None,
    };
    let limits = Limits { first_s: args.first_limit / 1e3, between_s: args.between_limit / 1e3 };
    let report = Report::new(&trace, &outcomes, limits, bubbles);
    Ok((target.model, outcomes, report))
}

fn table(printed: &Printed) -> String {
    let Printed { trace, server, model, report, .. } = printed;
    let mut text = format!(
        "{model}, {trace}, {server} [measured]\n  {} requests, {} answered in {:.2} s; {} cut to fit the context; \
         sent at most {:.1} ms late\n",
        report.requests,
        report.answered,
        report.duration_s,
        report.cut,
        1e3 * report.late_s
    );
    for (error, count) in &report.failed {
        text += &format!("  {count} failed: {error}\n");
    }
    text +=
        &format!("  {:<24}{:>9}{:>9}{:>9}{:>9}{:>9}\n", "ms", "mean", "p50", "p90", "p99", "max");
    for (what, spread) in [
        ("first token", report.first_s),
        ("between tokens", report.between_s),
        ("whole answer", report.end_s),
    ] {
        let Some(Spread { mean, p50, p90, p99, max }) = spread else { continue };
        text += &format!("  {what:<24}");
        text.extend([mean, p50, p90, p99, max].map(|s| format!("{:>9.2}", 1e3 * s)));
        text += "\n";
    }
    let Limits { first_s, between_s } = report.limits;
    text += &format!(
        "  throughput              {:.1} tokens/s made, {:.2} answers/s\n  \
         goodput                 {:.2} answers/s, {:.1} % of the requests (first token within {:.0} ms, then {:.0} ms \
         each)\n",
        report.output_tokens_per_s,
        report.answers_per_s,
        report.goodput_per_s,
        100.0 * report.good_share,
        1e3 * first_s,
        1e3 * between_s
    );
    match report.bubbles {
        Some(bubbles) => {
            text + &format!("  bubbles                 {:.2} % of the slots\n", 100.0 * bubbles)
        }
        None => text,
    }
}
