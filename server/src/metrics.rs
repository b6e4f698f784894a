//! What Prometheus reads, and what the log says of every request.

use crate::error::ApiError;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use std::{sync::atomic::AtomicU64, time::Instant};
use terntable_scheduler::{RequestId, Status, Usage, status::Pages};

/// Responses are counted by what was asked and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    path: String,
    status: u16,
}

/// Tokens are counted by where they came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

/// Counters and histograms of this server.
pub struct Metrics {
    registry: Registry,
    responses: Family<Labels, Counter>,
    tokens: Family<Kind, Counter>,
    times: Times,
    scheduler: Family<Kind, Gauge<f64, AtomicU64>>,
}

/// Times of answers, seconds.
#[derive(Clone)]
struct Times {
    first_token: Histogram,
    between_tokens: Histogram,
    request: Histogram,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("terntable");
        let responses = Family::default();
        registry.register("responses", "Responses by path and status", responses.clone());
        let tokens = Family::default();
        registry.register(
            "tokens",
            "Tokens of finished answers: of prompts, of those from the cache, made",
            tokens.clone(),
        );
        // From 0.5 ms to 131 s.
        let times = || Histogram::new(exponential_buckets(0.0005, 2.0, 19));
        let times = Times { first_token: times(), between_tokens: times(), request: times() };
        for (name, help, histogram) in [
            ("first_token", "From a request to its first token", &times.first_token),
            ("between_tokens", "From a token to the next", &times.between_tokens),
            ("request", "From a request to the end of its answer", &times.request),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        }
        let scheduler = Family::default();
        registry.register(
            "scheduler",
            "What the scheduler counts; /status has the same with its devices",
            scheduler.clone(),
        );
        Self { registry, responses, tokens, times, scheduler }
    }

    /// Counts a response.
    pub fn response(&self, path: &str, status: u16) {
        self.responses.get_or_create(&Labels { path: path.into(), status }).inc();
    }

    /// Everything as text (OpenMetrics), with a look at the scheduler.
    pub fn text(&self, status: &Status) -> String {
        for (kind, value) in counts(status) {
            self.scheduler.get_or_create(&Kind { kind }).set(value);
        }
        let mut text = String::new();
        // Only the text's own writer could fail, and it does not.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Begins to time a request.
    pub fn record(&self) -> Record {
        let now = Instant::now();
        Record {
            times: self.times.clone(),
            tokens: self.tokens.clone(),
            began: now,
            first: None,
            last: now,
            ids: Vec::new(),
            used: Usage::default(),
            outcome: "cancelled",
        }
    }
}

/// The scheduler's counts by name.
fn counts(status: &Status) -> [(&'static str, f64); 17] {
    let pages = |of: fn(&Pages) -> usize| -> f64 {
        status.devices.iter().map(|device| of(&device.pages) as f64).sum()
    };
    [
        ("devices_up", status.devices.iter().filter(|device| device.up).count() as f64),
        ("queued", status.queued as f64),
        ("running", status.running as f64),
        ("passes", status.passes as f64),
        ("prompt_tokens", status.prompt_tokens as f64),
        ("completion_tokens", status.completion_tokens as f64),
        ("prefix_hits", status.prefix_hits as f64),
        ("prefix_tokens", status.prefix_tokens as f64),
        ("drafts_proposed", status.drafts_proposed as f64),
        ("drafts_accepted", status.drafts_accepted as f64),
        ("failovers", status.failovers as f64),
        ("preemptions", status.preemptions as f64),
        ("slots", status.slots as f64),
        ("bubbles", status.bubbles as f64),
        ("pages_used", pages(|pages| pages.used)),
        ("pages_cached", pages(|pages| pages.cached)),
        ("pages_budget", pages(|pages| pages.budget)),
    ]
}

/// The times of one request. Logged when it is dropped.
pub struct Record {
    times: Times,
    tokens: Family<Kind, Counter>,
    began: Instant,
    first: Option<f64>,
    last: Instant,
    ids: Vec<RequestId>,
    used: Usage,
    outcome: &'static str,
}

impl Record {
    /// The scheduler has taken it.
    pub fn submitted(&mut self, ids: Vec<RequestId>) {
        self.ids = ids;
    }

    /// A token came; `first` of its answer.
    pub fn token(&mut self, first: bool) {
        let now = Instant::now();
        let since = |then: Instant| now.duration_since(then).as_secs_f64();
        if first {
            self.first.get_or_insert(since(self.began));
            self.times.first_token.observe(since(self.began));
        } else {
            self.times.between_tokens.observe(since(self.last));
        }
        self.last = now;
    }

    /// An answer ended by itself.
    pub fn finished(&mut self, used: &Usage, reason: &'static str) {
        self.outcome = reason;
        self.used.prompt_tokens += used.prompt_tokens;
        self.used.cached_tokens += used.cached_tokens;
        self.used.completion_tokens += used.completion_tokens;
    }

    /// The request failed.
    pub fn failed(&mut self, error: &ApiError) {
        self.outcome = "failed";
        tracing::warn!(ids = ?self.ids, status = error.status().as_u16(), "{}", error.message());
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Usage { prompt_tokens, cached_tokens, completion_tokens } = self.used;
        for (kind, count) in
            [("prompt", prompt_tokens), ("cached", cached_tokens), ("made", completion_tokens)]
        {
            self.tokens.get_or_create(&Kind { kind }).inc_by(count as u64);
        }
        if self.ids.is_empty() {
            return;
        }
        let seconds = self.began.elapsed().as_secs_f64();
        self.times.request.observe(seconds);
        tracing::info!(
            ids = ?self.ids.iter().map(|id| id.0).collect::<Vec<_>>(),
            outcome = self.outcome,
            prompt_tokens,
            cached_tokens,
            completion_tokens,
            first_token_s = self.first,
            seconds,
            "answer"
        );
    }
}
