//! What a pass works on: which slots, how far back each of them looks.

/// Neighbouring slots of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Slots.
    pub slots: usize,
    /// Rows of the cache that it streams: those of the last slot.
    pub rows: usize,
    /// Slots that want candidates.
    pub wanted: usize,
}

/// The slots of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario(pub Vec<Run>);

impl Scenario {
    /// A step of `slots` answers, each with `context` positions, its own included.
    pub fn decode(slots: usize, context: usize) -> Self {
        Self(vec![Run { slots: 1, rows: context, wanted: 1 }; slots])
    }

    /// `slots` tokens of one prompt that end at position `end`; candidates after the last if `last`.
    pub fn prefill(slots: usize, end: usize, last: bool) -> Self {
        Self(vec![Run { slots, rows: end, wanted: usize::from(last) }])
    }

    /// Slots of the pass.
    pub fn slots(&self) -> usize {
        self.0.iter().map(|run| run.slots).sum()
    }

    /// Slots that want candidates.
    pub fn wanted(&self) -> usize {
        self.0.iter().map(|run| run.wanted).sum()
    }
}
