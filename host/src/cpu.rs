//! The CPU device: plain integer products and its own attention, no tables of partial products.
//!
//! It shares the model's data with the golden model and none of its arithmetic on integers, so that
//! equal tokens mean something.

use terntable_golden::{
    Error,
    attention::KvCache,
    model::{Device, Linear, Model},
    quantise::{Quantised, quantise},
};

/// Executes a model on the CPU.
#[derive(Debug)]
pub struct Cpu<'a> {
    model: &'a Model,
    /// 2^23 times the negative powers of two in steps of 2^(-1/256).
    powers: Vec<u32>,
}

impl<'a> Cpu<'a> {
    /// Prepares a model.
    pub fn new(model: &'a Model) -> Self {
        // 2^(-1/256) by eight square roots, multiplied up: each power is within 2^-40 of the real
        // one, far closer than any of the 256 lies to a rounding boundary (a test compares them).
        let root = (0..8).fold(0.5_f64, |x, _| x.sqrt());
        let power = |x: &mut f64| {
            let now = *x;
            *x *= root;
            Some((now * f64::from(1 << 23)).round() as u32)
        };
        Self { model, powers: std::iter::repeat_n((), 256).scan(1.0, |x, ()| power(x)).collect() }
    }
}

/// Integer dot product. Wide enough for any row: |sum| <= 2^14 * 65,535.
fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| i32::from(i16::from(a) * i16::from(b))).sum()
}

impl Device for Cpu<'_> {
    fn multiply(
        &mut self,
        linears: &[Linear],
        x: &[Quantised],
    ) -> Result<Vec<Vec<Vec<i32>>>, Error> {
        let product = |linear: &Linear| {
            let matrix = self.model.matrix(*linear);
            let mut sums = vec![Vec::with_capacity(matrix.rows); x.len()];
            // Weights are the longer stream: each row is read once for all slots.
            for row in matrix.weights.chunks_exact(matrix.cols) {
                for (sums, x) in sums.iter_mut().zip(x) {
                    sums.push(dot(row, &x.values));
                }
            }
            sums
        };
        Ok(linears.iter().map(product).collect())
    }

    fn attend(
        &mut self,
        query: &[f32],
        cache: &KvCache,
        head: usize,
        positions: usize,
    ) -> Result<Vec<f32>, Error> {
        let q = quantise(query);
        let per_root = (256.0 * std::f64::consts::LOG2_E / (query.len() as f64).sqrt()) as f32;
        let factor = q.step * per_root;
        let limit = ((1 << 23) - 1) as f32;
        let scores: Vec<i32> = (0..positions)
            .map(|p| {
                let key = cache.key(p, head);
                let real = dot(&q.values, key.values) as f32 * (factor * key.step);
                real.clamp(-limit, limit).round_ties_even() as i32
            })
            .collect();
        let best = scores.iter().copied().max().unwrap_or(0);
        let largest = (0..positions).map(|p| cache.value(p, head).step).fold(0.0, f32::max);
        let inverse = 32768.0 / largest;

        let (mut total, mut sums) = (0_u64, vec![0_i64; query.len()]);
        for (p, t) in scores.into_iter().enumerate() {
            let distance = i64::from(best) - i64::from(t);
            let (whole, fraction) = (distance / 256, distance % 256);
            if whole >= 24 {
                continue;
            }
            let e = u64::from(self.powers[fraction as usize] >> whole);
            let value = cache.value(p, head);
            let ratio = (value.step * inverse).round_ties_even() as u64;
            let weight = ((e * ratio + (1 << 22)) >> 23) as i64;
            total += e;
            for (sum, &v) in sums.iter_mut().zip(value.values) {
                *sum += weight * i64::from(v);
            }
        }
        let factor = if total == 0 { 0.0 } else { largest * 256.0 / total as f32 };
        Ok(sums.into_iter().map(|sum| sum as f32 * factor).collect())
    }

    fn head_dots(&mut self, tokens: &[u32], x: &[i8]) -> Result<Vec<i32>, Error> {
        Ok(tokens.iter().map(|&token| dot(self.model.head.row(token), x)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terntable_golden::{
        attention::{EXP2, KvFormat, attend},
        gate::Gate,
        head::Head,
        model::Config,
        rope::Rope,
        sample::mix,
    };

    fn model() -> Model {
        let config = Config {
            hidden: 2,
            intermediate: 1,
            layers: 1,
            heads: 1,
            kv_heads: 1,
            head_dim: 2,
            vocab: 1,
            context: 1,
            rope_theta: 1e4,
            norm_eps: 1e-5,
            gate: Gate::Relu2,
            kv: KvFormat::Int8,
        };
        Model {
            embedding: vec![1.0; 2],
            layers: Vec::new(),
            norm: vec![1.0; 2],
            head: Head::new(1, 2, &[1.0; 2]).unwrap(),
            rope: Rope::new(2, 1e4, 1),
            config,
        }
    }

    #[test]
    fn powers_equal_the_golden_table() {
        assert_eq!(Cpu::new(&model()).powers, EXP2.as_slice());
    }

    #[test]
    fn attention_equals_the_golden_model() {
        let model = model();
        let mut cpu = Cpu::new(&model);
        for seed in 0..200_u64 {
            let head_dim = [16, 64, 128][seed as usize % 3];
            let format = [KvFormat::Int8, KvFormat::Int4][seed as usize % 2];
            let scale = 2.0_f32.powi((seed % 24) as i32 - 8);
            let real = |salt: u64| -> Vec<f32> {
                (0..head_dim)
                    .map(|i| {
                        scale * mix(seed ^ salt << 16 ^ i as u64) as i32 as f32 / 2.0_f32.powi(31)
                    })
                    .collect()
            };
            let mut cache = KvCache::new(1, head_dim, format);
            for p in 0..1 + seed % 150 {
                cache.append(&real(2 * p + 1), &real(2 * p + 2));
            }
            let query = real(0);
            let golden = attend(&query, &cache, 0, 0..cache.len());
            let ours = cpu.attend(&query, &cache, 0, cache.len()).unwrap();
            let bits = |y: &[f32]| y.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&ours), bits(&golden), "seed {seed}");
        }
    }
}
