//! `terntable card-server`.

use super::CardArg;
use std::path::PathBuf;
use terntable::{Error, bus::simulated};
use terntable_driver::{function::Function, golden::HostCard, server};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the socket is made.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    #[command(flatten)]
    card: CardArg,
    /// Serve the golden card model instead of the RTL.
    #[arg(long)]
    golden: bool,
}

pub fn run(args: &Args) -> Result<(), Error> {
    let config = args.card.config()?;
    let (golden, socket) = (args.golden, &args.socket);
    let what = if golden { "golden" } else { "simulated" };
    eprintln!("{what} card {} on {}", config.name, socket.display());
    let make = move || -> Result<Box<dyn Function>, terntable_driver::Error> {
        Ok(if golden { Box::new(HostCard::new(&config)) } else { Box::new(simulated(&config)?) })
    };
    Ok(server::serve(socket, make)?)
}
