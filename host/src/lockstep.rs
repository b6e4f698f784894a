//! Two devices in lockstep: every integer of one against the other.

use std::fmt::Write;
use terntable_golden::{
    Error,
    attention::KvCache,
    head::Candidate,
    model::{Device, Linear},
    quantise::Quantised,
};

/// The first value in which two devices differ.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Difference {
    /// Which matrix, attention head or head row.
    pub unit: String,
    /// Row of the matrix, element of the attention head, or token of the vocabulary head.
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

/// Runs a reference and a candidate on the same inputs; goes on with the reference's results, or
/// stops at the first difference.
pub struct Lockstep<'a> {
    reference: &'a mut dyn Device,
    candidate: &'a mut dyn Device,
    /// Values compared so far.
    pub compared: u64,
    /// The difference that stopped it.
    pub difference: Option<Difference>,
}

impl<'a> Lockstep<'a> {
    /// Compares `candidate` with `reference`.
    pub fn new(reference: &'a mut dyn Device, candidate: &'a mut dyn Device) -> Self {
        Self { reference, candidate, compared: 0, difference: None }
    }

    fn compare<T: Copy>(
        &mut self,
        unit: impl Fn() -> String,
        slot: Option<usize>,
        row: impl Fn(usize) -> usize,
        expected: &[T],
        got: &[T],
        bits: impl Fn(T) -> i64,
    ) -> Result<(), Error> {
        if expected.len() != got.len() {
            let mut text = unit();
            let _ = write!(text, ": {} values expected, {} found", expected.len(), got.len());
            return Err(Error::Device(text));
        }
        for (index, (&e, &g)) in expected.iter().zip(got).enumerate() {
            if bits(e) != bits(g) {
                let (unit, row) = (unit(), row(index));
                let difference = Difference { unit, row, slot, expected: bits(e), got: bits(g) };
                let text = difference.to_string();
                self.difference = Some(difference);
                return Err(Error::Device(text));
            }
            self.compared += 1;
        }
        Ok(())
    }
}

impl Device for Lockstep<'_> {
    fn multiply(
        &mut self,
        linears: &[Linear],
        x: &[Quantised],
    ) -> Result<Vec<Vec<Vec<i32>>>, Error> {
        let expected = self.reference.multiply(linears, x)?;
        let got = self.candidate.multiply(linears, x)?;
        for ((linear, expected), got) in linears.iter().zip(&expected).zip(&got) {
            for (slot, (expected, got)) in expected.iter().zip(got).enumerate() {
                self.compare(|| linear.to_string(), Some(slot), |r| r, expected, got, i64::from)?;
            }
        }
        Ok(expected)
    }

    fn attend(
        &mut self,
        query: &[f32],
        cache: &KvCache,
        head: usize,
        positions: usize,
    ) -> Result<Vec<f32>, Error> {
        let expected = self.reference.attend(query, cache, head, positions)?;
        let got = self.candidate.attend(query, cache, head, positions)?;
        let unit = || format!("attention, key-value head {head}, {positions} positions");
        self.compare(unit, None, |r| r, &expected, &got, |v| i64::from(v.to_bits()))?;
        Ok(expected)
    }

    fn head_dots(&mut self, tokens: &[u32], x: &[i8]) -> Result<Vec<i32>, Error> {
        let expected = self.reference.head_dots(tokens, x)?;
        let got = self.candidate.head_dots(tokens, x)?;
        let token = |index: usize| tokens[index] as usize;
        self.compare(|| "head".into(), None, token, &expected, &got, i64::from)?;
        Ok(expected)
    }
}
