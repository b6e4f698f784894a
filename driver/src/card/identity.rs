//! Who a card is.

use super::{HOST, RING_BITS, get};
use crate::{
    Error, card_registers as registers, host_registers as host, memory::PAGE, transport::Transport,
};
use terntable_golden::card::command::STATE;

/// Who a card is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardIdentity {
    /// Hash of its configuration.
    pub config_hash: u64,
    /// What it was built from; 0: not known.
    pub revision: u32,
    /// Where its memory begins.
    pub memory_base: u64,
    /// Bytes of its memory.
    pub memory_bytes: u64,
    /// Bytes of a beat.
    pub beat_bytes: usize,
}

impl CardIdentity {
    /// Reads the identity registers, and refuses what is no card of this version.
    pub fn read(transport: &mut dyn Transport) -> Result<Self, Error> {
        let at = transport.describe();
        let mut read = |offset| transport.read32(offset);
        let card = [
            ("MAGIC", registers::magic::OFFSET, registers::magic::RESET, u32::MAX),
            ("VERSION", registers::version::OFFSET, registers::version::RESET, !0 << 16),
            ("MAGIC of the host interface", HOST, host::magic::RESET, u32::MAX),
            ("VERSION of the host interface", HOST + 4, host::version::RESET, !0 << 16),
        ];
        for (what, offset, expected, mask) in card {
            let found = read(offset)?;
            if found == u32::MAX {
                return Err(Error::Lost { at, found: format!("{what} reads as all ones") });
            }
            if (found ^ expected) & mask != 0 {
                return Err(Error::Identity {
                    at,
                    what,
                    found: format!("{found:#010x}"),
                    expected: format!("{expected:#010x}"),
                    remedy: "this is no Terntable card, or one of another version",
                });
            }
        }
        let mut wide = |offset| -> Result<u64, Error> {
            Ok(u64::from(read(offset)?) | u64::from(read(offset + 4)?) << 32)
        };
        let config_hash = wide(registers::config_hash_lo::OFFSET)?;
        let memory_base = wide(HOST + host::memory_base_lo::OFFSET)?;
        let memory_bytes = wide(HOST + host::memory_bytes_lo::OFFSET)?;
        let geometry = read(HOST + host::geometry::OFFSET)?;
        let beat_bytes = get(host::geometry::BEAT_BYTES, geometry) as usize;
        let fits = beat_bytes.is_power_of_two()
            && beat_bytes <= PAGE
            && memory_base.checked_add(memory_bytes).is_some()
            && memory_bytes < STATE;
        if !fits || get(host::geometry::RING_BITS, geometry) < u64::from(RING_BITS) {
            return Err(Error::Identity {
                at,
                what: "the geometry",
                found: format!(
                    "GEOMETRY {geometry:#010x}, memory of {memory_bytes:#x} bytes at {memory_base:#x}"
                ),
                expected: format!(
                    "a beat of 2^n bytes, rings of 2^{RING_BITS}, memory below 2^39 bytes"
                ),
                remedy: "this is no Terntable card, or one of another version",
            });
        }
        let revision = read(HOST + host::revision::OFFSET)?;
        Ok(Self { config_hash, revision, memory_base, memory_bytes, beat_bytes })
    }
}
