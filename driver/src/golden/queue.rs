//! The queue of the golden host card: fetch, check, copy, pass, complete.

use super::{HostCard, RING_BITS, Ringer};
use crate::{
    crc::Crc,
    entry::{COMPLETION_BYTES, Completion, ENTRY_BYTES, Entry, MOST_BYTES, opcode},
    host_registers::{self as host, host_status},
    memory::{HostMemory, PAGE},
};
use terntable_golden::card::{command::STATE, machine::CardError};

/// Bytes that a copy moves in one piece of work.
const PIECE: usize = 64 * 1024;

/// Where the queue is.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Completions written.
    pub head: u32,
    /// Why it stopped.
    pub error: Option<u8>,
    job: Option<Job>,
}

/// The entry that is worked on.
#[derive(Debug)]
struct Job {
    entry: Entry,
    done: usize,
    crc: Crc,
    pass: PassState,
}

#[derive(Debug, Clone, Copy)]
enum PassState {
    Waiting,
    Running,
    Ended(Option<CardError>),
}

/// A status and an info.
type End = (u32, u32);

impl Queue {
    pub fn pass_ended(&mut self, error: Option<CardError>) {
        if let Some(job) = &mut self.job {
            job.pass = PassState::Ended(error);
        }
    }
}

impl HostCard {
    pub(super) fn queue_busy(&self) -> bool {
        let waiting = self.enabled() && self.queue.error.is_none();
        self.queue.job.is_some() || waiting && self.tail() != self.queue.head
    }

    fn tail(&self) -> u32 {
        self.host.get(host::tail::OFFSET)
    }

    /// CONTROL.enable is 0: whatever runs ends here.
    pub(super) fn stop_queue(&mut self) {
        if self.pass == Some(Ringer::Queue) {
            self.abort_pass();
        }
        self.queue = Default::default();
        self.host.set(host::tail::OFFSET, 0);
    }

    /// Works on the queue; false when there is nothing to do.
    pub(super) fn step_queue(&mut self, memory: &dyn HostMemory) -> bool {
        if !self.queue_busy() {
            return false;
        }
        let Some(mut job) = self.queue.job.take() else {
            self.fetch(memory);
            return true;
        };
        match self.advance(&mut job, memory) {
            Some(end) => self.complete(&job.entry, end, memory),
            None => {
                // Here a pass runs in step mode only; it waits for the host.
                let waits = job.entry.opcode == opcode::PASS && self.pass.is_some();
                self.queue.job = Some(job);
                return !waits;
            }
        }
        true
    }

    /// The rings, if the registers describe some: both addresses, and the entries.
    fn rings(&self) -> Option<(u64, u64, u32)> {
        let submit = self.host.wide(host::submit_base_lo::OFFSET);
        let complete = self.host.wide(host::complete_base_lo::OFFSET);
        let bits = self.host.get(host::ring_bits::OFFSET);
        let page = PAGE as u64;
        let good = submit.is_multiple_of(page)
            && complete.is_multiple_of(page)
            && (1..=RING_BITS).contains(&bits)
            && self.tail().wrapping_sub(self.queue.head) <= 1 << bits;
        good.then_some((submit, complete, 1 << bits))
    }

    fn fetch(&mut self, memory: &dyn HostMemory) {
        let Some((submit, _, entries)) = self.rings() else {
            return self.stop(host_status::RING);
        };
        let mut bytes = [0; ENTRY_BYTES];
        let at = ENTRY_BYTES as u64 * u64::from(self.queue.head % entries);
        self.count(host::host_read_beats::OFFSET, self.beats(ENTRY_BYTES));
        if memory.read(submit.wrapping_add(at), &mut bytes).is_err() {
            return self.stop(host_status::HOST_READ);
        }
        let entry = Entry::decode(&bytes);
        self.queue.job =
            Some(Job { entry, done: 0, crc: Crc::default(), pass: PassState::Waiting });
    }

    /// The next piece of an entry; says how it ended when it did.
    fn advance(&mut self, job: &mut Job, memory: &dyn HostMemory) -> Option<End> {
        match job.entry.opcode {
            opcode::NOP => Some((host_status::OK, 0)),
            opcode::PASS => self.advance_pass(job),
            opcode::TO_CARD | opcode::FROM_CARD => match self.check(job) {
                Ok(()) => self.copy(job, memory),
                Err(status) => Some((status, 0)),
            },
            _ => Some((host_status::OPCODE, 0)),
        }
    }

    fn advance_pass(&mut self, job: &mut Job) -> Option<End> {
        match job.pass {
            PassState::Waiting if self.pass.is_none() => {
                job.pass = PassState::Running;
                self.ring(Ringer::Queue, job.entry.card);
                // A descriptor that is refused ends the pass at once.
                let over = self.pass.is_none();
                over.then(|| self.ended.map_or((host_status::OK, 0), end_of))
            }
            PassState::Waiting | PassState::Running => None,
            PassState::Ended(error) => Some(error.map_or((host_status::OK, 0), end_of)),
        }
    }

    /// What a copy must be before anything moves.
    fn check(&mut self, job: &Job) -> Result<(), u32> {
        let Entry { opcode, host, card, bytes, .. } = job.entry;
        let beat = self.machine.card().beat_bytes() as u64;
        if bytes == 0 || bytes > MOST_BYTES || !u64::from(bytes).is_multiple_of(beat) {
            return Err(host_status::SIZE);
        }
        if !host.is_multiple_of(beat) || !card.is_multiple_of(beat) || card >> 40 != 0 {
            return Err(host_status::ADDRESS);
        }
        let [image, state] = self.region_sizes().map(|size| size as u64);
        let limit = match (card & STATE != 0, opcode == opcode::TO_CARD) {
            (true, _) => state,
            (false, false) => image,
            (false, true) => image.min(self.host.wide(host::load_bytes_lo::OFFSET)),
        };
        match (card & !STATE) + u64::from(bytes) <= limit {
            true => Ok(()),
            false => Err(host_status::RANGE),
        }
    }

    /// Moves a piece of a copy that was checked.
    fn copy(&mut self, job: &mut Job, memory: &dyn HostMemory) -> Option<End> {
        let Entry { opcode, host, card, bytes, .. } = job.entry;
        let bytes = bytes as usize;
        let piece = (bytes - job.done).min(PIECE);
        // Nothing is mapped at the very end of the address space.
        let at = host.saturating_add(job.done as u64);
        let from = (card & !STATE) as usize + job.done;
        self.fit_regions();
        let (image, state) = self.machine.regions_mut();
        let region = if card & STATE == 0 { image } else { state };
        let piece_of_card = &mut region[from..from + piece];
        let to_card = opcode == opcode::TO_CARD;
        let moved = match to_card {
            true => memory.read(at, piece_of_card),
            false => memory.write(at, piece_of_card),
        };
        job.crc.update(piece_of_card);
        job.done += piece;
        let (counter, status) = match to_card {
            true => (host::host_read_beats::OFFSET, host_status::HOST_READ),
            false => (host::host_write_beats::OFFSET, host_status::HOST_WRITE),
        };
        self.count(counter, self.beats(piece));
        match moved {
            Err(_) => Some((status, 0)),
            Ok(()) if job.done < bytes => None,
            Ok(()) => {
                let crc = job.crc.value();
                let damaged = job.entry.check && crc != job.entry.crc;
                Some((if damaged { host_status::CHECKSUM } else { host_status::OK }, crc))
            }
        }
    }

    fn complete(&mut self, entry: &Entry, (status, info): End, memory: &dyn HostMemory) {
        let Some((_, ring, entries)) = self.rings() else {
            return self.stop(host_status::RING);
        };
        let index = self.queue.head;
        let head = index.wrapping_add(1);
        let phase = (index / entries).is_multiple_of(2);
        let completion = Completion { tag: entry.tag, info, head, status: status as u8, phase };
        let at = COMPLETION_BYTES as u64 * u64::from(index % entries);
        self.count(host::host_write_beats::OFFSET, 1);
        if memory.write(ring.wrapping_add(at), &completion.encode()).is_err() {
            return self.stop(host_status::HOST_WRITE);
        }
        self.queue.head = head;
        self.count(host::entries::OFFSET, 1);
        if entry.interrupt {
            self.ask(0);
        }
        if status != host_status::OK {
            self.stop(status);
        }
    }

    /// The queue stops until the host begins again.
    fn stop(&mut self, status: u32) {
        self.queue.error = Some(status as u8);
        self.ask(1);
    }

    fn beats(&self, bytes: usize) -> u32 {
        bytes.div_ceil(self.machine.card().beat_bytes()) as u32
    }
}

/// What a completion says of a pass that stopped.
fn end_of(error: CardError) -> End {
    (host_status::PASS, error.code as u32 | (error.command as u32) << 8)
}
