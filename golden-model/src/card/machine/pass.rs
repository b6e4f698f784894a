//! The pass descriptor and its slots.

use super::{
    error::{ErrorCode, Fault},
    memory::{Memory, offset},
};
use crate::card::{config::CardConfig, pass};

/// What a descriptor says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Pass {
    pub program: u64,
    pub commands: usize,
    pub results: u64,
    pub logits: u64,
    pub slots: Vec<Slot>,
}

/// A slot of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Slot {
    pub token: u32,
    pub position: u32,
    pub row: u32,
    pub history: u32,
    pub mask: u32,
    pub head: bool,
    pub page_table: u64,
    /// Physical page of `row`.
    pub page: u32,
}

impl Slot {
    /// Cache rows from 0 to the highest that it sees.
    pub fn extent(&self) -> usize {
        let masked = 32 - self.mask.leading_zeros() as usize;
        self.history as usize + masked
    }

    /// The cache rows that it sees.
    pub fn visible(self) -> impl Iterator<Item = usize> + Clone {
        let history = self.history as usize;
        let masked = (0..32).filter(move |i| self.mask >> i & 1 == 1);
        (0..history).chain(masked.map(move |i| history + i))
    }
}

impl Pass {
    /// Reads and checks a descriptor.
    pub fn read(card: &CardConfig, memory: &Memory, address: u64) -> Result<Self, Fault> {
        let beat = card.beat_bytes() as u64;
        if address >> 40 != 0 || !address.is_multiple_of(beat) {
            return Err(ErrorCode::PassAddress.into());
        }
        let head = words(memory, address)?;
        if head[0] != pass::MAGIC {
            return Err(ErrorCode::PassMagic.into());
        }
        let count = head[1] as usize;
        if count == 0 || count > card.slots {
            return Err(ErrorCode::PassSlots.into());
        }
        let [program, results, logits] = [2, 6, 8].map(|at| wide(&head, at));
        let aligned = |address: u64| address >> 40 == 0 && address.is_multiple_of(beat);
        if ![program, results, logits].into_iter().all(aligned) {
            return Err(ErrorCode::PassAddress.into());
        }
        let bytes = head[4];
        if bytes == 0 || bytes % 64 != 0 || bytes >> 22 != 0 {
            return Err(ErrorCode::PassProgram.into());
        }
        let mut slots: Vec<Slot> = Vec::with_capacity(count);
        for index in 0..count {
            let slot = slot(&words(memory, offset(address, 64 + 64 * index))?)?;
            let before = slots.last().filter(|before| before.page_table == slot.page_table);
            if before.is_some_and(|before| before.history != slot.history) {
                return Err(ErrorCode::PassSlot.into());
            }
            slots.push(slot);
        }
        for slot in &mut slots {
            let entry = 4 * (slot.row as usize / card.page_rows);
            slot.page = memory.word(offset(slot.page_table, entry))?;
        }
        Ok(Self { program, commands: bytes as usize / 64, results, logits, slots })
    }
}

fn words(memory: &Memory, address: u64) -> Result<[u32; 16], Fault> {
    let bytes = memory.read(address, 64)?;
    Ok(std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|b| bytes[4 * i + b]))))
}

fn wide(words: &[u32; 16], at: usize) -> u64 {
    u64::from(words[at]) | u64::from(words[at + 1]) << 32
}

fn slot(words: &[u32; 16]) -> Result<Slot, Fault> {
    let page_table = wide(words, 6);
    if page_table >> 40 != 0 || !page_table.is_multiple_of(4) || words[5] > 1 {
        return Err(ErrorCode::PassSlot.into());
    }
    let [token, position, row, history, mask, flags] = std::array::from_fn(|i| words[i]);
    Ok(Slot { token, position, row, history, mask, head: flags == 1, page_table, page: 0 })
}
