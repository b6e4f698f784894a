//! `terntable convert`.

use super::{print_json, print_text, progress_bar};
use clap::ValueEnum;
use serde::Serialize;
use std::path::{Path, PathBuf};
use terntable::{
    Error,
    convert::{Hashed, Target, check_output, convert, hash},
    import::AnyCheckpoint,
    pack::card,
};
use terntable_gguf::ElementType;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoint folder or GGUF file.
    input: PathBuf,
    /// What to write: NAME.gguf, NAME.tti (a card image), or a folder.
    output: PathBuf,
    /// The format, where the output's name does not say it.
    #[arg(long, value_enum)]
    to: Option<FormatArg>,
    /// Type of embedding and head in GGUF; by default the smallest that keeps every value.
    #[arg(long, value_enum)]
    embedding: Option<EmbeddingArg>,
    /// The card of an image: sim-small, kv260, alveo, or the TOML file of one.
    #[arg(long, value_name = "NAME")]
    card: Option<String>,
    /// Replace an output that is there already.
    #[arg(long)]
    force: bool,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// A folder as Hugging Face stores it, packed.
    Hf,
    /// A GGUF file with TQ2_0 matrices.
    Gguf,
    /// An image for a card.
    Image,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EmbeddingArg {
    F32,
    F16,
    Bf16,
    #[value(name = "q8_0")]
    Q8_0,
}

impl From<EmbeddingArg> for ElementType {
    fn from(arg: EmbeddingArg) -> Self {
        match arg {
            EmbeddingArg::F32 => ElementType::F32,
            EmbeddingArg::F16 => ElementType::F16,
            EmbeddingArg::Bf16 => ElementType::Bf16,
            EmbeddingArg::Q8_0 => ElementType::Q8_0,
        }
    }
}

/// What was read and written.
#[derive(Serialize)]
struct Manifest {
    inputs: Vec<Hashed>,
    outputs: Vec<Hashed>,
    notes: Vec<String>,
}

pub fn run(args: &Args) -> Result<(), Error> {
    let target = target(args)?;
    check_output(&args.input, &args.output, args.force)?;
    let checkpoint = AnyCheckpoint::open(&args.input)?;
    let bar = progress_bar(0, "converting");
    let notes = convert(&checkpoint, &target, &args.output, |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let (inputs, outputs) = (hash(&args.input)?, hash(&args.output)?);
    let manifest = Manifest { inputs, outputs, notes };
    if args.json {
        return print_json(&manifest);
    }
    let mut text = String::new();
    for (title, files) in [("read", &manifest.inputs), ("wrote", &manifest.outputs)] {
        for Hashed { path, bytes, sha256 } in files {
            text += &format!("{title:<6} {sha256}  {bytes:>13}  {}\n", path.display());
        }
    }
    manifest.notes.iter().for_each(|note| text += &format!("note: {note}\n"));
    print_text(&text)
}

/// What to write, by `--to` or the output's name.
fn target(args: &Args) -> Result<Target, Error> {
    let by_name = |path: &Path| match path.extension().and_then(|e| e.to_str()) {
        Some("gguf") => FormatArg::Gguf,
        Some("tti") => FormatArg::Image,
        _ => FormatArg::Hf,
    };
    let format = args.to.unwrap_or_else(|| by_name(&args.output));
    let belongs = |option: &str, to: FormatArg| match format == to {
        true => Ok(()),
        false => Err(Error::Input(format!("{option} is not for this output; leave it out"))),
    };
    if args.embedding.is_some() {
        belongs("--embedding", FormatArg::Gguf)?;
    }
    if args.card.is_some() {
        belongs("--card", FormatArg::Image)?;
    }
    Ok(match format {
        FormatArg::Hf => Target::Folder,
        FormatArg::Gguf => Target::Gguf { embedding: args.embedding.map(ElementType::from) },
        FormatArg::Image => {
            let name = args.card.as_ref().ok_or_else(|| {
                Error::Input("an image is for one card; give --card, as `terntable pack`".into())
            })?;
            Target::Image(Box::new(card(name)?))
        }
    })
}
