//! What travels in the rings: entries and completions (docs/host-interface.md).

use crate::host_registers::host_status;

/// Bytes of a submission entry.
pub const ENTRY_BYTES: usize = 64;
/// Bytes of a completion.
pub const COMPLETION_BYTES: usize = 16;
/// Most bytes of a copy.
pub const MOST_BYTES: u32 = 1 << 30;

const INTERRUPT: u8 = 1;
const CHECK: u8 = 2;
const PHASE: u8 = 0x80;

/// What an entry does.
pub mod opcode {
    /// Nothing.
    pub const NOP: u8 = 1;
    /// A copy from host memory into the card's.
    pub const TO_CARD: u8 = 2;
    /// A copy from the card's memory into the host's.
    pub const FROM_CARD: u8 = 3;
    /// A pass.
    pub const PASS: u8 = 4;
}

/// An entry of the submission ring. Its bytes may say anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Entry {
    /// What it does: [`opcode`].
    pub opcode: u8,
    /// Vector 0 is asked for after the completion.
    pub interrupt: bool,
    /// The CRC-32C of a copy is compared with `crc`.
    pub check: bool,
    /// The completion has it.
    pub tag: u32,
    /// Address in host memory, as the card sees it.
    pub host: u64,
    /// Address in the card's memory; bit 39 set for the state region.
    pub card: u64,
    /// Bytes of a copy.
    pub bytes: u32,
    /// Expected CRC-32C.
    pub crc: u32,
}

impl Entry {
    /// A copy into the card's memory, checked on arrival.
    pub fn to_card(host: u64, card: u64, bytes: u32, crc: Option<u32>) -> Self {
        let (check, crc) = (crc.is_some(), crc.unwrap_or(0));
        Self { opcode: opcode::TO_CARD, host, card, bytes, check, crc, ..Self::default() }
    }

    /// A copy into host memory.
    pub fn from_card(host: u64, card: u64, bytes: u32) -> Self {
        Self { opcode: opcode::FROM_CARD, host, card, bytes, ..Self::default() }
    }

    /// The pass of a descriptor.
    pub fn pass(descriptor: u64) -> Self {
        Self { opcode: opcode::PASS, card: descriptor, ..Self::default() }
    }

    /// Its bytes in the ring.
    pub fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[0] = self.opcode;
        bytes[1] = if self.interrupt { INTERRUPT } else { 0 } | if self.check { CHECK } else { 0 };
        bytes[4..8].copy_from_slice(&self.tag.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.host.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.card.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    /// The entry of some bytes.
    pub fn decode(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let wide = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        Self {
            opcode: bytes[0],
            interrupt: bytes[1] & INTERRUPT != 0,
            check: bytes[1] & CHECK != 0,
            tag: word(4),
            host: wide(8),
            card: wide(16),
            bytes: word(24),
            crc: word(28),
        }
    }
}

/// A completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// Of the entry.
    pub tag: u32,
    /// CRC-32C of a copy; error code and, from bit 8, command of a pass.
    pub info: u32,
    /// Entries completed, with this one.
    pub head: u32,
    /// How it ended; 0 is success.
    pub status: u8,
    /// 1 in the first round of the ring, then 0, and so on.
    pub phase: bool,
}

impl Completion {
    /// Its bytes in the ring.
    pub fn encode(&self) -> [u8; COMPLETION_BYTES] {
        let mut bytes = [0; COMPLETION_BYTES];
        bytes[0..4].copy_from_slice(&self.tag.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.info.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.head.to_le_bytes());
        bytes[12] = self.status;
        bytes[15] = if self.phase { PHASE } else { 0 };
        bytes
    }

    /// The completion of some bytes.
    pub fn decode(bytes: &[u8; COMPLETION_BYTES]) -> Self {
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let phase = bytes[15] & PHASE != 0;
        Self { tag: word(0), info: word(4), head: word(8), status: bytes[12], phase }
    }
}

/// A status in words: its name and its meaning.
pub fn status_text(status: u8) -> String {
    let known = host_status::ALL.iter().find(|(value, ..)| *value == u32::from(status));
    known.map_or_else(
        || format!("status {status:#04x}, which this driver does not know"),
        |(_, name, meaning)| format!("{name}: {meaning}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_completions_keep_what_they_say() {
        let entry = Entry { tag: 7, interrupt: true, ..Entry::to_card(1 << 40, 5, 64, Some(9)) };
        let bytes = entry.encode();
        assert_eq!(bytes[..8], [opcode::TO_CARD, 3, 0, 0, 7, 0, 0, 0]);
        assert_eq!(Entry::decode(&bytes), entry);
        let completion = Completion { tag: 1, info: 2, head: 3, status: 4, phase: true };
        assert_eq!(completion.encode()[12..], [4, 0, 0, 0x80]);
        assert_eq!(Completion::decode(&completion.encode()), completion);
    }

    #[test]
    fn statuses_speak() {
        assert!(status_text(8).starts_with("checksum: The bytes"));
        assert!(status_text(200).contains("0xc8"));
    }
}
