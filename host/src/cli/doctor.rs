//! `terntable doctor`.

use super::{print_json, print_text};
use terntable::Error;
use terntable_driver::doctor::{Finding, Level, Machine};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// JSON instead of lines.
    #[arg(long)]
    json: bool,
}

/// Lists the findings; it could not run a card when one is broken.
pub fn run(args: &Args) -> Result<(), Error> {
    let findings = Machine::default().examine();
    if args.json {
        return print_json(&findings);
    }
    for Finding { level, text, remedy } in &findings {
        let mark = match level {
            Level::Fine => "fine  ",
            Level::Slow => "slow  ",
            Level::Broken => "BROKEN",
        };
        print_text(&format!("{mark}  {text}\n"))?;
        if let Some(remedy) = remedy {
            print_text(&format!("        -> {remedy}\n"))?;
        }
    }
    let broken = findings.iter().filter(|finding| finding.level == Level::Broken).count();
    match broken {
        0 => Ok(()),
        _ => Err(Error::Input(format!("{broken} of {} checks failed", findings.len()))),
    }
}
