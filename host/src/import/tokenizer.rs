//! `tokenizer.json`.

use crate::Error;
use std::{
    cell::Cell,
    path::{Path, PathBuf},
    sync::Once,
};
use tokenizers::{ModelWrapper, PreTokenizerWrapper};

/// A tokenizer, described.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TokenizerKind {
    /// `BPE`, `Unigram`, `WordPiece` or `WordLevel`.
    pub model: &'static str,
    /// Whether it works on bytes, so that every text has tokens.
    pub byte_level: bool,
    /// Tokens, added ones included.
    pub tokens: usize,
    /// Tokens that were added to those of the model.
    pub added: usize,
    /// Of these, special ones, which decoding leaves out.
    pub special: usize,
}

/// A tokenizer that fits its model's vocabulary.
#[derive(Debug)]
pub struct Tokenizer {
    path: PathBuf,
    inner: tokenizers::Tokenizer,
}

impl Tokenizer {
    /// Reads the file. Its tokens must fit the vocabulary, and leave at most one in sixteen of the
    /// vocabulary unused (padding): else it belongs to another model.
    pub fn read(path: &Path, vocab: usize) -> Result<Self, Error> {
        let bytes = super::read_file(path, "a checkpoint folder needs a tokenizer.json")?;
        Self::parse(path, &bytes, vocab)
    }

    /// The same from the bytes of a tokenizer.json; errors name `path`.
    pub fn parse(path: &Path, bytes: &[u8], vocab: usize) -> Result<Self, Error> {
        let fail = |text: String| Error::File { path: path.into(), text };
        let mut inner = guarded(|| tokenizers::Tokenizer::from_bytes(bytes))
            .map_err(|e| fail(format!("not a tokenizer.json: {e}")))?;
        // Both would change the prompt behind the user's back.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| fail(format!("not a tokenizer.json: {e}")))?;
        let largest = inner.get_vocab(true).into_values().max();
        let tokens = largest.map_or(0, |id| id as usize + 1);
        if tokens > vocab || tokens < vocab - vocab / 16 {
            return Err(fail(format!(
                "has {tokens} tokens; expected {vocab}, the vocab_size of config.json: the tokenizer \
                 belongs to another model"
            )));
        }
        Ok(Self { path: path.into(), inner })
    }

    /// Text to tokens.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoding = guarded(|| self.inner.encode(text, true)).map_err(|e| self.fail(&e))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Text that names its special tokens itself, as chat templates do, to tokens.
    pub fn encode_whole(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoding = guarded(|| self.inner.encode(text, false)).map_err(|e| self.fail(&e))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// What kind it is.
    pub fn kind(&self) -> TokenizerKind {
        fn on_bytes(pre: &PreTokenizerWrapper) -> bool {
            match pre {
                PreTokenizerWrapper::ByteLevel(_) => true,
                PreTokenizerWrapper::Sequence(parts) => parts.as_ref().iter().any(on_bytes),
                _ => false,
            }
        }
        let added = self.inner.get_added_tokens_decoder();
        TokenizerKind {
            model: match self.inner.get_model() {
                ModelWrapper::BPE(_) => "BPE",
                ModelWrapper::WordPiece(_) => "WordPiece",
                ModelWrapper::WordLevel(_) => "WordLevel",
                ModelWrapper::Unigram(_) => "Unigram",
            },
            byte_level: self.inner.get_pre_tokenizer().is_some_and(on_bytes),
            tokens: self.inner.get_vocab_size(true),
            added: added.len(),
            special: added.values().filter(|token| token.special).count(),
        }
    }

    /// The id of a token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Tokens to text; special tokens are left out.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        guarded(|| self.inner.decode(tokens, true)).map_err(|e| self.fail(&e))
    }

    fn fail(&self, e: &str) -> Error {
        Error::File { path: self.path.clone(), text: format!("cannot use the tokenizer: {e}") }
    }
}

thread_local! {
    /// Whether this thread takes panics as errors.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// The tokenizers library panics on some damaged files; here that is an error like any other, and nothing is
/// printed. Panics of other threads are printed as ever.
fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                usual(panic);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    GUARDED.set(outer);
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("its contents contradict each other; the file is damaged".into()),
    }
}
