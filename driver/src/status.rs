//! The engine's state, in words.

use crate::registers::{Field, status};
use std::fmt;

/// The word of the STATUS register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u32);

/// A bit that means trouble, and what to do about it.
const ERRORS: [(Field, &str); 3] = [
    (
        status::MEMORY_ERROR,
        "a weight read was answered by an error: check that the job's address lies in card memory",
    ),
    (
        status::JOB_OVERFLOW,
        "a job was started while four were waiting and was dropped: wait for job_ready before \
         JOB_START",
    ),
    (
        status::BAD_JOB,
        "a job was refused: tiles, blocks or slots out of range, or an address that is no multiple \
         of a beat",
    ),
];

impl Status {
    fn bit(self, field: Field) -> bool {
        field.get(u64::from(self.0)) != 0
    }

    /// A job or a result is in the engine.
    pub fn busy(self) -> bool {
        self.bit(status::BUSY)
    }

    /// Another job can be started.
    pub fn job_ready(self) -> bool {
        self.bit(status::JOB_READY)
    }

    /// Whether an error bit is set.
    pub fn is_error(self) -> bool {
        ERRORS.iter().any(|(field, _)| self.bit(*field))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let busy = if self.busy() { "busy" } else { "idle" };
        let room = if self.job_ready() { "room for a job" } else { "no room for a job" };
        write!(f, "status {:#010x}: {busy}, {room}", self.0)?;
        for (_, text) in ERRORS.iter().filter(|(field, _)| self.bit(*field)) {
            write!(f, "; {text}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_bit_has_its_words() {
        let idle = Status(0b10);
        assert!(idle.job_ready() && !idle.busy() && !idle.is_error());
        for bit in 2..5 {
            let status = Status(1 << bit);
            assert!(status.is_error(), "bit {bit}");
            assert!(status.to_string().contains("; a "), "{status}");
        }
    }
}
