//! Logical bytes to physical memory: every port holds its part of each beat.
//!
//! In each block of 16 beats port p holds its parts of the beats one after the other, so that a burst
//! of n beats is n contiguous transfers on every port. With one port nothing moves.

use super::config::CardConfig;

/// Beats of a block.
const BLOCK_BEATS: usize = 16;

/// Bytes of a block: striping permutes the bytes within it.
pub fn block_bytes(card: &CardConfig) -> usize {
    BLOCK_BEATS * card.beat_bytes()
}

/// Where a logical byte lies in physical memory.
pub fn physical(card: &CardConfig, logical: u64) -> u64 {
    let (beat, port) = (card.beat_bytes() as u64, card.port_bytes as u64);
    let block = block_bytes(card) as u64;
    let (base, i, b) = (logical / block * block, logical % block / beat, logical % beat);
    base + b / port * BLOCK_BEATS as u64 * port + i * port + b % port
}

/// Physical bytes of logical ones, which begin on a block; a last part of a block is filled up with
/// zeros.
pub fn stripe(card: &CardConfig, logical: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; logical.len().next_multiple_of(block_bytes(card))];
    for (at, part) in logical.chunks(card.port_bytes).enumerate() {
        let to = physical(card, (at * card.port_bytes) as u64) as usize;
        bytes[to..to + part.len()].copy_from_slice(part);
    }
    bytes
}

/// Logical bytes of whole physical blocks.
pub fn unstripe(card: &CardConfig, bytes: &[u8]) -> Vec<u8> {
    let mut logical = Vec::with_capacity(bytes.len());
    while logical.len() < bytes.len() {
        let from = physical(card, logical.len() as u64) as usize;
        logical.extend(bytes.get(from..from + card.port_bytes).unwrap_or_default());
        if bytes.len() < from + card.port_bytes {
            break;
        }
    }
    logical
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn striping_is_a_permutation_of_blocks_and_the_identity_with_one_port() {
        for name in CardConfig::names() {
            let card = CardConfig::named(name).unwrap();
            let bytes: Vec<u8> =
                (0..3 * block_bytes(&card)).map(|i| (i * 7 + i / 251) as u8).collect();
            let striped = stripe(&card, &bytes);
            assert_eq!(unstripe(&card, &striped), bytes);
            assert_eq!(striped == bytes, card.ports == 1);
            for (at, byte) in bytes.iter().enumerate() {
                assert_eq!(striped[physical(&card, at as u64) as usize], *byte);
            }
        }
    }

    #[test]
    fn a_port_holds_its_quarter_of_sixteen_beats_together() {
        let card = CardConfig::named("kv260").unwrap();
        // Byte 5 of port 2 in beat 3 of block 1.
        let logical = 1024 + 3 * 64 + 2 * 16 + 5;
        assert_eq!(physical(&card, logical), 1024 + 2 * 256 + 3 * 16 + 5);
        assert_eq!(stripe(&card, &[1; 10]).len(), 1024);
    }
}
