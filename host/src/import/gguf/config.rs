//! What the keys of a GGUF file say of the model.

use crate::Error;
use terntable_gguf::Gguf;
use terntable_golden::{attention::KvFormat, gate::Gate, model::Config};

/// An architecture of GGUF that import knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// `bitnet`: sub-norms, SiLU gate, tied head.
    Bitnet,
    /// `bitnet-b1.58`, and `bitnet-25`, of the BitNet fork: sub-norms, ReLU-squared gate, tied head.
    BitnetB158,
    /// `llama`: no sub-norms, SiLU gate.
    Llama,
}

impl Architecture {
    /// All.
    pub const ALL: [Self; 3] = [Self::Bitnet, Self::BitnetB158, Self::Llama];

    /// The name under which it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bitnet => "bitnet",
            Self::BitnetB158 => "bitnet-b1.58",
            Self::Llama => "llama",
        }
    }

    fn of(name: &str) -> Option<Self> {
        let name = if name == "bitnet-25" { "bitnet-b1.58" } else { name };
        Self::ALL.into_iter().find(|architecture| architecture.name() == name)
    }

    /// Gate of the feed-forward block.
    pub fn gate(self) -> Gate {
        match self {
            Self::BitnetB158 => Gate::Relu2,
            Self::Bitnet | Self::Llama => Gate::Silu,
        }
    }

    /// Whether its layers have sub-norms.
    pub fn sub_norms(self) -> bool {
        self != Self::Llama
    }

    /// Whether rotary pairs lie side by side in the rows of Q and K, as llama.cpp has them for this
    /// architecture, and not half a head apart, as Hugging Face and the golden model have them.
    pub fn interleaved(self) -> bool {
        self == Self::Llama
    }
}

/// The model's configuration by the file's keys and the embedding's rows, checked.
pub fn read(gguf: &Gguf) -> Result<(Architecture, Config), Error> {
    const SPLIT: &str = "split.count";
    if let Some(parts) = gguf.unsigned(SPLIT)?.filter(|parts| *parts > 1) {
        let text = format!(
            "one of {parts} parts of a model; expected it in one file: join them with llama.cpp's \
             gguf-split --merge"
        );
        return Err(gguf.key_error(SPLIT, text).into());
    }
    const ARCHITECTURE: &str = "general.architecture";
    let known = || Architecture::ALL.map(Architecture::name).join(", ");
    let Some(name) = gguf.string(ARCHITECTURE)? else {
        let text = format!("missing; expected {} or bitnet-25", known());
        return Err(gguf.key_error(ARCHITECTURE, text).into());
    };
    let Some(architecture) = Architecture::of(name) else {
        let text = format!("{name:?}; this version imports {} and bitnet-25", known());
        return Err(gguf.key_error(ARCHITECTURE, text).into());
    };
    let keys = Keys { gguf, name };
    let hidden = keys.required("embedding_length")?;
    let heads = keys.required("attention.head_count")?;
    let head_dim = match keys.number("attention.key_length")? {
        Some(head_dim) => head_dim,
        None if heads > 0 && hidden.is_multiple_of(heads) => hidden / heads,
        None => {
            let text = format!("{heads}; the {hidden} elements do not divide into so many heads");
            return Err(keys.error("attention.head_count", text));
        }
    };
    for key in ["attention.value_length", "rope.dimension_count"] {
        if let Some(other) = keys.number(key)?.filter(|other| *other != head_dim) {
            let text = format!(
                "{other}; expected {head_dim}, the elements of a head: this version has one length for \
                 keys and values and rotates all of it"
            );
            return Err(keys.error(key, text));
        }
    }
    keys.check_rope()?;
    for key in ["expert_count", "attention.sliding_window"] {
        if let Some(n) = keys.number(key)?.filter(|n| *n != 0) {
            return Err(
                keys.error(key, format!("{n}; this version runs dense models of full attention"))
            );
        }
    }
    let Some(eps) = gguf.real(&keys.key("attention.layer_norm_rms_epsilon"))? else {
        return Err(
            keys.error("attention.layer_norm_rms_epsilon", "missing; the file is incomplete")
        );
    };
    let config = Config {
        hidden,
        intermediate: keys.required("feed_forward_length")?,
        layers: keys.required("block_count")?,
        heads,
        kv_heads: keys.number("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        vocab: vocabulary(gguf)?,
        context: keys.required("context_length")?,
        // What llama.cpp takes when the file does not say.
        rope_theta: gguf.real(&keys.key("rope.freq_base"))?.unwrap_or(10_000.0),
        norm_eps: eps,
        gate: architecture.gate(),
        kv: KvFormat::Int8,
    };
    let wrong = |e: terntable_golden::Error| Error::File {
        path: gguf.path().into(),
        text: format!("its keys describe no model that can be run: {e}"),
    };
    config.check().map_err(wrong)?;
    Ok((architecture, config))
}

/// Rows of the embedding: the vocabulary.
fn vocabulary(gguf: &Gguf) -> Result<usize, Error> {
    match gguf.tensor(super::EMBEDDING) {
        Some(tensor) => Ok(usize::try_from(tensor.rows()).unwrap_or(usize::MAX)),
        None => Err(gguf.tensor_error(super::EMBEDDING, "missing; the file is incomplete").into()),
    }
}

/// Keys of the architecture.
struct Keys<'a> {
    gguf: &'a Gguf,
    name: &'a str,
}

impl Keys<'_> {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    fn error(&self, key: &str, text: impl Into<String>) -> Error {
        self.gguf.key_error(&self.key(key), text).into()
    }

    /// A size; of an array, one a layer, all must be equal.
    fn number(&self, key: &str) -> Result<Option<usize>, Error> {
        let Some(numbers) = self.gguf.unsigneds(&self.key(key))? else {
            return Ok(None);
        };
        match numbers.first() {
            Some(first) if numbers.iter().all(|n| n == first) => {
                Ok(Some(usize::try_from(*first).unwrap_or(usize::MAX)))
            }
            _ => Err(self.error(key, "differs from layer to layer; expected one number for all")),
        }
    }

    fn required(&self, key: &str) -> Result<usize, Error> {
        self.number(key)?.ok_or_else(|| self.error(key, "missing; the file is incomplete"))
    }

    /// Refuses rotary scaling that is not in a tensor of its own.
    fn check_rope(&self) -> Result<(), Error> {
        let kind = self.gguf.string(&self.key("rope.scaling.type"))?.unwrap_or("none");
        if !["none", "linear"].contains(&kind) {
            let text = format!(
                "{kind:?}; this version knows plain rotary embeddings and the divisors of \
                 rope_freqs.weight"
            );
            return Err(self.error("rope.scaling.type", text));
        }
        for key in ["rope.scaling.factor", "rope.scale_linear"] {
            if let Some(factor) =
                self.gguf.real(&self.key(key))?.filter(|f| ![0.0, 1.0].contains(f))
            {
                let text = format!("{factor}; expected 1: this version does not stretch positions");
                return Err(self.error(key, text));
            }
        }
        Ok(())
    }
}
