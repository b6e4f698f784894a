//! The endpoints.

use crate::{
    answer::{streamed, whole},
    api::{
        Manner, Stop, StreamEvent,
        chat::{ChatCompletion, ChatRequest},
        completions::{Completion, CompletionRequest, Prompt},
        models::{Model, Models},
    },
    app::{App, Phase},
    ask::{Asked, Question},
    error::{ApiError, ErrorBody},
    forms::{AsChat, AsCompletion, Header},
    language::{Language, Turn},
    page,
};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::sync::Arc;
use terntable_scheduler::{Request as Work, Sampling};

type Shared = State<Arc<App>>;

/// Answer a conversation.
#[utoipa::path(
    post, path = "/v1/chat/completions", request_body = ChatRequest, security((), ("key" = [])),
    responses(
        (status = 200, description = "The answer; with `stream` events of ChatChunk, and [DONE]", content(
            (ChatCompletion = "application/json"), (StreamEvent = "text/event-stream")
        )),
        (status = "4XX", description = "The request is refused", body = ErrorBody),
        (status = "5XX", description = "The answer could not be made", body = ErrorBody)
    )
)]
pub async fn chat(State(app): Shared, request: Request<Body>) -> Result<Response, ApiError> {
    let request: ChatRequest = app.read("ChatRequest", request).await?;
    let model = model_of(&app, &request.manner)?;
    let place = app.place()?;
    let turns: Vec<Turn> = request.messages.iter().map(|message| message.turn()).collect();
    let prompt = app.with_language(move |language| language.conversation(&turns)).await?;
    let logprobs = request.logprobs.unwrap_or(false);
    let logprobs = logprobs.then_some(request.top_logprobs.unwrap_or(0));
    let most = request.max_completion_tokens.or(request.manner.max_tokens);
    let question = question(&app, vec![prompt], &request.manner, most, logprobs)?;
    let form = AsChat(Header::new(&app, "chatcmpl", model));
    let asked = Asked::submit(&app, question, place)?;
    answer(asked, form, &request.manner).await
}

/// Continue a text.
#[utoipa::path(
    post, path = "/v1/completions", request_body = CompletionRequest, security((), ("key" = [])),
    responses(
        (status = 200, description = "The text; with `stream` events of the same, and [DONE]", content(
            (Completion = "application/json"), (StreamEvent = "text/event-stream")
        )),
        (status = "4XX", description = "The request is refused", body = ErrorBody),
        (status = "5XX", description = "The answer could not be made", body = ErrorBody)
    )
)]
pub async fn completions(State(app): Shared, request: Request<Body>) -> Result<Response, ApiError> {
    let request: CompletionRequest = app.read("CompletionRequest", request).await?;
    let model = model_of(&app, &request.manner)?;
    let place = app.place()?;
    let prompt = request.prompt;
    let prompts = app.with_language(move |language| tokens(language, prompt)).await?;
    // As OpenAI has it: 16, where a request does not say.
    let most = request.manner.max_tokens.or(Some(16));
    let question = question(&app, prompts, &request.manner, most, request.logprobs)?;
    let form = AsCompletion(Header::new(&app, "cmpl", model));
    let asked = Asked::submit(&app, question, place)?;
    answer(asked, form, &request.manner).await
}

/// The models: one.
#[utoipa::path(
    get, path = "/v1/models", security((), ("key" = [])),
    responses(
        (status = 200, description = "The models", body = Models),
        (status = "4XX", description = "The request is refused", body = ErrorBody)
    )
)]
pub async fn models(State(app): Shared) -> Json<Models> {
    Json(Models { object: "list", data: vec![described(&app)] })
}

/// One model.
#[utoipa::path(
    get, path = "/v1/models/{model}", security((), ("key" = [])),
    params(("model" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The model", body = Model),
        (status = "4XX", description = "The request is refused", body = ErrorBody)
    )
)]
pub async fn model(State(app): Shared, Path(name): Path<String>) -> Result<Json<Model>, ApiError> {
    named(&app, &name)?;
    Ok(Json(described(&app)))
}

/// Whether the server takes requests.
#[utoipa::path(
    get, path = "/health",
    responses(
        (status = 200, description = "It does", body = serde_json::Value),
        (status = 503, description = "It is shutting down, or no device is left", body = ErrorBody)
    )
)]
pub async fn health(State(app): Shared) -> Result<Json<serde_json::Value>, ApiError> {
    if *app.phase.borrow() != Phase::Open {
        return Err(ApiError::closing());
    }
    if !app.client.status().devices.iter().any(|device| device.up) {
        let text = "no device is left; look at /status, and start the server again";
        return Err(ApiError::refused(StatusCode::SERVICE_UNAVAILABLE, "no_device", text));
    }
    Ok(Json(json!({"status": "ok"})))
}

/// Counters and times, for Prometheus.
#[utoipa::path(
    get, path = "/metrics",
    responses((status = 200, description = "OpenMetrics", body = String, content_type = "application/openmetrics-text"))
)]
pub async fn metrics(State(app): Shared) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.metrics.text(&app.client.status())).into_response()
}

/// The server, the scheduler and its devices, as the page shows them.
#[utoipa::path(
    get, path = "/status", security((), ("key" = [])),
    responses(
        (status = 200, description = "All of it", body = serde_json::Value),
        (status = "4XX", description = "The request is refused", body = ErrorBody)
    )
)]
pub async fn status(State(app): Shared) -> Json<serde_json::Value> {
    let in_work = app.options.max_requests - app.places.available_permits();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "model": app.language.name(),
        "context": app.language.context(),
        "started": app.started,
        "requests": {"in_work": in_work, "most": app.options.max_requests},
        "scheduler": app.client.status(),
    }))
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json",
    responses((status = 200, description = "OpenAPI", body = serde_json::Value))
)]
pub async fn openapi(State(app): Shared) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], app.document.text().to_string()).into_response()
}

/// The page, and what belongs to it.
pub async fn page(request: Request<Body>) -> Response {
    page::file(request.uri().path())
}

fn described(app: &App) -> Model {
    Model {
        id: app.language.name().into(),
        object: "model",
        created: app.started,
        owned_by: "terntable",
        max_model_len: app.language.context(),
        vocab_size: app.language.vocab(),
    }
}

/// The name that a request uses, if it is the model's.
fn model_of(app: &App, manner: &Manner) -> Result<String, ApiError> {
    let name = manner.model.as_deref().unwrap_or(app.language.name());
    named(app, name).map(|()| name.into())
}

fn named(app: &App, name: &str) -> Result<(), ApiError> {
    let served = app.language.name();
    if name == served {
        return Ok(());
    }
    let text = format!("The model '{name}' does not exist; this server has '{served}'");
    Err(ApiError::refused(StatusCode::NOT_FOUND, "model_not_found", text).at("model"))
}

/// The tokens of prompts.
fn tokens(language: &dyn Language, prompt: Prompt) -> Result<Vec<Vec<u32>>, String> {
    match prompt {
        Prompt::Text(text) => Ok(vec![language.encode(&text)?]),
        Prompt::Texts(texts) => texts.iter().map(|text| language.encode(text)).collect(),
        Prompt::Tokens(tokens) => Ok(vec![tokens]),
        Prompt::Lists(lists) => Ok(lists),
    }
}

/// What to ask the scheduler. `most` tokens, or as many as the context holds.
fn question(
    app: &App,
    prompts: Vec<Vec<u32>>,
    manner: &Manner,
    most: Option<usize>,
    logprobs: Option<usize>,
) -> Result<Question, ApiError> {
    let context = app.language.context();
    if let Some(long) = prompts.iter().map(Vec::len).find(|&length| length > context) {
        let text = format!(
            "This model's maximum context length is {context} tokens; the prompt has {long}. Please shorten it."
        );
        return Err(ApiError::invalid(text).at("prompt").named("context_length_exceeded"));
    }
    let usual = app.language.usual();
    let sampling = Sampling {
        temperature: manner.temperature.unwrap_or(usual.temperature),
        // 0 asks for no limit.
        top_k: manner.top_k.or(usual.top_k).filter(|&k| k > 0),
        top_p: manner.top_p.or(usual.top_p),
        min_p: manner.min_p,
        repetition_penalty: manner.repetition_penalty.unwrap_or(1.0),
        presence_penalty: manner.presence_penalty.unwrap_or(0.0),
        frequency_penalty: manner.frequency_penalty.unwrap_or(0.0),
    };
    let end_tokens = match manner.ignore_eos {
        Some(true) => Vec::new(),
        _ => app.language.end_tokens().to_vec(),
    };
    let stops = match manner.stop.clone() {
        Some(Stop::One(one)) => vec![one],
        Some(Stop::Some(some)) => some,
        None => Vec::new(),
    };
    let request = Work {
        prompt: Vec::new(),
        max_tokens: most.unwrap_or(context).min(context),
        sampling,
        seed: manner.seed.as_ref().map_or_else(|| app.random(), seed),
        end_tokens,
        logprobs,
    };
    Ok(Question { prompts, choices: manner.n.unwrap_or(1), request, stops })
}

/// Any whole number as a seed.
fn seed(number: &serde_json::Number) -> u64 {
    let signed = number.as_i64().map(|seed| seed as u64);
    signed.or(number.as_u64()).unwrap_or_else(|| number.as_f64().unwrap_or_default().to_bits())
}

async fn answer<F: crate::answer::Form + Sync>(
    asked: Asked,
    form: F,
    manner: &Manner,
) -> Result<Response, ApiError> {
    if manner.stream != Some(true) {
        return whole(asked, &form).await;
    }
    let options = manner.stream_options.clone().unwrap_or_default();
    Ok(streamed(asked, form, options.include_usage == Some(true)))
}
