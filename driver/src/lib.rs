//! Talks to a Terntable card: a driver in user space, its transports, and the golden model of what is on the
//! other side (docs/driver.md, docs/host-interface.md).
//!
//! ```text
//! Card: identity, memory, queue, waits, reset
//!   └─ Transport: registers, shared memory, interrupts
//!        ├─ in process golden::HostCard, or the simulated card
//!        ├─ vfio-user  a card server behind a socket ── server: any Function as a PCI card
//!        └─ vfio       the kernel's VFIO
//! ```
//!
//! [`registers`] is generated from `rtl/registers/tt_engine_regs.rdl`, [`card_registers`] from
//! `rtl/registers/tt_card_regs.rdl`, [`host_registers`] from `rtl/registers/tt_host_regs.rdl`.
#![deny(missing_docs, unsafe_code)]

pub mod card;
pub mod card_registers;
mod crc;
mod dma;
pub mod doctor;
pub mod entry;
pub mod error;
mod events;
pub mod function;
pub mod golden;
pub mod host_registers;
pub mod identity;
pub mod in_process;
pub mod memory;
pub mod pci;
pub mod platform;
pub mod registers;
pub mod server;
pub mod status;
pub mod transfer;
pub mod transport;
pub mod vfio;
pub mod vfio_user;

pub use card::{Card, Waits};
pub use error::Error;
pub use identity::Identity;
pub use status::Status;
pub use transport::Transport;

/// Whatever carries 32-bit register accesses to a card.
pub trait RegisterPort {
    /// Why an access failed.
    type Error: std::error::Error;

    /// Reads the register at a byte offset.
    fn read32(&mut self, offset: usize) -> Result<u32, Self::Error>;

    /// Writes the register at a byte offset.
    fn write32(&mut self, offset: usize, value: u32) -> Result<(), Self::Error>;
}
