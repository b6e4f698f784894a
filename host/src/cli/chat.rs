//! `terntable chat`.

use super::{CardArg, HeadArg, ModelArg, PlaceArg, ThreadsArg, print_text};
use signal_hook::{consts::SIGINT, flag};
use std::{
    io::{BufRead, IsTerminal},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use terntable::{
    Error,
    chat::{Conversation, Manner},
    device::with_feed,
    import::Sampling,
    runner::Feed,
    sim::Recording,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArg,
    /// System message.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Most tokens of an answer.
    #[arg(long, value_name = "N", default_value_t = 512)]
    max_tokens: usize,
    /// 0 takes the likeliest token. Default: what generation_config.json says, else 0; the same for the
    /// next two.
    #[arg(long, value_name = "T", value_parser = super::temperature)]
    #[arg(allow_negative_numbers = true)]
    temperature: Option<f64>,
    /// Draw from so many of the likeliest tokens only.
    #[arg(long, value_name = "N", value_parser = super::positive)]
    top_k: Option<usize>,
    /// Draw from the likeliest tokens only that together have this probability.
    #[arg(long, value_name = "SHARE", value_parser = super::share)]
    top_p: Option<f64>,
    /// Seed of the first answer; each one after it takes the next.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    place: PlaceArg,
    #[command(flatten)]
    threads: ThreadsArg,
    #[command(flatten)]
    card: CardArg,
    /// Which head scores the tokens.
    #[arg(long, value_enum, default_value = "two-stage")]
    head: HeadArg,
}

const HELP: &str = "/help         this list\n\
                    /reset        forget the conversation, keep the system message\n\
                    /system TEXT  set the system message (without TEXT: take it away) and forget the rest\n\
                    /quit         end; the end of the input does, too\n\
                    Ctrl-C        stop the answer; at the prompt: end\n";

pub fn run(args: &Args) -> Result<(), Error> {
    let checkpoint = args.model.open()?;
    let tokenizer = checkpoint.tokenizer()?;
    let mut conversation = Conversation::new(&checkpoint, checkpoint.config(), &tokenizer)?;
    conversation.set_system(args.system.as_deref().unwrap_or_default());
    let usual = checkpoint.sampling();
    let manner = Manner {
        sampling: Sampling {
            temperature: args.temperature.unwrap_or(usual.temperature),
            top_k: args.top_k.or(usual.top_k),
            top_p: args.top_p.or(usual.top_p),
        },
        seed: args.seed,
        max_tokens: args.max_tokens,
    };
    let interrupt = Interrupt::new()?;
    if !conversation.has_template() {
        eprintln!("the model has no chat template: it continues the text as it stands");
    }
    let (card, recording) = (args.card.config()?, Recording::default());
    let place = args.place.place(&card, &recording, args.threads.threads);
    with_feed(&place, &checkpoint, args.head.into(), |runner| {
        talk(runner, &mut conversation, &manner, &interrupt)
    })?;
    Ok(())
}

/// Reads lines until the input ends.
fn talk(
    runner: &mut dyn Feed,
    conversation: &mut Conversation<'_>,
    manner: &Manner,
    interrupt: &Interrupt,
) -> Result<(), Error> {
    let input = std::io::stdin().lock();
    let terminal = input.is_terminal();
    if terminal {
        eprintln!("/help lists the commands");
    }
    let prompt = || {
        interrupt.ends_program.store(true, Relaxed);
        if terminal {
            eprint!("> ");
        }
    };
    prompt();
    for line in input.lines() {
        let line = line.map_err(|e| Error::Input(format!("cannot read standard input: {e}")))?;
        interrupt.ends_program.store(false, Relaxed);
        let text = line.trim();
        match text.split_once(char::is_whitespace).unwrap_or((text, "")) {
            ("", _) => {}
            ("/quit" | "/exit", _) => return Ok(()),
            ("/reset", _) => conversation.reset(),
            ("/system", text) => conversation.set_system(text.trim()),
            ("/help", _) => eprint!("{HELP}"),
            (command, _) if command.starts_with('/') => {
                eprintln!("{command} is no command; /help lists them");
            }
            _ => answer(runner, conversation, text, manner, interrupt)?,
        }
        prompt();
    }
    Ok(())
}

/// Prints an answer as it comes. What the model or its template refuses ends the turn, not the session.
fn answer(
    runner: &mut dyn Feed,
    conversation: &mut Conversation<'_>,
    text: &str,
    manner: &Manner,
    interrupt: &Interrupt,
) -> Result<(), Error> {
    interrupt.stops_answer.store(false, Relaxed);
    let stop = || interrupt.stops_answer.load(Relaxed);
    let mut printed = Ok(());
    let result = conversation.say(runner, text, manner, &stop, |text| {
        if printed.is_ok() {
            printed = print_text(text);
        }
    });
    printed?;
    print_text("\n")?;
    match result {
        Err(error) => eprintln!("terntable: {error}"),
        Ok(answer) => {
            if answer.forgotten > 0 {
                eprintln!("[the context is full: forgot the oldest {} turns]", answer.forgotten);
            }
            if stop() {
                eprintln!("[stopped]");
            }
        }
    }
    Ok(())
}

/// What Ctrl-C does: it ends the program at the prompt and stops the answer elsewhere.
struct Interrupt {
    ends_program: Arc<AtomicBool>,
    stops_answer: Arc<AtomicBool>,
}

impl Interrupt {
    fn new() -> Result<Self, Error> {
        let [ends_program, stops_answer] = [true, false].map(|now| Arc::new(AtomicBool::new(now)));
        // As a shell says it: 128 and the signal's number.
        flag::register_conditional_shutdown(SIGINT, 130, ends_program.clone())
            .and_then(|_| flag::register(SIGINT, stops_answer.clone()))
            .map_err(|e| Error::Input(format!("cannot take over Ctrl-C: {e}")))?;
        Ok(Self { ends_program, stops_answer })
    }
}
