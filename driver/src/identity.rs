//! Who answers at the registers, and whether it is the card that the host expects.

use crate::{RegisterPort, registers};
use thiserror::Error;

/// The identity registers of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Major version of registers and streams; equal numbers fit each other.
    pub major: u64,
    /// Minor version.
    pub minor: u64,
    /// Token slots of a pass.
    pub slots: usize,
    /// Rows of a tile.
    pub rows: usize,
    /// Groups of a block.
    pub groups: usize,
    /// Slots of a result word.
    pub lanes: usize,
    /// Bytes of a beat.
    pub beat_bytes: usize,
    /// Most tiles of a panel.
    pub panel_tiles: usize,
}

/// Why the card cannot be used.
#[derive(Debug, Error)]
pub enum IdentityError<E: std::error::Error> {
    /// The access itself failed.
    #[error("cannot read the identity registers: {0}")]
    Port(E),
    /// Every bit reads as one: nothing answers.
    #[error(
        "the card reads as all ones: the link is lost or the card is held in reset; check power and \
         slot, then rescan the bus"
    )]
    LinkLost,
    /// Something else answers.
    #[error(
        "magic {found:#010x}; expected {expected:#010x} (\"TERN\"): this is no Terntable card, or \
         the wrong register window"
    )]
    Magic {
        /// The value of the magic register.
        found: u32,
        /// What it should be.
        expected: u32,
    },
    /// The card is of another version or shape.
    #[error(
        "the card is {found:?}; the host was built for {expected:?}: load the matching bitstream or \
         use the matching host"
    )]
    Mismatch {
        /// What the registers say.
        found: Box<Identity>,
        /// What the host expects.
        expected: Box<Identity>,
    },
}

impl Identity {
    /// Reads the identity registers.
    pub fn read<P: RegisterPort>(port: &mut P) -> Result<Self, IdentityError<P::Error>> {
        let mut read = |offset| port.read32(offset).map_err(IdentityError::Port);
        let expected = registers::magic::RESET;
        match read(registers::magic::OFFSET)? {
            u32::MAX => return Err(IdentityError::LinkLost),
            found if found != expected => return Err(IdentityError::Magic { found, expected }),
            _ => {}
        }
        let version = u64::from(read(registers::version::OFFSET)?);
        let geometry = u64::from(read(registers::geometry::OFFSET)?);
        let limits = u64::from(read(registers::limits::OFFSET)?);
        let size = |field: registers::Field, word| field.get(word) as usize;
        Ok(Self {
            major: registers::version::MAJOR.get(version),
            minor: registers::version::MINOR.get(version),
            slots: size(registers::geometry::SLOTS, geometry),
            rows: size(registers::geometry::ROWS, geometry),
            groups: size(registers::geometry::GROUPS, geometry),
            lanes: size(registers::geometry::LANES, geometry),
            beat_bytes: size(registers::limits::BEAT_BYTES, limits),
            panel_tiles: size(registers::limits::PANEL_TILES, limits),
        })
    }

    /// Reads the identity registers and refuses a card of another major version or shape; the minor
    /// version may differ.
    pub fn expect<P: RegisterPort>(
        expected: Identity,
        port: &mut P,
    ) -> Result<Self, IdentityError<P::Error>> {
        let found = Self::read(port)?;
        if (Identity { minor: expected.minor, ..found }) == expected {
            return Ok(found);
        }
        Err(IdentityError::Mismatch { found: found.into(), expected: expected.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, convert::Infallible};

    struct Registers(BTreeMap<usize, u32>);

    impl RegisterPort for Registers {
        type Error = Infallible;

        fn read32(&mut self, offset: usize) -> Result<u32, Infallible> {
            Ok(self.0.get(&offset).copied().unwrap_or(u32::MAX))
        }

        fn write32(&mut self, offset: usize, value: u32) -> Result<(), Infallible> {
            self.0.insert(offset, value);
            Ok(())
        }
    }

    fn kv260() -> Registers {
        Registers(BTreeMap::from([
            (registers::magic::OFFSET, 0x5445_524e),
            (registers::version::OFFSET, 1),
            (registers::geometry::OFFSET, 0x040f_0710),
            (registers::limits::OFFSET, 0x0800_0040),
        ]))
    }

    const KV260: Identity = Identity {
        major: 0,
        minor: 1,
        slots: 16,
        rows: 7,
        groups: 15,
        lanes: 4,
        beat_bytes: 64,
        panel_tiles: 2048,
    };

    #[test]
    fn a_card_says_who_it_is() {
        assert_eq!(Identity::expect(KV260, &mut kv260()).unwrap(), KV260);
    }

    #[test]
    fn strangers_and_lost_links_are_told_apart() {
        let error =
            |mut port: Registers| Identity::expect(KV260, &mut port).unwrap_err().to_string();
        assert!(error(Registers(BTreeMap::new())).contains("link is lost"));
        let mut other = kv260();
        other.0.insert(registers::magic::OFFSET, 0x1234);
        assert!(error(other).contains("expected 0x5445524e"));
        let mut other = kv260();
        other.0.insert(registers::geometry::OFFSET, 0x0405_0504);
        assert!(error(other).contains("slots: 4"));
        let mut newer = kv260();
        newer.0.insert(registers::version::OFFSET, 1 << 16 | 1);
        assert!(error(newer).contains("major: 1"));
    }
}
