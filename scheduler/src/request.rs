//! What is asked of the scheduler, and what comes back.

use serde::Serialize;
use std::time::Duration;
use terntable_golden::{
    model::Config,
    sample::{Penalties, Sampler},
};
use thiserror::Error;
use tokio::sync::mpsc::UnboundedReceiver;

/// A text to continue, as tokens.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// What to continue; at least one token.
    pub prompt: Vec<u32>,
    /// Most tokens to make; a full context ends the answer earlier.
    pub max_tokens: usize,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Seed of the draws.
    pub seed: u64,
    /// Tokens that end the answer. They are not part of it.
    pub end_tokens: Vec<u32>,
    /// Report log-probabilities, and so many alternatives with each.
    pub logprobs: Option<usize>,
}

/// How tokens are drawn; by default the likeliest, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 is greedy.
    pub temperature: f64,
    /// Only so many of the likeliest tokens.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together have this probability.
    pub top_p: Option<f64>,
    /// Only tokens that are at least so probable, as a share of the likeliest's probability.
    pub min_p: Option<f64>,
    /// Divides positive logits, and multiplies negative ones, of tokens in prompt or answer; 1 is none.
    pub repetition_penalty: f64,
    /// Taken from the logits of tokens in the answer.
    pub presence_penalty: f64,
    /// Taken from the logits of tokens in the answer, as often as they are there.
    pub frequency_penalty: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: None,
            top_p: None,
            min_p: None,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
        }
    }
}

impl Sampling {
    /// What no sampler can do, by name.
    fn check(&self) -> Result<(), String> {
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let rules = [
            ("temperature", self.temperature, self.temperature >= 0.0, "a number from 0 on"),
            ("top_p", self.top_p.unwrap_or(1.0), self.top_p.is_none_or(share), "0 to 1"),
            ("min_p", self.min_p.unwrap_or(0.0), self.min_p.is_none_or(share), "0 to 1"),
            (
                "repetition_penalty",
                self.repetition_penalty,
                self.repetition_penalty > 0.0,
                "a number above 0, 1 for none",
            ),
            ("presence_penalty", self.presence_penalty, true, "a number"),
            ("frequency_penalty", self.frequency_penalty, true, "a number"),
        ];
        match rules.iter().find(|(_, value, fine, _)| !(value.is_finite() && *fine)) {
            Some((name, value, _, expected)) => {
                Err(format!("{name} is {value}; expected {expected}"))
            }
            None => Ok(()),
        }
    }
}

impl Request {
    /// Refuses what a model of this configuration cannot serve.
    pub(crate) fn check(&self, config: &Config) -> Result<(), String> {
        self.sampling.check()?;
        let (vocab, context) = (config.vocab, config.context);
        if self.prompt.is_empty() {
            return Err("the prompt is empty; expected at least one token to continue".into());
        }
        if self.prompt.len() > context {
            return Err(format!(
                "the prompt has {} tokens; the model's context holds {context}: shorten the prompt",
                self.prompt.len()
            ));
        }
        match self.prompt.iter().find(|token| **token as usize >= vocab) {
            Some(&token) => Err(terntable_golden::Error::Token { token, vocab }.to_string()),
            None => Ok(()),
        }
    }

    /// A sampler of its own, which has seen the prompt.
    pub(crate) fn sampler(&self) -> Sampler {
        let Sampling { temperature, top_k, top_p, min_p, .. } = self.sampling;
        let penalties = Penalties {
            repetition: self.sampling.repetition_penalty,
            presence: self.sampling.presence_penalty,
            frequency: self.sampling.frequency_penalty,
        };
        Sampler::new(temperature, self.seed)
            .limited(top_k, top_p)
            .at_least(min_p)
            .penalised(penalties, &self.prompt)
    }
}

/// Names a request for as long as the service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RequestId(pub u64);

/// A made token.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The token.
    pub id: u32,
    /// Natural logarithm of its probability among the candidates that the head ranks, before
    /// temperature, limits and penalties; if asked for.
    pub logprob: Option<f32>,
    /// The likeliest tokens with theirs, as many as were asked for.
    pub top: Vec<(u32, f32)>,
}

/// What happens to a request. The last event is [`Event::Finished`].
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A token was made.
    Token(Token),
    /// Nothing more comes.
    Finished(Finish),
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// Why.
    pub reason: FinishReason,
    /// What it took.
    pub usage: Usage,
}

/// Why a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    /// An end token was drawn.
    End,
    /// `max_tokens` were made, or the context is full.
    Length,
    /// The service was shut down, or nobody listens any more.
    Cancelled,
    /// No device could go on; expected, found, remedy.
    Failed(String),
}

/// Tokens of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Of the prompt.
    pub prompt_tokens: usize,
    /// Of those, taken from the prefix cache.
    pub cached_tokens: usize,
    /// Made.
    pub completion_tokens: usize,
}

/// The events of a request. Dropping it cancels the request at the next pass.
#[derive(Debug)]
pub struct Answer {
    /// The request.
    pub id: RequestId,
    /// Its events: at most one a token, and the end.
    pub events: UnboundedReceiver<Event>,
}

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Refusal {
    /// The queue is full.
    #[error("all places of the queue are taken; try again in {:.1} s", retry_after.as_secs_f64())]
    Full {
        /// When a place should be free, at the present rate.
        retry_after: Duration,
    },
    /// The request cannot be served by this model; expected, found, remedy.
    #[error("{0}")]
    Invalid(String),
    /// The service shuts down, or no device is left.
    #[error(
        "the service takes no more requests: it is shutting down, or all of its devices failed"
    )]
    Closed,
}
