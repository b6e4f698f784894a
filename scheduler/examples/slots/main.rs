//! What the scheduler makes of the edge card: policies, piggybacked answers and drafts, in the modelled time of
//! BitNet 2B-4T on `kv260`.
//!
//! `cargo run --release -p terntable-scheduler --example slots -- [FILE.json]`
//!
//! Answers come from a script: neither schedules nor the model of the card's time look at tokens, and what drafts
//! look at is the text.

mod script;
mod texts;

use script::{Script, VOCAB};
use serde_json::{Value, json};
use std::{error::Error, time::Duration};
use terntable_golden::sample::mix;
use terntable_scheduler::{
    Device, Options, PolicyName, Request,
    cost::{Cost, Run},
    device::ModelledCard,
    replay::{Arrival, Replayed, replay},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The shape that is timed.
const SHAPE: &str = "bitnet-2b4t";
/// Requests of a trace.
const REQUESTS: u64 = 200;
/// Requests a second: more than the card can serve, so that some always wait.
const RATE: f64 = 4.0;

/// Lengths of prompts and answers: log-normal, by median and sigma, between 8 and 2,048 tokens.
struct Trace {
    name: &'static str,
    prompt: [f64; 2],
    answer: [f64; 2],
}

const TRACES: [Trace; 2] = [
    // The means of ShareGPT's conversations, 161 and 338 tokens, as Kwon et al. (2023) give them.
    Trace { name: "conversations", prompt: [80.0, 1.18], answer: [245.0, 0.8] },
    // Twice as many tokens of prompts as of answers.
    Trace { name: "long prompts", prompt: [300.0, 1.0], answer: [128.0, 0.8] },
];

fn main() -> Outcome<()> {
    let report = json!({
        "tier": "modelled",
        "card": "kv260, 250 MHz assumed, DDR4",
        "shape": SHAPE,
        "requests": REQUESTS, "requests_a_second": RATE,
        "traces": TRACES.iter().map(policies).collect::<Outcome<Vec<_>>>()?,
        "piggyback": piggyback()?,
        "drafts": drafts()?,
    });
    if let Some(path) = std::env::args().nth(1) {
        std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    Ok(())
}

fn card(script: Script) -> Outcome<Vec<Box<dyn Device>>> {
    Ok(vec![Box::new(ModelledCard::kv260(Box::new(script), Cost::kv260(SHAPE)?)?)])
}

/// Uniform numbers of a seed.
fn uniform(seed: u64, i: u64) -> f64 {
    (mix(mix(seed) ^ i) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A length.
fn length(seed: u64, i: u64, [median, sigma]: [f64; 2]) -> usize {
    // Box and Muller.
    let radius = (-2.0 * (1.0 - uniform(seed, 2 * i)).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * uniform(seed, 2 * i + 1)).cos();
    (median * (sigma * normal).exp()).clamp(8.0, 2048.0) as usize
}

/// Requests at random times, with prompts of their own.
fn arrivals(trace: &Trace) -> Vec<Arrival> {
    let mut at = 0.0;
    let request = |i: u64| {
        at -= (1.0 - uniform(1, i)).ln() / RATE;
        let token = |place: u64| (mix(i << 32 | place) % VOCAB as u64) as u32;
        let request = Request {
            prompt: (0..length(2, i, trace.prompt) as u64).map(token).collect(),
            max_tokens: length(3, i, trace.answer),
            ..Request::default()
        };
        Arrival { at: Duration::from_secs_f64(at), request, leaves_after: None }
    };
    (0..REQUESTS).map(request).collect()
}

/// The value that a share of all are not above.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() as f64 * share).ceil() as usize).clamp(1, values.len()) - 1]
}

fn policies(trace: &Trace) -> Outcome<Value> {
    let arrivals = arrivals(trace);
    let mean = |tokens: &dyn Fn(&Request) -> usize| {
        arrivals.iter().map(|arrival| tokens(&arrival.request)).sum::<usize>() as f64
            / REQUESTS as f64
    };
    let (prompt, answer) = (mean(&|r| r.prompt.len()), mean(&|r| r.max_tokens));
    println!("{}: {REQUESTS} requests, on average {prompt} + {answer} tokens", trace.name);
    let mut rows = serde_json::Map::new();
    for policy in [PolicyName::Fcfs, PolicyName::PrefillFirst, PolicyName::Chunked] {
        let name = policy.as_str();
        let options =
            Options { policy, drafts: false, queue: arrivals.len(), ..Options::default() };
        let replayed = replay(card(Script::new([]))?, options, &arrivals)?;
        let figures = figures(&replayed, &arrivals);
        println!("  {name}: {figures}");
        rows.insert(name.into(), figures);
    }
    let rate = |name: &str| rows[name]["answer_tokens_a_second"].as_f64().unwrap_or(f64::NAN);
    let ratio = rate("chunked") / rate("fcfs");
    println!("  chunked makes {ratio:.2} times the tokens of first come, first served");
    Ok(json!({
        "trace": trace.name, "mean_prompt_tokens": prompt, "mean_answer_tokens": answer,
        "policies": rows, "chunked_against_fcfs": ratio,
    }))
}

fn figures(replayed: &Replayed, arrivals: &[Arrival]) -> Value {
    let (mut first, mut gaps, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    for (record, arrival) in replayed.records.iter().zip(arrivals) {
        first.extend(record.tokens.first().map(|token| (token.at - arrival.at).as_secs_f64()));
        for pair in record.tokens.windows(2) {
            gaps.push((pair[1].pass - pair[0].pass) as f64);
            seconds.push((pair[1].at - pair[0].at).as_secs_f64());
        }
    }
    let status = &replayed.status;
    let elapsed = replayed.elapsed.as_secs_f64();
    json!({
        "seconds": elapsed,
        "passes": status.passes,
        "answer_tokens_a_second": status.completion_tokens as f64 / elapsed,
        "all_tokens_a_second": (status.completion_tokens + status.prompt_tokens) as f64 / elapsed,
        "first_token_seconds": { "p50": quantile(&mut first, 0.5), "p99": quantile(&mut first, 0.99) },
        "between_tokens_passes": { "p50": quantile(&mut gaps, 0.5), "p99": quantile(&mut gaps, 0.99) },
        "between_tokens_seconds": { "p50": quantile(&mut seconds, 0.5), "p99": quantile(&mut seconds, 0.99) },
        "bubbles": status.bubbles as f64 / status.slots as f64,
    })
}

/// What answers add to a pass of a prompt, each.
fn piggyback() -> Outcome<Vec<Value>> {
    let cost = Cost::kv260(SHAPE)?;
    let mut rows = Vec::new();
    for (context, answers) in [128, 512].into_iter().flat_map(|c| [1, 2, 4, 8, 12].map(|n| (c, n)))
    {
        let chunk = Run { slots: 16 - answers, rows: context, wanted: 0 };
        let mut runs = vec![Run { slots: 1, rows: context, wanted: 1 }; answers];
        runs.push(chunk);
        let each = (cost.cycles(&runs) / cost.cycles(&[chunk]) - 1.0) / answers as f64;
        println!(
            "context {context}, {answers} answers beside a chunk of {}: each {:.2} % of the pass",
            chunk.slots,
            100.0 * each
        );
        rows.push(
            json!({ "context": context, "answers": answers, "share_of_the_pass_each": each }),
        );
    }
    Ok(rows)
}

/// One conversation, with drafts and without.
fn drafts() -> Outcome<Vec<Value>> {
    let mut rows = Vec::new();
    for text in texts::all() {
        let (prompt, answer) = text.tokens.split_at(text.prompt);
        let request =
            Request { prompt: prompt.to_vec(), max_tokens: answer.len(), ..Request::default() };
        let arrival = Arrival { at: Duration::ZERO, request, leaves_after: None };
        let run = |drafts| -> Outcome<(f64, Replayed)> {
            let options = Options { drafts, ..Options::default() };
            let devices = card(Script::new([text.tokens.clone()]))?;
            let replayed = replay(devices, options, std::slice::from_ref(&arrival))?;
            let made: Vec<u32> = replayed.records[0].tokens.iter().map(|t| t.token.id).collect();
            if made != answer {
                return Err(format!("{}: the answer is not the text", text.name).into());
            }
            let [first, .., last] = &replayed.records[0].tokens[..] else {
                return Err(format!("{}: no answer", text.name).into());
            };
            Ok(((last.at - first.at).as_secs_f64(), replayed))
        };
        let ((without, _), (with, replayed)) = (run(false)?, run(true)?);
        let status = replayed.status;
        println!(
            "{}: {} + {} tokens, decode {:.3} times as fast, {} of {} drafts right",
            text.name,
            prompt.len(),
            answer.len(),
            without / with,
            status.drafts_accepted,
            status.drafts_proposed
        );
        rows.push(json!({
            "text": text.name, "repeats": text.repeats,
            "prompt_tokens": prompt.len(), "answer_tokens": answer.len(),
            "decode_seconds": { "without": without, "with": with }, "gain": without / with,
            "drafted": status.drafts_proposed, "right": status.drafts_accepted,
        }));
    }
    Ok(rows)
}
