//! Card images: a model in the layout of the card's memory, with its programs (`docs/image.md`).
//!
//! The bytes of the file are the bytes of the image region. Page 0 is the header; every other page of
//! 4,096 bytes has a CRC-32C in a table at the end, which the header's own CRC covers.

use super::{
    command::{COMMAND_BYTES, Command, STATE},
    config::CardConfig,
    layout::CardLayout,
    program::{MAX_COMMANDS, ProgramKind},
    shape::{self, KvShape},
};
use crate::{attention::KvFormat, gate::Gate, model::Config};
use thiserror::Error;

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// First bytes of an image.
pub const MAGIC: [u8; 8] = *b"TTCARD\r\n";
/// Version of the format.
pub const VERSION: u32 = 1;

const SECTION_TABLE: usize = 256;
const PROGRAM_TABLE: usize = 1024;
const ENTRY: usize = 32;
const HEADER_CRC: usize = PAGE - 4;
const CARD_NAME: std::ops::Range<usize> = 128..160;
const MODEL_NAME: std::ops::Range<usize> = 160..256;

/// CRC-32C (Castagnoli), as the card's `check` computes it.
pub fn crc32c(bytes: &[u8]) -> u32 {
    static CRC: crc::Crc<u32, crc::Table<16>> =
        crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISCSI);
    CRC.checksum(bytes)
}

/// What is wrong with an image.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImageError {
    /// The file has no whole header or not the size that the header says.
    #[error("{found} bytes; expected {expected}: the image is truncated or was never whole")]
    Size {
        /// What the header says, or the least possible.
        expected: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// Not an image at all.
    #[error("not a card image: expected the magic bytes TTCARD; `terntable pack` makes images")]
    Magic,
    /// An image of another version.
    #[error("image version {0}; this program reads version {VERSION}: pack the model again")]
    Version(u32),
    /// A checksum differs.
    #[error("{what}: CRC-32C {found:#010x}, expected {expected:#010x}: the image is damaged")]
    Checksum {
        /// Which bytes.
        what: String,
        /// The value in the image.
        expected: u32,
        /// The value of the bytes.
        found: u32,
    },
    /// A field that no image has.
    #[error("{0}")]
    Field(String),
    /// An image for another card.
    #[error(
        "made for card {image_card} (configuration {image_hash:#018x}); card {card} has \
         {card_hash:#018x}: pack the model for this card"
    )]
    Card {
        /// The image's card.
        image_card: String,
        /// Its hash.
        image_hash: u64,
        /// The card at hand.
        card: String,
        /// Its hash.
        card_hash: u64,
    },
}

/// What a section holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SectionKind {
    /// A row a token, bf16 or binary32.
    Embeddings,
    /// Norm weights, binary32, each vector on a beat.
    Norms,
    /// A row a position: cosines, then sines.
    Rope,
    /// Ternary panels of all layers.
    Panels,
    /// A row a token: int8, then the step.
    HeadRows,
    /// Ternary panels of the screen.
    Screen,
    /// 16-bit row weights of the screen, a panel's on a beat.
    ScreenWeights,
    /// Programs.
    Programs,
    /// CRC-32C of the pages from page 1 to this section.
    Checksums,
}

impl SectionKind {
    /// All, in the order of their numbers and places.
    pub const ALL: [SectionKind; 9] = [
        SectionKind::Embeddings,
        SectionKind::Norms,
        SectionKind::Rope,
        SectionKind::Panels,
        SectionKind::HeadRows,
        SectionKind::Screen,
        SectionKind::ScreenWeights,
        SectionKind::Programs,
        SectionKind::Checksums,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            SectionKind::Embeddings => "embeddings",
            SectionKind::Norms => "norm weights",
            SectionKind::Rope => "rotary table",
            SectionKind::Panels => "panels",
            SectionKind::HeadRows => "head rows",
            SectionKind::Screen => "screen panels",
            SectionKind::ScreenWeights => "screen weights",
            SectionKind::Programs => "programs",
            SectionKind::Checksums => "checksums",
        }
    }
}

/// A section of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// What it holds.
    pub kind: SectionKind,
    /// Where: a page.
    pub offset: u64,
    /// Bytes, without the padding to a page.
    pub bytes: u64,
}

/// A program of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramEntry {
    /// What it does.
    pub kind: ProgramKind,
    /// Where.
    pub address: u64,
    /// Bytes: 64 a command.
    pub bytes: u32,
}

/// The header of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Hash of the card's configuration.
    pub config_hash: u64,
    /// Name of the card.
    pub card: String,
    /// Name of the model.
    pub name: String,
    /// The model's sizes and constants.
    pub config: Config,
    /// Physical KV pages that the programs were made for.
    pub pages: u32,
    /// Whether embeddings are bf16.
    pub embed_bf16: bool,
    /// Bytes of the image.
    pub image_bytes: u64,
    /// Sections, in the order of [`SectionKind::ALL`].
    pub sections: Vec<Section>,
    /// Programs, in the order of [`ProgramKind::ALL`].
    pub programs: Vec<ProgramEntry>,
    /// CRC-32C of the table of checksums.
    pub table_crc: u32,
}

impl Header {
    /// A section.
    pub fn section(&self, kind: SectionKind) -> Section {
        self.sections[kind as usize]
    }

    /// A program.
    pub fn program(&self, kind: ProgramKind) -> ProgramEntry {
        self.programs[kind as usize]
    }

    /// Pages that the table of checksums covers, from page 1 on.
    pub fn checked_pages(&self) -> usize {
        (self.section(SectionKind::Checksums).offset as usize / PAGE).saturating_sub(1)
    }

    /// Ternary weights in the panels of the layers.
    pub fn layer_weights(&self) -> u64 {
        let shapes = crate::model::Projection::ALL.map(|p| self.config.shape(p));
        shapes.iter().map(|(rows, cols)| (rows * cols) as u64).sum::<u64>()
            * self.config.layers as u64
    }

    /// Bits that a ternary weight of the layers takes, padding included.
    pub fn bits_per_weight(&self) -> f64 {
        self.section(SectionKind::Panels).bytes as f64 * 8.0 / self.layer_weights() as f64
    }

    /// The map of the state region.
    pub fn layout(&self, card: &CardConfig) -> Result<CardLayout, crate::Error> {
        CardLayout::new(card, &self.config, self.pages)
    }

    /// The header page.
    pub fn encode(&self) -> Vec<u8> {
        let mut page = vec![0; PAGE];
        let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        let config = &self.config;
        let words = [
            VERSION,
            PAGE as u32,
            self.config_hash as u32,
            (self.config_hash >> 32) as u32,
            self.image_bytes as u32,
            (self.image_bytes >> 32) as u32,
            config.hidden as u32,
            config.intermediate as u32,
            config.layers as u32,
            config.heads as u32,
            config.kv_heads as u32,
            config.head_dim as u32,
            config.vocab as u32,
            config.context as u32,
            config.rope_theta.to_bits(),
            config.norm_eps.to_bits(),
            u32::from(config.gate == Gate::Silu),
            config.kv.bits() as u32,
            if self.embed_bf16 { 16 } else { 32 },
            self.pages,
            self.table_crc,
            self.sections.len() as u32,
            self.programs.len() as u32,
        ];
        words.iter().enumerate().for_each(|(i, word)| put(8 + 4 * i, &word.to_le_bytes()));
        put(CARD_NAME.start, text(&self.card, CARD_NAME.len() - 1));
        put(MODEL_NAME.start, text(&self.name, MODEL_NAME.len() - 1));
        let mut entry = |at: usize, kind: usize, offset: u64, bytes: u64| {
            put(at, &(kind as u32).to_le_bytes());
            put(at + 8, &offset.to_le_bytes());
            put(at + 16, &bytes.to_le_bytes());
        };
        for (i, s) in self.sections.iter().enumerate() {
            entry(SECTION_TABLE + ENTRY * i, s.kind as usize, s.offset, s.bytes);
        }
        for (i, p) in self.programs.iter().enumerate() {
            entry(PROGRAM_TABLE + ENTRY * i, p.kind as usize, p.address, u64::from(p.bytes));
        }
        let crc = crc32c(&page[..HEADER_CRC]);
        page[HEADER_CRC..].copy_from_slice(&crc.to_le_bytes());
        page
    }

    /// Parses and checks the first page of an image of `found` bytes.
    pub fn decode(page: &[u8], found: u64) -> Result<Self, ImageError> {
        if page.len() < PAGE {
            return Err(if page.starts_with(&MAGIC) {
                ImageError::Size { expected: PAGE as u64, found }
            } else {
                ImageError::Magic
            });
        }
        if !page.starts_with(&MAGIC) {
            return Err(ImageError::Magic);
        }
        let word = |i: usize| u32_at(page, 8 + 4 * i);
        if word(0) != VERSION {
            return Err(ImageError::Version(word(0)));
        }
        check_crc("header", &page[..HEADER_CRC], u32_at(page, HEADER_CRC))?;
        let wide = |i: usize| u64::from(word(i)) | u64::from(word(i + 1)) << 32;
        let image_bytes = wide(4);
        if image_bytes != found {
            return Err(ImageError::Size { expected: image_bytes, found });
        }
        let field = |holds: bool, text: &str| match holds {
            true => Ok(()),
            false => Err(ImageError::Field(format!("the header's {text}"))),
        };
        field(word(1) == PAGE as u32, "page size is not 4096")?;
        field(word(16) <= 1, "gate is neither ReLU squared nor SiLU")?;
        field(matches!(word(17), 4 | 8), "K and V have neither 4 nor 8 bits")?;
        field(matches!(word(18), 16 | 32), "embeddings have neither 16 nor 32 bits")?;
        let config = Config {
            hidden: word(6) as usize,
            intermediate: word(7) as usize,
            layers: word(8) as usize,
            heads: word(9) as usize,
            kv_heads: word(10) as usize,
            head_dim: word(11) as usize,
            vocab: word(12) as usize,
            context: word(13) as usize,
            rope_theta: f32::from_bits(word(14)),
            norm_eps: f32::from_bits(word(15)),
            gate: if word(16) == 1 { Gate::Silu } else { Gate::Relu2 },
            kv: if word(17) == 4 { KvFormat::Int4 } else { KvFormat::Int8 },
        };
        config.check().map_err(|e| ImageError::Field(e.to_string()))?;
        let mut header = Self {
            config_hash: wide(2),
            card: text_of(&page[CARD_NAME]),
            name: text_of(&page[MODEL_NAME]),
            config,
            pages: word(19),
            embed_bf16: word(18) == 16,
            image_bytes,
            sections: Vec::new(),
            programs: Vec::new(),
            table_crc: word(20),
        };
        field(word(21) as usize == SectionKind::ALL.len(), "number of sections is wrong")?;
        field(word(22) as usize == ProgramKind::ALL.len(), "number of programs is wrong")?;
        header.sections(page)?;
        header.programs(page)?;
        Ok(header)
    }

    fn sections(&mut self, page: &[u8]) -> Result<(), ImageError> {
        let mut end = PAGE as u64;
        for (i, kind) in SectionKind::ALL.into_iter().enumerate() {
            let at = SECTION_TABLE + ENTRY * i;
            let (offset, bytes) = (u64_at(page, at + 8), u64_at(page, at + 16));
            let last = offset.checked_add(bytes).filter(|last| *last <= self.image_bytes);
            let placed = u32_at(page, at) as usize == i && offset == end;
            let Some(last) = last.filter(|_| placed) else {
                return Err(ImageError::Field(format!(
                    "section {} at {offset:#x} of {bytes} bytes; expected it at {end:#x}, within the \
                     image",
                    kind.as_str()
                )));
            };
            self.sections.push(Section { kind, offset, bytes });
            end = last.next_multiple_of(PAGE as u64);
        }
        let table = self.section(SectionKind::Checksums);
        let pages = self.checked_pages() as u64;
        match table.bytes == 4 * pages && end == self.image_bytes && end < STATE {
            true => Ok(()),
            false => Err(ImageError::Field(format!(
                "the table of checksums has {} bytes and the image {}; expected four bytes for each of \
                 {pages} pages and nothing behind",
                table.bytes, self.image_bytes
            ))),
        }
    }

    fn programs(&mut self, page: &[u8]) -> Result<(), ImageError> {
        let section = self.section(SectionKind::Programs);
        for (i, kind) in ProgramKind::ALL.into_iter().enumerate() {
            let at = PROGRAM_TABLE + ENTRY * i;
            let (address, bytes) = (u64_at(page, at + 8), u64_at(page, at + 16));
            let inside = address >= section.offset
                && address.checked_add(bytes).is_some_and(|e| e <= section.offset + section.bytes);
            let commands = bytes / COMMAND_BYTES as u64;
            let fits = (2..=MAX_COMMANDS as u64).contains(&commands)
                && bytes.is_multiple_of(COMMAND_BYTES as u64)
                && address.is_multiple_of(256);
            if u32_at(page, at) as usize != i || !inside || !fits {
                return Err(ImageError::Field(format!(
                    "program {} at {address:#x} of {bytes} bytes; expected whole commands within the \
                     section of programs",
                    kind.as_str()
                )));
            }
            self.programs.push(ProgramEntry { kind, address, bytes: bytes as u32 });
        }
        Ok(())
    }
}

/// An image.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// What the first page says.
    pub header: Header,
    bytes: Vec<u8>,
}

impl Image {
    /// Joins a header page and what follows it; the builder's last step.
    pub(super) fn join(header: Header, bytes: Vec<u8>) -> Self {
        Self { header, bytes }
    }

    /// Parses an image and checks everything that does not need the card.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, ImageError> {
        let header = Header::decode(&bytes[..bytes.len().min(PAGE)], bytes.len() as u64)?;
        let image = Self { header, bytes };
        let table = image.section(SectionKind::Checksums);
        check_crc("table of checksums", table, image.header.table_crc)?;
        let pages = image.bytes[PAGE..].chunks_exact(PAGE);
        for (i, (page, crc)) in pages.zip(table.chunks_exact(4)).enumerate() {
            let expected = u32_at(crc, 0);
            let found = crc32c(page);
            if found != expected {
                let what = image.place((i + 1) * PAGE);
                return Err(ImageError::Checksum { what, expected, found });
            }
        }
        for program in &image.header.programs {
            image.commands(program.kind)?;
        }
        Ok(image)
    }

    /// A page and the section it belongs to, in words.
    fn place(&self, offset: usize) -> String {
        let holds = |s: &&Section| s.offset as usize <= offset;
        let section = self.header.sections.iter().rev().find(holds);
        format!("page {} ({})", offset / PAGE, section.map_or("header", |s| s.kind.as_str()))
    }

    /// Checks that the image is for this card and its sections have the model's sizes.
    pub fn check_card(&self, card: &CardConfig) -> Result<(), ImageError> {
        let Header { config, config_hash, embed_bf16, .. } = &self.header;
        if *config_hash != card.hash() {
            return Err(ImageError::Card {
                image_card: self.header.card.clone(),
                image_hash: *config_hash,
                card: card.name.clone(),
                card_hash: card.hash(),
            });
        }
        let field = |e: crate::Error| ImageError::Field(e.to_string());
        shape::check_fits(card, config).map_err(field)?;
        self.header.layout(card).map_err(field)?;
        let rows = [
            (
                SectionKind::Embeddings,
                config.vocab * shape::embed_stride(card, config.hidden, *embed_bf16),
            ),
            (SectionKind::Rope, config.context * shape::rope_stride(card, config.head_dim)),
            (SectionKind::HeadRows, config.vocab * shape::head_stride(card, config.hidden)),
        ];
        for (kind, expected) in rows {
            let found = self.header.section(kind).bytes;
            if found != expected as u64 {
                return Err(ImageError::Field(format!(
                    "section {} has {found} bytes; expected {expected} by the model's sizes",
                    kind.as_str()
                )));
            }
        }
        Ok(())
    }

    /// All bytes: what the card's image region holds.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of the image, for a card that keeps them.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The bytes of a section, without padding.
    pub fn section(&self, kind: SectionKind) -> &[u8] {
        let Section { offset, bytes, .. } = self.header.section(kind);
        &self.bytes[offset as usize..][..bytes as usize]
    }

    /// The commands of a program.
    pub fn commands(&self, kind: ProgramKind) -> Result<super::program::Commands, ImageError> {
        let ProgramEntry { address, bytes, .. } = self.header.program(kind);
        let (commands, _) =
            self.bytes[address as usize..][..bytes as usize].as_chunks::<COMMAND_BYTES>();
        let decode = |(i, bytes): (usize, &[u8; COMMAND_BYTES])| {
            Command::decode(bytes).map_err(|e| {
                ImageError::Field(format!("program {}, command {i}: {e}", kind.as_str()))
            })
        };
        commands.iter().enumerate().map(decode).collect()
    }

    /// Bytes of a KV page of all layers.
    pub fn kv_page_bytes(&self, card: &CardConfig) -> usize {
        let config = &self.header.config;
        KvShape::new(card, config.head_dim, config.kv).head_bytes()
            * config.kv_heads
            * config.layers
    }
}

fn check_crc(what: &str, bytes: &[u8], expected: u32) -> Result<(), ImageError> {
    let found = crc32c(bytes);
    match found == expected {
        true => Ok(()),
        false => Err(ImageError::Checksum { what: what.into(), expected, found }),
    }
}

/// At most `most` bytes of a text, whole characters.
fn text(text: &str, most: usize) -> &[u8] {
    let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text.as_bytes()[..end.unwrap_or(0)]
}

fn text_of(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn crc_is_castagnoli() {
        assert_eq!(super::crc32c(b"123456789"), 0xe306_9283);
    }
}
