//! Feeds tokens of one sequence through a model, some slots a pass.

use crate::Error;
use terntable_cpu::{kv, model::Cpu, multiply::Activations};
use terntable_golden::{
    head::{Candidate, HeadMode},
    model::{Config, Golden, Model, Sequence, Slot},
    quantise::Quantised,
};

/// Slots of a pass on the golden model, as on the edge card.
pub const SLOTS: usize = 16;
/// Slots of a pass on the CPU: weights decoded once serve so many.
pub const CPU_SLOTS: usize = 128;

/// One sequence on anything that runs a whole model.
pub trait Feed {
    /// Longest context, tokens.
    fn context(&self) -> usize;

    /// Tokens fed so far.
    fn position(&self) -> usize;

    /// Forgets every token.
    fn restart(&mut self);

    /// Feeds tokens; returns the ranked candidates after each of the last `wanted` of them. Calls
    /// `progress` with the number of tokens fed after each pass.
    fn feed(
        &mut self,
        tokens: &[u32],
        wanted: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Candidate>>, Error>;
}

/// One sequence on anything that runs the parts of a model: passes, and any head on their outputs.
pub trait Passes {
    /// Sizes and constants of the model.
    fn config(&self) -> &Config;

    /// Most slots of a pass.
    fn slots(&self) -> usize;

    /// Tokens fed so far.
    fn position(&self) -> usize;

    /// Forgets every token.
    fn restart(&mut self);

    /// One pass; returns the input of the head of every slot.
    fn pass(&mut self, slots: &[Slot]) -> Result<Vec<Quantised>, Error>;

    /// Ranked candidates of outputs of passes.
    fn rank(&mut self, head: HeadMode, outputs: &[Quantised])
    -> Result<Vec<Vec<Candidate>>, Error>;

    /// Feeds tokens; returns the input of the head after each of the last `wanted` of them.
    fn feed_outputs(
        &mut self,
        tokens: &[u32],
        wanted: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Quantised>, Error> {
        let mut wanted_outputs = Vec::with_capacity(wanted);
        let mut fed = 0;
        for tokens_of_pass in tokens.chunks(self.slots()) {
            let first = self.position();
            let slots: Vec<Slot> = tokens_of_pass
                .iter()
                .enumerate()
                .map(|(i, &token)| Slot { sequence: 0, position: first + i, token })
                .collect();
            let outputs = self.pass(&slots)?;
            fed += slots.len();
            let skip = slots.len().saturating_sub(wanted.saturating_sub(tokens.len() - fed));
            wanted_outputs.extend(outputs.into_iter().skip(skip));
            progress(fed);
        }
        Ok(wanted_outputs)
    }
}

/// The golden model.
pub struct GoldenPasses<'a> {
    model: &'a Model,
    device: Golden,
    sequences: [Sequence; 1],
}

impl<'a> GoldenPasses<'a> {
    /// An empty sequence.
    pub fn new(model: &'a Model) -> Self {
        Self { model, device: Golden::new(model), sequences: [model.sequence()] }
    }
}

impl Passes for GoldenPasses<'_> {
    fn config(&self) -> &Config {
        &self.model.config
    }

    fn slots(&self) -> usize {
        SLOTS
    }

    fn position(&self) -> usize {
        self.sequences[0][0].len()
    }

    fn restart(&mut self) {
        self.sequences = [self.model.sequence()];
    }

    fn pass(&mut self, slots: &[Slot]) -> Result<Vec<Quantised>, Error> {
        Ok(self.model.pass(&self.device, &mut self.sequences, slots)?)
    }

    fn rank(
        &mut self,
        head: HeadMode,
        outputs: &[Quantised],
    ) -> Result<Vec<Vec<Candidate>>, Error> {
        Ok(self.model.head(&self.device, head, outputs))
    }
}

/// The CPU.
pub struct CpuPasses {
    cpu: Cpu,
    sequences: [kv::Sequence; 1],
}

impl CpuPasses {
    /// An empty sequence.
    pub fn new(cpu: Cpu) -> Self {
        let sequences = [cpu.sequence()];
        Self { cpu, sequences }
    }
}

impl Passes for CpuPasses {
    fn config(&self) -> &Config {
        self.cpu.config()
    }

    fn slots(&self) -> usize {
        CPU_SLOTS
    }

    fn position(&self) -> usize {
        self.sequences[0].len()
    }

    fn restart(&mut self) {
        self.sequences[0].truncate(0);
    }

    fn pass(&mut self, slots: &[Slot]) -> Result<Vec<Quantised>, Error> {
        let outputs = self.cpu.pass(&mut self.sequences, slots)?;
        let of_slot =
            |slot| Quantised { values: outputs.row(slot).to_vec(), step: outputs.step(slot) };
        Ok((0..outputs.slots()).map(of_slot).collect())
    }

    fn rank(
        &mut self,
        head: HeadMode,
        outputs: &[Quantised],
    ) -> Result<Vec<Vec<Candidate>>, Error> {
        let mut x = Activations::new(self.cpu.config().hidden, outputs.len());
        for output in outputs {
            let sum = output.values.iter().map(|&v| i32::from(v)).sum();
            x.push(&output.values, sum, output.step);
        }
        Ok(self.cpu.head(head, &x))
    }
}

/// Passes with a head chosen.
pub struct Runner<P> {
    passes: P,
    head: HeadMode,
}

impl<P: Passes> Runner<P> {
    /// Passes whose outputs go through `head`.
    pub fn new(passes: P, head: HeadMode) -> Self {
        Self { passes, head }
    }

    /// The passes.
    pub fn passes(&mut self) -> &mut P {
        &mut self.passes
    }
}

impl<P: Passes> Feed for Runner<P> {
    fn context(&self) -> usize {
        self.passes.config().context
    }

    fn position(&self) -> usize {
        self.passes.position()
    }

    fn restart(&mut self) {
        self.passes.restart();
    }

    fn feed(
        &mut self,
        tokens: &[u32],
        wanted: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Candidate>>, Error> {
        let outputs = self.passes.feed_outputs(tokens, wanted, progress)?;
        outputs.chunks(self.passes.slots()).try_fold(
            Vec::with_capacity(wanted),
            |mut ranked, outputs| {
                ranked.extend(self.passes.rank(self.head, outputs)?);
                Ok(ranked)
            },
        )
    }
}

impl<P: Passes + ?Sized> Passes for Box<P> {
    fn config(&self) -> &Config {
        (**self).config()
    }

    fn slots(&self) -> usize {
        (**self).slots()
    }

    fn position(&self) -> usize {
        (**self).position()
    }

    fn restart(&mut self) {
        (**self).restart();
    }

    fn pass(&mut self, slots: &[Slot]) -> Result<Vec<Quantised>, Error> {
        (**self).pass(slots)
    }

    fn rank(
        &mut self,
        head: HeadMode,
        outputs: &[Quantised],
    ) -> Result<Vec<Vec<Candidate>>, Error> {
        (**self).rank(head, outputs)
    }
}
