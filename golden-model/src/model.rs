//! The whole model: a pass takes up to S slots through every layer.
//!
//! A *slot* is one token of one sequence. Slots of a pass may belong to any sequences; a prefill
//! chunk, a batch of decodes and a mix are the same thing, and give the same bits.

use crate::{
    Error,
    attention::{KvCache, KvFormat, attend},
    gate::{Gate, add_residual},
    head::{Candidate, Head, HeadMode},
    norm,
    quantise::{Quantised, dequantise},
    rope::Rope,
    ternary::Ternary,
    tlmm::Tlmm,
};
use serde::{Deserialize, Serialize};

/// Longest row of a linear layer: its sums fit 24 bits.
const MAX_ROW: usize = 65_535;
/// Longest context: attention is far from [`crate::attention::MAX_POSITIONS`].
const MAX_CONTEXT: usize = 1 << 20;
/// Numbers of the largest rotary table, half a gigabyte.
const MAX_ROTARY: usize = 1 << 27;
const _: () = assert!(MAX_CONTEXT <= crate::attention::MAX_POSITIONS);

/// Sizes and constants of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Elements of the residual stream.
    pub hidden: usize,
    /// Elements of the feed-forward block.
    pub intermediate: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key-value heads; divides `heads`.
    pub kv_heads: usize,
    /// Elements of a head; even.
    pub head_dim: usize,
    /// Tokens in the vocabulary.
    pub vocab: usize,
    /// Longest context, tokens.
    pub context: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f32,
    /// Added to the mean square in norms.
    pub norm_eps: f32,
    /// Gate of the feed-forward block.
    pub gate: Gate,
    /// How K and V are held.
    pub kv: KvFormat,
}

/// The linear layers of a transformer layer, in stream order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Projection {
    /// Query.
    Q,
    /// Key.
    K,
    /// Value.
    V,
    /// Attention output.
    O,
    /// Gate of the feed-forward block.
    Gate,
    /// Up.
    Up,
    /// Down.
    Down,
}

impl Projection {
    /// All, in stream order.
    pub const ALL: [Projection; 7] = [
        Projection::Q,
        Projection::K,
        Projection::V,
        Projection::O,
        Projection::Gate,
        Projection::Up,
        Projection::Down,
    ];
}

/// One ternary matrix of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Linear {
    /// A projection of a layer.
    Layer(usize, Projection),
    /// The screen of the two-stage head.
    Screen,
}

impl std::fmt::Display for Linear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Linear::Layer(layer, projection) => {
                write!(f, "layer {layer} {}", format!("{projection:?}").to_lowercase())
            }
            Linear::Screen => write!(f, "head screen"),
        }
    }
}

/// One transformer layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Norm before attention.
    pub attention_norm: Vec<f32>,
    /// Sub-norm before the output projection, of architectures that have it.
    pub attention_sub_norm: Option<Vec<f32>>,
    /// Norm before the feed-forward block.
    pub ffn_norm: Vec<f32>,
    /// Sub-norm before the down projection, of architectures that have it.
    pub ffn_sub_norm: Option<Vec<f32>>,
    /// The projections in the order of [`Projection::ALL`].
    pub projections: [Ternary; 7],
    /// Norms of the projections' own, of models that have them.
    pub linear_norms: Option<LinearNorms>,
}

/// Norms inside the linear layers (`use_rms_norm`): each projection normalises what it is given once
/// more.
#[derive(Debug, Clone)]
pub struct LinearNorms {
    /// Weights in the order of [`Projection::ALL`].
    pub weights: [Vec<f32>; 7],
    /// Added to the mean square.
    pub eps: f32,
}

/// A model's parameters.
#[derive(Debug, Clone)]
pub struct Model {
    /// Sizes and constants.
    pub config: Config,
    /// `vocab * hidden` embeddings.
    pub embedding: Vec<f32>,
    /// The layers.
    pub layers: Vec<Layer>,
    /// Norm before the head.
    pub norm: Vec<f32>,
    /// The head.
    pub head: Head,
    /// The rotary table.
    pub rope: Rope,
}

/// One token of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Index of the sequence (its cache).
    pub sequence: usize,
    /// Position in the sequence; slots of a sequence come in order and without a gap.
    pub position: usize,
    /// The token.
    pub token: u32,
}

/// The caches of one sequence, one a layer.
pub type Sequence = Vec<KvCache>;

impl Config {
    /// Checks what the formulas need.
    pub fn check(&self) -> Result<(), Error> {
        let positive = [
            ("hidden", self.hidden),
            ("intermediate", self.intermediate),
            ("layers", self.layers),
            ("heads", self.heads),
            ("kv_heads", self.kv_heads),
            ("head_dim", self.head_dim),
            ("vocab", self.vocab),
            ("context", self.context),
        ];
        let fail = |text: String| Err(Error::Config(text));
        if let Some((name, _)) = positive.iter().find(|(_, size)| *size == 0) {
            return fail(format!("{name} is 0; expected at least 1"));
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            let (heads, kv) = (self.heads, self.kv_heads);
            return fail(format!("{heads} query heads do not share {kv} key-value heads evenly"));
        }
        if !self.head_dim.is_multiple_of(2) {
            return fail(format!("head_dim {} is odd; rotary pairs need it even", self.head_dim));
        }
        let limits = [
            ("hidden", self.hidden, MAX_ROW),
            ("intermediate", self.intermediate, MAX_ROW),
            ("heads", self.heads, MAX_ROW),
            ("head_dim", self.head_dim, MAX_ROW),
            ("heads * head_dim", self.heads.saturating_mul(self.head_dim), MAX_ROW),
            ("layers", self.layers, 1 << 16),
            ("vocab", self.vocab, 1 << 28),
            ("context", self.context, MAX_CONTEXT),
            ("context * head_dim", self.context.saturating_mul(self.head_dim), MAX_ROTARY),
        ];
        if let Some((name, size, limit)) = limits.iter().find(|(_, size, limit)| size > limit) {
            return fail(format!("{name} is {size}; at most {limit} can be computed"));
        }
        if !(self.norm_eps >= 0.0 && self.norm_eps.is_finite()) {
            return fail(format!("norm_eps {}; expected a small positive number", self.norm_eps));
        }
        if !(self.rope_theta > 0.0 && self.rope_theta.is_finite()) {
            return fail(format!("rope_theta {}; expected a positive number", self.rope_theta));
        }
        Ok(())
    }

    /// Rows and columns of a projection.
    pub fn shape(&self, projection: Projection) -> (usize, usize) {
        let (q, kv) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        match projection {
            Projection::Q => (q, self.hidden),
            Projection::K | Projection::V => (kv, self.hidden),
            Projection::O => (self.hidden, q),
            Projection::Gate | Projection::Up => (self.intermediate, self.hidden),
            Projection::Down => (self.hidden, self.intermediate),
        }
    }
}

impl Model {
    /// Every ternary matrix, in stream order.
    pub fn linears(&self) -> impl Iterator<Item = Linear> + use<> {
        let layers = 0..self.layers.len();
        layers
            .flat_map(|layer| Projection::ALL.map(|projection| Linear::Layer(layer, projection)))
            .chain([Linear::Screen])
    }

    /// The matrix that a name stands for.
    pub fn matrix(&self, linear: Linear) -> &Ternary {
        match linear {
            Linear::Layer(layer, projection) => {
                &self.layers[layer].projections[projection as usize]
            }
            Linear::Screen => self.head.screen(),
        }
    }

    /// An empty sequence.
    pub fn sequence(&self) -> Sequence {
        let Config { kv_heads, head_dim, kv, layers, .. } = self.config;
        vec![KvCache::new(kv_heads, head_dim, kv); layers]
    }

    /// One pass: takes the slots through every layer, appends their keys and values to their
    /// sequences and returns each slot's quantised input of the head.
    pub fn pass(
        &self,
        golden: &Golden,
        sequences: &mut [Sequence],
        slots: &[Slot],
    ) -> Result<Vec<Quantised>, Error> {
        self.check_slots(sequences, slots)?;
        let hidden = self.config.hidden;
        let embed = |slot: &Slot| self.embedding[slot.token as usize * hidden..][..hidden].to_vec();
        let mut x: Vec<Vec<f32>> = slots.iter().map(embed).collect();
        for layer in 0..self.layers.len() {
            self.attention_block(golden, sequences, slots, layer, &mut x);
            self.ffn_block(golden, layer, &mut x);
        }
        Ok(x.iter().map(|x| norm::quantise(x, &self.norm, self.config.norm_eps)).collect())
    }

    fn check_slots(&self, sequences: &[Sequence], slots: &[Slot]) -> Result<(), Error> {
        let mut lengths: Vec<usize> = sequences.iter().map(|s| s[0].len()).collect();
        for slot in slots {
            let (vocab, context) = (self.config.vocab, self.config.context);
            if slot.token as usize >= vocab {
                return Err(Error::Token { token: slot.token, vocab });
            }
            if slot.position >= context {
                return Err(Error::Context { position: slot.position, context });
            }
            let length = &mut lengths[slot.sequence];
            if slot.position != *length {
                return Err(Error::Gap { position: slot.position, length: *length });
            }
            *length += 1;
        }
        Ok(())
    }

    /// Real outputs of projections that share the rows that they are given, a row a slot, and a norm, if
    /// they have one: `[projection][slot][row]`.
    fn project<const N: usize>(
        &self,
        golden: &Golden,
        layer: usize,
        projections: [Projection; N],
        rows: &[Vec<f32>],
        norm: Option<&[f32]>,
    ) -> [Vec<Vec<f32>>; N] {
        let eps = self.config.norm_eps;
        let mut outputs = [const { Vec::new() }; N];
        let multiply = |outputs: &mut [Vec<Vec<f32>>], linears: &[Linear], x: &[Quantised]| {
            let sums = golden.multiply(linears, x);
            for ((output, slots), linear) in outputs.iter_mut().zip(sums).zip(linears) {
                let scale = self.matrix(*linear).scale;
                let real = |(sums, x): (&Vec<i32>, &Quantised)| dequantise(sums, x.step, scale);
                *output = slots.iter().zip(x).map(real).collect();
            }
        };
        let linears = projections.map(|p| Linear::Layer(layer, p));
        let Some(own) = &self.layers[layer].linear_norms else {
            let input = |row: &Vec<f32>| match norm {
                Some(weight) => norm::quantise(row, weight, eps),
                None => norm::quantise_identity(row, eps),
            };
            let x: Vec<_> = rows.iter().map(input).collect();
            multiply(&mut outputs, &linears, &x);
            return outputs;
        };
        let normed = |row: &Vec<f32>| norm.map_or(row.clone(), |w| norm::apply(row, w, eps));
        let rows: Vec<_> = rows.iter().map(normed).collect();
        for (index, projection) in projections.into_iter().enumerate() {
            let weight = &own.weights[projection as usize];
            let x: Vec<_> = rows.iter().map(|row| norm::quantise(row, weight, own.eps)).collect();
            multiply(&mut outputs[index..=index], &linears[index..=index], &x);
        }
        outputs
    }

    fn attention_block(
        &self,
        golden: &Golden,
        sequences: &mut [Sequence],
        slots: &[Slot],
        index: usize,
        x: &mut [Vec<f32>],
    ) {
        let Config { heads, kv_heads, head_dim, .. } = self.config;
        let layer = &self.layers[index];
        let qkv = [Projection::Q, Projection::K, Projection::V];
        let norm = Some(&layer.attention_norm[..]);
        let [mut q, mut k, v] = self.project(golden, index, qkv, x, norm);
        for (i, slot) in slots.iter().enumerate() {
            for head in q[i].chunks_exact_mut(head_dim).chain(k[i].chunks_exact_mut(head_dim)) {
                self.rope.rotate(head, slot.position);
            }
            sequences[slot.sequence][index].append(&k[i], &v[i]);
        }
        let mut attended = Vec::with_capacity(slots.len());
        for (q, slot) in q.iter().zip(slots) {
            let cache = &sequences[slot.sequence][index];
            let mut row = Vec::with_capacity(heads * head_dim);
            for (head, query) in q.chunks_exact(head_dim).enumerate() {
                let kv_head = head / (heads / kv_heads);
                row.extend(attend(query, cache, kv_head, 0..slot.position + 1));
            }
            attended.push(row);
        }
        let norm = layer.attention_sub_norm.as_deref();
        let [o] = self.project(golden, index, [Projection::O], &attended, norm);
        x.iter_mut().zip(&o).for_each(|(x, o)| add_residual(x, o));
    }

    fn ffn_block(&self, golden: &Golden, index: usize, x: &mut [Vec<f32>]) {
        let layer = &self.layers[index];
        let gate_up = [Projection::Gate, Projection::Up];
        let [gate, up] = self.project(golden, index, gate_up, x, Some(&layer.ffn_norm));
        let gated = |(gate, up): (&Vec<f32>, &Vec<f32>)| self.config.gate.apply(gate, up);
        let gated: Vec<_> = gate.iter().zip(&up).map(gated).collect();
        let norm = layer.ffn_sub_norm.as_deref();
        let [down] = self.project(golden, index, [Projection::Down], &gated, norm);
        x.iter_mut().zip(&down).for_each(|(x, down)| add_residual(x, down));
    }

    /// The head on the outputs of a pass: for each slot its candidates, ranked.
    pub fn head(
        &self,
        golden: &Golden,
        mode: HeadMode,
        outputs: &[Quantised],
    ) -> Vec<Vec<Candidate>> {
        let all: Vec<u32> = (0..self.config.vocab as u32).collect();
        let selected: Vec<Vec<u32>> = match mode {
            HeadMode::Full => outputs.iter().map(|_| all.clone()).collect(),
            HeadMode::TwoStage => {
                let sums = golden.multiply(&[Linear::Screen], outputs);
                sums[0].iter().map(|sums| self.head.select(sums)).collect()
            }
        };
        let mut ranked = Vec::with_capacity(outputs.len());
        for (x, tokens) in outputs.iter().zip(selected) {
            let dots = self.head.dots(&tokens, &x.values);
            let score =
                |(&token, dot)| Candidate { token, logit: self.head.logit(token, dot, x.step) };
            let mut candidates: Vec<_> = tokens.iter().zip(dots).map(score).collect();
            Head::rank(&mut candidates);
            ranked.push(candidates);
        }
        ranked
    }
}

/// The matrices of a model, prepared for lookup.
#[derive(Debug)]
pub struct Golden {
    layers: usize,
    prepared: Vec<Tlmm>,
}

impl Golden {
    /// Prepares every matrix for lookup.
    pub fn new(model: &Model) -> Self {
        let prepared = model.linears().map(|linear| Tlmm::new(model.matrix(linear))).collect();
        Self { layers: model.layers.len(), prepared }
    }

    /// Exact sums of each of `linears`, which share their input, with every row of `x`:
    /// `[linear][slot][row]`.
    fn multiply(&self, linears: &[Linear], x: &[Quantised]) -> Vec<Vec<Vec<i32>>> {
        let one = |linear: &Linear| {
            let tlmm = self.tlmm(*linear);
            x.iter().map(|x| tlmm.multiply(&x.values)).collect()
        };
        linears.iter().map(one).collect()
    }

    fn tlmm(&self, linear: Linear) -> &Tlmm {
        let per_layer = Projection::ALL.len();
        match linear {
            Linear::Layer(layer, projection) => {
                &self.prepared[layer * per_layer + projection as usize]
            }
            Linear::Screen => &self.prepared[self.layers * per_layer],
        }
    }
}
