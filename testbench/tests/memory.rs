//! The memory system: random clients against a model of the memory, with every AXI channel
//! stalling, errors, halt, resets in the middle, and how many beats a cycle it moves.

use std::collections::{BTreeMap, VecDeque};
use terntable_testbench::{
    Clock, Sim,
    build::ModelSpec,
    seed::{Random, seed},
    sim::{Signal, SimOptions, trace_from_env},
};

const PORT_BYTES: usize = 16;
const READERS: usize = 3;
const WRITERS: usize = 2;
const STATE: u64 = 1 << 39;
const BLOCK: u64 = 16; // beats

/// Error kinds of `tt_memory_pkg`.
const READ: u64 = 1;
const WRITE: u64 = 2;
const SHAPE: u64 = 3;
const READ_RESPONSE: u64 = 4;
const WRITE_RESPONSE: u64 = 5;

#[derive(Debug, Clone, Copy)]
struct Timing {
    latency: u64,
    /// Probabilities that a channel is not there in a cycle.
    ar: f64,
    r: f64,
    aw: f64,
    w: f64,
    b: f64,
    /// 1: AW waits for W, 2: W waits for AW.
    order: u8,
}

const IDEAL: Timing = Timing { latency: 1, ar: 0.0, r: 0.0, aw: 0.0, w: 0.0, b: 0.0, order: 0 };

struct ReadBurst {
    address: u64,
    left: u64,
    ready: u64,
}

/// The slave behind one AXI port.
#[derive(Default)]
struct Port {
    reads: VecDeque<ReadBurst>,
    rvalid: bool,
    awaiting: VecDeque<(u64, u64)>,
    words: VecDeque<(Vec<u8>, u64, bool)>,
    answers: VecDeque<(u64, u64)>,
    bvalid: bool,
    ready: [bool; 3],
    held: [Option<Vec<u8>>; 3],
}

#[derive(Debug, Clone, PartialEq)]
enum Expected {
    Bytes(Vec<u8>),
    Zeros,
    Either(Vec<u8>),
}

/// What a read client does by itself.
#[derive(Default)]
struct Reader {
    request: Option<(u64, u64)>,
    /// Beats that are to come: what, the block to unlock after it, the cycle of the request.
    expected: VecDeque<(Expected, Option<u64>, u64)>,
    beats: u64,
    /// Longest time from a request's first cycle to its last beat.
    slowest: u64,
    asked: u64,
}

struct WriteBurst {
    address: u64,
    beats: Vec<(Vec<u8>, u64)>,
    /// Some: it must be in memory, or must not; None: either.
    real: Option<bool>,
    taken: bool,
    given: usize,
}

#[derive(Default)]
struct Writer {
    bursts: VecDeque<WriteBurst>,
    request: bool,
    data: bool,
    beats: u64,
}

struct Bench {
    clock: Clock,
    signals: BTreeMap<String, Signal>,
    random: Random,
    ports: usize,
    beat: usize,
    timing: Timing,
    image_base: u64,
    state_base: u64,
    image: Vec<u8>,
    state: Vec<u8>,
    /// Physical bytes: image, state.
    physical: [Vec<u8>; 2],
    axi: Vec<Port>,
    readers: Vec<Reader>,
    writers: Vec<Writer>,
    /// Blocks of the state that reads, writes of this bench hold.
    reading: BTreeMap<u64, u32>,
    writing: BTreeMap<u64, u32>,
    failing: Vec<u64>,
    errors: Vec<(u64, u64)>,
    expected_errors: Vec<(u64, u64)>,
    halt: bool,
    halted_since: u64,
    counted: [u64; 2],
    requests: u64,
}

impl Bench {
    fn new(ports: usize, blocks: u64, timing: Timing, purpose: &str) -> (Sim, Bench) {
        let trace = trace_from_env();
        let built = ModelSpec::terntable("tt_memory")
            .parameter("ReadClients", READERS as u64)
            .parameter("WriteClients", WRITERS as u64)
            .parameter("Stream", 0)
            .parameter("Ports", ports as u64)
            .parameter("PortBytes", PORT_BYTES as u64)
            .trace(trace.is_some())
            .build()
            .unwrap();
        let sim = Sim::open(&built, &SimOptions { seed: seed(), trace }).unwrap();
        let clock = sim.clock("clk_i", 1000).unwrap();
        let mut random = Random::new(seed(), purpose);
        let names = "rst_ni halt_i image_base_i image_bytes_i state_base_i state_bytes_i rd_valid_i \
            rd_ready_o rd_address_i rd_beats_i rd_data_valid_o rd_data_o wr_valid_i wr_ready_o \
            wr_address_i wr_beats_i wr_data_valid_i wr_data_ready_o wr_data_i wr_strobe_i wr_done_o \
            m_axi_arvalid_o m_axi_arready_i m_axi_araddr_o m_axi_arlen_o m_axi_arsize_o \
            m_axi_arburst_o m_axi_rvalid_i m_axi_rready_o m_axi_rdata_i m_axi_rresp_i m_axi_rlast_i \
            m_axi_awvalid_o m_axi_awready_i m_axi_awaddr_o m_axi_awlen_o m_axi_awsize_o \
            m_axi_awburst_o m_axi_wvalid_o m_axi_wready_i m_axi_wdata_o m_axi_wstrb_o m_axi_wlast_o \
            m_axi_bvalid_i m_axi_bready_o m_axi_bresp_i error_o error_kind_o error_address_o \
            read_beat_o write_beat_o idle_o";
        let signals =
            names.split_whitespace().map(|n| (n.to_owned(), sim.signal(n).unwrap())).collect();
        let beat = ports * PORT_BYTES;
        let bytes = (blocks * BLOCK) as usize * beat;
        let mut bytes_of = |n: usize| (0..n).map(|_| random.bits() as u8).collect::<Vec<u8>>();
        let (image, state) = (bytes_of(bytes), bytes_of(bytes));
        let block_bytes = BLOCK * beat as u64;
        let mut bench = Bench {
            image_base: 0x8_0000_0000 + 3 * block_bytes,
            state_base: 0x12_3400_0000 + 5 * block_bytes,
            physical: [vec![0; bytes], vec![0; bytes]],
            axi: (0..ports).map(|_| Port::default()).collect(),
            readers: (0..READERS).map(|_| Reader::default()).collect(),
            writers: (0..WRITERS).map(|_| Writer::default()).collect(),
            reading: BTreeMap::new(),
            writing: BTreeMap::new(),
            failing: Vec::new(),
            errors: Vec::new(),
            expected_errors: Vec::new(),
            halt: false,
            halted_since: 0,
            counted: [0; 2],
            requests: 0,
            clock,
            signals,
            random,
            ports,
            beat,
            timing,
            image,
            state,
        };
        for offset in 0..bytes {
            let at = bench.place(offset as u64) as usize;
            bench.physical[0][at] = bench.image[offset];
            bench.physical[1][at] = bench.state[offset];
        }
        (sim, bench)
    }

    fn s(&self, name: &str) -> &Signal {
        &self.signals[name]
    }

    /// The striping: physical offset of a logical offset.
    fn place(&self, offset: u64) -> u64 {
        let (beat, port) = (self.beat as u64, PORT_BYTES as u64);
        let (block, in_block) = (offset / (BLOCK * beat), offset % (BLOCK * beat));
        let (i, b) = (in_block / beat, in_block % beat);
        block * BLOCK * beat + b / port * BLOCK * port + i * port + b % port
    }

    fn logical(&self, region: usize, offset: u64) -> Vec<u8> {
        (0..self.beat as u64)
            .map(|b| self.physical[region][self.place(offset + b) as usize])
            .collect()
    }

    fn field(&self, name: &str, index: usize, bits: usize) -> u64 {
        let mut bytes = [0; 64];
        self.s(name).get_bytes(&mut bytes);
        (0..bits).fold(0, |v, i| {
            let at = index * bits + i;
            v | u64::from(bytes[at / 8] >> (at % 8) & 1) << i
        })
    }

    async fn reset(&mut self) {
        self.s("rst_ni").set(0);
        for name in [
            "rd_valid_i",
            "wr_valid_i",
            "wr_data_valid_i",
            "m_axi_rvalid_i",
            "m_axi_bvalid_i",
            "m_axi_arready_i",
            "m_axi_awready_i",
            "m_axi_wready_i",
        ] {
            self.s(name).set(0);
        }
        let (blocks, halt) = (self.image.len() as u64, self.halt);
        self.s("image_base_i").set(self.image_base + 7);
        self.s("state_base_i").set(self.state_base + 9);
        self.s("image_bytes_i").set(blocks + 5);
        self.s("state_bytes_i").set(blocks + 3);
        self.s("halt_i").set(u64::from(halt));
        self.axi = (0..self.ports).map(|_| Port::default()).collect();
        self.readers = (0..READERS).map(|_| Reader::default()).collect();
        self.writers = (0..WRITERS).map(|_| Writer::default()).collect();
        self.reading.clear();
        self.writing.clear();
        self.errors.clear();
        self.expected_errors.clear();
        self.counted = [0; 2];
        let cycles = self.random.range(1, 4);
        self.clock.cycles(cycles).await;
        self.s("rst_ni").set(1);
    }

    fn set_halt(&mut self, halt: bool) {
        self.halt = halt;
        self.halted_since = self.clock.cycle();
        self.s("halt_i").set(u64::from(halt));
        // What is asked for and not answered yet may go either way.
        if halt {
            for reader in &mut self.readers {
                for (expected, _, _) in &mut reader.expected {
                    if let Expected::Bytes(bytes) = expected.clone() {
                        *expected = Expected::Either(bytes);
                    }
                }
            }
            for writer in &mut self.writers {
                for burst in &mut writer.bursts {
                    if burst.taken && burst.real == Some(true) {
                        burst.real = None;
                    }
                }
            }
        }
    }

    /// Whether an access is allowed, and the error it gives.
    fn check(&self, address: u64, beats: u64, write: bool) -> Option<u64> {
        let (beat, offset) = (self.beat as u64, address % STATE);
        if !address.is_multiple_of(beat) || (address / beat % BLOCK) + beats > BLOCK {
            return Some(SHAPE);
        }
        let outside = offset >= self.image.len() as u64;
        if write && (address < STATE || outside) {
            return Some(WRITE);
        }
        (!write && outside).then_some(READ)
    }

    /// Offers a read of a client that has no request waiting.
    fn ask(&mut self, client: usize, address: u64, beats: u64) {
        self.requests += 1;
        self.readers[client].request = Some((address, beats));
        self.readers[client].asked = self.clock.cycle();
        let block = address / (BLOCK * self.beat as u64);
        if address >= STATE {
            *self.reading.entry(block).or_default() += 1;
        }
        self.drive_requests();
    }

    fn give(&mut self, client: usize, address: u64, beats: Vec<(Vec<u8>, u64)>) {
        self.requests += 1;
        *self.writing.entry(address / (BLOCK * self.beat as u64)).or_default() += 1;
        let burst = WriteBurst { address, beats, real: None, taken: false, given: 0 };
        self.writers[client].bursts.push_back(burst);
    }

    fn drive_requests(&mut self) {
        let (mut valid, mut address, mut beats) = (0, vec![0_u8; 5 * READERS], 0);
        for (c, reader) in self.readers.iter().enumerate() {
            // What is not valid is noise.
            let noise = (self.random.bits() >> 24, 1 + self.random.bits() % 16);
            let (a, n) = reader.request.unwrap_or(noise);
            valid |= u64::from(reader.request.is_some()) << c;
            address[5 * c..5 * c + 5].copy_from_slice(&a.to_le_bytes()[..5]);
            beats |= n << (5 * c);
        }
        self.s("rd_valid_i").set(valid);
        self.s("rd_address_i").set_bytes(&address);
        self.s("rd_beats_i").set(beats);
    }

    fn drive_writers(&mut self, stall: f64) {
        let beat = self.beat;
        let (mut valid, mut address, mut beats) = (0, vec![0_u8; 5 * WRITERS], 0);
        let (mut data_valid, mut data) = (0, vec![0_u8; beat * WRITERS]);
        let mut strobes = vec![0_u8; (beat * WRITERS).div_ceil(8)];
        for c in 0..WRITERS {
            let pause = [self.random.chance(stall), self.random.chance(stall)];
            let writer = &mut self.writers[c];
            let next = writer.bursts.iter().find(|b| !b.taken);
            writer.request = next.is_some() && (writer.request || !pause[0]);
            if let (true, Some(burst)) = (writer.request, next) {
                valid |= 1 << c;
                address[5 * c..5 * c + 5].copy_from_slice(&burst.address.to_le_bytes()[..5]);
                beats |= (burst.beats.len() as u64) << (5 * c);
            }
            let next = writer.bursts.iter().find(|b| b.given < b.beats.len());
            writer.data = next.is_some() && (writer.data || !pause[1]);
            if let (true, Some(burst)) = (writer.data, next) {
                data_valid |= 1 << c;
                let (bytes, strobe) = &burst.beats[burst.given];
                data[beat * c..beat * (c + 1)].copy_from_slice(bytes);
                let n = beat / 8;
                strobes[n * c..n * (c + 1)].copy_from_slice(&strobe.to_le_bytes()[..n]);
            }
        }
        self.s("wr_valid_i").set(valid);
        self.s("wr_address_i").set_bytes(&address);
        self.s("wr_beats_i").set(beats);
        self.s("wr_data_valid_i").set(data_valid);
        self.s("wr_data_i").set_bytes(&data);
        self.s("wr_strobe_i").set_bytes(&strobes);
    }

    /// One cycle: what happened at the edge, and what the next cycle brings.
    async fn step(&mut self, client_stall: f64) {
        self.clock.rising_edge().await;
        let now = self.clock.cycle();
        let beat = self.beat as u64;
        self.counted[0] += self.s("read_beat_o").get();
        self.counted[1] += self.s("write_beat_o").get();
        if self.s("error_o").high() {
            let error = (self.s("error_kind_o").get(), self.s("error_address_o").get());
            self.errors.push(error);
        }

        let asked = self.readers.iter().any(|r| !r.expected.is_empty());
        let given = self.writers.iter().any(|w| w.bursts.iter().any(|b| b.taken));
        assert!(!(asked || given) || !self.s("idle_o").high(), "cycle {now}: idle and in flight");

        // Read clients.
        let (ready, data_valid) = (self.s("rd_ready_o").get(), self.s("rd_data_valid_o").get());
        assert!(ready.count_ones() <= 1 && data_valid.count_ones() <= 1, "cycle {now}");
        let mut found = vec![0; self.beat];
        self.s("rd_data_o").get_bytes(&mut found);
        for c in 0..READERS {
            if data_valid >> c & 1 == 1 {
                let next = self.readers[c].expected.pop_front();
                let (expected, unlock, asked) = next
                    .unwrap_or_else(|| panic!("cycle {now}: a beat nobody asked for, client {c}"));
                let zeros = found.iter().all(|b| *b == 0);
                let fine = match &expected {
                    Expected::Bytes(bytes) => found == *bytes,
                    Expected::Zeros => zeros,
                    Expected::Either(bytes) => zeros || found == *bytes,
                };
                assert!(
                    fine,
                    "cycle {now}, read client {c}: expected {expected:x?}, found {found:x?}"
                );
                if let Some(block) = unlock {
                    unlock_block(&mut self.reading, block);
                }
                let reader = &mut self.readers[c];
                reader.beats += 1;
                reader.slowest = reader.slowest.max(now - asked);
            }
            if let (1, Some((address, beats))) = (ready >> c & 1, self.readers[c].request) {
                self.readers[c].request = None;
                let error = self.check(address, beats, false);
                if let (Some(kind), false) = (error, self.halt) {
                    self.expected_errors.push((kind, address));
                }
                let (region, offset) = ((address >> 39) as usize, address % STATE);
                for i in 0..beats {
                    let expected = match error {
                        Some(_) => Expected::Zeros,
                        None if self.halt => Expected::Zeros,
                        None => Expected::Bytes(self.logical(region, offset + i * beat)),
                    };
                    let unlock =
                        (address >= STATE && i + 1 == beats).then_some(address / (BLOCK * beat));
                    let asked = self.readers[c].asked;
                    self.readers[c].expected.push_back((expected, unlock, asked));
                }
            }
        }

        // Write clients.
        let ready = self.s("wr_ready_o").get();
        let (data_ready, done) = (self.s("wr_data_ready_o").get(), self.s("wr_done_o").get());
        for c in 0..WRITERS {
            if ready >> c & 1 == 1 && self.writers[c].request {
                let index = self.writers[c].bursts.iter().position(|b| !b.taken).unwrap();
                let (address, beats) = {
                    let b = &self.writers[c].bursts[index];
                    (b.address, b.beats.len() as u64)
                };
                let error = self.check(address, beats, true);
                if let (Some(kind), false) = (error, self.halt) {
                    self.expected_errors.push((kind, address));
                }
                let real = error.is_none() && !self.halt;
                let burst = &mut self.writers[c].bursts[index];
                (burst.taken, burst.real) = (true, Some(real));
                self.writers[c].request = false;
            }
            if data_ready >> c & 1 == 1 && self.writers[c].data {
                let burst = self.writers[c].bursts.iter_mut().find(|b| b.given < b.beats.len());
                let burst = burst.unwrap();
                assert!(burst.taken, "cycle {now}: data taken of a burst that was not");
                burst.given += 1;
                (self.writers[c].data, self.writers[c].beats) = (false, self.writers[c].beats + 1);
            }
            if done >> c & 1 == 1 {
                let burst = self.writers[c].bursts.pop_front().expect("an answer to nothing");
                assert!(burst.taken && burst.given == burst.beats.len(), "answered too early");
                self.answered(&burst, now);
            }
        }

        self.axi_step(now);
        if self.readers.iter().any(|r| r.request.is_some()) || self.s("rd_valid_i").get() != 0 {
            self.drive_requests();
        }
        self.drive_writers(client_stall);
    }

    /// A burst of writes is answered: it is in memory, or left no trace.
    fn answered(&mut self, burst: &WriteBurst, now: u64) {
        let (beat, offset) = (self.beat, (burst.address % STATE) as usize);
        unlock_block(&mut self.writing, burst.address / (BLOCK * beat as u64));
        if burst.real == Some(false) {
            return; // where it would have gone is compared at the end
        }
        let mut after = Vec::new();
        for (i, (bytes, strobe)) in burst.beats.iter().enumerate() {
            let old = &self.state[offset + i * beat..offset + (i + 1) * beat];
            let merged = bytes.iter().zip(old).enumerate();
            after
                .extend(merged.map(|(b, (new, old))| if strobe >> b & 1 == 1 { new } else { old }));
        }
        let end = offset + after.len();
        let found: Vec<u8> = (0..burst.beats.len())
            .flat_map(|i| self.logical(1, (offset + i * beat) as u64))
            .collect();
        if burst.real == Some(true) || found != self.state[offset..end] {
            assert!(
                found == after,
                "cycle {now}: a burst to {:#x} is not in memory",
                burst.address
            );
            self.state[offset..end].copy_from_slice(&after);
        }
    }

    fn axi_step(&mut self, now: u64) {
        let mut axi = std::mem::take(&mut self.axi);
        let (mut arready, mut rvalid, mut rresp, mut rlast) = (0, 0, 0, 0);
        let (mut awready, mut wready, mut bvalid, mut bresp) = (0, 0, 0, 0);
        let mut rdata = vec![0_u8; self.beat];
        for (p, port) in axi.iter_mut().enumerate() {
            // Rules of the channels the design drives.
            let valid =
                ["ar", "aw", "w"].map(|c| self.s(&format!("m_axi_{c}valid_o")).get() >> p & 1 == 1);
            for (c, name) in ["ar", "aw", "w"].iter().enumerate() {
                let payload = if *name == "w" {
                    let mut data = vec![0; self.beat];
                    self.s("m_axi_wdata_o").get_bytes(&mut data);
                    let mut payload = data[PORT_BYTES * p..PORT_BYTES * (p + 1)].to_vec();
                    payload.extend(self.field("m_axi_wstrb_o", p, PORT_BYTES).to_le_bytes());
                    payload.push(self.field("m_axi_wlast_o", p, 1) as u8);
                    payload
                } else {
                    let mut payload =
                        self.field(&format!("m_axi_{name}addr_o"), p, 64).to_le_bytes().to_vec();
                    payload.push(self.field(&format!("m_axi_{name}len_o"), p, 8) as u8);
                    payload
                };
                if let Some(held) = &port.held[c] {
                    assert!(
                        valid[c] && *held == payload,
                        "cycle {now}: {name} of port {p} did not hold"
                    );
                }
                let fresh = valid[c] && port.held[c].is_none();
                let late = self.halt && now > self.halted_since + 3;
                assert!(
                    !fresh || !late || *name == "w",
                    "cycle {now}: {name} of a new burst while halted"
                );
                port.held[c] = (valid[c] && !port.ready[c]).then(|| payload.clone());
                if !(valid[c] && port.ready[c]) {
                    continue;
                }
                if *name == "w" {
                    let strobe =
                        u64::from_le_bytes(payload[PORT_BYTES..PORT_BYTES + 8].try_into().unwrap());
                    let last = payload[PORT_BYTES + 8] == 1;
                    port.words.push_back((payload[..PORT_BYTES].to_vec(), strobe, last));
                    continue;
                }
                let address = u64::from_le_bytes(payload[..8].try_into().unwrap());
                let beats = u64::from(payload[8]) + 1;
                let last = address + beats * PORT_BYTES as u64 - 1;
                assert!(
                    beats <= 16 && address >> 12 == last >> 12,
                    "cycle {now}: {name} {address:#x} {beats}"
                );
                assert!(self.field(&format!("m_axi_{name}size_o"), p, 3) == 4);
                assert!(self.field(&format!("m_axi_{name}burst_o"), p, 2) == 1);
                assert!(address.is_multiple_of(PORT_BYTES as u64));
                if *name == "ar" {
                    port.reads.push_back(ReadBurst {
                        address,
                        left: beats,
                        ready: now + self.timing.latency,
                    });
                } else {
                    port.awaiting.push_back((address, beats));
                }
            }

            // Write data reach memory.
            while let Some(&(address, beats)) = port.awaiting.front() {
                if (port.words.len() as u64) < beats {
                    break;
                }
                port.awaiting.pop_front();
                let mut response = 0;
                for i in 0..beats {
                    let (bytes, strobe, last) = port.words.pop_front().unwrap();
                    assert!(last == (i + 1 == beats), "cycle {now}: wlast of port {p}");
                    let at = address + i * PORT_BYTES as u64;
                    assert!(at >= self.state_base, "cycle {now}: a write to {at:#x}");
                    let offset = (at - self.state_base) as usize;
                    for b in (0..PORT_BYTES).filter(|b| strobe >> b & 1 == 1) {
                        self.physical[1][offset + b] = bytes[b];
                    }
                    if self.failing.contains(&at) {
                        response = 2;
                    }
                }
                port.answers.push_back((now + self.timing.latency, response));
            }

            // R.
            if port.rvalid {
                let burst = port.reads.front_mut().unwrap();
                (burst.address, burst.left) = (burst.address + PORT_BYTES as u64, burst.left - 1);
                if burst.left == 0 {
                    port.reads.pop_front();
                }
            }
            assert!(
                self.field("m_axi_rready_o", p, 1) == 1 && self.field("m_axi_bready_o", p, 1) == 1
            );
            let able = !self.random.chance(self.timing.r);
            port.rvalid = able && port.reads.front().is_some_and(|b| b.ready <= now + 1);
            if port.rvalid {
                let burst = port.reads.front().unwrap();
                let (region, base) = if burst.address >= self.state_base {
                    (1, self.state_base)
                } else {
                    (0, self.image_base)
                };
                assert!(burst.address >= base, "cycle {now}: a read of {:#x}", burst.address);
                let at = (burst.address - base) as usize;
                let bytes = &self.physical[region][at..at + PORT_BYTES];
                rdata[PORT_BYTES * p..PORT_BYTES * (p + 1)].copy_from_slice(bytes);
                rvalid |= 1 << p;
                rlast |= u64::from(burst.left == 1) << p;
                rresp |= u64::from(self.failing.contains(&burst.address)) << (2 * p + 1);
            }
            // B.
            if port.bvalid {
                port.answers.pop_front();
            }
            let able = !self.random.chance(self.timing.b);
            port.bvalid = able && port.answers.front().is_some_and(|(ready, _)| *ready <= now + 1);
            if port.bvalid {
                bvalid |= 1 << p;
                bresp |= port.answers.front().unwrap().1 << (2 * p);
            }
            // Ready.
            let (aws, ws) = (port.awaiting.len(), port.words.len());
            let full = [port.reads.len() >= 64, aws >= 8, ws >= 64];
            let waits = [
                false,
                self.timing.order == 1 && ws == 0 && !valid[2],
                self.timing.order == 2 && aws == 0,
            ];
            let stalls = [self.timing.ar, self.timing.aw, self.timing.w];
            for c in 0..3 {
                port.ready[c] = !full[c] && !waits[c] && !self.random.chance(stalls[c]);
            }
            arready |= u64::from(port.ready[0]) << p;
            awready |= u64::from(port.ready[1]) << p;
            wready |= u64::from(port.ready[2]) << p;
        }
        self.axi = axi;
        self.s("m_axi_arready_i").set(arready);
        self.s("m_axi_rvalid_i").set(rvalid);
        self.s("m_axi_rresp_i").set(rresp);
        self.s("m_axi_rlast_i").set(rlast);
        self.s("m_axi_rdata_i").set_bytes(&rdata);
        self.s("m_axi_awready_i").set(awready);
        self.s("m_axi_wready_i").set(wready);
        self.s("m_axi_bvalid_i").set(bvalid);
        self.s("m_axi_bresp_i").set(bresp);
    }

    /// Clients do something at random. `bad`: probability that an access is not allowed.
    fn stir(&mut self, rate: f64, bad: f64) {
        let beat = self.beat as u64;
        let blocks = self.image.len() as u64 / (BLOCK * beat);
        for c in 0..READERS {
            let busy = self.readers[c].request.is_some() || self.readers[c].expected.len() > 100;
            if busy || !self.random.chance(rate) {
                continue;
            }
            let (address, beats) = self.some_address(blocks, bad);
            if !self.writing.contains_key(&(address / (BLOCK * beat))) {
                self.ask(c, address, beats);
                continue;
            }
        }
        for c in 0..WRITERS {
            if self.writers[c].bursts.len() > 20 || !self.random.chance(rate) {
                continue;
            }
            let (address, beats) = self.some_address(blocks, bad);
            let address = if self.random.chance(bad) { address % STATE } else { address | STATE };
            let block = address / (BLOCK * beat);
            let clash = |held: &BTreeMap<u64, u32>| held.contains_key(&block);
            if clash(&self.reading) || clash(&self.writing) {
                continue;
            }
            let full = self.random.chance(0.3);
            let data = (0..beats)
                .map(|_| {
                    let bytes = (0..beat).map(|_| self.random.bits() as u8).collect();
                    let strobe =
                        if full { u64::MAX } else { self.random.bits() & self.random.bits() };
                    (bytes, strobe)
                })
                .collect();
            self.give(c, address, data);
        }
    }

    fn some_address(&mut self, blocks: u64, bad: f64) -> (u64, u64) {
        let beat = self.beat as u64;
        let first = self.random.range(0, BLOCK - 1);
        let whole = self.random.chance(0.3);
        let (first, beats) =
            if whole { (0, BLOCK) } else { (first, self.random.range(1, BLOCK - first)) };
        let state = if self.random.chance(0.5) { STATE } else { 0 };
        let mut address = state + self.random.range(0, blocks - 1) * BLOCK * beat + first * beat;
        let mut beats = beats;
        if self.random.chance(bad) {
            match self.random.range(0, 3) {
                0 => address = state + (blocks + self.random.range(0, 3)) * BLOCK * beat,
                1 => address = state + (self.random.bits() >> 26) / beat * beat,
                2 => address += self.random.range(1, beat - 1),
                _ => (address, beats) = (address | (15 * beat), self.random.range(2, 16)),
            }
            if self.check(address, beats, false).is_none() {
                beats = 1;
            }
        }
        (address, beats)
    }

    fn busy(&self) -> bool {
        self.readers.iter().any(|r| r.request.is_some() || !r.expected.is_empty())
            || self.writers.iter().any(|w| !w.bursts.is_empty())
    }

    async fn drain(&mut self, stall: f64) {
        let limit = self.clock.cycle() + 20_000;
        while self.busy() {
            self.step(stall).await;
            assert!(self.clock.cycle() < limit, "not drained after 20,000 cycles");
        }
        for _ in 0..4 {
            self.step(stall).await;
        }
        assert!(self.s("idle_o").high(), "idle when nothing is in flight");
        let bytes = self.image.len() as u64;
        for offset in (0..bytes).step_by(self.beat) {
            let range = offset as usize..offset as usize + self.beat;
            assert!(self.logical(0, offset) == self.image[range.clone()], "the image changed");
            assert!(
                self.logical(1, offset) == self.state[range],
                "the state differs at {offset:#x}"
            );
        }
    }

    /// Every report was expected, and nearly every expected one came: of several in a cycle one does.
    fn check_errors(&mut self, all: bool) {
        let mut left = self.expected_errors.clone();
        for error in &self.errors {
            let at = left.iter().position(|e| e == error);
            left.remove(at.unwrap_or_else(|| panic!("unexpected error {error:x?}")));
        }
        assert!(left.is_empty() || !all, "missing errors {left:x?}");
        assert!(left.len() * 4 <= self.expected_errors.len() + 12, "{} errors missing", left.len());
        self.errors.clear();
        self.expected_errors.clear();
    }
}

fn unlock_block(held: &mut BTreeMap<u64, u32>, block: u64) {
    if let Some(count) = held.get_mut(&block) {
        *count -= 1;
        if *count == 0 {
            held.remove(&block);
        }
    }
}

const SLOW: Timing = Timing { latency: 20, ar: 0.4, r: 0.3, aw: 0.5, w: 0.4, b: 0.5, order: 0 };

async fn rounds(bench: &mut Bench, bad: f64, cycles: u64) {
    for (rate, stall) in [(0.9, 0.0), (0.3, 0.3), (0.05, 0.7), (0.5, 0.1)] {
        for _ in 0..cycles {
            bench.stir(rate, bad);
            bench.step(stall).await;
        }
        bench.drain(stall).await;
        bench.check_errors(false);
    }
}

fn run(ports: usize, timing: Timing, bad: f64, cycles: u64, purpose: &str) {
    let (sim, mut bench) = Bench::new(ports, 64, timing, purpose);
    sim.block_on(async {
        bench.reset().await;
        rounds(&mut bench, bad, cycles).await;
    })
    .unwrap();
    let beats: u64 = bench.writers.iter().map(|w| w.beats).sum();
    assert!(bench.requests > cycles / 8, "{} requests", bench.requests);
    assert!(bench.counted[0] > 100 && bench.counted[1] > 100 && bench.counted[1] <= beats);
    eprintln!("{purpose}: {} requests, {:?} beats read, written", bench.requests, bench.counted);
}

#[test]
fn random_clients_read_and_write_what_the_model_does() {
    for ports in [1, 4] {
        run(ports, IDEAL, 0.0, 1500, &format!("ideal {ports}"));
        run(ports, SLOW, 0.0, 2000, &format!("slow {ports}"));
        for order in [1, 2] {
            run(ports, Timing { order, ..SLOW }, 0.0, 600, &format!("order {order} {ports}"));
        }
        run(
            ports,
            Timing { latency: 60, r: 0.0, ..SLOW },
            0.0,
            600,
            &format!("latency 60 {ports}"),
        );
        run(ports, Timing { b: 0.97, ..IDEAL }, 0.0, 1000, &format!("answers late {ports}"));
        run(
            ports,
            Timing { ar: 0.95, r: 0.9, ..IDEAL },
            0.0,
            1000,
            &format!("ports apart {ports}"),
        );
    }
}

#[test]
fn accesses_that_are_not_allowed_are_reported_and_answered() {
    for ports in [1, 4] {
        run(ports, IDEAL, 0.3, 1500, &format!("bad, ideal {ports}"));
        run(ports, SLOW, 0.3, 1500, &format!("bad, slow {ports}"));
    }
}

#[test]
fn every_kind_of_error_has_its_address() {
    for ports in [1, 4] {
        let (sim, mut bench) = Bench::new(ports, 4, SLOW, "errors");
        let beat = bench.beat as u64;
        let end = bench.image.len() as u64;
        sim.block_on(async {
            bench.reset().await;
            let reads = [
                (end, 1, READ),
                (end - beat, 2, SHAPE),
                (STATE + end, 16, READ),
                (STATE - beat, 1, READ),
                ((1 << 40) - beat, 1, READ),
                (beat / 2, 1, SHAPE),
                (STATE + 3 * beat, 14, SHAPE),
            ];
            for (address, beats, kind) in reads {
                bench.ask(1, address, beats);
                bench.drain(0.0).await;
                assert_eq!(bench.errors, [(kind, address)]);
                bench.check_errors(true);
            }
            let writes = [
                (0, 1, WRITE),
                (end, 1, WRITE),
                (STATE + end, 1, WRITE),
                (STATE + 1, 1, SHAPE),
                (STATE + 15 * beat, 2, SHAPE),
            ];
            for (address, beats, kind) in writes {
                let data = vec![(vec![0xa5; beat as usize], u64::MAX); beats];
                bench.give(0, address, data);
                bench.drain(0.0).await;
                assert_eq!(bench.errors, [(kind, address)]);
                bench.check_errors(true);
            }
            // The memory's own errors: the transfer of the last port of one beat.
            let (image, state) = (bench.image_base, bench.state_base);
            let block = BLOCK * beat;
            let bad =
                block + (ports as u64 - 1) * BLOCK * PORT_BYTES as u64 + 5 * PORT_BYTES as u64;
            bench.failing = vec![image + bad, state + bad];
            for (first, beats, fails) in
                [(0, 16, true), (5, 1, true), (0, 5, false), (6, 10, false)]
            {
                let address = block + first * beat;
                bench.ask(2, address, beats);
                bench.drain(0.0).await;
                let expected = [(READ_RESPONSE, address)];
                assert_eq!(bench.errors, expected[..usize::from(fails)]);
                bench.errors.clear();
                let data = vec![(vec![first as u8; beat as usize], u64::MAX); beats as usize];
                bench.give(1, STATE + address, data);
                bench.drain(0.0).await;
                let expected = [(WRITE_RESPONSE, STATE + address)];
                assert_eq!(bench.errors, expected[..usize::from(fails)]);
                bench.errors.clear();
            }
        })
        .unwrap();
    }
}

#[test]
fn while_halted_nothing_new_reaches_memory_and_everything_is_answered() {
    for ports in [1, 4] {
        let (sim, mut bench) = Bench::new(ports, 12, SLOW, "halt");
        sim.block_on(async {
            bench.reset().await;
            for _ in 0..12 {
                for _ in 0..bench.random.range(50, 400) {
                    bench.stir(0.5, 0.1);
                    bench.step(0.2).await;
                }
                bench.set_halt(true);
                for _ in 0..bench.random.range(0, 200) {
                    bench.stir(0.8, 0.1);
                    bench.step(0.2).await;
                }
                bench.drain(0.2).await;
                let counted = bench.counted;
                for _ in 0..100 {
                    bench.stir(0.8, 0.1);
                    bench.step(0.2).await;
                }
                bench.drain(0.2).await;
                assert_eq!(counted, bench.counted, "beats while halted");
                bench.check_errors(false);
                bench.set_halt(false);
                bench.step(0.2).await;
            }
        })
        .unwrap();
    }
}

#[test]
fn a_reset_in_the_middle_leaves_nothing_behind() {
    for ports in [1, 4] {
        let (sim, mut bench) = Bench::new(ports, 12, SLOW, "reset");
        sim.block_on(async {
            bench.reset().await;
            for _ in 0..15 {
                for _ in 0..bench.random.range(10, 300) {
                    bench.stir(0.7, 0.05);
                    bench.step(0.2).await;
                }
                // A reset may cut writes short: what is in memory then is what counts.
                bench.reset().await;
                let bytes = bench.image.len() as u64;
                bench.state =
                    (0..bytes).step_by(bench.beat).flat_map(|o| bench.logical(1, o)).collect();
            }
            rounds(&mut bench, 0.0, 300).await;
        })
        .unwrap();
    }
}

/// A client that always asks while `ahead` beats are not exceeded.
fn stream(bench: &mut Bench, client: usize, ahead: u64, next: &mut u64, beats: u64) {
    let size = bench.beat as u64;
    let reader = &bench.readers[client];
    if reader.request.is_none() && reader.expected.len() as u64 + beats <= ahead {
        let blocks = bench.image.len() as u64 / (BLOCK * size);
        bench.ask(
            client,
            *next % blocks * BLOCK * size + (*next / blocks * beats % BLOCK) * size,
            beats,
        );
        *next += 1;
    }
}

#[test]
fn beats_a_cycle() {
    for ports in [1, 4] {
        let timing = Timing { latency: 32, ..IDEAL };
        let cycles = 2000;

        // One stream of bursts of 16, 128 beats ahead.
        let (sim, mut bench) = Bench::new(ports, 12, timing, "stream");
        let share = sim
            .block_on(async {
                bench.reset().await;
                let mut next = 0;
                for cycle in 0..cycles + 100 {
                    if cycle == 100 {
                        bench.counted = [0; 2];
                    }
                    stream(&mut bench, 0, 128, &mut next, 16);
                    bench.step(0.0).await;
                }
                bench.counted[0] as f64 / cycles as f64
            })
            .unwrap();
        eprintln!("{ports} ports: a stream of bursts of 16, latency 32: {share:.4} beats a cycle");
        assert!(share > 0.999);

        // A stream and a client that asks for single beats now and then.
        let (sim, mut bench) = Bench::new(ports, 12, timing, "stream and small");
        let (mut next, mut small) = (0, 0);
        sim.block_on(async {
            bench.reset().await;
            for cycle in 0..cycles {
                stream(&mut bench, 0, 128, &mut next, 16);
                if cycle % 50 == 0 && bench.readers[1].request.is_none() {
                    small += 1;
                    let address = STATE + bench.random.range(0, 15) * bench.beat as u64;
                    bench.ask(1, address, 1);
                }
                bench.step(0.0).await;
            }
        })
        .unwrap();
        let share = bench.readers[0].beats as f64 / cycles as f64;
        let slowest = bench.readers[1].slowest;
        eprintln!(
            "{ports} ports: beside it {small} single beats: {share:.4}, slowest {slowest} cycles"
        );
        assert!(share > 0.93 && slowest < 32 + 128 + 40, "{share} {slowest}");

        // Three streams: the first has half.
        let (sim, mut bench) = Bench::new(ports, 12, timing, "three streams");
        let mut next = [0; READERS];
        sim.block_on(async {
            bench.reset().await;
            for _ in 0..cycles {
                for (c, next) in next.iter_mut().enumerate() {
                    stream(&mut bench, c, 128, next, 16);
                }
                bench.step(0.0).await;
            }
        })
        .unwrap();
        let beats: Vec<f64> =
            bench.readers.iter().map(|r| r.beats as f64 / cycles as f64).collect();
        eprintln!("{ports} ports: three streams: {beats:.3?} beats a cycle");
        assert!(beats.iter().sum::<f64>() > 0.95 && beats[0] > 0.42 && beats[2] > 0.2);

        // Single beats from all clients.
        let (sim, mut bench) = Bench::new(ports, 12, timing, "single beats");
        let mut next = [0; READERS];
        sim.block_on(async {
            bench.reset().await;
            for _ in 0..cycles {
                for (c, next) in next.iter_mut().enumerate() {
                    stream(&mut bench, c, 128, next, 1);
                }
                bench.step(0.0).await;
            }
        })
        .unwrap();
        let beats: u64 = bench.readers.iter().map(|r| r.beats).sum();
        let share = beats as f64 / cycles as f64;
        eprintln!("{ports} ports: single beats of three clients: {share:.4} beats a cycle");

        // Writes.
        let (sim, mut bench) = Bench::new(ports, 12, timing, "writes");
        sim.block_on(async {
            bench.reset().await;
            let mut next = 0;
            for _ in 0..cycles {
                for c in 0..WRITERS {
                    if bench.writers[c].bursts.len() < 4 {
                        let beat = bench.beat;
                        let data =
                            (0..16).map(|i| (vec![next as u8 ^ i; beat], u64::MAX)).collect();
                        bench.give(c, STATE + next % 12 * BLOCK * beat as u64, data);
                        next += 1;
                    }
                }
                bench.step(0.0).await;
            }
        })
        .unwrap();
        let share = bench.counted[1] as f64 / cycles as f64;
        eprintln!("{ports} ports: writes of bursts of 16, latency 32: {share:.4} beats a cycle");
        assert!(share > 0.97);
    }
}
