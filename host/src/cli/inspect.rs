//! `terntable inspect`.

use super::{print_json, print_text};
use std::path::PathBuf;
use terntable::{
    Error,
    import::Checkpoint,
    inspect::{Report, inspect},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoint folder.
    path: PathBuf,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), Error> {
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
    row("architecture", report.architecture.clone());
    row("hidden, ffn", format!("{}, {}", report.hidden, report.intermediate));
    row(
        "layers, heads",
        format!(
            "{}, {} of {} ({} key-value)",
            report.layers, report.heads, report.head_dim, report.kv_heads
        ),
    );
    row("vocabulary", report.vocab.to_string());
    row("context", report.context.to_string());
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
    row("bytes", report.bytes.to_string());
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
