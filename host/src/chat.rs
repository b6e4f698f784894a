//! Conversations: what was said, as the tokens that a model continues.

use crate::{
    Error,
    generate::{Event, Prompt, Request, go_on},
    import::{AnyCheckpoint, Message, Sampling, Template, Tokenizer},
    runner::Feed,
};
use terntable_golden::model::Config;

/// A conversation with a model.
pub struct Conversation<'a> {
    config: &'a Config,
    tokenizer: &'a Tokenizer,
    /// Without a template a conversation is a text that the model continues.
    template: Option<Template>,
    end_tokens: Vec<u32>,
    system: Option<Message>,
    /// What was said, without the system message: turns of user and assistant.
    messages: Vec<Message>,
    /// What the runner holds.
    fed: Vec<u32>,
}

/// How an answer is made.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Seed of the first answer; each one after it takes the next.
    pub seed: u64,
    /// Most tokens of an answer.
    pub max_tokens: usize,
}

/// What an answer was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its tokens.
    pub tokens: usize,
    /// Tokens of the conversation before it.
    pub prompt_tokens: usize,
    /// Those of them that the runner held already.
    pub held_tokens: usize,
    /// Turns that were forgotten because the context is full.
    pub forgotten: usize,
}

impl<'a> Conversation<'a> {
    /// An empty conversation.
    pub fn new(
        checkpoint: &AnyCheckpoint,
        config: &'a Config,
        tokenizer: &'a Tokenizer,
    ) -> Result<Self, Error> {
        let template = checkpoint.template()?;
        let end_tokens = end_tokens(checkpoint, tokenizer, template.as_ref())?;
        let (messages, fed) = (Vec::new(), Vec::new());
        Ok(Self { config, tokenizer, template, end_tokens, system: None, messages, fed })
    }

    /// Whether the model has a chat template.
    pub fn has_template(&self) -> bool {
        self.template.is_some()
    }

    /// Forgets everything but the system message.
    pub fn reset(&mut self) {
        self.messages.clear();
    }

    /// Sets the system message, or takes it away; forgets the rest.
    pub fn set_system(&mut self, text: &str) {
        let message = Message { role: "system".into(), content: text.into() };
        self.system = (!text.is_empty()).then_some(message);
        self.reset();
    }

    /// Says something and has the answer made; `text` hears it as it comes. A message that cannot be
    /// answered is not kept.
    pub fn say(
        &mut self,
        runner: &mut dyn Feed,
        text: &str,
        manner: &Manner,
        stop: &dyn Fn() -> bool,
        mut heard: impl FnMut(&str),
    ) -> Result<Answer, Error> {
        let (turns, before) = (self.messages.len() / 2, self.messages.clone());
        self.messages.push(Message { role: "user".into(), content: text.into() });
        let result = self.answer(runner, manner, turns as u64, stop, &mut heard);
        if result.is_err() {
            self.messages = before;
        }
        result
    }

    fn answer(
        &mut self,
        runner: &mut dyn Feed,
        manner: &Manner,
        turns: u64,
        stop: &dyn Fn() -> bool,
        heard: &mut dyn FnMut(&str),
    ) -> Result<Answer, Error> {
        let mut forgotten = 0;
        let mut tokens = self.tokens()?;
        // Room for an answer, or at least for its first token.
        while tokens.len() >= self.config.context && self.messages.len() > 2 {
            self.messages.drain(..2);
            forgotten += 1;
            tokens = self.tokens()?;
        }
        let prompt = Prompt::new(self.config, tokens)?;
        let tokens = prompt.tokens();
        // What was said last is fed again in any case: its last token makes the first of the answer.
        let held = match tokens.len() > self.fed.len() && tokens.starts_with(&self.fed) {
            true => self.fed.len(),
            false => 0,
        };
        if held == 0 {
            runner.restart();
        }
        self.fed.clear();
        let request = Request {
            prompt: &prompt,
            max_tokens: manner.max_tokens,
            sampling: manner.sampling,
            seed: manner.seed.wrapping_add(turns),
            end_tokens: &self.end_tokens,
        };
        let made = go_on(runner, self.tokenizer, &request, held, stop, |event| {
            if let Event::Text(text) = event {
                heard(text);
            }
        })?;
        // The last token made may not have been fed.
        self.fed.extend(tokens.iter().chain(&made.tokens).take(runner.position()));
        self.messages.push(Message { role: "assistant".into(), content: made.text });
        Ok(Answer {
            tokens: made.tokens.len(),
            prompt_tokens: tokens.len(),
            held_tokens: held,
            forgotten,
        })
    }

    /// The tokens of the conversation, up to where the model speaks next.
    fn tokens(&self) -> Result<Vec<u32>, Error> {
        let messages: Vec<Message> = self.system.iter().chain(&self.messages).cloned().collect();
        tokens(self.tokenizer, self.template.as_ref(), &messages)
    }
}

/// Tokens that end an answer: those of the model, and the one that the template's file names.
pub(crate) fn end_tokens(
    checkpoint: &AnyCheckpoint,
    tokenizer: &Tokenizer,
    template: Option<&Template>,
) -> Result<Vec<u32>, Error> {
    let mut tokens = checkpoint.end_tokens()?;
    let named = template.and_then(|template| template.eos_token.as_deref());
    tokens.extend(named.and_then(|token| tokenizer.id(token)));
    Ok(tokens)
}

/// The tokens of a conversation, up to where the model speaks next. Without a template it is a text that the model
/// continues.
pub(crate) fn tokens(
    tokenizer: &Tokenizer,
    template: Option<&Template>,
    messages: &[Message],
) -> Result<Vec<u32>, Error> {
    match template {
        Some(template) => tokenizer.encode_whole(&template.render(messages)?),
        None => tokenizer.encode(&plain(messages)),
    }
}

/// A conversation as a text: every message on lines of its own.
fn plain(messages: &[Message]) -> String {
    let line = |message: &Message| {
        let end = if message.content.ends_with('\n') { "" } else { "\n" };
        format!("{}{end}", message.content)
    };
    messages.iter().map(line).collect()
}
