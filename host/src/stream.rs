//! Tokens to text as they come, in time that grows with their number alone.

use crate::{Error, import::Tokenizer};
use std::ops::Deref;

/// Tokens of the end of a prompt that the first window takes; more while they have no text.
const FIRST: usize = 4;
/// Most tokens that are held back as parts of a character: one has at most four bytes, so after these the bytes
/// are no text.
const HELD: usize = 8;

/// Tokens to text, whole characters at a time, behind a prompt. A character may need several tokens; until it is
/// whole it decodes to U+FFFD and is held back.
///
/// Some decoders need what stands before a token, so a few tokens are decoded together, and of their text what is
/// new is taken: the text of all tokens at once, without decoding all of them again and again.
#[derive(Debug)]
pub struct Stream<T> {
    tokenizer: T,
    /// Tokens whose text was given, then those that are held back.
    window: Vec<u32>,
    /// Tokens of the window whose text was given, but for the last character perhaps.
    given: usize,
    /// Bytes of the window's text that were given.
    known: usize,
}

impl<T: Deref<Target = Tokenizer>> Stream<T> {
    /// A stream of what follows a prompt.
    pub fn new(tokenizer: T, prompt: &[u32]) -> Result<Self, Error> {
        let (mut take, mut known) = (FIRST, 0);
        while known == 0 {
            let tail = &prompt[prompt.len().saturating_sub(take)..];
            known = tokenizer.decode(tail)?.len();
            if take >= prompt.len() {
                break;
            }
            take *= 2;
        }
        let window = prompt[prompt.len().saturating_sub(take)..].to_vec();
        let known = if known == 0 { known } else { tokenizer.decode(&window)?.len() };
        Ok(Self { tokenizer, given: window.len(), window, known })
    }

    /// The text that a token completes.
    pub fn push(&mut self, token: u32) -> Result<String, Error> {
        self.window.push(token);
        let text = self.tokenizer.decode(&self.window)?;
        match text.strip_suffix('\u{fffd}') {
            None => self.give(&text, self.given),
            // The last of them may begin a character yet; a few tokens say how it goes on.
            Some(certain) if self.window.len() - self.given > HELD => {
                let new = self.give(certain, self.window.len() - FIRST)?;
                self.known = self.known.saturating_sub('\u{fffd}'.len_utf8());
                Ok(new)
            }
            Some(_) => Ok(String::new()),
        }
    }

    /// What is still held back.
    pub fn rest(&mut self) -> Result<String, Error> {
        let text = self.tokenizer.decode(&self.window)?;
        self.give(&text, self.given)
    }

    /// Takes what is new of the window's text; then the window begins `from` tokens later.
    fn give(&mut self, text: &str, from: usize) -> Result<String, Error> {
        let new = text.get(self.known..).unwrap_or_default().to_string();
        if !new.is_empty() {
            self.window.drain(..from);
            self.given = self.window.len();
            self.known = self.tokenizer.decode(&self.window)?.len();
        }
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use terntable_golden::sample::mix;

    /// Words and bytes as Llama's first tokenizers have them: `▁` for a space, which a text does not begin with.
    fn llama() -> Tokenizer {
        let mut vocab = serde_json::Map::new();
        for byte in 0..=255_u8 {
            vocab.insert(format!("<0x{byte:02X}>"), u32::from(byte).into());
        }
        for (i, word) in ["▁", "▁a", "b", "▁don", "'", "t", "<s>"].iter().enumerate() {
            vocab.insert(word.to_string(), (256 + i as u32).into());
        }
        let json = serde_json::json!({
            "version": "1.0",
            "added_tokens": [{"id": 262, "content": "<s>", "single_word": false, "lstrip": false,
                              "rstrip": false, "normalized": false, "special": true}],
            "model": {"type": "BPE", "vocab": vocab, "merges": [], "byte_fallback": true},
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ]},
        });
        Tokenizer::parse(Path::new("tokenizer.json"), json.to_string().as_bytes(), 263).unwrap()
    }

    fn bundled() -> Tokenizer {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/shakespeare/tokenizer.json");
        Tokenizer::read(Path::new(path), 1024).unwrap()
    }

    /// What all tokens decode to, behind what the prompt does.
    fn whole(tokenizer: &Tokenizer, prompt: &[u32], tokens: &[u32]) -> String {
        let before = tokenizer.decode(prompt).unwrap().len();
        tokenizer.decode(&[prompt, tokens].concat()).unwrap()[before..].to_string()
    }

    fn streamed(tokenizer: &Tokenizer, prompt: &[u32], tokens: &[u32]) -> String {
        let mut stream = Stream::new(tokenizer, prompt).unwrap();
        let mut text = String::new();
        for &token in tokens {
            text += &stream.push(token).unwrap();
            assert!(stream.window.len() <= FIRST.max(prompt.len()) + 2 * HELD);
        }
        text + &stream.rest().unwrap()
    }

    #[test]
    fn characters_come_whole() {
        let tokenizer = bundled();
        let prompt = tokenizer.encode("caf").unwrap();
        let tokens = tokenizer.encode("é €😀.").unwrap();
        let mut stream = Stream::new(&tokenizer, &prompt).unwrap();
        let pieces: Vec<String> = tokens.iter().map(|&t| stream.push(t).unwrap()).collect();
        assert_eq!(pieces.concat(), "é €😀.");
        assert!(pieces.iter().all(|piece| !piece.contains('\u{fffd}')), "{pieces:?}");
        assert!(pieces.iter().any(String::is_empty), "{pieces:?}");
    }

    #[test]
    fn any_tokens_give_the_text_of_all() {
        let tokenizer = bundled();
        let draw = |i: u64| (mix(i) % 1024) as u32;
        for case in 0..60_u64 {
            let prompt = tokenizer.encode("Good morrow, €").unwrap();
            // Words; bytes that are no text as well, in every third case nothing else.
            let tokens: Vec<u32> = (0..120)
                .map(|i| match case % 3 {
                    0 => draw(1000 * case + i) % 256,
                    1 => draw(1000 * case + i),
                    _ => 200 + draw(1000 * case + i) % 50,
                })
                .collect();
            assert_eq!(
                streamed(&tokenizer, &prompt, &tokens),
                whole(&tokenizer, &prompt, &tokens),
                "{case}"
            );
        }
    }

    #[test]
    fn spaces_stay_behind_prompts_without_text() {
        let tokenizer = llama();
        for prompt in [&[258_u32][..], &[258, 262, 262, 262, 262, 262, 262], &[256], &[262]] {
            let tokens = [257, 256, 257, 258, 259, 260, 261, 0xe2, 0x82, 0xac, 257];
            assert_eq!(
                streamed(&tokenizer, prompt, &tokens),
                whole(&tokenizer, prompt, &tokens),
                "{prompt:?}"
            );
        }
    }
}
