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

/// Elements of the residual stream.
const HIDDEN: usize = 20;
const FFN: usize = 28;
const VOCAB: usize = 32;

pub fn real(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

impl Checkpoint {
    /// One layer, two heads that share keys and values, packed weights, sub-norms.
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

    /// As Llama has it: no sub-norms, SiLU, a head of its own, the older convention of scales.
    pub fn llama() -> Self {
        let mut checkpoint = Self::new();
        let config = &mut checkpoint.config;
        config["architectures"] = json!(["LlamaForCausalLM"]);
        config["model_type"] = json!("llama");
        config["hidden_act"] = json!("silu");
        config["tie_word_embeddings"] = json!(false);
        config["quantization_config"] =
            json!({"quant_method": "bitnet", "modules_to_not_convert": ["lm_head"]});
        checkpoint.tensors.retain(|name, _| !name.contains("sub_norm"));
        let head: Vec<f32> = (0..VOCAB * HIDDEN).map(|i| mix(!i as u64) as i32 as f32).collect();
        let head = (Dtype::F32, vec![VOCAB, HIDDEN], real(&head));
        checkpoint.tensors.insert("lm_head.weight".into(), head);
        checkpoint
    }

    /// Packed matrices become real weights that are made ternary on load: the trits times 0.7, which
    /// gives other scales.
    pub fn online(mut self) -> Self {
        self.config["quantization_config"]["quantization_mode"] = json!("online");
        let names: Vec<String> = self.tensors.keys().cloned().collect();
        for name in names.iter().filter(|name| name.ends_with("_scale")) {
            self.tensors.remove(name);
            let name = name.trim_end_matches("_scale");
            let (_, shape, bytes) = self.tensors[name].clone();
            let (rows, cols) = (4 * shape[0], shape[1]);
            let codes = terntable::import::unpack_codes(&bytes, rows, cols).weights;
            let values: Vec<f32> = codes.iter().map(|&w| 0.7 * f32::from(w)).collect();
            // Rows of keys and values are no multiple of four; the packed ones are.
            let kept = if name.contains("k_proj") || name.contains("v_proj") { 10 } else { rows };
            let tensor = (Dtype::F32, vec![kept, cols], real(&values[..kept * cols]));
            self.tensors.insert(name.into(), tensor);
        }
        self
    }

    /// A norm of ones and twos in every linear layer.
    pub fn with_linear_norms(mut self) -> Self {
        self.config["quantization_config"]["use_rms_norm"] = json!(true);
        let names: Vec<String> = self.tensors.keys().cloned().collect();
        for name in names.iter().filter(|name| name.ends_with("_proj.weight")) {
            let cols = self.tensors[name].1[1];
            let weights: Vec<f32> = (0..cols).map(|i| 1.0 + (i % 2) as f32).collect();
            let tensor = (Dtype::F32, vec![cols], real(&weights));
            self.tensors.insert(name.replace(".weight", ".rms_norm.weight"), tensor);
        }
        self
    }

    /// Writes the folder with its tensors in `count` shards.
    pub fn write_shards(&self, folder: &Path, count: usize) {
        self.write(folder);
        fs::remove_file(folder.join("model.safetensors")).unwrap();
        let shard = |index: usize| format!("model-{:05}-of-{count:05}.safetensors", index + 1);
        let mut places = serde_json::Map::new();
        for index in 0..count {
            let tensors = self.tensors.iter().enumerate().filter(|(i, _)| i % count == index);
            let views = tensors.map(|(_, (name, (dtype, shape, bytes)))| {
                places.insert(name.clone(), json!(shard(index)));
                (name.clone(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
            });
            let bytes = safetensors::serialize(views, None).unwrap();
            fs::write(folder.join(shard(index)), bytes).unwrap();
        }
        let index = json!({"metadata": {"total_size": 1}, "weight_map": places});
        fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
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
