//! `tt_host_card` against the golden host card: random queues, memory of both sides, registers, interrupts.

#[path = "host/world.rs"]
mod world;

use terntable_driver::{
    card::HOST,
    card_registers as card,
    entry::{Entry, opcode},
    function::Function,
    golden::{HostCard, MEMORY_BASE},
    host_registers::{self as host, host_status},
};
use terntable_golden::card::{command::STATE, config::CardConfig};
use terntable_testbench::{
    agents::{BusTiming, DramTiming},
    host_card::{HostCardOptions, HostCardSim, WATCHDOG_BITS},
    seed::{Random, seed},
};
use world::*;

fn config() -> CardConfig {
    CardConfig::named("sim-small").unwrap()
}

/// The golden card and the RTL, each in a world of its own, with the same bytes in both.
struct Pair {
    golden: World<HostCard>,
    rtl: World<HostCardSim>,
    random: Random,
    source: Vec<u8>,
}

impl Pair {
    fn new(purpose: &str, options: HostCardOptions) -> Self {
        let mut random = Random::new(seed(), purpose);
        let rtl = HostCardSim::new(&config(), options).unwrap();
        let pair = Pair {
            golden: World::new(HostCard::new(&config()), SHARED_BYTES),
            rtl: World::new(rtl, SHARED_BYTES),
            source: (SOURCE..TARGET).map(|_| random.bits() as u8).collect(),
            random,
        };
        for memory in [&pair.golden.memory, &pair.rtl.memory] {
            memory.write(SOURCE as usize, &pair.source).unwrap();
        }
        pair
    }

    fn begin(&mut self) -> u32 {
        let bits = self.random.range(1, 7) as u32;
        self.golden.begin(bits, REGIONS);
        self.rtl.begin(bits, REGIONS);
        1 << bits
    }

    /// A region of the RTL's card memory.
    fn region(&self, at: u64, bytes: u64) -> Vec<u8> {
        let memory = self.rtl.function.memory();
        memory.read_logical(MEMORY_BASE, at, bytes as usize).unwrap()
    }

    /// Submits entries to both, lets them work and compares everything; the status that stopped them.
    fn batch(&mut self, entries: &[Entry]) -> u32 {
        self.golden.submit(entries);
        self.rtl.submit(entries);
        self.golden.settle();
        self.rtl.settle();
        assert!(self.rtl.function.failure().is_none(), "{}", self.rtl.function.failure().unwrap());
        self.compare(entries)
    }

    fn compare(&mut self, entries: &[Entry]) -> u32 {
        let status = self.golden.host(host::error_code::OFFSET);
        let head = self.golden.host(host::head::OFFSET);
        for (name, offset) in [
            ("CONTROL", host::control::OFFSET),
            ("STATUS", host::status::OFFSET),
            ("ERROR_CODE", host::error_code::OFFSET),
            ("HEAD", host::head::OFFSET),
            ("TAIL", host::tail::OFFSET),
            ("IRQ_STATUS", host::irq_status::OFFSET),
            ("ENTRIES", host::entries::OFFSET),
        ] {
            let (expected, found) = (self.golden.host(offset), self.rtl.host(offset));
            assert_eq!(found, expected, "{name} after {entries:x?}");
        }
        let undefined = [host_status::HOST_READ, host_status::HOST_WRITE].contains(&status);
        if !undefined {
            for offset in [host::host_read_beats::OFFSET, host::host_write_beats::OFFSET] {
                let (expected, found) = (self.golden.host(offset), self.rtl.host(offset));
                assert_eq!(found, expected, "beats after {entries:x?}");
            }
        }
        let open = self.golden.host(host::tail::OFFSET).wrapping_sub(head) as usize;
        let done = entries.len().saturating_sub(open);
        if entries[..done].iter().any(|entry| entry.opcode == opcode::PASS) {
            for offset in [card::error_code::OFFSET, card::error_command::OFFSET] {
                let expected = self.golden.function.read32(offset);
                assert_eq!(self.rtl.function.read32(offset), expected, "{entries:x?}");
            }
        }
        assert_eq!(self.rtl.function.irq(), self.golden.function.irq());
        assert_eq!(self.rtl.interrupts(), self.golden.interrupts(), "{entries:x?}");
        if undefined {
            self.forget_target(entries[done - 1]);
        }
        self.compare_bytes();
        status
    }

    /// What a copy that failed has left in its target is undefined: the golden card's is taken.
    fn forget_target(&mut self, entry: Entry) {
        let Entry { host, card, bytes, .. } = entry;
        if entry.opcode == opcode::TO_CARD {
            let (image, state) = self.golden.function.machine().regions_mut();
            let (region, base) =
                if card & STATE == 0 { (image, IMAGE_AT) } else { (state, STATE_AT) };
            let at = (card & !STATE) as usize;
            let memory = self.rtl.function.memory();
            let bytes = &region[at..at + bytes as usize];
            memory.write_logical(MEMORY_BASE, base + at as u64, bytes).unwrap();
        } else if let Some(at) = host.checked_sub(SHARED).filter(|at| *at < SHARED_BYTES as u64) {
            let count = (bytes as usize).min(SHARED_BYTES - at as usize);
            let bytes = self.golden.bytes(at as usize, count);
            self.rtl.memory.write(at as usize, &bytes).unwrap();
        }
    }

    fn compare_bytes(&mut self) {
        let expected = self.golden.bytes(0, SHARED_BYTES);
        let found = self.rtl.bytes(0, SHARED_BYTES);
        if let Some(at) = (0..SHARED_BYTES).find(|&i| expected[i] != found[i]) {
            let (expected, found) = (&expected[at..][..16], &found[at..][..16]);
            panic!("host memory at {at:#x}: expected {expected:x?}, found {found:x?}");
        }
        let (image, state) = self.golden.function.machine().regions_mut();
        // Before the first copy the golden card has no regions yet.
        let regions = [("image", image.clone(), IMAGE_AT), ("state", state.clone(), STATE_AT)];
        for (name, expected, at) in regions {
            let found = self.region(at, expected.len() as u64);
            let differs = (0..found.len()).find(|&i| expected[i] != found[i]);
            assert_eq!(differs, None, "the {name} differs there");
        }
    }

    /// Makes the golden world like the RTL's.
    fn follow(&mut self) {
        let bytes = self.rtl.bytes(0, SHARED_BYTES);
        self.golden.memory.write(0, &bytes).unwrap();
        let regions = [(IMAGE_AT, REGIONS.image), (STATE_AT, REGIONS.state)];
        let [image, state] = regions.map(|(at, bytes)| self.region(at, bytes));
        let golden = self.golden.function.machine().regions_mut();
        (*golden.0, *golden.1) = (image, state);
        self.rtl.interrupts();
        self.golden.interrupts();
    }

    /// Some entries, until the queue stops or has gone round its ring.
    fn round(&mut self) -> u32 {
        let ring = self.begin();
        let mut left = 2 * ring + 3;
        while left > 0 {
            let count = (self.random.range(1, ring.into()) as u32).min(left);
            let entries: Vec<Entry> =
                (0..count).map(|_| any_entry(&mut self.random, &self.source)).collect();
            let status = self.batch(&entries);
            if status != host_status::OK {
                return status;
            }
            left -= count;
        }
        host_status::OK
    }

    fn stop(&mut self) {
        self.golden.stop();
        self.rtl.stop();
    }
}

fn timings() -> [HostCardOptions; 3] {
    let options = HostCardOptions::default();
    [
        options.clone(),
        HostCardOptions { bus: BusTiming::PCIE, memory: DramTiming::KV260, ..options.clone() },
        HostCardOptions {
            bus: BusTiming::HOSTILE,
            memory: DramTiming::HOSTILE,
            stall: 0.3,
            ..options
        },
    ]
}

#[test]
fn random_queues_do_what_the_golden_card_does() {
    let mut seen = [0; 12];
    for (which, options) in timings().into_iter().enumerate() {
        let mut pair = Pair::new(&format!("queues {which}"), options);
        for _ in 0..40 {
            seen[pair.round() as usize] += 1;
            pair.stop();
        }
    }
    println!("rounds that ended in each status: {seen:?}");
    let every = [
        host_status::OK,
        host_status::OPCODE,
        host_status::SIZE,
        host_status::ADDRESS,
        host_status::RANGE,
        host_status::HOST_READ,
        host_status::HOST_WRITE,
        host_status::CHECKSUM,
        host_status::PASS,
    ];
    assert!(every.iter().all(|status| seen[*status as usize] > 0), "{seen:?}");
}

/// Copies and passes, long enough to be met in the middle.
fn long_work(pair: &mut Pair) -> Vec<Entry> {
    let mut entries: Vec<Entry> =
        (0..2).map(|_| any_entry(&mut pair.random, &pair.source)).collect();
    let at = pair.random.range(0, 64) * 16;
    let (host, bytes) = (SHARED + SOURCE + at, 0x1_f000);
    entries.push(Entry::to_card(host, STATE | 16, bytes, None));
    entries.push(Entry::from_card(SHARED + TARGET + 32, STATE | at, bytes));
    entries.push(Entry::pass(STATE | at));
    let first = pair.random.range(0, 4) as usize;
    entries.rotate_left(first);
    entries
}

#[test]
fn a_queue_ends_in_the_middle_of_anything_and_begins_again() {
    for (which, options) in timings().into_iter().enumerate() {
        let mut pair = Pair::new(&format!("ends {which}"), options);
        for turn in 0..30 {
            pair.rtl.begin(4, REGIONS);
            let entries = long_work(&mut pair);
            pair.rtl.submit(&entries);
            let cycles = pair.random.range(1, 4000);
            let memory = &pair.rtl.table;
            pair.rtl.function.run(cycles, memory).unwrap();
            if turn % 3 == 2 {
                pair.rtl.function.reset();
                assert_eq!(pair.rtl.host(host::submit_base_hi::OFFSET), 0, "a reset forgets");
            } else {
                pair.rtl.set(HOST + host::control::OFFSET, 0);
                // The burst that is on its way, and what the card needs to end a pass.
                let begin = pair.rtl.function.cycle();
                pair.rtl.settle();
                let took = pair.rtl.function.cycle() - begin;
                assert!(took < 3_000, "it took {took} cycles to stop");
            }
            for offset in [host::head::OFFSET, host::tail::OFFSET, host::error_code::OFFSET] {
                assert_eq!(pair.rtl.host(offset), 0);
            }
            assert!(pair.rtl.bytes(SOURCE as usize, pair.source.len()) == pair.source);
            pair.follow();
            pair.round();
            pair.stop();
        }
    }
}

#[test]
fn errors_of_card_memory_end_the_copy() {
    let mut pair = Pair::new("memory", timings()[2].clone());
    for to_card in [true, false] {
        let entry = match to_card {
            true => Entry::to_card(SHARED + SOURCE, STATE, 0x4000, None),
            false => Entry::from_card(SHARED + TARGET, STATE, 0x4000),
        };
        for at in [0, 0x1230, 0x3ff0] {
            pair.rtl.begin(2, REGIONS);
            pair.rtl.function.memory().fail_at(MEMORY_BASE + STATE_AT + at);
            pair.rtl.submit(&[Entry { tag: 7, ..entry }]);
            pair.rtl.settle();
            let completion = pair.rtl.completion(0);
            assert_eq!(u32::from(completion.status), host_status::MEMORY, "{to_card} {at:#x}");
            assert_eq!((completion.tag, completion.info, completion.head), (7, 0, 1));
            pair.rtl.function.memory().heal();
            pair.rtl.stop();
            pair.follow();
            pair.round();
            pair.stop();
        }
    }
}

#[test]
fn regions_outside_of_card_memory_hold_nothing() {
    let mut pair = Pair::new("regions", HostCardOptions::default());
    let (base, bytes) = (MEMORY_BASE, config().memory.bytes);
    let cases = [
        (base - 0x1000, 0x2000, host_status::RANGE),
        (base + bytes - 0x1000, 0x1100, host_status::RANGE),
        (u64::MAX - 0xfff, 0x2000, host_status::RANGE),
        (base, u64::MAX, host_status::RANGE),
        (base + bytes - 0x1000, 0x1000, host_status::OK),
        // Whole blocks only, of both.
        (base + bytes - 0xfff, 0x10ff, host_status::OK),
    ];
    for (base, bytes, expected) in cases {
        pair.begin();
        for world in [&mut pair.golden as &mut dyn Registers, &mut pair.rtl] {
            world.write64(card::state_base_lo::OFFSET, base);
            world.write64(card::state_bytes_lo::OFFSET, bytes);
        }
        let entry = [Entry::to_card(SHARED + SOURCE, STATE, 0x1000, None)];
        pair.golden.submit(&entry);
        pair.rtl.submit(&entry);
        pair.golden.settle();
        pair.rtl.settle();
        let found = [&mut pair.golden as &mut dyn Registers, &mut pair.rtl]
            .map(|world| world.read(HOST + host::error_code::OFFSET));
        assert_eq!(found, [expected; 2], "{base:#x} {bytes:#x}");
        pair.stop();
    }
}

#[test]
fn rings_that_cannot_be_stop_the_queue() {
    let mut pair = Pair::new("rings", HostCardOptions::default());
    let cases = [
        (host::submit_base_lo::OFFSET, SHARED as u32 + 0x800, 1),
        (host::complete_base_lo::OFFSET, SHARED as u32 + 0x4010, 1),
        (host::ring_bits::OFFSET, 0, 1),
        (host::ring_bits::OFFSET, 11, 1),
        (host::ring_bits::OFFSET, 0x12, 1),
        (host::tail::OFFSET, 129, 129),
        (host::tail::OFFSET, u32::MAX, u32::MAX),
    ];
    for (offset, value, tail) in cases {
        for world in [&mut pair.golden as &mut dyn Registers, &mut pair.rtl] {
            world.begin(7);
            world.write(HOST + offset, value);
            world.write(HOST + host::tail::OFFSET, tail);
        }
        let before = pair.rtl.function.bus().statistics();
        pair.golden.settle();
        pair.rtl.settle();
        assert_eq!(pair.golden.host(host::error_code::OFFSET), host_status::RING);
        pair.compare(&[]);
        assert_eq!(pair.rtl.function.bus().statistics(), before, "host memory was touched");
        pair.stop();
    }
}

#[test]
fn messages_wait_and_merge() {
    let mut pair = Pair::new("messages", HostCardOptions::default());
    let nop = Entry { opcode: opcode::NOP, interrupt: true, ..Entry::default() };
    pair.rtl.begin(4, REGIONS);
    pair.rtl.function.hold_messages(true);
    // Vector 0 waits when the queue stops.
    for entry in [nop, nop, Entry { opcode: 9, interrupt: false, ..nop }] {
        pair.rtl.submit(&[entry]);
        pair.rtl.settle();
        assert!(pair.rtl.function.irq());
        assert!(pair.rtl.interrupts().is_empty());
    }
    pair.rtl.function.hold_messages(false);
    pair.rtl.function.run(20, &pair.rtl.table).unwrap();
    assert_eq!(pair.rtl.interrupts(), [0, 1]);
    pair.rtl.function.run(100, &pair.rtl.table).unwrap();
    assert!(pair.rtl.interrupts().is_empty(), "two events of vector 0, one message");
    // Nobody asks for a vector that is not enabled.
    pair.rtl.stop();
    pair.rtl.begin(4, REGIONS);
    pair.rtl.set(HOST + host::irq_enable::OFFSET, 2);
    pair.rtl.submit(&[nop]);
    pair.rtl.settle();
    assert_eq!(pair.rtl.host(host::irq_status::OFFSET), 1);
    assert!(!pair.rtl.function.irq() && pair.rtl.interrupts().is_empty());
}

/// What both worlds can.
trait Registers {
    fn read(&mut self, offset: usize) -> u32;
    fn write(&mut self, offset: usize, value: u32);
    fn write64(&mut self, offset: usize, value: u64);
    fn begin(&mut self, bits: u32);
}

impl<F: Function> Registers for World<F> {
    fn read(&mut self, offset: usize) -> u32 {
        self.function.read32(offset)
    }

    fn write(&mut self, offset: usize, value: u32) {
        self.set(offset, value);
    }

    fn write64(&mut self, offset: usize, value: u64) {
        self.set64(offset, value);
    }

    fn begin(&mut self, bits: u32) {
        World::begin(self, bits, REGIONS);
    }
}

#[test]
fn a_silent_bus_is_given_up_and_a_reset_helps() {
    let mut pair = Pair::new("silence", timings()[1].clone());
    let nop = Entry { opcode: opcode::NOP, ..Entry::default() };
    let long = Entry::to_card(SHARED + SOURCE, STATE, 0x8000, None);
    let back = Entry::from_card(SHARED + TARGET, STATE, 0x8000);
    // In the first fetch, in the middle of a copy to either side, in a completion.
    for (entry, cycles) in [(long, 0), (long, 1000), (back, 1000), (nop, 400)] {
        pair.rtl.begin(3, REGIONS);
        pair.rtl.submit(&[entry]);
        pair.rtl.function.run(cycles, &pair.rtl.table).unwrap();
        pair.rtl.function.bus().set_silent(true);
        assert!(pair.rtl.interrupts().is_empty());
        pair.rtl.function.run((1 << WATCHDOG_BITS) - 200, &pair.rtl.table).unwrap();
        assert_eq!(pair.rtl.host(host::error_code::OFFSET), host_status::OK, "{cycles}");
        // What was on its way inside of the card took some cycles more.
        pair.rtl.function.run(1400, &pair.rtl.table).unwrap();
        let head = pair.rtl.host(host::head::OFFSET);
        let error = pair.rtl.host(host::error_code::OFFSET);
        assert_eq!((error, head), (host_status::TIMEOUT, 0), "{cycles}");
        assert_eq!(pair.rtl.host(host::status::OFFSET), 3, "busy for good, and stopped");
        assert_eq!(pair.rtl.interrupts(), [1]);
        // Neither an answer that comes late nor a new beginning brings it back.
        pair.rtl.function.bus().set_silent(false);
        pair.rtl.set(HOST + host::control::OFFSET, 0);
        pair.rtl.function.run(2000, &pair.rtl.table).unwrap();
        assert_eq!(pair.rtl.host(host::status::OFFSET), 1);
        pair.rtl.function.reset();
        assert_eq!(pair.rtl.host(host::status::OFFSET), 0);
        pair.follow();
        pair.round();
        pair.stop();
    }
}

/// Cycles of one copy of 512 KiB, as the card counts them, and its beats.
fn copy_cycles(options: HostCardOptions, to_card: bool) -> (u32, u32) {
    let bytes = 0x8_0000;
    let mut rtl = World::new(HostCardSim::new(&config(), options).unwrap(), 2 * bytes);
    // Aligned to nothing but a beat, and on both sides differently.
    let host = SHARED + 0x1_0000 + 16 * 37;
    let entry = match to_card {
        true => Entry::to_card(host, STATE + 16 * 5, bytes as u32, None),
        false => Entry::from_card(host, STATE + 16 * 5, bytes as u32),
    };
    rtl.begin(1, Regions { image: 0, state: 0x10_0000, load: 0 });
    rtl.submit(&[entry]);
    rtl.settle();
    assert_eq!(rtl.completion(0).status, 0);
    (rtl.host(host::cycles::OFFSET), bytes as u32 / 16)
}

#[test]
fn a_copy_moves_a_beat_in_nine_of_ten_cycles() {
    for (what, to_card, ceiling) in [("to the card", true, 36_400), ("to the host", false, 36_400)]
    {
        let (cycles, beats) = copy_cycles(timings()[1].clone(), to_card);
        let share = 100.0 * f64::from(beats) / f64::from(cycles);
        println!("{what}: {beats} beats in {cycles} cycles, {share:.1} %");
        assert!(cycles <= ceiling, "{what}: {cycles} cycles, more than {ceiling}");
    }
}
