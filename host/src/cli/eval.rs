//! `terntable eval`.

use super::{DeviceArg, ModelArg, print_json, print_text, progress_bar};
use serde::Serialize;
use std::path::PathBuf;
use terntable::{
    Error,
    device::{AnyDevice, DeviceName},
    eval::{Windows, loss},
};

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
}

pub fn run(args: &Args) -> Result<(), Error> {
    let checkpoint = args.model.open()?;
    let tokenizer = checkpoint.tokenizer()?;
    let model = checkpoint.model()?;
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
    let mut device = AnyDevice::open(name, &model)?;
    let windows = Windows { window: args.window, stride: args.stride };
    let bar = progress_bar(0, "tokens");
    let loss = loss(&model, device.as_device(), &tokenizer, &text, windows, |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let report = Report {
        device: name.as_str(),
        nats_per_character: loss.per_character(),
        nats_per_token: loss.per_token(),
        tokens: loss.tokens,
        characters: loss.characters,
        window: args.window,
        stride: args.stride,
    };
    if args.json {
        return print_json(&report);
    }
    print_text(&format!(
        "loss on {}: {:.4} nats a character ({:.4} a token; {} tokens, {} characters; window {}, \
         stride {})\n",
        report.device,
        report.nats_per_character,
        report.nats_per_token,
        report.tokens,
        report.characters,
        report.window,
        report.stride
    ))
}
