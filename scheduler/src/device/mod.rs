//! What runs passes over many sequences.

mod cpu;
mod faulty;
mod golden;
mod modelled;

pub use cpu::CpuDevice;
pub use faulty::{Fault, Faulty};
pub use golden::GoldenDevice;
pub use modelled::ModelledCard;
pub use terntable_golden::card::kv::SequenceId;

use crate::{cost::Cost, snapshot::Snapshot};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use terntable_golden::{head::Candidate, model::Config};
use thiserror::Error;

/// A model on something that runs passes. The scheduler says which sequence is called what; equal models
/// give equal candidates on every device.
pub trait Device: Send {
    /// Its name, for people.
    fn name(&self) -> &str;

    /// Sizes and constants of the model.
    fn config(&self) -> &Config;

    /// What it has room for.
    fn limits(&self) -> Limits;

    /// How its times are found.
    fn tier(&self) -> Tier {
        Tier::Measured
    }

    /// What its passes will take, if that is known beforehand.
    fn cost(&self) -> Option<Arc<Cost>> {
        None
    }

    /// An empty sequence under a name that is free.
    fn begin(&mut self, id: SequenceId) -> Result<(), DeviceError>;

    /// A sequence with the first `length` positions of another.
    fn fork(&mut self, from: SequenceId, to: SequenceId, length: usize) -> Result<(), DeviceError>;

    /// Forgets the positions from `length` on.
    fn truncate(&mut self, id: SequenceId, length: usize) -> Result<(), DeviceError>;

    /// Ends a sequence; its name is free again.
    fn end(&mut self, id: SequenceId) -> Result<(), DeviceError>;

    /// Runs chunks of at most `slots` tokens together, at most one a sequence.
    fn pass(&mut self, chunks: &[Chunk<'_>]) -> Result<Passed, DeviceError>;

    /// A copy of a sequence's keys and values.
    fn export(&mut self, id: SequenceId) -> Result<Snapshot, DeviceError>;

    /// A sequence under a free name, from a copy that was checked.
    fn import(&mut self, id: SequenceId, snapshot: &Snapshot) -> Result<(), DeviceError>;
}

/// What a device has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Tokens of a pass.
    pub slots: usize,
    /// Sequences at a time.
    pub sequences: usize,
    /// KV pages.
    pub pages: usize,
    /// Positions of a page.
    pub page_rows: usize,
    /// Forks share pages until they write them; otherwise they have pages of their own at once.
    pub shared_pages: bool,
}

/// Consecutive tokens of one sequence in a pass.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    /// The sequence.
    pub sequence: SequenceId,
    /// The tokens; they follow what the sequence holds.
    pub tokens: &'a [u32],
    /// Candidates are wanted after each of the last so many of them.
    pub wanted: usize,
}

/// What came of a pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Passed {
    /// Ranked candidates of the wanted tokens, chunk after chunk.
    pub ranked: Vec<Vec<Candidate>>,
    /// What the pass took on the device's own clock.
    pub time: Duration,
}

/// How a time was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// By the clock.
    Measured,
    /// By counting the cycles of RTL.
    Simulated,
    /// By a model of the cycles.
    Modelled,
}

/// A device that cannot go on; expected, found, remedy. What it held is lost.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct DeviceError(pub String);

impl From<terntable_golden::Error> for DeviceError {
    fn from(error: terntable_golden::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<terntable_cpu::Error> for DeviceError {
    fn from(error: terntable_cpu::Error) -> Self {
        Self(error.to_string())
    }
}

/// The sequences of a device in this process, by name.
#[derive(Debug)]
struct Sequences<T>(std::collections::BTreeMap<SequenceId, T>);

impl<T> Default for Sequences<T> {
    fn default() -> Self {
        Self(Default::default())
    }
}

impl<T> Sequences<T> {
    fn get(&mut self, id: SequenceId) -> Result<&mut T, DeviceError> {
        let count = self.0.len();
        self.0.get_mut(&id).ok_or_else(|| {
            DeviceError(format!("sequence {} does not exist; {count} others do", id.0))
        })
    }

    fn put(&mut self, id: SequenceId, sequence: T) -> Result<(), DeviceError> {
        match self.0.insert(id, sequence) {
            None => Ok(()),
            Some(_) => Err(DeviceError(format!("sequence {} exists already; end it first", id.0))),
        }
    }

    fn take(&mut self, id: SequenceId) -> Result<T, DeviceError> {
        self.get(id)?;
        self.0.remove(&id).ok_or_else(|| DeviceError(format!("sequence {} is gone", id.0)))
    }

    /// The sequences of chunks, taken out in order; [`Sequences::give_back`] ends the loan.
    fn lend(&mut self, chunks: &[Chunk<'_>]) -> Result<Vec<T>, DeviceError> {
        let mut lent = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            lent.push(self.take(chunk.sequence)?);
        }
        Ok(lent)
    }

    fn give_back(&mut self, chunks: &[Chunk<'_>], lent: Vec<T>) {
        self.0.extend(chunks.iter().map(|chunk| chunk.sequence).zip(lent));
    }
}

/// The slots of chunks that continue sequences of these lengths.
fn slots(
    chunks: &[Chunk<'_>],
    lengths: impl Iterator<Item = usize>,
) -> Vec<terntable_golden::model::Slot> {
    let places = chunks.iter().zip(lengths).enumerate();
    places
        .flat_map(|(sequence, (chunk, first))| {
            (first..).zip(chunk.tokens).map(move |(position, &token)| {
                terntable_golden::model::Slot { sequence, position, token }
            })
        })
        .collect()
}

/// Which slots of a pass want candidates.
fn wanted(chunks: &[Chunk<'_>]) -> Vec<usize> {
    let mut wanted = Vec::new();
    let mut end = 0;
    for chunk in chunks {
        end += chunk.tokens.len();
        wanted.extend(end - chunk.wanted.min(chunk.tokens.len())..end);
    }
    wanted
}
