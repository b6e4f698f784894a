//! API keys.

use crate::{app::App, error::ApiError};
use axum::{
    body::Body,
    extract::State,
    http::{Request, StatusCode, header},
    middleware::Next,
    response::Response,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::{Choice, ConstantTimeEq};

/// The keys that open the server; none means that it is open.
pub struct Keys(Vec<[u8; 32]>);

impl Keys {
    /// Keeps the hashes of the keys.
    pub fn new(keys: &[String]) -> Self {
        Self(keys.iter().map(|key| Sha256::digest(key).into()).collect())
    }

    /// Whether a key is one of them. The time that it takes tells nothing of the keys.
    pub fn fit(&self, key: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(key).into();
        let fits = self.0.iter().fold(Choice::from(0), |fits, key| fits | key.ct_eq(&hash));
        self.0.is_empty() || bool::from(fits)
    }
}

/// Lets only requests with a key through.
pub async fn guard(
    State(app): State<Arc<App>>,
    request: Request<Body>,
    next: Next,
) -> Result<Response, ApiError> {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = given.and_then(|value| value.split_once(' '));
    let key = key.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if !app.keys.fit(key.map_or("", |(_, key)| key.trim())) {
        let text = "Incorrect API key; give one of the server's as `Authorization: Bearer KEY`";
        return Err(ApiError::refused(StatusCode::UNAUTHORIZED, "invalid_api_key", text));
    }
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_keys_fit() {
        let keys = Keys::new(&["one".into(), "two".into()]);
        let fit = |key| keys.fit(key);
        assert_eq!(
            ["one", "two", "", "on", "one ", "onetwo"].map(fit),
            [true, true, false, false, false, false]
        );
        assert!(Keys::new(&[]).fit("") && Keys::new(&[]).fit("anything"));
    }
}
