//! A host that writes anything anywhere: the card is back after a reset, and touches nothing that no entry
//! and no ring names.

use std::{cell::Cell, sync::Arc};
use terntable_driver::{
    card::HOST,
    card_registers as card,
    entry::{ENTRY_BYTES, Entry, opcode},
    function::Function,
    golden::MEMORY_BASE,
    host_registers::{self as host, host_status},
    memory::{DmaTable, HostMemory, Mapping, Unmapped},
};
use terntable_golden::card::{command::STATE, config::CardConfig};
use terntable_testbench::{
    agents::{BusTiming, DramTiming},
    host_card::{HostCardOptions, HostCardSim},
    seed::{Random, seed},
};

/// The host's memory, as the card sees it.
const SHARED: u64 = 0x2_0000_0000;
const SHARED_BYTES: usize = 0x10_0000;
/// What the host names begins below this.
const NAMED: u64 = SHARED + 0x8_0000;
/// Longest copy of an entry that is in order.
const LONGEST: u64 = 0x1000;
/// Nothing that is named reaches beyond; the memory does.
const NAMED_END: u64 = NAMED + 0x1_0000;
/// Card memory that the regions may take.
const REGIONS_END: u64 = 0x20_0000;

/// Host memory that notices what the card must not touch.
#[derive(Default)]
struct Watched {
    table: DmaTable,
    touched: Cell<Option<(u64, usize)>>,
    accesses: Cell<u64>,
}

impl Watched {
    fn look(&self, address: u64, bytes: usize) {
        self.accesses.set(self.accesses.get() + 1);
        let end = address.saturating_add(bytes as u64);
        if address < SHARED || end > NAMED_END {
            self.touched.set(Some((address, bytes)));
        }
    }
}

impl HostMemory for Watched {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Unmapped> {
        self.look(address, bytes.len());
        self.table.read(address, bytes)
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Unmapped> {
        self.look(address, bytes.len());
        self.table.write(address, bytes)
    }
}

/// A card, and a host that does what comes to its mind.
struct Hostile {
    card: HostCardSim,
    memory: Watched,
    ram: Arc<Mapping>,
    random: Random,
}

impl Hostile {
    fn new() -> Self {
        let config = CardConfig::named("sim-small").unwrap();
        let options = HostCardOptions {
            bus: BusTiming::HOSTILE,
            memory: DramTiming::HOSTILE,
            ..HostCardOptions::default()
        };
        let ram = Mapping::anonymous(SHARED_BYTES, false).unwrap();
        let mut memory = Watched::default();
        memory.table.map(SHARED, ram.clone(), true).unwrap();
        let card = HostCardSim::new(&config, options).unwrap();
        Hostile { card, memory, ram, random: Random::new(seed(), "hostile") }
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.range(0, of.len() as u64 - 1) as usize]
    }

    /// An address in host memory that may be touched from there on, or one that is refused.
    fn ring(&mut self) -> u64 {
        SHARED + self.random.range(0, 7) * 0x1_0000 + self.pick(&[0, 0, 0, 0, 16, 0x800])
    }

    /// Bytes that may be an entry.
    fn entry(&mut self) -> [u8; ENTRY_BYTES] {
        let host = SHARED + self.random.range(0, (NAMED - SHARED) / 16) * 16;
        let far = self.random.range(0, u64::MAX);
        let region = self.pick(&[0, STATE, STATE]);
        let card = self.random.range(0, REGIONS_END / 16) * 16 + region;
        let bytes = 16 * self.random.range(1, LONGEST / 16) as u32;
        let copy = Entry { host, card, bytes, ..Entry::to_card(0, 0, 0, None) };
        let entry = match self.random.range(0, 11) {
            0 => Entry { opcode: self.random.range(5, 255) as u8, host: far, ..copy },
            1 => Entry { bytes: self.pick(&[0, 1, u32::MAX, 1 << 31]), host: far, ..copy },
            2 => Entry { host: far | 1, ..copy },
            3 => Entry { card: card | far << 40 | 1 << 40, host: far, ..copy },
            4 => Entry { card: STATE | (REGIONS_END + (far >> 30)), host: far & !15, ..copy },
            5 => Entry { opcode: opcode::NOP, host: far, ..copy },
            6 => Entry::pass(far),
            7 => Entry::pass(card),
            8 | 9 => Entry { opcode: opcode::FROM_CARD, ..copy },
            _ => copy,
        };
        let check = self.random.chance(0.1);
        let interrupt = self.random.chance(0.5);
        Entry { check, interrupt, crc: far as u32, ..entry }.encode()
    }

    /// A value for a register of 64 bits: what makes sense, mostly.
    fn wide(&mut self, offset: usize) -> u64 {
        let memory = |random: &mut Random| MEMORY_BASE + random.range(0, 15) * 0x1_0000;
        match offset {
            card::image_base_lo::OFFSET | card::state_base_lo::OFFSET => memory(&mut self.random),
            card::image_bytes_lo::OFFSET | card::state_bytes_lo::OFFSET => {
                self.random.range(0, REGIONS_END / 2)
            }
            card::doorbell_lo::OFFSET => self.random.range(0, u64::MAX) >> self.pick(&[0, 24, 44]),
            _ => self.random.range(0, 1 << 20),
        }
    }

    /// One operation of the host.
    fn act(&mut self) {
        let at = self.random.range(0, 255) as usize * ENTRY_BYTES;
        match self.random.range(0, 15) {
            0..5 => {
                let (entry, ring) = (self.entry(), self.random.range(0, 7) as usize * 0x1_0000);
                self.ram.write(ring + at, &entry).unwrap();
            }
            5 => {
                let offset = self.pick(&[
                    card::image_base_lo::OFFSET,
                    card::image_bytes_lo::OFFSET,
                    card::state_base_lo::OFFSET,
                    card::state_bytes_lo::OFFSET,
                    card::doorbell_lo::OFFSET,
                    HOST + host::load_bytes_lo::OFFSET,
                ]);
                let value = self.wide(offset);
                self.set64(offset, value);
            }
            6 => {
                let offset =
                    self.pick(&[host::submit_base_lo::OFFSET, host::complete_base_lo::OFFSET]);
                let value = self.ring();
                self.set64(HOST + offset, value);
            }
            7 => {
                let bits = self.pick(&[1, 2, 3, 6, 8, 10, 0, 11, 255]);
                self.card.write32(HOST + host::ring_bits::OFFSET, bits);
            }
            8 | 9 => {
                let more = self.random.range(0, 5) as u32;
                let head = self.card.read32(HOST + host::head::OFFSET);
                self.card.write32(HOST + host::tail::OFFSET, head.wrapping_add(more));
            }
            10 | 11 => {
                let enable = u32::from(self.random.chance(0.8));
                self.card.write32(HOST + host::control::OFFSET, enable);
            }
            12 => {
                // Any register but those that say where host memory and regions are; the others write them.
                let offset = self.random.range(0, 0x7ff) as usize * 4;
                let value = self.random.range(0, u64::from(u32::MAX)) as u32;
                let rings = HOST + host::submit_base_lo::OFFSET..HOST + host::ring_bits::OFFSET;
                let regions = card::image_base_lo::OFFSET..card::state_bytes_hi::OFFSET + 4;
                if !(rings.contains(&offset) || regions.contains(&offset)) {
                    self.card.write32(offset, value);
                }
            }
            _ => {
                let cycles = self.random.range(1, 600);
                self.card.run(cycles, &self.memory).unwrap();
            }
        }
        assert_eq!(self.memory.touched.get(), None, "nobody named that host memory");
    }

    fn set64(&mut self, offset: usize, value: u64) {
        self.card.write32(offset, value as u32);
        self.card.write32(offset + 4, (value >> 32) as u32);
    }

    /// After a reset everything works.
    fn revive(&mut self) {
        self.card.reset();
        // So that the rings' upper halves are right from now on.
        let regions = [
            (card::state_base_lo::OFFSET, MEMORY_BASE),
            (card::state_bytes_lo::OFFSET, REGIONS_END / 2),
            (HOST + host::submit_base_lo::OFFSET, SHARED),
            (HOST + host::complete_base_lo::OFFSET, SHARED + 0x1_0000),
        ];
        for (offset, value) in regions {
            self.set64(offset, value);
        }
        let bytes: Vec<u8> = (0..4096).map(|_| self.random.bits() as u8).collect();
        let (from, to) = (SHARED + 0x2_0000, SHARED + 0x3_0000);
        self.ram.write(0x2_0000, &bytes).unwrap();
        self.ram.write(0, &Entry::to_card(from, STATE | 80, 4096, None).encode()).unwrap();
        self.ram.write(64, &Entry::from_card(to, STATE | 80, 4096).encode()).unwrap();
        self.card.write32(HOST + host::ring_bits::OFFSET, 4);
        self.card.write32(HOST + host::control::OFFSET, 1);
        self.card.write32(HOST + host::tail::OFFSET, 2);
        let mut turns = 0;
        while self.card.work(&self.memory) {
            turns += 1;
            assert!(turns < 1000, "the card hangs after a reset");
        }
        assert_eq!(self.card.read32(HOST + host::error_code::OFFSET), host_status::OK);
        let mut found = vec![0; 4096];
        self.ram.read(0x3_0000, &mut found).unwrap();
        assert!(found == bytes, "a copy after a reset differs");
    }

    /// Whether the card comes to rest when the queue is disabled and the pass is stopped.
    fn rest(&mut self) {
        self.card.write32(HOST + host::control::OFFSET, 0);
        self.card.write32(card::control::OFFSET, 1);
        let mut turns = 0;
        while self.card.work(&self.memory) {
            turns += 1;
            assert!(turns < 5000, "the card does not come to rest");
        }
    }
}

/// So many operations of a hostile host.
fn attack(operations: u64) {
    let mut hostile = Hostile::new();
    hostile.revive();
    for operation in 1..=operations {
        hostile.act();
        if operation % 250 == 0 {
            hostile.rest();
            hostile.revive();
        }
    }
    assert!(hostile.card.failure().is_none());
    let behind = (SHARED_BYTES as u64 - (NAMED_END - SHARED)) as usize;
    let mut bytes = vec![0; behind];
    hostile.ram.read((NAMED_END - SHARED) as usize, &mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0), "host memory that nobody named was written");
    let after = hostile.card.memory().read_logical(MEMORY_BASE, REGIONS_END, 1 << 20).unwrap();
    assert!(after.iter().all(|byte| *byte == 0), "card memory outside of all regions was written");
    let (accesses, entries) =
        (hostile.memory.accesses.get(), hostile.card.read32(HOST + host::entries::OFFSET));
    println!(
        "{operations} operations, {accesses} accesses to host memory, {entries} entries at the end"
    );
    assert!(accesses > operations / 2, "the card did little: {accesses} accesses");
}

#[test]
fn a_hostile_host_hangs_nothing_and_reaches_nothing_else() {
    attack(8_000);
}

/// `cargo test --release -p terntable-testbench --test host_hostile -- --ignored`
#[test]
#[ignore = "a minute"]
fn a_hostile_host_of_many_operations() {
    attack(150_000);
}
