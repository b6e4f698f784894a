//! An OpenAI-compatible server over the scheduler.
//!
//! ```text
//! connection -> routes -> check against the OpenAPI document -> tokens -> scheduler
//!                                                                            |
//! client <- events or one body <- form of the endpoint <- pieces of text <---+
//! ```
//!
//! A request has a place from when it was read until its last byte was taken; places, bodies, times and
//! connections are bounded. A client that goes away drops its answers, which cancels them.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod answer;
mod api;
mod app;
mod ask;
mod auth;
mod connections;
mod error;
mod forms;
mod handlers;
mod language;
mod metrics;
mod openapi;
mod page;
mod routes;
mod stops;

pub use error::Error;
pub use language::{Language, Text, Turn, Usual};

use app::{App, Phase};
use connections::Connections;
use std::{future::Future, sync::Arc, time::Duration};
use terntable_scheduler::Service;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::spawn_blocking,
    time::{Instant, timeout, timeout_at},
};

/// How long ended requests may take to leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// Limits of a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Keys that open it; none means that anybody may ask.
    pub api_keys: Vec<String>,
    /// Most requests in work at a time; more get 429.
    pub max_requests: usize,
    /// Most bytes of a body; more get 413.
    pub body_bytes: usize,
    /// The longest that a request may take.
    pub request_time: Duration,
    /// The longest that a client may leave its answer lying.
    pub write_time: Duration,
    /// How long requests may go on when the server is told to stop.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            api_keys: Vec::new(),
            max_requests: 256,
            body_bytes: 1 << 20,
            request_time: Duration::from_secs(600),
            write_time: Duration::from_secs(30),
            patience: Duration::from_secs(30),
        }
    }
}

/// Serves until `stop`. Then new requests get 503; those in work may finish within the patience, and are ended
/// with an error after it.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    language: Arc<dyn Language>,
    options: Options,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let (phase, seen) = watch::channel(Phase::Open);
    let Options { max_requests, patience, write_time, .. } = options;
    let app = Arc::new(App::new(service.client(), language, options, seen)?);
    // A connection for every place, and some for those who look.
    let connections = Connections::new(2 * max_requests + 64, write_time);
    let mut serving = Box::pin(connections.accept(listener, routes::routes(app.clone())));
    tokio::select! {
        () = &mut serving => {}
        () = stop => {}
    }
    tracing::info!(patience_s = patience.as_secs_f64(), "shutting down");
    phase.send_replace(Phase::Closing);
    let deadline = Instant::now() + patience;
    let all_places = || app.places.acquire_many(max_requests as u32);
    let drained = tokio::select! {
        () = &mut serving => false,
        drained = timeout_at(deadline, all_places()) => drained.is_ok(),
    };
    phase.send_replace(Phase::Ending);
    if !drained {
        tracing::warn!("patience is over: ending what still runs");
        tokio::select! {
            () = &mut serving => {}
            _ = timeout(FAREWELL, all_places()) => {}
        }
    }
    drop(serving);
    connections.close(FAREWELL).await;
    let stopped = spawn_blocking(move || service.shutdown(FAREWELL)).await;
    tracing::info!(in_order = drained && stopped.is_ok(), "shut down");
    Ok(())
}
