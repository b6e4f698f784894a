//! Rotary parameters of `config.json`: plain, or stretched to a longer context as in Llama 3.

use serde_json::{Map, Value};

/// What the rotary table is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    /// Base of the frequencies.
    pub theta: f32,
    /// What each frequency is divided by, unless nothing.
    pub divisors: Option<Vec<f32>>,
}

/// Reads `rope_parameters` (or the older `rope_scaling`) of a model with heads of `head_dim` elements
/// and a context of `context` tokens. `theta` counts where the object has none.
pub fn rotary(
    fields: Option<&Map<String, Value>>,
    theta: f32,
    head_dim: usize,
    context: usize,
) -> Result<Rotary, String> {
    let plain = Rotary { theta, divisors: None };
    let Some(fields) = fields else {
        return Ok(plain);
    };
    if let Some((key, _)) = fields.iter().find(|(_, value)| value.is_object()) {
        return Err(format!(
            "rotary parameters of their own for {key:?}; this version knows one rotary table a model"
        ));
    }
    let number = |key: &str| match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            Some(number) => Ok(Some(number)),
            None => Err(format!("rotary {key} is {value}; expected a number")),
        },
    };
    let theta = number("rope_theta")?.map_or(theta, |theta| theta as f32);
    if number("partial_rotary_factor")?.is_some_and(|share| share != 1.0) {
        return Err("partial_rotary_factor is not 1; this version rotates whole heads".into());
    }
    let named = |key: &str| fields.get(key).and_then(Value::as_str);
    let kind = named("rope_type").or_else(|| named("type")).unwrap_or("default");
    let factor = number("factor")?;
    match kind {
        "default" if factor.is_none_or(|f| f == 1.0) => Ok(Rotary { theta, ..plain }),
        "llama3" => {
            let needed = |key: &str| {
                number(key)?.ok_or_else(|| format!("rope_type \"llama3\" without {key}"))
            };
            let stretch = Stretch {
                factor: needed("factor")?,
                low: needed("low_freq_factor")?,
                high: needed("high_freq_factor")?,
                context: number("original_max_position_embeddings")?.unwrap_or(context as f64),
            };
            stretch.check()?;
            let divisors = (0..head_dim / 2)
                .map(|i| f64::from(theta).powf(-2.0 * i as f64 / head_dim as f64))
                .map(|frequency| stretch.divisor(frequency) as f32);
            Ok(Rotary { theta, divisors: Some(divisors.collect()) })
        }
        _ => Err(format!(
            "rotary scaling (rope_type {kind:?}, factor {factor:?}); this version knows \"default\" \
             without a factor and \"llama3\""
        )),
    }
}

/// Llama 3's stretch (Grattafiori et al., 2024): frequencies that turn less than `low` times in the
/// original context are divided by `factor`, those that turn more than `high` times stay, and those
/// between take a share of both.
struct Stretch {
    factor: f64,
    low: f64,
    high: f64,
    context: f64,
}

impl Stretch {
    fn check(&self) -> Result<(), String> {
        let Self { factor, low, high, context } = *self;
        let positive = [factor, low, high, context].iter().all(|v| v.is_finite() && *v > 0.0);
        match positive && low < high {
            true => Ok(()),
            false => Err(format!(
                "rope_type \"llama3\" with factor {factor}, low_freq_factor {low}, high_freq_factor \
                 {high}, original_max_position_embeddings {context}; expected positive numbers, the low \
                 factor below the high one"
            )),
        }
    }

    fn divisor(&self, frequency: f64) -> f64 {
        let turns = self.context * frequency / std::f64::consts::TAU;
        if turns < self.low {
            return self.factor;
        }
        if turns > self.high {
            return 1.0;
        }
        let share = (turns - self.low) / (self.high - self.low);
        1.0 / ((1.0 - share) / self.factor + share)
    }
}

/// The `rope_parameters` whose divisors are these, if they are Llama 3's scaling with the numbers that its
/// models have (longest wave 1, shortest 4, trained on 8,192 tokens).
pub fn llama3_parameters(divisors: &[f32], theta: f32, head_dim: usize) -> Option<Value> {
    let fields = serde_json::json!({
        "rope_type": "llama3",
        "rope_theta": theta,
        "factor": divisors.iter().copied().fold(1.0, f32::max),
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    });
    let made = rotary(fields.as_object(), theta, head_dim, 8192).ok()?;
    (made.divisors.as_deref() == Some(divisors)).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Rotary, String> {
        rotary(value.as_object(), 10_000.0, 128, 131_072)
    }

    /// Frequencies of Llama 3.1 (theta 500,000, heads of 128) as transformers 5.23 computes them.
    #[test]
    fn llama3_divides_low_frequencies() {
        let fields = json!({
            "rope_type": "llama3", "rope_theta": 500_000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
        });
        let Rotary { theta, divisors } = read(fields).unwrap();
        let divisors = divisors.unwrap();
        assert_eq!((theta, divisors.len()), (500_000.0, 64));
        assert_eq!((divisors[0], divisors[28], divisors[35], divisors[63]), (1.0, 1.0, 8.0, 8.0));
        assert!(divisors.is_sorted());
        assert!(divisors[29..35].iter().all(|d| (1.0..8.0).contains(d)), "{divisors:?}");
    }

    #[test]
    fn others_are_refused_by_name() {
        let refused = |value: Value, part: &str| {
            let error = read(value).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        for kind in ["yarn", "linear", "dynamic", "longrope"] {
            refused(json!({"type": kind, "factor": 2.0}), kind);
        }
        refused(json!({"factor": 2.0}), "factor Some(2.0)");
        refused(json!({"rope_type": "llama3", "factor": 8.0}), "low_freq_factor");
        refused(json!({"rope_theta": "x"}), "rope_theta");
        refused(json!({"partial_rotary_factor": 0.5}), "partial_rotary_factor");
        refused(json!({"full_attention": {"rope_theta": 1.0}}), "full_attention");
        let equal = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0,
                           "high_freq_factor": 4.0});
        refused(equal, "low factor below");
        let plain = Rotary { theta: 5.0, divisors: None };
        assert_eq!(read(json!({"rope_type": "default", "rope_theta": 5.0})), Ok(plain));
    }
}
