//! Text in, text out.

use crate::{Error, import::Tokenizer, runner::Runner};
use terntable_golden::{
    head::HeadMode,
    model::{Device, Model},
    sample::Sampler,
};

/// What to generate.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The text to continue.
    pub prompt: &'a str,
    /// Most tokens to make.
    pub max_tokens: usize,
    /// 0 is greedy.
    pub temperature: f64,
    /// Seed of the sampler.
    pub seed: u64,
    /// Which head.
    pub head: HeadMode,
    /// Tokens that end the text.
    pub end_tokens: &'a [u32],
}

/// What happens while a text is made.
pub enum Event<'e> {
    /// So many of the prompt's tokens were fed.
    Prefill(usize, usize),
    /// New text, whole characters.
    Text(&'e str),
}

/// A generated text.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The text, without the prompt.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
}

/// Generates; stops at `max_tokens`, at an end token, or when the context is full.
pub fn generate(
    model: &Model,
    device: &mut dyn Device,
    tokenizer: &Tokenizer,
    request: &Request<'_>,
    mut event: impl FnMut(Event<'_>),
) -> Result<Generated, Error> {
    let prompt = prompt_tokens(model, tokenizer, request.prompt)?;
    let mut runner = Runner::new(model, device, request.head);
    let mut sampler = Sampler::new(request.temperature, request.seed);
    let mut made =
        Generated { text: String::new(), tokens: Vec::new(), prompt_tokens: prompt.len() };
    if request.max_tokens == 0 {
        return Ok(made);
    }
    let mut ranked = runner.feed(&prompt, 1, |n| event(Event::Prefill(n, prompt.len())))?;
    loop {
        let token = sampler.pick(&ranked[0]);
        if request.end_tokens.contains(&token) {
            break;
        }
        made.tokens.push(token);
        let text = tokenizer.decode(&made.tokens)?;
        // A character may need several tokens; until it is whole it decodes to U+FFFD.
        if !text.ends_with('\u{fffd}') {
            event(Event::Text(text.get(made.text.len()..).unwrap_or_default()));
            made.text = text;
        }
        if made.tokens.len() == request.max_tokens || runner.position() == model.config.context {
            made.text = tokenizer.decode(&made.tokens)?;
            break;
        }
        ranked = runner.feed(&[token], 1, |_| {})?;
    }
    Ok(made)
}

fn prompt_tokens(model: &Model, tokenizer: &Tokenizer, prompt: &str) -> Result<Vec<u32>, Error> {
    let tokens = tokenizer.encode(prompt)?;
    let context = model.config.context;
    if tokens.is_empty() {
        return Err(Error::Input(
            "the prompt is empty; expected at least one token to continue".into(),
        ));
    }
    if tokens.len() > context {
        return Err(Error::Input(format!(
            "the prompt has {} tokens; the model's context holds {context}: shorten the prompt",
            tokens.len()
        )));
    }
    Ok(tokens)
}
