//! What a device is told to do, and what it answers: between the scheduler, which never waits, and whoever has
//! the devices.

use crate::{
    device::{Chunk, Device, DeviceError, Passed, SequenceId},
    snapshot::Snapshot,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Something to do before a pass.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Begin(SequenceId),
    Fork { from: SequenceId, to: SequenceId, length: usize },
    Truncate(SequenceId, usize),
    End(SequenceId),
    Export(SequenceId),
    Import(SequenceId, Snapshot),
}

/// Tokens of a pass.
#[derive(Debug, Clone)]
pub(crate) struct WorkChunk {
    pub sequence: SequenceId,
    pub tokens: Vec<u32>,
    pub wanted: usize,
}

/// Steps in order, then a pass, if there are chunks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    pub steps: Vec<Step>,
    pub chunks: Vec<WorkChunk>,
}

/// What came of work.
#[derive(Debug)]
pub(crate) struct Done {
    /// In the order of the exports.
    pub exports: Vec<Snapshot>,
    pub passed: Option<Passed>,
}

impl Work {
    /// Does it. A device that panics has failed like one that says so.
    pub fn run(self, device: &mut dyn Device) -> Result<Done, DeviceError> {
        let run = AssertUnwindSafe(|| self.run_unguarded(device));
        catch_unwind(run).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(DeviceError(format!("it panicked: {}", text.unwrap_or_default())))
        })
    }

    fn run_unguarded(self, device: &mut dyn Device) -> Result<Done, DeviceError> {
        let mut exports = Vec::new();
        for step in self.steps {
            match step {
                Step::Begin(id) => device.begin(id)?,
                Step::Fork { from, to, length } => device.fork(from, to, length)?,
                Step::Truncate(id, length) => device.truncate(id, length)?,
                Step::End(id) => device.end(id)?,
                Step::Export(id) => exports.push(device.export(id)?),
                Step::Import(id, snapshot) => device.import(id, &snapshot)?,
            }
        }
        let chunk = |chunk| {
            let WorkChunk { sequence, tokens, wanted }: &WorkChunk = chunk;
            Chunk { sequence: *sequence, tokens, wanted: *wanted }
        };
        let chunks: Vec<Chunk<'_>> = self.chunks.iter().map(chunk).collect();
        let passed = (!chunks.is_empty()).then(|| device.pass(&chunks)).transpose()?;
        let wanted: usize = chunks.iter().map(|chunk| chunk.wanted).sum();
        match &passed {
            Some(passed)
                if passed.ranked.len() != wanted || passed.ranked.iter().any(Vec::is_empty) =>
            {
                Err(DeviceError(format!(
                    "it gave {} lists of candidates, {} of them empty; expected {wanted}, none empty",
                    passed.ranked.len(),
                    passed.ranked.iter().filter(|ranked| ranked.is_empty()).count()
                )))
            }
            _ => Ok(Done { exports, passed }),
        }
    }
}
