//! A small random model, devices that hold it, and requests drawn from a seed.
#![allow(dead_code, reason = "every test file uses a part")]

use std::sync::Arc;
use terntable_cpu::{
    image::{Image, ModelParts},
    model::Cpu,
};
use terntable_golden::{
    attention::KvFormat,
    gate::Gate,
    head::{Head, HeadMode},
    model::{Config, Golden, Layer, Model, Projection, Slot},
    rope::Rope,
    sample::{Penalties, Sampler, mix},
    ternary::Ternary,
};
use terntable_scheduler::{
    Answer, Client, Device, Event, Finish, FinishReason, Request, Sampling, Token,
    device::{CpuDevice, GoldenDevice},
};

/// A stream of random numbers.
pub struct Draw(pub u64);

impl Draw {
    pub fn next(&mut self) -> u64 {
        self.0 = mix(self.0);
        self.0
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn reals(&mut self, n: usize, middle: f32) -> Vec<f32> {
        (0..n).map(|_| middle + (self.next() as i32) as f32 / 2.0_f32.powi(31)).collect()
    }
}

/// Tokens of the small model's vocabulary.
pub const VOCAB: usize = 60;
/// Its context.
pub const CONTEXT: usize = 96;

/// The small model.
pub fn model() -> Arc<Model> {
    let mut draw = Draw(7);
    let config = Config {
        hidden: 32,
        intermediate: 48,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        head_dim: 8,
        vocab: VOCAB,
        context: CONTEXT,
        rope_theta: 1e4,
        norm_eps: 1e-5,
        gate: Gate::Relu2,
        kv: KvFormat::Int8,
    };
    let layers = (0..config.layers).map(|_| Layer {
        attention_norm: draw.reals(config.hidden, 1.0),
        attention_sub_norm: None,
        ffn_norm: draw.reals(config.hidden, 1.0),
        ffn_sub_norm: Some(draw.reals(config.intermediate, 1.0)),
        projections: Projection::ALL.map(|projection| {
            let (rows, cols) = config.shape(projection);
            let trits = (0..rows * cols).map(|_| draw.below(3) as i8 - 1).collect();
            Ternary::new(rows, cols, trits, 0.2).unwrap()
        }),
        linear_norms: None,
    });
    let layers = layers.collect();
    let embedding = draw.reals(config.vocab * config.hidden, 0.0);
    Arc::new(Model {
        layers,
        norm: draw.reals(config.hidden, 1.0),
        head: Head::new(config.vocab, config.hidden, &embedding).unwrap(),
        rope: Rope::new(config.head_dim, config.rope_theta, config.context),
        embedding,
        config,
    })
}

/// The golden model with memory for so many positions.
pub fn golden(model: &Arc<Model>, positions: usize) -> Box<dyn Device> {
    Box::new(GoldenDevice::new(model.clone(), HeadMode::TwoStage, positions))
}

/// The CPU path with memory for so many positions.
pub fn cpu(model: &Model, positions: usize, slots: usize) -> Box<dyn Device> {
    let image = Image::build(&mut ModelParts::new(model, "random"), &mut |_, _| {}).unwrap();
    let cpu = Cpu::new(Arc::new(image), 1).unwrap();
    Box::new(CpuDevice::new(cpu, HeadMode::TwoStage, positions).with_slots(slots))
}

/// A request of any kind; many share a beginning, some repeat themselves.
pub fn request(draw: &mut Draw) -> Request {
    let longest = [8, 30, 60][draw.below(3)];
    let length = 1 + draw.below(longest);
    let family = draw.below(4) as u64;
    let period = [1, 3, 7, 1000][draw.below(4)];
    let shared = if draw.one_in(2) { length } else { 0 };
    let token = |i: usize, own: u64| match i < shared {
        true => mix(family << 32 | i as u64) as u32 % VOCAB as u32,
        false => mix(own << 32 | (i % period) as u64) as u32 % VOCAB as u32,
    };
    let own = draw.next() >> 40;
    let greedy = draw.one_in(2);
    let penalised = draw.one_in(3);
    Request {
        prompt: (0..length).map(|i| token(i, own)).collect(),
        max_tokens: 1 + draw.below(40),
        sampling: Sampling {
            temperature: if greedy { 0.0 } else { 0.2 + draw.below(10) as f64 / 10.0 },
            top_k: draw.one_in(3).then(|| 1 + draw.below(20)),
            top_p: draw.one_in(3).then(|| 0.5 + draw.below(5) as f64 / 10.0),
            min_p: draw.one_in(3).then(|| draw.below(10) as f64 / 50.0),
            repetition_penalty: if penalised { 1.2 } else { 1.0 },
            presence_penalty: if penalised { draw.below(3) as f64 / 4.0 } else { 0.0 },
            frequency_penalty: if penalised { draw.below(3) as f64 / 4.0 } else { 0.0 },
        },
        seed: draw.next(),
        end_tokens: if draw.one_in(3) { vec![draw.below(VOCAB) as u32] } else { Vec::new() },
        logprobs: draw.one_in(4).then_some(3),
    }
}

/// The tokens of a request and why they end, token by token on the golden model, with nothing of the scheduler.
pub fn reference(model: &Model, golden: &Golden, request: &Request) -> (Vec<u32>, FinishReason) {
    let Sampling { temperature, top_k, top_p, min_p, .. } = request.sampling;
    let penalties = Penalties {
        repetition: request.sampling.repetition_penalty,
        presence: request.sampling.presence_penalty,
        frequency: request.sampling.frequency_penalty,
    };
    let mut sampler = Sampler::new(temperature, request.seed)
        .limited(top_k, top_p)
        .at_least(min_p)
        .penalised(penalties, &request.prompt);
    let mut sequence = [model.sequence()];
    let mut feed = |token: u32| {
        let position = sequence[0][0].len();
        let slot = Slot { sequence: 0, position, token };
        let outputs = model.pass(golden, &mut sequence, &[slot]).unwrap();
        model.head(golden, HeadMode::TwoStage, &outputs).remove(0)
    };
    let mut ranked = Vec::new();
    for &token in &request.prompt {
        ranked = feed(token);
    }
    let mut made = Vec::new();
    loop {
        let token = sampler.pick(&ranked);
        if request.end_tokens.contains(&token) {
            return (made, FinishReason::End);
        }
        made.push(token);
        if made.len() == request.max_tokens || request.prompt.len() + made.len() > CONTEXT {
            return (made, FinishReason::Length);
        }
        ranked = feed(token);
    }
}

/// Everything that an answer says, until its end.
pub fn collect(mut answer: Answer) -> (Vec<Token>, Finish) {
    let mut tokens = Vec::new();
    loop {
        match answer.events.blocking_recv() {
            Some(Event::Token(token)) => tokens.push(token),
            Some(Event::Finished(finish)) => return (tokens, finish),
            None => panic!("the answer stopped without an end, after {} tokens", tokens.len()),
        }
    }
}

/// A request's answer when nothing else is there.
pub fn alone(client: &Client, request: &Request) -> (Vec<Token>, Finish) {
    collect(client.submit(request.clone()).unwrap())
}
