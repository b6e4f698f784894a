//! `terntable estimate`.

use super::{bundled_model, print_json, print_text, progress_bar};
use std::path::{Path, PathBuf};
use terntable::{
    Error,
    estimate::{
        Estimate, Question, estimate,
        shapes::{SHAPES, Shape},
    },
    import::AnyCheckpoint,
};
use terntable_golden::{attention::KvFormat, card::config::CardConfig, model::Config};
use terntable_testbench::agents::axi_dram::DramTiming;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Card: sim-small, kv260, or the TOML file of one.
    #[arg(long, value_name = "NAME", default_value = "kv260")]
    card: String,
    /// Shape (bitnet-0.73b, bitnet-2b4t, falcon3-1b, llama3-8b) or checkpoint folder. Default: the
    /// bundled model.
    #[arg(long, value_name = "NAME|PATH")]
    model: Option<PathBuf>,
    /// Positions in the cache of each answer, and tokens of the prompt.
    #[arg(long, value_name = "N", default_value_t = 128)]
    context: usize,
    /// Answers at a time.
    #[arg(long, value_name = "N", default_value_t = 1)]
    slots: usize,
    /// Memory behind the card: ddr4-2400, ddr4-2133, hbm2 or ideal. Default: the card's own.
    #[arg(long, value_name = "NAME")]
    memory: Option<String>,
    /// Clock that is assumed, MHz.
    #[arg(long, value_name = "MHZ", default_value_t = 250.0)]
    clock: f64,
    /// Bits of the rows of K and V: 8 or 4.
    #[arg(long, value_name = "BITS", default_value = "8", value_parser = super::kv_bits)]
    kv_bits: KvFormat,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

impl Args {
    fn model(&self) -> Result<Config, Error> {
        let path = self.model.clone().unwrap_or_else(bundled_model);
        if let Some(shape) = path.to_str().and_then(Shape::named) {
            return Ok(shape.config(self.kv_bits));
        }
        if !path.exists() {
            let names: Vec<&str> = SHAPES.iter().map(|shape| shape.name).collect();
            return Err(Error::Input(format!(
                "no model {}; expected one of {} or the folder of a checkpoint",
                path.display(),
                names.join(", ")
            )));
        }
        let config = AnyCheckpoint::open(Path::new(&path))?.config().clone();
        Ok(Config { kv: self.kv_bits, ..config })
    }

    fn timing(&self, card: &CardConfig) -> Result<DramTiming, Error> {
        let name = match (&self.memory, card.memory.kind.as_str()) {
            (Some(name), _) => name,
            (None, "DDR4") => "ddr4-2400",
            (None, "HBM2") => "hbm2",
            (None, _) => "ideal",
        };
        DramTiming::named(name).ok_or_else(|| {
            Error::Input(format!(
                "no memory is called {name:?}; expected ddr4-2400, ddr4-2133, hbm2 or ideal"
            ))
        })
    }
}

pub fn run(args: &Args) -> Result<(), Error> {
    if !(args.clock > 0.0 && args.clock.is_finite()) {
        return Err(Error::Input(format!("clock {} MHz; expected more than 0", args.clock)));
    }
    let card = terntable::pack::card(&args.card)?;
    let question = Question {
        context: args.context,
        slots: args.slots,
        timing: args.timing(&card)?,
        clock_hz: args.clock * 1e6,
    };
    let bar = progress_bar(0, "simulated passes");
    let result = estimate(&card, &args.model()?, &question, |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    if args.json { print_json(&result) } else { print_text(&table(&result)) }
}

fn table(e: &Estimate) -> String {
    let mhz = e.clock_hz / 1e6;
    let mut text = format!(
        "{} at {mhz} MHz, memory {}; {} slots, context {} (modelled: extended from simulated passes)\n",
        e.card, e.memory, e.slots, e.context
    );
    let lines = [
        ("decode, all slots", format!("{:.1} tokens/s", e.decode_tokens_per_s)),
        ("a decode pass", format!("{} cycles", e.decode_cycles)),
        ("prefill", format!("{:.1} tokens/s", e.prefill_tokens_per_s)),
        ("first token", format!("{:.3} s", e.time_to_first_token_s)),
        ("bytes a decoded token", format!("{:.0}", e.bytes_per_token)),
        ("share of the ports' bandwidth", format!("{:.1} %", 100.0 * e.roofline_share)),
        ("a beat of weights in", format!("{:.1} % of the cycles", 100.0 * e.weight_share)),
    ];
    for (what, value) in lines {
        text += &format!("  {what:<30} {value}\n");
    }
    for (title, parts) in [
        ("units with work, of a decode pass (they overlap)", e.busy.named()),
        ("cycles without a beat of weights, by the reason", e.stalls.named()),
    ] {
        text += &format!("  {title}\n");
        for (name, cycles) in parts {
            let share = cycles as f64 / e.decode_cycles;
            let bar = "#".repeat((40.0 * share.min(1.0)).round() as usize);
            text += &format!("    {name:<10} {:>5.1} % {bar}\n", 100.0 * share);
        }
    }
    text
}
