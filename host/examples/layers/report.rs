//! What was measured, as JSON and as a table, and what it would mean for a whole model.

use crate::{
    Measured, Outcome,
    account::{Account, Part},
    model::{Case, Shape},
};
use serde_json::{Value, json};
use std::path::PathBuf;
use terntable_golden::{
    card::{config::CardConfig, program::ProgramKind},
    model::Projection,
};
use terntable_testbench::{card::UNITS, seed::seed};

/// The clock of the card.
const HERTZ: f64 = 250e6;

/// Everything measured so far.
pub struct Report {
    path: Option<PathBuf>,
    data: Value,
}

/// A case on a shape and memory.
pub struct Run(Value);

/// A head on a shape and memory.
pub struct Head(Value);

fn part(part: &Part) -> Value {
    let busy: serde_json::Map<_, _> = UNITS
        .iter()
        .zip(part.busy)
        .map(|(unit, cycles)| (unit.to_string(), json!(cycles)))
        .collect();
    json!({
        "cycles": part.cycles, "weight_beats": part.weights,
        "weight_share": part.weights as f64 / part.cycles.max(1) as f64,
        "read_beats": part.reads, "write_beats": part.writes, "busy": busy,
        "without_weights": part.without,
    })
}

impl Run {
    pub fn new(
        shape: &Shape,
        case: &Case,
        memory: &str,
        account: &Account,
        measured: Measured,
        compared: (usize, usize),
    ) -> Self {
        let c = &measured.counters;
        let parts: Vec<Value> = account.iter().map(part).collect();
        let [before, layer, ..] = account.as_slice() else {
            return Self(json!({ "shape": shape.name, "case": case.name, "error": "no layer" }));
        };
        let layers = before.cycles + shape.layers as u64 * layer.cycles;
        Self(json!({
            "shape": shape.name, "case": case.name, "memory": memory,
            "sequences": case.sequences, "tokens": case.tokens, "history": case.history,
            "bare_reader": measured.bare_reader, "macs": macs(shape, case),
            "pass_cycles": c.cycles, "before_layer": parts[0], "layer": parts[1],
            "after_layer": parts.get(2),
            "counters": {
                "commands": c.commands, "read_beats": c.read_beats, "write_beats": c.write_beats,
                "weight_beats": c.weight_beats, "busy": c.busy, "wait": c.wait,
                "lost": { "memory": c.lost_memory, "tables": c.lost_tables, "drain": c.lost_drain,
                          "results": c.lost_results, "order": c.lost_order },
            },
            "modelled_cycles_of_all_layers": layers,
            "compared": { "buffer_words": compared.0, "state_bytes": compared.1 },
            "simulated_cycles": measured.simulated, "wall_seconds": measured.seconds,
        }))
    }
}

impl Head {
    pub fn new(shape: &Shape, case: &Case, memory: &str, account: &Account) -> Self {
        let head = account.last().map(part);
        let full = case.program == ProgramKind::Full;
        Self(json!({
            "shape": shape.name, "slots": case.slots(), "full": full, "memory": memory, "head": head,
        }))
    }
}

/// Multiply-accumulates of a layer: its matrices, and attention's scores and values.
fn macs(shape: &Shape, case: &Case) -> u64 {
    let config = shape.config(case.kv);
    let size = |p: &Projection| {
        let (rows, cols) = config.shape(*p);
        (rows * cols) as u64
    };
    let linear: u64 = Projection::ALL.iter().map(size).sum();
    let rows: usize = (1..=case.tokens).map(|token| case.history + token).sum();
    let attention = 2 * (rows * config.heads * config.head_dim) as u64;
    case.slots() as u64 * linear + case.sequences as u64 * attention
}

fn same(a: &Value, b: &Value, keys: &[&str]) -> bool {
    keys.iter().all(|key| a[*key] == b[*key])
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

impl Report {
    pub fn open(card: &CardConfig, path: Option<PathBuf>) -> Outcome<Self> {
        let old = path.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        let data = match old {
            Some(old) => serde_json::from_str(&old)?,
            None => json!({
                "tier": "simulated", "card": card.name, "seed": seed(), "megahertz": HERTZ / 1e6,
                "runs": [], "heads": [], "lockstep": [],
            }),
        };
        Ok(Self { path, data })
    }

    fn put(&mut self, list: &str, keys: &[&str], value: Value) -> Outcome<()> {
        eprintln!("{list}: {}", summary(&value));
        if let Some(list) = self.data[list].as_array_mut() {
            list.retain(|old| !same(old, &value, keys));
            list.push(value);
        }
        if let Some(path) = &self.path {
            std::fs::write(path, serde_json::to_string_pretty(&self.data)? + "\n")?;
        }
        Ok(())
    }

    pub fn add(&mut self, Run(run): Run) -> Outcome<()> {
        self.put("runs", &["shape", "case", "memory"], run)
    }

    pub fn add_head(&mut self, Head(head): Head) -> Outcome<()> {
        self.put("heads", &["shape", "slots", "full", "memory"], head)
    }

    pub fn add_lockstep(
        &mut self,
        shape: &Shape,
        case: &Case,
        values: u64,
        commands: u64,
        seconds: f64,
    ) -> Outcome<()> {
        let run = json!({
            "shape": shape.name, "case": case.name, "slots": case.slots(), "commands": commands,
            "values": values, "differences": 0, "wall_seconds": seconds,
        });
        self.put("lockstep", &["shape", "case"], run)
    }

    /// Every run.
    pub fn runs(&self) -> &[Value] {
        self.list("runs")
    }

    fn list(&self, name: &str) -> &[Value] {
        self.data[name].as_array().map_or(&[], Vec::as_slice)
    }

    /// Cycles of a head of so many slots, if it was measured.
    fn head(&self, run: &Value, slots: u64, full: bool) -> Option<f64> {
        let head = |head: &&Value| {
            same(head, run, &["shape", "memory"]) && head["slots"] == slots && head["full"] == full
        };
        self.list("heads").iter().find(head).map(|head| number(&head["head"]["cycles"]))
    }

    /// Tokens a second of the whole model, if every layer took that long: without a head, and with the
    /// head of every decoded token.
    fn speed(&self, run: &Value) -> (f64, Option<f64>) {
        let tokens = number(&run["sequences"]) * number(&run["tokens"]);
        let layers = number(&run["modelled_cycles_of_all_layers"]);
        let speed = |cycles: f64| tokens * HERTZ / cycles;
        let decodes = run["tokens"] == 1;
        let slots = run["sequences"].as_u64().filter(|_| decodes);
        let head = slots.and_then(|slots| self.head(run, slots, false));
        (speed(layers), head.map(|head| speed(layers + head)))
    }

    /// Tokens a second of a prompt: chunks whose cycles grow evenly from the first that was measured to
    /// the last, and one head.
    fn prompt(&self, first: &Value, tokens: u64) -> Option<f64> {
        let chunk = first["tokens"].as_u64()?;
        let last = |run: &&Value| {
            same(run, first, &["shape", "memory", "tokens"]) && run["history"] == tokens - chunk
        };
        let last = self.list("runs").iter().find(last)?;
        let cycles = |run: &Value| number(&run["modelled_cycles_of_all_layers"]);
        let chunks = (tokens / chunk) as f64 * (cycles(first) + cycles(last)) / 2.0;
        Some(tokens as f64 * HERTZ / (chunks + self.head(first, 1, false)?))
    }

    /// Tokens a second of one sequence with the full head.
    fn with_full_head(&self, run: &Value) -> Option<f64> {
        let decodes = run["tokens"] == 1 && run["sequences"] == 1;
        let head = decodes.then(|| self.head(run, 1, true)).flatten()?;
        Some(HERTZ / (number(&run["modelled_cycles_of_all_layers"]) + head))
    }

    /// The table, for people.
    pub fn print(&self) {
        println!(
            "| shape | pass | memory | cycles of a layer | weight beats | share | tokens/s, layers | with head | without a beat of weights |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        for run in self.list("runs") {
            let layer = &run["layer"];
            let (layers, whole) = self.speed(run);
            println!(
                "| {} | {} | {} | {} | {} | {:.1} % | {layers:.1} | {} | {} |",
                text(run, "shape"),
                text(run, "case"),
                text(run, "memory"),
                layer["cycles"],
                layer["weight_beats"],
                100.0 * number(&layer["weight_share"]),
                whole.map_or(String::new(), |s| format!("{s:.1}")),
                reasons(layer),
            );
        }
        for first in self.list("runs").iter().filter(|r| r["tokens"] != 1 && r["history"] == 0) {
            let (shape, memory) = (text(first, "shape"), text(first, "memory"));
            for tokens in [128, 1024] {
                if let Some(speed) = self.prompt(first, tokens) {
                    let seconds = tokens as f64 / speed;
                    println!(
                        "prompt of {tokens} tokens: {shape}, {memory}: {speed:.1} tokens/s, the first \
                         token after {seconds:.3} s (modelled)"
                    );
                }
            }
        }
        for run in self.list("runs") {
            let (shape, memory, case) =
                (text(run, "shape"), text(run, "memory"), text(run, "case"));
            if let Some(speed) = self.with_full_head(run) {
                println!("full head: {shape}, {case}, {memory}: {speed:.1} tokens/s (modelled)");
            }
            if let (Some(rate), true) = (run["bare_reader"].as_f64(), run["tokens"] == 1) {
                let layer = &run["layer"];
                let share = number(&layer["read_beats"]) / number(&layer["cycles"]) / rate;
                println!(
                    "stream: {shape}, {case}, {memory}: {:.1} % of a bare sequential reader",
                    100.0 * share
                );
            }
        }
        for head in self.list("heads") {
            println!("head: {}", summary(head));
        }
        for run in self.list("lockstep") {
            println!("lockstep: {}", summary(run));
        }
    }
}

/// The reasons of a part, largest first.
fn reasons(part: &Value) -> String {
    let Some(map) = part["without_weights"].as_object() else { return String::new() };
    let mut all: Vec<(&String, u64)> =
        map.iter().map(|(name, n)| (name, n.as_u64().unwrap_or_default())).collect();
    all.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    all.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
}

fn summary(value: &Value) -> String {
    let part = if value["layer"].is_object() { &value["layer"] } else { &value["head"] };
    let whole = |key: &str| value.get(key).map(|v| format!(" {key}={v}")).unwrap_or_default();
    let keys = [
        "memory",
        "slots",
        "pass_cycles",
        "commands",
        "values",
        "compared",
        "simulated_cycles",
        "wall_seconds",
    ];
    let mut text = format!("{} {}", text(value, "shape"), text(value, "case"));
    text += &keys.map(whole).concat();
    if part.is_object() {
        text += &format!(
            ": {} cycles, {} weight beats, busy {}, without: {}",
            part["cycles"],
            part["weight_beats"],
            part["busy"],
            reasons(part)
        );
    }
    text
}
