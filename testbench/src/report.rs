//! The first difference between what was expected and what the design gave, with everything that
//! is needed to look at it.

use crate::{engine::JobSums, seed};
use std::fmt;

/// The first sum of a job that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The design under test and the case.
    pub unit: String,
    /// Row of the panel.
    pub row: usize,
    /// Slot.
    pub slot: usize,
    /// The cycle in which the sum left the engine.
    pub cycle: u64,
    /// What the golden model says.
    pub expected: i32,
    /// What came.
    pub found: i32,
    /// How many sums differ, of how many.
    pub count: (usize, usize),
}

/// Compares the sums of a job with the rows expected for each slot; rows past the end of
/// `expected` are padding and must be zero.
pub fn first_difference(unit: &str, expected: &[Vec<i32>], found: &JobSums) -> Option<Difference> {
    let mut first: Option<Difference> = None;
    let mut differ = 0;
    // In the order in which the sums left: by row, then by slot.
    for row in 0..found.rows {
        for (slot, rows) in expected.iter().enumerate() {
            let want = rows.get(row).copied().unwrap_or(0);
            let got = found.slot(slot)[row];
            if want != got {
                differ += 1;
                first.get_or_insert_with(|| Difference {
                    unit: unit.to_owned(),
                    row,
                    slot,
                    cycle: found.cycle_of(row, slot),
                    expected: want,
                    found: got,
                    count: (0, 0),
                });
            }
        }
    }
    first.map(|d| Difference { count: (differ, found.rows * expected.len()), ..d })
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { unit, row, slot, cycle, expected, found, count } = self;
        let seed = seed::seed();
        let current = std::thread::current();
        // The test harness names its threads after the tests.
        let test = current.name().filter(|name| *name != "main").unwrap_or("TEST");
        writeln!(f, "first difference, of {} in {} sums", count.0, count.1)?;
        writeln!(f, "  unit      {unit}")?;
        writeln!(f, "  row       {row}, slot {slot}, cycle {cycle}")?;
        writeln!(f, "  expected  {expected:>10}  {:#08x}", expected & 0xff_ffff)?;
        writeln!(f, "  found     {found:>10}  {:#08x}", found & 0xff_ffff)?;
        writeln!(f, "  seed      {seed:#x}")?;
        write!(
            f,
            "  waveform  TERNTABLE_TRACE={test}.fst TERNTABLE_SEED={seed:#x} cargo test -p \
             terntable-testbench --release {test} -- --exact"
        )
    }
}
