//! Where the cycles of a pass went: every cycle has a beat of weights, or a reason why not.

use crate::Outcome;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};
use terntable_testbench::card::{CardSim, UNITS};

/// Cycles of a part of a pass.
#[derive(Debug, Clone, Default)]
pub struct Part {
    pub cycles: u64,
    /// Cycles with a beat of weights.
    pub weights: u64,
    /// Beats read of anything.
    pub reads: u64,
    pub writes: u64,
    /// Cycles in which a unit was busy.
    pub busy: [u64; 6],
    /// Of every [`WINDOW`] cycles, those in which each unit was busy, and then those with a beat of
    /// weights and with a beat read.
    pub windows: Vec<[u16; 8]>,
    /// Cycles without a beat of weights, by what the multiplier, or whoever it waited for, did.
    pub without: BTreeMap<&'static str, u64>,
}

/// Cycles of a window.
pub const WINDOW: u64 = 512;

/// The parts of a pass, divided by its marks.
pub type Account = Vec<Part>;

const LOST: [&str; 5] = [
    "multiply: memory",
    "multiply: tables",
    "multiply: drain",
    "multiply: results",
    "multiply: order",
];

#[derive(Default)]
struct State {
    running: bool,
    names: Vec<&'static str>,
    marks: Vec<usize>,
    parts: Account,
}

/// Looks at the trace ports of a card in every cycle.
pub struct Watch {
    state: Rc<RefCell<State>>,
}

impl Watch {
    pub fn new(card: &CardSim) -> Outcome<Self> {
        let state = Rc::new(RefCell::new(State::default()));
        let sim = card.sim();
        let output = |name: &str, width| sim.signal(name)?.output(width);
        let (busy, command) = (output("unit_busy_o", 6)?, output("unit_command_o", 96)?);
        let (weights, lost) = (output("weight_beat_o", 1)?, output("lost_o", 5)?);
        let (reads, writes) = (output("read_beat_o", 1)?, output("write_beat_o", 1)?);
        let (shared, clock) = (state.clone(), card.clock().clone());
        sim.spawn(async move {
            loop {
                clock.rising_edge().await;
                let mut state = shared.borrow_mut();
                let State { running: true, names, marks, parts } = &mut *state else { continue };
                let units = busy.get();
                let at = |unit: usize| command.get_at(2 * unit, 2) as usize;
                if units & 1 << VECTOR != 0 && marks.get(parts.len() - 1) == Some(&at(VECTOR)) {
                    parts.push(Part::default());
                }
                let Some(part) = parts.last_mut() else { continue };
                if part.cycles.is_multiple_of(WINDOW) {
                    part.windows.push([0; 8]);
                }
                part.cycles += 1;
                if let Some(window) = part.windows.last_mut() {
                    for (unit, busy) in window.iter_mut().take(6).enumerate() {
                        *busy += (units >> unit & 1) as u16;
                    }
                    window[6] += u16::from(weights.high());
                    window[7] += reads.get() as u16;
                }
                part.reads += reads.get();
                part.writes += writes.get();
                for (unit, busy) in part.busy.iter_mut().enumerate() {
                    *busy += units >> unit & 1;
                }
                if weights.high() {
                    part.weights += 1;
                    continue;
                }
                let why = match lost.get() {
                    0 => [ATTENTION, HEAD, VECTOR, LOAD, MULTIPLY]
                        .into_iter()
                        .find(|unit| units >> unit & 1 != 0)
                        .map_or("sequencer", |unit| match unit {
                            MULTIPLY => "multiply: start and end",
                            _ => names.get(at(unit)).copied().unwrap_or(UNITS[unit]),
                        }),
                    lost => LOST[lost.trailing_zeros() as usize],
                };
                *part.without.entry(why).or_default() += 1;
            }
        });
        Ok(Self { state })
    }

    /// A pass begins, whose commands are called so; commands of the vector unit that divide it.
    pub fn begin(&self, names: Vec<&'static str>, marks: Vec<usize>) {
        let parts = vec![Part::default()];
        *self.state.borrow_mut() = State { running: true, names, marks, parts };
    }

    /// The pass is over.
    pub fn end(&self) -> Account {
        let mut state = self.state.borrow_mut();
        state.running = false;
        std::mem::take(&mut state.parts)
    }
}

const LOAD: usize = 0;
const MULTIPLY: usize = 1;
const VECTOR: usize = 2;
const ATTENTION: usize = 3;
const HEAD: usize = 4;
