//! Which path leads where, and what is done for all of them.

use crate::{
    app::{App, Phase},
    auth,
    error::ApiError,
    handlers, page,
};
use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, State},
    http::{HeaderValue, Request, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use std::{sync::Arc, time::Instant};

/// All paths.
pub fn routes(app: Arc<App>) -> Router {
    let guarded = Router::new()
        .route("/v1/chat/completions", post(handlers::chat))
        .route("/v1/completions", post(handlers::completions))
        .route("/v1/models", get(handlers::models))
        .route("/v1/models/{*model}", get(handlers::model))
        .route("/status", get(handlers::status))
        .route_layer(from_fn_with_state(app.clone(), auth::guard));
    let open = Router::new()
        .route("/health", get(handlers::health))
        .route("/metrics", get(handlers::metrics))
        .route("/openapi.json", get(handlers::openapi));
    let open = page::PATHS.iter().fold(open, |open, path| open.route(path, get(handlers::page)));
    open.merge(guarded)
        .method_not_allowed_fallback(|| async {
            let text = "this path does not take this method; /openapi.json says which it takes";
            ApiError::refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text)
        })
        .fallback(|| async {
            let text = "no such path; /openapi.json lists them";
            ApiError::refused(StatusCode::NOT_FOUND, "unknown_url", text)
        })
        .layer(from_fn_with_state(app.clone(), noted))
        .with_state(app)
}

/// Counts and logs a response. A server that closes keeps no connection.
async fn noted(State(app): State<Arc<App>>, request: Request<Body>, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or("other".to_string(), |path| path.as_str().to_string());
    let mut response = next.run(request).await.into_response();
    let status = response.status().as_u16();
    app.metrics.response(&path, status);
    let seconds = began.elapsed().as_secs_f64();
    tracing::debug!(%method, path, status, seconds, "response");
    if *app.phase.borrow() != Phase::Open {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
