//! The golden model of `tt_host_card`: registers, rings and copies around the golden card model.
//!
//! It is the specification that the RTL and the driver are compared with (docs/host-interface.md). It
//! advances by [`Function::work`], a burst or a command at a time, so a host that reads registers, stops
//! the queue or resets the function meets it in the middle of things. It has no time: counters of cycles
//! stay zero, nothing times out.

mod queue;
mod registers;

use crate::{function::Function, memory::HostMemory};
use queue::Queue;
use registers::Words;
use terntable_golden::card::{
    config::CardConfig,
    machine::{CardError, ErrorCode, Machine},
};

/// Where the model's card memory begins; not zero, so that nobody forgets it.
pub const MEMORY_BASE: u64 = 0x4000_0000;
/// Most that RING_BITS may be.
pub const RING_BITS: u32 = 10;
/// Interrupt vectors.
pub const VECTORS: u32 = 2;

/// Who rang the doorbell of the pass that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ringer {
    Register,
    Queue,
}

/// The golden host card.
#[derive(Debug)]
pub struct HostCard {
    machine: Machine,
    card: Words,
    host: Words,
    queue: Queue,
    pass: Option<Ringer>,
    /// How the last pass ended.
    ended: Option<CardError>,
    /// The next command of a pass in step mode may run.
    step: bool,
    doorbell_lost: bool,
    /// Messages that wait.
    vectors: [bool; VECTORS as usize],
}

impl HostCard {
    /// A card after power-on.
    pub fn new(config: &CardConfig) -> Self {
        Self {
            machine: Machine::new(config, Vec::new(), 0),
            card: Words::default(),
            host: Words::default(),
            queue: Queue::default(),
            pass: None,
            ended: None,
            step: false,
            doorbell_lost: false,
            vectors: [false; VECTORS as usize],
        }
    }

    /// The card's configuration.
    pub fn config(&self) -> &CardConfig {
        self.machine.card()
    }

    /// The card model, for tests that damage it.
    pub fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// Rings the card's doorbell.
    fn ring(&mut self, ringer: Ringer, descriptor: u64) {
        self.ended = None;
        self.step = false;
        self.fit_regions();
        self.pass = Some(ringer);
        if let Err(error) = self.machine.start(descriptor) {
            self.end_pass(Some(error));
        }
    }

    /// Runs a command of the pass; false in step mode while nobody asks for one.
    fn step_pass(&mut self) -> bool {
        if self.step_mode() && !std::mem::take(&mut self.step) {
            return false;
        }
        match self.machine.step() {
            Ok(step) if step.finished => self.end_pass(None),
            Ok(_) => {}
            Err(error) => self.end_pass(Some(error)),
        }
        true
    }

    fn end_pass(&mut self, error: Option<CardError>) {
        self.ended = error;
        let ringer = self.pass.take();
        self.note_pass(error.is_none());
        if ringer == Some(Ringer::Queue) {
            self.queue.pass_ended(error);
        }
    }

    /// The host ends the pass.
    fn abort_pass(&mut self) {
        if self.pass.is_some() {
            let command = self.machine.next();
            self.end_pass(Some(CardError { code: ErrorCode::Aborted, command, address: 0 }));
        }
    }

    /// Gives the regions of the machine the sizes that the registers say. A region that is not inside of
    /// card memory has no bytes.
    fn fit_regions(&mut self) {
        let sizes = self.region_sizes();
        let (image, state) = self.machine.regions_mut();
        for (region, bytes) in [image, state].into_iter().zip(sizes) {
            if region.len() != bytes {
                // A new vector of zeros costs nothing until it is used.
                let kept = region.len().min(bytes);
                let mut fitted = vec![0; bytes];
                fitted[..kept].copy_from_slice(&region[..kept]);
                *region = fitted;
            }
        }
    }
}

impl Function for HostCard {
    fn name(&self) -> String {
        format!("golden card {}", self.config().name)
    }

    fn read32(&mut self, offset: usize) -> u32 {
        self.read_register(offset)
    }

    fn write32(&mut self, offset: usize, value: u32) {
        self.write_register(offset, value);
    }

    fn take_interrupt(&mut self) -> Option<u32> {
        let vector = (0..VECTORS).rev().find(|vector| self.vectors[*vector as usize])?;
        self.vectors[vector as usize] = false;
        Some(vector)
    }

    fn work(&mut self, memory: &dyn HostMemory) -> bool {
        let stepped = self.pass.is_some() && self.step_pass();
        stepped || self.step_queue(memory)
    }

    /// Registers and engines forget everything, memory keeps its bytes.
    fn reset(&mut self) {
        self.card = Words::default();
        self.host = Words::default();
        self.queue = Queue::default();
        self.pass = None;
        self.ended = None;
        self.step = false;
        self.doorbell_lost = false;
        self.vectors = Default::default();
    }
}
