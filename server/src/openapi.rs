//! The OpenAPI document: made from the types of requests and responses, and what every body is checked against.

use crate::{
    api::{StreamEvent, Usage, chat, completions, models},
    error::{ApiError, Error, ErrorBody},
    handlers,
    language::Language,
};
use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde_json::{Value, json};
use std::collections::HashMap;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Terntable", description = "An OpenAI-compatible server of ternary language models. The same \
    request with the same seed gets the same tokens, whoever else is asking."),
    paths(
        handlers::chat, handlers::completions, handlers::models, handlers::model, handlers::health,
        handlers::metrics, handlers::status, handlers::openapi
    ),
    components(schemas(
        chat::ChatRequest, chat::ChatCompletion, chat::ChatChunk, completions::CompletionRequest,
        completions::Completion, models::Models, models::Model, Usage, StreamEvent, ErrorBody
    )),
    modifiers(&Security)
)]
struct Api;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("key", bearer);
    }
}

/// Bodies that are checked.
const CHECKED: [&str; 2] = ["ChatRequest", "CompletionRequest"];

/// The document, and a check for every body.
pub struct Document {
    text: String,
    checks: HashMap<&'static str, Validator>,
}

impl Document {
    /// The document of a server of this model.
    pub fn new(language: &dyn Language) -> Result<Self, Error> {
        let wrong = |e: &dyn std::fmt::Display| Error::Document(e.to_string());
        let mut json = serde_json::to_value(Api::openapi()).map_err(|e| wrong(&e))?;
        bound(&mut json["components"]["schemas"], language.vocab());
        for name in CHECKED {
            close(&mut json["components"]["schemas"], name);
        }
        let check = |name| {
            let schema = json!({
                "$ref": format!("#/components/schemas/{name}"), "components": json["components"],
            });
            Ok((name, jsonschema::draft202012::new(&schema).map_err(|e| wrong(&e))?))
        };
        let checks = CHECKED.into_iter().map(check).collect::<Result<_, Error>>()?;
        Ok(Self { text: json.to_string(), checks })
    }

    /// The document, as JSON.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Refuses a body that does not fit; names the field.
    pub fn check(&self, schema: &str, body: &Value) -> Result<(), ApiError> {
        match self.checks.get(schema).map(|check| check.validate(body)) {
            Some(Err(error)) => Err(refused(&error)),
            _ => Ok(()),
        }
    }
}

/// What fields with several forms expect.
const EXPECTED: [(&str, &str); 3] = [
    (
        "prompt",
        "a text, a list of tokens of the vocabulary, or up to 16 of either, none of them empty",
    ),
    ("stop", "a text or up to 16, none of them empty"),
    ("content", "a text, or a list of parts {\"type\": \"text\", \"text\": ...}"),
];

/// What a schema says against a body, in OpenAI's words where it has some.
fn refused(error: &ValidationError<'_>) -> ApiError {
    let path = error.instance_path().to_string();
    let field = path.trim_start_matches('/').replace('/', ".");
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } if field.is_empty() => {
            let name = unexpected.first().cloned().unwrap_or_default();
            ApiError::invalid(format!("Unrecognized request argument supplied: {name}"))
                .at(name)
                .named("unknown_parameter")
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let name = if field.is_empty() { name.into() } else { format!("{field}.{name}") };
            ApiError::invalid(format!("Missing required parameter: '{name}'."))
                .at(name)
                .named("missing_required_parameter")
        }
        _ if field.is_empty() => ApiError::invalid(format!("the body: {}", shortened(error))),
        kind => {
            let last = field.rsplit('.').next().unwrap_or_default();
            let expected = EXPECTED.iter().find(|(name, _)| *name == last);
            let text = match (kind, expected) {
                (ValidationErrorKind::OneOfNotValid { .. }, Some((_, expected))) => {
                    format!("Invalid value for '{field}': expected {expected}")
                }
                _ => format!("Invalid value for '{field}': {}", shortened(error)),
            };
            ApiError::invalid(text).at(field).named("invalid_value")
        }
    }
}

/// The error's text without a long value in it.
fn shortened(error: &ValidationError<'_>) -> String {
    const MOST: usize = 200;
    let text = error.to_string();
    match text.chars().count() {
        0..=MOST => text,
        _ => format!("{} [...]", text.chars().take(MOST).collect::<String>()),
    }
}

/// Makes one object of a schema of several parts, which takes no field that it does not name.
fn close(schemas: &mut Value, name: &str) {
    let parts = match schemas[name]["allOf"].take() {
        Value::Array(parts) => parts,
        _ => vec![schemas[name].clone()],
    };
    let mut whole = json!({"type": "object", "properties": {}, "required": []});
    whole["description"] = schemas[name]["description"].clone();
    for part in parts {
        let part = match part["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            Some(name) => schemas[name].clone(),
            None => part,
        };
        for (field, schema) in part["properties"].as_object().into_iter().flatten() {
            whole["properties"][field] = schema.clone();
        }
        if let (Some(all), Some(more)) =
            (whole["required"].as_array_mut(), part["required"].as_array())
        {
            all.extend(more.iter().cloned());
        }
    }
    whole["additionalProperties"] = false.into();
    schemas[name] = whole;
}

/// What the types cannot say: bounds of the items of lists that may be texts as well.
fn bound(schemas: &mut Value, vocab: usize) {
    let text = json!({"type": "string", "minLength": 1});
    let token = json!({"type": "integer", "minimum": 0, "maximum": vocab.saturating_sub(1)});
    let list = |of: &Value| json!({"type": "array", "items": of, "minItems": 1});
    let some = |of: &Value| json!({"type": "array", "items": of, "minItems": 1, "maxItems": 16});
    schemas["Prompt"]["oneOf"] = json!([text, list(&token), some(&text), some(&list(&token))]);
    schemas["Stop"]["oneOf"] = json!([text, {"type": "array", "items": text, "maxItems": 16}]);
}
