//! The Perfetto trace of a card: a track a unit, commands as spans, streams as counters.

use crate::{
    Error,
    perfetto::TraceWriter,
    sim::{Clock, Handle, Signal},
};
use std::{cell::RefCell, path::Path, rc::Rc};

/// The units of the card, in the order of their bits.
pub const UNITS: [&str; 6] = ["load", "multiply", "vector", "attention", "head", "check"];

/// Cycles of a window of counters.
const WINDOW: u64 = 256;

const CARD: u32 = 1;
const PASS_TRACK: u32 = 0;
const STALLS: [&str; 5] = ["memory", "tables", "drain", "results", "order"];

/// Writes what the trace ports of `tt_card` say, as it happens.
#[derive(Clone)]
pub struct Tracer {
    state: Rc<RefCell<State>>,
    clock: Clock,
}

struct State {
    writer: TraceWriter,
    period_ps: u64,
    labels: Vec<String>,
    /// Bit u: the unit is busy; since when, with which command.
    busy: u64,
    since: [u64; 6],
    commands: [u16; 6],
    window: Window,
    written: Window,
    counted: u64,
    pass: Option<u64>,
}

/// Cycles of a window in which something was so.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Window {
    weights: u32,
    lost: [u32; 5],
    reads: u32,
    writes: u32,
    waits: [u32; 6],
}

struct Ports {
    busy: Signal,
    wait: Signal,
    command: Signal,
    weights: Signal,
    lost: Signal,
    reads: Signal,
    writes: Signal,
    rst_n: Signal,
}

impl Tracer {
    pub(super) fn new(
        sim: &Handle,
        clock: &Clock,
        path: &Path,
        period_ps: u64,
    ) -> Result<Self, Error> {
        let output = |name: &str, width| sim.signal(name)?.output(width);
        let ports = Ports {
            busy: output("unit_busy_o", 6)?,
            wait: output("unit_wait_o", 6)?,
            command: output("unit_command_o", 96)?,
            weights: output("weight_beat_o", 1)?,
            lost: output("lost_o", 5)?,
            reads: output("read_beat_o", 1)?,
            writes: output("write_beat_o", 1)?,
            rst_n: sim.signal("rst_ni")?,
        };
        let mut writer = TraceWriter::create(path)?;
        eprintln!("writing the trace {}", path.display());
        writer.process(CARD, "card");
        writer.track(CARD, PASS_TRACK, "pass");
        for (unit, name) in UNITS.iter().enumerate() {
            writer.track(CARD, unit as u32 + 1, name);
        }
        let state = State {
            writer,
            period_ps,
            labels: Vec::new(),
            busy: 0,
            since: [0; 6],
            commands: [0; 6],
            window: Window::default(),
            written: Window { weights: u32::MAX, ..Window::default() },
            counted: 0,
            pass: None,
        };
        let tracer = Tracer { state: Rc::new(RefCell::new(state)), clock: clock.clone() };
        let (shared, clock) = (tracer.state.clone(), clock.clone());
        sim.spawn(async move {
            loop {
                clock.rising_edge().await;
                if ports.rst_n.high() {
                    shared.borrow_mut().look(&ports, clock.cycle());
                }
            }
        });
        Ok(tracer)
    }

    /// Names the commands of the program that runs from now on.
    pub fn set_labels(&self, labels: Vec<String>) {
        self.state.borrow_mut().labels = labels;
    }

    /// A moment to be found again.
    pub fn mark(&self, name: &str) {
        let mut state = self.state.borrow_mut();
        let at = self.clock.cycle() * state.period_ps;
        state.writer.instant(CARD, name, at);
    }

    /// Writes what there is to the file.
    pub fn flush(&self) -> Result<(), Error> {
        self.state.borrow_mut().writer.flush()
    }

    pub(super) fn begin_pass(&self) {
        self.state.borrow_mut().pass = Some(self.clock.cycle());
    }

    pub(super) fn end_pass(&self, failed: bool) {
        let now = self.clock.cycle();
        let mut state = self.state.borrow_mut();
        if let Some(start) = state.pass.take() {
            let (from, to) = (start * state.period_ps, now * state.period_ps);
            let name = if failed { "pass, stopped" } else { "pass" };
            let cycles = [("cycles", (now - start) as f64)];
            state.writer.span(CARD, PASS_TRACK, name, from, to, &cycles);
        }
    }
}

impl State {
    #[inline]
    fn look(&mut self, ports: &Ports, now: u64) {
        let busy = ports.busy.get();
        let (low, high) = (ports.command.get_at(0, 8), ports.command.get_at(8, 4));
        let command =
            |u: usize| (if u < 4 { low >> (16 * u) } else { high >> (16 * (u - 4)) }) as u16;
        let changed = busy ^ self.busy;
        // Also a unit that goes on with its next command.
        let next = (0..6).fold(0, |bits, u| bits | u64::from(self.commands[u] != command(u)) << u);
        let mut over = self.busy & (changed | next);
        while over != 0 {
            let unit = over.trailing_zeros() as usize;
            over &= over - 1;
            self.close(unit, now);
        }
        let mut begun = busy & (changed | next);
        while begun != 0 {
            let unit = begun.trailing_zeros() as usize;
            begun &= begun - 1;
            self.since[unit] = now;
        }
        for unit in 0..6 {
            self.commands[unit] = command(unit);
        }
        self.busy = busy;

        let window = &mut self.window;
        window.weights += ports.weights.get() as u32;
        window.reads += ports.reads.get() as u32;
        window.writes += ports.writes.get() as u32;
        count(&mut window.lost, ports.lost.get());
        count(&mut window.waits, ports.wait.get());
        if now - self.counted >= WINDOW {
            self.close_window(now);
        }
    }

    fn close(&mut self, unit: usize, now: u64) {
        let index = self.commands[unit];
        let unnamed;
        let name = match self.labels.get(usize::from(index)) {
            Some(label) => label,
            None => {
                unnamed = format!("command {index}");
                &unnamed
            }
        };
        let (from, to) = (self.since[unit] * self.period_ps, now * self.period_ps);
        let numbers = [("command", f64::from(index)), ("cycles", (now - self.since[unit]) as f64)];
        self.writer.span(CARD, unit as u32 + 1, name, from, to, &numbers);
    }

    fn close_window(&mut self, now: u64) {
        let cycles = (now - self.counted) as f64;
        let at = self.counted * self.period_ps;
        self.counted = now;
        let window = std::mem::take(&mut self.window);
        if window == self.written {
            return;
        }
        self.written = window;
        let share = |n: u32| f64::from(n) / cycles;
        let mut weights = vec![("beats", share(window.weights))];
        weights.extend(STALLS.iter().zip(window.lost).map(|(name, n)| (*name, share(n))));
        self.writer.counter(CARD, "weights: beats and why none, a cycle", at, &weights);
        let memory = [("read", share(window.reads)), ("written", share(window.writes))];
        self.writer.counter(CARD, "memory: beats a cycle", at, &memory);
        let waits: Vec<_> =
            UNITS.iter().zip(window.waits).map(|(name, n)| (*name, share(n))).collect();
        self.writer.counter(CARD, "waiting for other units", at, &waits);
    }
}

#[inline]
fn count<const N: usize>(counts: &mut [u32; N], bits: u64) {
    if bits != 0 {
        counts.iter_mut().enumerate().for_each(|(i, n)| *n += (bits >> i & 1) as u32);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // What still runs, and what was counted last.
        let end = self.counted + 1;
        for unit in (0..6).filter(|u| self.busy >> u & 1 != 0).collect::<Vec<_>>() {
            let now = end.max(self.since[unit]);
            self.close(unit, now);
        }
        self.close_window(end);
    }
}
