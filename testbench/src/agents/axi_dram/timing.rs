//! How fast the card's memory is: `docs/memory.md` gives the source of every number.

use crate::agents::MemoryTiming;

/// A femtosecond: the unit of DRAM timing. 64 bytes at 2,400 MT/s take 3,333,333 of them.
pub(super) const NS: u64 = 1_000_000;

/// A timing model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DramTiming {
    /// Every port by itself: a latency and random stalls, the same for reads and writes.
    Ideal(MemoryTiming),
    /// DRAM with banks, refresh and turnaround behind ports that share it or have one each.
    Dram(DramModel),
}

impl DramTiming {
    /// A transfer a cycle on every port, at once.
    pub const IDEAL: DramTiming = DramTiming::Ideal(MemoryTiming::IDEAL);

    /// Slow, jittery and inconvenient: what tests of function run with.
    pub const HOSTILE: DramTiming = DramTiming::Ideal(MemoryTiming {
        latency: 17,
        stall: 0.3,
        request_stall: 0.3,
        outstanding: 8,
        refresh: None,
    });

    /// The edge card: four 128-bit ports of a Zynq UltraScale+ at DDR4-2400 x64.
    pub const KV260: DramTiming = DramTiming::Dram(DramModel::DDR4_2400);

    /// The same at DDR4-2133, the other speed that boards are configured for.
    pub const KV260_2133: DramTiming = DramTiming::Dram(DramModel::DDR4_2133);

    /// The data-centre card: a pseudo-channel of HBM2 behind every port.
    pub const ALVEO: DramTiming = DramTiming::Dram(DramModel::HBM2);

    /// The name for people and options.
    pub fn name(&self) -> &'static str {
        match self {
            DramTiming::Ideal(_) => "ideal",
            DramTiming::Dram(model) => model.name,
        }
    }

    /// The model of a name: `ideal`, `hostile`, `ddr4-2400`, `ddr4-2133`, `hbm2`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ideal" => Some(Self::IDEAL),
            "hostile" => Some(Self::HOSTILE),
            "ddr4-2400" | "kv260" => Some(Self::KV260),
            "ddr4-2133" => Some(Self::KV260_2133),
            "hbm2" | "alveo" => Some(Self::ALVEO),
            _ => None,
        }
    }
}

/// A DRAM channel and the path to it. Times in femtoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DramModel {
    /// Its name.
    pub name: &'static str,
    /// Every port has a channel of its own; otherwise all share one.
    pub channel_a_port: bool,
    /// Bytes of an access: a DRAM burst.
    pub access_bytes: u32,
    /// Time of an access on the data bus.
    pub access: u64,
    /// Between the starts of two accesses to one bank group (tCCD_L).
    pub same_group: u64,
    /// Bank groups, a power of two; address bits just above an access choose one.
    pub groups: u32,
    /// Banks of all groups, a power of two; address bits above a row choose one of a group.
    pub banks: u32,
    /// Bytes of an open row.
    pub row_bytes: u32,
    /// Activate to column command (tRCD).
    pub activate: u64,
    /// Precharge (tRP).
    pub precharge: u64,
    /// Activate to precharge (tRAS).
    pub active: u64,
    /// Read command to precharge (tRTP).
    pub read_to_precharge: u64,
    /// End of write data to precharge (tWR).
    pub write_recovery: u64,
    /// Between activates of different banks (tRRD).
    pub activate_gap: u64,
    /// Window of four activates (tFAW).
    pub four_activates: u64,
    /// Column command to data (CL).
    pub column: u64,
    /// Bus time lost from reads to writes.
    pub read_to_write: u64,
    /// Bus time lost from writes to reads: tWTR and CL.
    pub write_to_read: u64,
    /// From one refresh to the next (tREFI).
    pub refresh_interval: u64,
    /// A refresh (tRFC).
    pub refresh: u64,
    /// Card to controller.
    pub request_path: u64,
    /// DRAM to card; also controller to card for a write's response.
    pub response_path: u64,
    /// The controller port of a card port, for up to eight ports, repeated.
    pub controller_ports: [u8; 8],
    /// Time an access takes a controller port.
    pub controller_access: u64,
    /// Requests that a port takes beyond those that the controller has.
    pub command_queue: usize,
    /// Requests of a port that the controller has.
    pub issued: usize,
    /// Bytes of the read data buffer of a port, room for which every request needs.
    pub read_buffer: usize,
    /// Bytes of the write data buffer of a port.
    pub write_buffer: usize,
    /// Accesses in the controller's write queue; it writes when it holds half of them, or when
    /// nothing is to be read.
    pub write_queue: usize,
    /// Accesses written before reads have their turn again.
    pub write_batch: usize,
}

impl DramModel {
    /// DDR4-2400 x64 of 4 x16 chips behind the HP ports of a Zynq UltraScale+.
    pub const DDR4_2400: DramModel = DramModel {
        name: "ddr4-2400",
        channel_a_port: false,
        access_bytes: 64,
        access: 10_000_000 / 3,
        same_group: 5 * NS,
        groups: 2,
        banks: 8,
        row_bytes: 8192,
        activate: 14_160_000,
        precharge: 14_160_000,
        active: 32 * NS,
        read_to_precharge: 7_500_000,
        write_recovery: 15 * NS,
        activate_gap: 5_300_000,
        four_activates: 30 * NS,
        column: 14_160_000,
        read_to_write: 6 * NS,
        write_to_read: 19_160_000,
        refresh_interval: 7_800 * NS,
        refresh: 350 * NS,
        request_path: 60 * NS,
        response_path: 60 * NS,
        controller_ports: [0, 1, 1, 2, 0, 1, 1, 2],
        controller_access: 7_500_000,
        command_queue: 8,
        issued: 16,
        read_buffer: 2048,
        write_buffer: 2048,
        write_queue: 64,
        write_batch: 32,
    };

    /// The same at 2,133 MT/s; only the data bus is slower.
    pub const DDR4_2133: DramModel = DramModel {
        name: "ddr4-2133",
        access: 3_750_000,
        same_group: 5_625_000,
        ..DramModel::DDR4_2400
    };

    /// A pseudo-channel of HBM2, one of 32 of an Alveo U50 (316 GB/s), behind an AXI port of its own.
    pub const HBM2: DramModel = DramModel {
        name: "hbm2",
        channel_a_port: true,
        access_bytes: 32,
        access: 3_240_506,
        same_group: 4_860_759,
        groups: 4,
        banks: 16,
        row_bytes: 1024,
        activate: 12 * NS,
        precharge: 14 * NS,
        active: 28 * NS,
        read_to_precharge: 5 * NS,
        write_recovery: 14 * NS,
        activate_gap: 4 * NS,
        four_activates: 16 * NS,
        column: 18 * NS,
        read_to_write: 18 * NS,
        write_to_read: 27 * NS,
        refresh_interval: 3_900 * NS,
        refresh: 220 * NS,
        request_path: 40 * NS,
        response_path: 40 * NS,
        controller_ports: [0; 8],
        controller_access: 3_240_506,
        command_queue: 16,
        issued: 32,
        read_buffer: 8192,
        write_buffer: 4096,
        write_queue: 64,
        write_batch: 32,
    };

    /// Bytes a second of the data bus.
    pub fn peak(&self) -> f64 {
        f64::from(self.access_bytes) / (self.access as f64 * 1e-15)
    }
}
