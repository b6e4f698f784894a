//! Tokenizers from the keys of files.

use crate::{
    common::{json_of, root},
    file::{File, Stored, f32s, strings},
    write,
};
use serde_json::json;
use std::collections::HashMap;
use terntable::import::{AnyCheckpoint, Tokenizer};
use terntable_golden::sample::mix;

/// Strings that tokenizers stumble over, and random ones.
fn texts(count: u64) -> Vec<String> {
    const PARTS: [&str; 32] = [
        " ",
        "  ",
        "\n",
        "\t",
        "\r\n",
        "a",
        "the",
        "The",
        "hello",
        "'s",
        "'S",
        "'ll",
        "1",
        "12345",
        "²",
        "!",
        "...",
        "$+<=>^~|",
        "é",
        "ß",
        "ﬁ",
        "世界",
        "🙂",
        "👩‍🚀",
        "\u{301}",
        "\u{a0}",
        "<|end|>",
        "\u{2581}",
        "\u{0}",
        "_",
        "Ġ",
        "ǅ",
    ];
    let random = |case: u64| {
        let draw = |i: u64| mix(case << 8 | i);
        (0..draw(255) % 12).map(|i| PARTS[draw(i) as usize % PARTS.len()]).collect()
    };
    (0..count).map(random).collect()
}

fn of(file: &File) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    AnyCheckpoint::open(&write(folder.path(), file)).unwrap().tokenizer().unwrap()
}

#[test]
fn the_bundled_tokenizer_survives() {
    let folder = tempfile::tempdir().unwrap();
    let bundled = root().join("models/shakespeare");
    let out = folder.path().join("s.gguf");
    json_of(&["convert", &bundled.to_string_lossy(), &out.to_string_lossy(), "--json"]);
    let expected = AnyCheckpoint::open(&bundled).unwrap().tokenizer().unwrap();
    let ours = AnyCheckpoint::open(&out).unwrap().tokenizer().unwrap();
    for text in texts(2000) {
        let tokens = expected.encode(&text).unwrap();
        assert_eq!(ours.encode(&text).unwrap(), tokens, "{text:?}");
        assert_eq!(ours.decode(&tokens).unwrap(), expected.decode(&tokens).unwrap(), "{text:?}");
    }
}

/// How each pre-tokenizer cuts, seen through merges that only whole pieces allow.
#[test]
fn pre_tokenizers_cut_as_their_names_say() {
    let pieces = |pre: Option<&str>, text: &str| {
        let mut file = File::model("bitnet", Stored::Tq2_0);
        match pre {
            Some(pre) => file.string("tokenizer.ggml.pre", pre),
            None => file.keys.retain(|key| key.0 != "tokenizer.ggml.pre"),
        }
        // "12" and "!!" are merged wherever they stand in one piece, "1234" and "\n\n" as well.
        let merges = ["1 2", "3 4", "12 34", "! !", "Ċ Ċ", "' S", "h e"].map(str::to_string);
        let mut tokens: Vec<String> = (0..256_u32).map(byte_character).collect();
        tokens.extend(merges.iter().map(|merge| merge.replace(' ', "")));
        tokens.extend((tokens.len()..272).map(|id| format!("[PAD{id}]")));
        file.key("tokenizer.ggml.tokens", 9, strings(&tokens));
        file.key("tokenizer.ggml.merges", 9, strings(&merges));
        let plain = [&5_u32.to_le_bytes()[..], &272_u64.to_le_bytes()].concat();
        let kinds = [plain, 1_i32.to_le_bytes().repeat(272)].concat();
        file.key("tokenizer.ggml.token_type", 9, kinds);
        let ids = of(&file).encode(text).unwrap();
        ids.iter().map(|id| tokens[*id as usize].clone()).collect::<Vec<_>>().join(" ")
    };
    // Llama 3 cuts digits in threes, takes line ends together and knows 'S.
    assert_eq!(pieces(Some("llama-bpe"), "1234\n\n'S"), "12 3 4 ĊĊ 'S");
    assert_eq!(pieces(Some("falcon3"), "1234\n\n'S"), "12 3 4 ĊĊ 'S");
    // GPT-2 keeps digits together and leaves the last blank to what follows.
    assert_eq!(pieces(Some("gpt-2"), "1234\n\n'S"), "1234 Ċ Ċ ' S");
    // The default cuts digits in threes from the left, and punctuation apart.
    assert_eq!(pieces(Some("default"), "1234 !!"), "12 3 4 Ġ !!");
    assert_eq!(pieces(Some("gpt-2"), "1234 !!"), "1234 Ġ !!");
    assert_eq!(pieces(None, "1234"), "12 3 4");
}

fn byte_character(byte: u32) -> String {
    let plain = |b: u32| (33..=126).contains(&b) || (161..=172).contains(&b) || b >= 174;
    let code =
        if plain(byte) { byte } else { 256 + (0..byte).filter(|b| !plain(*b)).count() as u32 };
    char::from_u32(code).unwrap().to_string()
}

/// Special tokens, tokens before and after a text, and files without a pre-tokenizer.
#[test]
fn special_tokens_stand_where_the_file_says() {
    let mut file = File::model("bitnet", Stored::Tq2_0);
    let hello = of(&file).encode("hello").unwrap();
    assert_eq!(hello, [259]);
    assert_eq!(of(&file).encode("hello<|end|>").unwrap(), [259, 262]);
    assert_eq!(of(&file).decode(&[259, 262]).unwrap(), "hello");
    file.key("tokenizer.ggml.add_bos_token", 7, vec![1]);
    file.key("tokenizer.ggml.add_eos_token", 7, vec![1]);
    file.u32("tokenizer.ggml.bos_token_id", 265);
    assert_eq!(of(&file).encode("hello").unwrap(), [265, 259, 262]);
    // Llama 3's begins a text even if the file does not say so.
    file.keys.retain(|key| !key.0.contains("add_"));
    file.string("tokenizer.ggml.pre", "llama-bpe");
    assert_eq!(of(&file).encode("hello").unwrap(), [265, 259]);
}

#[test]
fn turns_end_by_key_or_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let ends = |file: &File| {
        AnyCheckpoint::open(&write(folder.path(), file)).unwrap().end_tokens().unwrap()
    };
    let mut file = File::model("bitnet", Stored::Tq2_0);
    let mut tokens: Vec<String> = (0..256_u32).map(byte_character).collect();
    tokens.extend((256..272).map(|id| format!("[PAD{id}]")));
    tokens[270] = "<|eot_id|>".into();
    file.key("tokenizer.ggml.tokens", 9, strings(&tokens));
    assert_eq!(ends(&file), [262, 270]);
    file.u32("tokenizer.ggml.eot_token_id", 265);
    file.u32("tokenizer.ggml.eom_token_id", 262);
    assert_eq!(ends(&file), [262, 265]);
}

/// SentencePiece's BPE by its definition: merge the adjacent pair whose union has the highest score,
/// the first of equals; what is no token becomes bytes.
fn by_scores(ids: &HashMap<String, u32>, scores: &[f32], text: &str) -> Vec<u32> {
    let text = format!("\u{2581}{}", text.replace(' ', "\u{2581}"));
    let mut parts: Vec<String> = text.chars().map(String::from).collect();
    loop {
        let score = |at: usize| {
            let id = ids.get(&format!("{}{}", parts[at], parts[at + 1]))?;
            Some(scores[*id as usize])
        };
        let mut best: Option<(f32, usize)> = None;
        for at in 0..parts.len().saturating_sub(1) {
            if let Some(score) = score(at).filter(|s| best.is_none_or(|(most, _)| *s > most)) {
                best = Some((score, at));
            }
        }
        let Some((_, at)) = best else { break };
        let next = parts.remove(at + 1);
        parts[at].push_str(&next);
    }
    let id = |part: &String| match ids.get(part) {
        Some(id) => vec![*id],
        None => part.bytes().map(|b| ids[&format!("<0x{b:02X}>")]).collect(),
    };
    parts.iter().flat_map(id).collect()
}

#[test]
fn scores_merge_as_sentencepiece_does() {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_string).to_vec();
    tokens.extend((0..256).map(|b| format!("<0x{b:02X}>")));
    let plain = [
        "\u{2581}t",
        "he",
        "in",
        "\u{2581}the",
        "ing",
        "er",
        "\u{2581}\u{2581}",
        "lo",
        "hel",
        "hello",
    ];
    tokens.extend(plain.map(str::to_string));
    let letters: Vec<String> = ('a'..='z').chain(['\u{2581}']).map(String::from).collect();
    tokens.extend(letters.clone());
    tokens.retain(|token| !token.is_empty());
    let vocab = tokens.len();
    let mut file = File::model("llama", Stored::Tq2_0);
    for name in ["token_embd.weight", "output.weight"] {
        let tensor = file.tensor(name);
        tensor.shape[1] = vocab as u64;
        tensor.bytes = f32s(&crate::file::real(1, 256 * vocab));
    }
    // Distinct, and in another order than the tokens.
    let scores: Vec<f32> = (0..vocab).map(|id| -((id * 37 % 311) as f32)).collect();
    let numbers = |kind: u32, bytes: Vec<u8>| {
        [&kind.to_le_bytes()[..], &(vocab as u64).to_le_bytes(), &bytes].concat()
    };
    let kinds = (0..vocab).map(|id| match id {
        0 => 2_i32,
        1 | 2 => 3,
        3..259 => 6,
        _ => 1,
    });
    file.keys.retain(|key| !key.0.starts_with("tokenizer"));
    file.string("tokenizer.ggml.model", "llama");
    file.key("tokenizer.ggml.tokens", 9, strings(&tokens));
    file.key("tokenizer.ggml.scores", 9, numbers(6, f32s(&scores)));
    file.key(
        "tokenizer.ggml.token_type",
        9,
        numbers(5, kinds.flat_map(i32::to_le_bytes).collect()),
    );
    file.u32("tokenizer.ggml.bos_token_id", 1);
    file.u32("tokenizer.ggml.eos_token_id", 2);
    let tokenizer = of(&file);
    let ids: HashMap<String, u32> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), id as u32)).collect();
    let mut merged = 0;
    for text in texts(2000).into_iter().filter(|t| !t.is_empty() && !t.contains('\u{2581}')) {
        let expected = [vec![1], by_scores(&ids, &scores, &text)].concat();
        merged += usize::from(expected.iter().any(|id| (259..269).contains(id)));
        assert_eq!(tokenizer.encode(&text).unwrap(), expected, "{text:?}");
        assert_eq!(tokenizer.decode(&expected).unwrap(), text, "{text:?}");
    }
    assert!(merged > 500, "{merged}");
    assert_eq!(tokenizer.encode("hello").unwrap().len(), 3);
}

/// What a tokenizer.json says and GGUF cannot is refused, or noted where it seldom matters.
#[test]
fn tokenizers_that_gguf_cannot_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (from, out) = (folder.path().join("from"), folder.path().join("out.gguf"));
    std::fs::create_dir(&from).unwrap();
    let bundled = root().join("models/shakespeare");
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(bundled.join(name), from.join(name)).unwrap();
    }
    let text = std::fs::read_to_string(bundled.join("tokenizer.json")).unwrap();
    let good: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (from, to) = (from.to_string_lossy(), out.to_string_lossy());
    let change = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = good.clone();
        change(&mut json);
        std::fs::write(format!("{from}/tokenizer.json"), json.to_string()).unwrap();
    };
    let refused = |part: &str| {
        crate::hostile::refused(&["convert", &from, &to], &["tokenizer.json", part]);
    };
    change(&|json| json["model"]["ignore_merges"] = true.into());
    refused("ignore_merges");
    change(&|json| json["normalizer"] = json!({"type": "NFC"}));
    refused("normalizer");
    change(&|json| json["pre_tokenizer"]["add_prefix_space"] = true.into());
    refused("pre_tokenizer");
    change(&|json| json["model"]["byte_fallback"] = true.into());
    refused("byte-level");
    let last = good["model"]["vocab"].as_object().unwrap().iter().find(|(_, id)| **id == 1023);
    let last = last.unwrap().0.as_str();
    let added = |content: &str| {
        json!([{"id": 1023, "content": content, "single_word": false, "lstrip": true, "rstrip": false,
                "normalized": false, "special": true}])
    };
    change(&|json| json["added_tokens"] = added("<mask>"));
    refused("both have the id 1023");
    change(&|json| {
        // Offsets do not matter, blanks beside a token seldom.
        json["pre_tokenizer"]["trim_offsets"] = false.into();
        json["added_tokens"] = added(last);
    });
    let notes = json_of(&["convert", &from, &to, "--json"])["notes"].to_string();
    assert!(notes.contains("blanks beside it"), "{notes}");
    let tokenizer = AnyCheckpoint::open(&out).unwrap().tokenizer().unwrap();
    assert_eq!(tokenizer.encode(last).unwrap(), [1023]);
}
