//! The simulated card in lockstep with the golden card model: after every command, what it may have
//! changed; after every pass, every buffer and the whole state memory.

use crate::{
    Error,
    card::{Card, GoldenCard},
    sim::{Fault, SimCard, simulator},
};
use serde::Serialize;
use std::fmt;
use terntable_golden::card::{
    command::{Command, STATE, Unit, source},
    config::CardConfig,
    machine::{Buffer, Lane, LaneDifference, Step},
};
use terntable_testbench::card::{Buffer as Place, Buffers, CardOptions, PassEnd, Stepped};

/// The first value in which the simulated card differs from the golden card model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Index of the command in the program.
    pub command: usize,
    /// Its name.
    pub name: &'static str,
    /// The unit that executes it.
    pub unit: String,
    /// Layer of the model, where the command belongs to one.
    pub layer: Option<usize>,
    /// The buffer, or `state`.
    pub place: &'static str,
    /// Slot of the pass, where the place knows it.
    pub slot: Option<usize>,
    /// Element of the slot's row, or byte of the state.
    pub element: usize,
    /// Tile of the linear layer, where the values are its sums.
    pub tile: Option<usize>,
    /// Lane of the word.
    pub lane: usize,
    /// Bits expected.
    pub expected: u32,
    /// Bits found.
    pub found: u32,
    /// Cycle by which the command was done.
    pub cycle: u64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "first difference: command {} ({}, unit {})",
            self.command, self.name, self.unit
        )?;
        if let Some(layer) = self.layer {
            write!(f, ", layer {layer}")?;
        }
        write!(f, ", {}", self.place)?;
        let parts = [("slot", self.slot), ("element", Some(self.element)), ("tile", self.tile)];
        for (what, value) in parts.iter().filter_map(|(what, value)| Some((what, (*value)?))) {
            write!(f, ", {what} {value}")?;
        }
        let Self { lane, expected, found, cycle, .. } = self;
        write!(f, ", lane {lane}, cycle {cycle}: expected {expected:#010x}, found {found:#010x}")
    }
}

/// What the commands so far say of the rows in the buffers.
#[derive(Debug, Clone, Default)]
struct Program {
    hidden: usize,
    query: usize,
    ffn: usize,
    head_dim: usize,
    /// Elements of a row of Y.
    y_row: usize,
    layer: usize,
    /// The last norm read the gated values: the residuals that follow end the layer.
    ending: bool,
}

impl Program {
    /// Takes note of a command; says to which layer it belongs.
    fn note(&mut self, command: &Command) -> Option<usize> {
        let layer = self.layer;
        match *command {
            Command::Begin { hidden, ffn, heads, head_dim, .. } => {
                *self = Self {
                    hidden: hidden.into(),
                    query: usize::from(heads) * usize::from(head_dim),
                    ffn: ffn.into(),
                    head_dim: head_dim.into(),
                    ..Self::default()
                };
            }
            Command::Project { heads, .. } => self.y_row = heads as usize * self.head_dim,
            Command::Gate { .. } => self.y_row = self.ffn,
            Command::Attend { .. } => self.y_row = self.query,
            Command::Normalise { source, .. } => self.ending = source == source::Y_FFN,
            Command::Residual { last: true, .. } if self.ending => {
                self.ending = false;
                self.layer += 1;
            }
            _ => {}
        }
        let of_layer =
            matches!(command.info().unit, Unit::Vector | Unit::Multiply | Unit::Attention)
                && !matches!(
                    command,
                    Command::Embed { .. } | Command::Multiply { to_head: true, .. }
                )
                && !matches!(command, Command::Normalise { to_queries: true, .. });
        of_layer.then_some(layer)
    }
}

/// A buffer of the golden card model, whatever its elements are.
trait Words {
    fn name(&self) -> &'static str;
    fn words(&self) -> usize;
    fn known(&self, word: usize) -> bool;
    fn lane_that_differs(&self, word: usize, found: &[u8]) -> Option<LaneDifference>;
}

impl<T: Lane> Words for Buffer<T> {
    fn name(&self) -> &'static str {
        Buffer::name(self)
    }

    fn words(&self) -> usize {
        Buffer::words(self)
    }

    fn known(&self, word: usize) -> bool {
        self.is_known(word)
    }

    fn lane_that_differs(&self, word: usize, found: &[u8]) -> Option<LaneDifference> {
        self.difference(word, found)
    }
}

/// Two cards that run the same passes, a command at a time.
pub struct LockstepCard {
    golden: GoldenCard,
    card: SimCard,
    buffers: Buffers,
    program: Program,
    /// A bit to flip in every multiply.
    pub fault: Option<Fault>,
    /// Values compared so far.
    pub compared: u64,
    /// Commands compared so far.
    pub commands: u64,
    /// The difference that stopped it.
    pub difference: Option<Difference>,
}

impl LockstepCard {
    /// The golden card model beside the Verilated card.
    pub fn open(config: &CardConfig, options: CardOptions) -> Result<Self, Error> {
        let mut card = SimCard::with(config, CardOptions { peek: true, ..options })?;
        card.sim().set_step_mode(true).map_err(simulator)?;
        let buffers = card.sim().buffers().map_err(simulator)?;
        Ok(Self {
            golden: GoldenCard::new(config),
            card,
            buffers,
            program: Program::default(),
            fault: None,
            compared: 0,
            commands: 0,
            difference: None,
        })
    }

    /// The Verilated card.
    pub fn card(&mut self) -> &mut SimCard {
        &mut self.card
    }

    /// Steps both cards through a pass.
    fn step_through(&mut self, descriptor: u64) -> Result<(), Error> {
        let golden = self.golden.machine();
        let refused = |e: terntable_golden::card::machine::CardError| Error::Card(e.to_string());
        golden.start(descriptor).map_err(refused)?;
        self.card.sim().doorbell(descriptor).map_err(simulator)?;
        let mut at = self.card.sim().wait_step().map_err(simulator)?;
        loop {
            if let Stepped::Over(PassEnd::Failed(failure)) = at {
                return Err(Error::Card(failure.to_string()));
            }
            let step = self.golden.machine().step().map_err(refused)?;
            let layer = self.program.note(&step.command);
            if let (Command::Multiply { .. }, Some(fault)) = (&step.command, self.fault) {
                self.card.fault_in_multiply(fault);
            }
            at = self.card.sim().step().map_err(simulator)?;
            self.commands += 1;
            self.compare(&step, layer, step.finished)?;
            match (step.finished, at) {
                (true, Stepped::Over(PassEnd::Done)) => return Ok(()),
                (false, Stepped::Paused(next)) if next as usize == step.index + 1 => {}
                (false, Stepped::Over(PassEnd::Failed(_))) => {}
                (_, found) => {
                    return Err(Error::Differs(format!(
                        "after command {} the golden card model is {}, the simulated card {found:?}",
                        step.index,
                        if step.finished {
                            "done".into()
                        } else {
                            format!("before {}", step.index + 1)
                        },
                    )));
                }
            }
        }
    }

    /// Compares what a command may have changed, or everything.
    fn compare(&mut self, step: &Step, layer: Option<usize>, all: bool) -> Result<(), Error> {
        let command = &step.command;
        let touched = |place: Place| match command {
            _ if all => true,
            Command::Embed { .. } | Command::Residual { .. } => place == Place::Residual,
            Command::Gate { .. } | Command::Attend { .. } => place == Place::Work,
            Command::Project { .. } => matches!(place, Place::Work | Place::Queries),
            Command::Normalise { .. } => matches!(place, Place::Activations | Place::Queries),
            Command::Load { .. } => place == Place::Parameters,
            Command::LoadRope { .. } => place == Place::Rotary,
            _ => false,
        };
        let golden = self.golden.machine();
        let places: [(Place, &dyn Words); 6] = [
            (Place::Residual, golden.x()),
            (Place::Work, golden.y()),
            (Place::Activations, golden.a()),
            (Place::Queries, golden.q()),
            (Place::Parameters, golden.p()),
            (Place::Rotary, golden.r()),
        ];
        let mut compared = 0;
        let mut found = None;
        'places: for (place, words) in places.into_iter().filter(|(place, _)| touched(*place)) {
            for word in (0..words.words()).filter(|&word| words.known(word)) {
                compared += 1;
                let bytes = self.buffers.word(place, word).map_err(simulator)?;
                if let Some(lane) = words.lane_that_differs(word, &bytes) {
                    found = Some(((place, words.name()), word, lane));
                    break 'places;
                }
            }
        }
        self.compared += compared;
        if let Some((place, word, lane)) = found {
            return Err(self.word_differs((step, layer), place, word, lane));
        }
        let writes = matches!(
            command,
            Command::Project { .. } | Command::Emit {} | Command::ScoreAll { .. }
        );
        if all || writes { self.compare_state(step, layer) } else { Ok(()) }
    }

    fn word_differs(
        &mut self,
        (step, layer): (&Step, Option<usize>),
        (place, name): (Place, &'static str),
        word: usize,
        lane: LaneDifference,
    ) -> Error {
        let config = self.card.config();
        let (lanes, beat) = (config.lanes, config.beat_bytes());
        let Program { hidden, y_row, head_dim, .. } = self.program;
        let in_rows = |row: usize, lanes: usize| {
            let words = row.div_ceil(lanes).max(1);
            (Some(word / words), word % words * lanes + lane.lane)
        };
        let (slot, element) = match place {
            Place::Residual => in_rows(hidden, lanes),
            Place::Work => in_rows(y_row, lanes),
            Place::Rotary => in_rows(head_dim / 2, lanes),
            Place::Activations => {
                let columns = config.geometry().block_cols();
                (Some(word % config.slots), word / config.slots * columns + lane.lane)
            }
            Place::Parameters => (None, word * lanes + lane.lane),
            Place::Queries => (None, word * beat + lane.lane),
        };
        let sums = matches!(
            step.command,
            Command::Residual { .. } | Command::Gate { .. } | Command::Project { .. }
        );
        let tile = sums.then_some(element / config.rows);
        let found = (lane.lane, lane.expected, lane.found);
        self.differs((step, layer), name, (slot, element, tile), found)
    }

    /// Compares the state region.
    fn compare_state(&mut self, step: &Step, layer: Option<usize>) -> Result<(), Error> {
        let mut found = vec![0; self.golden.machine().state().len()];
        self.card.read_state(STATE, &mut found)?;
        let expected = self.golden.machine().state();
        self.compared += expected.len() as u64;
        if *expected == *found {
            return Ok(());
        }
        let at = (0..expected.len()).find(|&at| expected[at] != found[at]).unwrap_or(0);
        let values = (0, expected[at].into(), found[at].into());
        Err(self.differs((step, layer), "state", (None, at, None), values))
    }

    fn differs(
        &mut self,
        (step, layer): (&Step, Option<usize>),
        place: &'static str,
        (slot, element, tile): (Option<usize>, usize, Option<usize>),
        (lane, expected, found): (usize, u32, u32),
    ) -> Error {
        let info = step.command.info();
        let difference = Difference {
            command: step.index,
            name: info.name,
            unit: format!("{:?}", info.unit).to_lowercase(),
            layer,
            place,
            slot,
            element,
            tile,
            lane,
            expected,
            found,
            cycle: self.card.sim().cycle(),
        };
        let text = difference.to_string();
        self.difference = Some(difference);
        Error::Differs(text)
    }
}

impl Card for LockstepCard {
    fn config(&self) -> &CardConfig {
        self.card.config()
    }

    fn load(&mut self, image: &[u8], state_bytes: u64) -> Result<(), Error> {
        self.golden.load(image, state_bytes)?;
        self.card.load(image, state_bytes)
    }

    fn write_state(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        self.golden.write_state(address, bytes)?;
        self.card.write_state(address, bytes)
    }

    fn read_state(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.golden.read_state(address, bytes)
    }

    fn run_pass(&mut self, descriptor: u64) -> Result<(), Error> {
        self.card.begin_counting()?;
        let result = self.step_through(descriptor);
        self.card.end_counting()?;
        result
    }
}
