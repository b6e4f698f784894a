//! A hostile host: random registers, entries and resets never make the golden card write where it may not, nor
//! take it out of reach of a reset.
//!
//! `TERNTABLE_SEED` is the seed; `TERNTABLE_FUZZ` the number of operations (default 100,000).

use std::cell::RefCell;
use terntable_driver::{
    card::HOST,
    card_registers as registers,
    entry::Entry,
    function::Function,
    golden::{HostCard, MEMORY_BASE},
    host_registers as host,
    memory::{HostMemory, Unmapped},
};
use terntable_golden::card::{command::STATE, config::CardConfig};

/// Host memory of which a window is mapped; counts what is asked for outside of it.
struct Window {
    bytes: RefCell<Vec<u8>>,
    refused: RefCell<u64>,
    served: RefCell<u64>,
}

/// The mapped addresses.
const FROM: u64 = 1 << 33;
const BYTES: usize = 64 * 1024;

impl Window {
    fn place(&self, address: u64, bytes: usize) -> Result<usize, Unmapped> {
        let offset = address.checked_sub(FROM).map(|offset| offset as usize);
        let inside = offset.filter(|at| at.checked_add(bytes).is_some_and(|end| end <= BYTES));
        *self.served.borrow_mut() += u64::from(inside.is_some());
        inside.ok_or_else(|| {
            *self.refused.borrow_mut() += 1;
            Unmapped
        })
    }
}

impl HostMemory for Window {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Unmapped> {
        let at = self.place(address, bytes.len())?;
        bytes.copy_from_slice(&self.bytes.borrow()[at..at + bytes.len()]);
        Ok(())
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Unmapped> {
        let at = self.place(address, bytes.len())?;
        self.bytes.borrow_mut()[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

/// A generator of SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// A number that is often near something that matters.
    fn address(&mut self) -> u64 {
        let near = [0, FROM, FROM + BYTES as u64, STATE, STATE | (1 << 16), 1 << 40, u64::MAX];
        let near = near[self.below(near.len() as u64) as usize];
        near.wrapping_add(16 * self.below(64)).wrapping_sub(16 * self.below(64))
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn set_up(card: &mut HostCard) {
    let wide = [
        (registers::image_base_lo::OFFSET, MEMORY_BASE),
        (registers::image_bytes_lo::OFFSET, 1 << 16),
        (registers::state_base_lo::OFFSET, MEMORY_BASE + (1 << 16)),
        (registers::state_bytes_lo::OFFSET, 1 << 16),
        (HOST + host::submit_base_lo::OFFSET, FROM),
        (HOST + host::complete_base_lo::OFFSET, FROM + 4096),
    ];
    for (offset, value) in wide {
        card.write32(offset, value as u32);
        card.write32(offset + 4, (value >> 32) as u32);
    }
    card.write32(HOST + host::ring_bits::OFFSET, 4);
    card.write32(HOST + host::control::OFFSET, 1);
}

#[test]
fn random_operations_leave_a_card_that_a_reset_brings_back() {
    let seed = number("TERNTABLE_SEED", 1);
    println!("TERNTABLE_SEED={seed}");
    let (mut random, mut tail) = (Random(seed), 0_u32);
    let bytes = RefCell::new(vec![0; BYTES]);
    let memory = Window { bytes, refused: RefCell::new(0), served: RefCell::new(0) };
    let mut card = HostCard::new(&CardConfig::named("sim-small").unwrap());
    set_up(&mut card);
    for _ in 0..number("TERNTABLE_FUZZ", 100_000) {
        match random.below(32) {
            0 => {
                card.reset();
                set_up(&mut card);
                tail = 0;
            }
            // A register of either block; sizes of regions stay small enough for a test.
            1..6 => {
                let offset = (random.below(2) as usize * HOST) + 4 * random.below(64) as usize;
                let sizes = registers::image_bytes_lo::OFFSET..=registers::state_bytes_hi::OFFSET;
                let value = match random.below(3) {
                    0 => random.below(4),
                    1 => random.next(),
                    _ => random.address(),
                };
                let mask = if sizes.contains(&offset) { 0x3_ffff } else { u32::MAX };
                card.write32(offset, value as u32 & mask);
                card.read32(4 * random.below(0x900) as usize);
            }
            // An entry, and the doorbell.
            6..16 => {
                let bytes = match random.below(3) {
                    0 => random.next() as u32,
                    _ => 16 * random.below(512) as u32,
                };
                let (opcode, crc) = (random.below(6) as u8, random.next() as u32);
                let (host, card_address) = (random.address(), random.address());
                let (interrupt, check) = (random.below(2) == 0, random.below(8) == 0);
                let entry = Entry {
                    opcode,
                    host,
                    card: card_address,
                    bytes,
                    crc,
                    interrupt,
                    check,
                    tag: tail,
                };
                let at = FROM + 64 * u64::from(tail % 16);
                memory.write(at, &entry.encode()).unwrap();
                tail = tail.wrapping_add(1);
                card.write32(HOST + host::tail::OFFSET, tail);
            }
            16..18 => {
                card.write32(HOST + host::control::OFFSET, 0);
                set_up(&mut card);
                tail = 0;
            }
            _ => {
                for _ in 0..random.below(16) {
                    card.work(&memory);
                    card.take_interrupt();
                }
            }
        }
    }
    let counts = (*memory.served.borrow(), *memory.refused.borrow());
    println!("{} accesses served, {} refused", counts.0, counts.1);
    assert!(counts.0 > 10_000 && counts.1 > 100, "{counts:?}: the operations reach nothing");
    // Whatever it is in: a reset, and it works.
    card.reset();
    set_up(&mut card);
    memory.write(FROM + 8192, &[7; 64]).unwrap();
    let there = Entry::to_card(FROM + 8192, STATE, 64, None);
    let back = Entry { interrupt: true, ..Entry::from_card(FROM + 16384, STATE, 64) };
    memory.write(FROM, &there.encode()).unwrap();
    memory.write(FROM + 64, &back.encode()).unwrap();
    card.write32(HOST + host::irq_enable::OFFSET, 3);
    card.write32(HOST + host::tail::OFFSET, 2);
    let works = (0..1000).any(|_| {
        card.work(&memory);
        card.take_interrupt() == Some(0)
    });
    assert!(works, "the card does not work after a reset");
    let mut found = [0; 64];
    memory.read(FROM + 16384, &mut found).unwrap();
    assert_eq!(found, [7; 64]);
}
