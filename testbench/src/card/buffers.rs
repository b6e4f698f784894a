//! What the architectural buffers hold.

use crate::{
    Error,
    sim::{Probe, Sim},
};

/// A buffer of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Buffer {
    /// X: the residual stream, L binary32 a word.
    Residual,
    /// Y: work, L binary32 a word.
    Work,
    /// A: inputs of the linear layers, a block of int8 a word.
    Activations,
    /// Q: queries, or the input of the head, a beat of int8 a word.
    Queries,
    /// P: norm weights, two banks, L binary32 a word.
    Parameters,
    /// R: L cosines and L sines a word.
    Rotary,
}

impl Buffer {
    /// All buffers.
    pub const ALL: [Buffer; 6] = [
        Buffer::Residual,
        Buffer::Work,
        Buffer::Activations,
        Buffer::Queries,
        Buffer::Parameters,
        Buffer::Rotary,
    ];

    /// The instance of its memory.
    pub fn instance(self) -> &'static str {
        match self {
            Buffer::Residual => "u_residual",
            Buffer::Work => "u_work",
            Buffer::Activations => "u_activations",
            Buffer::Queries => "u_units.u_queries",
            Buffer::Parameters => "u_parameters",
            Buffer::Rotary => "u_rotary",
        }
    }
}

/// Looks at the buffers of a card.
pub struct Buffers {
    probes: [Probe; 6],
}

impl Buffers {
    pub(super) fn new(sim: &Sim) -> Result<Self, Error> {
        let [x, y, a, q, p, r] = Buffer::ALL.map(|b| sim.probe(b.instance()));
        Ok(Buffers { probes: [x?, y?, a?, q?, p?, r?] })
    }

    /// A look at one of them: name, words, their width.
    pub fn probe(&self, buffer: Buffer) -> &Probe {
        &self.probes[buffer as usize]
    }

    /// The bytes of a word, as they lie in the buffer.
    pub fn word(&self, buffer: Buffer, word: usize) -> Result<Vec<u8>, Error> {
        let probe = self.probe(buffer);
        let mut bytes = vec![0; probe.element_bytes()];
        probe.read(word, &mut bytes)?;
        Ok(bytes)
    }

    /// The values of a word of a binary32 buffer.
    pub fn floats(&self, buffer: Buffer, word: usize) -> Result<Vec<f32>, Error> {
        let bytes = self.word(buffer, word)?;
        let words = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Ok(words.collect())
    }
}
