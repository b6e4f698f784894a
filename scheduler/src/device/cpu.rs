//! The CPU path as a device.

use super::{Chunk, Device, DeviceError, Limits, Passed, SequenceId, Sequences, slots, wanted};
use crate::snapshot::Snapshot;
use std::time::Instant;
use terntable_cpu::{
    kv::{POSITIONS, Sequence},
    model::Cpu,
    multiply::Activations,
};
use terntable_golden::{head::HeadMode, model::Config};

/// Slots of a pass: weights decoded once serve so many.
const SLOTS: usize = 128;
/// Sequences at a time, those of the prefix cache included.
const SEQUENCES: usize = 512;

/// SIMD kernels on the CPU's threads.
pub struct CpuDevice {
    cpu: Cpu,
    head: HeadMode,
    slots: usize,
    pages: usize,
    sequences: Sequences<Sequence>,
}

impl CpuDevice {
    /// A model with room for K and V of so many positions.
    pub fn new(cpu: Cpu, head: HeadMode, positions: usize) -> Self {
        let pages = positions.div_ceil(POSITIONS);
        Self { cpu, head, slots: SLOTS, pages, sequences: Sequences::default() }
    }

    /// The same with another number of slots.
    pub fn with_slots(self, slots: usize) -> Self {
        Self { slots: slots.max(1), ..self }
    }
}

impl Device for CpuDevice {
    fn name(&self) -> &str {
        "cpu"
    }

    fn config(&self) -> &Config {
        self.cpu.config()
    }

    fn limits(&self) -> Limits {
        Limits {
            slots: self.slots,
            sequences: SEQUENCES,
            pages: self.pages,
            page_rows: POSITIONS,
            shared_pages: true,
        }
    }

    fn begin(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.sequences.put(id, self.cpu.sequence())
    }

    fn fork(&mut self, from: SequenceId, to: SequenceId, length: usize) -> Result<(), DeviceError> {
        let fork = self.sequences.get(from)?.prefix(length);
        self.sequences.put(to, fork)
    }

    fn truncate(&mut self, id: SequenceId, length: usize) -> Result<(), DeviceError> {
        self.sequences.get(id)?.truncate(length);
        Ok(())
    }

    fn end(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.sequences.take(id).map(drop)
    }

    fn pass(&mut self, chunks: &[Chunk<'_>]) -> Result<Passed, DeviceError> {
        let start = Instant::now();
        let mut lent = self.sequences.lend(chunks)?;
        let slots = slots(chunks, lent.iter().map(Sequence::len));
        let outputs = self.cpu.pass(&mut lent, &slots)?;
        self.sequences.give_back(chunks, lent);
        let wanted = wanted(chunks);
        let mut x = Activations::new(self.cpu.config().hidden, wanted.len());
        for slot in wanted {
            x.push(outputs.row(slot), outputs.sum(slot), outputs.step(slot));
        }
        let ranked = if x.slots() == 0 { Vec::new() } else { self.cpu.head(self.head, &x) };
        Ok(Passed { ranked, time: start.elapsed() })
    }

    fn export(&mut self, id: SequenceId) -> Result<Snapshot, DeviceError> {
        let sequence = self.sequences.get(id)?;
        let config = self.cpu.config();
        let (mut key, mut value) = (vec![0; config.head_dim], vec![0; config.head_dim]);
        Ok(Snapshot::write(config, sequence.len(), |layer, head, position, row| {
            let block = &sequence.layer(layer)[position / POSITIONS];
            let (key_step, value_step) =
                block.get(head, position % POSITIONS, &mut key, &mut value);
            row.put(&key, key_step, &value, value_step);
        }))
    }

    fn import(&mut self, id: SequenceId, snapshot: &Snapshot) -> Result<(), DeviceError> {
        let (mut sequence, kv_heads) = (self.cpu.sequence(), self.cpu.config().kv_heads);
        for position in 0..snapshot.length() {
            sequence.append(kv_heads, |layer, head| {
                let (key, value) = snapshot.rows(layer, head, position);
                [(key.values, key.step), (value.values, value.step)]
            });
        }
        self.sequences.put(id, sequence)
    }
}
