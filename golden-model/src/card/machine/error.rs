//! Why a pass stopped: the codes of the card's register ERROR_CODE.

use thiserror::Error;

macro_rules! codes {
    ($( $name:ident = $value:literal, $text:literal; )*) => {
        /// Why a pass stopped; the numbers are those of the card's register ERROR_CODE. Some only the
        /// hardware knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum ErrorCode {
            $( #[doc = $text] $name = $value, )*
        }

        impl ErrorCode {
            /// What it means.
            pub fn text(self) -> &'static str {
                match self {
                    $( ErrorCode::$name => $text, )*
                }
            }

            /// The code of a number.
            pub fn of(number: u8) -> Option<Self> {
                match number {
                    $( $value => Some(ErrorCode::$name), )*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    PassMagic = 0x01, "the descriptor does not begin with its magic";
    PassSlots = 0x02, "the descriptor has no slots or more than the card";
    PassAddress = 0x03, "an address of the descriptor is not aligned or has more than 40 bits";
    PassProgram = 0x04, "the program has no size that a program can have";
    PassSlot = 0x05, "a slot record has reserved bits, or neighbours of one page table differ in history";
    Opcode = 0x10, "no command has this opcode";
    NoBegin = 0x11, "a command before begin";
    Begin = 0x12, "a second begin";
    Version = 0x13, "begin names another version";
    Magic = 0x14, "begin has another magic";
    Hash = 0x15, "the program is for another configuration of the card";
    Model = 0x16, "the model does not fit the card or contradicts itself";
    Size = 0x17, "a size is outside the model or the buffers";
    Address = 0x18, "an address is not aligned, has more than 40 bits or is in the wrong region";
    Panel = 0x19, "no panel, or one of another shape or destination, is pending";
    Panels = 0x1a, "more than four panels are pending";
    PanelLeft = 0x1b, "the program ends with a panel pending";
    Wait = 0x1c, "the wait mask names no unit, or the multiply unit behind panels that it cannot finish, or a multiply follows no normalise";
    NoEnd = 0x1d, "the program ends without end";
    AfterEnd = 0x1e, "commands after end";
    Slot = 0x1f, "a token or a row of the pass is outside the model";
    Read = 0x21, "a read outside its region";
    Write = 0x22, "a write outside the state region";
    Shape = 0x23, "a burst that is not aligned or crosses a block";
    ReadResponse = 0x24, "the memory answered a read with an error";
    WriteResponse = 0x25, "the memory answered a write with an error";
    Page = 0x30, "a page number outside the cache";
    Checksum = 0x32, "a page has another checksum";
    Timeout = 0x40, "nothing moved for too long";
    Aborted = 0x41, "the host ended the pass";
}

/// A pass that stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{} (error {:#04x}, command {command}, address {address:#x})", code.text(), *code as u8)]
pub struct CardError {
    /// Why.
    pub code: ErrorCode,
    /// Index of the command.
    pub command: usize,
    /// The address, where one is to blame; otherwise 0.
    pub address: u64,
}

/// An error inside a command, which knows its code and address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub code: ErrorCode,
    pub address: u64,
}

impl Fault {
    /// An error at an address.
    pub fn at(code: ErrorCode, address: u64) -> Self {
        Self { code, address }
    }

    /// This error in a command.
    pub fn in_command(self, command: usize) -> CardError {
        CardError { code: self.code, command, address: self.address }
    }
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Self { code, address: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The RTL's names and numbers, where its package is at hand.
    #[test]
    fn the_rtl_has_the_same_codes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../rtl/card/tt_card_pkg.sv");
        let Ok(text) = std::fs::read_to_string(path) else { return };
        let codes = text.lines().filter_map(|line| {
            let (name, value) = line.trim().strip_prefix("Err")?.split_once("= 8'h")?;
            let number = u8::from_str_radix(value.trim_end_matches(','), 16).ok()?;
            Some((name.trim().to_string(), number))
        });
        for (name, number) in codes.filter(|(name, _)| name != "None") {
            let code = ErrorCode::of(number).map(|code| format!("{code:?}"));
            assert_eq!(code, Some(name), "{number:#04x}");
        }
    }
}
