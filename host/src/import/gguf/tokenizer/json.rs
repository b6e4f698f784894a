//! A vocabulary as a `tokenizer.json`, and back.

use super::{Joining, Pieces, Pre, kind};
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl Pre {
    const ALL: [Self; 3] = [Self::Gpt2, Self::Llama3, Self::Default];

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
        Self::ALL.into_iter().find(|pre| without_offsets(&pre.json()) == without_offsets(found))
    }
}

/// A pre-tokenizer without what it says of offsets in the text, which are not looked at here.
fn without_offsets(json: &Json) -> Json {
    let mut json = json.clone();
    if let Some(fields) = json.as_object_mut() {
        fields.remove("trim_offsets");
        let parts = fields.get_mut("pretokenizers").and_then(Json::as_array_mut);
        parts.into_iter().flatten().for_each(|part| *part = without_offsets(part));
    }
    json
}

impl Pieces {
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
            return Err("it is no byte-level BPE, the only kind that is written to GGUF".into());
        }
        let pre = Pre::of_json(&json["pre_tokenizer"]).ok_or_else(|| {
            format!(
                "its pre_tokenizer is none that GGUF has a name for here (as GPT-2, as Llama 3): {}",
                json["pre_tokenizer"]
            )
        })?;
        let absent = |value: &Json| value.is_null() || *value == "";
        let whole_words = model["ignore_merges"] == true;
        let fits = [
            ("normalizer", json["normalizer"].is_null()),
            ("decoder", json["decoder"]["type"] == "ByteLevel"),
            ("continuing_subword_prefix", absent(&model["continuing_subword_prefix"])),
            ("end_of_word_suffix", absent(&model["end_of_word_suffix"])),
            ("ignore_merges", whole_words == (pre == Pre::Llama3)),
        ];
        if let Some((name, _)) = fits.iter().find(|(_, fits)| !fits) {
            return Err(format!(
                "its {name} has no place in GGUF with the pre-tokenizer {}, so that texts would get other \
                 tokens",
                pre.name()
            ));
        }
        let mut warnings = Vec::new();
        let mut tokens: Vec<Option<(String, u8)>> = vec![None; vocab];
        let mut put = |token: &str, id: &Json, kind: u8| {
            let slot = id.as_u64().and_then(|id| tokens.get_mut(usize::try_from(id).ok()?));
            let slot =
                slot.ok_or(format!("token {token:?} has the id {id}; expected 0..{vocab}"))?;
            if let Some((other, _)) = slot.as_ref().filter(|(other, _)| other != token) {
                return Err(format!("tokens {other:?} and {token:?} both have the id {id}"));
            }
            *slot = Some((token.into(), kind));
            Ok::<(), String>(())
        };
        for (token, id) in model["vocab"].as_object().into_iter().flatten() {
            put(token, id, kind::NORMAL)?;
        }
        for added in json["added_tokens"].as_array().into_iter().flatten() {
            let kind = if added["special"] == true { kind::CONTROL } else { kind::USER_DEFINED };
            if ["lstrip", "rstrip", "single_word"].iter().any(|name| added[name] == true) {
                warnings.push(format!(
                    "the token {} takes blanks beside it or stands alone; GGUF cannot say that",
                    added["content"]
                ));
            }
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
            warnings,
            tokens,
            types,
        })
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
