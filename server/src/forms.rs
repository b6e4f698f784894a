//! How the two endpoints write answers.

use crate::{
    answer::{Form, Whole},
    api::{
        Usage,
        chat::{
            ChatChoice, ChatChunk, ChatCompletion, ChatDelta, ChatLogprobs, ChatMessage, Delta,
            TokenLogprob, TopLogprob,
        },
        completions::{Completion, CompletionChoice, Logprobs},
    },
    app::{App, now},
    ask::{Piece, Scored},
};
use serde::Serialize;

/// Equal for servers that give equal answers: the arithmetic has a version.
const FINGERPRINT: &str = concat!("terntable-", env!("CARGO_PKG_VERSION"));

/// What stands in every response to a request.
pub struct Header {
    id: String,
    created: u64,
    model: String,
}

impl Header {
    /// A new name.
    pub fn new(app: &App, prefix: &str, model: String) -> Self {
        Self { id: format!("{prefix}-{:016x}", app.random()), created: now(), model }
    }
}

/// `/v1/chat/completions`.
pub struct AsChat(pub Header);

impl AsChat {
    fn chunk(&self, choices: Vec<ChatDelta>, usage: Option<Usage>) -> ChatChunk {
        ChatChunk {
            id: self.0.id.clone(),
            object: "chat.completion.chunk",
            created: self.0.created,
            model: self.0.model.clone(),
            system_fingerprint: FINGERPRINT,
            choices,
            usage,
        }
    }
}

impl Form for AsChat {
    type Chunk = ChatChunk;

    fn opening(&self, index: usize) -> Option<ChatChunk> {
        let delta = Delta { role: Some("assistant"), content: Some(String::new()) };
        Some(
            self.chunk(vec![ChatDelta { index, delta, logprobs: None, finish_reason: None }], None),
        )
    }

    fn piece(&self, piece: Piece) -> ChatChunk {
        let content = (piece.finish.is_none() || !piece.text.is_empty()).then_some(piece.text);
        let delta = ChatDelta {
            index: piece.choice,
            delta: Delta { role: None, content },
            logprobs: piece.tokens.map(chat_logprobs),
            finish_reason: piece.finish,
        };
        self.chunk(vec![delta], None)
    }

    fn usage(&self, usage: Usage) -> ChatChunk {
        self.chunk(Vec::new(), Some(usage))
    }

    fn whole(&self, answers: Vec<Whole>, usage: Usage) -> impl Serialize {
        let choice = |(index, answer): (usize, Whole)| ChatChoice {
            index,
            message: ChatMessage { role: "assistant", content: answer.text, refusal: None },
            logprobs: answer.tokens.map(chat_logprobs),
            finish_reason: answer.finish,
        };
        ChatCompletion {
            id: self.0.id.clone(),
            object: "chat.completion",
            created: self.0.created,
            model: self.0.model.clone(),
            system_fingerprint: FINGERPRINT,
            choices: answers.into_iter().enumerate().map(choice).collect(),
            usage,
        }
    }
}

/// `/v1/completions`.
pub struct AsCompletion(pub Header);

impl AsCompletion {
    fn completion(&self, choices: Vec<CompletionChoice>, usage: Option<Usage>) -> Completion {
        Completion {
            id: self.0.id.clone(),
            object: "text_completion",
            created: self.0.created,
            model: self.0.model.clone(),
            system_fingerprint: FINGERPRINT,
            choices,
            usage,
        }
    }
}

impl Form for AsCompletion {
    type Chunk = Completion;

    fn opening(&self, _: usize) -> Option<Completion> {
        None
    }

    fn piece(&self, piece: Piece) -> Completion {
        let choice = CompletionChoice {
            index: piece.choice,
            text: piece.text,
            logprobs: piece.tokens.map(logprobs),
            finish_reason: piece.finish,
        };
        self.completion(vec![choice], None)
    }

    fn usage(&self, usage: Usage) -> Completion {
        self.completion(Vec::new(), Some(usage))
    }

    fn whole(&self, answers: Vec<Whole>, usage: Usage) -> impl Serialize {
        let choice = |(index, answer): (usize, Whole)| CompletionChoice {
            index,
            text: answer.text,
            logprobs: answer.tokens.map(logprobs),
            finish_reason: Some(answer.finish),
        };
        self.completion(answers.into_iter().enumerate().map(choice).collect(), Some(usage))
    }
}

/// The bytes of a token; none where it is a part of a character.
fn bytes(text: &str) -> Option<Vec<u8>> {
    (!text.contains('\u{fffd}')).then(|| text.as_bytes().to_vec())
}

fn chat_logprobs(tokens: Vec<Scored>) -> ChatLogprobs {
    let top = |(token, logprob): (String, f32)| TopLogprob { bytes: bytes(&token), token, logprob };
    let token = |scored: Scored| TokenLogprob {
        bytes: bytes(&scored.text),
        token: scored.text,
        logprob: scored.logprob,
        top_logprobs: scored.top.into_iter().map(top).collect(),
    };
    ChatLogprobs { content: tokens.into_iter().map(token).collect() }
}

fn logprobs(tokens: Vec<Scored>) -> Logprobs {
    let mut all = Logprobs::default();
    for scored in tokens {
        all.tokens.push(scored.text);
        all.token_logprobs.push(scored.logprob);
        // Tokens may have one text; the likelier one then stands for both.
        all.top_logprobs.push(scored.top.into_iter().rev().collect());
        all.text_offset.push(scored.offset);
    }
    all
}
