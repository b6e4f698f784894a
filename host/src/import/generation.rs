//! `generation_config.json`: which tokens end a text, and how the model's makers sample.

use super::{config::OneOrMany, config::or_default, read_json};
use crate::Error;
use serde::Deserialize;
use std::path::Path;

/// The fields that matter here; all absent where there is no such file.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Generation {
    eos_token_id: Option<OneOrMany>,
    #[serde(default, deserialize_with = "or_default")]
    do_sample: bool,
    temperature: Option<f64>,
    top_k: Option<usize>,
    top_p: Option<f64>,
}

/// How the makers of a model sample.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Sampling {
    /// 0 is greedy.
    pub temperature: f64,
    /// Only so many of the likeliest tokens.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together have this probability.
    pub top_p: Option<f64>,
}

impl Sampling {
    /// The likeliest token.
    pub const GREEDY: Sampling = Sampling { temperature: 0.0, top_k: None, top_p: None };
}

impl Generation {
    /// Reads the file, if it is there.
    pub fn read(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let read: Self =
            read_json(path, "a generation_config.json", "it is there and must be readable")?;
        let fail = |text: String| Err(Error::File { path: path.into(), text });
        if let Some(t) = read.temperature.filter(|t| !(*t >= 0.0 && t.is_finite())) {
            return fail(format!("temperature {t}; expected a number that is 0 or more"));
        }
        if let Some(p) = read.top_p.filter(|p| !(*p > 0.0 && *p <= 1.0)) {
            return fail(format!("top_p {p}; expected a share above 0 and at most 1"));
        }
        Ok(read)
    }

    /// Tokens that end a text, where the file names them.
    pub fn end_tokens(&self) -> Option<Vec<u32>> {
        self.eos_token_id.as_ref().map(OneOrMany::list)
    }

    /// How to sample; greedy unless the file says `do_sample`.
    pub fn sampling(&self) -> Sampling {
        if !self.do_sample {
            return Sampling::GREEDY;
        }
        Sampling {
            temperature: self.temperature.unwrap_or(1.0),
            top_k: self.top_k.filter(|k| *k > 0),
            top_p: self.top_p.filter(|p| *p < 1.0),
        }
    }
}
