//! The card's memory: all AXI4 ports of a card as one agent over one physical memory.
//!
//! ```text
//!  m_axi_ar*[p] ─► requests ─┐                  ┌─ Ideal: latency, random stalls
//!  m_axi_r* [p] ◄─ data ◄────┤ Schedule (when)  ┤
//!  m_axi_aw*[p], w* ─► ──────┤                  └─ Dram: buffers, controller, banks, data bus
//!  m_axi_b* [p] ◄─ answers ◄─┘
//!                   Store (what): regions of bytes, striped over the ports
//! ```
//!
//! The signals are packed vectors, a field a port. Timing is a model of its own ([`DramTiming`]),
//! which [`bare_reader`] also drives without a design: what a bare sequential reader gets. Bytes
//! take the hard road: a write is in memory with its response, and a read takes its bytes when it
//! is requested or when it is delivered, by chance.

mod channel;
mod schedule;
mod store;
mod timing;

pub use schedule::{BARE_DEPTH, BareReader, DramCounts, bare_reader, pattern};
pub use store::{Store, Striping};
pub use timing::{DramModel, DramTiming};

use super::{Held, response_name};
use crate::{
    Error,
    seed::Random,
    sim::{Clock, Handle, Signal},
};
use schedule::Schedule;
use std::{
    cell::{Cell, RefCell, RefMut},
    collections::{BTreeSet, VecDeque},
    rc::Rc,
};
use store::Place;

/// Most ports of a memory.
pub const MAX_PORTS: usize = 16;

/// What a memory has seen since [`AxiDram::clear_statistics`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DramStatistics {
    /// Read bursts, of all ports.
    pub read_bursts: u64,
    /// Read transfers delivered, of all ports.
    pub reads: u64,
    /// Write bursts.
    pub write_bursts: u64,
    /// Write transfers taken.
    pub writes: u64,
    /// Bursts answered by an error.
    pub errors: u64,
    /// The cycle in which the first request was taken.
    pub first_request: u64,
    /// The cycle of the last transfer or response.
    pub last: u64,
}

impl DramStatistics {
    /// Bytes moved.
    pub fn bytes(&self, port_bytes: usize) -> u64 {
        (self.reads + self.writes) * port_bytes as u64
    }
}

/// The memory behind a design's AXI4 ports `<name>_arvalid_o[p]`, `<name>_rdata_i`, ...
#[derive(Clone)]
pub struct AxiDram {
    shared: Rc<Shared>,
}

struct Shared {
    store: RefCell<Store>,
    striping: Striping,
    period_ps: u64,
    seed: u64,
    timing: Cell<DramTiming>,
    new_timing: Cell<bool>,
    failing: RefCell<BTreeSet<u64>>,
    fails: Cell<bool>,
    statistics: Cell<DramStatistics>,
    counts: Cell<DramCounts>,
    reset: Cell<bool>,
    idle: Cell<bool>,
    /// Bit p: a read transfer of port p was taken at this edge, or a write transfer.
    moved: Cell<(u32, u32)>,
}

impl AxiDram {
    /// Attaches memory to the ports `<name>_*` of a design. `period_ps` is the clock's, by which
    /// times of DRAM become cycles.
    pub fn new(
        sim: &Handle,
        clock: &Clock,
        name: &str,
        timing: DramTiming,
        period_ps: u64,
        seed: u64,
    ) -> Result<Self, Error> {
        let ports = Ports::new(sim, name)?;
        let striping = Striping { ports: ports.count, port_bytes: ports.bytes };
        let shared = Rc::new(Shared {
            store: RefCell::default(),
            striping,
            period_ps,
            seed,
            timing: Cell::new(timing),
            new_timing: Cell::new(false),
            failing: RefCell::default(),
            fails: Cell::new(false),
            statistics: Cell::default(),
            counts: Cell::default(),
            reset: Cell::new(false),
            idle: Cell::new(true),
            moved: Cell::default(),
        });
        let task = Task::new(clock.clone(), name, ports, shared.clone());
        let handle = sim.clone();
        sim.spawn(async move {
            if let Err(error) = task.run().await {
                handle.fail(error);
            }
        });
        Ok(AxiDram { shared })
    }

    /// The physical bytes.
    pub fn store(&self) -> RefMut<'_, Store> {
        self.shared.store.borrow_mut()
    }

    /// How logical bytes lie on the ports.
    pub fn striping(&self) -> Striping {
        self.shared.striping
    }

    /// Adds a region that holds logical bytes, striped, filled to `size` bytes with zeros; both are
    /// rounded up to whole blocks of 16 beats.
    pub fn load_logical(&self, base: u64, bytes: &[u8], size: usize) -> Result<(), Error> {
        let block = self.shared.striping.block_bytes();
        let mut striped = self.shared.striping.stripe(bytes);
        striped.resize(size.max(striped.len()).next_multiple_of(block), 0);
        self.store().add(base, striped)
    }

    /// Writes logical bytes at an offset of the region at `base`.
    pub fn write_logical(&self, base: u64, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let done = self.shared.striping.write(&mut self.store(), base, offset, bytes);
        done.then_some(()).ok_or_else(|| outside(base, offset, bytes.len()))
    }

    /// Reads logical bytes at an offset of the region at `base`.
    pub fn read_logical(&self, base: u64, offset: u64, count: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; count];
        let done = self.shared.striping.read(&mut self.store(), base, offset, &mut bytes);
        done.then_some(bytes).ok_or_else(|| outside(base, offset, count))
    }

    /// Answers a burst that touches the transfer at this physical address by SLVERR from now on: a
    /// read at that transfer, a write as a whole (and its bytes are not written).
    pub fn fail_at(&self, address: u64) {
        self.shared.failing.borrow_mut().insert(address);
        self.shared.fails.set(true);
    }

    /// Answers everything that it has by OKAY again.
    pub fn heal(&self) {
        self.shared.failing.borrow_mut().clear();
        self.shared.fails.set(false);
    }

    /// The timing.
    pub fn timing(&self) -> DramTiming {
        self.shared.timing.get()
    }

    /// Changes the timing; nothing may be under way.
    pub fn set_timing(&self, timing: DramTiming) {
        self.shared.timing.set(timing);
        self.shared.new_timing.set(true);
    }

    /// Forgets all requests, as a reset of the memory controller does. A design with a port `rst_ni`
    /// does not need it: the memory is in reset while that is low.
    pub fn reset(&self) {
        self.shared.reset.set(true);
    }

    /// Whether no request is under way.
    pub fn is_idle(&self) -> bool {
        self.shared.idle.get()
    }

    /// Counts since the last [`AxiDram::clear_statistics`].
    pub fn statistics(&self) -> DramStatistics {
        self.shared.statistics.get()
    }

    /// Counts from zero.
    pub fn clear_statistics(&self) {
        self.shared.statistics.set(DramStatistics::default());
    }

    /// What the DRAM did since the simulation began or the timing changed.
    pub fn dram_counts(&self) -> DramCounts {
        self.shared.counts.get()
    }

    /// The ports that moved a read transfer and a write transfer at the last edge, a bit a port.
    pub fn moved(&self) -> (u32, u32) {
        self.shared.moved.get()
    }

    /// What a bare sequential reader gets of this memory: `beats` beats in bursts of 16.
    pub fn bare_reader(&self, beats: u64) -> BareReader {
        let Striping { ports, port_bytes } = self.shared.striping;
        let timing = self.shared.timing.get();
        bare_reader(&timing, ports, port_bytes, self.shared.period_ps, beats, self.shared.seed)
    }
}

fn outside(base: u64, offset: u64, count: usize) -> Error {
    Error::Invalid {
        what: format!("{count} bytes at offset {offset:#x} of the region at {base:#x}"),
        expected: "bytes of a region of the memory".to_owned(),
        found: "bytes outside".to_owned(),
    }
}

/// An address or answer channel.
struct Channel {
    valid: Signal,
    ready: Signal,
}

struct Ports {
    count: usize,
    bytes: usize,
    /// The design's reset, if it has one: the memory is reset with it.
    rst_n: Option<Signal>,
    ar: Channel,
    araddr: Signal,
    arlen: Signal,
    arsize: Signal,
    arburst: Signal,
    r: Channel,
    rdata: Signal,
    rresp: Signal,
    rlast: Signal,
    aw: Channel,
    awaddr: Signal,
    awlen: Signal,
    awsize: Signal,
    awburst: Signal,
    w: Channel,
    wdata: Signal,
    wstrb: Signal,
    wlast: Signal,
    b: Channel,
    bresp: Signal,
    /// What every size and burst field must be, all ports.
    sizes: u64,
    incr: u64,
}

impl Ports {
    fn new(sim: &Handle, name: &str) -> Result<Self, Error> {
        let input = |part: &str, width| sim.signal(&format!("{name}_{part}_i"))?.input(width);
        let output = |part: &str, width| sim.signal(&format!("{name}_{part}_o"))?.output(width);
        let count = output("arvalid", 0)?.width();
        let rdata = input("rdata", 0)?;
        let bytes = rdata.bytes() / count as usize;
        if count as usize > MAX_PORTS || !bytes.is_power_of_two() || bytes < 8 {
            return Err(Error::Use {
                name: rdata.name().to_owned(),
                expected: format!("up to {MAX_PORTS} ports of 8, 16, 32, ... bytes"),
                found: format!("{count} of {bytes}"),
            });
        }
        // A field of `width` bits with this value for every port.
        let all = |value: u64, width| (0..count).fold(0, |sum, p| sum | value << (p * width));
        let ports = Ports {
            ar: Channel { valid: output("arvalid", count)?, ready: input("arready", count)? },
            araddr: output("araddr", 64 * count)?,
            arlen: output("arlen", 8 * count)?,
            arsize: output("arsize", 3 * count)?,
            arburst: output("arburst", 2 * count)?,
            r: Channel { valid: input("rvalid", count)?, ready: output("rready", count)? },
            rresp: input("rresp", 2 * count)?,
            rlast: input("rlast", count)?,
            aw: Channel { valid: output("awvalid", count)?, ready: input("awready", count)? },
            awaddr: output("awaddr", 64 * count)?,
            awlen: output("awlen", 8 * count)?,
            awsize: output("awsize", 3 * count)?,
            awburst: output("awburst", 2 * count)?,
            w: Channel { valid: output("wvalid", count)?, ready: input("wready", count)? },
            wdata: output("wdata", 8 * bytes as u32 * count)?,
            wstrb: output("wstrb", bytes as u32 * count)?,
            wlast: output("wlast", count)?,
            b: Channel { valid: input("bvalid", count)?, ready: output("bready", count)? },
            bresp: input("bresp", 2 * count)?,
            sizes: all(u64::from(bytes.trailing_zeros()), 3),
            incr: all(1, 2),
            rst_n: sim.signal("rst_ni").ok(),
            count: count as usize,
            bytes,
            rdata,
        };
        ports.quiet();
        Ok(ports)
    }

    fn quiet(&self) {
        let channels =
            [&self.ar.ready, &self.r.valid, &self.aw.ready, &self.w.ready, &self.b.valid];
        // Their payload too: the task writes what changes only.
        let payload = [&self.rresp, &self.rlast, &self.bresp];
        channels.into_iter().chain(payload).for_each(|signal| signal.set(0));
    }
}

/// A read burst that is under way.
struct Read {
    address: u64,
    beats: u32,
    done: u32,
    place: Option<Place>,
    /// Its bytes lie in the port's early bytes.
    early: bool,
}

struct Write {
    address: u64,
    beats: u32,
    place: Option<Place>,
}

/// A write whose data are complete.
struct Answer {
    write: Write,
    data: Vec<u8>,
    strobe: Vec<u8>,
}

#[derive(Default)]
struct Port {
    held: [Held; 3],
    reads: VecDeque<Read>,
    /// Bytes taken at the request, of the early reads in order.
    early: VecDeque<u8>,
    writes: VecDeque<Write>,
    /// Write data without a complete burst: data, strobes, last flags.
    data: Vec<u8>,
    strobe: Vec<u8>,
    lasts: VecDeque<bool>,
    answers: VecDeque<Answer>,
    spare: Vec<(Vec<u8>, Vec<u8>)>,
}

struct Task {
    clock: Clock,
    name: String,
    ports: Ports,
    shared: Rc<Shared>,
    random: Random,
    state: Vec<Port>,
    schedule: Schedule,
    /// What the agent drives, a bit a port.
    arready: u64,
    rvalid: u64,
    awready: u64,
    wready: u64,
    bvalid: u64,
    rlast: u64,
    rresp: u64,
    bresp: u64,
    statistics: DramStatistics,
}

impl Task {
    fn new(clock: Clock, name: &str, ports: Ports, shared: Rc<Shared>) -> Self {
        let schedule = Self::schedule(&shared, name);
        Task {
            clock,
            name: name.to_owned(),
            random: Random::new(shared.seed, name),
            state: (0..ports.count).map(|_| Port::default()).collect(),
            ports,
            shared,
            schedule,
            arready: 0,
            rvalid: 0,
            awready: 0,
            wready: 0,
            bvalid: 0,
            rlast: 0,
            rresp: 0,
            bresp: 0,
            statistics: DramStatistics::default(),
        }
    }

    fn schedule(shared: &Shared, name: &str) -> Schedule {
        let Striping { ports, port_bytes } = shared.striping;
        let random = Random::new(shared.seed ^ 0x5eed, name);
        Schedule::new(&shared.timing.get(), ports, port_bytes, shared.period_ps * 1000, random)
    }

    fn clear(&mut self) {
        self.state.iter_mut().for_each(|port| *port = Port::default());
        self.schedule = Self::schedule(&self.shared, &self.name);
        (self.arready, self.rvalid, self.awready) = (0, 0, 0);
        (self.wready, self.bvalid, self.rlast, self.rresp, self.bresp) = (0, 0, 0, 0, 0);
        self.ports.quiet();
        self.shared.idle.set(true);
        self.shared.moved.set((0, 0));
        self.shared.reset.set(false);
        self.shared.new_timing.set(false);
    }

    async fn run(mut self) -> Result<(), Error> {
        let mut resting = false;
        loop {
            self.clock.rising_edge().await;
            let in_reset = self.ports.rst_n.as_ref().is_some_and(|rst_n| !rst_n.high());
            if in_reset || self.shared.reset.get() || self.shared.new_timing.get() {
                self.clear();
                resting = false;
                continue;
            }
            let arvalid = self.ports.ar.valid.get();
            let awvalid = self.ports.aw.valid.get();
            let wvalid = self.ports.w.valid.get();
            if resting && arvalid | awvalid | wvalid == 0 {
                // Ready is high everywhere and stays so.
                if self.shared.moved.get() != (0, 0) {
                    self.shared.moved.set((0, 0));
                }
                continue;
            }
            let now = self.clock.cycle();
            self.statistics = self.shared.statistics.get();
            let reads = self.rvalid & self.ports.r.ready.get();
            let writes = wvalid & self.wready;
            self.take_requests(now, arvalid, awvalid)?;
            self.take_data(now, wvalid)?;
            self.complete(now, reads)?;
            let answered = self.bvalid & self.ports.b.ready.get();
            self.bvalid &= !answered;
            self.rvalid &= !reads;
            if reads | writes | answered != 0 {
                self.statistics.last = now;
                self.statistics.reads += u64::from(reads.count_ones());
                self.statistics.writes += u64::from(writes.count_ones());
            }
            self.shared.statistics.set(self.statistics);
            self.shared.moved.set((reads as u32, writes as u32));

            self.schedule.step(now);
            self.present(now, reads, answered);
            let nothing = self.schedule.idle()
                && self.rvalid | self.bvalid | arvalid | awvalid | wvalid == 0
                && self.state.iter().all(|p| p.writes.is_empty() && p.lasts.is_empty());
            resting = nothing && self.all_ready();
            if self.shared.idle.get() != nothing {
                self.shared.idle.set(nothing);
                self.shared.counts.set(self.schedule.counts());
            }
        }
    }

    fn all_ready(&self) -> bool {
        let all = (1_u64 << self.ports.count) - 1;
        self.arready == all && self.awready == all && self.wready == all
    }

    fn take_requests(&mut self, now: u64, arvalid: u64, awvalid: u64) -> Result<(), Error> {
        for p in 0..self.ports.count {
            let bit = 1 << p;
            let waits = self.state[p].held[0].waiting;
            if arvalid & bit != 0 || waits {
                let ports = &self.ports;
                let (valid, ready) = (arvalid & bit != 0, self.arready & bit != 0);
                let held = &mut self.state[p].held[0];
                check(held, valid, ready, p, &ports.araddr, &ports.arlen)
                    .map_err(|found| self.broken("ar", p, now, HOLD, found.to_owned()))?;
                if valid && ready {
                    self.take_read(now, p)?;
                }
            }
            let waits = self.state[p].held[1].waiting;
            if awvalid & bit != 0 || waits {
                let ports = &self.ports;
                let (valid, ready) = (awvalid & bit != 0, self.awready & bit != 0);
                let held = &mut self.state[p].held[1];
                check(held, valid, ready, p, &ports.awaddr, &ports.awlen)
                    .map_err(|found| self.broken("aw", p, now, HOLD, found.to_owned()))?;
                if valid && ready {
                    self.take_write(now, p)?;
                }
            }
        }
        Ok(())
    }

    fn take_read(&mut self, now: u64, p: usize) -> Result<(), Error> {
        let ports = &self.ports;
        let (address, beats) = (ports.araddr.get_at(8 * p, 8), ports.arlen.get_at(p, 1) as u32 + 1);
        let (size, burst) = (&ports.arsize, &ports.arburst);
        self.check_burst("ar", p, now, address, beats, size, burst)?;
        let count = beats as usize * self.ports.bytes;
        let mut store = self.shared.store.borrow_mut();
        let place = store.find(address, count);
        let early = place.is_some() && self.random.bits() & 1 == 0;
        if let Some(place) = place.filter(|_| early) {
            self.state[p].early.extend(store.bytes(place, 0, count));
        }
        drop(store);
        self.state[p].reads.push_back(Read { address, beats, done: 0, place, early });
        self.schedule.read(p, now, address, beats);
        self.note_request(now, place);
        self.statistics.read_bursts += 1;
        Ok(())
    }

    fn take_write(&mut self, now: u64, p: usize) -> Result<(), Error> {
        let ports = &self.ports;
        let (address, beats) = (ports.awaddr.get_at(8 * p, 8), ports.awlen.get_at(p, 1) as u32 + 1);
        let (size, burst) = (&ports.awsize, &ports.awburst);
        self.check_burst("aw", p, now, address, beats, size, burst)?;
        let place = self.shared.store.borrow_mut().find(address, beats as usize * self.ports.bytes);
        self.state[p].writes.push_back(Write { address, beats, place });
        self.note_request(now, place);
        self.statistics.write_bursts += 1;
        self.close_burst(now, p)
    }

    fn note_request(&mut self, now: u64, place: Option<Place>) {
        if self.statistics.read_bursts + self.statistics.write_bursts == 0 {
            self.statistics.first_request = now;
        }
        self.statistics.errors += u64::from(place.is_none());
    }

    #[allow(clippy::too_many_arguments)]
    fn check_burst(
        &self,
        channel: &str,
        p: usize,
        now: u64,
        address: u64,
        beats: u32,
        size: &Signal,
        burst: &Signal,
    ) -> Result<(), Error> {
        let bytes = self.ports.bytes as u64;
        let (sizes, bursts) = (size.get(), burst.get());
        if bursts != self.ports.incr || sizes != self.ports.sizes {
            let found = format!("size {sizes:#x} and burst {bursts:#x} of all ports");
            let rule = format!("every transfer has {bytes} bytes and every burst is INCR (1)");
            return Err(self.broken(channel, p, now, &rule, found));
        }
        let last = address + u64::from(beats) * bytes - 1;
        let found = || format!("found {address:#x}..={last:#x} in {beats} transfers");
        if beats > 16 {
            return Err(self.broken(channel, p, now, "a burst has 1..=16 transfers", found()));
        }
        if !address.is_multiple_of(bytes) {
            let rule = format!("the address must be a multiple of {bytes}");
            return Err(self.broken(channel, p, now, &rule, found()));
        }
        if address >> 12 != last >> 12 {
            return Err(self.broken(channel, p, now, "a burst must not cross 4 KiB", found()));
        }
        Ok(())
    }

    fn take_data(&mut self, now: u64, wvalid: u64) -> Result<(), Error> {
        let bytes = self.ports.bytes;
        for p in 0..self.ports.count {
            let (valid, ready) = (wvalid >> p & 1 != 0, self.wready >> p & 1 != 0);
            if !valid && !self.state[p].held[2].waiting {
                continue;
            }
            let (data, strobe, last) = (&self.ports.wdata, &self.ports.wstrb, &self.ports.wlast);
            let is_last = last.get() >> p & 1 != 0;
            let equals = |before: &[u8]| {
                data.equals_at(p * bytes, &before[..bytes])
                    && strobe.equals_at(p * bytes / 8, &before[bytes..bytes + bytes / 8])
                    && before[bytes + bytes / 8] == u8::from(is_last)
            };
            let copy = |to: &mut Vec<u8>| {
                to.resize(bytes + bytes / 8 + 1, 0);
                data.copy_at(p * bytes, &mut to[..bytes]);
                strobe.copy_at(p * bytes / 8, &mut to[bytes..bytes + bytes / 8]);
                to[bytes + bytes / 8] = u8::from(is_last);
            };
            let port = &mut self.state[p];
            if let Some(found) = port.held[2].check(valid, ready, equals, copy) {
                return Err(self.broken("w", p, now, HOLD, found.to_owned()));
            }
            if valid && ready {
                let (at, mask) = (port.data.len(), port.strobe.len());
                port.data.resize(at + bytes, 0);
                port.strobe.resize(mask + bytes / 8, 0);
                data.copy_at(p * bytes, &mut port.data[at..]);
                strobe.copy_at(p * bytes / 8, &mut port.strobe[mask..]);
                port.lasts.push_back(is_last);
                self.schedule.take_data(p);
                self.close_burst(now, p)?;
            }
        }
        Ok(())
    }

    /// The oldest write burst, if all its data are there.
    fn close_burst(&mut self, now: u64, p: usize) -> Result<(), Error> {
        let bytes = self.ports.bytes;
        let port = &mut self.state[p];
        let Some(write) = port.writes.front() else { return Ok(()) };
        let beats = write.beats as usize;
        let here = beats.min(port.lasts.len());
        if let Some(at) = (0..here).find(|&i| port.lasts[i] != (i + 1 == beats)) {
            let found = format!("wlast is {} at transfer {at} of {beats}", port.lasts[at]);
            return Err(self.broken(
                "w",
                p,
                now,
                "wlast marks the last transfer of a burst",
                found,
            ));
        }
        if here < beats {
            return Ok(());
        }
        let Some(write) = port.writes.pop_front() else { return Ok(()) };
        port.lasts.drain(..beats);
        let (mut data, mut strobe) = port.spare.pop().unwrap_or_default();
        data.clear();
        strobe.clear();
        data.extend(port.data.drain(..beats * bytes));
        strobe.extend(port.strobe.drain(..beats * bytes / 8));
        self.schedule.write(p, now, write.address, write.beats);
        port.answers.push_back(Answer { write, data, strobe });
        self.close_burst(now, p)
    }

    /// Read transfers that were taken at this edge.
    fn complete(&mut self, now: u64, mut taken: u64) -> Result<(), Error> {
        while taken != 0 {
            let p = taken.trailing_zeros() as usize;
            taken &= taken - 1;
            let port = &mut self.state[p];
            let Some(read) = port.reads.front_mut() else {
                let rule = "a transfer belongs to a burst";
                return Err(self.broken("r", p, now, rule, "none is under way".to_owned()));
            };
            read.done += 1;
            if read.done == read.beats {
                port.reads.pop_front();
            }
        }
        Ok(())
    }

    /// What the next cycle brings.
    fn present(&mut self, now: u64, taken: u64, answered: u64) {
        let (rvalid, bvalid) = (self.rvalid, self.bvalid);
        let (arready, awready, wready) = (self.arready, self.awready, self.wready);
        let (rresp, rlast, bresp) = (self.rresp, self.rlast, self.bresp);
        for p in 0..self.ports.count {
            let bit = 1 << p;
            if self.rvalid & bit == 0
                && !self.state[p].reads.is_empty()
                && self.schedule.deliver(p, now)
            {
                self.rvalid |= bit;
                self.present_read(p);
            }
            if self.bvalid & bit == 0
                && !self.state[p].answers.is_empty()
                && self.schedule.respond(p, now)
            {
                self.bvalid |= bit;
                self.present_answer(p);
            }
            set_bit(&mut self.arready, bit, self.schedule.accepts_read(p));
            set_bit(&mut self.awready, bit, self.schedule.accepts_write(p));
            set_bit(&mut self.wready, bit, self.schedule.accepts_data(p));
        }
        let ports = &self.ports;
        let changes = [
            (&ports.r.valid, rvalid | taken, self.rvalid),
            (&ports.b.valid, bvalid | answered, self.bvalid),
            (&ports.ar.ready, arready, self.arready),
            (&ports.aw.ready, awready, self.awready),
            (&ports.w.ready, wready, self.wready),
            (&ports.rresp, rresp, self.rresp),
            (&ports.rlast, rlast, self.rlast),
            (&ports.bresp, bresp, self.bresp),
        ];
        for (signal, before, after) in changes {
            if before != after {
                signal.set(after);
            }
        }
    }

    fn present_read(&mut self, p: usize) {
        let bytes = self.ports.bytes;
        let port = &mut self.state[p];
        let Some(read) = port.reads.front() else { return };
        let address = read.address + u64::from(read.done) * bytes as u64;
        let last = read.done + 1 == read.beats;
        let mut response = 0;
        self.ports.rdata.set_with(|to| {
            let to = &mut to[p * bytes..][..bytes];
            match read.place {
                Some(_) if read.early => {
                    let from = port.early.drain(..bytes);
                    to.iter_mut().zip(from).for_each(|(to, from)| *to = from);
                }
                Some(place) => {
                    let store = self.shared.store.borrow();
                    to.copy_from_slice(store.bytes(place, read.done as usize * bytes, bytes));
                }
                None => {
                    // What a bus without a slave reads as.
                    to.fill(0xff);
                    response = 3;
                }
            }
        });
        if self.shared.fails.get() && self.fails(address, bytes as u64) {
            response = response.max(2);
        }
        set_bit(&mut self.rlast, 1 << p, last);
        self.rresp = self.rresp & !(3 << (2 * p)) | response << (2 * p);
    }

    /// The bytes of a write reach memory with its response.
    fn present_answer(&mut self, p: usize) {
        let Some(Answer { write, data, strobe }) = self.state[p].answers.pop_front() else {
            return;
        };
        let bytes = self.ports.bytes as u64;
        let mut response = if write.place.is_none() { 3 } else { 0 };
        if self.shared.fails.get() && self.fails(write.address, u64::from(write.beats) * bytes) {
            response = response.max(2);
        }
        if let Some(place) = write.place.filter(|_| response == 0) {
            self.shared.store.borrow_mut().merge(place, &data, &strobe);
        }
        self.state[p].spare.push((data, strobe));
        self.bresp = self.bresp & !(3 << (2 * p)) | response << (2 * p);
    }

    #[cold]
    fn fails(&self, address: u64, bytes: u64) -> bool {
        self.shared.failing.borrow().range(address..address + bytes).next().is_some()
    }

    #[cold]
    fn broken(&self, channel: &str, p: usize, now: u64, rule: &str, found: String) -> Error {
        Error::Protocol {
            channel: format!("{}_{channel}[{p}]", self.name),
            cycle: now,
            rule: rule.to_owned(),
            found,
        }
    }
}

const HOLD: &str = "valid and payload must hold until ready";

fn set_bit(word: &mut u64, bit: u64, value: bool) {
    if value {
        *word |= bit;
    } else {
        *word &= !bit;
    }
}

/// Checks that address and length of port `p` hold.
fn check(
    held: &mut Held,
    valid: bool,
    ready: bool,
    p: usize,
    address: &Signal,
    length: &Signal,
) -> Result<(), &'static str> {
    let equals = |before: &[u8]| {
        address.equals_at(8 * p, &before[..8]) && length.equals_at(p, &before[8..9])
    };
    let copy = |to: &mut Vec<u8>| {
        to.resize(9, 0);
        address.copy_at(8 * p, &mut to[..8]);
        length.copy_at(p, &mut to[8..]);
    };
    match held.check(valid, ready, equals, copy) {
        Some(found) => Err(found),
        None => Ok(()),
    }
}

/// The name of a response, for reports.
pub fn name_of_response(response: u64) -> &'static str {
    response_name(response)
}
