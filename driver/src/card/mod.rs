//! A card: who it is, its memory, its queue, its reset.

mod identity;
mod shared;
mod wait;

pub use identity::CardIdentity;
pub use shared::Shared;
pub use wait::Waits;

use crate::{
    Error, card_registers as registers,
    entry::{ENTRY_BYTES, Entry},
    host_registers as host,
    memory::{DmaMemory, PAGE},
    registers::Field,
    transport::Transport,
};
use std::time::{Duration, Instant};
use terntable_golden::card::config::CardConfig;

/// Where the registers of the host interface begin in BAR0.
pub const HOST: usize = 0x1000;
/// Bytes of BAR0.
pub const BAR_BYTES: usize = 0x2000;
/// Entries of a ring: 64 entries fill a page.
const RING_BITS: u32 = 6;
const RING: u32 = 1 << RING_BITS;
/// Bytes that the driver shares with a card: two huge pages, half of what a process may usually lock.
pub const SHARED: usize = 4 << 20;
/// Bytes of both rings.
const RINGS: usize = 2 * PAGE;

/// What the queue did, for those who look at its cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accesses {
    /// Registers read and written since the card was opened.
    pub registers: u64,
    /// Completions that an interrupt should have told of and did not.
    pub late: u64,
}

/// A card that is open.
pub struct Card {
    transport: Box<dyn Transport>,
    identity: CardIdentity,
    memory: DmaMemory,
    waits: Waits,
    submitted: u32,
    completed: u32,
    rung: u32,
    accesses: Accesses,
    regions: (u64, u64),
}

impl Card {
    /// Opens the card behind a transport, with its queue running and its regions empty.
    pub fn open(mut transport: Box<dyn Transport>, waits: Waits) -> Result<Self, Error> {
        let identity = CardIdentity::read(&mut *transport)?;
        let memory = transport.map(SHARED)?;
        let mut card = Self {
            transport,
            identity,
            memory,
            waits,
            submitted: 0,
            completed: 0,
            rung: 0,
            accesses: Accesses::default(),
            regions: (0, 0),
        };
        card.start()?;
        Ok(card)
    }

    /// Where the card is, in words.
    pub fn describe(&self) -> String {
        self.transport.describe()
    }

    /// Who it is.
    pub fn identity(&self) -> &CardIdentity {
        &self.identity
    }

    /// The configuration with the card's hash, of those that are known.
    pub fn config<'a>(
        &self,
        mut known: impl Iterator<Item = &'a CardConfig>,
    ) -> Result<&'a CardConfig, Error> {
        let hash = self.identity.config_hash;
        known.find(|config| config.hash() == hash).ok_or_else(|| Error::Identity {
            at: self.describe(),
            what: "CONFIG_HASH",
            found: format!("{hash:#018x}"),
            expected: "that of a configuration of this driver".into(),
            remedy: "load the matching bitstream, or give its configuration with --card",
        })
    }

    /// What the queue cost so far.
    pub fn accesses(&self) -> Accesses {
        self.accesses
    }

    /// The transport, for what has no word here.
    pub fn transport(&mut self) -> &mut dyn Transport {
        &mut *self.transport
    }

    /// Reads a register.
    pub fn read32(&mut self, offset: usize) -> Result<u32, Error> {
        self.accesses.registers += 1;
        self.transport.read32(offset)
    }

    /// Writes a register.
    pub fn write32(&mut self, offset: usize, value: u32) -> Result<(), Error> {
        self.accesses.registers += 1;
        self.transport.write32(offset, value)
    }

    fn write_wide(&mut self, offset: usize, value: u64) -> Result<(), Error> {
        self.write32(offset, value as u32)?;
        self.write32(offset + 4, (value >> 32) as u32)
    }

    /// Gives image and state their places in card memory, the state behind the image.
    pub fn set_regions(&mut self, image: u64, state: u64) -> Result<(), Error> {
        let block = 16 * self.identity.beat_bytes as u64;
        let [image, state] = [image, state].map(|bytes| bytes.next_multiple_of(block));
        let CardIdentity { memory_base, memory_bytes, .. } = self.identity;
        if image.checked_add(state).is_none_or(|all| all > memory_bytes) {
            return Err(Error::Refused(format!(
                "{}: {image} bytes of image and {state} of state; expected at most the \
                 {memory_bytes} of the card's memory: pack with fewer --pages",
                self.describe()
            )));
        }
        self.write_wide(registers::image_base_lo::OFFSET, memory_base)?;
        self.write_wide(registers::image_bytes_lo::OFFSET, image)?;
        self.write_wide(registers::state_base_lo::OFFSET, memory_base + image)?;
        self.write_wide(registers::state_bytes_lo::OFFSET, state)?;
        self.regions = (image, state);
        Ok(())
    }

    /// Opens the load window over the first so many bytes of the image; 0 closes it.
    pub fn set_window(&mut self, bytes: u64) -> Result<(), Error> {
        self.write_wide(HOST + host::load_bytes_lo::OFFSET, bytes)
    }

    /// Entries that can be written now.
    pub fn room(&self) -> u32 {
        RING - self.submitted.wrapping_sub(self.completed)
    }

    /// Writes an entry to the ring; [`Card::ring`] tells the card. Its number is what to wait for.
    pub fn submit(&mut self, entry: Entry) -> Result<u32, Error> {
        if self.room() == 0 {
            self.wait(self.completed.wrapping_add(1))?;
        }
        let at = ENTRY_BYTES * (self.submitted % RING) as usize;
        let entry = Entry { tag: self.submitted, ..entry };
        self.write_shared(at, &entry.encode())?;
        self.submitted = self.submitted.wrapping_add(1);
        Ok(self.submitted)
    }

    /// Tells the card of all entries: one register.
    pub fn ring(&mut self) -> Result<(), Error> {
        self.rung = self.submitted;
        self.write32(HOST + host::tail::OFFSET, self.submitted)
    }

    /// Stops the queue and starts it again with empty rings. Whatever was waiting is forgotten.
    pub fn restart(&mut self) -> Result<(), Error> {
        let at = self.describe();
        self.write32(HOST + host::control::OFFSET, 0)?;
        let begin = Instant::now();
        loop {
            match self.read32(HOST + host::status::OFFSET)? {
                u32::MAX => return Err(self.lost("STATUS reads as all ones")),
                status if get(host::status::BUSY, status) == 0 => break,
                _ if begin.elapsed() > self.waits.stop => {
                    let what = "the queue to stop".into();
                    return Err(Error::Timeout { at, what, after: begin.elapsed() });
                }
                _ => self.transport.wait(Duration::from_micros(100))?,
            };
        }
        self.start()
    }

    /// Resets the function and starts the queue; the regions are as before. Memory keeps its bytes or does
    /// not: whoever resets loads again or checks.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.transport.reset()?;
        let identity = CardIdentity::read(&mut *self.transport)?;
        if identity != self.identity {
            return Err(Error::Identity {
                at: self.describe(),
                what: "the card after a reset",
                found: format!("{identity:?}"),
                expected: format!("{:?}", self.identity),
                remedy: "another bitstream was loaded; start again",
            });
        }
        self.start()?;
        let (image, state) = self.regions;
        self.set_regions(image, state)
    }

    fn start(&mut self) -> Result<(), Error> {
        self.write32(HOST + host::control::OFFSET, 0)?;
        (self.submitted, self.completed, self.rung) = (0, 0, 0);
        self.write_shared(0, &[0; RINGS])?;
        let iova = self.memory.iova;
        self.write_wide(HOST + host::submit_base_lo::OFFSET, iova)?;
        self.write_wide(HOST + host::complete_base_lo::OFFSET, iova + PAGE as u64)?;
        self.write32(HOST + host::ring_bits::OFFSET, RING_BITS)?;
        self.write32(HOST + host::irq_enable::OFFSET, 3)?;
        self.write32(HOST + host::control::OFFSET, host::control::ENABLE.mask() as u32)
    }

    fn write_shared(&self, offset: usize, bytes: &[u8]) -> Result<(), Error> {
        self.memory.mapping.write(offset, bytes).map_err(ring_fault)
    }

    fn read_shared(&self, offset: usize, bytes: &mut [u8]) -> Result<(), Error> {
        self.memory.mapping.read(offset, bytes).map_err(ring_fault)
    }
}

fn ring_fault(source: std::io::Error) -> Error {
    Error::Io { what: "an access to the shared memory of a card".into(), source }
}

fn get(field: Field, word: u32) -> u64 {
    field.get(word.into())
}
