//! Checkpoint to card image.

use crate::{Error, import::AnyCheckpoint};
use serde::Serialize;
use std::path::Path;
use terntable_golden::{
    attention::KvFormat,
    card::{
        build::{BuildOptions, build},
        config::CardConfig,
        image::{Image, SectionKind},
        program::ProgramKind,
    },
    model::Model,
};

/// Choices of an image.
#[derive(Debug, Clone, Default)]
pub struct PackOptions {
    /// How K and V are held.
    pub kv: KvFormat,
    /// Physical KV pages; by default as many as suit the card.
    pub pages: Option<u32>,
    /// Tiles of a panel; by default the compiler's choice.
    pub panel_tiles: Option<usize>,
    /// Name of the model.
    pub name: String,
}

/// A bundled card by name, or the TOML file of one.
pub fn card(name: &str) -> Result<CardConfig, Error> {
    let path = Path::new(name);
    if !path.is_file() {
        return Ok(CardConfig::named(name)?);
    }
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
        remedy: "give the name or the TOML file of a card",
    })?;
    CardConfig::parse(&text).map_err(|e| Error::File { path: path.into(), text: e.to_string() })
}

/// Packs a checkpoint.
pub fn pack(
    checkpoint: &AnyCheckpoint,
    card: &CardConfig,
    options: &PackOptions,
    progress: impl FnMut(usize, usize),
) -> Result<Image, Error> {
    let mut model = checkpoint.model()?;
    model.config.kv = options.kv;
    pack_model(&model, card, options, progress)
}

/// Packs a model as it is; `options.kv` is not looked at.
pub fn pack_model(
    model: &Model,
    card: &CardConfig,
    options: &PackOptions,
    mut progress: impl FnMut(usize, usize),
) -> Result<Image, Error> {
    let options = BuildOptions {
        name: options.name.clone(),
        pages: options.pages,
        panel_tiles: options.panel_tiles,
    };
    Ok(build(model, card, &options, &mut progress)?.image)
}

/// Writes an image beside its place and moves it there when it is whole.
pub fn write(image: &Image, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.into(), source };
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    let part = path.with_file_name(name);
    let result = std::fs::write(&part, image.bytes()).and_then(|()| std::fs::rename(&part, path));
    result.map_err(|source| {
        let _ = std::fs::remove_file(&part);
        failed(source)
    })
}

/// Reads an image and checks everything in it.
pub fn read(path: &Path) -> Result<Image, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
        remedy: "give a card image that `terntable pack` made",
    })?;
    Image::parse(bytes).map_err(|e| Error::File { path: path.into(), text: e.to_string() })
}

/// An image, described.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Name of the model.
    pub name: String,
    /// Name of the card.
    pub card: String,
    /// Hash of its configuration.
    pub config_hash: String,
    /// Bytes of the image.
    pub bytes: u64,
    /// Elements of the residual stream.
    pub hidden: usize,
    /// Elements of the feed-forward block.
    pub ffn: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key-value heads.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Tokens.
    pub vocab: usize,
    /// Longest context.
    pub context: usize,
    /// `relu2` or `silu`.
    pub gate: &'static str,
    /// Bits of an element of K and V.
    pub kv_bits: usize,
    /// Bits of an element of an embedding.
    pub embed_bits: usize,
    /// Ternary weights of the layers.
    pub ternary_weights: u64,
    /// Bits that one of them takes, padding included.
    pub bits_per_weight: f64,
    /// Physical KV pages.
    pub kv_pages: u32,
    /// Bytes of a KV page of all layers; absent for cards that are not bundled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_page_bytes: Option<usize>,
    /// Bytes of the state region; likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_bytes: Option<u64>,
    /// Pages whose checksum was compared.
    pub checked_pages: usize,
    /// Sections.
    pub sections: Vec<SectionReport>,
    /// Programs.
    pub programs: Vec<ProgramReport>,
    /// What looks wrong.
    pub warnings: Vec<String>,
}

/// A section, described.
#[derive(Debug, Serialize)]
pub struct SectionReport {
    /// What it holds.
    pub name: &'static str,
    /// Where.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A program, described.
#[derive(Debug, Serialize)]
pub struct ProgramReport {
    /// What it does.
    pub name: &'static str,
    /// Where.
    pub address: u64,
    /// Commands.
    pub commands: usize,
}

/// Describes an image whose checksums were compared.
pub fn report(image: &Image) -> Report {
    let header = &image.header;
    let config = &header.config;
    let card = CardConfig::names().filter_map(|name| CardConfig::named(name).ok());
    let card = card.into_iter().find(|card| card.hash() == header.config_hash);
    let mut warnings = Vec::new();
    match &card {
        None => warnings.push(format!(
            "card {:?} is none of the bundled cards, or was changed since: sizes that depend on it \
             were not checked",
            header.card
        )),
        Some(card) => {
            if let Err(error) = image.check_card(card) {
                warnings.push(error.to_string());
            }
        }
    }
    let section = |kind: SectionKind| {
        let section = header.section(kind);
        SectionReport { name: kind.as_str(), offset: section.offset, bytes: section.bytes }
    };
    let program = |kind: ProgramKind| {
        let program = header.program(kind);
        let commands = program.bytes as usize / 64;
        ProgramReport { name: kind.as_str(), address: program.address, commands }
    };
    let layout = card.as_ref().and_then(|card| header.layout(card).ok());
    Report {
        name: header.name.clone(),
        card: header.card.clone(),
        config_hash: format!("{:#018x}", header.config_hash),
        bytes: header.image_bytes,
        hidden: config.hidden,
        ffn: config.intermediate,
        layers: config.layers,
        heads: config.heads,
        kv_heads: config.kv_heads,
        head_dim: config.head_dim,
        vocab: config.vocab,
        context: config.context,
        gate: config.gate.as_str(),
        kv_bits: config.kv.bits(),
        embed_bits: if header.embed_bf16 { 16 } else { 32 },
        ternary_weights: header.layer_weights(),
        bits_per_weight: header.bits_per_weight(),
        kv_pages: header.pages,
        kv_page_bytes: card.as_ref().map(|card| image.kv_page_bytes(card)),
        state_bytes: layout.map(|layout| layout.state_bytes),
        checked_pages: header.checked_pages(),
        sections: SectionKind::ALL.map(section).into(),
        programs: ProgramKind::ALL.map(program).into(),
        warnings,
    }
}
