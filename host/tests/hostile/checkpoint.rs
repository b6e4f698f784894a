//! A tiny checkpoint on disk, to be damaged.

use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};
use terntable_golden::sample::mix;

/// A tensor: type, shape, bytes.
pub type Tensor = (Dtype, Vec<usize>, Vec<u8>);

/// A checkpoint that can be changed before it is written.
pub struct Checkpoint {
    pub config: Value,
    pub tensors: BTreeMap<String, Tensor>,
    pub tokenizer: Value,
}

const HIDDEN: usize = 20;
const FFN: usize = 28;
const VOCAB: usize = 32;

pub fn real(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

impl Checkpoint {
    /// One layer, two heads that share keys and values, packed weights.
    pub fn new() -> Self {
        let config = json!({
            "architectures": ["BitNetForCausalLM"], "model_type": "bitnet", "hidden_size": HIDDEN,
            "intermediate_size": FFN, "num_hidden_layers": 1, "num_attention_heads": 2,
            "num_key_value_heads": 1, "vocab_size": VOCAB, "max_position_embeddings": 16,
            "rms_norm_eps": 1e-5, "hidden_act": "relu2", "rope_theta": 10000.0,
            "tie_word_embeddings": true,
            "quantization_config": {
                "quant_method": "bitnet", "linear_class": "autobitlinear",
                "quantization_mode": "offline",
            },
        });
        let mut tensors = BTreeMap::new();
        let embedding: Vec<f32> =
            (0..VOCAB * HIDDEN).map(|i| mix(i as u64) as i32 as f32 / 2.0_f32.powi(31)).collect();
        let f32s = |shape: &[usize], values: &[f32]| (Dtype::F32, shape.to_vec(), real(values));
        tensors.insert("model.embed_tokens.weight".into(), f32s(&[VOCAB, HIDDEN], &embedding));
        tensors.insert("model.norm.weight".into(), f32s(&[HIDDEN], &[1.0; HIDDEN]));
        let layer = |name: &str| format!("model.layers.0.{name}.weight");
        for (name, n) in [
            ("input_layernorm", HIDDEN),
            ("post_attention_layernorm", HIDDEN),
            ("self_attn.attn_sub_norm", HIDDEN),
            ("mlp.ffn_sub_norm", FFN),
        ] {
            tensors.insert(layer(name), f32s(&[n], &vec![1.0; n]));
        }
        for (name, rows, cols) in [
            ("self_attn.q_proj", HIDDEN, HIDDEN),
            ("self_attn.k_proj", HIDDEN / 2, HIDDEN),
            ("self_attn.v_proj", HIDDEN / 2, HIDDEN),
            ("self_attn.o_proj", HIDDEN, HIDDEN),
            ("mlp.gate_proj", FFN, HIDDEN),
            ("mlp.up_proj", FFN, HIDDEN),
            ("mlp.down_proj", HIDDEN, FFN),
        ] {
            let packed = rows.div_ceil(4);
            let code = |i: u64| (0..4).fold(0, |b, k| b << 2 | (mix(i * 4 + k) % 3) as u8);
            let bytes = (0..(packed * cols) as u64).map(code).collect();
            tensors.insert(layer(name), (Dtype::U8, vec![packed, cols], bytes));
            tensors.insert(format!("model.layers.0.{name}.weight_scale"), f32s(&[1], &[0.7]));
        }
        let vocab: BTreeMap<String, usize> =
            (0..VOCAB).map(|i| (char::from(b'A' + i as u8).to_string(), i)).collect();
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": null, "post_processor": null, "decoder": {"type": "Fuse"},
            "pre_tokenizer": {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated",
                              "invert": false},
            "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "A"},
        });
        Self { config, tensors, tokenizer }
    }

    /// Writes the folder.
    pub fn write(&self, folder: &Path) {
        let views = self.tensors.iter().map(|(name, (dtype, shape, bytes))| {
            (name.clone(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        fs::write(folder.join("model.safetensors"), bytes).unwrap();
        fs::write(folder.join("config.json"), self.config.to_string()).unwrap();
        fs::write(folder.join("tokenizer.json"), self.tokenizer.to_string()).unwrap();
    }
}
