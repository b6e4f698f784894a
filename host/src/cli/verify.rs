//! `terntable verify`.

use super::{CardArg, DeviceArg, ModelArg, RecordingArg, print_json, print_text, progress_bar};
use serde::Serialize;
use terntable::{
    Error,
    card::{CardRunner, GoldenCard},
    card_lockstep::LockstepCard,
    device::{DeviceName, on_card, passes},
    generate::Prompt,
    lockstep::{candidates_differ, rows_differ},
    runner::{Feed, GoldenPasses, Passes, Runner, SLOTS},
    sim::{Fault, FaultUnit, fault_bits, fault_storage},
    usage::Spent,
};
use terntable_golden::{card::config::CardConfig, head::HeadMode, model::Model};
use terntable_testbench::{card::CardOptions, seed};

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
    #[command(flatten)]
    recording: RecordingArg,
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
    Ok(Fault { unit, bit })
}

#[derive(Serialize)]
struct Report {
    device: &'static str,
    compared: u64,
    equal: bool,
    injected: Option<String>,
    seed: u64,
    /// Commands of the card after which memory and buffers were compared.
    commands: Option<u64>,
    difference: Option<serde_json::Value>,
    /// Cycle of the simulated card at the end.
    cycle: Option<u64>,
    #[serde(flatten)]
    usage: Option<Spent>,
}

/// Values compared, and the first difference: as text and for JSON.
struct Outcome {
    compared: u64,
    difference: Option<(String, serde_json::Value)>,
}

impl Outcome {
    fn new(compared: u64, difference: Option<impl Serialize + ToString>) -> Self {
        let both = |d| (ToString::to_string(&d), serde_json::json!(d));
        Self { compared, difference: difference.map(both) }
    }
}

pub fn run(args: &Args) -> Result<(), Error> {
    seed::check().map_err(|e| Error::Input(e.to_string()))?;
    let checkpoint = args.model.open()?;
    let model = checkpoint.model()?;
    let prompt = Prompt::encode(&model.config, &checkpoint.tokenizer()?, &args.prompt)?;
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
        commands: None,
        difference: None,
    };
    if name != DeviceName::Sim && (args.recording.recording().wanted() || args.inject.is_some()) {
        let text = "--inject, --trace and --perfetto need --device sim";
        return Err(Error::Input(text.into()));
    }
    let config = args.card.config()?;
    let outcome = match name {
        DeviceName::Sim => verify_sim(args, &model, &config, tokens, &mut report)?,
        DeviceName::CardGolden => {
            let card = on_card(&model, GoldenCard::new(&config))?;
            compare_passes(&model, &mut CardRunner::new(card, HeadMode::TwoStage)?, tokens)?
        }
        DeviceName::Golden | DeviceName::Cpu => {
            compare(&model, &mut *passes(name, &model)?, tokens)?
        }
    };
    report.compared = outcome.compared;
    let text = outcome.difference.as_ref().map(|(text, _)| text.clone());
    report.difference = outcome.difference.map(|(_, json)| json);
    report.equal = report.difference.is_none();
    let compared = report.compared;
    if args.json {
        print_json(&report)?;
    }
    match text {
        Some(difference) => Err(Error::Differs(format!("{difference}\n{}", rerun(args)))),
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

/// The simulated card beside the golden card model, compared after every command.
fn verify_sim(
    args: &Args,
    model: &Model,
    config: &CardConfig,
    tokens: &[u32],
    report: &mut Report,
) -> Result<Outcome, Error> {
    let terntable::sim::Recording { trace, perfetto } = args.recording.recording();
    let mut options = CardOptions { trace, perfetto, ..CardOptions::default() };
    if let Some(Fault { unit, bit }) = args.inject {
        let bits = fault_bits(unit, config);
        if bit >= bits {
            return Err(Error::Input(format!(
                "{unit} of card {} has the bits 0..{bits}",
                config.name
            )));
        }
        // All of them, so that one simulator serves every fault.
        options.faults = FaultUnit::ALL.map(|unit| fault_storage(unit, config.engine)).to_vec();
    }
    let mut card = LockstepCard::open(config, options)?;
    card.fault = args.inject;
    // The image is checked in lockstep too, so the card may differ from here on.
    let mut runner = CardRunner::new(on_card(model, card)?, HeadMode::TwoStage)?;
    let result = compare_passes(model, &mut runner, tokens);
    let card = runner.model().card();
    report.commands = Some(card.commands);
    report.usage = Some(card.card().spent());
    report.cycle = Some(card.card().sim().cycle());
    match (card.difference.take(), result) {
        (Some(difference), _) => Ok(Outcome::new(card.compared, Some(difference))),
        (None, result) => result.map(|o| Outcome { compared: o.compared + card.compared, ..o }),
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
    let device = DeviceName::from(args.device);
    command += &format!(" --device {}", device.as_str());
    if matches!(device, DeviceName::Sim | DeviceName::CardGolden) {
        command += &format!(" --card {}", quoted(&args.card.card));
    }
    command += if device == DeviceName::Sim { " --trace verify.fst" } else { "" };
    format!("rerun: {command}")
}

/// Inputs of the head and ranked candidates of every position: two thirds in whole passes, the rest token by
/// token, as decode does.
fn compare(model: &Model, passes: &mut dyn Passes, tokens: &[u32]) -> Result<Outcome, Error> {
    let mut reference = GoldenPasses::new(model);
    let bar = progress_bar(tokens.len() as u64, "tokens");
    let (prefill, decode) = tokens.split_at(tokens.len() * 2 / 3);
    let mut compared = 0;
    for part in prefill.chunks(passes.slots()).chain(decode.chunks(1)) {
        let first = passes.position();
        let expected = reference.feed_outputs(part, part.len(), &mut |_| {})?;
        let got = passes.feed_outputs(part, part.len(), &mut |_| {})?;
        let ranked = reference.rank(HeadMode::TwoStage, &expected)?;
        let ranked_got = passes.rank(HeadMode::TwoStage, &got)?;
        bar.inc(part.len() as u64);
        for i in 0..part.len() {
            compared += (expected[i].values.len() + 1 + 2 * ranked[i].len()) as u64;
            let difference = rows_differ(first + i, &expected[i], &got[i])
                .or_else(|| candidates_differ(first + i, &ranked[i], &ranked_got[i]));
            if difference.is_some() {
                return Ok(Outcome::new(compared, difference));
            }
        }
    }
    bar.finish_and_clear();
    Ok(Outcome { compared, difference: None })
}

/// The same for a card, which runs whole passes: ranked candidates of every position.
fn compare_passes(model: &Model, card: &mut dyn Feed, tokens: &[u32]) -> Result<Outcome, Error> {
    let mut reference = Runner::new(GoldenPasses::new(model), HeadMode::TwoStage);
    let bar = progress_bar(tokens.len() as u64, "tokens");
    let (prefill, decode) = tokens.split_at(tokens.len() * 2 / 3);
    let mut compared = 0;
    for part in prefill.chunks(SLOTS).chain(decode.chunks(1)) {
        let first = card.position();
        let expected = reference.feed(part, part.len(), &mut |_| {})?;
        let got = card.feed(part, part.len(), &mut |_| {})?;
        bar.inc(part.len() as u64);
        for (i, (expected, got)) in expected.iter().zip(&got).enumerate() {
            compared += 2 * expected.len() as u64;
            if let Some(difference) = candidates_differ(first + i, expected, got) {
                return Ok(Outcome::new(compared, Some(difference)));
            }
        }
    }
    bar.finish_and_clear();
    Ok(Outcome { compared, difference: None })
}
