//! A checkpoint's language, as the server asks for it.

use crate::{
    Error, chat,
    import::{AnyCheckpoint, Message, Template, Tokenizer},
    stream::Stream,
};
use std::sync::Arc;
use terntable_server::{Text, Turn, Usual};

/// Tokenizer, chat template and names of a checkpoint.
pub struct Language {
    name: String,
    context: usize,
    vocab: usize,
    end_tokens: Vec<u32>,
    usual: Usual,
    tokenizer: Arc<Tokenizer>,
    template: Option<Template>,
}

impl Language {
    /// The language of a checkpoint, under its name or another.
    pub fn new(checkpoint: &AnyCheckpoint, name: Option<String>) -> Result<Self, Error> {
        let (config, sampling) = (checkpoint.config(), checkpoint.sampling());
        let (tokenizer, template) = (Arc::new(checkpoint.tokenizer()?), checkpoint.template()?);
        Ok(Self {
            name: name.unwrap_or_else(|| checkpoint.name()),
            context: config.context,
            vocab: config.vocab,
            end_tokens: chat::end_tokens(checkpoint, &tokenizer, template.as_ref())?,
            usual: Usual {
                temperature: sampling.temperature,
                top_k: sampling.top_k,
                top_p: sampling.top_p,
            },
            tokenizer,
            template,
        })
    }

    /// Whether the model has a chat template; without one it continues the text of a conversation.
    pub fn has_template(&self) -> bool {
        self.template.is_some()
    }
}

impl terntable_server::Language for Language {
    fn name(&self) -> &str {
        &self.name
    }

    fn context(&self) -> usize {
        self.context
    }

    fn vocab(&self) -> usize {
        self.vocab
    }

    fn end_tokens(&self) -> &[u32] {
        &self.end_tokens
    }

    fn usual(&self) -> Usual {
        self.usual
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        self.tokenizer.encode(text).map_err(plain)
    }

    fn conversation(&self, turns: &[Turn]) -> Result<Vec<u32>, String> {
        let message =
            |turn: &Turn| Message { role: turn.role.clone(), content: turn.content.clone() };
        let messages: Vec<Message> = turns.iter().map(message).collect();
        chat::tokens(&self.tokenizer, self.template.as_ref(), &messages).map_err(plain)
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        self.tokenizer.decode(tokens).map_err(plain)
    }

    fn text(&self, prompt: &[u32]) -> Result<Box<dyn Text>, String> {
        Ok(Box::new(Stream::new(self.tokenizer.clone(), prompt).map_err(plain)?))
    }
}

impl Text for Stream<Arc<Tokenizer>> {
    fn push(&mut self, token: u32) -> Result<String, String> {
        Stream::push(self, token).map_err(plain)
    }

    fn rest(&mut self) -> Result<String, String> {
        Stream::rest(self).map_err(plain)
    }
}

/// An error without the path of a file, which is nobody's business elsewhere.
fn plain(error: Error) -> String {
    match error {
        Error::File { text, .. } => text,
        error => error.to_string(),
    }
}
