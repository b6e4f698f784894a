//! Texts as a tokenizer of 128 thousand tokens would cut them, roughly: pieces of words, runs of spaces, signs.

use super::script::VOCAB;
use std::collections::BTreeMap;
use terntable_golden::sample::mix;

/// Letters of a piece.
const PIECE: usize = 5;

/// A text with repeats, or without: its prompt's length, and the whole.
pub struct Text {
    pub name: &'static str,
    /// The answer repeats what stood before.
    pub repeats: bool,
    pub prompt: usize,
    pub tokens: Vec<u32>,
}

const SOURCE: &str = include_str!("../../src/service.rs");
const OTHER_SOURCE: &str = include_str!("../../src/request.rs");
const PROSE: &str = include_str!("../../../models/shakespeare/tinyshakespeare.txt");
const MANUAL: &str = include_str!("../../../docs/cpu.md");

/// All texts, each with a first token of its own.
pub fn all() -> Vec<Text> {
    let mut pieces = Pieces::default();
    let mut texts = Vec::new();
    let mut text = |name, repeats, prompt: &str, answer: &str| {
        let first = (VOCAB - 1 - texts.len()) as u32;
        let mut tokens = vec![first];
        tokens.extend(pieces.cut(prompt));
        let prompt = tokens.len();
        tokens.extend(pieces.cut(answer).into_iter().take(600));
        texts.push(Text { name, repeats, prompt, tokens });
    };
    let prompt =
        format!("{}\nRename Shared to Common, and write the file again.\n", &SOURCE[..3600]);
    text(
        "code: a file again, a name changed",
        true,
        &prompt,
        &SOURCE[..3600].replace("Shared", "Common"),
    );
    text("quotes: paragraphs of the prompt, with words between", true, MANUAL, &quotes());
    let half = OTHER_SOURCE.len() / 2;
    text("code: the second half of a file", false, &OTHER_SOURCE[..half], &OTHER_SOURCE[half..]);
    text("prose: Shakespeare goes on", false, &PROSE[..4000], &PROSE[4000..8000]);
    for (name, words) in [("random: 1,000 words", 1000), ("random: 20 words", 20)] {
        let first = (VOCAB - 1 - texts.len()) as u32;
        let random = |i: u64| (mix(u64::from(first) << 32 | i) % words) as u32;
        let tokens = std::iter::once(first).chain((0..1199).map(random)).collect();
        texts.push(Text { name, repeats: false, prompt: 600, tokens });
    }
    texts
}

/// The paragraphs of the manual, last first, each introduced anew.
fn quotes() -> String {
    let introductions =
        ["The manual says: ", "Before that we read: ", "It also explains this: ", "And here: "];
    let paragraphs: Vec<&str> = MANUAL.split("\n\n").filter(|p| p.len() > 120).collect();
    let quoted = paragraphs.iter().rev().zip(introductions.into_iter().cycle());
    quoted.map(|(paragraph, introduction)| format!("{introduction}\n> {paragraph}\n\n")).collect()
}

/// The pieces seen so far.
#[derive(Default)]
struct Pieces(BTreeMap<String, u32>);

impl Pieces {
    fn cut(&mut self, text: &str) -> Vec<u32> {
        let kind = |c: char| match c {
            _ if c.is_alphanumeric() => 0,
            ' ' => 1,
            _ => 2,
        };
        let mut pieces: Vec<String> = Vec::new();
        for c in text.chars() {
            match pieces.last_mut() {
                Some(piece)
                    if kind(c) < 2
                        && piece.ends_with(|last| kind(last) == kind(c))
                        && (kind(c) == 1 || piece.len() < PIECE) =>
                {
                    piece.push(c);
                }
                _ => pieces.push(c.into()),
            }
        }
        let number = |piece| {
            let next = self.0.len() as u32;
            *self.0.entry(piece).or_insert(next)
        };
        pieces.into_iter().map(number).collect()
    }
}
