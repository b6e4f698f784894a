//! Memory behind the client interface of the card: what `tt_memory` is to a unit, for tests of the
//! unit alone.
//!
//! Addresses have 40 bits: below bit 39 an offset in the image, with it an offset in the state.
//! Any number of clients share one [`ClientMemory`]. The agents are as unhelpful as the interface
//! allows: writes reach the bytes with their `done`, reads take them at the request or at the beat,
//! by chance, and data of writes are taken only once their request was.

use super::{Held, MemoryTiming};
use crate::{
    Error,
    seed::Random,
    sim::{Clock, Handle, Signal},
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

/// The bit of an address that says "state".
pub const STATE: u64 = 1 << 39;

/// Beats of the largest burst, and of the blocks that a burst must not leave.
const BLOCK: u64 = 16;

/// The two regions, shared by clients and test.
#[derive(Debug, Clone, Default)]
pub struct ClientMemory {
    shared: Rc<Regions>,
}

#[derive(Debug, Default)]
struct Regions {
    image: RefCell<Vec<u8>>,
    state: RefCell<Vec<u8>>,
    bad: Cell<u64>,
}

impl ClientMemory {
    /// Regions of these sizes, all zeros.
    pub fn new(image_bytes: usize, state_bytes: usize) -> Self {
        let region = |bytes| RefCell::new(vec![0; bytes]);
        let shared =
            Regions { image: region(image_bytes), state: region(state_bytes), bad: Cell::new(0) };
        ClientMemory { shared: Rc::new(shared) }
    }

    /// Fills both regions with random bytes.
    pub fn randomise(&self, seed: u64) {
        let mut random = Random::new(seed, "memory");
        for region in [&self.shared.image, &self.shared.state] {
            region.borrow_mut().iter_mut().for_each(|b| *b = random.bits() as u8);
        }
    }

    /// Writes bytes at an address, in the image too. They must lie in the region.
    pub fn write(&self, address: u64, bytes: &[u8]) {
        self.with(address, bytes.len(), |place| match place {
            Some(place) => place.copy_from_slice(bytes),
            None => panic!("{} bytes at {address:#x} are outside of the memory", bytes.len()),
        });
    }

    /// The bytes at an address. They must lie in the region.
    pub fn read(&self, address: u64, count: usize) -> Vec<u8> {
        self.with(address, count, |place| match place {
            Some(place) => place.to_vec(),
            None => panic!("{count} bytes at {address:#x} are outside of the memory"),
        })
    }

    /// Beats of clients outside of the regions, or writes to the image: such reads answer zeros,
    /// such writes are dropped.
    pub fn bad_accesses(&self) -> u64 {
        self.shared.bad.get()
    }

    fn with<T>(&self, address: u64, count: usize, f: impl FnOnce(Option<&mut [u8]>) -> T) -> T {
        let region = if address & STATE == 0 { &self.shared.image } else { &self.shared.state };
        let mut bytes = region.borrow_mut();
        let place = usize::try_from(address & !STATE)
            .ok()
            .and_then(|from| bytes.get_mut(from..from.checked_add(count)?));
        f(place)
    }

    fn note_bad(&self) {
        self.shared.bad.set(self.shared.bad.get() + 1);
    }

    fn copy(&self, address: u64, to: &mut [u8]) {
        let count = to.len();
        self.with(address, count, |place| match place {
            Some(place) => to.copy_from_slice(place),
            None => {
                to.fill(0);
                self.note_bad();
            }
        });
    }

    fn merge(&self, address: u64, data: &[u8], strobe: &[u8]) {
        self.with(address, data.len(), |place| match place {
            Some(place) if address & STATE != 0 => {
                for (i, (to, from)) in place.iter_mut().zip(data).enumerate() {
                    if strobe[i / 8] >> (i % 8) & 1 != 0 {
                        *to = *from;
                    }
                }
            }
            _ => self.note_bad(),
        });
    }
}

/// What a client asked for since reset or [`ReadClient::clear_statistics`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientStatistics {
    /// Requests taken.
    pub bursts: u64,
    /// Beats delivered to, or taken from, the client.
    pub beats: u64,
    /// The cycle in which the first request was taken.
    pub first_request: u64,
    /// The cycle of the last beat; of a write client, of the last `done`.
    pub last: u64,
    /// Requests that wait for data, or writes whose `done` is to come.
    pub pending: usize,
}

#[derive(Default)]
struct Shared {
    timing: Cell<MemoryTiming>,
    statistics: Cell<ClientStatistics>,
    reset: Cell<bool>,
    log: RefCell<Option<Vec<(u64, u32)>>>,
}

impl Shared {
    fn new(timing: MemoryTiming) -> Rc<Self> {
        Rc::new(Shared { timing: Cell::new(timing), ..Shared::default() })
    }

    fn update(&self, change: impl FnOnce(&mut ClientStatistics)) {
        let mut statistics = self.statistics.get();
        change(&mut statistics);
        self.statistics.set(statistics);
    }

    fn note_request(&self, now: u64, address: u64, beats: u32) {
        self.update(|s| {
            if s.bursts == 0 {
                s.first_request = now;
            }
            s.bursts += 1;
        });
        if let Some(log) = self.log.borrow_mut().as_mut() {
            log.push((address, beats));
        }
    }
}

macro_rules! controls {
    ($name:ident) => {
        impl $name {
            /// Counts since reset or the last [`Self::clear_statistics`].
            pub fn statistics(&self) -> ClientStatistics {
                self.shared.statistics.get()
            }

            /// Counts from zero.
            pub fn clear_statistics(&self) {
                self.shared.statistics.set(ClientStatistics::default());
            }

            /// Changes the timing, for the requests to come.
            pub fn set_timing(&self, timing: MemoryTiming) {
                self.shared.timing.set(timing);
            }

            /// Forgets all requests, for a reset of the design. While its port `rst_ni` is low, if
            /// it has one, this happens by itself.
            pub fn reset(&self) {
                self.shared.reset.set(true);
            }

            /// Keeps address and beats of every request from now on.
            pub fn record(&self) {
                *self.shared.log.borrow_mut() = Some(Vec::new());
            }

            /// The requests kept since [`Self::record`] or the last call.
            pub fn take_requests(&self) -> Vec<(u64, u32)> {
                self.shared.log.borrow_mut().as_mut().map(std::mem::take).unwrap_or_default()
            }
        }
    };
}

controls!(ReadClient);
controls!(WriteClient);

/// Checks a request channel: payload holds, burst is legal.
struct Requests {
    name: String,
    valid: Signal,
    ready: Signal,
    address: Signal,
    beats: Signal,
    /// The design's reset, if it has one.
    rst_n: Option<Signal>,
    is_ready: bool,
    held: Option<(u64, u64)>,
    beat: u64,
}

impl Requests {
    fn new(sim: &Handle, prefix: &str, beat: usize) -> Result<Self, Error> {
        let requests = Requests {
            name: prefix.to_owned(),
            valid: sim.signal(&format!("{prefix}_valid_o"))?.output(1)?,
            ready: sim.signal(&format!("{prefix}_ready_i"))?.input(1)?,
            address: sim.signal(&format!("{prefix}_address_o"))?.output(40)?,
            beats: sim.signal(&format!("{prefix}_beats_o"))?.output(5)?,
            rst_n: sim.signal("rst_ni").ok(),
            is_ready: false,
            held: None,
            beat: beat as u64,
        };
        requests.ready.set(0);
        Ok(requests)
    }

    fn reset(&mut self) {
        self.held = None;
        self.set_ready(false);
    }

    fn in_reset(&self) -> bool {
        self.rst_n.as_ref().is_some_and(|rst_n| !rst_n.high())
    }

    fn set_ready(&mut self, ready: bool) {
        if ready != self.is_ready {
            self.is_ready = ready;
            self.ready.set(u64::from(ready));
        }
    }

    /// At an edge: the request that is taken, if one is.
    fn take(&mut self, now: u64) -> Result<Option<(u64, u32)>, Error> {
        let valid = self.valid.high();
        if !valid {
            if self.held.is_some() {
                return Err(self.broken(now, "valid must hold until ready", "valid fell".into()));
            }
            return Ok(None);
        }
        let payload = (self.address.get(), self.beats.get());
        if let Some(held) = self.held.filter(|held| *held != payload) {
            let found = format!("{:#x}, {} beats, then {payload:#x?}", held.0, held.1);
            return Err(self.broken(now, "address and beats must hold until ready", found));
        }
        self.held = (!self.is_ready).then_some(payload);
        if !self.is_ready {
            return Ok(None);
        }
        let (address, beats) = payload;
        let found = || format!("found {address:#x}, {beats} beats");
        if !address.is_multiple_of(self.beat) {
            let rule = format!("the address must be a multiple of {}", self.beat);
            return Err(self.broken(now, &rule, found()));
        }
        if beats == 0 || beats > BLOCK {
            return Err(self.broken(now, "a burst has 1..=16 beats", found()));
        }
        let first = address / self.beat;
        if first / BLOCK != (first + beats - 1) / BLOCK {
            let rule = format!("a burst must not cross a multiple of {}", BLOCK * self.beat);
            return Err(self.broken(now, &rule, found()));
        }
        Ok(Some((address, beats as u32)))
    }

    #[cold]
    fn broken(&self, now: u64, rule: &str, found: String) -> Error {
        broken(&self.name, now, rule, found)
    }
}

#[cold]
fn broken(channel: &str, cycle: u64, rule: &str, found: String) -> Error {
    Error::Protocol { channel: channel.to_owned(), cycle, rule: rule.to_owned(), found }
}

fn refreshing(timing: &MemoryTiming, cycle: u64) -> bool {
    timing.refresh.is_some_and(|r| cycle % u64::from(r.interval.max(1)) < u64::from(r.cycles))
}

/// Memory behind a read client: `<prefix>_valid_o`, `_ready_i`, `_address_o`, `_beats_o`,
/// `_data_valid_i`, `_data_i`.
#[derive(Clone)]
pub struct ReadClient {
    shared: Rc<Shared>,
}

struct ReadBurst {
    address: u64,
    left: u32,
    ready: u64,
    /// The bytes as they were at the request, or empty: as they are at the beat.
    early: Vec<u8>,
}

impl ReadClient {
    /// Attaches memory to the read client `prefix` of a design.
    pub fn new(
        sim: &Handle,
        clock: &Clock,
        prefix: &str,
        memory: &ClientMemory,
        timing: MemoryTiming,
        seed: u64,
    ) -> Result<Self, Error> {
        let shared = Shared::new(timing);
        let data = sim.signal(&format!("{prefix}_data_i"))?.input(0)?;
        let valid = sim.signal(&format!("{prefix}_data_valid_i"))?.input(1)?;
        let requests = Requests::new(sim, prefix, data.bytes())?;
        let random = Random::new(seed, prefix);
        valid.set(0);
        let (task, handle, clock, memory) =
            (shared.clone(), sim.clone(), clock.clone(), memory.clone());
        sim.spawn(async move {
            if let Err(e) = serve(task, clock, memory, requests, random, valid, data).await {
                handle.fail(e);
            }
        });
        Ok(ReadClient { shared })
    }
}

async fn serve(
    shared: Rc<Shared>,
    clock: Clock,
    memory: ClientMemory,
    mut requests: Requests,
    mut random: Random,
    valid: Signal,
    data: Signal,
) -> Result<(), Error> {
    let beat = data.bytes();
    let mut bursts: VecDeque<ReadBurst> = VecDeque::new();
    let mut is_valid = false;
    loop {
        clock.rising_edge().await;
        let now = clock.cycle();
        let timing = shared.timing.get();
        if shared.reset.replace(false) || requests.in_reset() {
            bursts.clear();
            requests.reset();
            is_valid = false;
            valid.set(0);
            shared.statistics.set(ClientStatistics::default());
            continue;
        }
        if let Some((address, beats)) = requests.take(now)? {
            let mut early = Vec::new();
            if random.bits() & 1 == 0 {
                early.resize(beats as usize * beat, 0);
                for (i, to) in early.chunks_exact_mut(beat).enumerate() {
                    memory.copy(address + (i * beat) as u64, to);
                }
            }
            let ready = now + u64::from(timing.latency.max(1));
            bursts.push_back(ReadBurst { address, left: beats, ready, early });
            shared.note_request(now, address, beats);
        }
        let able = !random.chance(timing.stall) && !refreshing(&timing, now + 1);
        match bursts.front_mut().filter(|burst| able && burst.ready <= now + 1) {
            Some(burst) => {
                let from = burst.early.len().saturating_sub(burst.left as usize * beat);
                match burst.early.get(from..from + beat) {
                    Some(bytes) => data.set_bytes(bytes),
                    None => data.set_with(|to| memory.copy(burst.address, &mut to[..beat])),
                }
                valid.set(1);
                is_valid = true;
                burst.address += beat as u64;
                burst.left -= 1;
                if burst.left == 0 {
                    bursts.pop_front();
                }
                shared.update(|s| {
                    s.beats += 1;
                    s.last = now + 1;
                });
            }
            None if is_valid => {
                is_valid = false;
                valid.set(0);
                // What the bus shows between beats is nobody's business.
                data.set_with(|to| to.fill(0xa5));
            }
            None => {}
        }
        requests
            .set_ready(bursts.len() < timing.outstanding && !random.chance(timing.request_stall));
        shared.update(|s| s.pending = bursts.len());
    }
}

/// Memory behind a write client: `<prefix>_valid_o`, `_ready_i`, `_address_o`, `_beats_o`,
/// `_data_valid_o`, `_data_ready_i`, `_data_o`, `_strobe_o`, `_done_i`.
#[derive(Clone)]
pub struct WriteClient {
    shared: Rc<Shared>,
}

struct WriteBurst {
    address: u64,
    beats: usize,
    /// Data, then strobes, of each beat that came.
    data: Vec<u8>,
    strobe: Vec<u8>,
    /// The cycle in which it may be done, once its data are complete.
    done: Option<u64>,
}

struct WritePort {
    valid: Signal,
    ready: Signal,
    data: Signal,
    strobe: Signal,
    done: Signal,
}

impl WriteClient {
    /// Attaches memory to the write client `prefix` of a design. Of the timing, `stall` is the
    /// probability that a beat is not taken in a cycle and `latency` comes before `done`.
    pub fn new(
        sim: &Handle,
        clock: &Clock,
        prefix: &str,
        memory: &ClientMemory,
        timing: MemoryTiming,
        seed: u64,
    ) -> Result<Self, Error> {
        let shared = Shared::new(timing);
        let data = sim.signal(&format!("{prefix}_data_o"))?.output(0)?;
        let port = WritePort {
            valid: sim.signal(&format!("{prefix}_data_valid_o"))?.output(1)?,
            ready: sim.signal(&format!("{prefix}_data_ready_i"))?.input(1)?,
            strobe: sim.signal(&format!("{prefix}_strobe_o"))?.output(data.bytes() as u32)?,
            done: sim.signal(&format!("{prefix}_done_i"))?.input(1)?,
            data,
        };
        let requests = Requests::new(sim, prefix, port.data.bytes())?;
        let random = Random::new(seed, prefix);
        port.ready.set(0);
        port.done.set(0);
        let (task, handle, clock, memory) =
            (shared.clone(), sim.clone(), clock.clone(), memory.clone());
        sim.spawn(async move {
            if let Err(e) = absorb(task, clock, memory, requests, random, port).await {
                handle.fail(e);
            }
        });
        Ok(WriteClient { shared })
    }
}

async fn absorb(
    shared: Rc<Shared>,
    clock: Clock,
    memory: ClientMemory,
    mut requests: Requests,
    mut random: Random,
    port: WritePort,
) -> Result<(), Error> {
    let beat = port.data.bytes();
    let strobes = port.strobe.bytes();
    let mut bursts: VecDeque<WriteBurst> = VecDeque::new();
    let mut held = Held::default();
    let (mut is_ready, mut is_done) = (false, false);
    loop {
        clock.rising_edge().await;
        let now = clock.cycle();
        let timing = shared.timing.get();
        if shared.reset.replace(false) || requests.in_reset() {
            bursts.clear();
            requests.reset();
            held = Held::default();
            (is_ready, is_done) = (false, false);
            port.ready.set(0);
            port.done.set(0);
            shared.statistics.set(ClientStatistics::default());
            continue;
        }
        // A beat that is taken belongs to a request that was taken before this edge.
        let offered = port.valid.high();
        if offered || held.waiting {
            let equals = |before: &[u8]| {
                port.data.equals(&before[..beat]) && port.strobe.equals(&before[beat..])
            };
            let copy = |to: &mut Vec<u8>| {
                to.resize(beat + strobes, 0);
                port.data.get_bytes(&mut to[..beat]);
                port.strobe.get_bytes(&mut to[beat..]);
            };
            if let Some(found) = held.check(offered, is_ready, equals, copy) {
                let channel = format!("{}_data", requests.name);
                let rule = "valid, data and strobe must hold until ready";
                return Err(broken(&channel, now, rule, found.to_owned()));
            }
        }
        if offered && is_ready {
            let open = bursts.iter_mut().find(|burst| burst.done.is_none());
            let Some(burst) = open else { unreachable!("ready without a request") };
            let (data, strobe) = (burst.data.len(), burst.strobe.len());
            burst.data.resize(data + beat, 0);
            burst.strobe.resize(strobe + strobes, 0);
            port.data.get_bytes(&mut burst.data[data..]);
            port.strobe.get_bytes(&mut burst.strobe[strobe..]);
            if burst.data.len() == burst.beats * beat {
                burst.done = Some(now + u64::from(timing.latency.max(1)));
            }
            shared.update(|s| s.beats += 1);
        }
        if let Some((address, beats)) = requests.take(now)? {
            let beats_left = beats as usize;
            let (data, strobe) = (Vec::with_capacity(beats_left * beat), Vec::new());
            bursts.push_back(WriteBurst { address, beats: beats_left, data, strobe, done: None });
            shared.note_request(now, address, beats);
        }
        let due = bursts.front().and_then(|burst| burst.done).is_some_and(|at| at <= now + 1);
        let done = due && !random.chance(timing.stall);
        if done && let Some(burst) = bursts.pop_front() {
            let beats = burst.data.chunks_exact(beat).zip(burst.strobe.chunks_exact(strobes));
            for (i, (data, strobe)) in beats.enumerate() {
                memory.merge(burst.address + (i * beat) as u64, data, strobe);
            }
            shared.update(|s| s.last = now + 1);
        }
        if done != is_done {
            is_done = done;
            port.done.set(u64::from(done));
        }
        let open = bursts.iter().any(|burst| burst.done.is_none());
        let ready = open && !random.chance(timing.stall) && !refreshing(&timing, now + 1);
        if ready != is_ready {
            is_ready = ready;
            port.ready.set(u64::from(ready));
        }
        requests
            .set_ready(bursts.len() < timing.outstanding && !random.chance(timing.request_stall));
        shared.update(|s| s.pending = bursts.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_apart_and_the_image_is_read_only() {
        let memory = ClientMemory::new(256, 128);
        memory.write(0, &[1; 16]);
        memory.write(STATE, &[2; 16]);
        assert_eq!((memory.read(8, 1), memory.read(STATE + 8, 1)), (vec![1], vec![2]));
        memory.merge(STATE, &[9; 16], &[0x01, 0x80]);
        let mut want = [2; 16];
        (want[0], want[15]) = (9, 9);
        assert_eq!(memory.read(STATE, 16), want);
        memory.merge(0, &[9; 16], &[0xff, 0xff]);
        memory.merge(STATE + 120, &[9; 16], &[0xff, 0xff]);
        let mut zeros = [7; 16];
        memory.copy(248, &mut zeros);
        assert_eq!((memory.bad_accesses(), memory.read(0, 16), zeros), (3, vec![1; 16], [0; 16]));
    }
}
