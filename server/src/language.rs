//! What the server must know of a model: its words, not its weights.

/// Somebody's turn in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks: `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// How tokens are drawn where a request does not say. Temperature 0 is greedy.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usual {
    /// 0 is greedy.
    pub temperature: f64,
    /// Only so many of the likeliest tokens.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together have this probability.
    pub top_p: Option<f64>,
}

/// The language of a model. Errors are texts for the client: what is wrong with its input, and no path.
pub trait Language: Send + Sync + 'static {
    /// The model's name.
    fn name(&self) -> &str;

    /// Longest context, tokens.
    fn context(&self) -> usize;

    /// Tokens of the vocabulary.
    fn vocab(&self) -> usize;

    /// Tokens that end a text.
    fn end_tokens(&self) -> &[u32];

    /// How tokens are drawn where a request does not say.
    fn usual(&self) -> Usual;

    /// A text as tokens.
    fn encode(&self, text: &str) -> Result<Vec<u32>, String>;

    /// A conversation as tokens, up to where the model speaks next.
    fn conversation(&self, turns: &[Turn]) -> Result<Vec<u32>, String>;

    /// Tokens as text.
    fn decode(&self, tokens: &[u32]) -> Result<String, String>;

    /// Tokens to text as they come, behind a prompt.
    fn text(&self, prompt: &[u32]) -> Result<Box<dyn Text>, String>;
}

/// Tokens to text, whole characters at a time.
pub trait Text: Send {
    /// The text that a token completes; none while a character is not whole.
    fn push(&mut self, token: u32) -> Result<String, String>;

    /// What is still held back.
    fn rest(&mut self) -> Result<String, String>;
}
