//! What answers a card's host port: a bridge with a stated timing over memory that the caller brings.
//!
//! The memory is a reference that only the caller has, so the bus is no task of its own: whoever has the
//! memory calls [`HostBus::drive`] before an edge and [`HostBus::sample`] behind it. Between such cycles
//! [`HostBus::pause`] keeps every channel still. Bytes move when a read is delivered, and when all data of
//! a write have come; whatever is not mapped is answered by DECERR.

use super::Held;
use crate::{
    Error,
    seed::Random,
    sim::{Handle, Signal},
};
use std::collections::VecDeque;
use terntable_driver::memory::HostMemory;

/// How fast a bridge answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BusTiming {
    /// Cycles from a request, or the end of a write's data, to its answer; at least 1.
    pub latency: u64,
    /// Probability that a channel does not move, a cycle.
    pub stall: f64,
    /// Requests of a kind that may wait.
    pub outstanding: usize,
}

impl BusTiming {
    /// A beat in every cycle, at once.
    pub const IDEAL: BusTiming = BusTiming { latency: 1, stall: 0.0, outstanding: 64 };
    /// A read that takes 1 µs at 250 MHz, as through PCIe (assumed).
    pub const PCIE: BusTiming = BusTiming { latency: 250, stall: 0.0, outstanding: 64 };
    /// Random pauses on every channel, few requests.
    pub const HOSTILE: BusTiming = BusTiming { latency: 17, stall: 0.3, outstanding: 3 };
}

/// What a bridge has seen since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BusStatistics {
    /// Beats read.
    pub reads: u64,
    /// Beats written.
    pub writes: u64,
    /// Bursts that touched what is not mapped.
    pub refused: u64,
}

struct Burst {
    address: u64,
    beats: u64,
    ready: u64,
}

#[derive(Clone)]
struct Channel {
    valid: Signal,
    ready: Signal,
}

struct Address {
    channel: Channel,
    address: Signal,
    length: Signal,
    size: Signal,
    burst: Signal,
    held: Held,
    ready: bool,
}

/// The bridge behind the ports `<name>_arvalid_o`, `<name>_rdata_i`, ... of a design.
pub struct HostBus {
    name: String,
    random: Random,
    timing: BusTiming,
    silent: bool,
    statistics: BusStatistics,
    ar: Address,
    r: Channel,
    rdata: Signal,
    rresp: Signal,
    rlast: Signal,
    aw: Address,
    w: Channel,
    wdata: Signal,
    wstrb: Signal,
    wlast: Signal,
    w_held: Held,
    w_ready: bool,
    b: Channel,
    bresp: Signal,
    reads: VecDeque<Burst>,
    /// The beat that is offered: response, bytes.
    offered: Option<(u64, Vec<u8>)>,
    writes: VecDeque<Burst>,
    /// Data of the oldest write: bytes, and which of them are written.
    data: Vec<(u8, bool)>,
    answers: VecDeque<(u64, u64)>,
    answering: bool,
}

impl Address {
    fn new(sim: &Handle, name: &str, kind: &str) -> Result<Self, Error> {
        let output =
            |part: &str, width| sim.signal(&format!("{name}_{kind}{part}_o"))?.output(width);
        Ok(Address {
            channel: Channel {
                valid: output("valid", 1)?,
                ready: sim.signal(&format!("{name}_{kind}ready_i"))?.input(1)?,
            },
            address: output("addr", 64)?,
            length: output("len", 8)?,
            size: output("size", 3)?,
            burst: output("burst", 2)?,
            held: Held::default(),
            ready: false,
        })
    }

    /// The request that was taken at this edge, if one was; checks the rules of AXI4 and those of the card.
    fn sample(&mut self, beat: u64) -> Result<Option<(u64, u64)>, (&'static str, String)> {
        let valid = self.channel.valid.high();
        let (address, beats) = (self.address.get(), self.length.get() + 1);
        let payload = [address, beats].map(u64::to_le_bytes).concat();
        let held = self.held.check(valid, self.ready, |p| p == payload, |p| *p = payload.clone());
        if let Some(found) = held {
            return Err(("valid and payload must hold until ready", found.to_owned()));
        }
        if !(valid && self.ready) {
            return Ok(None);
        }
        let last = address.wrapping_add(beats * beat - 1);
        let rules = [
            (self.burst.get() == 1, "bursts must be INCR (1)"),
            (1 << self.size.get() == beat, "a beat must have the full width of the bus"),
            (address.is_multiple_of(beat), "the address must be a multiple of the beat"),
            (beats <= 16, "a burst must have at most 16 beats"),
            (address >> 12 == last >> 12, "a burst must not cross 4 KiB"),
        ];
        match rules.iter().find(|(kept, _)| !kept) {
            None => Ok(Some((address, beats))),
            Some((_, rule)) => Err((rule, format!("found {beats} beats at {address:#x}"))),
        }
    }
}

impl HostBus {
    /// A bridge on the ports of a design.
    pub fn new(sim: &Handle, name: &str, timing: BusTiming, seed: u64) -> Result<Self, Error> {
        let input = |part: &str, width| sim.signal(&format!("{name}_{part}_i"))?.input(width);
        let output = |part: &str, width| sim.signal(&format!("{name}_{part}_o"))?.output(width);
        let bus = HostBus {
            name: name.to_owned(),
            random: Random::new(seed, name),
            timing,
            silent: false,
            statistics: BusStatistics::default(),
            ar: Address::new(sim, name, "ar")?,
            r: Channel { valid: input("rvalid", 1)?, ready: output("rready", 1)? },
            rdata: input("rdata", 0)?,
            rresp: input("rresp", 2)?,
            rlast: input("rlast", 1)?,
            aw: Address::new(sim, name, "aw")?,
            w: Channel { valid: output("wvalid", 1)?, ready: input("wready", 1)? },
            wdata: output("wdata", 0)?,
            wstrb: output("wstrb", 0)?,
            wlast: output("wlast", 1)?,
            w_held: Held::default(),
            w_ready: false,
            b: Channel { valid: input("bvalid", 1)?, ready: output("bready", 1)? },
            bresp: input("bresp", 2)?,
            reads: VecDeque::new(),
            offered: None,
            writes: VecDeque::new(),
            data: Vec::new(),
            answers: VecDeque::new(),
            answering: false,
        };
        bus.pause();
        Ok(bus)
    }

    /// Changes the timing.
    pub fn set_timing(&mut self, timing: BusTiming) {
        self.timing = timing;
    }

    /// A silent bridge takes nothing and answers nothing.
    pub fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
    }

    /// What it has seen.
    pub fn statistics(&self) -> BusStatistics {
        self.statistics
    }

    /// Forgets all requests, as a reset of the function does.
    pub fn reset(&mut self) {
        self.reads.clear();
        self.writes.clear();
        self.answers.clear();
        self.data.clear();
        self.offered = None;
        self.answering = false;
        (self.ar.held, self.aw.held, self.w_held) = Default::default();
        self.pause();
    }

    /// Keeps every channel still from the next edge on.
    pub fn pause(&self) {
        let channels = [&self.ar.channel.ready, &self.aw.channel.ready, &self.w.ready];
        channels.into_iter().chain([&self.r.valid, &self.b.valid]).for_each(|s| s.set(0));
    }

    /// What the edge of cycle `next` will find.
    pub fn drive(&mut self, next: u64, memory: &dyn HostMemory) {
        let moves = |random: &mut Random, timing: BusTiming| !random.chance(timing.stall);
        let mut able = [false; 5];
        if !self.silent {
            able = std::array::from_fn(|_| moves(&mut self.random, self.timing));
        }
        self.ar.ready = able[0] && self.reads.len() < self.timing.outstanding;
        self.aw.ready = able[1] && self.writes.len() < self.timing.outstanding;
        self.w_ready = able[2];
        if self.offered.is_none() && able[3] {
            self.offered = self.next_beat(next, memory);
        }
        self.answering = self.answering
            || able[4] && self.answers.front().is_some_and(|(ready, _)| *ready <= next);
        for (signal, value) in [
            (&self.ar.channel.ready, self.ar.ready),
            (&self.aw.channel.ready, self.aw.ready),
            (&self.w.ready, self.w_ready),
            (&self.r.valid, self.offered.is_some()),
            (&self.b.valid, self.answering),
        ] {
            signal.set(value.into());
        }
        if let Some((response, bytes)) = &self.offered {
            self.rresp.set(*response);
            self.rdata.set_bytes(bytes);
            self.rlast.set(u64::from(self.reads.front().is_some_and(|burst| burst.beats == 1)));
        }
        if self.answering {
            self.bresp.set(self.answers[0].1);
        }
    }

    fn next_beat(&mut self, next: u64, memory: &dyn HostMemory) -> Option<(u64, Vec<u8>)> {
        let burst = self.reads.front().filter(|burst| burst.ready <= next)?;
        // What a bus without a slave reads as.
        let mut bytes = vec![0xff; self.rdata.bytes()];
        let response = match memory.read(burst.address, &mut bytes) {
            Ok(()) => 0,
            Err(_) => {
                self.statistics.refused += 1;
                3
            }
        };
        Some((response, bytes))
    }

    /// What happened at the edge of cycle `now`, which [`HostBus::drive`] prepared.
    pub fn sample(&mut self, now: u64, memory: &dyn HostMemory) -> Result<(), Error> {
        let beat = self.rdata.bytes() as u64;
        let ready = now + self.timing.latency.max(1);
        if self.offered.is_some() && self.r.ready.high() {
            self.offered = None;
            self.statistics.reads += 1;
            if let Some(burst) = self.reads.front_mut() {
                burst.address += beat;
                burst.beats -= 1;
                if burst.beats == 0 {
                    self.reads.pop_front();
                }
            }
        }
        if self.answering && self.b.ready.high() {
            self.answering = false;
            self.answers.pop_front();
        }
        let (read, write) = (self.ar.sample(beat), self.aw.sample(beat));
        if let Some((address, beats)) = self.rule(now, "ar", read)? {
            self.reads.push_back(Burst { address, beats, ready });
        }
        if let Some((address, beats)) = self.rule(now, "aw", write)? {
            self.writes.push_back(Burst { address, beats, ready });
        }
        let data = self.sample_data();
        self.rule(now, "w", data)?;
        self.finish_write(beat, ready, memory);
        Ok(())
    }

    fn sample_data(&mut self) -> Result<(), (&'static str, String)> {
        let valid = self.w.valid.high();
        let mut payload = vec![0; self.wdata.bytes() + self.wstrb.bytes() + 1];
        let (bytes, rest) = payload.split_at_mut(self.wdata.bytes());
        self.wdata.get_bytes(bytes);
        self.wstrb.get_bytes(&mut rest[..self.wstrb.bytes()]);
        rest[self.wstrb.bytes()] = u8::from(self.wlast.high());
        let held = self.w_held.check(
            valid,
            self.w_ready,
            |p| p == payload,
            |p| {
                p.clone_from(&payload);
            },
        );
        if let Some(found) = held {
            return Err(("valid and payload must hold until ready", found.to_owned()));
        }
        if !(valid && self.w_ready) {
            return Ok(());
        }
        self.statistics.writes += 1;
        let (bytes, rest) = payload.split_at(self.wdata.bytes());
        let enabled = |i: usize| rest[i / 8] >> (i % 8) & 1 != 0;
        self.data.extend(bytes.iter().enumerate().map(|(i, byte)| (*byte, enabled(i))));
        let Some(burst) = self.writes.front() else { return Ok(()) };
        let beats = (self.data.len() / bytes.len()) as u64;
        if self.wlast.high() != (beats == burst.beats) {
            let found = format!("found {beats} of {} beats", burst.beats);
            return Err(("wlast must mark the last beat of its burst", found));
        }
        Ok(())
    }

    /// Writes the oldest burst when all of its data are there.
    fn finish_write(&mut self, beat: u64, ready: u64, memory: &dyn HostMemory) {
        let complete = |burst: &&mut Burst| self.data.len() as u64 == burst.beats * beat;
        let Some(burst) = self.writes.front_mut().filter(complete) else { return };
        let mut response = 0;
        let mut at = burst.address;
        for run in self.data.chunk_by(|a, b| a.1 == b.1) {
            if run[0].1 {
                let bytes: Vec<u8> = run.iter().map(|(byte, _)| *byte).collect();
                if memory.write(at, &bytes).is_err() {
                    response = 3;
                    self.statistics.refused += 1;
                }
            }
            at = at.wrapping_add(run.len() as u64);
        }
        self.data.clear();
        self.writes.pop_front();
        self.answers.push_back((ready, response));
    }

    fn rule<T>(
        &self,
        cycle: u64,
        channel: &str,
        outcome: Result<T, (&'static str, String)>,
    ) -> Result<T, Error> {
        outcome.map_err(|(rule, found)| Error::Protocol {
            channel: format!("{}_{channel}", self.name),
            cycle,
            rule: rule.to_owned(),
            found,
        })
    }
}
