//! Register offsets of the engine (`docs/registers.md`), in bytes.

/// Reads as `TERN`.
pub const MAGIC: u64 = 0x00;
/// The value of [`MAGIC`].
pub const MAGIC_VALUE: u32 = 0x5445_524e;
/// Version of the register map.
pub const VERSION: u64 = 0x04;
/// Slots, rows, groups, lanes: a byte each, from the lowest.
pub const GEOMETRY: u64 = 0x08;
/// Bytes of a beat in the low half, tiles of a panel in the high half.
pub const LIMITS: u64 = 0x0c;
/// Commands.
pub const CONTROL: u64 = 0x10;
/// Of [`CONTROL`]: zero the counters and the sticky bits.
pub const CONTROL_CLEAR: u32 = 1;
/// State.
pub const STATUS: u64 = 0x14;
/// Of [`STATUS`]: a job or a result is in the engine.
pub const STATUS_BUSY: u32 = 1 << 0;
/// Of [`STATUS`]: a job will be accepted.
pub const STATUS_JOB_READY: u32 = 1 << 1;
/// Of [`STATUS`]: weights were answered by other than OKAY.
pub const STATUS_MEMORY_ERROR: u32 = 1 << 2;
/// Of [`STATUS`]: a job was dropped because four were waiting.
pub const STATUS_JOB_OVERFLOW: u32 = 1 << 3;
/// Of [`STATUS`]: a job was dropped because it cannot be.
pub const STATUS_BAD_JOB: u32 = 1 << 4;
/// Byte address of the panel, low word.
pub const JOB_ADDRESS_LO: u64 = 0x18;
/// Byte address of the panel, high word.
pub const JOB_ADDRESS_HI: u64 = 0x1c;
/// Tiles of the panel.
pub const JOB_TILES: u64 = 0x20;
/// Blocks of the panel.
pub const JOB_BLOCKS: u64 = 0x24;
/// Slots with activations and results.
pub const JOB_SLOTS: u64 = 0x28;
/// Any write starts the job.
pub const JOB_START: u64 = 0x2c;
/// Jobs whose last result has left.
pub const JOBS_DONE: u64 = 0x30;
/// Counter: cycles with a job.
pub const CYCLES: u64 = 0x40;
/// Counter: beats consumed.
pub const BEATS: u64 = 0x48;
/// Counter: cycles lost to memory.
pub const LOST_MEMORY: u64 = 0x50;
/// Counter: cycles lost to tables.
pub const LOST_TABLES: u64 = 0x58;
/// Counter: cycles lost to the drain.
pub const LOST_DRAIN: u64 = 0x60;
/// Counter: cycles lost to results.
pub const LOST_RESULTS: u64 = 0x68;
/// Counter: cycles lost to order.
pub const LOST_ORDER: u64 = 0x70;

/// The bits of a STATUS value in words.
pub fn describe_status(status: u32) -> String {
    let bits = [
        (STATUS_BUSY, "busy"),
        (STATUS_JOB_READY, "job_ready"),
        (STATUS_MEMORY_ERROR, "memory_error (a read of weights was not answered by OKAY)"),
        (STATUS_JOB_OVERFLOW, "job_overflow (a job was started while four were waiting)"),
        (STATUS_BAD_JOB, "bad_job (a job was out of range)"),
    ];
    let set: Vec<&str> =
        bits.iter().filter(|(bit, _)| status & bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "no bit set".to_owned() } else { set.join(", ") }
}
