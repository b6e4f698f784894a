//! The schedule of a program: when each unit starts and ends each command.
//!
//! The rules are the sequencer's: commands are dispatched in order, a unit takes its own in order from
//! a queue of four, and a command starts when the earlier commands of the units in its wait mask are
//! done. What a command costs its unit is [`super::cost`].

use super::cost::{Cost, Costs};
use serde::Serialize;
use terntable_golden::card::{
    command::{Command, Unit},
    program::Commands,
};

/// Commands that wait for a unit.
const QUEUE: usize = 4;
/// Cycles from a command's dispatch to its start in an idle unit.
const DISPATCH: f64 = 4.0;
/// Cycles from a unit's end to the start of a command that waited for it.
const HAND_OVER: f64 = 4.0;

/// Busy cycles of each unit, in the order of [`Unit::ALL`], and of the memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Busy {
    /// Norm weights and rotary rows.
    pub load: f64,
    /// Ternary weights.
    pub multiply: f64,
    /// binary32 work.
    pub vector: f64,
    /// Attention.
    pub attention: f64,
    /// The vocabulary head.
    pub head: f64,
    /// Beats that the memory moved.
    pub memory_beats: f64,
}

/// A program's schedule.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Schedule {
    /// Cycles from the doorbell to the interrupt.
    pub cycles: f64,
    /// Where they went.
    pub busy: Busy,
}

/// A panel whose sums nobody has taken yet.
#[derive(Debug, Clone, Copy)]
struct Panel {
    /// Its last beat is looked up.
    summed: f64,
}

#[derive(Debug, Default)]
struct State {
    /// Ends of the commands of a unit, in order.
    ends: [Vec<f64>; 6],
    starts: [Vec<f64>; 6],
    panels: std::collections::VecDeque<Panel>,
    /// Last beat of each panel, and when its sums had left.
    summed: Vec<f64>,
    drained: Vec<f64>,
    dispatch: f64,
}

/// Plays a program.
pub fn schedule(commands: &Commands, costs: &Costs<'_>) -> Schedule {
    let mut state = State { dispatch: costs.doorbell(), ..State::default() };
    let mut busy = Busy::default();
    let mut end = 0.0_f64;
    for (waits, command) in commands {
        let unit = command.info().unit;
        state.dispatch += costs.fetch();
        if unit == Unit::Control {
            if matches!(command, Command::End {}) {
                let last = |ends: &Vec<f64>| ends.last().copied().unwrap_or(0.0);
                end = state.ends.iter().map(last).fold(state.dispatch, f64::max) + HAND_OVER;
            }
            continue;
        }
        let index = unit as usize;
        // A place in the queue: the fourth command before it has started.
        if let Some(&start) = state.starts[index].iter().rev().nth(QUEUE - 1) {
            state.dispatch = state.dispatch.max(start);
        }
        let waited = Unit::ALL
            .iter()
            .filter(|unit| waits.has(**unit))
            .filter_map(|unit| state.ends[*unit as usize].last())
            .fold(0.0_f64, |latest, end| latest.max(end + HAND_OVER));
        let free = state.ends[index].last().copied().unwrap_or(0.0);
        let start = (state.dispatch + DISPATCH).max(waited).max(free);
        let cost = costs.of(command);
        let done = match command {
            Command::Multiply { .. } => multiply(&mut state, start, &cost),
            Command::Residual { .. }
            | Command::Gate { .. }
            | Command::Project { .. }
            | Command::Screen { .. } => consume(&mut state, start, &cost),
            _ => start + cost.cycles,
        };
        state.starts[index].push(start);
        state.ends[index].push(done);
        busy.memory_beats += cost.beats;
        let own = match unit {
            Unit::Load => &mut busy.load,
            Unit::Multiply => &mut busy.multiply,
            Unit::Vector => &mut busy.vector,
            Unit::Attention => &mut busy.attention,
            _ => &mut busy.head,
        };
        *own += cost.cycles;
    }
    Schedule { cycles: end, busy }
}

/// A panel: tables of its first block, then a beat a cycle; its bank of sums must be drained. Done, for
/// those who wait, when its last block's tables are built.
fn multiply(state: &mut State, start: f64, cost: &Cost) -> f64 {
    let count = state.summed.len();
    let stream = state.summed.last().copied().unwrap_or(0.0);
    let bank = if count >= 2 { state.drained.get(count - 2).copied().unwrap_or(0.0) } else { 0.0 };
    let first = (start + cost.lead).max(stream).max(bank);
    let summed = first + cost.cycles;
    state.summed.push(summed);
    state.panels.push_back(Panel { summed });
    summed - cost.tail
}

/// The sums of the oldest panel.
fn consume(state: &mut State, start: f64, cost: &Cost) -> f64 {
    let ready = state.panels.pop_front().map_or(0.0, |panel| panel.summed);
    let begin = start.max(ready + cost.lead);
    state.drained.push(begin + cost.taken);
    begin + cost.cycles
}
