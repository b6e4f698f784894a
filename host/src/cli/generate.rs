//! `terntable generate`.

use super::{
    CardArg, HeadArg, ModelArg, PlaceArg, RecordingArg, ThreadsArg, print_json, print_text,
    progress_bar,
};
use serde::Serialize;
use terntable::{
    Error,
    device::with_feed,
    generate::{Event, Prompt, Request, generate},
    import::Sampling,
    usage::Spent,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArg,
    /// The text to continue.
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Most tokens to make.
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_tokens: usize,
    /// 0 takes the likeliest token; higher draws more freely.
    #[arg(long, value_name = "T", default_value_t = 0.0, value_parser = super::temperature)]
    #[arg(allow_negative_numbers = true)]
    temperature: f64,
    /// Draw from so many of the likeliest tokens only.
    #[arg(long, value_name = "N", value_parser = super::positive)]
    top_k: Option<usize>,
    /// Draw from the likeliest tokens only that together have this probability.
    #[arg(long, value_name = "SHARE", value_parser = super::share)]
    top_p: Option<f64>,
    /// Seed of the draws.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    place: PlaceArg,
    #[command(flatten)]
    threads: ThreadsArg,
    #[command(flatten)]
    card: CardArg,
    #[command(flatten)]
    recording: RecordingArg,
    /// Which head scores the tokens.
    #[arg(long, value_enum, default_value = "two-stage")]
    head: HeadArg,
    /// One JSON object instead of streaming text.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    text: String,
    tokens: Vec<u32>,
    prompt_tokens: usize,
    device: String,
    #[serde(flatten)]
    usage: Option<Spent>,
}

pub fn run(args: &Args) -> Result<(), Error> {
    let checkpoint = args.model.open()?;
    let tokenizer = checkpoint.tokenizer()?;
    // Before the simulator is built for a prompt that cannot be served.
    let prompt = Prompt::encode(checkpoint.config(), &tokenizer, &args.prompt)?;
    let card = args.card.config()?;
    let end_tokens = checkpoint.end_tokens()?;
    let request = Request {
        prompt: &prompt,
        max_tokens: args.max_tokens,
        sampling: Sampling { temperature: args.temperature, top_k: args.top_k, top_p: args.top_p },
        seed: args.seed,
        end_tokens: &end_tokens,
    };
    let bar = progress_bar(0, "prompt");
    let mut printed = if args.json { Ok(()) } else { print_text(&args.prompt) };
    let event = |event: Event<'_>| match event {
        Event::Prefill(done, all) => {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
            if done == all && args.json {
                bar.reset();
                bar.set_message("tokens");
                bar.set_length(args.max_tokens as u64);
            } else if done == all {
                bar.finish_and_clear();
            }
        }
        Event::Text(_) if args.json => bar.inc(1),
        Event::Text(text) if printed.is_ok() => printed = print_text(text),
        Event::Text(_) => {}
    };
    let recording = args.recording.recording();
    let place = args.place.place(&card, &recording, args.threads.threads);
    let (made, usage) = with_feed(&place, &checkpoint, args.head.into(), |runner| {
        generate(runner, &tokenizer, &request, event)
    })?;
    printed?;
    bar.finish_and_clear();
    if !args.json {
        print_text("\n")?;
        if let Some(usage) = &usage {
            eprintln!("{usage}");
        }
        return Ok(());
    }
    print_json(&Report {
        text: made.text,
        tokens: made.tokens,
        prompt_tokens: made.prompt_tokens,
        device: args.place.device.to_string(),
        usage,
    })
}
