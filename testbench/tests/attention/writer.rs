//! `tt_kv_writer`: memory holds the rows written, and what was there before around them.

use super::{
    bits::Bits,
    scene::{Model, Shape},
};
use std::{cell::Cell, path::Path, rc::Rc};
use terntable_testbench::{
    Clock, Sim,
    agents::{ClientMemory, MemoryTiming, STATE, WriteClient},
    build::{ModelSpec, workspace_root},
    seed::{Random, seed},
    sim::{Signal, SimOptions, trace_from_env},
};

/// A row that is offered.
#[derive(Debug, Clone)]
pub struct Offer {
    pub slot: usize,
    pub head: usize,
    pub value: bool,
    pub elements: Vec<i8>,
    pub step: u32,
}

/// A slot: cache row and physical page.
pub type Place = (u32, u32);

pub struct Writer {
    sim: Sim,
    clock: Clock,
    shape: Shape,
    memory: ClientMemory,
    write: WriteClient,
    pub random: Random,
    errors: Rc<Cell<u32>>,
}

const MEMORY: usize = 1 << 20;

impl Writer {
    pub fn new(shape: Shape, purpose: &str) -> Writer {
        Self::of(&workspace_root().join("rtl"), shape, purpose)
    }

    /// The unit of another copy of the RTL.
    pub fn of(rtl: &Path, shape: Shape, purpose: &str) -> Writer {
        let trace = trace_from_env();
        let built = ModelSpec::new("tt_kv_writer", [rtl])
            .parameter("Slots", shape.slots as u64)
            .parameter("BeatBytes", shape.beat as u64)
            .parameter("Lanes", shape.lanes as u64)
            .parameter("PageRows", shape.page_rows as u64)
            .trace(trace.is_some())
            .build()
            .unwrap();
        let sim = Sim::open(&built, &SimOptions { seed: seed(), trace }).unwrap();
        let clock = sim.clock("clk_i", 1000).unwrap();
        let memory = ClientMemory::new(0, MEMORY);
        let write =
            WriteClient::new(&sim, &clock, "wr", &memory, MemoryTiming::IDEAL, seed()).unwrap();
        let errors = Rc::new(Cell::new(0));
        let writer = Writer {
            shape,
            memory,
            write,
            random: Random::new(seed(), purpose),
            errors,
            clock,
            sim,
        };
        let (clock, error, errors) =
            (writer.clock.clone(), writer.signal("error_o"), writer.errors.clone());
        writer.sim.spawn(async move {
            loop {
                clock.rising_edge().await;
                errors.set(errors.get() + u32::from(error.high()));
            }
        });
        writer.reset();
        writer
    }

    fn signal(&self, name: &str) -> Signal {
        self.sim.signal(name).unwrap()
    }

    pub fn reset(&self) {
        let rst = self.signal("rst_ni");
        rst.set(0);
        self.signal("kv_valid_i").set(0);
        self.write.reset();
        self.sim.block_on(self.clock.cycles(3)).unwrap();
        rst.set(1);
        self.sim.block_on(self.clock.cycles(2)).unwrap();
    }

    pub fn timing(&self, timing: MemoryTiming) {
        self.write.set_timing(timing);
    }

    /// Sets the model and the slots.
    pub fn ports(&self, model: &Model, pages: usize, places: &[Place]) {
        self.signal("model_i").set_bytes(&model.port(&self.shape, pages));
        let mut bits = Bits::default();
        for &(row, page) in places {
            bits.push(1, 32).push(2, 32).push(u64::from(row), 32).push(3, 32).push(4, 32);
            bits.push(5, 40).push(u64::from(page), 32).push(1, 1);
        }
        self.signal("slot_i").set_bytes(&bits.bytes());
    }

    /// Offers rows and waits until the writer says that all is written; gives the cycles. With
    /// `stop`, only so many cycles.
    pub fn write(&mut self, base: u64, offers: &[Offer], stall: f64, stop: Option<u64>) -> u64 {
        let start = self.clock.cycle();
        let [valid, ready, data, slot, head, value, last, step, base_i, idle] = [
            "kv_valid_i",
            "kv_ready_o",
            "kv_data_i",
            "kv_slot_i",
            "kv_head_i",
            "kv_value_i",
            "kv_last_i",
            "kv_step_i",
            "kv_base_i",
            "kv_idle_o",
        ]
        .map(|n| self.signal(n));
        let lanes = self.shape.lanes;
        let (clock, mut random) = (self.clock.clone(), self.random.clone());
        self.random.bits();
        base_i.set(base);
        let task = async {
            for offer in offers {
                let words = offer.elements.chunks(lanes);
                let count = words.len();
                for (w, word) in words.enumerate() {
                    while random.chance(stall) {
                        valid.set(0);
                        clock.rising_edge().await;
                    }
                    let bytes: Vec<u8> = word.iter().map(|&e| e as u8).collect();
                    data.set_bytes(&bytes);
                    slot.set(offer.slot as u64);
                    head.set(offer.head as u64);
                    value.set(u64::from(offer.value));
                    last.set(u64::from(w + 1 == count));
                    step.set(u64::from(offer.step));
                    valid.set(1);
                    clock.until(5000, "a word to be taken", || ready.high()).await.unwrap();
                    assert!(!idle.high(), "idle with a word at the port");
                }
                valid.set(0);
            }
            clock.until(20_000, "idle", || idle.high()).await.unwrap();
        };
        match stop {
            None => self.sim.block_on(task).unwrap(),
            Some(cycles) => {
                let limited = terntable_testbench::with_timeout(&self.clock, cycles, "stop", task);
                drop(self.sim.block_on(limited).unwrap());
            }
        }
        self.clock.cycle() - start
    }

    /// Random rows into random places: whole memory compared.
    pub fn check(&mut self, model: &Model, timing: MemoryTiming, stall: f64) -> u64 {
        let shape = self.shape;
        let head_bytes = model.head_bytes(&shape);
        let page_bytes = model.kv_heads * head_bytes;
        let pages = ((MEMORY / 2) / page_bytes).min(20);
        let base = self.random.range(0, 64) as usize * shape.beat;
        self.timing(timing);
        let bad = self.random.chance(0.2);
        let places: Vec<Place> = (0..shape.slots)
            .map(|_| {
                let page = self.random.range(0, pages as u64 - 1) as u32;
                let page = if bad && self.random.chance(0.5) { page + pages as u32 } else { page };
                (self.random.bits() as u32, page)
            })
            .collect();
        let mut offers = Vec::new();
        for _ in 0..self.random.range(1, 40) {
            offers.push(Offer {
                slot: self.random.range(0, shape.slots as u64 - 1) as usize,
                head: self.random.range(0, model.kv_heads as u64 - 1) as usize,
                value: self.random.chance(0.5),
                elements: (0..model.head_dim)
                    .map(|_| if model.int4 { self.random.int8() >> 4 } else { self.random.int8() })
                    .collect(),
                step: self.random.bits() as u32,
            });
        }
        let mut want: Vec<u8> = (0..MEMORY).map(|_| self.random.bits() as u8).collect();
        self.memory.write(STATE, &want);
        let (rows, steps) = model.sections(&shape);
        let (mut dropped, errors) = (0, self.errors.get());
        for offer in &offers {
            let (row, page) = places[offer.slot];
            if page as usize >= pages {
                dropped += 1;
                continue;
            }
            let at = base + page as usize * page_bytes + offer.head * head_bytes;
            let place = row as usize % shape.page_rows;
            let bytes: Vec<u8> = if model.int4 {
                offer.elements.chunks(2).map(|v| v[0] as u8 & 15 | (v[1] as u8) << 4).collect()
            } else {
                offer.elements.iter().map(|&v| v as u8).collect()
            };
            let to = at + place * bytes.len() + if offer.value { rows + 2 * steps } else { 0 };
            want[to..to + bytes.len()].copy_from_slice(&bytes);
            let to = at + rows + 4 * place + if offer.value { steps } else { 0 };
            want[to..to + 4].copy_from_slice(&offer.step.to_le_bytes());
        }
        let base = STATE | base as u64;
        self.ports(model, pages, &places);
        let cycles = self.write(base, &offers, stall, None);
        let found = self.memory.read(STATE, MEMORY);
        let differs = want.iter().zip(&found).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{model:?}, {timing:?}, seed {:#x}", seed());
        assert_eq!(self.errors.get() - errors, dropped, "errors, seed {:#x}", seed());
        cycles / offers.len() as u64
    }
}
