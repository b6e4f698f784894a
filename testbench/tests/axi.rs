//! The memories of the card's tests: behind a unit's clients, and behind the card's AXI4 ports.

use std::path::PathBuf;
use terntable_testbench::{
    Clock, Error, Signal, Sim,
    agents::{
        AxiDram, ClientMemory, DramTiming, MemoryTiming, ReadClient, STATE, WriteClient,
        axi_dram::{DramModel, Striping, bare_reader, pattern},
    },
    build::{ModelSpec, Storage, workspace_root},
    seed::{Random, seed},
    sim::{SimOptions, trace_from_env},
};

const PERIOD: u64 = 4000;

fn spec(top: &str) -> ModelSpec {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/rtl");
    ModelSpec::new(top, [own, workspace_root().join("rtl")])
}

fn open(spec: ModelSpec) -> (Sim, Clock) {
    let trace = trace_from_env();
    let built = spec.trace(trace.is_some()).build().unwrap();
    let sim = Sim::open(&built, &SimOptions { seed: seed(), trace }).unwrap();
    let clock = sim.clock("clk_i", PERIOD).unwrap();
    (sim, clock)
}

fn reset(sim: &Sim, clock: &Clock) {
    let reset = sim.signal("rst_ni").unwrap();
    reset.set(0);
    sim.block_on(clock.cycles(4)).unwrap();
    reset.set(1);
    sim.block_on(clock.cycles(2)).unwrap();
}

/// What a memory of clients is put through.
const TIMINGS: [MemoryTiming; 3] = [
    MemoryTiming::IDEAL,
    MemoryTiming { latency: 9, stall: 0.3, request_stall: 0.4, outstanding: 3, refresh: None },
    MemoryTiming { latency: 30, stall: 0.05, request_stall: 0.0, outstanding: 16, refresh: None },
];

struct Copier {
    sim: Sim,
    clock: Clock,
    memory: ClientMemory,
    reads: ReadClient,
    writes: WriteClient,
    beat: usize,
}

impl Copier {
    fn new(beat: usize, timing: MemoryTiming) -> Self {
        let (sim, clock) = open(spec("tb_copy").parameter("BeatBytes", beat as u64));
        let memory = ClientMemory::new(1 << 14, 1 << 14);
        memory.randomise(seed());
        let reads = ReadClient::new(&sim, &clock, "rd", &memory, timing, seed()).unwrap();
        let writes = WriteClient::new(&sim, &clock, "wr", &memory, timing, seed()).unwrap();
        reset(&sim, &clock);
        Copier { sim, clock, memory, reads, writes, beat }
    }

    fn copy(&self, source: u64, target: u64, beats: u64, even: bool) -> Result<(), Error> {
        let signal = |name: &str| self.sim.signal(name).unwrap();
        signal("source_i").set(source);
        signal("target_i").set(target);
        signal("beats_i").set(beats);
        signal("even_i").set(u64::from(even));
        signal("start_valid_i").set(1);
        let (ready, copies) = (signal("start_ready_o"), signal("copies_o"));
        let before = copies.get();
        self.sim.block_on(async {
            self.clock.until(20, "the copy to begin", || ready.high()).await?;
            signal("start_valid_i").set(0);
            self.clock.until(20_000, "the copy to end", || copies.get() == before + 1).await
        })?
    }
}

#[test]
fn units_copy_from_image_to_state() {
    for timing in TIMINGS {
        for beat in [16, 64] {
            let copier = Copier::new(beat, timing);
            let mut random = Random::new(seed(), "copies");
            for round in 0..12 {
                let beats = random.range(1, 70);
                let beat = beat as u64;
                let source = random.range(0, (1 << 14) / beat - beats) * beat;
                let target = random.range(0, (1 << 14) / beat - beats) * beat;
                let even = round % 3 == 2;
                // From the image, or within the state when the two stretches are apart.
                let apart = source + beats * beat <= target || target + beats * beat <= source;
                let from = source | if round % 2 == 1 && apart { STATE } else { 0 };
                let count = (beats * beat) as usize;
                let mut want = copier.memory.read(STATE + target, count);
                let bytes = copier.memory.read(from, count);
                for (i, (to, from)) in want.iter_mut().zip(bytes).enumerate() {
                    if !even || i % 2 == 0 {
                        *to = from;
                    }
                }
                copier.copy(from, STATE + target, beats, even).unwrap();
                let got = copier.memory.read(STATE + target, count);
                assert!(got == want, "{timing:?} beat {beat} copy {round}, seed {:#x}", seed());
            }
            assert_eq!(copier.memory.bad_accesses(), 0);
            let (reads, writes) = (copier.reads.statistics(), copier.writes.statistics());
            assert_eq!((reads.beats, reads.pending), (writes.beats, 0));
            assert!(reads.bursts > 12 && writes.bursts > 12);
            assert_eq!(copier.beat, beat);
        }
    }
}

#[test]
fn an_ideal_client_memory_moves_a_beat_a_cycle() {
    let copier = Copier::new(16, MemoryTiming::IDEAL);
    copier.reads.record();
    copier.copy(48, STATE, 500, false).unwrap();
    let reads = copier.reads.statistics();
    let span = reads.last - reads.first_request;
    assert!(span < 530, "{span} cycles for 500 beats");
    let requests = copier.reads.take_requests();
    assert_eq!(requests[..2], [(48, 13), (256, 16)]);
    assert_eq!(requests.iter().map(|r| r.1).sum::<u32>(), 500);
}

#[test]
fn accesses_outside_of_the_regions_read_zeros_and_write_nothing() {
    let copier = Copier::new(16, MemoryTiming::IDEAL);
    let before = copier.memory.read(0, 1 << 14);
    copier.copy((1 << 14) - 32, STATE, 4, false).unwrap();
    assert_eq!(copier.memory.bad_accesses(), 2);
    assert_eq!(copier.memory.read(STATE, 32), before[(1 << 14) - 32..]);
    assert_eq!(copier.memory.read(STATE + 32, 32), [0; 32]);
    // The image is read only.
    copier.copy(0, 0x100, 2, false).unwrap();
    assert_eq!(copier.memory.bad_accesses(), 4);
    assert!(copier.memory.read(0, 1 << 14) == before);
}

#[test]
fn a_client_that_changes_a_waiting_request_is_caught() {
    let slow = MemoryTiming { request_stall: 0.9, ..MemoryTiming::IDEAL };
    let copier = Copier::new(16, slow);
    copier.sim.signal("cheat_i").unwrap().set(1);
    let error = copier.copy(0x20, STATE, 200, false).unwrap_err().to_string();
    let rule = "address and beats must hold until ready";
    assert!(error.contains("rd at cycle") && error.contains(rule), "{error}");
}

#[test]
fn a_client_across_a_block_is_caught() {
    let copier = Copier::new(16, MemoryTiming::IDEAL);
    copier.sim.signal("cheat_i").unwrap().set(1);
    // Bursts of 16 beats, one beat late half of the time.
    let error = copier.copy(0, STATE, 200, false).unwrap_err().to_string();
    assert!(error.contains("a burst must not cross a multiple of 256"), "{error}");
}

/// Two copiers behind tt_memory.
struct Card {
    sim: Sim,
    clock: Clock,
    memory: AxiDram,
    striping: Striping,
}

const IMAGE: u64 = 0x8000_0000;
const STATE_BASE: u64 = 0x1_4000_0000;
const REGION: usize = 1 << 16;

impl Card {
    fn new(ports: usize, port_bytes: usize, timing: DramTiming) -> Self {
        let spec = spec("tb_memory")
            .parameter("Ports", ports as u64)
            .parameter("PortBytes", port_bytes as u64);
        let (sim, clock) = open(spec);
        let memory = AxiDram::new(&sim, &clock, "m_axi", timing, PERIOD, seed()).unwrap();
        let striping = memory.striping();
        assert_eq!(striping, Striping { ports, port_bytes });
        let mut random = Random::new(seed(), "regions");
        let mut bytes = || (0..REGION).map(|_| random.bits() as u8).collect::<Vec<u8>>();
        memory.load_logical(IMAGE, &bytes(), 0).unwrap();
        memory.load_logical(STATE_BASE, &bytes(), REGION).unwrap();
        for (name, value) in [("image_base_i", IMAGE), ("state_base_i", STATE_BASE)] {
            sim.signal(name).unwrap().set(value);
        }
        for name in ["image_bytes_i", "state_bytes_i"] {
            sim.signal(name).unwrap().set(REGION as u64);
        }
        reset(&sim, &clock);
        Card { sim, clock, memory, striping }
    }

    /// Two copies at once: (source, target, beats) each; cycles from start to end.
    fn copy(&self, copies: [(u64, u64, u64); 2], even: bool) -> Result<u64, Error> {
        let signal = |name: &str| self.sim.signal(name).unwrap();
        let pair = |a: u64, b: u64| {
            let both = u128::from(a) | u128::from(b) << 40;
            both.to_le_bytes()
        };
        signal("source_i").set_bytes(&pair(copies[0].0, copies[1].0)[..10]);
        signal("target_i").set_bytes(&pair(copies[0].1, copies[1].1)[..10]);
        signal("beats_i").set(copies[0].2 | copies[1].2 << 32);
        signal("even_i").set(u64::from(even));
        signal("start_valid_i").set(3);
        let (ready, done) = (signal("start_ready_o"), signal("copies_o"));
        let before = done.get();
        let want = before + 0x1_0000_0001;
        self.sim.block_on(async {
            self.clock.until(20, "the copies to begin", || ready.get() == 3).await?;
            signal("start_valid_i").set(0);
            let start = self.clock.cycle();
            self.clock.until(100_000, "the copies to end", || done.get() == want).await?;
            Ok(self.clock.cycle() - start)
        })?
    }
}

const DRAMS: [DramTiming; 4] =
    [DramTiming::IDEAL, DramTiming::HOSTILE, DramTiming::KV260, DramTiming::ALVEO];

#[test]
fn a_card_copies_through_striped_memory() {
    for (ports, port_bytes) in [(1, 16), (4, 16), (2, 32)] {
        for timing in DRAMS {
            let card = Card::new(ports, port_bytes, timing);
            let beat = card.striping.beat_bytes() as u64;
            let mut random = Random::new(seed(), "copies");
            let half = REGION as u64 / 2;
            for round in 0..8 {
                // Each unit has a half of the state; sources are anywhere in the image.
                let copies = [0, half].map(|start| {
                    let beats = random.range(1, 80);
                    let source = random.range(0, REGION as u64 / beat - beats) * beat;
                    let target = start + random.range(0, half / beat - beats) * beat;
                    (source, STATE + target, beats)
                });
                let even = round % 3 == 2;
                let mut want = card.memory.read_logical(STATE_BASE, 0, REGION).unwrap();
                for (source, target, beats) in copies {
                    let count = (beats * beat) as usize;
                    let bytes = card.memory.read_logical(IMAGE, source, count).unwrap();
                    for (i, byte) in bytes.into_iter().enumerate() {
                        if !even || i % 2 == 0 {
                            want[(target & !STATE) as usize + i] = byte;
                        }
                    }
                }
                card.copy(copies, even).unwrap();
                let got = card.memory.read_logical(STATE_BASE, 0, REGION).unwrap();
                let at = (0..REGION).find(|&i| got[i] != want[i]);
                let name = timing.name();
                assert_eq!(at, None, "{ports} x {port_bytes} {name} {copies:x?} {:#x}", seed());
            }
            assert_eq!(card.sim.signal("errors_o").unwrap().get(), 0);
            // Writes that are answered may still wait in the controller, for a refresh too.
            card.sim.block_on(card.clock.cycles(400)).unwrap();
            assert!(card.memory.is_idle());
            let statistics = card.memory.statistics();
            assert_eq!(statistics.reads, statistics.writes);
            assert!(statistics.reads > 0 && statistics.errors == 0, "{statistics:?}");
        }
    }
}

#[test]
fn a_failing_address_reaches_the_card_as_an_error() {
    let card = Card::new(4, 16, DramTiming::IDEAL);
    card.memory.fail_at(IMAGE + card.striping.physical(64 * 3 + 20));
    let copies = [(0, STATE, 16), (0x4000, STATE + 0x4000, 16)];
    card.copy(copies, false).unwrap();
    assert_eq!(card.sim.signal("errors_o").unwrap().get(), 1);
    card.memory.heal();
    card.memory.fail_at(STATE_BASE + 16 * 3);
    let before = card.memory.read_logical(STATE_BASE, 0, 16).unwrap();
    card.memory.write_logical(IMAGE, 0, &[0x5a; 1024]).unwrap();
    card.copy(copies, false).unwrap();
    assert_eq!(card.sim.signal("errors_o").unwrap().get(), 2);
    assert_eq!(card.memory.read_logical(STATE_BASE, 0, 16).unwrap(), before, "not written");
    assert_eq!(card.memory.read_logical(STATE_BASE, 16, 48).unwrap(), [0x5a; 48]);
}

#[test]
fn a_reset_in_the_middle_forgets_what_was_under_way() {
    for timing in DRAMS {
        let card = Card::new(4, 16, timing);
        let want = card.memory.read_logical(IMAGE, 0, 64 * 64).unwrap();
        let start = card.sim.signal("start_valid_i").unwrap();
        for cycles in [3, 20, 47, 90] {
            start.set(3);
            card.sim.signal("beats_i").unwrap().set(200 | 200 << 32);
            card.sim.block_on(card.clock.cycles(cycles)).unwrap();
            start.set(0);
            card.sim.signal("rst_ni").unwrap().set(0);
            card.memory.reset();
            card.sim.block_on(card.clock.cycles(1)).unwrap();
            reset(&card.sim, &card.clock);
        }
        card.copy([(0, STATE, 64), (0, STATE + 0x4000, 64)], false).unwrap();
        assert!(card.memory.read_logical(STATE_BASE, 0, 64 * 64).unwrap() == want);
        assert!(card.memory.read_logical(STATE_BASE, 0x4000, 64 * 64).unwrap() == want);
    }
}

/// AXI4 masters by hand.
struct Masters {
    sim: Sim,
    clock: Clock,
    memory: AxiDram,
}

impl Masters {
    fn new(timing: DramTiming) -> Self {
        let (sim, clock) = open(spec("tb_axi").parameter("Ports", 2));
        let memory = AxiDram::new(&sim, &clock, "m_axi", timing, PERIOD, seed()).unwrap();
        memory.store().add(0x1000, (0..8192).map(|i| (i / 16) as u8).collect()).unwrap();
        let master = Masters { sim, clock, memory };
        for (name, value) in [("arsize", 0o44), ("awsize", 0o44), ("arburst", 5), ("awburst", 5)] {
            master.signal(name, "i").set(value);
        }
        for name in ["rready", "bready"] {
            master.signal(name, "i").set(3);
        }
        master.sim.block_on(master.clock.cycles(3)).unwrap();
        master
    }

    fn signal(&self, name: &str, direction: &str) -> Signal {
        self.sim.signal(&format!("{name}_{direction}")).unwrap()
    }

    /// Requests on both ports at once.
    fn ask(&self, channel: &str, addresses: [u64; 2], len: u64) {
        let bytes: Vec<u8> = addresses.iter().flat_map(|a| a.to_le_bytes()).collect();
        self.signal(&format!("{channel}addr"), "i").set_bytes(&bytes);
        self.signal(&format!("{channel}len"), "i").set(len | len << 8);
        self.signal(&format!("{channel}valid"), "i").set(3);
    }

    fn step(&self) -> Result<(), Error> {
        self.sim.block_on(self.clock.cycles(1))
    }

    /// Runs until both ports have taken a request.
    fn taken(&self, channel: &str) -> Result<(), Error> {
        let (valid, ready) = (
            self.signal(&format!("{channel}valid"), "i"),
            self.signal(&format!("{channel}ready"), "o"),
        );
        let mut left = 3;
        for _ in 0..100 {
            self.step()?;
            left &= !(ready.get() & valid.get());
            valid.set(left);
            if left == 0 {
                return Ok(());
            }
        }
        panic!("the request was not taken");
    }
}

#[test]
fn reads_by_hand_come_in_order_with_last_and_response() {
    for timing in DRAMS {
        let master = Masters::new(timing);
        let [rvalid, rresp, rlast, rdata] =
            ["rvalid", "rresp", "rlast", "rdata"].map(|name| master.signal(name, "o"));
        let rready = master.signal("rready", "i");
        let mut random = Random::new(seed(), "ready");
        for round in 0..6_u64 {
            // The second port reads past the end of the region in the last round.
            let second = if round == 5 { 0x3000 } else { 0x1f00 };
            let first = 0x1000 + 256 * round;
            rready.set(0);
            master.step().unwrap();
            master.ask("ar", [first, second], 3);
            master.taken("ar").unwrap();
            let mut got = [0_u64; 2];
            for _ in 0..400 {
                master.step().unwrap();
                // What this edge moves.
                let moved = rvalid.get() & rready.get();
                for p in (0..2).filter(|p| moved >> p & 1 != 0) {
                    let outside = round == 5 && p == 1;
                    let address = [first, second][p] - 0x1000 + 16 * got[p];
                    let byte = (address / 16) & 0xff;
                    let want = if outside { u64::MAX } else { byte * 0x0101_0101_0101_0101 };
                    let at = format!("{} port {p} round {round}", timing.name());
                    assert_eq!(rdata.get_at(16 * p, 8), want, "{at}");
                    let response = rresp.get() >> (2 * p) & 3;
                    assert_eq!(response, if outside { 3 } else { 0 }, "{at}");
                    assert_eq!(rlast.get() >> p & 1 == 1, got[p] == 3, "{at}");
                    got[p] += 1;
                }
                rready.set(random.range(0, 3));
            }
            assert_eq!(got, [4, 4], "{} round {round}", timing.name());
        }
    }
}

/// Writes by hand: data before the request, strobes, and a response after the bytes.
#[test]
fn writes_by_hand_are_in_memory_with_their_response() {
    for timing in DRAMS {
        let master = Masters::new(timing);
        let [wvalid, wlast, wstrb, wdata, awvalid] =
            ["wvalid", "wlast", "wstrb", "wdata", "awvalid"].map(|name| master.signal(name, "i"));
        let [bvalid, wready, awready] =
            ["bvalid", "wready", "awready"].map(|name| master.signal(name, "o"));
        let before = master.memory.store().read(0x1100, 64).unwrap().to_vec();
        wstrb.set(0x8001 | 0xffff << 16);
        let (mut sent, mut asking, mut answered) = ([0_u64; 2], 3, 0);
        for cycle in 0..400 {
            for p in 0..2 {
                wdata.set_with(|to| to[16 * p..][..16].fill(0xa0 + sent[p] as u8 + 16 * p as u8));
            }
            wvalid.set((0..2).fold(0, |v, p| v | u64::from(sent[p] < 4) << p));
            wlast.set((0..2).fold(0, |v, p| v | u64::from(sent[p] == 3) << p));
            if cycle == 10 {
                master.ask("aw", [0x1100, 0x2100], 3);
            }
            master.step().unwrap();
            let moved = wvalid.get() & wready.get();
            (0..2).filter(|p| moved >> p & 1 != 0).for_each(|p| sent[p] += 1);
            asking &= !(awvalid.get() & awready.get());
            if cycle >= 10 {
                awvalid.set(asking);
            }
            answered |= bvalid.get();
            if answered == 3 {
                break;
            }
        }
        assert_eq!((answered, sent), (3, [4, 4]), "{}", timing.name());
        let mut store = master.memory.store();
        let second: Vec<u8> = (0..64).map(|i| 0xb0 + (i / 16) as u8).collect();
        assert_eq!(store.read(0x2100, 64).unwrap(), second, "{}", timing.name());
        let mut first = before;
        for beat in 0..4 {
            (first[16 * beat], first[16 * beat + 15]) = (0xa0 + beat as u8, 0xa0 + beat as u8);
        }
        assert_eq!(store.read(0x1100, 64).unwrap(), first, "{}", timing.name());
    }
}

#[test]
fn broken_rules_of_axi_end_the_run() {
    let broken = |change: &dyn Fn(&Masters), rule: &str| {
        let master = Masters::new(DramTiming::IDEAL);
        master.ask("ar", [0x1000, 0x1100], 15);
        change(&master);
        let mut error = None;
        for _ in 0..40 {
            if let Err(e) = master.step() {
                error = Some(e.to_string());
                break;
            }
        }
        let error = error.expect(rule);
        assert!(error.contains(rule) && error.contains("m_axi_"), "{error}");
    };
    broken(&|m| m.signal("arburst", "i").set(1), "every burst is INCR");
    broken(&|m| m.signal("arsize", "i").set(0o43), "every transfer has 16 bytes");
    broken(&|m| m.ask("ar", [0x1000, 0x1108], 1), "must be a multiple of 16");
    broken(&|m| m.ask("ar", [0x1000, 0x1f80], 15), "must not cross 4 KiB");
    broken(&|m| m.ask("aw", [0x1000, 0x1100], 31), "1..=16 transfers");
    broken(
        &|m| {
            m.memory.set_timing(DramTiming::Ideal(MemoryTiming {
                request_stall: 1.0,
                ..MemoryTiming::IDEAL
            }));
            m.step().unwrap();
            m.step().unwrap();
            m.ask("ar", [0x1000, 0x1140], 15);
        },
        "valid and payload must hold until ready; the payload changed",
    );
    broken(
        &|m| {
            m.signal("arvalid", "i").set(0);
            m.ask("aw", [0x1000, 0x1100], 3);
            m.signal("wvalid", "i").set(1);
            m.signal("wlast", "i").set(0);
        },
        "wlast marks the last transfer",
    );
}

/// Every parameter of the DRAM costs something.
#[test]
fn a_slower_dram_gives_less() {
    let model = DramModel::DDR4_2400;
    let sequential = |model: DramModel| {
        bare_reader(&DramTiming::Dram(model), 4, 16, PERIOD, 60_000, seed()).rate()
    };
    let scattered = |model: DramModel| {
        pattern(&DramTiming::Dram(model), 4, 16, PERIOD, 20_000, seed(), |burst, port| {
            Random::new(burst, "scattered").range(0, 1 << 18) * 1024 + port as u64 * 256
        })
        .rate()
    };
    let base = sequential(model);
    for (what, slower) in [
        ("access", DramModel { access: model.access * 5 / 4, ..model }),
        ("refresh", DramModel { refresh: model.refresh * 2, ..model }),
        ("tCCD_L, one bank group", DramModel { groups: 1, ..model }),
        ("paths", DramModel { response_path: 300_000_000, ..model }),
        ("issued", DramModel { issued: 2, ..model }),
        ("read buffer", DramModel { read_buffer: 1024, ..model }),
        ("controller port", DramModel { controller_access: 9_000_000, ..model }),
        ("all ports on one", DramModel { controller_ports: [0; 8], ..model }),
    ] {
        let rate = sequential(slower);
        assert!(rate < 0.995 * base, "{what}: {rate} of {base}");
    }
    let none = DramModel { refresh: 0, ..model };
    assert!(sequential(none) > 1.005 * base);
    let base = scattered(model);
    for (what, slower) in [
        ("tRCD", DramModel { activate: 4 * model.activate, ..model }),
        ("tRP", DramModel { precharge: 4 * model.precharge, ..model }),
        ("tRAS", DramModel { active: 3 * model.active, ..model }),
        ("tFAW", DramModel { four_activates: 3 * model.four_activates, ..model }),
        ("tRRD", DramModel { activate_gap: 5 * model.activate_gap, ..model }),
    ] {
        let rate = scattered(slower);
        assert!(rate < 0.99 * base, "{what}: {rate} of {base}");
    }
}

/// Reads and writes share the data bus of a DRAM, and have each their own with ideal memory.
#[test]
fn copies_share_the_bus_of_a_dram() {
    let cycles = |timing: DramTiming| {
        let card = Card::new(4, 16, timing);
        let half = REGION as u64 / 2;
        let copies = [(0, STATE, 512), (half, STATE + half, 512)];
        (card.copy(copies, false).unwrap(), card.memory.dram_counts())
    };
    let (ideal, _) = cycles(DramTiming::IDEAL);
    let (dram, counts) = cycles(DramTiming::KV260);
    println!("1,024 beats copied: ideal {ideal} cycles, ddr4-2400 {dram} cycles, {counts:?}");
    // 1,024 beats are as many accesses of 64 bytes: what a port asks for fills whole ones.
    assert_eq!(counts.reads, 4 * 1024 / 4);
    assert!(counts.writes > 900 && counts.turnarounds > 4 && counts.activates > 64);
    assert!((1024..1200).contains(&ideal), "{ideal}");
    assert!(dram as f64 > 2.0 * 1024.0 * 64.0 / 76.8, "{dram}");
    assert!(dram < 3 * ideal, "{dram}");
}

/// What the memory gives by itself: the figures of docs/memory.md.
#[test]
fn bare_readers() {
    let rate = |timing: DramTiming, ports, port_bytes| {
        bare_reader(&timing, ports, port_bytes, PERIOD, 200_000, seed()).rate()
    };
    let ideal = rate(DramTiming::IDEAL, 4, 16);
    assert!(ideal > 0.999, "{ideal}");
    let kv260 = rate(DramTiming::KV260, 4, 16);
    // Published: 15.93 to 16.01 of the 16.0 GB/s of the ports.
    assert!((0.97..0.985).contains(&kv260), "{kv260}");
    let slow = rate(DramTiming::KV260_2133, 4, 16);
    assert!(slow > 0.9 && slow < kv260, "{slow}");
    let hbm = rate(DramTiming::ALVEO, 4, 32);
    assert!(hbm > 0.9, "{hbm}");
    let scattered = pattern(&DramTiming::KV260, 4, 16, PERIOD, 50_000, seed(), |burst, port| {
        let mut random = Random::new(burst, "scattered");
        random.range(0, 1 << 18) * 1024 + port as u64 * 256
    })
    .rate();
    assert!(scattered < 0.95 * kv260, "{scattered}");
    for timing in [DramTiming::KV260, DramTiming::ALVEO] {
        let one = bare_reader(&timing, 4, 16, PERIOD, 16, 3);
        println!("{}: a single burst takes {} cycles", timing.name(), one.cycles);
    }
    println!("ideal {ideal:.4}, ddr4-2400 {kv260:.4}, ddr4-2133 {slow:.4}, hbm2 {hbm:.4}");
    println!("ddr4-2400, bursts of 1 KiB at random: {scattered:.4}");
    let same_bank = pattern(&DramTiming::KV260, 4, 16, PERIOD, 20_000, seed(), |burst, port| {
        burst * 65_536 + port as u64 * 256
    })
    .rate();
    println!("ddr4-2400, bursts of 1 KiB in rows of one bank: {same_bank:.4}");
    assert!(same_bank < 0.95 * kv260, "{same_bank}");
}

#[test]
fn memories_can_be_seen_and_not_changed() {
    let storage = [Storage::new("tt_fifo", "memory"), Storage::new("tb_copy", "address_q")];
    let (sim, clock) = open(spec("tb_copy").parameter("BeatBytes", 16).visible(&storage));
    let memory = ClientMemory::new(1 << 12, 1 << 12);
    memory.randomise(seed());
    let _reads = ReadClient::new(&sim, &clock, "rd", &memory, TIMINGS[0], seed()).unwrap();
    let _writes = WriteClient::new(&sim, &clock, "wr", &memory, TIMINGS[0], seed()).unwrap();
    reset(&sim, &clock);
    let set = |name: &str, value: u64| sim.signal(name).unwrap().set(value);
    set("source_i", 0);
    set("target_i", STATE + 0x40);
    set("beats_i", 16);
    set("start_valid_i", 1);
    sim.block_on(clock.cycles(2)).unwrap();
    set("start_valid_i", 0);
    sim.block_on(clock.cycles(60)).unwrap();
    let probe = sim.probe("u_beats").unwrap();
    assert!(probe.name().ends_with("u_reader.u_beats.memory"), "{}", probe.name());
    assert_eq!((probe.width(), probe.elements(), probe.element_bytes()), (128, 32, 16));
    for beat in 0..16 {
        let want = memory.read(16 * beat, 16);
        assert_eq!(sim.peek("u_beats.memory", beat as usize).unwrap(), want);
        assert_eq!(probe.get(beat as usize).unwrap().to_le_bytes(), want[..8]);
    }
    assert_eq!(sim.probe("address_q").unwrap().get(0).unwrap(), STATE + 0x140);
    assert_eq!(sim.probe("tb_copy.address_q").unwrap().width(), 40);
    let error = sim.flip("u_beats", 0, 0).unwrap_err().to_string();
    assert!(error.contains("storage that can only be read"), "{error}");
    let error = sim.peek("u_beats", 32).unwrap_err().to_string();
    assert!(error.contains("found 32 elements of 16 bytes"), "{error}");
    let error = sim.probe("beats").err().unwrap().to_string();
    assert!(error.contains("it has: ") && error.contains("u_beats.memory"), "{error}");
}
