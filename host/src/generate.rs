//! Text in, text out.

use crate::{
    Error,
    import::{Sampling, Tokenizer},
    runner::{Feed, SLOTS},
    stream::Stream,
};
use terntable_golden::{model::Config, sample::Sampler};

/// Tokens of a prompt that are fed before `stop` is asked again: a few passes.
const PIECE: usize = 4 * SLOTS;

/// What to generate.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// What to continue.
    pub prompt: &'a Prompt,
    /// Most tokens to make.
    pub max_tokens: usize,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Seed of the sampler.
    pub seed: u64,
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
    runner: &mut dyn Feed,
    tokenizer: &Tokenizer,
    request: &Request<'_>,
    event: impl FnMut(Event<'_>),
) -> Result<Generated, Error> {
    go_on(runner, tokenizer, request, 0, &|| false, event)
}

/// [`generate`] where the runner holds the first `held` tokens of the prompt already (fewer than all);
/// also ends, between two tokens or two pieces of the prompt, once `stop` says so.
pub fn go_on(
    runner: &mut dyn Feed,
    tokenizer: &Tokenizer,
    request: &Request<'_>,
    held: usize,
    stop: &dyn Fn() -> bool,
    mut event: impl FnMut(Event<'_>),
) -> Result<Generated, Error> {
    let prompt = request.prompt.tokens();
    let mut stream = Stream::new(tokenizer, prompt)?;
    let Sampling { temperature, top_k, top_p } = request.sampling;
    let mut sampler = Sampler::new(temperature, request.seed).limited(top_k, top_p);
    let mut made =
        Generated { text: String::new(), tokens: Vec::new(), prompt_tokens: prompt.len() };
    if request.max_tokens == 0 {
        return Ok(made);
    }
    let rest = &prompt[held..];
    let (mut ranked, mut fed) = (Vec::new(), 0);
    for piece in rest.chunks(PIECE) {
        if stop() {
            break;
        }
        let wanted = usize::from(fed + piece.len() == rest.len());
        let mut progress = |n| event(Event::Prefill(fed + n, rest.len()));
        ranked = runner.feed(piece, wanted, &mut progress)?;
        fed += piece.len();
    }
    while !ranked.is_empty() && !stop() {
        let token = sampler.pick(&ranked[0]);
        if request.end_tokens.contains(&token) {
            break;
        }
        made.tokens.push(token);
        let text = stream.push(token)?;
        event(Event::Text(&text));
        made.text += &text;
        if made.tokens.len() == request.max_tokens || runner.position() == runner.context() {
            break;
        }
        ranked = runner.feed(&[token], 1, &mut |_| {})?;
    }
    let text = stream.rest()?;
    event(Event::Text(&text));
    made.text += &text;
    Ok(made)
}

/// The tokens of a prompt: at least one, and no more than the model's context holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt(Vec<u32>);

impl Prompt {
    /// Encodes a text; refuses one that is empty or too long.
    pub fn encode(config: &Config, tokenizer: &Tokenizer, text: &str) -> Result<Self, Error> {
        Self::new(config, if text.is_empty() { Vec::new() } else { tokenizer.encode(text)? })
    }

    /// Takes tokens; refuses none and too many.
    pub fn new(config: &Config, tokens: Vec<u32>) -> Result<Self, Error> {
        let context = config.context;
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
        Ok(Self(tokens))
    }

    /// The tokens.
    pub fn tokens(&self) -> &[u32] {
        &self.0
    }
}
