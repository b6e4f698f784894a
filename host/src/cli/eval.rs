//! `terntable eval`.

use super::{DeviceArg, ModelArg, print_json, print_text, progress_bar};
use serde::Serialize;
use std::path::PathBuf;
use terntable::{
    Error,
    device::{DeviceName, passes},
    eval::{Agreement, Windows, loss},
};
use terntable_golden::attention::KvFormat;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArg,
    /// Text file; the bundled model brings its own corpus.
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Use the last part of the text only. Without --text 0.1, the tenth that the bundled model was
    /// not trained on; else all.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    last: Option<f64>,
    /// Tokens of a window.
    #[arg(long, value_name = "N", default_value_t = 256)]
    window: usize,
    /// Tokens from window to window.
    #[arg(long, value_name = "N", default_value_t = 128)]
    stride: usize,
    /// Where the integers are added up.
    #[arg(long, value_enum, default_value = "golden")]
    device: DeviceArg,
    /// Bits of the rows of K and V: 8 or 4.
    #[arg(long, value_name = "BITS", default_value = "8", value_parser = super::kv_bits)]
    kv_bits: KvFormat,
    /// Compare the two-stage head with the full head at every scored token.
    #[arg(long)]
    heads: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if s > 0.0 && s <= 1.0 => Ok(s),
        _ => Err("expected a share above 0 and at most 1".into()),
    }
}

#[derive(Serialize)]
struct Report {
    device: &'static str,
    nats_per_character: f64,
    nats_per_token: f64,
    tokens: usize,
    characters: usize,
    window: usize,
    stride: usize,
    kv_bits: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    heads: Option<Agreement>,
}

pub fn run(args: &Args) -> Result<(), Error> {
    let checkpoint = args.model.open()?;
    let tokenizer = checkpoint.tokenizer()?;
    let mut model = checkpoint.model()?;
    model.config.kv = args.kv_bits;
    let path = args.text.clone().unwrap_or_else(|| args.model.model.join("tinyshakespeare.txt"));
    let text = std::fs::read_to_string(&path).map_err(|source| Error::Read {
        path,
        source,
        remedy: "give a text file with --text",
    })?;
    let last = args.last.unwrap_or(if args.text.is_some() { 1.0 } else { 0.1 });
    let characters: Vec<char> = text.chars().collect();
    let from = (characters.len() as f64 * (1.0 - last)) as usize;
    let text: String = characters[from..].iter().collect();
    let name = DeviceName::from(args.device);
    let mut passes = passes(name, &model)?;
    let windows = Windows { window: args.window, stride: args.stride };
    let bar = progress_bar(0, "tokens");
    let mut heads = args.heads.then(Agreement::default);
    let progress = |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let loss = loss(&mut *passes, &tokenizer, &text, windows, heads.as_mut(), progress)?;
    bar.finish_and_clear();
    let report = Report {
        device: name.as_str(),
        nats_per_character: loss.per_character(),
        nats_per_token: loss.per_token(),
        tokens: loss.tokens,
        characters: loss.characters,
        window: args.window,
        stride: args.stride,
        kv_bits: args.kv_bits.bits(),
        heads,
    };
    if args.json {
        return print_json(&report);
    }
    let mut text = format!(
        "loss on {}: {:.4} nats a character ({:.4} a token; {} tokens, {} characters; window {}, \
         stride {}; K and V in {} bits)\n",
        report.device,
        report.nats_per_character,
        report.nats_per_token,
        report.tokens,
        report.characters,
        report.window,
        report.stride,
        report.kv_bits
    );
    if let Some(Agreement { positions, top_1, top_40, top_40_tokens }) = report.heads {
        let share = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
        let top = Agreement::TOP.min(model.config.vocab);
        text += &format!(
            "two-stage head against the full head at {positions} tokens: the best is the same in \
             {:.3} %, the best {top} are in {:.3} %, of which {:.4} % are shared\n",
            share(top_1, positions),
            share(top_40, positions),
            share(top_40_tokens, positions * top)
        );
    }
    print_text(&text)
}
