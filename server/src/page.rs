//! The page at `/`: chat beside the live card. It stands in the binary and asks no other host.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// Path, type, content.
const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("../page/index.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("../page/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("../page/page.js")),
    ("/favicon.svg", "image/svg+xml", include_str!("../page/favicon.svg")),
];

/// Paths of the page's files.
pub const PATHS: [&str; 4] = [FILES[0].0, FILES[1].0, FILES[2].0, FILES[3].0];

/// Nothing but its own files, and no frame around it.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page; the page itself for any other path.
pub fn file(path: &str) -> Response {
    let (_, kind, content) = FILES.iter().find(|(at, ..)| *at == path).unwrap_or(&FILES[0]);
    let headers = [
        (header::CONTENT_TYPE, *kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, *content).into_response()
}
