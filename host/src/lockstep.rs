//! The first difference between two devices that must agree.

use terntable_golden::{head::Candidate, quantise::Quantised};

/// The first value in which two devices differ.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Difference {
    /// What differs, and at which position.
    pub unit: String,
    /// Element of a row, or rank of a candidate.
    pub row: usize,
    /// Slot of the pass, where the unit knows it.
    pub slot: Option<usize>,
    /// Bits of the expected value.
    pub expected: i64,
    /// Bits of the found value.
    pub got: i64,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Difference { unit, row, slot, expected, got } = self;
        write!(f, "first difference: {unit}, row {row}, ")?;
        if let Some(slot) = slot {
            write!(f, "slot {slot}, ")?;
        }
        let (e, g) = (*expected as i32, *got as i32);
        write!(f, "expected {expected} ({e:#010x}), got {got} ({g:#010x})")
    }
}

/// The first difference between two ranked lists of a position: tokens, then logits, rank by rank.
pub fn candidates_differ(
    position: usize,
    expected: &[Candidate],
    got: &[Candidate],
) -> Option<Difference> {
    let unit = |what| format!("{what} of the candidates at position {position}");
    let difference = |what, row, expected, got| {
        Some(Difference { unit: unit(what), row, slot: None, expected, got })
    };
    for (rank, (e, g)) in expected.iter().zip(got).enumerate() {
        if e.token != g.token {
            return difference("token", rank, e.token.into(), g.token.into());
        }
        if e.logit.to_bits() != g.logit.to_bits() {
            let [e, g] = [e, g].map(|c| c.logit.to_bits().into());
            return difference("logit", rank, e, g);
        }
    }
    match expected.len() == got.len() {
        true => None,
        false => difference("number", 0, expected.len() as i64, got.len() as i64),
    }
}

/// The first difference between two inputs of the head at a position.
pub fn rows_differ(position: usize, expected: &Quantised, got: &Quantised) -> Option<Difference> {
    let unit = |what| format!("{what} of the head's input at position {position}");
    let difference = |what, row, expected, got| {
        Some(Difference { unit: unit(what), row, slot: None, expected, got })
    };
    if expected.values.len() != got.values.len() {
        let lengths = [expected, got].map(|row| row.values.len() as i64);
        return difference("length", 0, lengths[0], lengths[1]);
    }
    let pairs = || expected.values.iter().zip(&got.values);
    if let Some((row, (e, g))) = pairs().enumerate().find(|(_, (e, g))| e != g) {
        return difference("element", row, (*e).into(), (*g).into());
    }
    if expected.step.to_bits() != got.step.to_bits() {
        let [e, g] = [expected, got].map(|row| row.step.to_bits().into());
        return difference("step", 0, e, g);
    }
    None
}
