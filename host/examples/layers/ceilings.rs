//! Cycles that a layer may take at most: what the gate holds.

use crate::{Outcome, model::Case};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

/// Ceilings of a card behind a memory: shape, then case, then cycles of a layer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceilings {
    card: String,
    memory: String,
    shapes: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Ceilings {
    pub fn read(path: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let ceilings: Self =
            toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        for (shape, cases) in &ceilings.shapes {
            for name in cases.keys() {
                if !Case::ALL.iter().any(|case| case.name == name) {
                    return Err(format!("{}: {shape}: no case {name:?}", path.display()).into());
                }
            }
        }
        Ok(ceilings)
    }

    pub fn card(&self) -> &str {
        &self.card
    }

    pub fn memory(&self) -> &str {
        &self.memory
    }

    /// The ceiling of a case, if it has one.
    pub fn of(&self, shape: &str, case: &str) -> Option<u64> {
        self.shapes.get(shape)?.get(case).copied()
    }

    /// Whether a layer stayed below; says so.
    pub fn check(&self, shape: &str, case: &str, cycles: u64) -> Outcome<()> {
        match self.of(shape, case) {
            Some(most) if cycles > most => Err(format!(
                "{shape} {case}: a layer took {cycles} cycles; the ceiling is {most}. A layer that \
                 became slower for a good reason needs a new ceiling beside this program"
            )
            .into()),
            Some(most) => {
                println!("{shape} {case}: {cycles} cycles, ceiling {most}");
                Ok(())
            }
            None => Ok(()),
        }
    }
}
