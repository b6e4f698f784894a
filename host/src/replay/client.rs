//! The clients of a replay: each request is sent when the trace says, whatever became of those before it.

use super::trace::{Arrival, Trace};
use crate::Error;
use reqwest::Client;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

/// A server to ask.
#[derive(Debug, Clone)]
pub struct Target {
    client: Client,
    url: String,
    key: Option<String>,
    /// Its model.
    pub model: String,
    /// Longest context, tokens; where it says.
    pub context: Option<usize>,
    /// Tokens of the vocabulary; where it says.
    pub vocab: Option<usize>,
}

/// What became of a request. Times in seconds, from when it was to be sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// How late it was sent.
    pub late_s: f64,
    /// When its first token came.
    pub first_s: Option<f64>,
    /// From each token to the next.
    pub gaps_s: Vec<f64>,
    /// When it ended.
    pub end_s: f64,
    /// Tokens of its prompt.
    pub prompt_tokens: usize,
    /// Tokens of its answer.
    pub output_tokens: usize,
    /// Why it was not answered to its end.
    pub error: Option<String>,
}

impl Target {
    /// Asks a server for its model.
    pub async fn open(url: &str, key: Option<String>) -> Result<Self, Error> {
        let client = Client::builder()
            .no_proxy()
            .build()
            .map_err(|e| Error::Input(format!("cannot make a client: {e}")))?;
        let url = url.trim_end_matches('/').trim_end_matches("/v1").to_string();
        let none = Self { client, url, key, model: String::new(), context: None, vocab: None };
        let models = none.get("/v1/models").await?;
        let model = &models["data"][0];
        let size = |field: &str| model[field].as_u64().map(|n| n as usize);
        let name = model["id"].as_str().ok_or_else(|| {
            Error::Input(format!(
                "{}/v1/models names no model; is it an OpenAI-compatible server?",
                none.url
            ))
        })?;
        let (name, context, vocab) = (name.to_string(), size("max_model_len"), size("vocab_size"));
        Ok(Self { model: name, context, vocab, ..none })
    }

    /// Slots of passes so far, and those of them that stayed empty while requests waited; where it says.
    pub async fn slots(&self) -> Option<(u64, u64)> {
        let status = self.get("/status").await.ok()?;
        let of = |field: &str| status["scheduler"][field].as_u64();
        Some((of("slots")?, of("bubbles")?))
    }

    async fn get(&self, path: &str) -> Result<Value, Error> {
        let url = format!("{}{path}", self.url);
        let wrong = |e: &dyn std::fmt::Display| {
            Error::Input(format!("cannot ask {url}: {e}; is a server listening there (http only)?"))
        };
        let response = self.with_key(self.client.get(&url)).send().await.map_err(|e| wrong(&e))?;
        let response = response.error_for_status().map_err(|e| wrong(&e))?;
        response.json().await.map_err(|e| wrong(&e))
    }

    fn with_key(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends a request at its time and follows the answer.
    async fn ask(
        &self,
        arrival: &Arrival,
        prompt: Vec<u32>,
        due: Instant,
        limit: Duration,
    ) -> Outcome {
        sleep_until(due).await;
        let mut outcome = Outcome { late_s: due.elapsed().as_secs_f64(), ..Outcome::default() };
        let body = json!({
            "model": self.model, "prompt": prompt, "max_tokens": arrival.output_tokens, "ignore_eos": true,
            "temperature": 0, "stream": true, "stream_options": {"include_usage": true},
        });
        let followed = timeout_at(due + limit, self.follow(&body, due, &mut outcome)).await;
        outcome.error = match followed {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some(format!("no end within {} s", limit.as_secs())),
        };
        outcome.end_s = due.elapsed().as_secs_f64();
        outcome
    }

    async fn follow(
        &self,
        body: &Value,
        due: Instant,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let request = self.with_key(self.client.post(format!("{}/v1/completions", self.url)));
        let mut response = request.json(body).send().await.map_err(|e| e.to_string())?;
        if !response.status().is_success() {
            return Err(response.status().to_string());
        }
        let (mut rest, mut last) = (Vec::new(), None);
        while let Some(bytes) = response.chunk().await.map_err(|e| e.to_string())? {
            rest.extend(bytes);
            let now = due.elapsed().as_secs_f64();
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let Some(data) = line.strip_prefix(b"data: ") else { continue };
                if data.starts_with(b"[DONE]") {
                    return Ok(());
                }
                let event: Value = serde_json::from_slice(data).map_err(|e| e.to_string())?;
                if let Some(error) = event["error"]["message"].as_str() {
                    return Err(error.into());
                }
                if let Some(usage) = event["usage"].as_object() {
                    let of = |field: &str| usage[field].as_u64().unwrap_or(0) as usize;
                    outcome.prompt_tokens = of("prompt_tokens");
                    outcome.output_tokens = of("completion_tokens");
                }
                // An event without an end is a token.
                if event["choices"][0]["finish_reason"].is_null() && event["choices"][0].is_object()
                {
                    match last.replace(now) {
                        None => outcome.first_s = Some(now),
                        Some(before) => outcome.gaps_s.push(now - before),
                    }
                }
            }
        }
        Err("the stream ended without [DONE]".into())
    }
}

/// Replays a trace. A request may take `limit`; `progress` hears how many have ended.
pub async fn replay(
    target: &Target,
    trace: &Trace,
    vocab: usize,
    limit: Duration,
    mut progress: impl FnMut(usize),
) -> Vec<Outcome> {
    // Time to prepare the first ones.
    let start = Instant::now() + Duration::from_millis(50);
    let mut running = JoinSet::new();
    for (number, arrival) in trace.arrivals.iter().cloned().enumerate() {
        let (target, due) = (target.clone(), start + Duration::from_secs_f64(arrival.arrival_s));
        running.spawn(async move {
            let prompt = arrival.prompt(number as u64, vocab);
            (number, target.ask(&arrival, prompt, due, limit).await)
        });
    }
    let mut outcomes = vec![Outcome::default(); trace.arrivals.len()];
    let mut ended = 0;
    while let Some(result) = running.join_next().await {
        ended += 1;
        progress(ended);
        if let Ok((number, outcome)) = result {
            outcomes[number] = outcome;
        }
    }
    outcomes
}
