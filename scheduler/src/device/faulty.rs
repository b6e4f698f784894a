//! A device that fails when it is told to: for tests, and for drills of a service.

use super::{Chunk, Device, DeviceError, Limits, Passed, SequenceId, Tier};
use crate::{cost::Cost, snapshot::Snapshot};
use std::{sync::Arc, time::Duration};
use terntable_golden::model::Config;

/// How a device fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It returns an error instead of this pass, counted from 0, and of all later ones.
    Error(u64),
    /// It panics in this pass.
    Panic(u64),
    /// It does not come back from this pass for so long.
    Hang(u64, Duration),
    /// It flips a bit of every sequence that it exports.
    BadExport,
}

/// Another device with a fault.
pub struct Faulty {
    inner: Box<dyn Device>,
    fault: Fault,
    passes: u64,
}

impl Faulty {
    /// A device that will fail so.
    pub fn new(inner: Box<dyn Device>, fault: Fault) -> Self {
        Self { inner, fault, passes: 0 }
    }
}

impl Device for Faulty {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn config(&self) -> &Config {
        self.inner.config()
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn tier(&self) -> Tier {
        self.inner.tier()
    }

    fn cost(&self) -> Option<Arc<Cost>> {
        self.inner.cost()
    }

    fn begin(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.inner.begin(id)
    }

    fn fork(&mut self, from: SequenceId, to: SequenceId, length: usize) -> Result<(), DeviceError> {
        self.inner.fork(from, to, length)
    }

    fn truncate(&mut self, id: SequenceId, length: usize) -> Result<(), DeviceError> {
        self.inner.truncate(id, length)
    }

    fn end(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.inner.end(id)
    }

    fn pass(&mut self, chunks: &[Chunk<'_>]) -> Result<Passed, DeviceError> {
        let pass = self.passes;
        self.passes += 1;
        match self.fault {
            Fault::Error(at) if pass >= at => Err(DeviceError(format!("told to fail pass {pass}"))),
            Fault::Panic(at) if pass >= at => panic!("told to panic in pass {pass}"),
            Fault::Hang(at, time) if pass == at => {
                std::thread::sleep(time);
                self.inner.pass(chunks)
            }
            _ => self.inner.pass(chunks),
        }
    }

    fn export(&mut self, id: SequenceId) -> Result<Snapshot, DeviceError> {
        let mut snapshot = self.inner.export(id)?;
        if self.fault == Fault::BadExport {
            snapshot.damage(self.passes as usize * 7919);
        }
        Ok(snapshot)
    }

    fn import(&mut self, id: SequenceId, snapshot: &Snapshot) -> Result<(), DeviceError> {
        self.inner.import(id, snapshot)
    }
}
