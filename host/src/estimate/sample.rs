//! Cycles of single passes, from the RTL: a model of the wanted shape with few layers and a short
//! vocabulary, random weights, on the simulated card.

use super::scenario::{Run, Scenario};
use crate::{
    Error,
    card::{CardModel, Chunk},
    pack::{PackOptions, pack_model},
    sim::SimCard,
    usage::Usage,
};
use terntable_golden::{
    card::config::CardConfig,
    head::{Head, HeadMode},
    model::{Config, Layer, Model, Projection},
    rope::Rope,
    sample::mix,
    ternary::Ternary,
};
use terntable_testbench::{agents::axi_dram::DramTiming, card::CardOptions};

/// What a pass took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// Cycles from the doorbell to the interrupt.
    pub cycles: f64,
    /// Bytes that crossed the memory ports.
    pub bytes: f64,
    /// Cycles in which each unit had work: load, multiply, vector, attention, head, check.
    pub busy: [f64; 6],
    /// Cycles in which a beat of weights was consumed.
    pub weight_beats: f64,
    /// Cycles in which none was, in the order of [`Stalls::named`](crate::usage::Stalls::named).
    pub stalls: [f64; 6],
}

impl From<&Usage> for Sample {
    fn from(usage: &Usage) -> Self {
        Self {
            cycles: usage.cycles as f64,
            bytes: (usage.bytes_read + usage.bytes_written) as f64,
            busy: usage.busy.named().map(|(_, cycles)| cycles as f64),
            weight_beats: usage.weight_beats as f64,
            stalls: usage.stalls.named().map(|(_, cycles)| cycles as f64),
        }
    }
}

impl Sample {
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            cycles: f(self.cycles, other.cycles),
            bytes: f(self.bytes, other.bytes),
            busy: std::array::from_fn(|i| f(self.busy[i], other.busy[i])),
            weight_beats: f(self.weight_beats, other.weight_beats),
            stalls: std::array::from_fn(|i| f(self.stalls[i], other.stalls[i])),
        }
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    /// What `self` takes more than `other`.
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    /// So many times as much.
    pub fn times(self, factor: f64) -> Self {
        self.zip(self, |a, _| a * factor)
    }
}

/// A model of these sizes with random weights: trits drawn directly, since nobody looks at them.
pub fn random_model(config: &Config) -> Result<Model, terntable_golden::Error> {
    let trits = |seed: u64, count: usize| -> Vec<i8> {
        // Forty trits of a draw.
        let word = |i: u64| mix(seed.wrapping_mul(0x9e37_79b9) ^ i);
        let of_word = |word: u64| {
            (0..40).scan(word, |w, _| {
                let trit = (*w % 3) as i8 - 1;
                *w /= 3;
                Some(trit)
            })
        };
        (0..).flat_map(|i| of_word(word(i))).take(count).collect()
    };
    let layer = |index: usize| -> Result<Layer, terntable_golden::Error> {
        let mut projections = Vec::with_capacity(7);
        for p in Projection::ALL {
            let (rows, cols) = config.shape(p);
            let seed = (index * 8 + p as usize + 1) as u64;
            projections.push(Ternary::new(rows, cols, trits(seed, rows * cols), 0.01)?);
        }
        Ok(Layer {
            attention_norm: vec![1.0; config.hidden],
            attention_sub_norm: Some(vec![1.0; config.heads * config.head_dim]),
            ffn_norm: vec![1.0; config.hidden],
            ffn_sub_norm: Some(vec![1.0; config.intermediate]),
            projections: projections.try_into().map_err(|_| {
                terntable_golden::Error::Config("a layer has seven projections".into())
            })?,
            linear_norms: None,
        })
    };
    let embedding: Vec<f32> = trits(99, config.vocab * config.hidden)
        .into_iter()
        .enumerate()
        .map(|(i, t)| f32::from(t) + (mix(i as u64) % 64) as f32 / 64.0)
        .collect();
    Ok(Model {
        layers: (0..config.layers).map(layer).collect::<Result<_, _>>()?,
        norm: vec![1.0; config.hidden],
        head: Head::new(config.vocab, config.hidden, &embedding)?,
        rope: Rope::new(config.head_dim, config.rope_theta, config.context),
        embedding,
        config: config.clone(),
    })
}

/// A model on the simulated card, ready for passes.
pub struct Sampler {
    model: CardModel<SimCard>,
}

impl Sampler {
    /// Packs a random model of these sizes for the card and loads it; the image is not checked.
    pub fn new(card: &CardConfig, config: &Config, timing: DramTiming) -> Result<Self, Error> {
        let model = random_model(config)?;
        let image = pack_model(&model, card, &PackOptions::default(), |_, _| {})?;
        let options = CardOptions { timing, peek: false, ..CardOptions::default() };
        let sim = SimCard::with(card, options)?;
        Ok(Self { model: CardModel::open_unchecked(sim, &image)? })
    }

    /// Runs a pass; without candidates wanted, one that only fills the cache.
    pub fn pass(&mut self, scenario: &Scenario) -> Result<Sample, Error> {
        let model = &mut self.model;
        let mut sequences = Vec::new();
        for run in &scenario.0 {
            let id = model.kv().create().map_err(|e| Error::Card(e.to_string()))?;
            // What the rows of the cache hold costs no cycles.
            model.reserve(id, run.rows - run.slots)?;
            let filled = model.kv().commit(id, run.rows - run.slots);
            filled.map_err(|e| Error::Card(e.to_string()))?;
            sequences.push(id);
        }
        let tokens: Vec<u32> = (0..scenario.slots() as u32)
            .map(|i| mix(u64::from(i)) as u32 % model.header().config.vocab as u32)
            .collect();
        let chunks: Vec<Chunk<'_>> = scenario
            .0
            .iter()
            .zip(&sequences)
            .map(|(&Run { slots, wanted, .. }, &sequence)| Chunk {
                sequence,
                tokens: &tokens[..slots],
                wanted,
            })
            .collect();
        model.pass(HeadMode::TwoStage, &chunks)?;
        for id in sequences {
            model.kv().end(id).map_err(|e| Error::Card(e.to_string()))?;
        }
        let spent = model.card().spent();
        spent.passes.last().map(Sample::from).ok_or_else(|| Error::Card("no pass was run".into()))
    }
}
