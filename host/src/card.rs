//! Models on a whole card: image, pages, passes. The card itself is a trait; the golden card model is
//! one.

use crate::{Error, runner::Feed};
use terntable_golden::{
    card::{
        config::CardConfig,
        image::{Header, Image},
        kv::{KvPages, SequenceId},
        layout::CardLayout,
        machine::{CardError, Machine},
        pass::CardPass,
        program::ProgramKind,
    },
    head::{Candidate, Head, HeadMode},
};

/// A card, as the host sees it. Addresses of the state region have bit 39 set, as in descriptors.
pub trait Card {
    /// Its configuration.
    fn config(&self) -> &CardConfig;

    /// Puts an image into its memory, and zeros of this size behind it as the state region.
    fn load(&mut self, image: &[u8], state_bytes: u64) -> Result<(), Error>;

    /// Writes to the state region.
    fn write_state(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error>;

    /// Reads from the state region.
    fn read_state(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Error>;

    /// Says what will be read when the next pass is over, so that a card on a bus brings it along.
    fn bring(&mut self, _address: u64, _bytes: usize) {}

    /// Runs the pass whose descriptor is at an address, to its end or error.
    fn run_pass(&mut self, descriptor: u64) -> Result<(), Error>;
}

/// The golden card model as a card.
#[derive(Debug)]
pub struct GoldenCard {
    machine: Machine,
}

impl GoldenCard {
    /// A card with nothing in its memory.
    pub fn new(config: &CardConfig) -> Self {
        Self { machine: Machine::new(config, Vec::new(), 0) }
    }

    /// The card model, for looking into it.
    pub fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}

/// The range of an access to a state region of `size` bytes.
pub fn state_range(
    address: u64,
    bytes: usize,
    size: usize,
) -> Result<std::ops::Range<usize>, Error> {
    let from = address.checked_sub(terntable_golden::card::command::STATE);
    let range = from.and_then(|from| Some(from as usize..(from as usize).checked_add(bytes)?));
    range.filter(|range| range.end <= size).ok_or_else(|| {
        Error::Card(format!(
            "{bytes} bytes at {address:#x} are outside the state region of {size} bytes"
        ))
    })
}

impl Card for GoldenCard {
    fn config(&self) -> &CardConfig {
        self.machine.card()
    }

    fn load(&mut self, image: &[u8], state_bytes: u64) -> Result<(), Error> {
        self.machine = Machine::new(self.machine.card(), image.to_vec(), state_bytes as usize);
        Ok(())
    }

    fn write_state(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        let range = state_range(address, bytes.len(), self.machine.state().len())?;
        self.machine.state_mut()[range].copy_from_slice(bytes);
        Ok(())
    }

    fn read_state(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let range = state_range(address, bytes.len(), self.machine.state().len())?;
        bytes.copy_from_slice(&self.machine.state()[range]);
        Ok(())
    }

    fn run_pass(&mut self, descriptor: u64) -> Result<(), Error> {
        self.machine.run(descriptor).map_err(|e: CardError| Error::Card(e.to_string()))
    }
}

/// Consecutive tokens of one sequence in a pass.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    /// The sequence.
    pub sequence: SequenceId,
    /// The tokens; they follow what the sequence holds.
    pub tokens: &'a [u32],
    /// Candidates are wanted after each of the last so many of them.
    pub wanted: usize,
}

/// A model on a card: any number of sequences, in passes of chunks.
pub struct CardModel<C: Card> {
    card: C,
    header: Header,
    layout: CardLayout,
    kv: KvPages,
}

impl<C: Card> CardModel<C> {
    /// Loads an image and lets the card check every page of it.
    pub fn open(card: C, image: &Image) -> Result<Self, Error> {
        let mut model = Self::open_unchecked(card, image)?;
        model.check_image()?;
        Ok(model)
    }

    /// Loads an image whose pages nobody needs to check again.
    pub fn open_unchecked(mut card: C, image: &Image) -> Result<Self, Error> {
        let wrong = |e: terntable_golden::card::image::ImageError| Error::Card(e.to_string());
        image.check_card(card.config()).map_err(wrong)?;
        let layout = image.header.layout(card.config())?;
        card.load(image.bytes(), layout.state_bytes)?;
        let kv = KvPages::new(&layout, image.header.config.context);
        Ok(Self { card, header: image.header.clone(), layout, kv })
    }

    /// The image's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The map of the state region.
    pub fn layout(&self) -> &CardLayout {
        &self.layout
    }

    /// The card.
    pub fn card(&mut self) -> &mut C {
        &mut self.card
    }

    /// The card, without the model.
    pub fn into_card(self) -> C {
        self.card
    }

    /// Slots of a pass.
    pub fn slots(&self) -> usize {
        self.card.config().slots
    }

    /// The books of pages: begin, fork, rewind and end sequences there.
    pub fn kv(&mut self) -> &mut KvPages {
        &mut self.kv
    }

    /// A pass of the check program. It needs a slot like any pass; the slot is not used.
    fn check_image(&mut self) -> Result<(), Error> {
        let mut pass = self.begin(ProgramKind::Check);
        pass.push_chunk(self.layout.table(0), 0, &[0], |_| false)?;
        self.card.write_state(self.layout.descriptor, &pass.encode())?;
        self.card.run_pass(self.layout.descriptor)
    }

    fn begin(&self, kind: ProgramKind) -> CardPass {
        CardPass::new(self.card.config(), &self.layout, self.header.program(kind))
    }

    /// Makes the next rows of a sequence writable: copies shared pages, writes the page table.
    pub fn reserve(&mut self, id: SequenceId, rows: usize) -> Result<(), Error> {
        let reserved = self.kv.reserve(id, rows).map_err(|e| Error::Card(e.to_string()))?;
        for copy in reserved.copies {
            let places: Vec<_> =
                self.layout.page(copy.from).zip(self.layout.page(copy.to)).collect();
            for ((from, bytes), (to, _)) in places {
                let mut page = vec![0; bytes];
                self.card.read_state(from, &mut page)?;
                self.card.write_state(to, &page)?;
            }
        }
        match reserved.table {
            Some(mut table) => {
                // Whole beats, which cards behind a bus take as they are.
                table.resize(table.len().next_multiple_of(self.card.config().beat_bytes()), 0);
                self.card.write_state(self.layout.table(id.0), &table)
            }
            None => Ok(()),
        }
    }

    /// Runs one pass; returns the ranked candidates of the wanted tokens, chunk after chunk. The full
    /// head ranks every token, the two-stage head the best 256.
    pub fn pass(
        &mut self,
        head: HeadMode,
        chunks: &[Chunk<'_>],
    ) -> Result<Vec<Vec<Candidate>>, Error> {
        let kind = match head {
            _ if chunks.iter().all(|chunk| chunk.wanted == 0) => ProgramKind::Pass,
            HeadMode::TwoStage => ProgramKind::TwoStage,
            HeadMode::Full => ProgramKind::Logits,
        };
        let mut pass = self.begin(kind);
        for chunk in chunks {
            self.reserve(chunk.sequence, chunk.tokens.len())?;
            let first = self.length(chunk.sequence)?;
            let unwanted = chunk.tokens.len().saturating_sub(chunk.wanted);
            let table = self.layout.table(chunk.sequence.0);
            pass.push_chunk(table, first as u32, chunk.tokens, |i| i >= unwanted)?;
        }
        for (slot, _) in pass.slots().iter().enumerate().filter(|(_, slot)| slot.head) {
            let (address, bytes) = self.results(kind, slot);
            self.card.bring(address, bytes);
        }
        self.run(&pass)?;
        for chunk in chunks {
            let committed = self.kv.commit(chunk.sequence, chunk.tokens.len());
            committed.map_err(|e| Error::Card(e.to_string()))?;
        }
        let wanted = pass.slots().iter().enumerate().filter(|(_, slot)| slot.head);
        wanted.map(|(slot, _)| self.candidates(kind, slot)).collect()
    }

    /// Runs a pass whose rows are reserved.
    pub fn run(&mut self, pass: &CardPass) -> Result<(), Error> {
        self.card.write_state(self.layout.descriptor, &pass.encode())?;
        self.card.run_pass(self.layout.descriptor)
    }

    /// Rows of a sequence.
    pub fn length(&self, id: SequenceId) -> Result<usize, Error> {
        self.kv.length(id).map_err(|e| Error::Card(e.to_string()))
    }

    /// Where the results of a slot lie, and how many bytes they are.
    fn results(&self, kind: ProgramKind, slot: usize) -> (u64, usize) {
        let (slot, vocab) = (slot as u64, self.header.config.vocab);
        match kind {
            ProgramKind::Logits => {
                (self.layout.logits + slot * self.layout.logits_stride, 4 * vocab)
            }
            _ => {
                let candidates = vocab.min(self.card.config().candidates);
                (self.layout.results + slot * self.layout.results_stride, 8 * candidates)
            }
        }
    }

    /// The candidates of a slot of the last pass.
    pub fn candidates(&mut self, kind: ProgramKind, slot: usize) -> Result<Vec<Candidate>, Error> {
        let (address, bytes) = self.results(kind, slot);
        let mut bytes = vec![0; bytes];
        self.card.read_state(address, &mut bytes)?;
        let word = |bytes: &[u8]| u32::from_le_bytes(std::array::from_fn(|i| bytes[i]));
        if kind == ProgramKind::Logits {
            let logits = bytes.chunks_exact(4).map(|bytes| f32::from_bits(word(bytes)));
            let mut all: Vec<Candidate> =
                (0..).zip(logits).map(|(token, logit)| Candidate { token, logit }).collect();
            Head::rank(&mut all);
            return Ok(all);
        }
        let pair = |bytes: &[u8]| Candidate {
            token: word(bytes),
            logit: f32::from_bits(word(&bytes[4..])),
        };
        Ok(bytes.chunks_exact(8).map(pair).collect())
    }
}

/// One sequence on a card.
pub struct CardRunner<C: Card> {
    model: CardModel<C>,
    head: HeadMode,
    sequence: SequenceId,
}

impl<C: Card> CardRunner<C> {
    /// An empty sequence.
    pub fn new(mut model: CardModel<C>, head: HeadMode) -> Result<Self, Error> {
        let sequence = model.kv.create().map_err(|e| Error::Card(e.to_string()))?;
        Ok(Self { model, head, sequence })
    }

    /// The model, without the sequence.
    pub fn into_model(self) -> CardModel<C> {
        self.model
    }

    /// The model on its card.
    pub fn model(&mut self) -> &mut CardModel<C> {
        &mut self.model
    }
}

impl<C: Card> Feed for CardRunner<C> {
    fn context(&self) -> usize {
        self.model.header.config.context
    }

    fn position(&self) -> usize {
        self.model.length(self.sequence).unwrap_or(0)
    }

    fn restart(&mut self) {
        // The sequence exists as long as the runner.
        let _ = self.model.kv.rewind(self.sequence, 0);
    }

    fn feed(
        &mut self,
        tokens: &[u32],
        wanted: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Candidate>>, Error> {
        let vocab = self.model.header.config.vocab;
        if let Some(&token) = tokens.iter().find(|token| **token as usize >= vocab) {
            return Err(terntable_golden::Error::Token { token, vocab }.into());
        }
        let (context, end) = (self.context(), self.position() + tokens.len());
        if end > context {
            return Err(terntable_golden::Error::Context { position: end - 1, context }.into());
        }
        let mut ranked = Vec::with_capacity(wanted);
        let mut fed = 0;
        for part in tokens.chunks(self.model.slots()) {
            fed += part.len();
            let wanted = wanted.saturating_sub(tokens.len() - fed).min(part.len());
            let chunk = Chunk { sequence: self.sequence, tokens: part, wanted };
            ranked.extend(self.model.pass(self.head, &[chunk])?);
            progress(fed);
        }
        Ok(ranked)
    }
}
