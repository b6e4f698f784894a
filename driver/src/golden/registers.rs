//! Registers of the golden host card.

use super::{HostCard, MEMORY_BASE, RING_BITS, Ringer, VECTORS};
use crate::{
    card::{BAR_BYTES, HOST},
    card_registers as card, host_registers as host,
    registers::Field,
};

/// The words of a block that hosts write, as they were written.
#[derive(Debug, Clone)]
pub(super) struct Words([u32; 64]);

impl Default for Words {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Words {
    pub fn get(&self, offset: usize) -> u32 {
        self.0.get(offset / 4).copied().unwrap_or(0)
    }

    pub fn set(&mut self, offset: usize, value: u32) {
        if let Some(word) = self.0.get_mut(offset / 4) {
            *word = value;
        }
    }

    pub fn wide(&self, offset: usize) -> u64 {
        u64::from(self.get(offset)) | u64::from(self.get(offset + 4)) << 32
    }

    pub fn bit(&self, offset: usize, field: Field) -> bool {
        field.get(u64::from(self.get(offset))) != 0
    }

    /// Sets a bit; says whether the same bit of `enable` is set.
    fn raise(&mut self, status: usize, enable: usize, field: Field) -> bool {
        self.set(status, self.get(status) | field.mask() as u32);
        self.bit(enable, field)
    }
}

/// A word of fields and values.
fn word<const N: usize>(fields: [(Field, u64); N]) -> u32 {
    fields.iter().fold(0, |word, (field, value)| word | field.put(*value)) as u32
}

impl HostCard {
    pub(super) fn read_register(&self, offset: usize) -> u32 {
        match offset {
            0..HOST => self.read_card(offset),
            HOST..BAR_BYTES => self.read_host(offset - HOST),
            _ => 0,
        }
    }

    pub(super) fn write_register(&mut self, offset: usize, value: u32) {
        match offset {
            0..HOST => self.write_card(offset, value),
            HOST..BAR_BYTES => self.write_host(offset - HOST, value),
            _ => {}
        }
    }

    /// The level of the host interface's interrupt.
    pub fn irq(&self) -> bool {
        self.host.get(host::irq_status::OFFSET) & self.host.get(host::irq_enable::OFFSET) != 0
    }

    fn read_card(&self, offset: usize) -> u32 {
        let config = self.machine.card();
        let size = |value: usize| value as u64;
        match offset {
            card::magic::OFFSET => card::magic::RESET,
            card::version::OFFSET => card::version::RESET,
            card::config_hash_lo::OFFSET => config.hash() as u32,
            card::config_hash_hi::OFFSET => (config.hash() >> 32) as u32,
            card::geometry::OFFSET => word([
                (card::geometry::SLOTS, size(config.slots)),
                (card::geometry::ROWS, size(config.rows)),
                (card::geometry::GROUPS, size(config.groups)),
                (card::geometry::LANES, size(config.lanes)),
            ]),
            card::memory::OFFSET => word([
                (card::memory::PORTS, size(config.ports)),
                (card::memory::PORT_BYTES, size(config.port_bytes)),
                (card::memory::PAGE_ROWS, size(config.page_rows)),
            ]),
            card::limits::OFFSET => word([
                (card::limits::PANEL_TILES, size(config.panel_tiles)),
                (card::limits::CANDIDATES, size(config.candidates)),
            ]),
            card::status::OFFSET => word([
                (card::status::BUSY, self.pass.is_some().into()),
                (card::status::PAUSED, (self.pass.is_some() && self.step_mode()).into()),
                (card::status::ERROR, self.ended.is_some().into()),
                (card::status::DOORBELL_LOST, self.doorbell_lost.into()),
                (card::status::NEXT, size(self.machine.next())),
            ]),
            card::error_code::OFFSET => self.ended.map_or(0, |error| error.code as u32),
            card::error_command::OFFSET => self.ended.map_or(0, |error| error.command as u32),
            card::error_address_lo::OFFSET => self.ended.map_or(0, |error| error.address as u32),
            card::error_address_hi::OFFSET => {
                self.ended.map_or(0, |error| (error.address >> 32) as u32)
            }
            card::step::OFFSET => 0,
            _ => self.card.get(offset),
        }
    }

    fn write_card(&mut self, offset: usize, value: u32) {
        match offset {
            card::control::OFFSET => {
                self.card.set(offset, value & card::control::STEP_MODE.mask() as u32);
                if card::control::STOP.get(value.into()) != 0 {
                    self.abort_pass();
                    self.ended = None;
                    self.doorbell_lost = false;
                }
            }
            card::doorbell_hi::OFFSET => {
                self.card.set(offset, value);
                if self.pass.is_some() {
                    self.doorbell_lost = true;
                    self.note_pass_event(card::irq_status::ERROR);
                } else {
                    self.ring(Ringer::Register, self.card.wide(card::doorbell_lo::OFFSET));
                }
            }
            card::irq_status::OFFSET => self.card.set(offset, self.card.get(offset) & !value),
            card::step::OFFSET => self.step = true,
            card::image_base_lo::OFFSET..=card::doorbell_lo::OFFSET | card::irq_enable::OFFSET => {
                self.card.set(offset, value);
            }
            _ => {}
        }
    }

    fn read_host(&self, offset: usize) -> u32 {
        match offset {
            host::magic::OFFSET => host::magic::RESET,
            host::version::OFFSET => host::version::RESET,
            host::geometry::OFFSET => word([
                (host::geometry::BEAT_BYTES, self.machine.card().beat_bytes() as u64),
                (host::geometry::VECTORS, VECTORS.into()),
                (host::geometry::RING_BITS, RING_BITS.into()),
            ]),
            host::memory_base_lo::OFFSET => MEMORY_BASE as u32,
            host::memory_base_hi::OFFSET => (MEMORY_BASE >> 32) as u32,
            host::memory_bytes_lo::OFFSET => self.memory_bytes() as u32,
            host::memory_bytes_hi::OFFSET => (self.memory_bytes() >> 32) as u32,
            host::status::OFFSET => word([
                (host::status::BUSY, self.queue_busy().into()),
                (host::status::STOPPED, self.queue.error.is_some().into()),
            ]),
            host::error_code::OFFSET => self.queue.error.unwrap_or(0).into(),
            host::head::OFFSET => self.queue.head,
            _ => self.host.get(offset),
        }
    }

    fn write_host(&mut self, offset: usize, value: u32) {
        match offset {
            host::control::OFFSET => {
                if host::control::CLEAR.get(value.into()) != 0 {
                    (host::cycles::OFFSET..=host::host_write_beats::OFFSET)
                        .step_by(4)
                        .for_each(|counter| self.host.set(counter, 0));
                }
                self.host.set(offset, value & host::control::ENABLE.mask() as u32);
                if !self.enabled() {
                    self.stop_queue();
                }
            }
            host::tail::OFFSET if self.enabled() => self.host.set(offset, value),
            host::ring_bits::OFFSET => self.host.set(offset, value & 0xff),
            host::irq_status::OFFSET => self.host.set(offset, self.host.get(offset) & !value),
            host::irq_enable::OFFSET => self.host.set(offset, value & 3),
            host::submit_base_lo::OFFSET..=host::complete_base_hi::OFFSET
            | host::load_bytes_lo::OFFSET
            | host::load_bytes_hi::OFFSET => self.host.set(offset, value),
            _ => {}
        }
    }

    pub(super) fn enabled(&self) -> bool {
        self.host.bit(host::control::OFFSET, host::control::ENABLE)
    }

    pub(super) fn step_mode(&self) -> bool {
        self.card.bit(card::control::OFFSET, card::control::STEP_MODE)
    }

    fn memory_bytes(&self) -> u64 {
        self.machine.card().memory.bytes
    }

    /// Bytes of image and state region.
    pub(super) fn region_sizes(&self) -> [usize; 2] {
        let block = 16 * self.machine.card().beat_bytes() as u64;
        let end = MEMORY_BASE + self.memory_bytes();
        [card::image_base_lo::OFFSET, card::state_base_lo::OFFSET].map(|base| {
            let (base, bytes) = (self.card.wide(base), self.card.wide(base + 8));
            let (base, bytes) = (base - base % block, bytes - bytes % block);
            let inside =
                base >= MEMORY_BASE && base.checked_add(bytes).is_some_and(|last| last <= end);
            if inside { bytes as usize } else { 0 }
        })
    }

    /// A pass is over.
    pub(super) fn note_pass(&mut self, done: bool) {
        if done {
            let passes = self.card.get(card::passes_done::OFFSET).wrapping_add(1);
            self.card.set(card::passes_done::OFFSET, passes);
        }
        let event = if done { card::irq_status::PASS_DONE } else { card::irq_status::ERROR };
        self.note_pass_event(event);
    }

    fn note_pass_event(&mut self, event: Field) {
        // The card's own interrupt has no vector: the queue waits for the pass.
        self.card.raise(card::irq_status::OFFSET, card::irq_enable::OFFSET, event);
    }

    /// Asks for a vector: 0 for a completion, 1 for an error.
    pub(super) fn ask(&mut self, vector: usize) {
        let event = [host::irq_status::COMPLETE, host::irq_status::ERROR][vector];
        let enabled = self.host.raise(host::irq_status::OFFSET, host::irq_enable::OFFSET, event);
        self.vectors[vector] |= enabled;
    }

    /// Adds to a counter of the host interface.
    pub(super) fn count(&mut self, counter: usize, by: u32) {
        self.host.set(counter, self.host.get(counter).wrapping_add(by));
    }
}
