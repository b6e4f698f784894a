//! `terntable verify`.

use super::{CardArg, DeviceArg, ModelArg, print_json, print_text, progress_bar};
use serde::Serialize;
use std::path::PathBuf;
use terntable::{
    Error,
    card::CardRunner,
    device::{AnyDevice, DeviceName, golden_card},
    generate::Prompt,
    lockstep::{Difference, Lockstep, Scope, candidates_differ},
    runner::{Feed, Runner, SLOTS},
    sim::{Fault, FaultUnit, Sim, Usage, fault_bits},
};
use terntable_golden::{
    head::HeadMode,
    model::{Golden, Model},
};
use terntable_testbench::seed;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArg,
    /// The device to compare with the golden model.
    #[arg(long, value_enum, default_value = "sim")]
    device: DeviceArg,
    #[command(flatten)]
    card: CardArg,
    /// Flip one bit inside the simulated card first: UNIT is table, weight or accumulator. The
    /// comparison must then fail.
    #[arg(long, value_name = "UNIT:BIT", value_parser = fault)]
    inject: Option<Fault>,
    /// Text whose tokens are run.
    #[arg(long, value_name = "TEXT", default_value = PROMPT)]
    prompt: String,
    /// Write a waveform (FST) of the simulated card.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Long enough to fill every slot of a pass before the tokens go one by one.
const PROMPT: &str = "ROMEO:\nShall I hear more, or shall I speak at this?\n\nJULIET:\n\
                      'Tis but thy name that is my enemy; thou art thyself.";

fn fault(text: &str) -> Result<Fault, String> {
    let usage = "expected UNIT:BIT with UNIT table, weight or accumulator, such as table:3";
    let (unit, bit) = text.split_once(':').ok_or(usage)?;
    let unit = FaultUnit::named(unit).ok_or(usage)?;
    let bit = bit.parse().map_err(|_| usage)?;
    if bit >= fault_bits(unit) {
        return Err(format!("{unit} has the bits 0..{}", fault_bits(unit)));
    }
    Ok(Fault { unit, bit })
}

#[derive(Serialize)]
struct Report {
    device: &'static str,
    compared: u64,
    equal: bool,
    injected: Option<String>,
    seed: u64,
    difference: Option<Difference>,
    /// Cycle of the simulated card at the end, or when the difference was seen.
    cycle: Option<u64>,
    #[serde(flatten)]
    usage: Option<Usage>,
}

pub fn run(args: &Args) -> Result<(), Error> {
    seed::check().map_err(|e| Error::Input(e.to_string()))?;
    let checkpoint = args.model.open()?;
    let model = checkpoint.model()?;
    let prompt = Prompt::encode(&model, &checkpoint.tokenizer()?, &args.prompt)?;
    let tokens = prompt.tokens();
    let name = DeviceName::from(args.device);
    let mut report = Report {
        device: name.as_str(),
        compared: 0,
        equal: false,
        injected: args.inject.map(|f| f.to_string()),
        seed: seed::seed(),
        usage: None,
        cycle: None,
        difference: None,
    };
    if name == DeviceName::CardGolden {
        refuse_faults(args)?;
        let card = args.card.config()?;
        let mut card = CardRunner::new(golden_card(&model, &card)?, HeadMode::TwoStage)?;
        (report.compared, report.difference) = compare_passes(&model, &mut card, tokens)?;
    } else {
        let mut device = open(args, name, &model)?;
        (report.compared, report.difference) = compare(&model, &mut device, tokens)?;
        (report.usage, report.cycle) = (device.usage()?, device.cycle());
    }
    report.equal = report.difference.is_none();
    let compared = report.compared;
    if args.json {
        print_json(&report)?;
    }
    match report.difference {
        Some(difference) => {
            let cycle = report.cycle.map_or(String::new(), |c| format!(", seen by cycle {c}"));
            Err(Error::Differs(format!("{difference}{cycle}\n{}", rerun(args))))
        }
        None if args.inject.is_some() => Err(Error::Input(format!(
            "the injected fault changed none of the {compared} compared values; try another bit or \
             a longer --prompt"
        ))),
        None if args.json => Ok(()),
        None => print_text(&format!(
            "{} equals the golden model: {compared} values compared over {} tokens\n",
            report.device,
            tokens.len()
        )),
    }
}

/// The device, prepared for the fault and the waveform that were asked for.
fn open<'a>(args: &Args, name: DeviceName, model: &'a Model) -> Result<AnyDevice<'a>, Error> {
    if args.trace.is_none() && args.inject.is_none() {
        return AnyDevice::open(name, model);
    }
    if name != DeviceName::Sim {
        refuse_faults(args)?;
    }
    let mut sim = Sim::open_for_faults(model, args.trace.as_deref())?;
    if let Some(fault) = args.inject {
        sim.inject(fault);
    }
    Ok(AnyDevice::Sim(Box::new(sim)))
}

/// Only the simulated card has faults and waveforms.
fn refuse_faults(args: &Args) -> Result<(), Error> {
    match args.trace.is_some() || args.inject.is_some() {
        true => Err(Error::Input("--inject and --trace need --device sim".into())),
        false => Ok(()),
    }
}

/// The command that does the same again, with a waveform where there is one.
fn rerun(args: &Args) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let mut command = format!("TERNTABLE_SEED={:#x} terntable verify", seed::seed());
    command += &format!(" --model {}", quoted(&args.model.model.to_string_lossy()));
    if args.prompt != PROMPT {
        command += &format!(" --prompt {}", quoted(&args.prompt));
    }
    if let Some(fault) = args.inject {
        command += &format!(" --inject {fault}");
    }
    command += match DeviceName::from(args.device) {
        DeviceName::Sim => " --device sim --trace verify.fst",
        DeviceName::Cpu => " --device cpu",
        DeviceName::Golden => " --device golden",
        DeviceName::CardGolden => " --device card-golden",
    };
    format!("rerun: {command}")
}

/// Values compared, and the first difference. Errors of either device pass through.
fn compare(
    model: &Model,
    device: &mut AnyDevice<'_>,
    tokens: &[u32],
) -> Result<(u64, Option<Difference>), Error> {
    let scope = match device {
        AnyDevice::Sim(_) => Scope::LinearLayers,
        _ => Scope::Everything,
    };
    let mut golden = Golden::new(model);
    let mut lockstep = Lockstep::new(&mut golden, device.as_device(), scope);
    let bar = progress_bar(tokens.len() as u64, "tokens");
    // Two thirds in chunks of a whole pass, the rest token by token, as decode does.
    let prefill = tokens.len() * 2 / 3;
    let mut runner = Runner::new(model, &mut lockstep, HeadMode::TwoStage);
    let mut feed = |part: &[u32], chunk: usize| -> Result<(), Error> {
        for tokens in part.chunks(chunk) {
            runner.feed(tokens, tokens.len(), |_| {})?;
            bar.inc(tokens.len() as u64);
        }
        Ok(())
    };
    let result = feed(&tokens[..prefill], SLOTS).and_then(|()| feed(&tokens[prefill..], 1));
    bar.finish_and_clear();
    match (result, lockstep.difference.take()) {
        (_, Some(difference)) => Ok((lockstep.compared, Some(difference))),
        (Err(error), None) => Err(error),
        (Ok(()), None) => Ok((lockstep.compared, None)),
    }
}

/// The same for a card, which runs whole passes: ranked candidates of every position.
fn compare_passes(
    model: &Model,
    card: &mut dyn Feed,
    tokens: &[u32],
) -> Result<(u64, Option<Difference>), Error> {
    let mut golden = Golden::new(model);
    let mut reference = Runner::new(model, &mut golden, HeadMode::TwoStage);
    let bar = progress_bar(tokens.len() as u64, "tokens");
    let (prefill, decode) = tokens.split_at(tokens.len() * 2 / 3);
    let mut compared = 0;
    for part in prefill.chunks(SLOTS).chain(decode.chunks(1)) {
        let first = card.position();
        let expected = reference.feed(part, part.len(), |_| {})?;
        let got = card.feed(part, part.len(), &mut |_| {})?;
        bar.inc(part.len() as u64);
        for (i, (expected, got)) in expected.iter().zip(&got).enumerate() {
            compared += 2 * expected.len() as u64;
            if let Some(difference) = candidates_differ(first + i, expected, got) {
                return Ok((compared, Some(difference)));
            }
        }
    }
    bar.finish_and_clear();
    Ok((compared, None))
}
