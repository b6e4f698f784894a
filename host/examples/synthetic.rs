//! Writes a checkpoint of a known model's shapes and tensor names with random weights, to try sizes:
//!
//!     cargo run --release -p terntable --example synthetic -- bitnet-2b4t FOLDER
//!
//! BitNet shapes become `BitNetForCausalLM` (tied head), others `LlamaForCausalLM` (a head of its own),
//! packed. The text that such a model makes is noise.

use safetensors::Dtype;
use serde_json::{Map, Value, json};
use std::{
    error::Error,
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};
use terntable::{
    estimate::shapes::{SHAPES, Shape},
    import::{packed_rows, projection_name},
};
use terntable_golden::{
    attention::KvFormat,
    gate::Gate,
    model::{Config, Projection},
    sample::mix,
};

/// Name, type and shape of every tensor.
fn tensors(config: &Config, llama: bool) -> Vec<(String, Dtype, Vec<usize>)> {
    let Config { hidden, intermediate, heads, head_dim, vocab, .. } = *config;
    let mut all = vec![
        ("model.embed_tokens.weight".to_string(), Dtype::BF16, vec![vocab, hidden]),
        ("model.norm.weight".to_string(), Dtype::BF16, vec![hidden]),
    ];
    for layer in 0..config.layers {
        let mut norm = |name: &str, n: usize| {
            all.push((format!("model.layers.{layer}.{name}.weight"), Dtype::BF16, vec![n]));
        };
        norm("input_layernorm", hidden);
        norm("post_attention_layernorm", hidden);
        if !llama {
            norm("self_attn.attn_sub_norm", heads * head_dim);
            norm("mlp.ffn_sub_norm", intermediate);
        }
        for projection in Projection::ALL {
            let (rows, cols) = config.shape(projection);
            let name = projection_name(layer, projection);
            all.push((format!("{name}.weight_scale"), Dtype::BF16, vec![1]));
            all.push((format!("{name}.weight"), Dtype::U8, vec![packed_rows(rows), cols]));
        }
    }
    if llama {
        all.push(("lm_head.weight".into(), Dtype::BF16, vec![vocab, hidden]));
    }
    all
}

fn config_json(config: &Config, llama: bool) -> Value {
    json!({
        "architectures": [if llama { "LlamaForCausalLM" } else { "BitNetForCausalLM" }],
        "hidden_size": config.hidden, "intermediate_size": config.intermediate,
        "num_hidden_layers": config.layers, "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads, "head_dim": config.head_dim,
        "vocab_size": config.vocab, "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_eps, "rope_theta": config.rope_theta,
        "hidden_act": if config.gate == Gate::Silu { "silu" } else { "relu2" },
        "tie_word_embeddings": !llama,
        "quantization_config": {
            "quant_method": "bitnet", "quantization_mode": "offline",
            "linear_class": if llama { "bitlinear" } else { "autobitlinear" },
        },
    })
}

/// Random bytes that are legal for a type: no code 3, no extreme exponent.
fn bytes(dtype: Dtype, count: usize, seed: u64) -> impl Iterator<Item = u8> {
    let words = (0..count as u64).step_by(8).map(move |i| mix(seed << 40 ^ i));
    let legal = move |word: u64| match dtype {
        // bf16: sign and fraction are random, the exponent is that of 2^-7 to 2^-6.
        Dtype::BF16 => (word & 0x807f_807f_807f_807f | 0x3c00_3c00_3c00_3c00).to_le_bytes(),
        // Two bits of which at most one is set.
        _ => (word & (!(word >> 1) | !0x5555_5555_5555_5555)).to_le_bytes(),
    };
    words.flat_map(legal).take(count)
}

fn write(folder: &Path, shape: &Shape) -> Result<(), Box<dyn Error>> {
    let config = shape.config(KvFormat::Int8);
    let llama = !shape.name.starts_with("bitnet");
    fs::create_dir_all(folder)?;
    fs::write(folder.join("config.json"), config_json(&config, llama).to_string())?;
    let words: Map<String, Value> =
        (0..config.vocab).map(|i| (format!("t{i}"), json!(i))).collect();
    let tokenizer = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null,
        "decoder": null, "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "t0"},
    });
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string())?;
    let tensors = tensors(&config, llama);
    let (mut header, mut end) = (Map::new(), 0);
    for (name, dtype, shape) in &tensors {
        let from = end;
        end += shape.iter().product::<usize>() * dtype.bitsize() / 8;
        let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [from, end]});
        header.insert(name.clone(), entry);
    }
    let header = Value::Object(header).to_string();
    let mut file = BufWriter::new(File::create(folder.join("model.safetensors"))?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    for (seed, (_, dtype, shape)) in (1..).zip(&tensors) {
        let count = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        if shape == &[1] {
            file.write_all(&[0x80, 0x3f])?;
            continue;
        }
        let mut all = bytes(*dtype, count, seed);
        let mut left = count;
        while left > 0 {
            let block: Vec<u8> = all.by_ref().take(left.min(1 << 20)).collect();
            file.write_all(&block)?;
            left -= block.len();
        }
    }
    file.flush()?;
    println!("wrote {} bytes of tensors to {}", end, folder.display());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let shape = args.first().and_then(|name| Shape::named(name));
    let (Some(shape), [_, folder]) = (shape, &args[..]) else {
        let names = SHAPES.map(|shape| shape.name).join(", ");
        return Err(format!("expected one of {names}, and a folder").into());
    };
    write(Path::new(folder), shape)
}
