//! Tokenizers in the keys of GGUF files, and the same as a `tokenizer.json`.
//!
//! `gpt2` is byte-level BPE with merges; its pre-tokenizer has a name of its own. `llama` is
//! SentencePiece's BPE, of which the merges follow from the scores.

use crate::Error;
use serde_json::{Map, Value as Json, json};
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

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

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
    const ALL: [Self; 3] = [Self::Gpt2, Self::Llama3, Self::Default];

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

    /// The pre-tokenizer of a `tokenizer.json`.
    fn json(self) -> Json {
        let bytes = |use_regex| {
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                   "use_regex": use_regex})
        };
        let expressions: &[&str] = match self {
            Self::Gpt2 => return bytes(true),
            Self::Llama3 => &[LLAMA3],
            Self::Default => &[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
        };
        let split = |regex: &&str| {
            json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated",
                   "invert": false})
        };
        let parts: Vec<Json> = expressions.iter().map(split).chain([bytes(false)]).collect();
        json!({"type": "Sequence", "pretokenizers": parts})
    }

    /// The pre-tokenizer of a `tokenizer.json`, if it is one of these.
    fn of_json(found: &Json) -> Option<Self> {
        // Offsets of tokens in the text are not looked at here.
        let text = |json: &Json| {
            json.to_string().replace(r#","trim_offsets":false"#, r#","trim_offsets":true"#)
        };
        Self::ALL.into_iter().find(|pre| text(&pre.json()) == text(found))
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

    /// From a `tokenizer.json` of byte-level BPE, filled up to `vocab` tokens; `bos` and `eos` are
    /// the ids of `config.json`. The text of an error says why it does not fit.
    pub fn from_json(
        json: &Json,
        vocab: usize,
        bos: Option<u32>,
        eos: Option<u32>,
    ) -> Result<Self, String> {
        let model = &json["model"];
        if model["type"] != "BPE" || model["byte_fallback"] == true {
            return Err(
                "GGUF is written with byte-level BPE tokenizers only; this one is of another \
                        kind"
                    .into(),
            );
        }
        if !json["normalizer"].is_null() {
            return Err("its normalizer has no place in GGUF".into());
        }
        let Some(pre) = Pre::of_json(&json["pre_tokenizer"]) else {
            return Err(format!(
                "its pre_tokenizer is none that GGUF has a name for here (as GPT-2, as Llama 3): {}",
                json["pre_tokenizer"]
            ));
        };
        let mut tokens: Vec<Option<(String, u8)>> = vec![None; vocab];
        let mut put = |token: &str, id: &Json, kind: u8| {
            let slot = id.as_u64().and_then(|id| tokens.get_mut(usize::try_from(id).ok()?));
            let slot =
                slot.ok_or(format!("token {token:?} has the id {id}; expected 0..{vocab}"))?;
            *slot = Some((token.into(), kind));
            Ok::<(), String>(())
        };
        for (token, id) in model["vocab"].as_object().into_iter().flatten() {
            put(token, id, kind::NORMAL)?;
        }
        for added in json["added_tokens"].as_array().into_iter().flatten() {
            let kind = if added["special"] == true { kind::CONTROL } else { kind::USER_DEFINED };
            put(added["content"].as_str().unwrap_or_default(), &added["id"], kind)?;
        }
        let (tokens, types): (Vec<_>, Vec<_>) = tokens
            .into_iter()
            .enumerate()
            .map(|(id, token)| token.unwrap_or((format!("[PAD{id}]"), kind::UNUSED)))
            .unzip();
        let merge = |merge: &Json| {
            let pair = match merge {
                Json::String(text) => text.split_once(' '),
                _ => merge[0].as_str().zip(merge[1].as_str()),
            };
            pair.map(|(a, b)| (a.to_string(), b.to_string()))
                .ok_or(format!("the merge {merge} is not a pair"))
        };
        let merges = model["merges"].as_array().into_iter().flatten().map(merge);
        let merges = merges.collect::<Result<Vec<_>, _>>()?;
        let (before, after) = template(&json["post_processor"]);
        let id = |name: &str| tokens.iter().position(|token| token == name).map(|id| id as u32);
        let (before, after) = (before.and_then(id), after.and_then(id));
        Ok(Self {
            joining: Joining::Merges(pre, merges),
            bos: before.or(bos),
            eos: eos.or(after),
            unknown: None,
            add_bos: before.is_some(),
            add_eos: after.is_some(),
            add_space: false,
            warnings: Vec::new(),
            tokens,
            types,
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

    /// Pairs in the order in which scores merge them.
    fn merges_by_score(&self, scores: &[f32]) -> Vec<(&str, &str)> {
        let mergeable = |id: &usize| [kind::NORMAL, kind::USER_DEFINED].contains(&self.types[*id]);
        let ids: HashMap<&str, usize> =
            self.tokens.iter().enumerate().map(|(id, token)| (token.as_str(), id)).collect();
        let mut merges = Vec::new();
        for id in (0..self.tokens.len()).filter(mergeable) {
            let token = self.tokens[id].as_str();
            let mut cuts: Vec<_> = token
                .char_indices()
                .skip(1)
                .map(|(at, _)| token.split_at(at))
                .filter_map(|(a, b)| Some((*ids.get(a)?, *ids.get(b)?, (a, b))))
                .collect();
            cuts.sort_unstable_by_key(|(a, b, _)| (*a, *b));
            merges.extend(cuts.into_iter().map(|(_, _, pair)| (scores[id], pair)));
        }
        merges.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        merges.into_iter().map(|(_, pair)| pair).collect()
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

/// The special tokens that a post-processor puts before and after a text.
fn template<'a>(post: &'a Json) -> (Option<&'a str>, Option<&'a str>) {
    if let Some(parts) = post["processors"].as_array() {
        let found = parts.iter().map(template).find(|(a, b)| a.is_some() || b.is_some());
        return found.unwrap_or_default();
    }
    let parts = post["single"].as_array().map_or(&[][..], Vec::as_slice);
    let special = |part: Option<&'a Json>| part?["SpecialToken"]["id"].as_str();
    (special(parts.first()), special(parts.last()))
}

/// The `tokenizer.json` of a vocabulary.
pub fn tokenizer_json(pieces: &Pieces) -> Json {
    let added = |(id, kind): (usize, &u8)| {
        let special = [kind::CONTROL, kind::UNKNOWN].contains(kind);
        let added = special || *kind == kind::USER_DEFINED;
        added.then(|| {
            json!({"id": id, "content": pieces.tokens[id], "single_word": false, "lstrip": false,
                   "rstrip": false, "normalized": false, "special": special})
        })
    };
    let added: Vec<Json> = pieces.types.iter().enumerate().filter_map(added).collect();
    let vocab: Map<String, Json> =
        pieces.tokens.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    let mut model = json!({"type": "BPE", "dropout": null, "unk_token": null,
        "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
        "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": []});
    let (normalizer, pre_tokenizer, decoder);
    match &pieces.joining {
        Joining::Merges(pre, merges) => {
            model["merges"] = json!(merges);
            model["ignore_merges"] = (*pre == Pre::Llama3).into();
            normalizer = Json::Null;
            pre_tokenizer = pre.json();
            decoder = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
                             "use_regex": true});
        }
        Joining::Scores(scores) => {
            model["merges"] = json!(pieces.merges_by_score(scores));
            model["byte_fallback"] = true.into();
            model["fuse_unk"] = true.into();
            model["unk_token"] = pieces.unknown.map(|id| pieces.tokens[id as usize].clone()).into();
            let space =
                json!({"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"});
            let back =
                json!({"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "});
            let mut steps = vec![space];
            let mut parts = vec![back, json!({"type": "ByteFallback"}), json!({"type": "Fuse"})];
            if pieces.add_space {
                steps.insert(0, json!({"type": "Prepend", "prepend": "\u{2581}"}));
                parts.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
            }
            normalizer = json!({"type": "Sequence", "normalizers": steps});
            pre_tokenizer = Json::Null;
            decoder = json!({"type": "Sequence", "decoders": parts});
        }
    }
    json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor(pieces), "decoder": decoder, "model": model})
}

/// What puts the first and last tokens around a text.
fn post_processor(pieces: &Pieces) -> Json {
    let bos = pieces.bos.filter(|_| pieces.add_bos);
    let eos = pieces.eos.filter(|_| pieces.add_eos);
    if bos.is_none() && eos.is_none() {
        return Json::Null;
    }
    let token = |id: u32| pieces.tokens[id as usize].as_str();
    let part = |id: u32, kind: u32| json!({"SpecialToken": {"id": token(id), "type_id": kind}});
    let text = |name: &str, kind: u32| json!({"Sequence": {"id": name, "type_id": kind}});
    let around = |name: &str, kind: u32| -> Vec<Json> {
        let before = bos.map(|id| part(id, kind));
        let after = eos.map(|id| part(id, kind));
        before.into_iter().chain([text(name, kind)]).chain(after).collect()
    };
    let specials: Map<String, Json> = [bos, eos]
        .into_iter()
        .flatten()
        .map(|id| {
            (token(id).to_string(), json!({"id": token(id), "ids": [id], "tokens": [token(id)]}))
        })
        .collect();
    let pair: Vec<Json> = [around("A", 0), around("B", 1)].concat();
    json!({"type": "TemplateProcessing", "single": around("A", 0), "pair": pair,
           "special_tokens": specials})
}
