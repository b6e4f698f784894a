//! Buffers of the card: words of lanes, of which some are known.

/// A lane as it lies in a word of memory.
pub trait Lane: Copy + Default {
    /// Bytes of a lane.
    const BYTES: usize;
    /// Its bits.
    fn bits(self) -> u32;
    /// Whether bits read from the card mean the same.
    fn same(self, bits: u32) -> bool {
        self.bits() == bits
    }
}

impl Lane for i8 {
    const BYTES: usize = 1;
    fn bits(self) -> u32 {
        u32::from(self as u8)
    }
}

impl Lane for f32 {
    const BYTES: usize = 4;
    fn bits(self) -> u32 {
        self.to_bits()
    }
    fn same(self, bits: u32) -> bool {
        self.to_bits() == bits || (self.is_nan() && f32::from_bits(bits).is_nan())
    }
}

/// A buffer of the card.
#[derive(Debug, Clone, PartialEq)]
pub struct Buffer<T> {
    name: &'static str,
    lanes: usize,
    values: Vec<T>,
    known: Vec<bool>,
}

/// A lane that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneDifference {
    /// Lane of the word.
    pub lane: usize,
    /// Bits expected.
    pub expected: u32,
    /// Bits found.
    pub found: u32,
}

impl<T: Lane> Buffer<T> {
    pub(super) fn new(name: &'static str, words: usize, lanes: usize) -> Self {
        let size = words * lanes;
        Self { name, lanes, values: vec![T::default(); size], known: vec![false; size] }
    }

    /// Name of its memory in the card.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Words.
    pub fn words(&self) -> usize {
        self.values.len() / self.lanes
    }

    /// Lanes of a word; lane i is at bits `8 * BYTES * i` and up.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// The lanes of a word, and which of them the contract names.
    pub fn word(&self, word: usize) -> (&[T], &[bool]) {
        let range = word * self.lanes..(word + 1) * self.lanes;
        (&self.values[range.clone()], &self.known[range])
    }

    /// Whether any lane of a word is known.
    pub fn is_known(&self, word: usize) -> bool {
        self.word(word).1.contains(&true)
    }

    /// A word as bytes; lanes that are not known are 0.
    pub fn bytes(&self, word: usize) -> Vec<u8> {
        let (values, _) = self.word(word);
        values.iter().flat_map(|v| v.bits().to_le_bytes().into_iter().take(T::BYTES)).collect()
    }

    /// The first known lane of a word that differs from bytes read from the card. NaNs are equal.
    pub fn difference(&self, word: usize, found: &[u8]) -> Option<LaneDifference> {
        let (values, known) = self.word(word);
        let lanes = values.iter().zip(known).zip(found.chunks(T::BYTES)).enumerate();
        lanes.filter(|(_, ((_, known), _))| **known).find_map(|(lane, ((value, _), bytes))| {
            let found = bytes.iter().rev().fold(0, |bits, b| bits << 8 | u32::from(*b));
            let difference = LaneDifference { lane, expected: value.bits(), found };
            (!value.same(found)).then_some(difference)
        })
    }

    /// Element `index`, counted in lanes from word 0.
    pub(super) fn get(&self, index: usize) -> T {
        self.values.get(index).copied().unwrap_or_default()
    }

    /// `count` elements from `index` on.
    pub(super) fn row(&self, index: usize, count: usize) -> Vec<T> {
        (index..index + count).map(|i| self.get(i)).collect()
    }

    /// Writes elements from `index` on. The card writes whole words: what is in the lanes behind the last
    /// element is not known any more.
    pub(super) fn set_row(&mut self, index: usize, values: impl IntoIterator<Item = T>) {
        let mut end = index;
        for value in values {
            self.set(end, value);
            end += 1;
        }
        let size = self.known.len();
        self.known[end.min(size)..end.next_multiple_of(self.lanes).min(size)].fill(false);
    }

    pub(super) fn set(&mut self, index: usize, value: T) {
        if let Some(place) = self.values.get_mut(index) {
            *place = value;
            self.known[index] = true;
        }
    }
}
