//! Choosing the next token: greedy, or seeded sampling on the ranked candidates.

use crate::head::Candidate;
use std::collections::HashMap;

/// SplitMix64's output function (Steele, Lea and Flood, 2014): 64 bits to 64 well-mixed bits.
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// What tokens lose that were there before. Repetition is that of CTRL (Keskar et al., 2019).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Penalties {
    /// Divides positive logits, and multiplies negative ones, of tokens in prompt or answer; 1 is none.
    pub repetition: f64,
    /// Taken from the logits of tokens in the answer.
    pub presence: f64,
    /// Taken from the logits of tokens in the answer, as often as they are there.
    pub frequency: f64,
}

impl Penalties {
    /// No penalties.
    pub const NONE: Penalties = Penalties { repetition: 1.0, presence: 0.0, frequency: 0.0 };
}

/// The tokens that penalties look at: how often each is in the answer; 0 if in the prompt alone.
type Seen = HashMap<u32, u32>;

/// A sampler: temperature 0 is greedy.
#[derive(Debug, Clone)]
pub struct Sampler {
    temperature: f64,
    top_k: usize,
    top_p: f64,
    min_p: f64,
    penalties: Penalties,
    seen: Seen,
    seed: u64,
    drawn: u64,
}

impl Sampler {
    /// A sampler of its own stream of random numbers.
    pub fn new(temperature: f64, seed: u64) -> Self {
        Self {
            temperature,
            top_k: usize::MAX,
            top_p: 1.0,
            min_p: 0.0,
            penalties: Penalties::NONE,
            seen: Seen::new(),
            seed,
            drawn: 0,
        }
    }

    /// Draws only from the first `top_k` candidates (at least one), and of those only from the first
    /// that together have `top_p` of their mass.
    pub fn limited(self, top_k: Option<usize>, top_p: Option<f64>) -> Self {
        Self { top_k: top_k.unwrap_or(usize::MAX).max(1), top_p: top_p.unwrap_or(1.0), ..self }
    }

    /// Draws only from candidates that have at least `min_p` of the first one's mass.
    pub fn at_least(self, min_p: Option<f64>) -> Self {
        Self { min_p: min_p.unwrap_or(0.0), ..self }
    }

    /// Penalises tokens of the prompt, and those that it picks from now on.
    pub fn penalised(self, penalties: Penalties, prompt: &[u32]) -> Self {
        let prompt = if penalties == Penalties::NONE { &[] } else { prompt };
        let seen = prompt.iter().map(|&token| (token, 0)).collect();
        Self { penalties, seen, ..self }
    }

    /// Picks from candidates ranked by [`crate::head::Head::rank`]; the first on temperature 0.
    ///
    /// The draw uses binary64 and the `libm` crate alone, so equal candidates and seeds give equal
    /// tokens on every machine and device.
    pub fn pick(&mut self, ranked: &[Candidate]) -> u32 {
        if self.penalties == Penalties::NONE {
            return self.draw(ranked.len(), |i| (ranked[i].token, f64::from(ranked[i].logit)));
        }
        let penalised = self.penalise(ranked);
        let token = self.draw(penalised.len(), |i| penalised[i]);
        *self.seen.entry(token).or_default() += 1;
        token
    }

    /// The candidates after penalties, ranked again by the rule of [`crate::head::Head::rank`].
    fn penalise(&self, ranked: &[Candidate]) -> Vec<(u32, f64)> {
        let Penalties { repetition, presence, frequency } = self.penalties;
        let penalised = |c: &Candidate| {
            let logit = f64::from(c.logit);
            let Some(&count) = self.seen.get(&c.token) else { return (c.token, logit) };
            let repeated = if logit > 0.0 { logit / repetition } else { logit * repetition };
            let present = if count > 0 { presence } else { 0.0 };
            (c.token, repeated - present - frequency * f64::from(count))
        };
        let mut all: Vec<(u32, f64)> = ranked.iter().map(penalised).collect();
        let order = |logit: f64| if logit.is_nan() { f64::NEG_INFINITY } else { logit };
        all.sort_by(|a, b| order(b.1).total_cmp(&order(a.1)).then(a.0.cmp(&b.0)));
        all
    }

    /// Draws from `count` candidates, best first.
    fn draw(&mut self, count: usize, candidate: impl Fn(usize) -> (u32, f64)) -> u32 {
        if self.temperature <= 0.0 {
            return candidate(0).0;
        }
        let mut count = self.top_k.min(count);
        let top = candidate(0).1;
        let mass = |i: usize| libm::exp((candidate(i).1 - top) / self.temperature);
        let mut total: f64 = (0..count).map(mass).sum();
        if self.top_p < 1.0 || self.min_p > 0.0 {
            let (mut kept, limit) = (0, self.top_p * total);
            total = 0.0;
            while (self.top_p >= 1.0 || total < limit)
                && kept < count
                && (kept == 0 || mass(kept) >= self.min_p)
            {
                total += mass(kept);
                kept += 1;
            }
            count = kept.max(1);
        }
        let bits = mix(mix(self.seed) ^ self.drawn);
        self.drawn += 1;
        let mut left = (bits >> 11) as f64 / (1_u64 << 53) as f64 * total;
        for i in 0..count {
            left -= mass(i);
            if left < 0.0 {
                return candidate(i).0;
            }
        }
        candidate(0).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked() -> Vec<Candidate> {
        [(7, 2.0), (1, 1.0), (4, 0.0)].map(|(token, logit)| Candidate { token, logit }).to_vec()
    }

    #[test]
    fn greedy_takes_the_first() {
        assert_eq!(Sampler::new(0.0, 1).pick(&ranked()), 7);
    }

    #[test]
    fn draws_follow_the_softmax_and_the_seed() {
        let draw = |seed| {
            let mut sampler = Sampler::new(1.0, seed);
            (0..4000).map(|_| sampler.pick(&ranked())).collect::<Vec<_>>()
        };
        let first = draw(3);
        assert_eq!(first, draw(3));
        assert_ne!(first, draw(4));
        let share = first.iter().filter(|&&t| t == 7).count() as f64 / 4000.0;
        assert!((share - 0.665).abs() < 0.03, "{share}");
    }

    #[test]
    fn limits_cut_the_tail() {
        // Masses of e^2, e and 1: shares of 0.665, 0.245 and 0.090.
        let drawn = |top_k, top_p| {
            let mut sampler = Sampler::new(1.0, 5).limited(top_k, top_p);
            let mut tokens: Vec<u32> = (0..500).map(|_| sampler.pick(&ranked())).collect();
            tokens.sort_unstable();
            tokens.dedup();
            tokens
        };
        assert_eq!(drawn(None, None), [1, 4, 7]);
        assert_eq!((drawn(Some(2), None), drawn(Some(1), None)), (vec![1, 7], vec![7]));
        assert_eq!((drawn(None, Some(0.9)), drawn(None, Some(0.92))), (vec![1, 7], vec![1, 4, 7]));
        assert_eq!((drawn(None, Some(0.6)), drawn(None, Some(1e-9))), (vec![7], vec![7]));
        // Of the two that top_k leaves, the first has 0.731.
        assert_eq!((drawn(Some(2), Some(0.7)), drawn(Some(2), Some(0.75))), (vec![7], vec![1, 7]));
        assert_eq!(drawn(Some(0), None), [7]);
    }

    #[test]
    fn min_p_cuts_what_is_unlikely_beside_the_first() {
        // Masses beside the first: 1, 0.368 and 0.135.
        let drawn = |min_p, top_p| {
            let mut sampler = Sampler::new(1.0, 5).limited(None, top_p).at_least(Some(min_p));
            let mut tokens: Vec<u32> = (0..500).map(|_| sampler.pick(&ranked())).collect();
            tokens.sort_unstable();
            tokens.dedup();
            tokens
        };
        assert_eq!((drawn(0.13, None), drawn(0.14, None)), (vec![1, 4, 7], vec![1, 7]));
        assert_eq!((drawn(0.36, None), drawn(0.37, None)), (vec![1, 7], vec![7]));
        assert_eq!((drawn(1.0, None), drawn(0.0, None)), (vec![7], vec![1, 4, 7]));
        assert_eq!((drawn(0.13, Some(0.6)), drawn(0.37, Some(0.99))), (vec![7], vec![7]));
    }

    #[test]
    fn penalties_count_prompt_and_answer_apart() {
        let pick = |penalties, prompt: &[u32]| {
            let mut sampler = Sampler::new(0.0, 0).penalised(penalties, prompt);
            [(); 6].map(|()| sampler.pick(&ranked()))
        };
        let with = |repetition, presence, frequency| Penalties { repetition, presence, frequency };
        assert_eq!(pick(Penalties::NONE, &[7]), [7; 6]);
        // 2 / 2.1 is below 1, 1 / 2.1 above 0; then all have lost once and nothing changes.
        assert_eq!(pick(with(2.1, 0.0, 0.0), &[]), [7, 1, 7, 7, 7, 7]);
        assert_eq!(pick(with(2.1, 0.0, 0.0), &[7]), [1, 7, 7, 7, 7, 7]);
        // The prompt does not count here, and presence only once.
        assert_eq!(pick(with(1.0, 1.5, 0.0), &[7, 7]), [7, 1, 7, 7, 7, 7]);
        // 2, 1, 0 lose 0.6 each time.
        assert_eq!(pick(with(1.0, 0.0, 0.6), &[7]), [7, 7, 1, 7, 1, 7]);
        let negative = [Candidate { token: 3, logit: -1.0 }, Candidate { token: 5, logit: -1.5 }];
        let mut sampler = Sampler::new(0.0, 0).penalised(with(2.0, 0.0, 0.0), &[3]);
        assert_eq!(sampler.pick(&negative), 5, "a negative logit is multiplied");
    }

    #[test]
    fn penalised_ties_go_to_the_lower_id_and_nan_is_last() {
        let c = |token, logit| Candidate { token, logit };
        let ranked = [c(9, 2.0), c(2, 1.0), c(1, f32::NAN)];
        let penalties = Penalties { repetition: 2.0, ..Penalties::NONE };
        let mut sampler = Sampler::new(0.0, 0).penalised(penalties, &[9, 1]);
        assert_eq!(sampler.pick(&ranked), 2);
    }
}
