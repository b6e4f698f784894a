//! Shapes of known models, for estimates without their weights.

use terntable_golden::{attention::KvFormat, gate::Gate, model::Config};

/// A model's sizes under a name.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// What the command line calls it.
    pub name: &'static str,
    /// The checkpoint whose `config.json` has these sizes.
    pub checkpoint: &'static str,
    hidden: usize,
    ffn: usize,
    /// Layers.
    pub layers: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    /// Tokens of the vocabulary.
    pub vocab: usize,
    context: usize,
    gate: Gate,
}

/// The shapes that come with the program.
pub const SHAPES: [Shape; 4] = [
    Shape {
        name: "bitnet-0.73b",
        checkpoint: "1bitLLM/bitnet_b1_58-large",
        hidden: 1536,
        ffn: 4096,
        layers: 24,
        heads: 16,
        kv_heads: 16,
        head_dim: 96,
        vocab: 32_002,
        context: 2048,
        gate: Gate::Silu,
    },
    Shape {
        name: "bitnet-2b4t",
        checkpoint: "microsoft/bitnet-b1.58-2B-4T",
        hidden: 2560,
        ffn: 6912,
        layers: 30,
        heads: 20,
        kv_heads: 5,
        head_dim: 128,
        vocab: 128_256,
        context: 4096,
        gate: Gate::Relu2,
    },
    Shape {
        name: "falcon3-1b",
        checkpoint: "tiiuae/Falcon3-1B-Instruct-1.58bit",
        hidden: 2048,
        ffn: 8192,
        layers: 18,
        heads: 8,
        kv_heads: 4,
        head_dim: 256,
        vocab: 131_072,
        context: 8192,
        gate: Gate::Silu,
    },
    Shape {
        name: "llama3-8b",
        checkpoint: "HF1BitLLM/Llama3-8B-1.58-100B-tokens",
        hidden: 4096,
        ffn: 14_336,
        layers: 32,
        heads: 32,
        kv_heads: 8,
        head_dim: 128,
        vocab: 128_256,
        context: 8192,
        gate: Gate::Silu,
    },
];

impl Shape {
    /// The shape of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SHAPES.iter().find(|shape| shape.name == name)
    }

    /// As a model's configuration, with K and V in `kv`.
    pub fn config(&self, kv: KvFormat) -> Config {
        Config {
            hidden: self.hidden,
            intermediate: self.ffn,
            layers: self.layers,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            vocab: self.vocab,
            context: self.context,
            rope_theta: 10_000.0,
            norm_eps: 1e-5,
            gate: self.gate,
            kv,
        }
    }
}
