//! Images, state and passes through the queue of a card.

use crate::{
    Error,
    card::{Card, Shared},
    crc::Crc,
    entry::{Entry, opcode},
    host_registers::host_status,
};
use terntable_golden::card::command::STATE;

/// Bytes of a piece of an image: what is copied while the card takes the piece before.
const PIECE: usize = 512 * 1024;
/// Pieces on their way.
const PIECES: usize = 4;
/// Times that a piece may arrive damaged.
const TRIES: u32 = 3;
/// Where the bytes that a pass takes along lie in the shared memory: behind the pieces of an image.
const TAKEN: usize = PIECES * PIECE;
/// Where the bytes lie that it brings along.
const BROUGHT: usize = TAKEN + 2 * PIECE;

/// Copies between a host and its card.
pub struct Transfer {
    card: Card,
    shared: Shared,
    /// The end of what the pass that waits for its doorbell takes along.
    taken: usize,
    /// What a pass brought along: card address, where it lies, bytes.
    brought: Vec<(u64, usize, usize)>,
    /// What the next pass brings along.
    wanted: Vec<(u64, usize)>,
    /// Pieces of images that arrived damaged.
    damaged: u64,
}

impl Transfer {
    /// Over a card that is open.
    pub fn new(card: Card) -> Self {
        let shared = card.shared();
        Self { card, shared, taken: TAKEN, brought: Vec::new(), wanted: Vec::new(), damaged: 0 }
    }

    /// The card.
    pub fn card(&mut self) -> &mut Card {
        &mut self.card
    }

    /// Pieces of images that arrived damaged and were sent again.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Puts an image into the card's memory, every piece checked on arrival, and zeros of this size behind
    /// it as the state region. Calls `progress` with the bytes that have arrived.
    pub fn load(
        &mut self,
        image: &[u8],
        state: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        // What belongs to passes of the image before.
        self.wanted.clear();
        self.brought.clear();
        self.taken = TAKEN;
        self.card.set_regions(image.len() as u64, state)?;
        let beat = self.card.identity().beat_bytes;
        self.card.set_window(image.len().next_multiple_of(16 * beat) as u64)?;
        self.stream(image, progress)?;
        self.zero_state(state)?;
        self.card.set_window(0)
    }

    fn stream(&mut self, image: &[u8], progress: &mut dyn FnMut(u64)) -> Result<(), Error> {
        let pieces: Vec<&[u8]> = image.chunks(PIECE).collect();
        let (mut arrived, mut sent, mut tries) = (0, 0, 0);
        // The number of the entry of each piece that is on its way, oldest first.
        let mut numbers = std::collections::VecDeque::with_capacity(PIECES);
        while arrived < pieces.len() {
            while sent < pieces.len() && numbers.len() < PIECES {
                numbers.push_back(self.send(sent, pieces[sent])?);
                sent += 1;
            }
            let oldest = numbers.pop_front().unwrap_or_default();
            match self.card.wait(oldest) {
                Ok(()) => {
                    arrived += 1;
                    tries = 0;
                    progress((arrived * PIECE).min(image.len()) as u64);
                }
                Err(Error::Entry { status, .. })
                    if u32::from(status) == host_status::CHECKSUM && tries + 1 < TRIES =>
                {
                    // The pieces behind it were not worked on.
                    (tries, sent, self.damaged) = (tries + 1, arrived, self.damaged + 1);
                    numbers.clear();
                    self.card.restart()?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a piece of the image; the last beat is filled with zeros.
    fn send(&mut self, index: usize, piece: &[u8]) -> Result<u32, Error> {
        let at = index % PIECES * PIECE;
        let beat = self.card.identity().beat_bytes;
        self.shared.write(at, piece)?;
        let pad = vec![0; piece.len().next_multiple_of(beat) - piece.len()];
        self.shared.write(at + piece.len(), &pad)?;
        let mut crc = Crc::default();
        crc.update(piece);
        crc.update(&pad);
        let bytes = (piece.len() + pad.len()) as u32;
        let (host, card) = (self.shared.iova() + at as u64, (index * PIECE) as u64);
        let entry =
            Entry { interrupt: true, ..Entry::to_card(host, card, bytes, Some(crc.value())) };
        let number = self.card.submit(entry)?;
        self.card.ring()?;
        Ok(number)
    }

    /// Makes the state region zeros.
    fn zero_state(&mut self, state: u64) -> Result<(), Error> {
        let block = 16 * self.card.identity().beat_bytes as u64;
        let state = state.next_multiple_of(block);
        self.shared.write(0, &vec![0; PIECE])?;
        let mut number = None;
        for at in (0..state).step_by(PIECE) {
            let bytes = (state - at).min(PIECE as u64) as u32;
            let entry = Entry::to_card(self.shared.iova(), STATE | at, bytes, None);
            number = Some(self.card.submit(Entry { interrupt: true, ..entry })?);
        }
        number.map_or(Ok(()), |number| self.card.wait(number))
    }

    /// Writes card memory before the next pass; the address and the size are of whole beats.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        let end = address + bytes.len() as u64;
        self.brought.retain(|&(from, _, size)| end <= from || from + size as u64 <= address);
        for (i, piece) in bytes.chunks(PIECE).enumerate() {
            if self.taken + piece.len() > BROUGHT {
                let nop = Entry { opcode: opcode::NOP, interrupt: true, ..Entry::default() };
                let number = self.card.submit(nop)?;
                self.finish(number)?;
            }
            self.shared.write(self.taken, piece)?;
            let (host, card) =
                (self.shared.iova() + self.taken as u64, address + (i * PIECE) as u64);
            self.card.submit(Entry::to_card(host, card, piece.len() as u32, None))?;
            self.taken += piece.len();
        }
        Ok(())
    }

    /// What the next pass shall bring along when it is over.
    pub fn bring(&mut self, address: u64, bytes: usize) {
        self.wanted.push((address, bytes));
    }

    /// Runs a pass behind everything that was written: one doorbell for all.
    pub fn pass(&mut self, descriptor: u64) -> Result<(), Error> {
        self.brought.clear();
        let mut at = BROUGHT;
        for (address, bytes) in std::mem::take(&mut self.wanted) {
            // What does not fit is fetched when it is read.
            if at + bytes <= self.shared.bytes() {
                self.brought.push((address, at, bytes));
                at += bytes;
            }
        }
        let last = self.brought.len();
        let mut number =
            self.card.submit(Entry { interrupt: last == 0, ..Entry::pass(descriptor) })?;
        for (i, &(address, at, bytes)) in self.brought.iter().enumerate() {
            let host = self.shared.iova() + at as u64;
            let entry = Entry::from_card(host, address, bytes as u32);
            number = self.card.submit(Entry { interrupt: i + 1 == last, ..entry })?;
        }
        self.finish(number)
    }

    /// Reads card memory; the address and the size are of whole beats.
    pub fn read(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let end = address + bytes.len() as u64;
        let holds =
            |&&(from, _, size): &&(u64, usize, usize)| from <= address && end <= from + size as u64;
        if let Some(&(from, at, _)) = self.brought.iter().find(holds) {
            return self.shared.read(at + (address - from) as usize, bytes);
        }
        for (i, piece) in bytes.chunks_mut(PIECE).enumerate() {
            let card = address + (i * PIECE) as u64;
            let entry = Entry::from_card(self.shared.iova(), card, piece.len() as u32);
            let number = self.card.submit(Entry { interrupt: true, ..entry })?;
            self.finish(number)?;
            self.shared.read(0, piece)?;
        }
        Ok(())
    }

    /// Waits for the last entry. A queue that an entry stopped begins again, for whoever asks next.
    fn finish(&mut self, number: u32) -> Result<(), Error> {
        let done = self.card.wait(number);
        self.taken = TAKEN;
        if done.is_err() {
            self.brought.clear();
        }
        if matches!(done, Err(Error::Entry { .. } | Error::Pass { .. })) {
            self.card.restart()?;
        }
        done
    }
}
