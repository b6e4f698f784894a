//! An AXI4 read slave: memory with a stated timing.
//!
//! In every cycle the memory either can deliver a beat or cannot: a random stall, or a refresh.
//! That schedule does not depend on who asks, so it also says what a bare sequential reader would
//! have got: `offered` counts the cycles that could have delivered, from the first possible one to
//! the last beat, and `delivered / offered` is the share that the design took.

use super::{Held, Memory};
use crate::{
    Error,
    seed::Random,
    sim::{Clock, Handle, Signal},
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, VecDeque},
    rc::Rc,
};

/// Cycles in which a memory refreshes itself and delivers nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// From one refresh to the next.
    pub interval: u32,
    /// How long it takes.
    pub cycles: u32,
}

/// How fast a memory answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemoryTiming {
    /// Cycles from the cycle in which a request is taken to the one in which its first beat can be
    /// taken; at least 1.
    pub latency: u32,
    /// Probability that a cycle delivers no beat.
    pub stall: f64,
    /// Probability that a cycle takes no request.
    pub request_stall: f64,
    /// Requests that may wait in the memory.
    pub outstanding: usize,
    /// Periodic refresh.
    pub refresh: Option<Refresh>,
}

impl MemoryTiming {
    /// A beat in every cycle, at once.
    pub const IDEAL: MemoryTiming =
        MemoryTiming { latency: 1, stall: 0.0, request_stall: 0.0, outstanding: 64, refresh: None };
}

impl Default for MemoryTiming {
    fn default() -> Self {
        Self::IDEAL
    }
}

/// What a memory has seen since [`AxiMemory::clear_statistics`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryStatistics {
    /// Requests taken.
    pub bursts: u64,
    /// Beats that a reader who always asks would have got, up to the last beat delivered.
    pub offered: u64,
    /// Beats delivered.
    pub delivered: u64,
    /// The cycle in which the first request was taken.
    pub first_request: u64,
    /// The cycle in which the last beat was delivered.
    pub last_beat: u64,
}

impl MemoryStatistics {
    /// Delivered of offered.
    pub fn share(&self) -> f64 {
        self.delivered as f64 / self.offered.max(1) as f64
    }
}

struct Burst {
    address: u64,
    beats: u32,
    /// The cycle in which the first beat can be taken.
    ready: u64,
}

/// The memory behind a design's AXI4 read port.
#[derive(Clone)]
pub struct AxiMemory {
    shared: Rc<Shared>,
}

struct Shared {
    memory: RefCell<Memory>,
    failing: RefCell<BTreeSet<u64>>,
    statistics: Cell<MemoryStatistics>,
    timing: Cell<MemoryTiming>,
    reset: Cell<bool>,
}

impl AxiMemory {
    /// Attaches memory to the ports `<name>_arvalid_o`, `<name>_rdata_i`, ... of a design that reads.
    pub fn new(
        sim: &Handle,
        clock: &Clock,
        name: &str,
        memory: Memory,
        timing: MemoryTiming,
        seed: u64,
    ) -> Result<Self, Error> {
        let shared = Rc::new(Shared {
            memory: RefCell::new(memory),
            failing: RefCell::default(),
            statistics: Cell::default(),
            timing: Cell::new(timing),
            reset: Cell::new(false),
        });
        let task = Task::new(sim, clock, name, shared.clone(), seed)?;
        let handle = sim.clone();
        sim.spawn(async move {
            if let Err(error) = task.run().await {
                handle.fail(error);
            }
        });
        Ok(AxiMemory { shared })
    }

    /// The bytes.
    pub fn memory(&self) -> std::cell::RefMut<'_, Memory> {
        self.shared.memory.borrow_mut()
    }

    /// Answers the beat at this address by SLVERR from now on.
    pub fn fail_at(&self, address: u64) {
        self.shared.failing.borrow_mut().insert(address);
    }

    /// Answers every beat that it has by OKAY again.
    pub fn heal(&self) {
        self.shared.failing.borrow_mut().clear();
    }

    /// Changes the timing, for the requests to come.
    pub fn set_timing(&self, timing: MemoryTiming) {
        self.shared.timing.set(timing);
    }

    /// Forgets all requests, as a reset of the memory controller does.
    pub fn reset(&self) {
        self.shared.reset.set(true);
    }

    /// Counts since the last [`AxiMemory::clear_statistics`].
    pub fn statistics(&self) -> MemoryStatistics {
        self.shared.statistics.get()
    }

    /// Counts from zero.
    pub fn clear_statistics(&self) {
        self.shared.statistics.set(MemoryStatistics::default());
    }
}

struct Task {
    clock: Clock,
    name: String,
    shared: Rc<Shared>,
    random: Random,
    arvalid: Signal,
    arready: Signal,
    araddr: Signal,
    arlen: Signal,
    arsize: Signal,
    arburst: Signal,
    rvalid: Signal,
    rready: Signal,
    rdata: Signal,
    rresp: Signal,
    rlast: Signal,
    beat: usize,
}

impl Task {
    fn new(
        sim: &Handle,
        clock: &Clock,
        name: &str,
        shared: Rc<Shared>,
        seed: u64,
    ) -> Result<Self, Error> {
        let input = |part: &str, width| sim.signal(&format!("{name}_{part}_i"))?.input(width);
        let output = |part: &str, width| sim.signal(&format!("{name}_{part}_o"))?.output(width);
        let rdata = input("rdata", 0)?;
        Ok(Task {
            clock: clock.clone(),
            name: name.to_owned(),
            shared,
            random: Random::new(seed, name),
            arvalid: output("arvalid", 1)?,
            arready: input("arready", 1)?,
            araddr: output("araddr", 0)?,
            arlen: output("arlen", 8)?,
            arsize: output("arsize", 3)?,
            arburst: output("arburst", 2)?,
            rvalid: input("rvalid", 1)?,
            rready: output("rready", 1)?,
            beat: rdata.bytes(),
            rdata,
            rresp: input("rresp", 2)?,
            rlast: input("rlast", 1)?,
        })
    }

    async fn run(mut self) -> Result<(), Error> {
        let mut bursts: VecDeque<Burst> = VecDeque::new();
        let (mut arready, mut rvalid) = (false, false);
        let mut held = Held::default();
        // Cycles that could deliver, from the first of this count on.
        let (mut offered, mut offering) = (0, u64::MAX);
        loop {
            // Nothing to do until a request comes: the design's valid is looked at every cycle.
            self.clock.rising_edge().await;
            let now = self.clock.cycle();
            let timing = self.shared.timing.get();
            if self.shared.reset.replace(false) {
                bursts.clear();
                held = Held::default();
                (arready, rvalid) = (false, false);
                self.arready.set(0);
                self.withdraw();
                continue;
            }
            let mut statistics = self.shared.statistics.get();
            if statistics.bursts == 0 {
                (offered, offering) = (0, u64::MAX);
            }

            // What happened at this edge.
            let arvalid = self.arvalid.high();
            if arvalid || held.waiting {
                self.check_held(&mut held, arvalid, arready, now)?;
            }
            if arvalid && arready {
                let burst = self.request(now, timing)?;
                if statistics.bursts == 0 {
                    statistics.first_request = now;
                    offering = burst.ready;
                }
                statistics.bursts += 1;
                bursts.push_back(burst);
            }
            if rvalid && self.rready.high() {
                rvalid = false;
                statistics.delivered += 1;
                statistics.offered = offered;
                statistics.last_beat = now;
                if let Some(burst) = bursts.front_mut() {
                    burst.address += self.beat as u64;
                    burst.beats -= 1;
                    if burst.beats == 0 {
                        bursts.pop_front();
                    }
                }
            }
            self.shared.statistics.set(statistics);

            // What the next cycle brings.
            let able = self.able(now + 1, timing);
            if now + 1 >= offering {
                offered += u64::from(able || rvalid);
            }
            if !rvalid {
                let burst = bursts.front().filter(|burst| able && burst.ready <= now + 1);
                rvalid = burst.is_some();
                match burst {
                    Some(burst) => self.present(burst),
                    None => self.withdraw(),
                }
            }
            arready =
                bursts.len() < timing.outstanding && !self.random.chance(timing.request_stall);
            self.arready.set(u64::from(arready));
        }
    }

    /// Whether the memory can deliver in a cycle.
    fn able(&mut self, cycle: u64, timing: MemoryTiming) -> bool {
        let refreshing = timing
            .refresh
            .is_some_and(|r| cycle % u64::from(r.interval.max(1)) < u64::from(r.cycles));
        !self.random.chance(timing.stall) && !refreshing
    }

    /// Nothing is offered. What else the bus says does not count then: the worst.
    fn withdraw(&self) {
        self.rvalid.set(0);
        self.rresp.set(2);
    }

    fn present(&self, burst: &Burst) {
        let memory = self.shared.memory.borrow();
        let bytes = memory.read(burst.address, self.beat);
        let failing = self.shared.failing.borrow();
        let response = match bytes {
            None => 3,
            Some(_) if failing.contains(&burst.address) => 2,
            Some(_) => 0,
        };
        self.rvalid.set(1);
        self.rresp.set(response);
        self.rlast.set(u64::from(burst.beats == 1));
        match bytes {
            Some(bytes) => self.rdata.set_bytes(bytes),
            // What a bus without a slave reads as.
            None => self.rdata.set_with(|to| to.fill(0xff)),
        }
    }

    fn request(&self, now: u64, timing: MemoryTiming) -> Result<Burst, Error> {
        let address = self.araddr.get();
        let beats = self.arlen.get() as u32 + 1;
        let bytes = 1_u64 << self.arsize.get();
        let rule = |rule: &str, found: String| Error::Protocol {
            channel: format!("{}_ar", self.name),
            cycle: now,
            rule: rule.to_owned(),
            found,
        };
        if self.arburst.get() != 1 {
            return Err(rule("bursts must be INCR (1)", format!("found {}", self.arburst.get())));
        }
        if bytes != self.beat as u64 {
            let found = format!("found {bytes} of {}", self.beat);
            return Err(rule("a beat must have the full width of the bus", found));
        }
        if !address.is_multiple_of(bytes) {
            return Err(rule(
                "the address must be a multiple of the beat",
                format!("found {address:#x}"),
            ));
        }
        let last = address + u64::from(beats) * bytes - 1;
        if address >> 12 != last >> 12 {
            let found = format!("found {address:#x}..={last:#x} in {beats} beats");
            return Err(rule("a burst must not cross 4 KiB", found));
        }
        Ok(Burst { address, beats, ready: now + u64::from(timing.latency.max(1)) })
    }

    fn check_held(
        &self,
        held: &mut Held,
        arvalid: bool,
        arready: bool,
        now: u64,
    ) -> Result<(), Error> {
        let payload = || {
            let [a, b] = [self.araddr.get(), self.arlen.get()].map(u64::to_le_bytes);
            [a, b].concat()
        };
        let broken =
            held.check(arvalid, arready, |before| before == payload(), |to| *to = payload());
        match broken {
            None => Ok(()),
            Some(found) => Err(Error::Protocol {
                channel: format!("{}_ar", self.name),
                cycle: now,
                rule: "valid and payload must hold until ready".to_owned(),
                found: found.to_owned(),
            }),
        }
    }
}
