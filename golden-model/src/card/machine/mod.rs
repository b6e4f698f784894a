//! The golden card model: memory in, memory out, and every buffer after every command.
//!
//! A [`Machine`] executes the bytes of a program on the bytes of an image and of state memory, a
//! command a step, in program order. Whatever the bytes are, it ends in the right result or in the
//! error code that the card reports; it never writes outside the state region.

mod attention;
mod buffer;
mod check;
mod error;
mod head;
mod memory;
mod multiply;
mod pass;
mod vector;

pub use buffer::{Buffer, Lane, LaneDifference};
pub use error::{CardError, ErrorCode};

use super::{
    command::{COMMAND_BYTES, Command, Waits},
    config::CardConfig,
    image::{PAGE, crc32c},
};
use crate::{attention::KvFormat, head::Candidate};
use check::Begun;
use error::Fault;
use memory::{Memory, offset};
use pass::Pass;
use vector::Statistics;

/// A panel whose sums no command has taken.
#[derive(Debug, Clone, PartialEq)]
struct Pending {
    two_planes: bool,
    to_head: bool,
    tiles: usize,
    /// Of each slot, tile after tile.
    sums: Vec<Vec<i32>>,
}

/// An executed command.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Its index in the program.
    pub index: usize,
    /// What it waited for.
    pub waits: Waits,
    /// The command.
    pub command: Command,
    /// It was the program's end.
    pub finished: bool,
}

/// The golden card.
#[derive(Debug, Clone)]
pub struct Machine {
    card: CardConfig,
    memory: Memory,
    pass: Pass,
    begun: bool,
    running: bool,
    model: Begun,
    index: usize,
    pending: Vec<Pending>,
    x: Buffer<f32>,
    y: Buffer<f32>,
    a: Buffer<i8>,
    q: Buffer<i8>,
    p: Buffer<f32>,
    r: Buffer<f32>,
    statistics: Vec<Statistics>,
    /// The command before was a normalise.
    normalised: bool,
    step_a: Vec<f32>,
    factors: Vec<Vec<f32>>,
    heaps: Vec<Vec<(i64, u32)>>,
    ranked: Vec<Vec<Candidate>>,
}

/// No model yet; no command but `begin` passes with it.
const NO_MODEL: Begun = Begun {
    hidden: 0,
    ffn: 0,
    heads: 0,
    kv_heads: 0,
    head_dim: 0,
    vocab: 0,
    kv: KvFormat::Int8,
    silu: false,
    embed_bf16: false,
    eps: 0.0,
    inv_hidden: 0.0,
    inv_query: 0.0,
    inv_ffn: 0.0,
    score_constant: 0.0,
    pages: 0,
    head_bytes: 0,
    page_bytes: 0,
};

/// NaN as the card writes it.
fn canonical(x: f32) -> f32 {
    if x.is_nan() { f32::from_bits(0x7fc0_0000) } else { x }
}

impl Machine {
    /// A card with these bytes in its image region and a zeroed state region of this size.
    pub fn new(card: &CardConfig, image: Vec<u8>, state_bytes: usize) -> Self {
        let slots = card.slots;
        let (lanes, columns) = (card.lanes, card.geometry().block_cols());
        Self {
            memory: Memory::new(image, state_bytes, card.beat_bytes()),
            pass: Pass::default(),
            begun: false,
            running: false,
            model: NO_MODEL,
            index: 0,
            pending: Vec::new(),
            x: Buffer::new("u_residual", card.residual_words, lanes),
            y: Buffer::new("u_work", card.work_words, lanes),
            a: Buffer::new("u_activations", card.act_blocks * slots, columns),
            q: Buffer::new("u_queries", card.query_words, card.beat_bytes()),
            p: Buffer::new("u_parameters", 2 * card.param_words, lanes),
            r: Buffer::new("u_rope", slots * card.head_dim_max / 2 / lanes, 2 * lanes),
            statistics: vec![Statistics::default(); slots],
            normalised: false,
            step_a: vec![0.0; slots],
            factors: vec![vec![0.0; card.heads_max]; slots],
            heaps: vec![Vec::new(); slots],
            ranked: vec![Vec::new(); slots],
            card: card.clone(),
        }
    }

    /// The card's configuration.
    pub fn card(&self) -> &CardConfig {
        &self.card
    }

    /// The image region.
    pub fn image(&self) -> &[u8] {
        &self.memory.image
    }

    /// The state region.
    pub fn state(&self) -> &[u8] {
        &self.memory.state
    }

    /// The state region, as the host writes it.
    pub fn state_mut(&mut self) -> &mut [u8] {
        &mut self.memory.state
    }

    /// Image and state region, for what moves bytes between a host and the card's memory. Their lengths
    /// are the sizes of the regions.
    pub fn regions_mut(&mut self) -> (&mut Vec<u8>, &mut Vec<u8>) {
        (&mut self.memory.image, &mut self.memory.state)
    }

    /// X, the residual stream.
    pub fn x(&self) -> &Buffer<f32> {
        &self.x
    }

    /// Y, the work rows.
    pub fn y(&self) -> &Buffer<f32> {
        &self.y
    }

    /// A, the activations.
    pub fn a(&self) -> &Buffer<i8> {
        &self.a
    }

    /// Q, queries or the head's input.
    pub fn q(&self) -> &Buffer<i8> {
        &self.q
    }

    /// P, norm weights.
    pub fn p(&self) -> &Buffer<f32> {
        &self.p
    }

    /// R, rotary rows: L cosines, then L sines.
    pub fn r(&self) -> &Buffer<f32> {
        &self.r
    }

    /// Step of A, a slot.
    pub fn step_a(&self) -> &[f32] {
        &self.step_a
    }

    /// The last finished sum of squares of a slot.
    pub fn sum_of_squares(&self, slot: usize) -> f32 {
        self.statistics[slot].sum
    }

    /// Query factors of a slot, a head.
    pub fn factors(&self, slot: usize) -> &[f32] {
        &self.factors[slot]
    }

    /// The rows that passed a slot's screen so far, best first: score and token.
    pub fn heap(&self, slot: usize) -> &[(i64, u32)] {
        &self.heaps[slot]
    }

    /// A slot's ranked candidates.
    pub fn ranked(&self, slot: usize) -> &[Candidate] {
        &self.ranked[slot]
    }

    /// Slots of the pass.
    pub fn slots(&self) -> usize {
        self.pass.slots.len()
    }

    /// Index of the next command.
    pub fn next(&self) -> usize {
        self.index
    }

    /// Whether a pass runs.
    pub fn running(&self) -> bool {
        self.running
    }

    /// Rings the doorbell: reads and checks the descriptor at an address.
    pub fn start(&mut self, descriptor: u64) -> Result<(), CardError> {
        self.running = false;
        self.begun = false;
        self.index = 0;
        self.pending.clear();
        let pass = Pass::read(&self.card, &self.memory, descriptor);
        self.pass = pass.map_err(|fault| fault.in_command(0))?;
        self.running = true;
        Ok(())
    }

    /// Executes a command. After an error, and after the end, no pass runs.
    pub fn step(&mut self) -> Result<Step, CardError> {
        let index = self.index;
        let result = self.execute().map_err(|fault| fault.in_command(index));
        self.running = matches!(result, Ok(step) if !step.finished);
        self.index += 1;
        result
    }

    /// Runs a whole pass.
    pub fn run(&mut self, descriptor: u64) -> Result<(), CardError> {
        self.start(descriptor)?;
        while self.running {
            self.step()?;
        }
        Ok(())
    }

    fn execute(&mut self) -> Result<Step, Fault> {
        if !self.running || self.index >= self.pass.commands {
            return Err(ErrorCode::NoEnd.into());
        }
        let at = offset(self.pass.program, COMMAND_BYTES * self.index);
        let read = self.memory.read(at, COMMAND_BYTES)?;
        let bytes: [u8; COMMAND_BYTES] = std::array::from_fn(|i| read[i]);
        let (waits, command) = Command::decode(&bytes).map_err(|_| ErrorCode::Opcode)?;
        let is_begin = matches!(command, Command::Begin { .. });
        if is_begin == self.begun {
            return Err(if is_begin { ErrorCode::Begin } else { ErrorCode::NoBegin }.into());
        }
        let finished = command == Command::End {};
        if is_begin {
            check::check_waits(waits, &self.pending)?;
            self.model = check::begin(&self.card, &self.pass, &command)?;
            self.begun = true;
        } else {
            let (card, model) = (&self.card, &self.model);
            let before = (&self.pending[..], self.normalised);
            check::command(card, model, &self.pass, before, (waits, &command), &bytes)?;
            if finished && self.index + 1 != self.pass.commands {
                return Err(ErrorCode::AfterEnd.into());
            }
            self.perform(&command)?;
        }
        self.normalised = matches!(command, Command::Normalise { .. });
        Ok(Step { index: self.index, waits, command, finished })
    }

    /// Executes a command that was checked.
    fn perform(&mut self, command: &Command) -> Result<(), Fault> {
        let rows = |first: u32, rows: u32| (first as usize, rows as usize);
        match *command {
            Command::Begin { .. } | Command::End {} => Ok(()),
            Command::Load { bank, address, columns } => self.load(bank, address, columns),
            Command::LoadRope { address, .. } => self.load_rope(address),
            Command::Embed { bank, address } => self.embed(bank, address),
            Command::Residual { last, bank, first_row, rows: count, scale } => {
                let panel = self.pending.remove(0);
                self.residual(&panel, rows(first_row, count), scale, (bank, last));
                Ok(())
            }
            Command::Gate { last, bank, first_row, rows: count, scale_gate, scale_up } => {
                let (panel, scales) = (self.pending.remove(0), [scale_gate, scale_up]);
                self.gate(&panel, rows(first_row, count), scales, (bank, last));
                Ok(())
            }
            Command::Project { kind, first_head, heads, scale, kv_base } => {
                let panel = self.pending.remove(0);
                self.project(&panel, kind, rows(first_head, heads), scale, kv_base)
            }
            Command::Square { bank } => {
                self.square(bank);
                Ok(())
            }
            Command::Normalise { source, to_queries, bank } => {
                self.normalise(source, to_queries, bank);
                Ok(())
            }
            Command::Multiply { two_planes, to_head, address, tiles, blocks, .. } => {
                let (tiles, blocks) = (tiles as usize, blocks as usize);
                let panel = self.multiply((two_planes, to_head), address, tiles, blocks)?;
                self.pending.push(panel);
                Ok(())
            }
            Command::Attend { kv_base } => self.attend(kv_base),
            Command::Screen { first, first_token, rows, weights } => {
                let panel = self.pending.remove(0);
                self.screen(&panel, first, first_token, rows as usize, weights)
            }
            Command::Score { address } => self.score(address),
            Command::ScoreAll { logits, address } => self.score_all(address, logits),
            Command::Emit {} => self.emit(),
            Command::Check { address, pages, crcs } => self.check(address, pages, crcs),
        }
    }

    fn check(&self, address: u64, pages: u32, crcs: u64) -> Result<(), Fault> {
        for page in 0..pages as usize {
            let at = offset(address, PAGE * page);
            if crc32c(self.memory.read(at, PAGE)?) != self.memory.word(offset(crcs, 4 * page))? {
                return Err(Fault::at(ErrorCode::Checksum, at));
            }
        }
        Ok(())
    }
}
