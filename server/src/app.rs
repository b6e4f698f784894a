//! What every handler shares.

use crate::{
    Options, api,
    auth::Keys,
    error::{ApiError, Error},
    language::Language,
    metrics::Metrics,
    openapi::Document,
};
use axum::{
    body::{Body, HttpBody},
    http::{Request, StatusCode, header},
};
use serde::de::DeserializeOwned;
use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use terntable_scheduler::Client;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::spawn_blocking,
    time::timeout,
};

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// How far the server is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Takes requests.
    Open,
    /// Takes no more, finishes those that run.
    Closing,
    /// Ends those that still run.
    Ending,
}

/// What every handler shares.
pub struct App {
    pub(crate) client: Client,
    pub(crate) language: Arc<dyn Language>,
    pub(crate) options: Options,
    pub(crate) document: Document,
    pub(crate) metrics: Metrics,
    pub(crate) keys: Keys,
    pub(crate) phase: watch::Receiver<Phase>,
    /// One permit a request that may be in work.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) started: u64,
    random: RandomState,
    count: AtomicU64,
}

impl App {
    pub(crate) fn new(
        client: Client,
        language: Arc<dyn Language>,
        options: Options,
        phase: watch::Receiver<Phase>,
    ) -> Result<Self, Error> {
        Ok(Self {
            client,
            document: Document::new(&*language)?,
            keys: Keys::new(&options.api_keys),
            metrics: Metrics::new(),
            places: Arc::new(Semaphore::new(options.max_requests)),
            phase,
            language,
            options,
            started: now(),
            random: RandomState::new(),
            count: AtomicU64::new(0),
        })
    }

    /// A place for a request: at most `max_requests` are in work at a time, and none when the server closes.
    pub fn place(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        if *self.phase.borrow() != Phase::Open {
            return Err(ApiError::closing());
        }
        let place = self.places.clone().try_acquire_owned();
        place.map_err(|_| ApiError::full(Duration::from_secs(1)))
    }

    /// 64 bits that nobody knows before.
    pub fn random(&self) -> u64 {
        self.random.hash_one(self.count.fetch_add(1, Relaxed))
    }

    /// Reads a body that fits a schema of the document.
    pub async fn read<T: DeserializeOwned>(
        &self,
        schema: &str,
        request: Request<Body>,
    ) -> Result<T, ApiError> {
        let kind =
            request.headers().get(header::CONTENT_TYPE).map_or("", |v| v.to_str().unwrap_or("?"));
        if !kind
            .split(';')
            .next()
            .is_some_and(|k| k.trim().eq_ignore_ascii_case("application/json"))
        {
            let text = format!("the body has the type {kind:?}; expected application/json");
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(ApiError::refused(status, "unsupported_media_type", text));
        }
        let limit = self.options.body_bytes;
        let long = || {
            let text = format!("the body has more than {limit} bytes, the most that is read");
            ApiError::refused(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", text)
        };
        let body = request.into_body();
        if body.size_hint().lower() > limit as u64 {
            return Err(long());
        }
        let body = timeout(BODY_TIME, axum::body::to_bytes(body, limit)).await;
        let body = body.map_err(|_| {
            let text = format!("the body was not there after {} s", BODY_TIME.as_secs());
            ApiError::refused(StatusCode::REQUEST_TIMEOUT, "timeout", text)
        })?;
        let body = body.map_err(|e| match is_length(&e) {
            true => long(),
            false => ApiError::invalid(format!("the body cannot be read: {e}")),
        })?;
        let mut value: serde_json::Value = serde_json::from_slice(&body)
            .map_err(|e| ApiError::invalid(format!("the body is not JSON: {e}")))?;
        api::take_neutral(&mut value).map_err(|name| {
            let text = format!("Unsupported parameter: '{name}' is not served here; leave it out");
            ApiError::invalid(text).at(name).named("unsupported_parameter")
        })?;
        api::make_whole(&mut value);
        self.document.check(schema, &value)?;
        serde_json::from_value(value)
            .map_err(|e| ApiError::invalid(format!("the body does not fit: {e}")))
    }

    /// Runs work on the model's language where it holds up no other request.
    pub async fn with_language<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Language) -> Result<T, String> + Send + 'static,
    ) -> Result<T, ApiError> {
        let language = self.language.clone();
        let done = spawn_blocking(move || work(&*language)).await;
        done.map_err(|_| ApiError::failed("the tokenizer broke"))?.map_err(ApiError::invalid)
    }
}

/// Whether a body was refused for its length.
fn is_length(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(e) = cause {
        if e.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = e.source();
    }
    false
}

/// Seconds of Unix time.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
