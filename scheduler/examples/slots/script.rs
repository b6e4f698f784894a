//! A device whose answers are given beforehand: for schedules, which do not look at tokens, and for drafts, which
//! look at nothing else.

use std::{collections::BTreeMap, time::Duration};
use terntable_golden::{
    attention::KvFormat, gate::Gate, head::Candidate, model::Config, sample::mix,
};
use terntable_scheduler::{
    Device, DeviceError,
    device::{Chunk, Limits, Passed, SequenceId},
    snapshot::Snapshot,
};

/// Tokens that texts are made of.
pub const VOCAB: usize = 128_256;
/// Positions of K and V that fit beside the weights of BitNet 2B-4T into 4 GiB: 2 GB at 39,600 bytes each.
const POSITIONS: usize = 49_152;

/// Continues each sequence by the text that begins with the same token, and by random tokens after its end.
pub struct Script {
    config: Config,
    texts: BTreeMap<u32, Vec<u32>>,
    sequences: BTreeMap<SequenceId, Vec<u32>>,
}

impl Script {
    /// The sizes are those of BitNet 2B-4T.
    pub fn new(texts: impl IntoIterator<Item = Vec<u32>>) -> Self {
        let config = Config {
            hidden: 2560,
            intermediate: 6912,
            layers: 30,
            heads: 20,
            kv_heads: 5,
            head_dim: 128,
            vocab: VOCAB,
            context: 4096,
            rope_theta: 5e5,
            norm_eps: 1e-5,
            gate: Gate::Relu2,
            kv: KvFormat::Int8,
        };
        let texts = texts.into_iter().map(|text| (text[0], text)).collect();
        Self { config, texts, sequences: BTreeMap::new() }
    }

    fn next(&self, held: &[u32]) -> Candidate {
        let random = mix(u64::from(held[0]) << 32 | held.len() as u64) % VOCAB as u64;
        let text = self.texts.get(&held[0]).and_then(|text| text.get(held.len()));
        Candidate { token: text.copied().unwrap_or(random as u32), logit: 1.0 }
    }

    fn held(&mut self, id: SequenceId) -> Result<&mut Vec<u32>, DeviceError> {
        self.sequences.get_mut(&id).ok_or_else(|| DeviceError(format!("no sequence {}", id.0)))
    }
}

impl Device for Script {
    fn name(&self) -> &str {
        "script"
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn limits(&self) -> Limits {
        Limits {
            slots: 16,
            sequences: 64,
            pages: POSITIONS / 16,
            page_rows: 16,
            shared_pages: true,
        }
    }

    fn begin(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.sequences.insert(id, Vec::new());
        Ok(())
    }

    fn fork(&mut self, from: SequenceId, to: SequenceId, length: usize) -> Result<(), DeviceError> {
        let fork = self.held(from)?[..length].to_vec();
        self.sequences.insert(to, fork);
        Ok(())
    }

    fn truncate(&mut self, id: SequenceId, length: usize) -> Result<(), DeviceError> {
        self.held(id)?.truncate(length);
        Ok(())
    }

    fn end(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.held(id)?;
        self.sequences.remove(&id);
        Ok(())
    }

    fn pass(&mut self, chunks: &[Chunk<'_>]) -> Result<Passed, DeviceError> {
        let mut ranked = Vec::new();
        for chunk in chunks {
            self.held(chunk.sequence)?.extend(chunk.tokens);
            let held = &self.sequences[&chunk.sequence];
            let wanted = held.len() + 1 - chunk.wanted..=held.len();
            ranked.extend(wanted.map(|length| vec![self.next(&held[..length])]));
        }
        Ok(Passed { ranked, time: Duration::ZERO })
    }

    fn export(&mut self, id: SequenceId) -> Result<Snapshot, DeviceError> {
        Err(DeviceError(format!("sequence {}: a script has no K and V", id.0)))
    }

    fn import(&mut self, id: SequenceId, _snapshot: &Snapshot) -> Result<(), DeviceError> {
        Err(DeviceError(format!("sequence {}: a script has no K and V", id.0)))
    }
}
