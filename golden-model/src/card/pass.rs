//! The pass descriptor, as the host writes it.

use super::{config::CardConfig, image::ProgramEntry, layout::CardLayout};
use crate::Error;

/// First word of a descriptor.
pub const MAGIC: u32 = 0x5353_5454;

/// A slot of a pass: one token of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassSlot {
    /// The token.
    pub token: u32,
    /// Its rotary position.
    pub position: u32,
    /// The cache row that it writes.
    pub row: u32,
    /// It sees every cache row below.
    pub history: u32,
    /// Bit i: it sees cache row `history + i`.
    pub mask: u32,
    /// It wants candidates.
    pub head: bool,
    /// Address of its sequence's page table.
    pub page_table: u64,
}

/// A pass in the making.
#[derive(Debug, Clone)]
pub struct CardPass {
    slots: Vec<PassSlot>,
    most: usize,
    program: ProgramEntry,
    results: u64,
    logits: u64,
}

impl CardPass {
    /// A pass of a program, without slots yet.
    pub fn new(card: &CardConfig, layout: &CardLayout, program: ProgramEntry) -> Self {
        let CardLayout { results, logits, .. } = *layout;
        Self { slots: Vec::new(), most: card.slots, program, results, logits }
    }

    /// Adds a slot. Slots of one sequence stand beside each other and share their history.
    pub fn push(&mut self, slot: PassSlot) -> Result<(), Error> {
        if self.slots.len() == self.most {
            let text = format!("the card takes {} slots a pass", self.most);
            return Err(Error::Device(text));
        }
        self.slots.push(slot);
        Ok(())
    }

    /// Adds consecutive tokens of a sequence, the first at row `first`; `head` says which of them, by
    /// index, want candidates.
    pub fn push_chunk(
        &mut self,
        page_table: u64,
        first: u32,
        tokens: &[u32],
        head: impl Fn(usize) -> bool,
    ) -> Result<(), Error> {
        for (i, &token) in tokens.iter().enumerate() {
            let row = first + i as u32;
            // Itself and the tokens of the chunk before it.
            let mask = u32::MAX >> (31 - i as u32 % 32);
            let (position, history, head) = (row, first, head(i));
            self.push(PassSlot { token, position, row, history, mask, head, page_table })?;
        }
        Ok(())
    }

    /// Its slots.
    pub fn slots(&self) -> &[PassSlot] {
        &self.slots
    }

    /// The bytes of the descriptor.
    pub fn encode(&self) -> Vec<u8> {
        let low_high = |x: u64| [x as u32, (x >> 32) as u32];
        let mut words = vec![MAGIC, self.slots.len() as u32];
        words.extend(low_high(self.program.address));
        words.extend([self.program.bytes, 0]);
        words.extend(low_high(self.results));
        words.extend(low_high(self.logits));
        words.resize(16, 0);
        for slot in &self.slots {
            let PassSlot { token, position, row, history, mask, head, page_table } = *slot;
            words.extend([token, position, row, history, mask, u32::from(head)]);
            words.extend(low_high(page_table));
            words.resize(words.len().next_multiple_of(16), 0);
        }
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}
