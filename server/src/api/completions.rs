//! `/v1/completions`.

use super::{Manner, Usage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What to continue.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct CompletionRequest {
    /// A text, or tokens, or some of either.
    pub prompt: Prompt,
    /// Report log-probabilities of every token and of so many of the likeliest ones in its place.
    #[schema(minimum = 0, maximum = 5)]
    pub logprobs: Option<usize>,
    /// How the answer is made.
    #[serde(flatten)]
    pub manner: Manner,
}

/// What to continue. Its bounds stand in the OpenAPI document, which knows the vocabulary.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Prompt {
    /// A text.
    Text(String),
    /// Tokens.
    Tokens(Vec<u32>),
    /// Texts; each has its own choices.
    Texts(Vec<String>),
    /// Lists of tokens; each has its own choices.
    Lists(Vec<Vec<u32>>),
}

/// A continued text, whole or a piece of a stream.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Completion {
    /// Its name.
    pub id: String,
    /// `text_completion`.
    pub object: &'static str,
    /// When it was asked for, seconds of Unix time.
    pub created: u64,
    /// The model.
    pub model: String,
    /// Equal for servers that give equal answers.
    pub system_fingerprint: &'static str,
    /// The choices, or what is new of one.
    pub choices: Vec<CompletionChoice>,
    /// Tokens that were used; in a stream in the last chunk, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// A choice.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CompletionChoice {
    /// Its number: those of the first prompt, then those of the next.
    pub index: usize,
    /// The text, or what is new of it.
    pub text: String,
    /// Log-probabilities, where they were asked for.
    pub logprobs: Option<Logprobs>,
    /// `stop` or `length`; null in all but the last piece of a stream.
    pub finish_reason: Option<&'static str>,
}

/// Log-probabilities, one entry a token in every list.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Logprobs {
    /// Texts of the tokens.
    pub tokens: Vec<String>,
    /// Natural logarithms of their probabilities, over the tokens that the head ranks.
    pub token_logprobs: Vec<f32>,
    /// The likeliest tokens in their places.
    pub top_logprobs: Vec<BTreeMap<String, f32>>,
    /// Where they begin in the text, characters.
    pub text_offset: Vec<usize>,
}
