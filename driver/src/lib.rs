//! Talks to a Terntable card through its registers.
//!
//! ```text
//! RegisterPort (simulator today; PCIe, UIO later) -> Identity (who is there, does it fit?)
//!                                                 -> Status  (what went wrong, and what to do)
//! ```
//!
//! [`registers`] is generated from `rtl/registers/tt_engine_regs.rdl`, [`card_registers`] from
//! `rtl/registers/tt_card_regs.rdl`.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod card_registers;
pub mod identity;
pub mod registers;
pub mod status;

pub use identity::Identity;
pub use status::Status;

/// Whatever carries 32-bit register accesses to a card.
pub trait RegisterPort {
    /// Why an access failed.
    type Error: std::error::Error;

    /// Reads the register at a byte offset.
    fn read32(&mut self, offset: usize) -> Result<u32, Self::Error>;

    /// Writes the register at a byte offset.
    fn write32(&mut self, offset: usize, value: u32) -> Result<(), Self::Error>;
}
