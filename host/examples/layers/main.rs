//! Whole layers of real shapes on the simulated card: cycles, where they went, and that every bit is
//! the golden card model's.
//!
//! `cargo run --release -p terntable --example layers -- [--shape NAME] [--case PART] [--json FILE]`
//!
//! A model has two layers of the shape and a small vocabulary. Its program is the one of a pass that
//! fills the cache, so it ends with the keys and values of the second layer; the cycles *of a layer*
//! go from the start of the first norm of layer 0 to the start of the first norm of layer 1.

mod account;
mod ceilings;
mod draw;
mod model;
mod report;

use account::{Account, Watch};
use ceilings::Ceilings;
use clap::Parser;
use model::{Case, Loaded, Shape, shapes};
use report::{Head, Run};
use std::{error::Error, path::PathBuf, time::Instant};
use terntable::{
    card::{Card, GoldenCard},
    card_lockstep::LockstepCard,
    sim::SimCard,
};
use terntable_golden::card::{config::CardConfig, program::ProgramKind};
use terntable_testbench::{
    agents::{DramTiming, MemoryTiming},
    card::{Buffer, CardOptions},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Whole layers of real shapes on the simulated card.
#[derive(Debug, Parser)]
struct Cli {
    /// Shape to run; all by default.
    #[arg(long)]
    shape: Option<String>,
    /// Only the cases whose name contains this.
    #[arg(long, default_value = "")]
    case: String,
    /// Card.
    #[arg(long, default_value = "kv260")]
    card: String,
    /// Memories: `latency32` or a name of the testbench's timing models.
    #[arg(long, value_delimiter = ',', default_value = "latency32,ddr4-2400")]
    memory: Vec<String>,
    /// Also step through the cases that fit, every command compared; `only` skips the timing.
    #[arg(long, default_value = "no", value_parser = ["no", "yes", "only"])]
    lockstep: String,
    /// Also time the heads with the shape's whole vocabulary.
    #[arg(long)]
    heads: bool,
    /// Do not look into the card's buffers: only state memory is compared.
    #[arg(long)]
    state_only: bool,
    /// Raw data, written after every run; runs that it has of others are kept.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Run only the cases that have a ceiling in this file, on its card and memory, and fail above one.
    #[arg(long, conflicts_with_all = ["shape", "case", "card", "memory", "lockstep", "heads"])]
    ceilings: Option<PathBuf>,
    /// Draw all runs of the raw data under their roofs, and a timeline of each layer that is timed,
    /// into this folder.
    #[arg(long)]
    svg: Option<PathBuf>,
}

fn main() -> Outcome<()> {
    let mut cli = Cli::parse();
    let ceilings = cli.ceilings.as_deref().map(Ceilings::read).transpose()?;
    if let Some(ceilings) = &ceilings {
        cli.card = ceilings.card().into();
        cli.memory = vec![ceilings.memory().into()];
    }
    let card = terntable::pack::card(&cli.card)?;
    let shapes: Vec<Shape> = match &cli.shape {
        Some(name) => {
            let named = |shape: &Shape| shape.name == name;
            vec![shapes().into_iter().find(named).ok_or_else(|| format!("no shape {name:?}"))?]
        }
        None => shapes(),
    };
    let mut report = report::Report::open(&card, cli.json.clone())?;
    let mut sim = None;
    for shape in shapes {
        if cli.lockstep != "only" {
            let card = match &mut sim {
                Some(card) => card,
                None => sim.insert(timed_card(&card, !cli.state_only)?),
            };
            time_shape(card, &cli, &shape, ceilings.as_ref(), &mut report)?;
        }
        if cli.lockstep != "no" {
            drop(sim.take());
            lockstep(&card, &cli, &shape, &mut report)?;
        }
    }
    report.print();
    match &cli.svg {
        Some(folder) => draw::roofline(folder, &card, report.runs()),
        None => Ok(()),
    }
}

/// The simulated card with a watch on its units.
struct Timed {
    card: SimCard,
    watch: Watch,
    peek: bool,
}

fn timed_card(config: &CardConfig, peek: bool) -> Outcome<Timed> {
    let options = CardOptions { peek, ..CardOptions::default() };
    let mut card = SimCard::with(config, options)?;
    let watch = Watch::new(card.sim())?;
    Ok(Timed { card, watch, peek })
}

fn timing(name: &str) -> Outcome<DramTiming> {
    let latency = DramTiming::Ideal(MemoryTiming { latency: 32, ..MemoryTiming::IDEAL });
    let found = if name == "latency32" { Some(latency) } else { DramTiming::named(name) };
    found.ok_or_else(|| format!("no memory is called {name:?}").into())
}

fn time_shape(
    timed: &mut Timed,
    cli: &Cli,
    shape: &Shape,
    ceilings: Option<&Ceilings>,
    report: &mut report::Report,
) -> Outcome<()> {
    let config = timed.card.config().clone();
    let mut loaded: Option<Loaded> = None;
    let wanted = |case: &&Case| {
        let within = |ceilings: &Ceilings| ceilings.of(shape.name, case.name).is_some();
        case.name.contains(&cli.case) && ceilings.is_none_or(within)
    };
    for case in Case::ALL.iter().filter(wanted) {
        if !loaded.as_ref().is_some_and(|loaded| loaded.serves(case)) {
            loaded = Some(Loaded::layers(shape, &config, case.pages(&config), case.kv)?);
        }
        let Some(loaded) = &loaded else { continue };
        let mut golden = run_golden(loaded, case)?;
        for memory in &cli.memory {
            let (account, measured) = run_timed(timed, loaded, case, memory)?;
            if let Some(folder) = &cli.svg {
                draw::timeline(folder, shape, case, memory, &account)?;
            }
            let compared = compare(timed, &mut golden)?;
            if let (Some(ceilings), Some(layer)) = (ceilings, account.get(1)) {
                ceilings.check(shape.name, case.name, layer.cycles)?;
            }
            report.add(Run::new(shape, case, memory, &account, measured, compared))?;
        }
    }
    if cli.heads {
        use ProgramKind::{Full, TwoStage};
        for (slots, program) in [(1, TwoStage), (config.slots, TwoStage), (1, Full)] {
            let case = Case::head(slots, program);
            let loaded = Loaded::head(shape, &config, &case)?;
            let mut golden = run_golden(&loaded, &case)?;
            for memory in &cli.memory {
                let (account, _) = run_timed(timed, &loaded, &case, memory)?;
                compare(timed, &mut golden)?;
                report.add_head(Head::new(shape, &case, memory, &account))?;
            }
        }
    }
    Ok(())
}

/// What a pass took besides its account.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    counters: terntable_testbench::card::CardCounters,
    /// Beats a cycle that a bare sequential reader gets of the memory.
    bare_reader: f64,
    /// Cycles of the simulator.
    simulated: u64,
    seconds: f64,
}

fn run_golden(loaded: &Loaded, case: &Case) -> Outcome<GoldenCard> {
    let mut golden = GoldenCard::new(&loaded.card);
    loaded.prepare(&mut golden, case)?;
    golden.run_pass(loaded.layout.descriptor)?;
    // Random weights must not have ended in zeros or infinities: bits that agree would say little.
    let x = golden.machine().x();
    let values = (0..x.words()).filter(|&word| x.is_known(word)).flat_map(|word| x.word(word).0);
    let (all, zeros) =
        values.fold((0, 0), |(all, zeros), v| (all + 1, zeros + usize::from(*v == 0.0)));
    let finite = (0..x.words()).all(|word| x.word(word).0.iter().all(|v| v.is_finite()));
    if !finite || 10 * zeros > all {
        return Err(format!(
            "{}: {zeros} of {all} residuals are zero, finite: {finite}",
            case.name
        )
        .into());
    }
    Ok(golden)
}

fn run_timed(
    timed: &mut Timed,
    loaded: &Loaded,
    case: &Case,
    memory: &str,
) -> Outcome<(Account, Measured)> {
    timed.card.sim().memory().set_timing(timing(memory)?);
    timed.card.sim().wait(4)?;
    loaded.prepare(&mut timed.card, case)?;
    let (first, start) = (timed.card.sim().cycle(), Instant::now());
    timed.watch.begin(loaded.names(), loaded.marks());
    timed.card.run_pass(loaded.layout.descriptor)?;
    let account = timed.watch.end();
    let counters = timed.card.sim().counters()?;
    let simulated = timed.card.sim().cycle() - first;
    let seconds = start.elapsed().as_secs_f64();
    let bare_reader = timed.card.sim().memory().bare_reader(20_000).rate();
    Ok((account, Measured { counters, bare_reader, simulated, seconds }))
}

/// Compares state memory, and every word of the buffers that the golden card model knows. Returns how
/// many words of buffers and bytes of state agree.
fn compare(timed: &mut Timed, golden: &mut GoldenCard) -> Outcome<(usize, usize)> {
    let machine = golden.machine();
    let state = timed.card.sim().read_state(0, machine.state().len())?;
    if let Some(at) = state.iter().zip(machine.state()).position(|(a, b)| a != b) {
        let (found, expected) = (state[at], machine.state()[at]);
        return Err(format!(
            "first difference: state byte {at:#x}: expected {expected}, found {found}"
        )
        .into());
    }
    let mut words = 0;
    if timed.peek {
        let buffers = timed.card.sim().buffers()?;
        macro_rules! same {
            ($place:expr, $golden:expr) => {
                for word in (0..$golden.words()).filter(|&word| $golden.is_known(word)) {
                    words += 1;
                    let found = buffers.word($place, word)?;
                    if let Some(d) = $golden.difference(word, &found) {
                        let name = $golden.name();
                        return Err(format!("first difference: {name} word {word}: {d:x?}").into());
                    }
                }
            };
        }
        same!(Buffer::Residual, machine.x());
        same!(Buffer::Work, machine.y());
        same!(Buffer::Activations, machine.a());
        same!(Buffer::Queries, machine.q());
        same!(Buffer::Parameters, machine.p());
        same!(Buffer::Rotary, machine.r());
    }
    Ok((words, state.len()))
}

fn lockstep(
    config: &CardConfig,
    cli: &Cli,
    shape: &Shape,
    report: &mut report::Report,
) -> Outcome<()> {
    let mut both = LockstepCard::open(config, CardOptions::default())?;
    let mut loaded: Option<Loaded> = None;
    let small = |case: &&Case| case.history < 200 && case.name.contains(&cli.case);
    for case in Case::ALL.iter().filter(small) {
        let loaded = match &loaded {
            Some(loaded) => loaded,
            None => {
                let pages = 8 * config.slots;
                loaded.insert(Loaded::layers(shape, config, pages, case.kv)?)
            }
        };
        let start = Instant::now();
        loaded.prepare(&mut both, case)?;
        let (values, commands) = (both.compared, both.commands);
        both.run_pass(loaded.layout.descriptor)?;
        let (values, commands) = (both.compared - values, both.commands - commands);
        report.add_lockstep(shape, case, values, commands, start.elapsed().as_secs_f64())?;
    }
    Ok(())
}
