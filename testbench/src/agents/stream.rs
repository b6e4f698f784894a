//! Valid/ready streams: words that go in, words that come out, with random pauses on both.

use super::Held;
use crate::{
    Error,
    seed::Random,
    sim::{Clock, Event, Handle, Signal},
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

/// Drives words into a design's port `<name>_valid_i`, `_ready_o`, `_data_i`.
#[derive(Clone)]
pub struct Source {
    shared: Rc<SourceShared>,
}

struct SourceShared {
    word: usize,
    /// Words to come, from `next` on.
    words: RefCell<Vec<u8>>,
    next: Cell<usize>,
    taken: Cell<u64>,
    filled: Event,
    stall: Cell<f64>,
    reset: Cell<bool>,
}

impl Source {
    /// Attaches a source that pauses with the probability `stall` before each word.
    pub fn new(
        sim: &Handle,
        clock: &Clock,
        name: &str,
        stall: f64,
        seed: u64,
    ) -> Result<Self, Error> {
        let valid = sim.signal(&format!("{name}_valid_i"))?.input(1)?;
        let ready = sim.signal(&format!("{name}_ready_o"))?.output(1)?;
        let data = sim.signal(&format!("{name}_data_i"))?.input(0)?;
        let shared = Rc::new(SourceShared {
            word: data.bytes(),
            words: RefCell::default(),
            next: Cell::new(0),
            taken: Cell::new(0),
            filled: Event::default(),
            stall: Cell::new(stall),
            reset: Cell::new(false),
        });
        valid.set(0);
        sim.spawn(drive(
            shared.clone(),
            clock.clone(),
            Random::new(seed, name),
            valid,
            ready,
            data,
        ));
        Ok(Source { shared })
    }

    /// Bytes of a word.
    pub fn word_bytes(&self) -> usize {
        self.shared.word
    }

    /// Adds words, one after the other, each of [`Source::word_bytes`] bytes.
    pub fn send(&self, words: &[u8]) {
        assert!(words.len().is_multiple_of(self.shared.word), "whole words");
        let mut queue = self.shared.words.borrow_mut();
        let next = self.shared.next.replace(0);
        queue.drain(..next);
        queue.extend_from_slice(words);
        drop(queue);
        self.shared.filled.notify();
    }

    /// Words taken by the design so far.
    pub fn taken(&self) -> u64 {
        self.shared.taken.get()
    }

    /// Words not yet taken.
    pub fn waiting(&self) -> usize {
        (self.shared.words.borrow().len() - self.shared.next.get()) / self.shared.word
    }

    /// Changes the probability of a pause.
    pub fn set_stall(&self, stall: f64) {
        self.shared.stall.set(stall);
    }

    /// Forgets all words, for a reset of the design.
    pub fn reset(&self) {
        self.shared.words.borrow_mut().clear();
        self.shared.next.set(0);
        self.shared.reset.set(true);
        self.shared.filled.notify();
    }
}

async fn drive(
    shared: Rc<SourceShared>,
    clock: Clock,
    mut random: Random,
    valid: Signal,
    ready: Signal,
    data: Signal,
) {
    loop {
        shared.reset.set(false);
        while shared.next.get() == shared.words.borrow().len() {
            valid.set(0);
            shared.filled.wait().await;
        }
        while random.chance(shared.stall.get()) {
            valid.set(0);
            clock.rising_edge().await;
        }
        let at = shared.next.get();
        match shared.words.borrow().get(at..at + shared.word) {
            Some(word) => data.set_bytes(word),
            // A reset emptied the queue during the pause.
            None => continue,
        }
        valid.set(1);
        loop {
            clock.rising_edge().await;
            if shared.reset.get() {
                valid.set(0);
                break;
            }
            if ready.high() {
                shared.next.set(shared.next.get() + shared.word);
                shared.taken.set(shared.taken.get() + 1);
                break;
            }
        }
    }
}

/// Takes words from a design's port `<name>_valid_o`, `_ready_i`, `_data_o`, and `_last_o` if it
/// has one.
#[derive(Clone)]
pub struct Sink {
    shared: Rc<SinkShared>,
}

#[derive(Default)]
struct SinkShared {
    word: usize,
    words: RefCell<Vec<u8>>,
    cycles: RefCell<Vec<u64>>,
    /// Words at the end of each packet.
    ends: RefCell<Vec<usize>>,
    taken: Cell<u64>,
    packet: Event,
    stall: Cell<f64>,
    reset: Cell<bool>,
}

/// The words of a packet, up to `last`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packet {
    /// The words, one after the other.
    pub words: Vec<u8>,
    /// The cycle in which each word was taken.
    pub cycles: Vec<u64>,
}

impl Sink {
    /// Attaches a sink that is not ready with the probability `stall` a cycle.
    pub fn new(
        sim: &Handle,
        clock: &Clock,
        name: &str,
        stall: f64,
        seed: u64,
    ) -> Result<Self, Error> {
        let valid = sim.signal(&format!("{name}_valid_o"))?.output(1)?;
        let ready = sim.signal(&format!("{name}_ready_i"))?.input(1)?;
        let data = sim.signal(&format!("{name}_data_o"))?.output(0)?;
        let last = sim.signal(&format!("{name}_last_o")).ok();
        let shared = Rc::new(SinkShared {
            word: data.bytes(),
            stall: Cell::new(stall),
            ..SinkShared::default()
        });
        ready.set(0);
        let (task, handle, name) = (shared.clone(), sim.clone(), name.to_owned());
        let (clock, random) = (clock.clone(), Random::new(seed, &name));
        sim.spawn(async move {
            if let Err(e) = take(task, clock, random, &name, valid, ready, data, last).await {
                handle.fail(e);
            }
        });
        Ok(Sink { shared })
    }

    /// Bytes of a word.
    pub fn word_bytes(&self) -> usize {
        self.shared.word
    }

    /// Words taken so far.
    pub fn taken(&self) -> u64 {
        self.shared.taken.get()
    }

    /// The next whole packet, if it has come.
    pub fn try_packet(&self) -> Option<Packet> {
        let mut ends = self.shared.ends.borrow_mut();
        let count = *ends.first()?;
        ends.remove(0);
        ends.iter_mut().for_each(|end| *end -= count);
        let words = self.shared.words.borrow_mut().drain(..count * self.shared.word).collect();
        let cycles = self.shared.cycles.borrow_mut().drain(..count).collect();
        Some(Packet { words, cycles })
    }

    /// Waits for the next whole packet.
    pub async fn packet(&self) -> Packet {
        loop {
            if let Some(packet) = self.try_packet() {
                return packet;
            }
            self.shared.packet.wait().await;
        }
    }

    /// Takes the words so far, whole packets or not.
    pub fn drain(&self) -> Packet {
        self.shared.ends.borrow_mut().clear();
        Packet {
            words: std::mem::take(&mut self.shared.words.borrow_mut()),
            cycles: std::mem::take(&mut self.shared.cycles.borrow_mut()),
        }
    }

    /// Changes the probability of not being ready.
    pub fn set_stall(&self, stall: f64) {
        self.shared.stall.set(stall);
    }

    /// Forgets all words, for a reset of the design.
    pub fn reset(&self) {
        self.drain();
        self.shared.reset.set(true);
    }
}

#[allow(clippy::too_many_arguments)]
async fn take(
    shared: Rc<SinkShared>,
    clock: Clock,
    mut random: Random,
    name: &str,
    valid: Signal,
    ready: Signal,
    data: Signal,
    last: Option<Signal>,
) -> Result<(), Error> {
    let mut held = Held::default();
    let mut is_ready = false;
    let with_last = |to: &mut Vec<u8>| {
        to.resize(shared.word + 1, 0);
        data.get_bytes(&mut to[..shared.word]);
        to[shared.word] = last.as_ref().map_or(0, |l| l.get() as u8);
    };
    let same = |before: &[u8]| {
        data.equals(&before[..shared.word])
            && last.as_ref().is_none_or(|l| l.get() as u8 == before[shared.word])
    };
    loop {
        clock.rising_edge().await;
        if shared.reset.replace(false) {
            held = Held::default();
            is_ready = false;
            ready.set(0);
            continue;
        }
        let is_valid = valid.high();
        if let Some(found) = held.check(is_valid, is_ready, same, with_last) {
            return Err(Error::Protocol {
                channel: name.to_owned(),
                cycle: clock.cycle(),
                rule: "valid and payload must hold until ready".to_owned(),
                found: found.to_owned(),
            });
        }
        if is_valid && is_ready {
            let mut words = shared.words.borrow_mut();
            let at = words.len();
            words.resize(at + shared.word, 0);
            data.get_bytes(&mut words[at..]);
            shared.cycles.borrow_mut().push(clock.cycle());
            shared.taken.set(shared.taken.get() + 1);
            if last.as_ref().is_some_and(Signal::high) {
                let before: usize = words.len() / shared.word;
                shared.ends.borrow_mut().push(before);
                shared.packet.notify();
            }
        }
        let next = !random.chance(shared.stall.get());
        if next != is_ready {
            is_ready = next;
            ready.set(u64::from(next));
        }
    }
}
