//! `/v1/chat/completions`.

use super::{Manner, Usage};
use crate::language::Turn;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to answer.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct ChatRequest {
    /// The conversation so far.
    #[schema(min_items = 1)]
    pub messages: Vec<Message>,
    /// Most tokens of the answer; the newer name of `max_tokens`.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub max_completion_tokens: Option<usize>,
    /// Report the log-probability of every token, over the tokens that the head ranks.
    pub logprobs: Option<bool>,
    /// And those of so many of the likeliest tokens in its place.
    #[schema(minimum = 0, maximum = 20)]
    pub top_logprobs: Option<usize>,
    /// How the answer is made.
    #[serde(flatten)]
    pub manner: Manner,
}

/// A message of a conversation.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content,
}

/// Who speaks. A developer is the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Says how to answer.
    System,
    /// The same.
    Developer,
    /// Asks.
    User,
    /// Answers.
    Assistant,
}

/// What is said: a text, or parts of one.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Content {
    /// A text.
    Text(String),
    /// Parts, one after the other.
    Parts(Vec<Part>),
}

/// A part of a text.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
}

impl Message {
    /// The message as a turn.
    pub fn turn(&self) -> Turn {
        let role = match self.role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let content = match &self.content {
            Content::Text(text) => text.clone(),
            Content::Parts(parts) => parts.iter().map(|Part::Text { text }| &text[..]).collect(),
        };
        Turn { role: role.into(), content }
    }
}

/// An answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChatCompletion {
    /// Its name.
    pub id: String,
    /// `chat.completion`.
    pub object: &'static str,
    /// When it was asked for, seconds of Unix time.
    pub created: u64,
    /// The model.
    pub model: String,
    /// Equal for servers that give equal answers.
    pub system_fingerprint: &'static str,
    /// The choices.
    pub choices: Vec<ChatChoice>,
    /// Tokens that were used.
    pub usage: Usage,
}

/// A choice of an answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChatChoice {
    /// Its number, from 0.
    pub index: usize,
    /// What is said.
    pub message: ChatMessage,
    /// Log-probabilities, where they were asked for.
    pub logprobs: Option<ChatLogprobs>,
    /// `stop` or `length`.
    pub finish_reason: &'static str,
}

/// The message of a choice.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChatMessage {
    /// `assistant`.
    pub role: &'static str,
    /// What is said.
    pub content: String,
    /// Always null.
    pub refusal: Option<String>,
}

/// A piece of an answer that is streamed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChatChunk {
    /// The answer's name.
    pub id: String,
    /// `chat.completion.chunk`.
    pub object: &'static str,
    /// When it was asked for, seconds of Unix time.
    pub created: u64,
    /// The model.
    pub model: String,
    /// Equal for servers that give equal answers.
    pub system_fingerprint: &'static str,
    /// What is new; empty in the chunk with the usage.
    pub choices: Vec<ChatDelta>,
    /// Tokens that were used, in the last chunk, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// What is new of a choice.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChatDelta {
    /// The choice.
    pub index: usize,
    /// What is new.
    pub delta: Delta,
    /// Log-probabilities of the new tokens, where they were asked for.
    pub logprobs: Option<ChatLogprobs>,
    /// In the last piece `stop` or `length`.
    pub finish_reason: Option<&'static str>,
}

/// New text.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Delta {
    /// Who speaks, in the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// Log-probabilities of tokens.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChatLogprobs {
    /// One entry a token.
    pub content: Vec<TokenLogprob>,
}

/// The log-probability of a token, over the tokens that the head ranks.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes; null where it is not whole characters.
    pub bytes: Option<Vec<u8>>,
    /// The likeliest tokens in its place.
    pub top_logprobs: Vec<TopLogprob>,
}

/// A token that might have been.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TopLogprob {
    /// Its text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes; null where it is not whole characters.
    pub bytes: Option<Vec<u8>>,
}
