//! To a folder as Hugging Face stores it: packed matrices in one safetensors file.

use super::{ROWS, encode, keeps, lossless};
use crate::{
    Error,
    import::{
        AnyCheckpoint,
        gguf::{Pieces, tokenizer_json},
        llama3_parameters, packed_rows, projection_name,
    },
};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value as Json, json};
use std::{io::ErrorKind, path::Path};
use terntable_gguf::ElementType;
use terntable_golden::{
    gate::Gate,
    model::{Config, Layer, Projection},
    ternary::Ternary,
};

/// Files of a checkpoint folder that are not written every time, and `config.json`, without which a
/// folder does not open.
const STALE: [&str; 5] = [
    "config.json",
    "model.safetensors.index.json",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
];

/// A tensor to be written.
struct Stored {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// Writes a folder; `config.json` comes last, so that a folder that is not whole does not open.
pub fn write(
    checkpoint: &AnyCheckpoint,
    out: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<String>, Error> {
    let config = checkpoint.config();
    let refuse = |text: &str| Error::File { path: checkpoint.path().into(), text: text.into() };
    let rope = match checkpoint.rope_divisors()? {
        None => None,
        Some(divisors) => {
            let parameters = llama3_parameters(&divisors, config.rope_theta, config.head_dim);
            Some(parameters.ok_or_else(|| {
                refuse(
                    "its rotary frequencies have divisors one by one (rope_freqs.weight), and they are not \
                     Llama 3's; config.json has only the formula: take the checkpoint from which the file \
                     was made",
                )
            })?)
        }
    };
    let element = lossless(checkpoint, [ElementType::Bf16, ElementType::F16])?;
    let mut tensors = Vec::new();
    let shape = [config.vocab, config.hidden];
    let mut embedding = Vec::new();
    let mut head = Vec::new();
    for start in (0..config.vocab).step_by(ROWS) {
        let range = start..config.vocab.min(start + ROWS);
        embedding.extend(encode(element, &checkpoint.embedding_rows(range.clone())?));
        if !checkpoint.tied_head() {
            head.extend(encode(element, &checkpoint.head_rows(range)?));
        }
    }
    let rows = |name: &str, bytes| Stored {
        name: name.into(),
        dtype: dtype(element),
        shape: shape.to_vec(),
        bytes,
    };
    tensors.push(rows("model.embed_tokens.weight", embedding));
    if !checkpoint.tied_head() {
        tensors.push(rows("lm_head.weight", head));
    }
    let mut sub_norms = true;
    for index in 0..config.layers {
        let layer = checkpoint.layer(index)?;
        if layer.linear_norms.is_some() {
            return Err(refuse("its linear layers have norms of their own; it stays as it is"));
        }
        sub_norms = layer.attention_sub_norm.is_some();
        put_layer(&mut tensors, index, &layer);
        progress(index + 1, config.layers);
    }
    tensors.push(norm("model.norm.weight", &checkpoint.norm()?));

    let cannot = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Write { path, source }
    };
    std::fs::create_dir_all(out).map_err(cannot(out))?;
    // What another checkpoint left there would be taken for a part of this one.
    for name in STALE {
        match std::fs::remove_file(out.join(name)) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(cannot(&out.join(name))(e)),
            _ => {}
        }
    }
    let path = out.join("model.safetensors");
    let views = tensors.iter().map(|t| {
        let view = TensorView::new(t.dtype, t.shape.clone(), &t.bytes);
        view.map(|view| (t.name.as_str(), view))
    });
    let failed = |e: safetensors::SafeTensorError| Error::File {
        path: path.clone(),
        text: format!("cannot be written ({e}); give a folder with room"),
    };
    let views = views.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let metadata = [("format".to_string(), "pt".to_string())].into();
    safetensors::serialize_to_file(views, Some(metadata), &path).map_err(failed)?;

    let put = |name: &str, json: &Json| {
        let text = format!("{json:#}\n");
        std::fs::write(out.join(name), text).map_err(cannot(&out.join(name)))
    };
    let mut bos = None;
    match checkpoint {
        AnyCheckpoint::Folder(folder) => {
            let others = ["tokenizer_config.json", "generation_config.json", "chat_template.jinja"];
            for name in ["tokenizer.json"].iter().chain(&others) {
                let from = folder.path.join(name);
                if from.is_file() {
                    std::fs::copy(&from, out.join(name)).map_err(cannot(&out.join(name)))?;
                }
            }
        }
        AnyCheckpoint::Gguf(file) => {
            let pieces = Pieces::read(&file.gguf)?;
            bos = pieces.bos();
            let ends = file.end_tokens()?;
            put("tokenizer.json", &tokenizer_json(&pieces))?;
            put("generation_config.json", &json!({"bos_token_id": bos, "eos_token_id": ends}))?;
            put(
                "tokenizer_config.json",
                &json!({"tokenizer_class": "PreTrainedTokenizerFast",
                        "model_max_length": config.context,
                        "clean_up_tokenization_spaces": false,
                        "bos_token": bos.map(|id| pieces.token(id)),
                        "eos_token": ends.first().map(|id| pieces.token(*id)),
                        "chat_template": file.chat_template()?}),
            )?;
        }
    }
    let ends = checkpoint.end_tokens()?;
    let mut json = config_json(config, sub_norms, checkpoint.tied_head(), element, bos, &ends);
    if let Some(rope) = rope {
        json["rope_parameters"] = rope;
    }
    put("config.json", &json)?;
    // The library makes a file that only its owner can read.
    let like = std::fs::metadata(out.join("config.json")).map(|file| file.permissions());
    like.and_then(|like| std::fs::set_permissions(&path, like)).map_err(cannot(&path))?;
    Ok(vec![format!("embedding and head as {element}")])
}

fn dtype(element: ElementType) -> Dtype {
    match element {
        ElementType::F16 => Dtype::F16,
        ElementType::Bf16 => Dtype::BF16,
        _ => Dtype::F32,
    }
}

/// A norm in the smallest type that keeps it.
fn norm(name: &str, values: &[f32]) -> Stored {
    let small = values.iter().all(|v| keeps(ElementType::Bf16, *v));
    let element = if small { ElementType::Bf16 } else { ElementType::F32 };
    let bytes = encode(element, values);
    Stored { name: name.into(), dtype: dtype(element), shape: vec![values.len()], bytes }
}

fn put_layer(tensors: &mut Vec<Stored>, index: usize, layer: &Layer) {
    let norms = [
        ("input_layernorm", Some(&layer.attention_norm)),
        ("self_attn.attn_sub_norm", layer.attention_sub_norm.as_ref()),
        ("post_attention_layernorm", Some(&layer.ffn_norm)),
        ("mlp.ffn_sub_norm", layer.ffn_sub_norm.as_ref()),
    ];
    for (name, values) in norms {
        let name = format!("model.layers.{index}.{name}.weight");
        tensors.extend(values.map(|values| norm(&name, values)));
    }
    for (projection, matrix) in Projection::ALL.into_iter().zip(&layer.projections) {
        let name = projection_name(index, projection);
        tensors.push(Stored {
            name: format!("{name}.weight"),
            dtype: Dtype::U8,
            shape: vec![packed_rows(matrix.rows), matrix.cols],
            bytes: pack_codes(matrix),
        });
        tensors.push(Stored {
            name: format!("{name}.weight_scale"),
            dtype: Dtype::F32,
            shape: vec![1],
            bytes: matrix.scale.to_le_bytes().to_vec(),
        });
    }
}

/// Hugging Face's layout, which `unpack_codes` of import reads: rows a quarter apart in a byte.
fn pack_codes(matrix: &Ternary) -> Vec<u8> {
    let quarter = packed_rows(matrix.rows);
    let mut bytes = vec![0; quarter * matrix.cols];
    for row in 0..matrix.rows {
        let shift = 2 * (row / quarter);
        let packed = &mut bytes[row % quarter * matrix.cols..][..matrix.cols];
        for (byte, weight) in packed.iter_mut().zip(matrix.row(row)) {
            *byte |= ((weight + 1) as u8) << shift;
        }
    }
    bytes
}

fn config_json(
    config: &Config,
    sub_norms: bool,
    tied: bool,
    element: ElementType,
    bos: Option<u32>,
    ends: &[u32],
) -> Json {
    let (architecture, kind) = match sub_norms {
        true => ("BitNetForCausalLM", "bitnet"),
        false => ("LlamaForCausalLM", "llama"),
    };
    let eos = match ends {
        [] => Json::Null,
        [one] => json!(one),
        many => json!(many),
    };
    json!({
        "architectures": [architecture],
        "model_type": kind,
        "vocab_size": config.vocab,
        "hidden_size": config.hidden,
        "intermediate_size": config.intermediate,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "rms_norm_eps": real(config.norm_eps),
        "rope_theta": real(config.rope_theta),
        "max_position_embeddings": config.context,
        "hidden_act": match config.gate { Gate::Relu2 => "relu2", Gate::Silu => "silu" },
        "attention_bias": false,
        "mlp_bias": false,
        "tie_word_embeddings": tied,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "torch_dtype": match element {
            ElementType::Bf16 => "bfloat16",
            ElementType::F16 => "float16",
            _ => "float32",
        },
        "quantization_config": {
            "quant_method": "bitnet",
            "linear_class": "autobitlinear",
            "quantization_mode": "offline",
            "modules_to_not_convert": ["lm_head"],
        },
    })
}

/// A binary32 by the shortest decimal that reads back as it.
fn real(value: f32) -> Json {
    value.to_string().parse::<f64>().map_or(Json::Null, |value| json!(value))
}
