//! Feeds tokens of one sequence through a model, a chunk of slots a pass.

use crate::Error;
use terntable_golden::{
    head::{Candidate, HeadMode},
    model::{Device, Model, Sequence, Slot},
    quantise::Quantised,
};

/// Slots of a pass, as on the edge card.
pub const SLOTS: usize = 16;

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

impl Feed for Runner<'_> {
    fn context(&self) -> usize {
        self.model.config.context
    }

    fn position(&self) -> usize {
        Runner::position(self)
    }

    fn restart(&mut self) {
        Runner::restart(self);
    }

    fn feed(
        &mut self,
        tokens: &[u32],
        wanted: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Candidate>>, Error> {
        Runner::feed(self, tokens, wanted, progress)
    }
}

/// Runs one sequence.
pub struct Runner<'a> {
    model: &'a Model,
    device: &'a mut dyn Device,
    head: HeadMode,
    sequences: [Sequence; 1],
}

impl<'a> Runner<'a> {
    /// An empty sequence.
    pub fn new(model: &'a Model, device: &'a mut dyn Device, head: HeadMode) -> Self {
        Self { model, device, head, sequences: [model.sequence()] }
    }

    /// Tokens fed so far.
    pub fn position(&self) -> usize {
        self.sequences[0][0].len()
    }

    /// Forgets every token.
    pub fn restart(&mut self) {
        self.sequences = [self.model.sequence()];
    }

    /// Feeds tokens; returns the ranked candidates after each of the last `wanted` of them. Calls
    /// `progress` with the number of tokens fed after each pass.
    pub fn feed(
        &mut self,
        tokens: &[u32],
        wanted: usize,
        progress: impl FnMut(usize),
    ) -> Result<Vec<Vec<Candidate>>, Error> {
        let outputs = self.feed_outputs(tokens, wanted, progress)?;
        outputs.chunks(SLOTS).try_fold(Vec::with_capacity(wanted), |mut ranked, outputs| {
            ranked.extend(self.rank(self.head, outputs)?);
            Ok(ranked)
        })
    }

    /// Ranked candidates of outputs of [`Runner::feed_outputs`], by any head.
    pub fn rank(
        &mut self,
        head: HeadMode,
        outputs: &[Quantised],
    ) -> Result<Vec<Vec<Candidate>>, Error> {
        Ok(self.model.head(self.device, head, outputs)?)
    }

    /// Feeds tokens; returns the input of the head after each of the last `wanted` of them.
    pub fn feed_outputs(
        &mut self,
        tokens: &[u32],
        wanted: usize,
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<Quantised>, Error> {
        let mut wanted_outputs = Vec::with_capacity(wanted);
        for (chunk, tokens_of_chunk) in tokens.chunks(SLOTS).enumerate() {
            let first = self.position();
            let slots: Vec<Slot> = tokens_of_chunk
                .iter()
                .enumerate()
                .map(|(i, &token)| Slot { sequence: 0, position: first + i, token })
                .collect();
            let outputs = self.model.pass(self.device, &mut self.sequences, &slots)?;
            let fed = chunk * SLOTS + slots.len();
            let after = tokens.len() - fed;
            let skip = slots.len().saturating_sub(wanted.saturating_sub(after));
            wanted_outputs.extend(outputs.into_iter().skip(skip));
            progress(fed);
        }
        Ok(wanted_outputs)
    }
}
