//! `terntable logits`.

use super::{CardArg, HeadArg, ModelArg, PlaceArg, ThreadsArg, print_json, print_text};
use serde::Serialize;
use terntable::{Error, device::with_feed, sim::Recording};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArg,
    /// Token ids, separated by commas.
    #[arg(long, value_name = "ID,ID,...", value_delimiter = ',', required = true)]
    tokens: Vec<u32>,
    #[command(flatten)]
    place: PlaceArg,
    #[command(flatten)]
    threads: ThreadsArg,
    #[command(flatten)]
    card: CardArg,
    /// Which head scores the tokens; rows that the two-stage head leaves out are null.
    #[arg(long, value_enum, default_value = "full")]
    head: HeadArg,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    device: String,
    tokens: Vec<u32>,
    /// Positions x vocabulary.
    logits: Vec<Vec<Option<f32>>>,
}

pub fn run(args: &Args) -> Result<(), Error> {
    let checkpoint = args.model.open()?;
    let (card, recording) = (args.card.config()?, Recording::default());
    let threads = args.threads.threads;
    let place = args.place.place(&card, &recording, threads);
    let (ranked, _) = with_feed(&place, &checkpoint, args.head.into(), |runner| {
        runner.feed(&args.tokens, args.tokens.len(), &mut |_| {})
    })?;
    if !args.json {
        let mut table = format!("{:>8}  {:>6}  best next tokens (logit)\n", "position", "token");
        for (position, (token, candidates)) in args.tokens.iter().zip(&ranked).enumerate() {
            let best: Vec<_> = candidates
                .iter()
                .take(4)
                .map(|c| format!("{} ({:.3})", c.token, c.logit))
                .collect();
            table += &format!("{position:>8}  {token:>6}  {}\n", best.join("  "));
        }
        return print_text(&table);
    }
    let row = |candidates: &Vec<terntable_golden::head::Candidate>| {
        let mut row = vec![None; checkpoint.config().vocab];
        for c in candidates {
            row[c.token as usize] = Some(c.logit);
        }
        row
    };
    let logits = ranked.iter().map(row).collect();
    print_json(&Report {
        device: args.place.device.to_string(),
        tokens: args.tokens.clone(),
        logits,
    })
}
