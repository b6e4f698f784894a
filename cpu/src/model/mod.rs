//! Whole models on the CPU: passes of any number of slots, and the head.
//!
//! A pass is a chain of jobs ([`crate::pool`]). What a job makes is read by the next and never written
//! again, so a thread that falls behind can do no harm.

mod attend;
mod head;
mod product;
mod sweep;

use crate::{
    Error,
    image::{Image, LayerNorm, Part},
    kv::Sequence,
    level::Level,
    multiply::Activations,
    pool::{Pool, Results},
    vector,
};
use product::Product;
use std::sync::Arc;
use terntable_golden::{
    attention::KvFormat,
    model::{Config, Projection, Slot},
};

/// A model and the threads that run it.
#[derive(Debug)]
pub struct Cpu {
    image: Arc<Image>,
    pool: Pool,
    level: Level,
    kv: KvFormat,
}

/// A row of the residual stream or between two linear layers, and what the linear layers behind its norm
/// take: one input for all, or one each where they have norms of their own.
struct Normed {
    row: Vec<f32>,
    inputs: Vec<Input>,
}

/// A quantised row.
struct Input {
    values: Vec<i8>,
    sum: i32,
    step: f32,
}

/// The norm that a row goes through.
#[derive(Debug, Clone, Copy)]
enum Norm {
    Layer(usize, LayerNorm),
    Last,
}

/// Rows of all slots.
type Rows = Results<Normed>;

impl Cpu {
    /// Runs an image on `threads` threads, with the best instructions of this machine.
    pub fn new(image: Arc<Image>, threads: usize) -> Result<Self, Error> {
        Ok(Self::with_level(image, threads, Level::best()?))
    }

    /// The same with the instructions of a level.
    pub fn with_level(image: Arc<Image>, threads: usize, level: Level) -> Self {
        let kv = image.config().kv;
        Self { image, pool: Pool::new(threads.max(1)), level, kv }
    }

    /// Holds K and V in another format than the model's own.
    pub fn with_kv(self, kv: KvFormat) -> Self {
        Self { kv, ..self }
    }

    /// The packed model.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Sizes and constants.
    pub fn config(&self) -> &Config {
        self.image.config()
    }

    /// The instructions in use.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Threads in use.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// An empty sequence.
    pub fn sequence(&self) -> Sequence {
        Sequence::new(self.config().layers)
    }

    /// One pass: takes the slots through every layer, appends their keys and values to their sequences and
    /// returns the inputs of the head.
    pub fn pass(&self, sequences: &mut [Sequence], slots: &[Slot]) -> Result<Activations, Error> {
        self.check(sequences, slots)?;
        let (image, tokens) = (self.image.clone(), tokens(slots));
        let hidden = self.config().hidden;
        let mut x =
            self.normed(slots.len(), Norm::Layer(0, LayerNorm::Attention), move |slot, row| {
                row.resize(hidden, 0.0);
                image.embed(tokens[slot], row);
            });
        let layers = self.config().layers;
        for layer in 0..layers {
            let attended = self.attention_block(sequences, slots, layer, &x);
            let o = self.multiply(layer, &[Projection::O], &self.inputs(&attended));
            x = self.residual(Norm::Layer(layer, LayerNorm::Ffn), x, o);
            let gated = self.gated(layer, &self.inputs(&x));
            let ffn = self.config().intermediate;
            let norm = Norm::Layer(layer, LayerNorm::FfnSub);
            let gated = self.normed(slots.len(), norm, move |slot, row| {
                row.resize(ffn, 0.0);
                gated.read(slot, 0, row);
            });
            let down = self.multiply(layer, &[Projection::Down], &self.inputs(&gated));
            let next = match layer + 1 {
                next if next < layers => Norm::Layer(next, LayerNorm::Attention),
                _ => Norm::Last,
            };
            x = self.residual(next, x, down);
        }
        for slot in slots {
            let sequence = &mut sequences[slot.sequence];
            sequence.length = sequence.length.max(slot.position + 1);
        }
        let last = self.inputs(&x).remove(0);
        Ok(Arc::try_unwrap(last).unwrap_or_else(|last| (*last).clone()))
    }

    /// Refuses slots that do not follow what the sequences hold.
    fn check(&self, sequences: &[Sequence], slots: &[Slot]) -> Result<(), Error> {
        use terntable_golden::Error as Refusal;
        let Config { vocab, context, .. } = *self.config();
        let mut lengths: Vec<usize> = sequences.iter().map(Sequence::len).collect();
        for slot in slots {
            if slot.token as usize >= vocab {
                return Err(Refusal::Token { token: slot.token, vocab }.into());
            }
            if slot.position >= context {
                return Err(Refusal::Context { position: slot.position, context }.into());
            }
            let length = &mut lengths[slot.sequence];
            if slot.position != *length {
                return Err(Refusal::Gap { position: slot.position, length: *length }.into());
            }
            *length += 1;
        }
        Ok(())
    }

    /// Rows that `make` writes, a slot each, through a norm.
    fn normed(
        &self,
        slots: usize,
        norm: Norm,
        make: impl Fn(usize, &mut Vec<f32>) + Send + Sync + 'static,
    ) -> Rows {
        let (image, level) = (self.image.clone(), self.level);
        let operations = slots * 16 * self.config().hidden;
        self.pool.run_if_worth(operations, slots, move |slot| {
            let mut row = Vec::new();
            make(slot, &mut row);
            let inputs = inputs_of(&image, level, norm, &row);
            Normed { row, inputs }
        })
    }

    /// Rows plus the outputs of a linear layer, through a norm.
    fn residual(&self, norm: Norm, x: Rows, y: Product) -> Rows {
        let slots = x.iter().count();
        let level = self.level;
        self.normed(slots, norm, move |slot, row| {
            let Some(x) = x.get(slot) else { return };
            row.resize(x.row.len(), 0.0);
            y.read(slot, 0, row);
            vector::add(level, row, &x.row);
        })
    }

    /// The inputs of all slots, put together for the kernels.
    fn inputs(&self, rows: &Rows) -> Vec<Arc<Activations>> {
        let Some(first) = rows.get(0) else { return Vec::new() };
        let slots = rows.iter().count();
        let together = |i: usize| {
            let mut x = Activations::new(first.row.len(), slots);
            for row in rows.iter() {
                let Input { values, sum, step } = &row.inputs[i];
                x.push(values, *sum, *step);
            }
            Arc::new(x)
        };
        (0..first.inputs.len()).map(together).collect()
    }
}

fn tokens(slots: &[Slot]) -> Vec<usize> {
    slots.iter().map(|slot| slot.token as usize).collect()
}

/// A row through a norm.
fn quantised(level: Level, row: &[f32], weight: &[f32], inverse_n: f32, eps: f32) -> Input {
    let mut values = vec![0; row.len()];
    let step = vector::norm(level, row, weight, inverse_n, eps, &mut values);
    Input { sum: vector::sum(level, &values), values, step }
}

/// What the linear layers behind a norm take of a row.
fn inputs_of(image: &Image, level: Level, norm: Norm, row: &[f32]) -> Vec<Input> {
    let n = row.len() as f32;
    let eps = image.config().norm_eps;
    let [no_attention_sub, no_ffn_sub] = image.header().identity_sub_norms;
    let (part, identity, projections): (Part, bool, &[Projection]) = match norm {
        Norm::Last => (Part::LastNorm, false, &[]),
        Norm::Layer(layer, at) => match at {
            LayerNorm::Attention => {
                (Part::Norm(layer, at), false, &[Projection::Q, Projection::K, Projection::V])
            }
            LayerNorm::AttentionSub => (Part::Norm(layer, at), no_attention_sub, &[Projection::O]),
            LayerNorm::Ffn => (Part::Norm(layer, at), false, &[Projection::Gate, Projection::Up]),
            LayerNorm::FfnSub => (Part::Norm(layer, at), no_ffn_sub, &[Projection::Down]),
        },
    };
    let own_eps = image.header().linear_norm_eps.filter(|_| !projections.is_empty());
    let weight = image.floats(part);
    let (Some(own_eps), Norm::Layer(layer, _)) = (own_eps, norm) else {
        return vec![quantised(level, row, weight, if identity { 0.0 } else { 1.0 / n }, eps)];
    };
    let mut row = row.to_vec();
    if !identity {
        vector::norm_alone(level, &mut row, weight, 1.0 / n, eps);
    }
    let mut inputs = Vec::with_capacity(projections.len());
    for &projection in projections {
        let weight = image.floats(Part::LinearNorm(layer, projection));
        inputs.push(quantised(level, &row, weight, 1.0 / n, own_eps));
    }
    inputs
}
