//! Jobs: started through registers, up to four in the engine, results taken in their order.

use super::{EngineParams, EngineSim};
use crate::{Error, agents::stream::Packet, sim::with_timeout};
use terntable_driver::{Status, registers};

/// Jobs that the engine holds at once.
const IN_FLIGHT: usize = 4;

/// Cycles without any progress after which a job counts as stuck.
const STUCK: u64 = 20_000;

/// One panel times the activations of some slots.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// Card address of the panel's beats.
    pub address: u64,
    /// Tiles of the panel.
    pub tiles: usize,
    /// Blocks of columns.
    pub blocks: usize,
    /// Slots that have activations.
    pub slots: usize,
    /// Activations in stream order: `[block][slot][column of the block]`
    /// ([`EngineParams::activations`]).
    pub activations: &'a [i8],
}

/// The sums of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobSums {
    /// Rows of the panel: tiles times rows of a tile, so the last may be padding.
    pub rows: usize,
    /// Slots.
    pub slots: usize,
    /// `slots * rows` sums, the rows of slot 0 first.
    pub sums: Vec<i32>,
    /// The cycle in which each result word came: for each tile, for each group of lanes.
    pub cycles: Vec<u64>,
    lanes: usize,
    tile_rows: usize,
}

impl JobSums {
    /// The sums of a slot, a row after the other.
    pub fn slot(&self, slot: usize) -> &[i32] {
        &self.sums[slot * self.rows..][..self.rows]
    }

    /// The cycle in which the sum of a row and slot came.
    pub fn cycle_of(&self, row: usize, slot: usize) -> u64 {
        let words_a_tile = self.slots.div_ceil(self.lanes.max(1));
        let word = row / self.tile_rows.max(1) * words_a_tile + slot / self.lanes.max(1);
        self.cycles.get(word).copied().unwrap_or_default()
    }

    fn decode(params: &EngineParams, job: &Job<'_>, packet: Packet) -> Result<Self, Error> {
        let (lanes, tile_rows) = (params.lanes(), params.rows);
        let words_a_tile = job.slots.div_ceil(lanes);
        let expected = job.tiles * words_a_tile;
        if packet.cycles.len() != expected {
            return Err(Error::Invalid {
                what: format!("results of the job at {:#x}", job.address),
                expected: format!("{expected} words up to `last`"),
                found: format!("{} words", packet.cycles.len()),
            });
        }
        let rows = job.tiles * tile_rows;
        let mut sums = vec![0; job.slots * rows];
        let word_bytes = lanes * tile_rows * SUM_BYTES;
        for (index, word) in packet.words.chunks_exact(word_bytes).enumerate() {
            let (tile, first_slot) = (index / words_a_tile, index % words_a_tile * lanes);
            let used = lanes.min(job.slots - first_slot);
            for (i, sum) in word.chunks_exact(SUM_BYTES).take(used * tile_rows).enumerate() {
                let (slot, row) = (first_slot + i / tile_rows, tile * tile_rows + i % tile_rows);
                // Sign extension from 24 bits: the bytes are the upper three of a word.
                sums[slot * rows + row] = i32::from_le_bytes([0, sum[0], sum[1], sum[2]]) >> 8;
            }
        }
        Ok(JobSums { rows, slots: job.slots, sums, cycles: packet.cycles, lanes, tile_rows })
    }
}

/// Bytes of a sum in a result word.
const SUM_BYTES: usize = 3;

/// What the registers hold, so that only changes are written.
#[derive(Debug, Default)]
pub(super) struct State {
    written: Option<[u32; 5]>,
}

const JOB_REGISTERS: [usize; 5] = [
    registers::job_address_lo::OFFSET,
    registers::job_address_hi::OFFSET,
    registers::job_tiles::OFFSET,
    registers::job_blocks::OFFSET,
    registers::job_slots::OFFSET,
];

impl EngineSim {
    /// Runs jobs, as many at once as the engine holds, and gives their sums in the same order.
    pub fn run_jobs(&mut self, jobs: &[Job<'_>]) -> Result<Vec<JobSums>, Error> {
        for job in jobs {
            self.check(job)?;
        }
        let mut state = std::mem::take(&mut self.run);
        let results = self.sim.block_on(self.run_all(jobs, &mut state))?;
        self.run = state;
        results
    }

    /// Writes a job's registers and starts it; nothing is checked and nothing waited for. Its
    /// activations are sent.
    pub fn start_job(&mut self, job: &Job<'_>) -> Result<(), Error> {
        let mut state = std::mem::take(&mut self.run);
        let started = self.sim.block_on(self.start(job, &mut state))?;
        self.run = state;
        started
    }

    async fn run_all(&self, jobs: &[Job<'_>], state: &mut State) -> Result<Vec<JobSums>, Error> {
        let mut results = Vec::with_capacity(jobs.len());
        let mut started = 0;
        while results.len() < jobs.len() {
            while started < jobs.len() && started - results.len() < IN_FLIGHT {
                if started - results.len() == IN_FLIGHT - 1 && !self.has_room().await? {
                    break;
                }
                self.start(&jobs[started], state).await?;
                started += 1;
            }
            let packet = self.next_packet(results.len(), jobs.len()).await?;
            results.push(JobSums::decode(&self.params, &jobs[results.len()], packet)?);
        }
        let status = self.status().await?;
        if status.is_error() {
            return Err(Error::Engine { engine: self.params.to_string(), status });
        }
        Ok(results)
    }

    async fn status(&self) -> Result<Status, Error> {
        Ok(Status(self.registers.read32(registers::status::OFFSET).await?))
    }

    async fn has_room(&self) -> Result<bool, Error> {
        Ok(self.status().await?.job_ready())
    }

    async fn start(&self, job: &Job<'_>, state: &mut State) -> Result<(), Error> {
        let values = [
            job.address as u32,
            (job.address >> 32) as u32,
            job.tiles as u32,
            job.blocks as u32,
            job.slots as u32,
        ];
        for (i, (&value, offset)) in values.iter().zip(JOB_REGISTERS).enumerate() {
            if state.written.is_none_or(|written| written[i] != value) {
                self.registers.write32(offset, value).await?;
            }
        }
        state.written = Some(values);
        let bytes: Vec<u8> = job.activations.iter().map(|&a| a as u8).collect();
        self.activations.send(&bytes);
        self.registers.write32(registers::job_start::OFFSET, 1).await
    }

    /// The results of a job, or what is stuck.
    async fn next_packet(&self, index: usize, of: usize) -> Result<Packet, Error> {
        loop {
            let before = self.progress();
            match with_timeout(&self.clock, STUCK, "", self.results.packet()).await {
                Ok(packet) => return Ok(packet),
                Err(_) if self.progress() != before => {}
                Err(_) => break,
            }
        }
        let status = self.status().await?;
        Err(Error::Timeout {
            what: format!(
                "the results of job {index} of {of}: {} words of activations wait, {} beats were \
                 delivered, {} result words came so far, {status}",
                self.activations.waiting(),
                self.memory.statistics().delivered,
                self.results.taken(),
            ),
            cycles: STUCK,
            now: self.clock.cycle(),
        })
    }

    fn progress(&self) -> (u64, u64, u64) {
        (self.activations.taken(), self.memory.statistics().delivered, self.results.taken())
    }

    fn check(&self, job: &Job<'_>) -> Result<(), Error> {
        let p = &self.params;
        let invalid = |what: &str, expected: String, found: String| {
            let what = format!("{what} of the job at {:#x}", job.address);
            Err(Error::Invalid { what, expected, found })
        };
        let blocks = 65_535_usize.div_ceil(p.block_cols());
        if !job.address.is_multiple_of(p.beat_bytes as u64) {
            let expected = format!("a multiple of {}", p.beat_bytes);
            return invalid("address", expected, job.address.to_string());
        }
        for (what, limit, value) in [
            ("tiles", p.panel_tiles, job.tiles),
            ("blocks", blocks, job.blocks),
            ("slots", p.slots, job.slots),
        ] {
            if value == 0 || value > limit {
                return invalid(what, format!("1..={limit}"), value.to_string());
            }
        }
        let count = job.blocks * job.slots * p.block_cols();
        if job.activations.len() != count {
            return invalid("activations", count.to_string(), job.activations.len().to_string());
        }
        Ok(())
    }
}
