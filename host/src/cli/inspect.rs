//! `terntable inspect`.

use super::{print_json, print_text};
use std::{
    io::Read,
    path::{Path, PathBuf},
};
use terntable::{
    Error,
    import::{Checkpoint, Sampling},
    inspect::{
        Report,
        gguf::{self, GgufReport},
        inspect,
    },
    pack,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoint folder, GGUF file or card image.
    path: PathBuf,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), Error> {
    if is_gguf(&args.path) {
        let report = gguf::inspect(&args.path)?;
        return if args.json { print_json(&report) } else { print_text(&gguf_table(&report)) };
    }
    if args.path.is_file() {
        let report = pack::report(&pack::read(&args.path)?);
        return if args.json { print_json(&report) } else { print_text(&image_table(&report)) };
    }
    let report = inspect(&Checkpoint::open(&args.path)?)?;
    if args.json {
        return print_json(&report);
    }
    print_text(&table(&report))
}

/// The report as text.
fn table(report: &Report) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| text += &format!("{name:<18} {value}\n");
    row("architecture", report.architecture.into());
    row(
        "hidden, ffn",
        format!("{}, {} ({} gate)", report.hidden, report.intermediate, report.gate),
    );
    row(
        "layers, heads",
        format!(
            "{}, {} of {} ({} key-value)",
            report.layers, report.heads, report.head_dim, report.kv_heads
        ),
    );
    row("vocabulary", report.vocab.to_string());
    let stretch = report.rope_stretch.map_or(String::new(), |s| format!(", stretched {s} times"));
    row("context", format!("{} (rotary base {}{stretch})", report.context, report.rope_theta));
    let norms = match (report.sub_norms, report.linear_norm_eps) {
        (true, None) => "sub-norms before the output and down projections".into(),
        (false, None) => "no sub-norms".into(),
        (true, Some(eps)) => format!("sub-norms, and one in every linear layer (eps {eps:e})"),
        (false, Some(eps)) => format!("no sub-norms, one in every linear layer (eps {eps:e})"),
    };
    row("norms", norms);
    row("head", if report.tied_head { "tied" } else { "separate" }.into());
    row(
        "scale convention",
        format!(
            "the product is {}",
            match report.scale_convention {
                "multiply" => "multiplied by weight_scale (autobitlinear)",
                _ => "divided by weight_scale (bitlinear)",
            }
        ),
    );
    row(
        "ternary weights",
        format!("{} ({:.1} % zeros)", report.ternary_weights, 100.0 * report.zeros),
    );
    row("bytes", format!("{} in {} files", report.bytes, report.files));
    row("runs on", report.devices.join(", "));
    if let Some(kind) = &report.tokenizer {
        let bytes = if kind.byte_level { ", byte level" } else { "" };
        let (tokens, added, special) = (kind.tokens, kind.added, kind.special);
        let text =
            format!("{}{bytes}, {tokens} tokens, {added} added ({special} special)", kind.model);
        row("tokenizer", text);
    }
    let file = report.template.as_ref().and_then(|path| path.file_name());
    row("chat template", file.map_or("none".into(), |name| name.to_string_lossy().into_owned()));
    row("end tokens", format!("{:?}", report.end_tokens));
    let Sampling { temperature, top_k, top_p } = report.sampling;
    let limit = |name: &str, value: Option<String>| {
        value.map_or(String::new(), |value| format!(", {name} {value}"))
    };
    let limits = limit("top_k", top_k.map(|k| k.to_string()))
        + &limit("top_p", top_p.map(|p| p.to_string()));
    row("sampling", format!("temperature {temperature}{limits}"));
    text += "\n";
    text +=
        &format!("{:<48} {:<6} {:>14} {:>9} {:>7}\n", "tensor", "type", "shape", "bytes", "zeros");
    for tensor in &report.tensors {
        let shape: Vec<_> = tensor.shape.iter().map(usize::to_string).collect();
        let last = match (tensor.zeros, tensor.scale) {
            (Some(zeros), _) => format!("{:.1} %", 100.0 * zeros),
            (_, Some(scale)) => format!("= {scale:.4}"),
            _ => String::new(),
        };
        text += &format!(
            "{:<48} {:<6} {:>14} {:>9} {last:>7}\n",
            tensor.name,
            tensor.dtype,
            shape.join(" x "),
            tensor.bytes
        );
    }
    for warning in &report.warnings {
        text += &format!("warning: {warning}\n");
    }
    text
}

/// Whether a file is GGUF, by its first bytes or its name.
fn is_gguf(path: &Path) -> bool {
    let named = path.extension().is_some_and(|ending| ending == "gguf");
    let begins = || {
        let mut magic = [0; 4];
        let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
        read.is_ok() && magic == *b"GGUF"
    };
    path.is_file() && (named || begins())
}

/// A GGUF file as text.
fn gguf_table(report: &GgufReport) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| text += &format!("{name:<18} {value}\n");
    row("GGUF of", format!("{} ({}), version {}", report.dialect, report.evidence, report.version));
    row("architecture", report.architecture.clone());
    if let Some(model) = &report.model {
        let sub_norms = if model.sub_norms { "with" } else { "without" };
        row(
            "hidden, ffn",
            format!("{}, {} ({} gate)", model.hidden, model.intermediate, model.gate),
        );
        row(
            "layers, heads",
            format!(
                "{} {sub_norms} sub-norms, {} of {} ({} key-value)",
                model.layers, model.heads, model.head_dim, model.kv_heads
            ),
        );
        let pairs = if model.interleaved { "side by side" } else { "half a head apart" };
        row("rotary pairs", format!("{pairs} in Q and K"));
        row("vocabulary", model.vocab.to_string());
        row("context", model.context.to_string());
        row("head", if model.tied_head { "tied" } else { "separate" }.into());
    }
    row("tokenizer", report.tokenizer.clone().unwrap_or_else(|| "none".into()));
    row(
        "ternary weights",
        format!("{} ({:.1} % zeros)", report.ternary_weights, 100.0 * report.zeros),
    );
    row("bytes", report.bytes.to_string());
    text += &format!("\n{:<10} {:>8} {:>14}\n", "type", "tensors", "bytes");
    for kind in &report.types {
        text += &format!("{:<10} {:>8} {:>14}\n", kind.name, kind.tensors, kind.bytes);
    }
    text += &format!(
        "\n{:<32} {:<6} {:>14} {:>11} {:>7} {:>9}\n",
        "tensor", "type", "shape", "bytes", "zeros", "scale"
    );
    for tensor in &report.tensors {
        let shape: Vec<_> = tensor.shape.iter().map(u64::to_string).collect();
        let zeros = tensor.zeros.map_or(String::new(), |zeros| format!("{:.1} %", 100.0 * zeros));
        let scale = tensor.scale.map_or(String::new(), |scale| format!("{scale:.5}"));
        text += &format!(
            "{:<32} {:<6} {:>14} {:>11} {zeros:>7} {scale:>9}\n",
            tensor.name,
            tensor.dtype,
            shape.join(" x "),
            tensor.bytes
        );
    }
    for warning in &report.warnings {
        text += &format!("warning: {warning}\n");
    }
    text
}

/// An image as text.
pub fn image_table(report: &pack::Report) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| text += &format!("{name:<18} {value}\n");
    row("image of", format!("{:?} for card {}", report.name, report.card));
    row("configuration", report.config_hash.clone());
    row("hidden, ffn", format!("{}, {} ({} gate)", report.hidden, report.ffn, report.gate));
    row(
        "layers, heads",
        format!(
            "{}, {} of {} ({} key-value)",
            report.layers, report.heads, report.head_dim, report.kv_heads
        ),
    );
    row("vocabulary", format!("{} (embeddings of {} bits)", report.vocab, report.embed_bits));
    row("context", report.context.to_string());
    let of_bytes = |bytes: Option<usize>| bytes.map_or(String::new(), |b| format!(" of {b} bytes"));
    row(
        "KV pages",
        format!("{}{} (int{})", report.kv_pages, of_bytes(report.kv_page_bytes), report.kv_bits),
    );
    row(
        "ternary weights",
        format!("{} ({:.3} bits each)", report.ternary_weights, report.bits_per_weight),
    );
    row("image, bytes", report.bytes.to_string());
    if let Some(state) = report.state_bytes {
        row("state, bytes", state.to_string());
    }
    row("checksums", format!("{} pages compared, all equal", report.checked_pages));
    text += &format!("\n{:<18} {:>12} {:>14}\n", "section", "offset", "bytes");
    for section in &report.sections {
        text += &format!("{:<18} {:>#12x} {:>14}\n", section.name, section.offset, section.bytes);
    }
    text += &format!("\n{:<18} {:>12} {:>14}\n", "program", "address", "commands");
    for program in &report.programs {
        text +=
            &format!("{:<18} {:>#12x} {:>14}\n", program.name, program.address, program.commands);
    }
    for warning in &report.warnings {
        text += &format!("warning: {warning}\n");
    }
    text
}
