//! Tokenizers in the keys of GGUF files.
//!
//! `gpt2` is byte-level BPE with merges; its pre-tokenizer has a name of its own. `llama` is
//! SentencePiece's BPE, of which the merges follow from the scores.

mod json;

pub use json::tokenizer_json;

use crate::Error;
use std::collections::HashMap;
use terntable_gguf::{Array, Gguf, Value};

/// Kinds of tokens, by their numbers in the file.
mod kind {
    pub const NORMAL: u8 = 1;
    pub const UNKNOWN: u8 = 2;
    pub const CONTROL: u8 = 3;
    pub const USER_DEFINED: u8 = 4;
    pub const UNUSED: u8 = 5;
}

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
pub const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const SCORES: &str = "tokenizer.ggml.scores";

/// What ends a turn, by name.
pub const TURN_ENDS: [&str; 4] = ["<|eot_id|>", "<|im_end|>", "<end_of_turn>", "<|endoftext|>"];

/// Longest token of a vocabulary with scores: its merges are found by trying every cut.
const MAX_SCORED: usize = 512;

/// How text is cut before bytes are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pre {
    /// As GPT-2.
    Gpt2,
    /// As Llama 3; whole words that are tokens are taken without merging.
    Llama3,
    /// What llama.cpp takes for files that name none.
    Default,
}

impl Pre {
    fn of(name: &str) -> Option<Self> {
        match name {
            "gpt-2" => Some(Self::Gpt2),
            "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "falcon_e" | "falcon-h1" => {
                Some(Self::Llama3)
            }
            "default" => Some(Self::Default),
            _ => None,
        }
    }

    /// The name under which it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpt2 => "gpt-2",
            Self::Llama3 => "llama-bpe",
            Self::Default => "default",
        }
    }
}

/// How pieces are put together.
#[derive(Debug, Clone, PartialEq)]
enum Joining {
    /// Byte-level BPE: pairs in the order in which they are merged.
    Merges(Pre, Vec<(String, String)>),
    /// SentencePiece's BPE: the pair of the highest score first.
    Scores(Vec<f32>),
}

/// A vocabulary as GGUF has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pieces {
    tokens: Vec<String>,
    types: Vec<u8>,
    joining: Joining,
    bos: Option<u32>,
    eos: Option<u32>,
    unknown: Option<u32>,
    add_bos: bool,
    add_eos: bool,
    add_space: bool,
    /// What was taken for granted.
    pub warnings: Vec<String>,
}

/// The id of a special token (`bos`, `eos`, ...), where the file has one.
pub fn special(gguf: &Gguf, name: &str) -> Result<Option<u32>, Error> {
    let known = |name: &str| if name == "unk" { "unknown".into() } else { name.to_string() };
    let key = format!("tokenizer.ggml.{}_token_id", known(name));
    let Some(id) = gguf.unsigned(&key)? else {
        return Ok(None);
    };
    let tokens = match gguf.keys().find(|(key, _)| *key == TOKENS) {
        Some((_, Value::Array(array))) => array.count(),
        _ => 0,
    };
    match u32::try_from(id) {
        Ok(token) if id < tokens => Ok(Some(token)),
        // Some converters write -1 for none.
        _ if id == u64::from(u32::MAX) => Ok(None),
        _ => {
            let text = format!("{id}; the vocabulary has {tokens} tokens: the file is damaged");
            Err(gguf.key_error(&key, text).into())
        }
    }
}

impl Pieces {
    /// Reads the keys of a file.
    pub fn read(gguf: &Gguf) -> Result<Self, Error> {
        let missing = |key| Error::from(gguf.key_error(key, "missing; the file has no tokenizer"));
        let model = gguf.string(MODEL)?.ok_or_else(|| missing(MODEL))?;
        let tokens = gguf.strings(TOKENS)?.ok_or_else(|| missing(TOKENS))?;
        let tokens: Vec<String> = tokens.into_iter().map(str::to_string).collect();
        let count = |key: &str, found: usize| {
            if found == tokens.len() {
                return Ok(());
            }
            let text = format!("{found} items; expected {}, one a token", tokens.len());
            Err(Error::from(gguf.key_error(key, text)))
        };
        let types = match gguf.unsigneds(TYPES)? {
            None => vec![kind::NORMAL; tokens.len()],
            Some(types) => types.into_iter().map(|t| u8::try_from(t).unwrap_or(0)).collect(),
        };
        count(TYPES, types.len())?;
        let mut seen = HashMap::new();
        for (id, token) in tokens.iter().enumerate() {
            if let Some(first) = seen.insert(token, id) {
                let text =
                    format!("tokens {first} and {id} are both {token:?}; expected each once");
                return Err(gguf.key_error(TOKENS, text).into());
            }
        }
        let mut warnings = Vec::new();
        let joining = match model {
            "gpt2" => {
                let merges = gguf.strings(MERGES)?.ok_or_else(|| missing(MERGES))?;
                let pre = pre(gguf, &seen, &mut warnings)?;
                Joining::Merges(pre, pairs(gguf, merges, &seen)?)
            }
            "llama" => {
                let scores = gguf.reals(SCORES)?.ok_or_else(|| missing(SCORES))?;
                count(SCORES, scores.len())?;
                if let Some(at) = scores.iter().position(|score| !score.is_finite()) {
                    let text = format!("item {at} is {}; expected finite numbers", scores[at]);
                    return Err(gguf.key_error(SCORES, text).into());
                }
                if let Some(token) = tokens.iter().find(|token| token.len() > MAX_SCORED) {
                    let text = format!(
                        "a token of {} bytes; expected at most {MAX_SCORED}: the file is damaged",
                        token.len()
                    );
                    return Err(gguf.key_error(TOKENS, text).into());
                }
                Joining::Scores(scores)
            }
            other => {
                let text = format!(
                    "{other:?}; this version reads \"gpt2\" (byte-level BPE) and \"llama\" \
                     (SentencePiece BPE): take the checkpoint with a tokenizer.json"
                );
                return Err(gguf.key_error(MODEL, text).into());
            }
        };
        // What llama.cpp does where a file says nothing.
        let scored = matches!(joining, Joining::Scores(_));
        let begins = scored || matches!(joining, Joining::Merges(Pre::Llama3, _));
        let flag = |name: &str, otherwise| {
            Ok::<_, Error>(gguf.boolean(&format!("tokenizer.ggml.{name}"))?.unwrap_or(otherwise))
        };
        let unknown = special(gguf, "unk")?.or((scored && !tokens.is_empty()).then_some(0));
        Ok(Self {
            tokens,
            types,
            joining,
            bos: special(gguf, "bos")?,
            eos: special(gguf, "eos")?,
            unknown,
            add_bos: flag("add_bos_token", begins)?,
            add_eos: flag("add_eos_token", false)?,
            add_space: flag("add_space_prefix", scored)?,
            warnings,
        })
    }

    /// The keys of a GGUF file.
    pub fn keys(&self) -> Vec<(String, Value)> {
        let (model, joining) = match &self.joining {
            Joining::Merges(pre, merges) => {
                let merges: Vec<String> = merges.iter().map(|(a, b)| format!("{a} {b}")).collect();
                let merges = Array::strings(merges.iter().map(String::as_str));
                let pre = (PRE.to_string(), Value::String(pre.name().into()));
                ("gpt2", vec![pre, (MERGES.into(), Value::Array(merges))])
            }
            Joining::Scores(scores) => {
                ("llama", vec![(SCORES.to_string(), Value::Array(Array::f32s(scores)))])
            }
        };
        let types: Vec<i32> = self.types.iter().map(|t| i32::from(*t)).collect();
        let tokens = Array::strings(self.tokens.iter().map(String::as_str));
        let mut keys = vec![
            (MODEL.to_string(), Value::String(model.into())),
            (TOKENS.to_string(), Value::Array(tokens)),
            (TYPES.to_string(), Value::Array(Array::i32s(&types))),
        ];
        keys.extend(joining);
        let ids = [("bos", self.bos), ("eos", self.eos), ("unknown", self.unknown)];
        for (name, id) in ids {
            let key = format!("tokenizer.ggml.{name}_token_id");
            keys.extend(id.map(|id| (key, Value::U32(id))));
        }
        let flags = [
            ("add_bos_token", self.add_bos),
            ("add_eos_token", self.add_eos),
            ("add_space_prefix", self.add_space),
        ];
        keys.extend(flags.map(|(name, on)| (format!("tokenizer.ggml.{name}"), Value::Bool(on))));
        keys
    }

    /// What it is, for people.
    pub fn name(&self) -> String {
        match &self.joining {
            Joining::Merges(pre, _) => format!("byte-level BPE, cut as {}", pre.name()),
            Joining::Scores(_) => "SentencePiece BPE by scores".into(),
        }
    }

    /// The token that begins a text, where there is one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// A token's piece.
    pub fn token(&self, id: u32) -> &str {
        self.tokens.get(id as usize).map_or("", String::as_str)
    }

    /// Number of tokens.
    pub fn count(&self) -> usize {
        self.tokens.len()
    }
}

/// The pre-tokenizer that a file names.
fn pre(
    gguf: &Gguf,
    tokens: &HashMap<&String, usize>,
    warnings: &mut Vec<String>,
) -> Result<Pre, Error> {
    let Some(name) = gguf.string(PRE)? else {
        let llama3 = ["<|begin_of_text|>", "<|eot_id|>"];
        let pre = if llama3.iter().all(|token| tokens.contains_key(&token.to_string())) {
            Pre::Llama3
        } else {
            Pre::Default
        };
        warnings.push(format!(
            "{PRE} is missing, as old converters leave it; taken as {:?}, by the vocabulary",
            pre.name()
        ));
        return Ok(pre);
    };
    Pre::of(name).ok_or_else(|| {
        let text = format!(
            "{name:?}; this version cuts text as gpt-2, llama-bpe (llama3, falcon3) and default: take \
             the checkpoint with a tokenizer.json"
        );
        gguf.key_error(PRE, text).into()
    })
}

/// Merges `"a b"` as pairs.
fn pairs(
    gguf: &Gguf,
    merges: Vec<&str>,
    tokens: &HashMap<&String, usize>,
) -> Result<Vec<(String, String)>, Error> {
    let pair = |(index, merge): (usize, &str)| {
        let wrong = |what: String| {
            let text = format!("item {index} is {merge:?}; {what}: the file is damaged");
            Error::from(gguf.key_error(MERGES, text))
        };
        let Some((a, b)) = merge.split_once(' ') else {
            return Err(wrong("expected two pieces with a space between".into()));
        };
        let parts = [a.to_string(), b.to_string(), [a, b].concat()];
        match parts.iter().find(|part| !tokens.contains_key(part)) {
            Some(part) => Err(wrong(format!("{part:?} is no token"))),
            None => Ok((a.to_string(), b.to_string())),
        }
    };
    merges.into_iter().enumerate().map(pair).collect()
}
