//! `terntable pack`.

use super::{inspect::image_table, print_json, print_text, progress_bar};
use clap::ValueEnum;
use std::path::PathBuf;
use terntable::{
    Error,
    import::AnyCheckpoint,
    pack::{PackOptions, card, pack, report, write},
};
use terntable_golden::attention::KvFormat;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoint folder or GGUF file.
    checkpoint: PathBuf,
    /// The card: sim-small, kv260, alveo, or the TOML file of one.
    #[arg(long, value_name = "NAME")]
    card: String,
    /// The image to write.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// How K and V are held.
    #[arg(long, value_enum, default_value = "int8")]
    kv: KvArg,
    /// KV pages; by default a full context in every slot, or what the card's memory holds.
    #[arg(long, value_name = "N")]
    pages: Option<u32>,
    /// Tiles of a panel; by default the compiler's choice.
    #[arg(long, value_name = "N")]
    panel_tiles: Option<usize>,
    /// Name of the model in the image; by default that of the folder or file.
    #[arg(long)]
    name: Option<String>,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KvArg {
    /// One byte an element.
    Int8,
    /// Half a byte an element.
    Int4,
}

impl From<KvArg> for KvFormat {
    fn from(arg: KvArg) -> Self {
        match arg {
            KvArg::Int8 => KvFormat::Int8,
            KvArg::Int4 => KvFormat::Int4,
        }
    }
}

pub fn run(args: &Args) -> Result<(), Error> {
    let card = card(&args.card)?;
    let checkpoint = AnyCheckpoint::open(&args.checkpoint)?;
    let options = PackOptions {
        kv: args.kv.into(),
        pages: args.pages,
        panel_tiles: args.panel_tiles,
        name: args.name.clone().unwrap_or_else(|| checkpoint.name()),
    };
    let bar = progress_bar(0, "packing");
    let image = pack(&checkpoint, &card, &options, |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    write(&image, &args.output)?;
    let report = report(&image);
    if args.json {
        return print_json(&report);
    }
    print_text(&format!("{}wrote {}\n", image_table(&report), args.output.display()))
}
