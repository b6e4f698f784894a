//! A GGUF file made here, byte by byte, to be read or damaged.

use terntable_golden::{model::Projection, sample::mix};

pub const HIDDEN: usize = 256;
pub const FFN: usize = 512;
pub const HEADS: usize = 4;
pub const KV_HEADS: usize = 2;
pub const HEAD_DIM: usize = 64;
pub const VOCAB: usize = 272;
pub const LAYERS: usize = 2;

/// A tensor: name, number of its type, shape with the row length first, bytes.
#[derive(Clone)]
pub struct Tensor {
    pub name: String,
    pub type_id: u32,
    pub shape: Vec<u64>,
    pub bytes: Vec<u8>,
}

/// A file that can be changed before it is written.
#[derive(Clone)]
pub struct File {
    pub version: u32,
    /// Name, type and bytes of each key.
    pub keys: Vec<(String, u32, Vec<u8>)>,
    pub tensors: Vec<Tensor>,
    /// What the header says instead of the real numbers of tensors and keys.
    pub counts: Option<(u64, u64)>,
    /// Offsets that the header has instead of the real ones, by tensor.
    pub offsets: Vec<(usize, u64)>,
}

/// How the ternary matrices are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    F32,
    F16,
    Bf16,
    Tq1_0,
    Tq2_0,
    I2S,
}

pub fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn array(kind: u32, count: usize, items: Vec<u8>) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(count as u64).to_le_bytes(), &items].concat()
}

pub fn strings(items: &[String]) -> Vec<u8> {
    array(8, items.len(), items.iter().flat_map(|item| string(item)).collect())
}

pub fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The weight of the golden model's projection.
pub fn trit(layer: usize, projection: Projection, row: usize, col: usize) -> i8 {
    let at = (layer << 40 | (projection as usize) << 32 | row << 16 | col) as u64;
    (mix(at) % 3) as i8 - 1
}

/// The scale of a projection: seven bits, which every type holds.
pub fn scale(layer: usize, projection: Projection) -> f32 {
    (65 + 8 * layer + projection as usize) as f32 / 1024.0
}

pub fn shape(projection: Projection) -> (usize, usize) {
    let (q, kv) = (HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM);
    match projection {
        Projection::Q => (q, HIDDEN),
        Projection::K | Projection::V => (kv, HIDDEN),
        Projection::O => (HIDDEN, q),
        Projection::Gate | Projection::Up => (FFN, HIDDEN),
        Projection::Down => (HIDDEN, FFN),
    }
}

/// The golden model's weights of a projection.
pub fn weights(layer: usize, projection: Projection) -> Vec<i8> {
    let (rows, cols) = shape(projection);
    (0..rows * cols).map(|i| trit(layer, projection, i / cols, i % cols)).collect()
}

pub fn real(seed: u64, n: usize) -> Vec<f32> {
    (0..n as u64).map(|i| mix(seed << 32 | i) as i32 as f32 / 2.0_f32.powi(31)).collect()
}

/// Blocks of trits, from their descriptions.
pub fn encode(stored: Stored, weights: &[i8], scale: f32) -> (u32, Vec<u8>) {
    let values = || weights.iter().map(|w| f32::from(*w) * scale);
    let half = half::f16::from_f32(scale).to_le_bytes();
    let code = |w: &i8| (w + 1) as u8;
    match stored {
        Stored::F32 => (0, values().flat_map(f32::to_le_bytes).collect()),
        Stored::F16 => (1, values().flat_map(|v| half::f16::from_f32(v).to_le_bytes()).collect()),
        Stored::Bf16 => {
            (30, values().flat_map(|v| half::bf16::from_f32(v).to_le_bytes()).collect())
        }
        Stored::Tq2_0 => {
            let block = |block: &[i8]| {
                let mut bytes = vec![0_u8; 64];
                for (j, w) in block.iter().enumerate() {
                    bytes[j / 128 * 32 + j % 32] |= code(w) << (2 * (j % 128 / 32));
                }
                [bytes, half.to_vec()].concat()
            };
            (35, weights.chunks(256).flat_map(block).collect())
        }
        Stored::Tq1_0 => {
            let digits = |trits: Vec<i8>| {
                let value = trits.iter().fold(0_u32, |all, t| all * 3 + u32::from(code(t)));
                let value = value * 3_u32.pow(5 - trits.len() as u32);
                (value * 256).div_ceil(243) as u8
            };
            let block = |block: &[i8]| {
                let take = |first: usize, step: usize, count: usize| {
                    digits((0..count).map(|n| block[first + n * step]).collect())
                };
                let mut bytes: Vec<u8> = (0..32).map(|m| take(m, 32, 5)).collect();
                bytes.extend((0..16).map(|m| take(160 + m, 16, 5)));
                bytes.extend((0..4).map(|m| take(240 + m, 4, 4)));
                [bytes, half.to_vec()].concat()
            };
            (34, weights.chunks(256).flat_map(block).collect())
        }
        Stored::I2S => {
            let block = |block: &[i8]| {
                let mut bytes = vec![0_u8; 32];
                for (j, w) in block.iter().enumerate() {
                    bytes[j % 32] |= code(w) << (6 - 2 * (j / 32));
                }
                bytes
            };
            let mut bytes: Vec<u8> = weights.chunks(128).flat_map(block).collect();
            bytes.extend(scale.to_le_bytes());
            bytes.extend([0; 28]);
            (36, bytes)
        }
    }
}

/// The characters that stand for bytes in byte-level BPE.
fn byte_characters() -> Vec<String> {
    let plain = |b: u32| (33..=126).contains(&b) || (161..=172).contains(&b) || b >= 174;
    let mut next = 256;
    (0..256)
        .map(|b| {
            let code = if plain(b) { b } else { next };
            next += u32::from(!plain(b));
            char::from_u32(code).unwrap().to_string()
        })
        .collect()
}

impl File {
    /// A model of an architecture, two layers.
    pub fn model(architecture: &str, stored: Stored) -> Self {
        let mut file = Self {
            version: 3,
            keys: Vec::new(),
            tensors: Vec::new(),
            counts: None,
            offsets: Vec::new(),
        };
        file.string("general.architecture", architecture);
        for (key, value) in [
            ("context_length", 64),
            ("embedding_length", HIDDEN),
            ("block_count", LAYERS),
            ("feed_forward_length", FFN),
            ("attention.head_count", HEADS),
            ("attention.head_count_kv", KV_HEADS),
        ] {
            file.u32(&format!("{architecture}.{key}"), value as u32);
        }
        let eps = 1e-5_f32.to_le_bytes().to_vec();
        file.key(&format!("{architecture}.attention.layer_norm_rms_epsilon"), 6, eps);
        file.tokenizer();
        let sub_norms = architecture != "llama";
        file.real("token_embd.weight", &[HIDDEN, VOCAB], 1);
        for layer in 0..LAYERS {
            let name = |name: &str| format!("blk.{layer}.{name}.weight");
            file.real(&name("attn_norm"), &[HIDDEN], 2);
            file.real(&name("ffn_norm"), &[HIDDEN], 3);
            if sub_norms {
                file.real(&name("attn_sub_norm"), &[HIDDEN], 4);
                file.real(&name("ffn_sub_norm"), &[FFN], 5);
            }
            for (tensor, projection) in [
                ("attn_q", Projection::Q),
                ("attn_k", Projection::K),
                ("attn_v", Projection::V),
                ("attn_output", Projection::O),
                ("ffn_gate", Projection::Gate),
                ("ffn_up", Projection::Up),
                ("ffn_down", Projection::Down),
            ] {
                let (rows, cols) = shape(projection);
                let mut weights = weights(layer, projection);
                if !sub_norms && [Projection::Q, Projection::K].contains(&projection) {
                    weights = swapped(&weights, cols);
                }
                let (type_id, bytes) = encode(stored, &weights, scale(layer, projection));
                let shape = vec![cols as u64, rows as u64];
                file.tensors.push(Tensor { name: name(tensor), type_id, shape, bytes });
            }
        }
        file.real("output_norm.weight", &[HIDDEN], 6);
        if architecture == "llama" {
            file.real("output.weight", &[HIDDEN, VOCAB], 7);
        }
        file
    }

    fn tokenizer(&mut self) {
        self.string("tokenizer.ggml.model", "gpt2");
        self.string("tokenizer.ggml.pre", "gpt-2");
        let mut tokens = byte_characters();
        let merges = ["h e", "l l", "he ll", "hell o", "Ġ t", "Ġt h"].map(str::to_string);
        tokens.extend(merges.iter().map(|merge| merge.replace(' ', "")));
        tokens.push("<|end|>".into());
        tokens.extend((tokens.len()..VOCAB).map(|id| format!("[PAD{id}]")));
        let kind = |token: &String| if token == "<|end|>" { 3_i32 } else { 1 };
        let kinds = tokens.iter().flat_map(|token| kind(token).to_le_bytes()).collect();
        let end = tokens.iter().position(|token| token == "<|end|>").unwrap();
        self.key("tokenizer.ggml.tokens", 9, strings(&tokens));
        self.key("tokenizer.ggml.token_type", 9, array(5, VOCAB, kinds));
        self.key("tokenizer.ggml.merges", 9, strings(&merges));
        self.u32("tokenizer.ggml.eos_token_id", end as u32);
        self.string("tokenizer.chat_template", "{{ messages[0].content }}");
    }

    pub fn key(&mut self, key: &str, kind: u32, bytes: Vec<u8>) {
        self.keys.retain(|(other, _, _)| other != key);
        self.keys.push((key.into(), kind, bytes));
    }

    pub fn string(&mut self, key: &str, text: &str) {
        self.key(key, 8, string(text));
    }

    pub fn u32(&mut self, key: &str, value: u32) {
        self.key(key, 4, value.to_le_bytes().to_vec());
    }

    fn real(&mut self, name: &str, shape: &[usize], seed: u64) {
        let values = real(seed, shape.iter().product());
        let shape = shape.iter().map(|n| *n as u64).collect();
        self.tensors.push(Tensor { name: name.into(), type_id: 0, shape, bytes: f32s(&values) });
    }

    pub fn tensor(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|tensor| tensor.name == name).unwrap()
    }

    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        let real = (self.tensors.len() as u64, self.keys.len() as u64);
        let (tensors, keys) = self.counts.unwrap_or(real);
        out.extend(tensors.to_le_bytes());
        out.extend(keys.to_le_bytes());
        for (key, kind, bytes) in &self.keys {
            out.extend(string(key));
            out.extend(kind.to_le_bytes());
            out.extend(bytes);
        }
        let mut offset = 0;
        for (index, tensor) in self.tensors.iter().enumerate() {
            out.extend(string(&tensor.name));
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            tensor.shape.iter().for_each(|n| out.extend(n.to_le_bytes()));
            out.extend(tensor.type_id.to_le_bytes());
            let lie = self.offsets.iter().find(|(lie, _)| *lie == index);
            out.extend(lie.map_or(offset, |(_, lie)| *lie).to_le_bytes());
            offset += (tensor.bytes.len() as u64).next_multiple_of(32);
        }
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(32), 0);
            out.extend(&tensor.bytes);
        }
        out.resize(out.len().next_multiple_of(32), 0);
        out
    }
}

/// `reshape(heads, 2, head_dim / 2, cols).swapaxes(1, 2)`: what converters do to Q and K.
fn swapped(weights: &[i8], cols: usize) -> Vec<i8> {
    let half = HEAD_DIM / 2;
    let mut out = Vec::new();
    for head in weights.chunks(HEAD_DIM * cols) {
        for i in 0..half {
            for part in 0..2 {
                out.extend(&head[(part * half + i) * cols..][..cols]);
            }
        }
    }
    out
}
