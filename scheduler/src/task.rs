//! A request on its way.

use crate::{
    draft::Drafter,
    request::{Event, Finish, FinishReason, Request, Token, Usage},
    snapshot::Snapshot,
};
use terntable_golden::{head::Candidate, sample::Sampler};
use tokio::sync::mpsc::UnboundedSender;

/// A request, what was made of it so far, and who listens.
#[derive(Debug)]
pub(crate) struct Task {
    pub request: Request,
    /// The prompt and what was made.
    pub tokens: Vec<u32>,
    pub usage: Usage,
    /// Its keys and values, while no device has them.
    pub snapshot: Option<Snapshot>,
    /// The pass of its device that served it last.
    pub served: u64,
    /// It has been on a device before; what the prefix cache gives from now on is its own.
    pub seated: bool,
    pub drafter: Drafter,
    sampler: Sampler,
    events: UnboundedSender<Event>,
}

impl Task {
    pub fn new(request: Request, events: UnboundedSender<Event>) -> Self {
        let usage = Usage { prompt_tokens: request.prompt.len(), ..Usage::default() };
        Self {
            tokens: request.prompt.clone(),
            sampler: request.sampler(),
            usage,
            snapshot: None,
            served: 0,
            seated: false,
            drafter: Drafter::new(),
            request,
            events,
        }
    }

    /// Nobody listens any more.
    pub fn abandoned(&self) -> bool {
        self.events.is_closed()
    }

    /// Whether a sequence of `length` positions lacks only the token that was made last.
    pub fn decodes(&self, length: usize) -> bool {
        self.usage.completion_tokens > 0 && length + 1 == self.tokens.len()
    }

    /// Tokens that may still be made.
    pub fn left(&self, context: usize) -> usize {
        let room = (context + 1).saturating_sub(self.tokens.len());
        (self.request.max_tokens - self.usage.completion_tokens).min(room)
    }

    /// Draws the next token and tells it; says why that was the last, if it was.
    pub fn draw(&mut self, ranked: &[Candidate], context: usize) -> Option<FinishReason> {
        let id = self.sampler.pick(ranked);
        if self.request.end_tokens.contains(&id) {
            return Some(FinishReason::End);
        }
        self.tokens.push(id);
        self.usage.completion_tokens += 1;
        let token = match self.request.logprobs {
            None => Token { id, logprob: None, top: Vec::new() },
            Some(top) => with_logprobs(id, ranked, top),
        };
        // A gone listener is noticed at the next pass.
        let _ = self.events.send(Event::Token(token));
        (self.left(context) == 0).then_some(FinishReason::Length)
    }

    /// Tells the end.
    pub fn finish(self, reason: FinishReason) {
        let _ = self.events.send(Event::Finished(Finish { reason, usage: self.usage }));
    }
}

/// A token with log-probabilities among the ranked candidates.
fn with_logprobs(id: u32, ranked: &[Candidate], top: usize) -> Token {
    let best = f64::from(ranked[0].logit);
    let mass: f64 = ranked.iter().map(|c| libm::exp(f64::from(c.logit) - best)).sum();
    let logprob = |c: &Candidate| (f64::from(c.logit) - best - libm::log(mass)) as f32;
    let drawn = ranked.iter().find(|c| c.token == id);
    let top = ranked.iter().take(top).map(|c| (c.token, logprob(c))).collect();
    Token { id, logprob: drawn.map(logprob), top }
}
