//! Answers outlive their cards: whatever happens to one, the tokens are those of the CPU.
//!
//! `TERNTABLE_FAULTS` is the number of points at which every fault happens (default 2; `cargo xtask soak` has
//! 20).

mod faulty;

use faulty::{Fault, Faulty, Plan};
use std::{
    cell::{Cell, RefCell},
    path::Path,
    process::{Child, Command},
    rc::Rc,
    time::{Duration, Instant},
};
use terntable::{
    Error,
    bus::{self, BusCard, BusName, Failover, Spare},
    device::cpu,
    import::Checkpoint,
    pack::{PackOptions, pack_model},
    runner::{CpuPasses, Feed, Runner},
};
use terntable_driver::{Card, Waits};
use terntable_golden::{
    card::{
        config::CardConfig,
        image::{Image, SectionKind},
    },
    head::HeadMode,
    model::Model,
    sample::mix,
};

/// A prompt of five passes on a card of four slots, and twelve tokens behind it.
const PROMPT: usize = 18;
const ANSWER: usize = 12;
/// An answer must be there after so long, whatever happens.
const LIMIT: Duration = Duration::from_secs(120);

struct Setting {
    model: Model,
    image: Image,
    config: CardConfig,
    prompt: Vec<u32>,
    expected: Vec<u32>,
}

fn setting() -> Setting {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/shakespeare");
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let model = checkpoint.model().unwrap();
    let config = CardConfig::named("sim-small").unwrap();
    let options = PackOptions { pages: Some(40), ..PackOptions::default() };
    let image = pack_model(&model, &config, &options, |_, _| {}).unwrap();
    let text = std::fs::read_to_string(folder.join("tinyshakespeare.txt")).unwrap();
    let mut prompt = checkpoint.tokenizer().unwrap().encode(&text[..400]).unwrap();
    prompt.truncate(PROMPT);
    let expected = answer(&mut *on_cpu(&model).unwrap(), &prompt, &mut |_| {}).unwrap();
    Setting { model, image, config, prompt, expected }
}

fn on_cpu(model: &Model) -> Result<Box<dyn Feed>, Error> {
    Ok(Box::new(Runner::new(CpuPasses::new(cpu(model)?), HeadMode::TwoStage)))
}

/// The likeliest tokens; calls `fed` with the number of tokens that were fed.
fn answer(
    feed: &mut dyn Feed,
    prompt: &[u32],
    fed: &mut dyn FnMut(usize),
) -> Result<Vec<u32>, Error> {
    let mut ranked = feed.feed(prompt, 1, fed)?;
    let mut tokens = Vec::new();
    while tokens.len() < ANSWER {
        tokens.push(ranked[0][0].token);
        fed(prompt.len() + tokens.len());
        ranked = feed.feed(&tokens[tokens.len() - 1..], 1, &mut |_| {})?;
    }
    Ok(tokens)
}

/// Only a stall is noticed by its time; for the others a busy machine must not look like one.
fn waits(fault: Fault) -> Waits {
    let limit = Duration::from_secs(if fault == Fault::Stall { 2 } else { 30 });
    Waits { copy: limit, pass: limit, stop: limit, ..Waits::default() }
}

fn points() -> u64 {
    std::env::var("TERNTABLE_FAULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

/// Runs an answer on a card with a plan; the tokens, and what was said about the card.
fn run(
    setting: &Setting,
    plan: Plan,
    fallback: bool,
) -> (Result<Vec<u32>, Error>, Vec<String>, bool) {
    let happened = Rc::new(Cell::new(false));
    let faulty = Faulty::new(&setting.config, plan, happened.clone());
    let notes = RefCell::new(Vec::new());
    let note = |text: &str| notes.borrow_mut().push(text.to_owned());
    let begin = Instant::now();
    let tokens =
        Card::open(Box::new(faulty), waits(plan.fault)).map_err(Error::from).and_then(|card| {
            let card = BusCard::new(card, setting.config.clone(), |_, _| {});
            let spare = fallback.then_some(Box::new(|| on_cpu(&setting.model)) as Spare<'_>);
            let image = setting.image.clone();
            let mut feed = Failover::open(card, image, HeadMode::TwoStage, spare, &note)?;
            answer(&mut feed, &setting.prompt, &mut |_| {})
        });
    assert!(begin.elapsed() < LIMIT, "{plan:?} took {:?}", begin.elapsed());
    (tokens, notes.into_inner(), happened.get())
}

/// Doorbells of a whole run without a fault.
fn doorbells(setting: &Setting) -> u64 {
    let passes = 1 + PROMPT.div_ceil(setting.config.slots) + ANSWER;
    (setting.image.bytes().len().div_ceil(512 * 1024) + passes) as u64
}

fn plan(setting: &Setting, fault: Fault, after: u64, forever: bool) -> Plan {
    let programs = setting.image.header.section(SectionKind::Programs);
    let programs = (programs.offset as usize, programs.bytes as usize);
    Plan { fault, after: after as u32, forever, programs }
}

/// Every fault at random points, once and for good: the answer is that of the CPU.
fn survives(fault: Fault) {
    let setting = setting();
    let pieces = setting.image.bytes().len().div_ceil(512 * 1024) as u64;
    let (first, last) = match fault {
        // Only an image is checked on arrival.
        Fault::DamagedPage => (0, pieces),
        // A command is there when the image is: behind its pieces, the zeros of the state and the check.
        Fault::ErrorCommand => (pieces + 2, doorbells(&setting)),
        _ => (0, doorbells(&setting)),
    };
    let mut struck = 0;
    for point in 0..points() {
        for forever in [false, true] {
            let after = first + mix(point << 8 | fault as u64) % (last - first);
            let plan = plan(&setting, fault, after, forever);
            let (tokens, notes, happened) = run(&setting, plan, true);
            assert_eq!(tokens.unwrap(), setting.expected, "{plan:?}: {notes:?}");
            let down = notes.iter().any(|note| note.contains("goes on on the CPU"));
            let unnoticed = match fault {
                Fault::LostInterrupt => true,
                // Sent again.
                Fault::DamagedPage => !forever,
                _ => !happened,
            };
            match unnoticed {
                true if fault == Fault::Stall => {}
                true => assert!(notes.is_empty(), "{plan:?}: {notes:?}"),
                false => assert!(!notes.is_empty(), "{plan:?} was not noticed"),
            }
            assert!(unnoticed || !forever || down, "{plan:?}: {notes:?}");
            struck += usize::from(happened);
        }
    }
    assert!(struck > 0, "{fault:?} never happened");
}

macro_rules! faults {
    ($($name:ident: $fault:ident),*) => {
        $(#[test] fn $name() { survives(Fault::$fault); })*
    };
}

faults! {
    a_stall: Stall,
    all_ones: AllOnes,
    damaged_pages: DamagedPage,
    lost_interrupts: LostInterrupt,
    unmapped_memory: Unmapped,
    a_reset_in_mid_pass: Reset,
    an_error_command: ErrorCommand
}

#[test]
fn without_a_fallback_the_error_is_clear_and_in_time() {
    let setting = setting();
    for (fault, text) in [
        (Fault::Stall, "waited"),
        (Fault::AllOnes, "all ones"),
        (Fault::Unmapped, "not mapped"),
        (Fault::ErrorCommand, "no command has this opcode"),
        (Fault::DamagedPage, "checksum"),
    ] {
        let after = if fault == Fault::DamagedPage { 1 } else { doorbells(&setting) - 3 };
        let (tokens, notes, _) = run(&setting, plan(&setting, fault, after, true), false);
        let error = tokens.unwrap_err().to_string();
        assert!(error.contains(text), "{fault:?}: {error} {notes:?}");
    }
}

#[test]
fn a_pass_costs_one_register() {
    let setting = setting();
    let open = || bus::open(&BusName::Golden, &setting.config, |_, _| {}).unwrap();
    let image = setting.image.clone();
    let mut feed = Failover::open(open(), image, HeadMode::TwoStage, None, &|_| {}).unwrap();
    feed.feed(&setting.prompt[..4], 1, &mut |_| {}).unwrap();
    let before = feed.card().unwrap().driver().accesses();
    feed.feed(&setting.prompt[4..12], 1, &mut |_| {}).unwrap();
    let after = feed.card().unwrap().driver().accesses();
    assert_eq!(after.registers - before.registers, 2, "two passes, two doorbells");
}

/// A card server of its own; killed like one that crashes.
struct Server(Child);

impl Server {
    fn start(socket: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_terntable"));
        command.args(["card-server", "--golden", "--socket"]).arg(socket);
        let server = Self(command.stderr(std::process::Stdio::null()).spawn().unwrap());
        let begin = Instant::now();
        while !socket.exists() {
            assert!(begin.elapsed() < Duration::from_secs(20), "no socket");
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `kill -9` of the server after so many tokens: inside of the prompt, and inside of the answer.
#[test]
fn a_killed_server() {
    let setting = setting();
    let folder = tempfile::tempdir().unwrap();
    for point in 0..points() {
        let (prompt, all) = (PROMPT as u64, (PROMPT + ANSWER) as u64);
        let inside = [mix(point) % prompt, prompt + mix(point) % (all - prompt)];
        for kill_after in inside {
            let socket = folder.path().join(format!("card-{kill_after}-{point}"));
            let mut server = Server::start(&socket);
            let notes = RefCell::new(Vec::new());
            let note = |text: &str| notes.borrow_mut().push(text.to_owned());
            let name = BusName::VfioUser(socket);
            let card = bus::open(&name, &setting.config, |_, _| {}).unwrap();
            let spare = Some(Box::new(|| on_cpu(&setting.model)) as Spare<'_>);
            let image = setting.image.clone();
            let head = HeadMode::TwoStage;
            let mut feed = Failover::open(card, image, head, spare, &note).unwrap();
            let mut fed = |tokens| {
                if tokens as u64 > kill_after {
                    server.kill();
                }
            };
            let tokens = answer(&mut feed, &setting.prompt, &mut fed).unwrap();
            assert_eq!(tokens, setting.expected, "killed after {kill_after}");
            let notes = notes.borrow();
            assert!(notes.iter().any(|note| note.contains("on the CPU")), "{notes:?}");
        }
    }
}

#[test]
fn the_same_tokens_behind_a_socket() {
    let setting = setting();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("card");
    let _server = Server::start(&socket);
    let head = HeadMode::TwoStage;
    for name in [BusName::Golden, BusName::Sim, BusName::VfioUser(socket)] {
        let card = bus::open(&name, &setting.config, |_, _| {}).unwrap();
        let image = setting.image.clone();
        let mut feed = Failover::open(card, image, head, None, &|text| panic!("{text}")).unwrap();
        let tokens = answer(&mut feed, &setting.prompt, &mut |_| {}).unwrap();
        assert_eq!(tokens, setting.expected, "{name}");
        feed.restart();
        let again = answer(&mut feed, &setting.prompt, &mut |_| {}).unwrap();
        assert_eq!(again, setting.expected, "{name}, again");
    }
}
