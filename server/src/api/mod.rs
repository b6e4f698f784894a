//! Requests and responses, field by field as OpenAI's API has them. The bounds stand here once: the OpenAPI
//! document is made from these types, and every body is checked against the document.

pub mod chat;
pub mod completions;
pub mod models;

use serde::{Deserialize, Serialize};
use terntable_scheduler::Usage as Counted;
use utoipa::ToSchema;

/// How an answer is made: the fields that chats and completions share.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct Manner {
    /// The model, as /v1/models names it. Without it: the one that is served.
    #[schema(min_length = 1)]
    pub model: Option<String>,
    /// 0 takes the likeliest token, more draws more freely. Default: what the model's makers say.
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// Draw from the likeliest tokens only that together have this probability.
    #[schema(minimum = 0, maximum = 1)]
    pub top_p: Option<f64>,
    /// Draw from so many of the likeliest tokens only; 0: from all that the head ranks.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub top_k: Option<usize>,
    /// Leave out tokens whose probability is below this share of the likeliest one's.
    #[schema(minimum = 0, maximum = 1)]
    pub min_p: Option<f64>,
    /// Divides the logits of tokens that were there before, prompt included; above 1 they get rarer.
    #[schema(minimum = 0.01, maximum = 10)]
    pub repetition_penalty: Option<f64>,
    /// Taken from the logit of every token that the answer has.
    #[schema(minimum = -2, maximum = 2)]
    pub presence_penalty: Option<f64>,
    /// Taken from a token's logit for every time that the answer has it.
    #[schema(minimum = -2, maximum = 2)]
    pub frequency_penalty: Option<f64>,
    /// The same seed gives the same answer, whoever else is asking. Choice i takes the seed and i.
    #[schema(value_type = Option<i64>)]
    pub seed: Option<serde_json::Number>,
    /// Choices to make.
    #[schema(minimum = 1, maximum = 16)]
    pub n: Option<usize>,
    /// Most tokens to make.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub max_tokens: Option<usize>,
    /// The text ends before any of these.
    pub stop: Option<Stop>,
    /// Send the answer as it is made, as server-sent events that end in `[DONE]`.
    pub stream: Option<bool>,
    /// What a stream has beside the text.
    pub stream_options: Option<StreamOptions>,
    /// Go on when the model would end its text; for measurements.
    pub ignore_eos: Option<bool>,
}

/// One stop string or some. Their bounds stand in the OpenAPI document.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Stop {
    /// One.
    One(String),
    /// Some.
    Some(Vec<String>),
}

/// What a stream has beside the text.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct StreamOptions {
    /// A last chunk with the tokens that were used.
    pub include_usage: Option<bool>,
}

/// Tokens that a request used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Of the prompt.
    pub prompt_tokens: usize,
    /// Of the answer, all choices.
    pub completion_tokens: usize,
    /// Both.
    pub total_tokens: usize,
    /// More about the prompt's.
    pub prompt_tokens_details: PromptTokens,
}

/// The prompt's tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PromptTokens {
    /// Those whose keys and values were there already.
    pub cached_tokens: usize,
}

impl Usage {
    /// Counts one more choice; `first` is the first of its prompt.
    pub fn add(&mut self, of: &Counted, first: bool) {
        if first {
            self.prompt_tokens += of.prompt_tokens;
        }
        self.completion_tokens += of.completion_tokens;
        self.total_tokens = self.prompt_tokens + self.completion_tokens;
        let cached = &mut self.prompt_tokens_details.cached_tokens;
        *cached = (*cached + of.cached_tokens).min(self.prompt_tokens);
    }
}

/// An event of a stream. Stands in the document alone.
#[derive(ToSchema)]
#[expect(dead_code, reason = "events are written by the library")]
pub struct StreamEvent {
    /// A chunk as JSON, an error as JSON, or `[DONE]`.
    data: String,
}

/// A field's name, and whether a value of it asks for nothing.
type Neutral = (&'static str, fn(&serde_json::Value) -> bool);

/// Fields of OpenAI's API that are not served. With one of the values that ask for nothing they are left out,
/// with any other the request is refused, not answered without them.
const NEUTRAL: [Neutral; 23] = [
    ("user", |v| v.is_string()),
    ("safety_identifier", |v| v.is_string()),
    ("prompt_cache_key", |v| v.is_string()),
    ("metadata", |v| v.is_object()),
    ("store", |v| v == false),
    ("service_tier", |v| v == "auto" || v == "default"),
    ("logit_bias", |v| v.as_object().is_some_and(|map| map.is_empty())),
    ("tools", |v| v.as_array().is_some_and(|list| list.is_empty())),
    ("tool_choice", |v| v == "none" || v == "auto"),
    ("functions", |v| v.as_array().is_some_and(|list| list.is_empty())),
    ("function_call", |v| v == "none" || v == "auto"),
    ("parallel_tool_calls", |v| v.is_boolean()),
    ("response_format", |v| v["type"] == "text"),
    ("modalities", |v| *v == serde_json::json!(["text"])),
    ("audio", |_| false),
    ("prediction", |_| false),
    ("reasoning_effort", |_| false),
    ("verbosity", |_| false),
    ("web_search_options", |_| false),
    ("echo", |v| v == false),
    ("best_of", |v| v == 1),
    ("suffix", |v| v == ""),
    ("prompt_cache_retention", |v| v.is_string()),
];

/// Takes the fields that are not served out of a body; the name of the first that asks for something.
pub fn take_neutral(body: &mut serde_json::Value) -> Result<(), &'static str> {
    let Some(fields) = body.as_object_mut() else { return Ok(()) };
    for (name, neutral) in NEUTRAL {
        if fields.remove(name).is_some_and(|value| !value.is_null() && !neutral(&value)) {
            return Err(name);
        }
    }
    Ok(())
}

/// Makes integers of whole numbers that are written with a point: to JSON Schema they are the same.
pub fn make_whole(value: &mut serde_json::Value) {
    /// Beyond this a binary64 does not tell neighbours apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        serde_json::Value::Array(list) => list.iter_mut().for_each(make_whole),
        serde_json::Value::Object(map) => map.values_mut().for_each(make_whole),
        serde_json::Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().filter(|x| x.fract() == 0.0 && x.abs() <= EXACT);
            if let Some(whole) = whole {
                *number = (whole as i64).into();
            }
        }
        _ => {}
    }
}
