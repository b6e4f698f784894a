//! Faults: one bit turned over in the running engine, to see who notices.

use super::EngineSim;
use crate::Error;
use std::fmt;
use terntable_golden::card::config::Engine;

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultUnit {
    /// The tables of slot 0: `bit` counts 10 bits an entry, 32 entries a group. Of an engine without
    /// tables the activations of slot 0, 8 bits a column.
    Table,
    /// The beat of weights at the reader's output: `bit` of the beat.
    Weight,
    /// The memory of the partial sums: `bit` counts 24 bits a sum, row by row, slot by slot, tile
    /// by tile, the second bank after the first.
    Accumulator,
}

impl FaultUnit {
    /// All units.
    pub const ALL: [FaultUnit; 3] = [FaultUnit::Table, FaultUnit::Weight, FaultUnit::Accumulator];

    /// The unit of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.to_string() == name)
    }
}

impl fmt::Display for FaultUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FaultUnit::Table => "table",
            FaultUnit::Weight => "weight",
            FaultUnit::Accumulator => "accumulator",
        })
    }
}

impl EngineSim {
    /// Turns over one bit now. The engine must have been made with `faults`.
    pub fn fault(&self, unit: FaultUnit, bit: usize) -> Result<(), Error> {
        let (name, element, bit) = self.place(unit, bit);
        self.sim.flip(&name, element, bit)
    }

    /// Turns over one bit after so many cycles, in the middle of whatever runs then.
    pub fn fault_after(&self, cycles: u64, unit: FaultUnit, bit: usize) {
        let (name, element, bit) = self.place(unit, bit);
        let (handle, wait) = ((*self.sim).clone(), self.clock.cycles(cycles));
        self.sim.spawn(async move {
            wait.await;
            if let Err(error) = handle.flip(&name, element, bit) {
                handle.fail(error);
            }
        });
    }

    /// Storage, element and bit.
    fn place(&self, unit: FaultUnit, bit: usize) -> (String, usize, u32) {
        match unit {
            FaultUnit::Table if self.params.engine == Engine::Select => {
                let bits = 8 * self.params.block_cols();
                ("gen_slot[0].u_slot.block_q".to_owned(), 0, (bit % bits) as u32)
            }
            FaultUnit::Table => {
                let (entry, bit) = (bit / 10, bit % 10);
                let group = entry / 32 % self.params.groups;
                let name = format!("gen_slot[0].u_tables.gen_group[{group}].u_table.memory");
                (name, entry % 32, bit as u32)
            }
            FaultUnit::Weight => (
                "u_reader.u_beats.data_q".to_owned(),
                0,
                (bit % (8 * self.params.beat_bytes)) as u32,
            ),
            FaultUnit::Accumulator => {
                let width = 24 * self.params.rows * self.params.slots;
                ("u_sums.memory".to_owned(), bit / width, (bit % width) as u32)
            }
        }
    }
}
