//! Refusals and failures, in OpenAI's form.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Why the server could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; give another address with --listen")]
    Listen {
        /// The address.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The OpenAPI document does not fit its own schemas.
    #[error("the OpenAPI document is wrong: {0}")]
    Document(String),
}

/// An error as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    detail: Detail,
    retry_after: Option<Duration>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Detail {
    /// Expected, found, remedy.
    pub message: String,
    /// The kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The field of the request that is wrong.
    pub param: Option<String>,
    /// The error's name, for programs.
    pub code: Option<String>,
}

/// The body of an error.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What is wrong.
    pub error: Detail,
}

impl ApiError {
    fn new(status: StatusCode, kind: &str, code: Option<&str>, message: impl Into<String>) -> Self {
        let (kind, code) = (kind.to_string(), code.map(str::to_string));
        let detail = Detail { message: message.into(), kind, param: None, code };
        Self { status, detail, retry_after: None }
    }

    /// A request that is wrong: 400.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", None, message)
    }

    /// The same under another status.
    pub fn refused(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self::new(status, "invalid_request_error", Some(code), message)
    }

    /// No room now: 429, to be tried again after some time.
    pub fn full(retry_after: Duration) -> Self {
        let text = "the server has as many requests as it takes; try again later";
        let error =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "requests", Some("rate_limit_exceeded"), text);
        Self { retry_after: Some(retry_after), ..error }
    }

    /// The server is going down: 503.
    pub fn closing() -> Self {
        let text = "the server is shutting down; ask another one";
        let error =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", Some("shutting_down"), text);
        Self { retry_after: Some(Duration::from_secs(5)), ..error }
    }

    /// The answer took longer than a request may: 504.
    pub fn late(limit: Duration) -> Self {
        let text = format!(
            "the answer was not finished within {} s, the longest that a request may take; ask for fewer tokens",
            limit.as_secs()
        );
        Self::new(StatusCode::GATEWAY_TIMEOUT, "server_error", Some("timeout"), text)
    }

    /// Something broke here: 500.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", None, message)
    }

    /// Names the field that is wrong.
    pub fn at(mut self, param: impl Into<String>) -> Self {
        self.detail.param = Some(param.into());
        self
    }

    /// Names the error.
    pub fn named(mut self, code: &str) -> Self {
        self.detail.code = Some(code.into());
        self
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.detail.message
    }

    /// Its body.
    pub fn body(&self) -> ErrorBody {
        ErrorBody { error: self.detail.clone() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs_f64().ceil().clamp(1.0, 3600.0) as u64;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
