//! `terntable eval`.

use super::{DeviceArg, ModelArg, print_json, print_text, progress_bar};
use serde::Serialize;
use std::path::PathBuf;
use terntable::{
    Error,
    device::{DeviceName, passes},
    eval::{Agreement, Beside, Divergence, Loss, Windows, loss},
    import::{AnyCheckpoint, Tokenizer},
    runner::Passes,
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
    #[arg(long, value_name = "SHARE", value_parser = super::share)]
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
    /// Compare with another device: mean and largest Kullback-Leibler divergence, best tokens.
    #[arg(long, value_enum, value_name = "DEVICE")]
    against_device: Option<DeviceArg>,
    /// Compare with another model of the same tokenizer.
    #[arg(long, value_name = "PATH")]
    against_model: Option<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    device: &'static str,
    #[serde(flatten)]
    loss: LossReport,
    tokens: usize,
    characters: usize,
    bytes: usize,
    window: usize,
    stride: usize,
    kv_bits: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    heads: Option<Agreement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<AgainstReport>,
}

#[derive(Serialize)]
struct LossReport {
    nats_per_character: f64,
    nats_per_token: f64,
    perplexity: f64,
    bits_per_character: f64,
    bits_per_byte: f64,
}

impl From<&Loss> for LossReport {
    fn from(loss: &Loss) -> Self {
        Self {
            nats_per_character: loss.per_character(),
            nats_per_token: loss.per_token(),
            perplexity: loss.perplexity(),
            bits_per_character: loss.bits_per_character(),
            bits_per_byte: loss.bits_per_byte(),
        }
    }
}

/// The other model or device, and how far it is from the first.
#[derive(Serialize)]
struct AgainstReport {
    model: PathBuf,
    device: &'static str,
    #[serde(flatten)]
    loss: LossReport,
    mean_kl_divergence: f64,
    max_kl_divergence: f64,
    top_1_agreement: f64,
}

pub fn run(args: &Args) -> Result<(), Error> {
    let checkpoint = args.model.open()?;
    let tokenizer = checkpoint.tokenizer()?;
    let text = text(args)?;
    let mut model = checkpoint.model()?;
    model.config.kv = args.kv_bits;
    let other_model = match &args.against_model {
        None => None,
        Some(path) => {
            let other = AnyCheckpoint::open(path)?;
            same_tokens(&tokenizer, &other.tokenizer()?, &text)?;
            let mut model = other.model()?;
            model.config.kv = args.kv_bits;
            Some(model)
        }
    };
    let name = DeviceName::from(args.device);
    let mut first = passes(name, &model)?;
    let other_name = args.against_device.map_or(name, DeviceName::from);
    let mut other_passes = match args.against_device.is_some() || other_model.is_some() {
        true => Some(passes(other_name, other_model.as_ref().unwrap_or(&model))?),
        false => None,
    };
    let windows = Windows { window: args.window, stride: args.stride };
    let bar = progress_bar(0, "tokens");
    let mut heads = args.heads.then(Agreement::default);
    let (mut other_loss, mut divergence) = (Loss::default(), Divergence::default());
    let beside = Beside {
        heads: heads.as_mut(),
        other: other_passes
            .as_deref_mut()
            .map(|other| (other as &mut dyn Passes, &mut other_loss, &mut divergence)),
    };
    let progress = |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let loss = loss(&mut *first, &tokenizer, &text, windows, beside, progress)?;
    bar.finish_and_clear();
    let against = other_passes.is_some().then(|| AgainstReport {
        model: args.against_model.clone().unwrap_or_else(|| args.model.model.clone()),
        device: other_name.as_str(),
        loss: (&other_loss).into(),
        mean_kl_divergence: divergence.mean(),
        max_kl_divergence: divergence.largest,
        top_1_agreement: divergence.top_1 as f64 / divergence.positions as f64,
    });
    let report = Report {
        device: name.as_str(),
        loss: (&loss).into(),
        tokens: loss.tokens,
        characters: loss.characters,
        bytes: loss.bytes,
        window: args.window,
        stride: args.stride,
        kv_bits: args.kv_bits.bits(),
        heads,
        against,
    };
    if args.json { print_json(&report) } else { print_text(&table(&report, model.config.vocab)) }
}

/// The text, or the last part of it.
fn text(args: &Args) -> Result<String, Error> {
    let path = args.text.clone().unwrap_or_else(|| args.model.model.join("tinyshakespeare.txt"));
    let text = std::fs::read_to_string(&path).map_err(|source| Error::Read {
        path,
        source,
        remedy: "give a text file with --text",
    })?;
    let last = args.last.unwrap_or(if args.text.is_some() { 1.0 } else { 0.1 });
    let characters: Vec<char> = text.chars().collect();
    let from = (characters.len() as f64 * (1.0 - last)) as usize;
    Ok(characters[from..].iter().collect())
}

/// Two models can be compared only on the same tokens.
fn same_tokens(a: &Tokenizer, b: &Tokenizer, text: &str) -> Result<(), Error> {
    match a.encode(text)? == b.encode(text)? {
        true => Ok(()),
        false => Err(Error::Input(
            "the tokenizers of the two models cut the text differently; only models of one tokenizer \
             can be compared"
                .into(),
        )),
    }
}

fn table(report: &Report, vocab: usize) -> String {
    let mut text = format!(
        "{} tokens, {} characters, {} bytes; window {}, stride {}; K and V in {} bits\n",
        report.tokens,
        report.characters,
        report.bytes,
        report.window,
        report.stride,
        report.kv_bits
    );
    let mut line = |device: &str, loss: &LossReport| {
        text += &format!(
            "loss on {device}: {:.4} nats a character ({:.4} a token), perplexity {:.4}, {:.4} bits a \
             character, {:.4} a byte\n",
            loss.nats_per_character,
            loss.nats_per_token,
            loss.perplexity,
            loss.bits_per_character,
            loss.bits_per_byte
        );
    };
    line(report.device, &report.loss);
    if let Some(against) = &report.against {
        line(&format!("{} ({})", against.device, against.model.display()), &against.loss);
        text += &format!(
            "its divergence from the first: mean {:.3e}, largest {:.3e} nats a token; the best token is \
             the same at {:.3} %\n",
            against.mean_kl_divergence,
            against.max_kl_divergence,
            100.0 * against.top_1_agreement
        );
    }
    if let Some(Agreement { positions, top_1, top_40, top_40_tokens }) = report.heads {
        let share = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
        let top = Agreement::TOP.min(vocab);
        text += &format!(
            "two-stage head against the full head at {positions} tokens: the best is the same in \
             {:.3} %, the best {top} are in {:.3} %, of which {:.4} % are shared\n",
            share(top_1, positions),
            share(top_40, positions),
            share(top_40_tokens, positions * top)
        );
    }
    text
}
