//! Models of real shapes with random weights, made fast, and passes on them.

use crate::Outcome;
use terntable::card::Card;
pub use terntable::estimate::shapes::Shape;
use terntable_golden::{
    attention::KvFormat,
    card::{
        build::{BuildOptions, build},
        command::{Command, STATE, source},
        config::CardConfig,
        image::Image,
        layout::CardLayout,
        pass::CardPass,
        program::ProgramKind,
        shape::KvShape,
    },
    head::Head,
    model::{Config, Layer, Model, Projection},
    rope::Rope,
    sample::mix,
    ternary::Ternary,
};

/// The built-in shapes that fit the edge card.
pub fn shapes() -> Vec<Shape> {
    ["bitnet-0.73b", "bitnet-2b4t"].into_iter().filter_map(Shape::named).copied().collect()
}

/// The sizes of a shape with so many layers and tokens, and a context for the cases.
fn config(shape: &Shape, layers: usize, vocab: usize, kv: KvFormat) -> Config {
    Config { layers, vocab, context: 1104, ..shape.config(kv) }
}

/// A pass: so many sequences, each with rows in the cache and new tokens.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub sequences: usize,
    pub tokens: usize,
    pub history: usize,
    pub kv: KvFormat,
    pub program: ProgramKind,
}

const fn case(name: &'static str, sequences: usize, tokens: usize, history: usize) -> Case {
    let (kv, program) = (KvFormat::Int8, ProgramKind::Pass);
    Case { name, sequences, tokens, history, kv, program }
}

impl Case {
    pub const ALL: [Case; 8] = [
        case("decode-1-at-128", 1, 1, 127),
        case("decode-16-at-128", 16, 1, 127),
        case("prefill-16-at-0", 1, 16, 0),
        case("prefill-16-at-112", 1, 16, 112),
        case("decode-1-at-1000", 1, 1, 999),
        case("prefill-16-at-1008", 1, 16, 1008),
        case("decode-16-at-1000", 16, 1, 999),
        Case { kv: KvFormat::Int4, ..case("decode-16-at-1000-int4", 16, 1, 999) },
    ];

    /// A pass whose layers do not matter, with a head.
    pub fn head(slots: usize, program: ProgramKind) -> Case {
        Case { program, ..case("head", slots, 1, 15) }
    }

    pub fn slots(&self) -> usize {
        self.sequences * self.tokens
    }

    fn pages_each(&self, card: &CardConfig) -> usize {
        (self.history + self.tokens).div_ceil(card.page_rows)
    }

    pub fn pages(&self, card: &CardConfig) -> usize {
        self.sequences * self.pages_each(card)
    }
}

fn bytes(seed: u64) -> impl Iterator<Item = u8> {
    (0..).flat_map(move |i| mix(seed ^ i).to_le_bytes())
}

fn trits(rows: usize, cols: usize, seed: u64) -> Outcome<Ternary> {
    let weights = bytes(seed).take(rows * cols).map(|b| ((u16::from(b) * 3) >> 8) as i8 - 1);
    Ok(Ternary::new(rows, cols, weights.collect(), (cols as f32 * 0.667).sqrt().recip())?)
}

/// Values around a middle, at most 1 away from it.
fn reals(count: usize, around: f32, seed: u64) -> Vec<f32> {
    bytes(seed).take(count).map(|b| around + (f32::from(b) - 127.5) / 128.0).collect()
}

/// Random parameters: a layer's, and clones of it.
fn model(config: Config) -> Outcome<Model> {
    let mut projections = Vec::new();
    for p in Projection::ALL {
        let (rows, cols) = config.shape(p);
        projections.push(trits(rows, cols, mix(p as u64))?);
    }
    let layer = Layer {
        attention_norm: reals(config.hidden, 1.1, 1 << 40),
        attention_sub_norm: Some(reals(config.heads * config.head_dim, 1.1, 2 << 40)),
        ffn_norm: reals(config.hidden, 1.1, 3 << 40),
        ffn_sub_norm: Some(reals(config.intermediate, 1.1, 4 << 40)),
        projections: projections.try_into().map_err(|_| "seven projections")?,
        linear_norms: None,
    };
    // Exact in bf16, as those of the real models are.
    let embedding = reals(config.vocab * config.hidden, 0.0, 5 << 40);
    Ok(Model {
        layers: vec![layer; config.layers],
        norm: reals(config.hidden, 1.1, 6 << 40),
        head: Head::new(config.vocab, config.hidden, &embedding)?,
        rope: Rope::new(config.head_dim, config.rope_theta, config.context),
        embedding,
        config,
    })
}

/// A model packed for a card.
pub struct Loaded {
    pub card: CardConfig,
    pub layout: CardLayout,
    pub pages: usize,
    image: Image,
    config: Config,
    program: ProgramKind,
}

impl Loaded {
    /// Two layers of a shape.
    pub fn layers(shape: &Shape, card: &CardConfig, pages: usize, kv: KvFormat) -> Outcome<Self> {
        Self::new(config(shape, 2, 300, kv), card, pages, ProgramKind::Pass)
    }

    /// Whether a case can run on it.
    pub fn serves(&self, case: &Case) -> bool {
        self.pages >= case.pages(&self.card) && self.config.kv == case.kv
    }

    /// A shape's head over layers that are as small as they can be.
    pub fn head(shape: &Shape, card: &CardConfig, case: &Case) -> Outcome<Self> {
        let config = config(shape, 1, shape.vocab, case.kv);
        let config = Config { intermediate: 64, heads: 1, kv_heads: 1, ..config };
        Self::new(config, card, case.pages(card), case.program)
    }

    fn new(config: Config, card: &CardConfig, pages: usize, program: ProgramKind) -> Outcome<Self> {
        eprintln!(
            "packing a model of {} x {} x {} ...",
            config.layers, config.hidden, config.vocab
        );
        let model = model(config.clone())?;
        let options = BuildOptions { pages: Some(pages as u32), ..BuildOptions::default() };
        let built = build(&model, card, &options, &mut |_, _| {})?;
        let (card, image, layout) = (card.clone(), built.image, built.layout);
        Ok(Self { card, layout, pages, image, config, program })
    }

    fn commands(&self) -> Vec<Command> {
        let commands = self.image.commands(self.program).unwrap_or_default();
        commands.into_iter().map(|(_, command)| command).collect()
    }

    /// What the commands of the program are called.
    pub fn names(&self) -> Vec<&'static str> {
        self.commands().iter().map(|command| command.info().name).collect()
    }

    /// Commands of the vector unit whose starts divide the account of a pass: the first norms of the
    /// layers, the norm before the head.
    pub fn marks(&self) -> Vec<usize> {
        let commands = self.commands();
        let norms = commands.iter().enumerate().filter_map(|(i, command)| match *command {
            Command::Normalise { source: source::X, to_queries, .. } => Some((i, to_queries)),
            _ => None,
        });
        match self.program {
            ProgramKind::Pass => norms.step_by(2).map(|(i, _)| i).collect(),
            _ => norms.filter(|(_, to_queries)| *to_queries).map(|(i, _)| i).collect(),
        }
    }

    /// Puts image, cache, page tables and descriptor of a case on a card. The rows of the cache are
    /// random, and the sequences' pages lie anywhere.
    pub fn prepare(&self, card: &mut impl Card, case: &Case) -> Outcome<()> {
        let layout = &self.layout;
        card.load(self.image.bytes(), layout.state_bytes)?;
        let mut order: Vec<u32> = (0..self.pages as u32).collect();
        order.sort_by_key(|&page| mix(u64::from(page) << 32));
        let each = case.pages_each(&self.card);
        let kv = KvShape::new(&self.card, self.config.head_dim, self.config.kv);
        let mut pass = CardPass::new(&self.card, layout, self.image.header.program(case.program));
        for sequence in 0..case.sequences {
            let pages = &order[sequence * each..][..each];
            for &page in pages.iter().filter(|_| case.history > 0) {
                for (address, bytes) in layout.page(page) {
                    card.write_state(address, &random_page(&kv, address & !STATE, bytes))?;
                }
            }
            let table: Vec<u8> = pages.iter().flat_map(|page| page.to_le_bytes()).collect();
            card.write_state(layout.table(sequence), &table)?;
            let tokens: Vec<u32> = (0..case.tokens)
                .map(|i| (mix((sequence << 16 | i) as u64) % self.config.vocab as u64) as u32)
                .collect();
            let wants = |_| case.program != ProgramKind::Pass;
            pass.push_chunk(layout.table(sequence), case.history as u32, &tokens, wants)?;
        }
        card.write_state(layout.descriptor, &pass.encode())?;
        Ok(())
    }
}

/// Rows of any int8 and steps from 1/256 to 1/64.
fn random_page(kv: &KvShape, seed: u64, size: usize) -> Vec<u8> {
    let mut page: Vec<u8> = bytes(mix(seed)).take(size).collect();
    for head in page.chunks_exact_mut(kv.head_bytes()) {
        for step in head[kv.rows_bytes..][..2 * kv.steps_bytes].chunks_exact_mut(4) {
            let value = f32::from(1 + u16::from(step[0] % 4)) / 256.0;
            step.copy_from_slice(&value.to_le_bytes());
        }
    }
    page
}
