//! Making a packed model.

use super::{Header, Image, LayerNorm, Layout, MAGIC, PREFIX, Part};
use crate::{Error, rows::OFFSET, tile::pack_into};
use memmap2::{MmapMut, MmapOptions};
use std::path::Path;
use terntable_golden::{
    model::{Config, Layer, Linear, Model},
    norm::identity_weight,
};

/// Where the parts of a model come from; they are asked for in the order of [`Layout`].
pub trait Fill {
    /// What the header says; the checks are filled in.
    fn header(&self) -> Header;

    /// Writes a part, all of its bytes.
    fn fill(&mut self, part: Part, out: &mut [u8]) -> Result<(), Error>;
}

impl Image {
    /// Packs into memory. `progress` is told the bytes done and the bytes in all.
    pub fn build(
        source: &mut dyn Fill,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, Error> {
        let layout = Layout::new(&source.header())?;
        let memory = |source| Error::Io { path: "memory".into(), source };
        let mut bytes = MmapOptions::new().len(layout.bytes()).map_anon().map_err(memory)?;
        // Larger pages where the system has them; without, it is only slower.
        #[cfg(target_os = "linux")]
        let _ = bytes.advise(memmap2::Advice::HugePage);
        let header = write(source, &layout, &mut bytes, progress)?;
        Self::new(header, &layout, bytes.make_read_only().map_err(memory)?)
    }

    /// Packs into a file, which appears under its name when it is whole.
    pub fn build_file(
        source: &mut dyn Fill,
        path: &Path,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(), Error> {
        let layout = Layout::new(&source.header())?;
        let failed = |source| Error::Io { path: path.into(), source };
        let folder = path.parent().unwrap_or(Path::new("."));
        let file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.as_file().set_len(layout.bytes() as u64).map_err(failed)?;
        // SAFETY: nobody else knows the file yet, so nobody changes or shortens it.
        let mut bytes = unsafe { MmapMut::map_mut(file.as_file()) }.map_err(failed)?;
        write(source, &layout, &mut bytes, progress)?;
        bytes.flush().map_err(failed)?;
        drop(bytes);
        file.persist(path).map_err(|e| failed(e.error))?;
        Ok(())
    }
}

fn write(
    source: &mut dyn Fill,
    layout: &Layout,
    bytes: &mut [u8],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Header, Error> {
    let mut header = source.header();
    header.checks = Vec::with_capacity(layout.parts().len());
    for (part, range) in layout.parts() {
        let out = &mut bytes[range.clone()];
        source.fill(*part, out)?;
        header.checks.push(crc32fast::hash(out));
        progress(range.end, layout.bytes());
    }
    // Sizes and checks are numbers and one name: they always have a JSON form.
    let json = serde_json::to_vec(&header).unwrap_or_default();
    let first = layout.parts().first().map_or(layout.bytes(), |(_, range)| range.start);
    if PREFIX + json.len() > first {
        return Err(Error::Image {
            path: header.source.clone().into(),
            text: "its name is too long for the header of a packed model; give it a shorter one"
                .into(),
        });
    }
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&(json.len() as u32).to_le_bytes());
    bytes[12..16].copy_from_slice(&crc32fast::hash(&json).to_le_bytes());
    bytes[PREFIX..][..json.len()].copy_from_slice(&json);
    Ok(header)
}

/// A golden model as parts.
#[derive(Debug)]
pub struct ModelParts<'a> {
    model: &'a Model,
    source: String,
    bf16: bool,
}

impl<'a> ModelParts<'a> {
    /// The parts of a model that came from `source`.
    pub fn new(model: &'a Model, source: &str) -> Self {
        let bf16 = model.embedding.iter().all(|v| v.to_bits() & 0xffff == 0);
        Self { model, source: source.into(), bf16 }
    }
}

impl Fill for ModelParts<'_> {
    fn header(&self) -> Header {
        let first = self.model.layers.first();
        Header {
            config: self.model.config.clone(),
            source: self.source.clone(),
            bf16: self.bf16,
            identity_sub_norms: first.map_or([false; 2], sub_norms_missing),
            linear_norm_eps: first.and_then(|layer| layer.linear_norms.as_ref()).map(|n| n.eps),
            checks: Vec::new(),
        }
    }

    fn fill(&mut self, part: Part, out: &mut [u8]) -> Result<(), Error> {
        let model = self.model;
        let Config { context, norm_eps, vocab, .. } = model.config;
        match part {
            Part::Embedding if self.bf16 => {
                write_all(
                    out,
                    model.embedding.iter().map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes()),
                );
            }
            Part::Embedding => floats(out, &model.embedding),
            Part::Rope => {
                let rows = (0..context).flat_map(|position| model.rope.row(position));
                write_all(out, rows.flat_map(|(cos, sin)| [cos.to_le_bytes(), sin.to_le_bytes()]));
            }
            Part::Scales => {
                let matrices = model.layers.iter().flat_map(|layer| &layer.projections);
                write_all(out, matrices.map(|matrix| matrix.scale.to_le_bytes()));
            }
            Part::Norm(layer, norm) => fill_norm(
                &model.layers[layer],
                norm,
                self.header().identity_sub_norms,
                norm_eps,
                out,
            )?,
            Part::LinearNorm(layer, projection) => {
                if let Some(norms) = &model.layers[layer].linear_norms {
                    floats(out, &norms.weights[projection as usize]);
                }
            }
            Part::Matrix(layer, projection) => {
                pack_into(model.matrix(Linear::Layer(layer, projection)), out);
            }
            Part::LastNorm => floats(out, &model.norm),
            Part::Screen => pack_into(model.head.screen(), out),
            Part::ScreenWeights => {
                write_all(out, model.head.screen_weights().iter().map(|w| w.to_le_bytes()));
            }
            Part::HeadSteps => {
                write_all(out, (0..vocab as u32).map(|token| model.head.step(token).to_le_bytes()));
            }
            Part::HeadRows => {
                let rows = (0..vocab as u32).flat_map(|token| model.head.row(token));
                write_all(out, rows.map(|&v| [v as u8 ^ OFFSET]));
            }
        }
        Ok(())
    }
}

/// Which sub-norms a layer lacks: before the output, and before the down projection.
pub fn sub_norms_missing(layer: &Layer) -> [bool; 2] {
    [layer.attention_sub_norm.is_none(), layer.ffn_sub_norm.is_none()]
}

/// Writes the weights of a layer's norm; those of the identity norm where there is none. Every layer must lack
/// the same sub-norms.
pub fn fill_norm(
    layer: &Layer,
    norm: LayerNorm,
    missing: [bool; 2],
    eps: f32,
    out: &mut [u8],
) -> Result<(), Error> {
    if sub_norms_missing(layer) != missing {
        return Err(terntable_golden::Error::Config(
            "some layers have sub-norms that others lack; expected the same in all".into(),
        )
        .into());
    }
    let weights = match norm {
        LayerNorm::Attention => Some(&layer.attention_norm),
        LayerNorm::AttentionSub => layer.attention_sub_norm.as_ref(),
        LayerNorm::Ffn => Some(&layer.ffn_norm),
        LayerNorm::FfnSub => layer.ffn_sub_norm.as_ref(),
    };
    match weights {
        Some(weights) => floats(out, weights),
        None => write_all(out, std::iter::repeat(identity_weight(eps).to_le_bytes())),
    }
    Ok(())
}

/// Writes numbers one after the other, little-endian.
pub fn floats(out: &mut [u8], values: &[f32]) {
    write_all(out, values.iter().map(|v| v.to_le_bytes()));
}

/// Writes elements one after the other, as far as there is room.
pub fn write_all<const N: usize>(out: &mut [u8], values: impl Iterator<Item = [u8; N]>) {
    for (out, value) in out.chunks_exact_mut(N).zip(values) {
        out.copy_from_slice(&value);
    }
}
