//! Completions: waited for, judged, missed.

use super::{Card, HOST, RING, get, ring_fault};
use crate::{
    Error,
    entry::{Completion, ENTRY_BYTES, Entry, opcode},
    host_registers as host,
    host_registers::host_status,
    memory::PAGE,
};
use std::time::{Duration, Instant};

/// Longest sleep without a look at the ring: what a lost interrupt costs.
const NAP: Duration = Duration::from_millis(20);
/// Waiting so long without a completion, the driver asks the registers whether the card is still there.
const ALIVE: Duration = Duration::from_millis(250);

/// How long a driver waits, and how.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// For a copy.
    pub copy: Duration,
    /// For a pass.
    pub pass: Duration,
    /// For the queue to stop.
    pub stop: Duration,
    /// So long the completion ring is looked at again and again; after that interrupts wake the driver.
    pub spin: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            copy: Duration::from_secs(10),
            pass: Duration::from_secs(120),
            stop: Duration::from_secs(2),
            spin: Duration::from_micros(50),
        }
    }
}

impl Card {
    /// Waits until so many entries are complete; an entry that failed is the error. After one the queue
    /// stands still until [`Card::restart`].
    pub fn wait(&mut self, number: u32) -> Result<(), Error> {
        if number.wrapping_sub(self.rung) as i32 > 0 {
            self.ring()?;
        }
        while (number.wrapping_sub(self.completed) as i32) > 0 {
            let completion = self.next_completion()?;
            self.completed = self.completed.wrapping_add(1);
            self.judge(completion)?;
        }
        Ok(())
    }

    fn judge(&mut self, completion: Completion) -> Result<(), Error> {
        let at = self.describe();
        if completion.tag.wrapping_add(1) != self.completed || completion.head != self.completed {
            return Err(Error::Identity {
                at,
                what: "the completion",
                found: format!("of entry {}, {} complete", completion.tag, completion.head),
                expected: format!("entry {}", self.completed.wrapping_sub(1)),
                remedy: "reset the card; memory or the card is damaged",
            });
        }
        match u32::from(completion.status) {
            host_status::OK => Ok(()),
            host_status::PASS => {
                let (code, command) = (completion.info as u8, completion.info >> 8);
                Err(Error::Pass { at, code, command })
            }
            _ => {
                let what = self.entry_text(completion.tag)?;
                Err(Error::Entry { at, what, status: completion.status })
            }
        }
    }

    /// An entry that is still in the ring, in words.
    fn entry_text(&self, tag: u32) -> Result<String, Error> {
        let mut bytes = [0; ENTRY_BYTES];
        self.read_shared(ENTRY_BYTES * (tag % RING) as usize, &mut bytes)?;
        let Entry { opcode, card, bytes, host, .. } = Entry::decode(&bytes);
        Ok(match opcode {
            opcode::TO_CARD => format!("a copy of {bytes} bytes from {host:#x} to card {card:#x}"),
            opcode::FROM_CARD => {
                format!("a copy of {bytes} bytes from card {card:#x} to {host:#x}")
            }
            opcode::PASS => format!("a pass at {card:#x}"),
            _ => format!("an entry of opcode {opcode}"),
        })
    }

    /// Waits for the completion of the oldest entry.
    fn next_completion(&mut self) -> Result<Completion, Error> {
        let index = self.completed;
        let at = PAGE + 16 * (index % RING) as usize;
        let phase = (index / RING).is_multiple_of(2);
        let begin = Instant::now();
        let limit = self.limit(index)?;
        let (mut slept, mut asked) = (false, begin);
        loop {
            let last = self.memory.mapping.load32(at + 12).map_err(ring_fault)?;
            if (last >> 31 != 0) == phase {
                let mut bytes = [0; 16];
                self.read_shared(at, &mut bytes)?;
                self.accesses.late += u64::from(slept);
                return Ok(Completion::decode(&bytes));
            }
            let waited = begin.elapsed();
            if waited < self.waits.spin {
                self.transport.wait(Duration::ZERO)?;
                continue;
            }
            if waited > limit {
                return Err(self.overdue(index, waited));
            }
            let nap = NAP.min(limit - waited.min(limit)).max(Duration::from_micros(100));
            slept = !self.transport.wait(nap)?;
            if asked.elapsed() > ALIVE {
                self.check_alive()?;
                asked = Instant::now();
            }
        }
    }

    fn limit(&self, index: u32) -> Result<Duration, Error> {
        let mut code = [0];
        self.read_shared(ENTRY_BYTES * (index % RING) as usize, &mut code)?;
        Ok(if code[0] == opcode::PASS { self.waits.pass } else { self.waits.copy })
    }

    /// Is the card there, and did its queue stop without a completion?
    fn check_alive(&mut self) -> Result<(), Error> {
        let status = self.read32(HOST + host::status::OFFSET)?;
        if status == u32::MAX {
            return Err(self.lost("STATUS reads as all ones"));
        }
        let control = self.read32(HOST + host::control::OFFSET)?;
        if get(host::control::ENABLE, control) == 0 {
            return Err(Error::Reset { at: self.describe() });
        }
        let stopped = get(host::status::STOPPED, status) != 0;
        // A completion may have come between the look at the ring and this one.
        let last = PAGE + 16 * (self.completed % RING) as usize + 12;
        let phase = (self.completed / RING).is_multiple_of(2);
        let complete = self.memory.mapping.load32(last).map_err(ring_fault)? >> 31 != 0;
        if !stopped || complete == phase {
            return Ok(());
        }
        let status = self.read32(HOST + host::error_code::OFFSET)? as u8;
        Err(Error::Entry { at: self.describe(), what: "the ring".into(), status })
    }

    fn overdue(&self, index: u32, after: Duration) -> Error {
        let what = self.entry_text(index).unwrap_or_else(|error| error.to_string());
        Error::Timeout { at: self.describe(), what, after }
    }

    pub(super) fn lost(&self, found: &str) -> Error {
        Error::Lost { at: self.describe(), found: found.into() }
    }
}
