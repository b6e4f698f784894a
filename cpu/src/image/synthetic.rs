//! Models of a named shape with random weights, for measuring speed.

use super::{Fill, Header, Part};
use crate::Error;
use terntable_golden::{model::Config, norm::identity_weight, rope::Rope, sample::mix};

/// Random parts of a model's sizes: every trit, element and weight is drawn; scales and norms are such
/// that rows keep their size.
#[derive(Debug)]
pub struct Synthetic {
    config: Config,
    seed: u64,
}

impl Synthetic {
    /// A model of these sizes.
    pub fn new(config: &Config, seed: u64) -> Self {
        Self { config: config.clone(), seed }
    }
}

impl Fill for Synthetic {
    fn header(&self) -> Header {
        Header {
            config: self.config.clone(),
            source: format!("random weights, seed {}", self.seed),
            bf16: true,
            identity_sub_norms: [false; 2],
            linear_norm_eps: None,
            checks: Vec::new(),
        }
    }

    fn fill(&mut self, part: Part, out: &mut [u8]) -> Result<(), Error> {
        self.seed = mix(self.seed);
        match part {
            Part::Rope => {
                let Config { head_dim, rope_theta, context, .. } = self.config;
                let rope = Rope::new(head_dim, rope_theta, context);
                let rows = (0..context).flat_map(|position| rope.row(position));
                let numbers = rows.flat_map(|(cos, sin)| [*cos, *sin]);
                for (out, number) in out.chunks_exact_mut(4).zip(numbers) {
                    out.copy_from_slice(&number.to_le_bytes());
                }
            }
            Part::Scales => repeat(out, 0.02),
            Part::Norm(..) | Part::LastNorm => repeat(out, 1.0),
            Part::LinearNorm(..) => repeat(out, identity_weight(1.0)),
            Part::HeadSteps => repeat(out, 1e-3),
            // Digits of five trits.
            Part::Matrix(..) | Part::Screen => {
                random(self.seed, out, |r| ((u32::from(r) * 243) >> 16) as u8)
            }
            Part::ScreenWeights | Part::HeadRows => random(self.seed, out, |r| r as u8),
            Part::Embedding => {
                for (i, out) in out.chunks_exact_mut(2).enumerate() {
                    // +-1 to 2, by a random sign and fraction.
                    let bits = 0x3f80 | (mix(self.seed ^ i as u64) as u16 & 0x807f);
                    out.copy_from_slice(&bits.to_le_bytes());
                }
            }
        }
        Ok(())
    }
}

fn repeat(out: &mut [u8], value: f32) {
    out.chunks_exact_mut(4).for_each(|out| out.copy_from_slice(&value.to_le_bytes()));
}

/// Four bytes of every draw.
fn random(seed: u64, out: &mut [u8], byte: impl Fn(u16) -> u8) {
    for (i, out) in out.chunks_mut(4).enumerate() {
        let draw = mix(seed ^ i as u64);
        for (j, out) in out.iter_mut().enumerate() {
            *out = byte((draw >> (16 * j)) as u16);
        }
    }
}
