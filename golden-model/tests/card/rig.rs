//! Random models, and a golden card with one of them on it.

use terntable_golden::{
    attention::KvFormat,
    card::{
        build::{BuildOptions, Built, build},
        config::CardConfig,
        kv::{KvPages, SequenceId},
        layout::CardLayout,
        machine::{CardError, Machine},
        pass::{CardPass, PassSlot},
        program::ProgramKind,
    },
    gate::Gate,
    head::{Candidate, Head},
    model::{Config, Layer, Model, Projection},
    rope::Rope,
    sample::mix,
    ternary::Ternary,
};

pub fn real(seed: u64, n: usize, around: f32) -> Vec<f32> {
    let value = |i: usize| around + mix(seed ^ (i as u64) << 8) as i32 as f32 / 2.0_f32.powi(31);
    (0..n).map(value).collect()
}

/// A random model for the small card, of one to two layers. What the seed chooses: ragged sizes, shared key-value heads,
/// int4, the gate, which sub-norms there are, a tied head, bf16 embeddings, a vocabulary below and above the candidates.
pub fn random_model(seed: u64) -> Model {
    random_model_for(&small_card(), seed)
}

/// A random model whose heads suit a card.
pub fn random_model_for(card: &CardConfig, seed: u64) -> Model {
    let draw = |salt: u64, n: u64| (mix(seed ^ salt << 50) % n) as usize;
    let heads = [4, 8, 4, 2][draw(1, 4)];
    let config = Config {
        hidden: 20 + draw(2, 60),
        intermediate: 20 + draw(3, 100),
        layers: 1 + draw(4, 2),
        heads,
        kv_heads: heads / [1, 2, 4, 2][draw(5, 4)].min(heads),
        head_dim: [16, 32][draw(6, 2)].max(2 * card.lanes),
        vocab: [40, 257, 400][draw(7, 3)] + draw(8, 9),
        context: 96,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        gate: [Gate::Relu2, Gate::Silu][draw(9, 2)],
        kv: [KvFormat::Int8, KvFormat::Int4][draw(10, 2)],
    };
    let layer = |l: u64| Layer {
        attention_norm: real(seed ^ l ^ 1 << 40, config.hidden, 1.0),
        attention_sub_norm: (draw(13, 2) == 0)
            .then(|| real(seed ^ l ^ 2 << 40, config.heads * config.head_dim, 1.0)),
        ffn_norm: real(seed ^ l ^ 3 << 40, config.hidden, 1.0),
        ffn_sub_norm: (draw(14, 2) == 0)
            .then(|| real(seed ^ l ^ 4 << 40, config.intermediate, 1.0)),
        projections: Projection::ALL.map(|p| {
            let (rows, cols) = config.shape(p);
            let seed = seed ^ l << 32 ^ (p as u64) << 48;
            Ternary::absmean(rows, cols, &real(seed, rows * cols, 0.0)).unwrap()
        }),
        linear_norms: None,
    };
    let mut embedding = real(seed ^ 77, config.vocab * config.hidden, 0.0);
    if draw(11, 2) == 0 {
        embedding.iter_mut().for_each(|v| *v = f32::from_bits(v.to_bits() & 0xffff_0000));
    }
    let separate = real(seed ^ 78, config.vocab * config.hidden, 0.0);
    let rows = if draw(12, 2) == 0 { &embedding } else { &separate };
    Model {
        layers: (0..config.layers as u64).map(layer).collect(),
        norm: real(seed ^ 5 << 40, config.hidden, 1.0),
        head: Head::new(config.vocab, config.hidden, rows).unwrap(),
        rope: Rope::new(config.head_dim, config.rope_theta, config.context),
        embedding,
        config,
    }
}

pub fn small_card() -> CardConfig {
    CardConfig::named("sim-small").unwrap()
}

pub fn built(model: &Model, panel_tiles: Option<usize>) -> Built {
    built_for(&small_card(), model, panel_tiles)
}

pub fn built_for(card: &CardConfig, model: &Model, panel_tiles: Option<usize>) -> Built {
    let options = BuildOptions { name: "random".into(), pages: Some(40), panel_tiles };
    build(model, card, &options, &mut |_, _| {}).unwrap()
}

/// A golden card and the host's books.
pub struct Rig {
    pub card: CardConfig,
    pub built: Built,
    pub machine: Machine,
    pub kv: KvPages,
}

impl Rig {
    pub fn new(model: &Model, panel_tiles: Option<usize>) -> Self {
        Self::on(small_card(), model, panel_tiles)
    }

    pub fn on(card: CardConfig, model: &Model, panel_tiles: Option<usize>) -> Self {
        let built = built_for(&card, model, panel_tiles);
        let state = built.layout.state_bytes as usize;
        let machine = Machine::new(&card, built.image.bytes().to_vec(), state);
        let kv = KvPages::new(&built.layout, model.config.context);
        Self { card, built, machine, kv }
    }

    pub fn layout(&self) -> &CardLayout {
        &self.built.layout
    }

    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        let at = (address & ((1 << 39) - 1)) as usize;
        self.machine.state_mut()[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub fn read(&self, address: u64, bytes: usize) -> &[u8] {
        &self.machine.state()[(address & ((1 << 39) - 1)) as usize..][..bytes]
    }

    /// Makes rows writable in the card's memory.
    pub fn reserve(&mut self, id: SequenceId, rows: usize) {
        let reserved = self.kv.reserve(id, rows).unwrap();
        for copy in reserved.copies {
            let to: Vec<(u64, usize)> = self.layout().page(copy.to).collect();
            let from: Vec<(u64, usize)> = self.layout().page(copy.from).collect();
            for ((to, _), (from, bytes)) in to.into_iter().zip(from) {
                let page = self.read(from, bytes).to_vec();
                self.write(to, &page);
            }
        }
        if let Some(table) = reserved.table {
            self.write(self.layout().table(id.0), &table);
        }
    }

    pub fn pass(&self, kind: ProgramKind) -> CardPass {
        CardPass::new(&self.card, self.layout(), self.built.image.header.program(kind))
    }

    /// Runs a pass of slots whose rows are reserved.
    pub fn run(&mut self, pass: &CardPass) -> Result<(), CardError> {
        self.write(self.layout().descriptor, &pass.encode());
        self.machine.run(self.layout().descriptor)
    }

    /// Feeds consecutive tokens of a sequence in one pass.
    pub fn feed(&mut self, kind: ProgramKind, id: SequenceId, tokens: &[u32]) {
        let first = self.kv.length(id).unwrap() as u32;
        self.reserve(id, tokens.len());
        let mut pass = self.pass(kind);
        pass.push_chunk(self.layout().table(id.0), first, tokens, |_| true).unwrap();
        self.run(&pass).unwrap();
        self.kv.commit(id, tokens.len()).unwrap();
    }

    /// The ranked candidates of a slot, from the card's memory.
    pub fn results(&self, slot: usize, vocab: usize) -> Vec<(u32, u32)> {
        let count = vocab.min(256);
        let at = self.layout().results + slot as u64 * self.layout().results_stride;
        let word = |b: &[u8]| u32::from_le_bytes(b.try_into().unwrap());
        let bytes = self.read(at, 8 * count);
        bytes.chunks_exact(8).map(|pair| (word(&pair[..4]), word(&pair[4..]))).collect()
    }

    /// The bits of the logits of a slot, from the card's memory.
    pub fn logits(&self, slot: usize, vocab: usize) -> Vec<u32> {
        let at = self.layout().logits + slot as u64 * self.layout().logits_stride;
        let words = self.read(at, 4 * vocab).chunks_exact(4);
        words.map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect()
    }
}

pub fn bits(candidates: &[Candidate]) -> Vec<(u32, u32)> {
    candidates.iter().map(|c| (c.token, c.logit.to_bits())).collect()
}

pub fn slot(page_table: u64, row: u32, token: u32, head: bool) -> PassSlot {
    PassSlot { token, position: row, row, history: row, mask: 1, head, page_table }
}
