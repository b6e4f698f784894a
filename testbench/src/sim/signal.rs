//! Ports as values: a number up to 64 bits, bytes for wider ones.

use super::Core;
use crate::{
    Error,
    ffi::{Field, Model},
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

/// Bytes that Verilator gives a value of so many bits.
pub(super) fn storage_bytes(width: u32) -> usize {
    match width {
        0..=8 => 1,
        9..=16 => 2,
        17..=32 => 4,
        33..=64 => 8,
        _ => width.div_ceil(32) as usize * 4,
    }
}

/// A port and what was written to it in this instant.
pub(crate) struct PortState {
    width: u32,
    output: bool,
    bytes: usize,
    pending: RefCell<Box<[u8]>>,
    written: Cell<bool>,
}

impl PortState {
    pub(super) fn new(field: &Field) -> Self {
        let bytes = field.bytes();
        PortState {
            width: field.width,
            output: field.output,
            bytes,
            pending: RefCell::new(vec![0; bytes].into()),
            written: Cell::new(false),
        }
    }

    pub(super) fn is_input(&self) -> bool {
        !self.output
    }

    pub(super) fn apply(&self, model: &Model, index: usize) {
        self.written.set(false);
        model.write_bytes(index, &self.pending.borrow());
    }
}

/// A port of the top module. Reads see the value at the present instant, before its edge; writes
/// take effect after it.
#[derive(Clone)]
pub struct Signal {
    core: Rc<Core>,
    index: usize,
}

impl Signal {
    pub(super) fn new(core: Rc<Core>, index: usize) -> Self {
        Signal { core, index }
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    fn state(&self) -> &PortState {
        &self.core.ports[self.index]
    }

    /// The port's name.
    pub fn name(&self) -> &str {
        &self.core.model.ports()[self.index].name
    }

    /// Bits.
    pub fn width(&self) -> u32 {
        self.state().width
    }

    /// Bytes that hold a value: the width rounded up.
    pub fn bytes(&self) -> usize {
        self.state().width.div_ceil(8) as usize
    }

    /// Itself, if it is an input of this width (0: of any width).
    pub fn input(self, width: u32) -> Result<Self, Error> {
        self.expect("input", width)
    }

    /// Itself, if it is an output of this width (0: of any width).
    pub fn output(self, width: u32) -> Result<Self, Error> {
        self.expect("output", width)
    }

    fn expect(self, direction: &str, width: u32) -> Result<Self, Error> {
        let state = self.state();
        let found = if state.output { "output" } else { "input" };
        if found == direction && (width == 0 || width == state.width) {
            return Ok(self);
        }
        let bits = if width == 0 { String::new() } else { format!(" of {width} bits") };
        Err(Error::Use {
            name: self.name().to_owned(),
            expected: format!("an {direction}{bits}"),
            found: format!("an {found} of {} bits", state.width),
        })
    }

    /// The value; of a port wider than 64 bits, its low 64.
    #[inline]
    pub fn get(&self) -> u64 {
        self.core.model.read(self.index)
    }

    /// Whether a one-bit port is high.
    #[inline]
    pub fn high(&self) -> bool {
        self.get() != 0
    }

    /// Copies the value, little endian, as far as `to` goes.
    #[inline]
    pub fn get_bytes(&self, to: &mut [u8]) {
        self.core.model.read_bytes(self.index, to);
    }

    /// Whether the low bytes of the value are these.
    #[inline]
    pub fn equals(&self, bytes: &[u8]) -> bool {
        self.core.model.equals(self.index, bytes)
    }

    /// A field of at most 8 bytes that starts at a whole byte.
    #[inline]
    pub fn get_at(&self, byte: usize, bytes: usize) -> u64 {
        let mut value = [0; 8];
        self.core.model.read_bytes_at(self.index, byte, &mut value[..bytes.min(8)]);
        u64::from_le_bytes(value)
    }

    /// Copies the bytes of the value from `byte` on, as far as `to` goes.
    #[inline]
    pub fn copy_at(&self, byte: usize, to: &mut [u8]) {
        self.core.model.read_bytes_at(self.index, byte, to);
    }

    /// Whether the bytes of the value from `byte` on are these.
    #[inline]
    pub fn equals_at(&self, byte: usize, bytes: &[u8]) -> bool {
        self.core.model.equals_at(self.index, byte, bytes)
    }

    /// Writes a value; bits past the port's width are dropped.
    #[inline]
    pub fn set(&self, value: u64) {
        let width = self.state().width;
        let kept = if width < 64 { value & ((1 << width) - 1) } else { value };
        let bytes = kept.to_le_bytes();
        self.set_with(|to| {
            let n = to.len().min(8);
            to[..n].copy_from_slice(&bytes[..n]);
            to[n..].fill(0);
        });
    }

    /// Writes the low bytes of the value; the rest is zero, bits past the width are dropped.
    #[inline]
    pub fn set_bytes(&self, from: &[u8]) {
        self.set_with(|to| {
            let n = to.len().min(from.len());
            to[..n].copy_from_slice(&from[..n]);
            to[n..].fill(0);
        });
    }

    /// Lets `fill` write the value in place, little endian, in the bytes the simulator has for it.
    #[inline]
    pub fn set_with(&self, fill: impl FnOnce(&mut [u8])) {
        let state = self.state();
        assert!(!state.output, "`{}` is an output and cannot be written", self.name());
        let mut pending = state.pending.borrow_mut();
        fill(&mut pending);
        trim(&mut pending[..state.bytes], state.width);
        if !state.written.replace(true) {
            self.core.written.borrow_mut().push(self.index);
        }
    }
}

/// Clears the bits past the width, which the simulator expects to be zero.
#[inline]
fn trim(bytes: &mut [u8], width: u32) {
    let whole = (width / 8) as usize;
    if whole < bytes.len() {
        bytes[whole] &= (1 << (width % 8)) - 1;
        bytes[whole + 1..].fill(0);
    }
}
