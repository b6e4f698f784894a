//! Choosing the next token: greedy, or seeded sampling on the ranked candidates.

use crate::head::Candidate;

/// SplitMix64's output function (Steele, Lea and Flood, 2014): 64 bits to 64 well-mixed bits.
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// A sampler: temperature 0 is greedy.
#[derive(Debug, Clone)]
pub struct Sampler {
    temperature: f64,
    top_k: usize,
    top_p: f64,
    seed: u64,
    drawn: u64,
}

impl Sampler {
    /// A sampler of its own stream of random numbers.
    pub fn new(temperature: f64, seed: u64) -> Self {
        Self { temperature, top_k: usize::MAX, top_p: 1.0, seed, drawn: 0 }
    }

    /// Draws only from the first `top_k` candidates (at least one), and of those only from the first
    /// that together have `top_p` of their mass.
    pub fn limited(self, top_k: Option<usize>, top_p: Option<f64>) -> Self {
        Self { top_k: top_k.unwrap_or(usize::MAX).max(1), top_p: top_p.unwrap_or(1.0), ..self }
    }

    /// Picks from candidates ranked by [`crate::head::Head::rank`]; the first on temperature 0.
    ///
    /// The draw uses binary64 and the `libm` crate alone, so equal candidates and seeds give equal
    /// tokens on every machine and device.
    pub fn pick(&mut self, ranked: &[Candidate]) -> u32 {
        if self.temperature <= 0.0 {
            return ranked[0].token;
        }
        let ranked = &ranked[..self.top_k.min(ranked.len())];
        let top = f64::from(ranked[0].logit);
        let mass = |c: &Candidate| libm::exp((f64::from(c.logit) - top) / self.temperature);
        let mut total: f64 = ranked.iter().map(mass).sum();
        let mut ranked = ranked;
        if self.top_p < 1.0 {
            let (mut kept, limit) = (0, self.top_p * total);
            total = 0.0;
            while total < limit && kept < ranked.len() {
                total += mass(&ranked[kept]);
                kept += 1;
            }
            ranked = &ranked[..kept.max(1)];
        }
        let bits = mix(mix(self.seed) ^ self.drawn);
        self.drawn += 1;
        let mut left = (bits >> 11) as f64 / (1_u64 << 53) as f64 * total;
        for candidate in ranked {
            left -= mass(candidate);
            if left < 0.0 {
                return candidate.token;
            }
        }
        ranked[0].token
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
}
