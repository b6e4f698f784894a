//! A host with some memory and a card in it, golden or RTL, and the random work that both get.

use std::sync::Arc;
use terntable_driver::{
    card::HOST,
    card_registers as card,
    entry::{COMPLETION_BYTES, ENTRY_BYTES, Entry, opcode},
    function::Function,
    golden::MEMORY_BASE,
    host_registers as host,
    memory::{DmaTable, Mapping},
};
use terntable_golden::card::{command::STATE, image::crc32c};
use terntable_testbench::seed::Random;

/// Where the host's memory lies for the card, and what may only be read of it.
pub const SHARED: u64 = 0x2_0000_0000;
pub const READ_ONLY: u64 = 0x3_0000_0000;
pub const READ_ONLY_BYTES: u64 = 0x1_0000;
/// Offsets in the shared memory: the rings, what copies read, what copies write.
pub const SUBMIT: usize = 0;
pub const COMPLETE: usize = 0x4000;
pub const SOURCE: u64 = 0x1_0000;
pub const TARGET: u64 = 0x8_0000;
pub const SHARED_BYTES: usize = 0x10_0000;

/// Where the regions of a card are, and what of the image may be written.
#[derive(Clone, Copy)]
pub struct Regions {
    pub image: u64,
    pub state: u64,
    pub load: u64,
}

/// What the random tests use; the state begins well behind the image, the window ends inside of a block.
pub const REGIONS: Regions = Regions { image: 0x1_0000, state: 0x2_0000, load: 0x9c50 };
pub const IMAGE_AT: u64 = 0x1_0000;
pub const STATE_AT: u64 = 0x100_0000;

pub struct World<F> {
    pub function: F,
    pub table: DmaTable,
    pub memory: Arc<Mapping>,
    bits: u32,
    tail: u32,
}

impl<F: Function> World<F> {
    pub fn new(function: F, bytes: usize) -> Self {
        let memory = Mapping::anonymous(bytes, false).unwrap();
        let constant = Mapping::anonymous(READ_ONLY_BYTES as usize, false).unwrap();
        let mut table = DmaTable::default();
        table.map(SHARED, memory.clone(), true).unwrap();
        table.map(READ_ONLY, constant, false).unwrap();
        World { function, table, memory, bits: 1, tail: 0 }
    }

    pub fn host(&mut self, offset: usize) -> u32 {
        self.function.read32(HOST + offset)
    }

    pub fn set(&mut self, offset: usize, value: u32) {
        self.function.write32(offset, value);
    }

    pub fn set64(&mut self, offset: usize, value: u64) {
        self.set(offset, value as u32);
        self.set(offset + 4, (value >> 32) as u32);
    }

    /// Tells the card everything, with an empty queue that runs, rings of `2^bits` entries.
    pub fn begin(&mut self, bits: u32, regions: Regions) {
        (self.bits, self.tail) = (bits, 0);
        self.memory.write(COMPLETE, &[0; 0x4000]).unwrap();
        self.set64(card::image_base_lo::OFFSET, MEMORY_BASE + IMAGE_AT);
        self.set64(card::image_bytes_lo::OFFSET, regions.image);
        self.set64(card::state_base_lo::OFFSET, MEMORY_BASE + STATE_AT);
        self.set64(card::state_bytes_lo::OFFSET, regions.state);
        self.set64(HOST + host::load_bytes_lo::OFFSET, regions.load);
        self.set64(HOST + host::submit_base_lo::OFFSET, SHARED + SUBMIT as u64);
        self.set64(HOST + host::complete_base_lo::OFFSET, SHARED + COMPLETE as u64);
        self.set(HOST + host::ring_bits::OFFSET, bits);
        self.set(HOST + host::irq_enable::OFFSET, 3);
        self.set(HOST + host::irq_status::OFFSET, 3);
        // Counters from zero.
        self.set(HOST + host::control::OFFSET, 3);
    }

    /// Puts entries into the ring; at most what fits.
    pub fn submit(&mut self, entries: &[Entry]) {
        for entry in entries {
            let index = (self.tail % (1 << self.bits)) as usize;
            self.memory.write(SUBMIT + ENTRY_BYTES * index, &entry.encode()).unwrap();
            self.tail += 1;
        }
        self.set(HOST + host::tail::OFFSET, self.tail);
    }

    /// Waits until the queue has nothing to do.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.function.work(&self.table) && self.host(host::status::OFFSET) & 1 == 0 {
                // Messages may still wait.
                self.function.work(&self.table);
                return;
            }
        }
        let [status, error, head, tail] = [
            host::status::OFFSET,
            host::error_code::OFFSET,
            host::head::OFFSET,
            host::tail::OFFSET,
        ]
        .map(|offset| self.host(offset));
        panic!(
            "{} does not come to rest: STATUS {status}, ERROR_CODE {error}, HEAD {head}, TAIL {tail}, card \
             STATUS {:#x}",
            self.function.name(),
            self.function.read32(card::status::OFFSET)
        );
    }

    /// Disables the queue and waits until it is at rest.
    pub fn stop(&mut self) {
        self.set(HOST + host::control::OFFSET, 0);
        self.settle();
    }

    pub fn bytes(&self, at: usize, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.memory.read(at, &mut bytes).unwrap();
        bytes
    }

    /// The completion of an entry.
    pub fn completion(&self, index: u32) -> terntable_driver::entry::Completion {
        let at = COMPLETE + COMPLETION_BYTES * (index % (1 << self.bits)) as usize;
        let bytes = self.bytes(at, COMPLETION_BYTES);
        terntable_driver::entry::Completion::decode(bytes.as_slice().try_into().unwrap())
    }

    /// All vectors that wait.
    pub fn interrupts(&mut self) -> Vec<u32> {
        let mut vectors: Vec<u32> = std::iter::from_fn(|| self.function.take_interrupt()).collect();
        vectors.sort_unstable();
        vectors.dedup();
        vectors
    }
}

/// A copy that is in order.
fn good_copy(random: &mut Random, source: &[u8]) -> Entry {
    let beats = |random: &mut Random| [1, 40, 600][random.range(0, 2) as usize];
    let most = beats(random);
    let bytes = 16 * random.range(1, most);
    let place = |random: &mut Random, end: u64| random.range(0, (end - bytes) / 16) * 16;
    let to_card = random.chance(0.5);
    let state = random.chance(0.5);
    let card = match (state, to_card) {
        (true, _) => STATE | place(random, REGIONS.state),
        (false, true) => place(random, REGIONS.load),
        (false, false) => place(random, REGIONS.image),
    };
    if !to_card {
        let host = SHARED + TARGET + place(random, SHARED_BYTES as u64 - TARGET);
        return Entry::from_card(host, card, bytes as u32);
    }
    let at = place(random, TARGET - SOURCE);
    let crc = crc32c(&source[at as usize..(at + bytes) as usize]);
    let crc = random.chance(0.5).then_some(crc);
    Entry::to_card(SHARED + SOURCE + at, card, bytes as u32, crc)
}

/// Something that stops the queue, mostly.
fn bad_entry(random: &mut Random, good: Entry) -> Entry {
    let end = |region: u64| region - 16 * random_beats(good.bytes) + 16;
    match random.range(0, 19) {
        0 => Entry { opcode: 0, ..good },
        1 => Entry { opcode: random.range(5, 255) as u8, ..good },
        2 => Entry { bytes: 0, ..good },
        3 => Entry { bytes: good.bytes + random.range(1, 15) as u32, ..good },
        4 => Entry { bytes: (1 << 30) + 16, ..good },
        5 => Entry { bytes: 1 << 31, ..good },
        6 => Entry { host: good.host + random.range(1, 15), ..good },
        7 => Entry { card: good.card + random.range(1, 15), ..good },
        8 => Entry { card: good.card | 1 << random.range(40, 63), ..good },
        9 => Entry { card: STATE | end(REGIONS.state), ..good },
        10 => Entry { card: end(REGIONS.image), ..good },
        11 => Entry { card: STATE | (STATE - 16), ..good },
        12 => Entry { opcode: opcode::TO_CARD, card: REGIONS.load / 16 * 16, ..good },
        13 => Entry { check: true, crc: good.crc ^ 1 << random.range(0, 31), ..good },
        14 => Entry { host: random.range(0, 0x1000) << 16, ..good },
        15 => Entry { host: u64::MAX - 15, ..good },
        16 => Entry { host: u64::MAX - 16 * random.range(1, 600) + 1, bytes: 16 * 700, ..good },
        17 => Entry { opcode: opcode::FROM_CARD, host: READ_ONLY, ..good },
        18 => Entry { host: SHARED + SHARED_BYTES as u64 - 16, bytes: 16 * 300, ..good },
        _ => Entry { host: READ_ONLY + READ_ONLY_BYTES - 16 * 5, bytes: 16 * 9, ..good },
    }
}

fn random_beats(bytes: u32) -> u64 {
    u64::from(bytes / 16)
}

/// A pass whose descriptor is no descriptor.
fn bad_pass(random: &mut Random) -> Entry {
    let descriptor = match random.range(0, 4) {
        0 => random.range(0, 1 << 20),
        1 => STATE | random.range(0, 1 << 12),
        2 => STATE | (REGIONS.state - 16),
        3 => random.range(0, u64::MAX),
        _ => STATE + random.range(0, REGIONS.state / 16 - 4) * 16,
    };
    Entry::pass(descriptor)
}

/// An entry of any kind.
pub fn any_entry(random: &mut Random, source: &[u8]) -> Entry {
    let good = good_copy(random, source);
    let entry = match random.range(0, 19) {
        0 => bad_entry(random, good),
        1 => Entry { opcode: opcode::NOP, ..good },
        2 if random.chance(0.5) => bad_pass(random),
        _ => good,
    };
    let tag = random.range(0, u64::from(u32::MAX)) as u32;
    Entry { tag, interrupt: random.chance(0.3), ..entry }
}
