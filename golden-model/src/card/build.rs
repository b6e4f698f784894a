//! Model to image.

use super::{
    config::CardConfig,
    image::{Header, Image, PAGE, ProgramEntry, Section, SectionKind, crc32c},
    layout::CardLayout,
    program::{
        Compiler, DEFAULT_PANEL_TILES, LayerPlan, Panel, PanelSize, Plan, ProgramKind, encode,
        scales, split,
    },
    shape,
};
use crate::{
    Error,
    model::{Config, Layer, Model, Projection},
    norm,
    pack::{pack_panel, pack_planes},
    ternary::Ternary,
};

/// Choices of an image.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// Name of the model.
    pub name: String,
    /// Physical KV pages; by default enough for a full context in every slot, memory permitting.
    pub pages: Option<u32>,
    /// Tiles of a panel; by default [`DEFAULT_PANEL_TILES`].
    pub panel_tiles: Option<usize>,
}

/// What a built image consists of, for tests and reports.
#[derive(Debug, Clone)]
pub struct Built {
    /// The image.
    pub image: Image,
    /// Where everything lies.
    pub plan: Plan,
    /// The map of the state region.
    pub layout: CardLayout,
}

/// Builds the image of a model for a card. `progress` hears of (done, all) steps.
pub fn build(
    model: &Model,
    card: &CardConfig,
    options: &BuildOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Built, Error> {
    shape::check_fits(card, &model.config)?;
    let sub_norms = sub_norms(model)?;
    let tiles = options.panel_tiles.unwrap_or(DEFAULT_PANEL_TILES);
    let size = PanelSize::new(card, model.config.head_dim, tiles)?;
    let mut writer = Writer { card, bytes: vec![0; PAGE], sections: Vec::new() };
    let all = model.layers.len() + 3;
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done, all);
    };

    let embed_bf16 = model.embedding.iter().all(|v| v.to_bits() & 0xffff == 0);
    let embedding = writer.section(SectionKind::Embeddings, |w| w.embeddings(model, embed_bf16));
    let (norms, norm) = writer.section(SectionKind::Norms, |w| w.norms(model));
    let rope = writer.section(SectionKind::Rope, |w| w.rope(model));
    step();
    let layers = writer.section(SectionKind::Panels, |w| {
        let layer = |(index, norms)| {
            let plan = w.layer(model, index, norms, &size);
            step();
            plan
        };
        norms.into_iter().enumerate().map(layer).collect()
    });
    let head_rows = writer.section(SectionKind::HeadRows, |w| w.head_rows(model));
    let screen = model.head.screen();
    let screen =
        writer.section(SectionKind::Screen, |w| w.panels(screen, split(screen.rows, size.screen)));
    let screen_weights =
        writer.section(SectionKind::ScreenWeights, |w| w.screen_weights(model, &screen));
    step();
    let plan = Plan {
        embedding,
        embed_bf16,
        rope,
        layers,
        sub_norms,
        norm,
        head_rows,
        screen,
        screen_weights,
    };
    let built = finish(writer, model, options, plan)?;
    step();
    Ok(built)
}

/// Whether the model has sub-norms before its output projections and before its down projections: the
/// card takes one norm before each row, and the same kind in every layer.
fn sub_norms(model: &Model) -> Result<[bool; 2], Error> {
    let of = |layer: &Layer| [layer.attention_sub_norm.is_some(), layer.ffn_sub_norm.is_some()];
    let first = model.layers.first().map_or([true; 2], of);
    let fail = |text: &str| Err(Error::Config(text.into()));
    if model.layers.iter().any(|layer| layer.linear_norms.is_some()) {
        return fail(
            "linear layers have norms of their own (use_rms_norm); a card has one norm before a row: \
             run the model on golden or cpu",
        );
    }
    if model.layers.iter().any(|layer| of(layer) != first) {
        return fail("some layers have sub-norms and others none; a card needs all layers alike");
    }
    if first.contains(&false) && norm::identity_weight(model.config.norm_eps) == 0.0 {
        return fail("norm_eps is 0; a model without sub-norms needs a positive one");
    }
    Ok(first)
}

/// Programs, checksums and header.
fn finish(
    mut writer: Writer<'_>,
    model: &Model,
    options: &BuildOptions,
    plan: Plan,
) -> Result<Built, Error> {
    let (card, config) = (writer.card, &model.config);
    let pages = match options.pages {
        Some(pages) => pages,
        None => {
            // Programs and checksums are still to come: far below a hundredth and a megabyte.
            let image = writer.bytes.len() as u64 * 101 / 100 + (1 << 20);
            let room = card.memory.bytes.saturating_sub(image);
            CardLayout::default_pages(card, config, room)?
        }
    };
    let layout = CardLayout::new(card, config, pages)?;
    let compiler = Compiler { card, config, layout: &layout, plan: &plan };
    let mut programs = Vec::new();
    let section = writer.bytes.len();
    for kind in ProgramKind::ALL {
        let address = writer.bytes.len() as u64;
        let commands = match kind {
            // The size of the check program is known, and so is where the checksums begin.
            ProgramKind::Check => {
                let end =
                    (writer.bytes.len() + 3 * super::command::COMMAND_BYTES).next_multiple_of(PAGE);
                compiler.check(PAGE as u64, (end / PAGE - 1) as u32, end as u64)
            }
            _ => compiler.pass(kind),
        };
        let bytes = encode(&commands)?;
        writer.bytes.extend(&bytes);
        programs.push(ProgramEntry { kind, address, bytes: bytes.len() as u32 });
        if kind != ProgramKind::Check {
            writer.align(PROGRAM_ALIGN);
        }
    }
    writer.close(SectionKind::Programs, section);
    let checksums: Vec<u8> =
        writer.bytes[PAGE..].chunks_exact(PAGE).flat_map(|p| crc32c(p).to_le_bytes()).collect();
    let table_crc = crc32c(&checksums);
    writer.section(SectionKind::Checksums, |w| w.bytes.extend(&checksums));

    let Writer { mut bytes, sections, .. } = writer;
    let header = Header {
        config_hash: card.hash(),
        card: card.name.clone(),
        name: options.name.clone(),
        config: config.clone(),
        pages,
        embed_bf16: plan.embed_bf16,
        image_bytes: bytes.len() as u64,
        sections,
        programs,
        table_crc,
    };
    bytes[..PAGE].copy_from_slice(&header.encode());
    Ok(Built { image: Image::join(header, bytes), plan, layout })
}

/// Programs begin on multiples of this, the largest beat.
const PROGRAM_ALIGN: usize = 256;

/// The bytes of an image in the making.
struct Writer<'a> {
    card: &'a CardConfig,
    bytes: Vec<u8>,
    sections: Vec<Section>,
}

impl Writer<'_> {
    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    /// Writes a section and pads it to a page.
    fn section<T>(&mut self, kind: SectionKind, write: impl FnOnce(&mut Self) -> T) -> T {
        let offset = self.bytes.len();
        let result = write(self);
        self.close(kind, offset);
        result
    }

    fn close(&mut self, kind: SectionKind, offset: usize) {
        let bytes = (self.bytes.len() - offset) as u64;
        self.sections.push(Section { kind, offset: offset as u64, bytes });
        self.align(PAGE);
    }

    /// Appends bytes, padded to a beat; returns where they begin.
    fn put(&mut self, bytes: impl IntoIterator<Item = u8>) -> u64 {
        let at = self.bytes.len() as u64;
        self.bytes.extend(bytes);
        self.align(self.card.beat_bytes());
        at
    }

    fn put_floats<'v>(&mut self, values: impl IntoIterator<Item = &'v f32>) -> u64 {
        self.put(values.into_iter().flat_map(|v| v.to_le_bytes()))
    }

    fn embeddings(&mut self, model: &Model, bf16: bool) -> u64 {
        let at = self.bytes.len() as u64;
        for row in model.embedding.chunks_exact(model.config.hidden) {
            match bf16 {
                true => self.put(row.iter().flat_map(|v| v.to_le_bytes()[2..].to_vec())),
                false => self.put_floats(row),
            };
        }
        at
    }

    /// The norms of every layer, and the last.
    fn norms(&mut self, model: &Model) -> (Vec<[u64; 4]>, u64) {
        let Config { intermediate, heads, head_dim, norm_eps, .. } = model.config;
        let identity = vec![norm::identity_weight(norm_eps); (heads * head_dim).max(intermediate)];
        let layer = |layer: &Layer| {
            let norms = [
                &layer.attention_norm[..],
                layer.attention_sub_norm.as_deref().unwrap_or(&identity[..heads * head_dim]),
                &layer.ffn_norm,
                layer.ffn_sub_norm.as_deref().unwrap_or(&identity[..intermediate]),
            ];
            norms.map(|norm| self.put_floats(norm))
        };
        (model.layers.iter().map(layer).collect(), self.put_floats(&model.norm))
    }

    fn rope(&mut self, model: &Model) -> u64 {
        let at = self.bytes.len() as u64;
        for position in 0..model.config.context {
            let row = model.rope.row(position);
            self.put_floats(row.iter().map(|(cos, _)| cos).chain(row.iter().map(|(_, sin)| sin)));
        }
        at
    }

    fn layer(
        &mut self,
        model: &Model,
        index: usize,
        norms: [u64; 4],
        size: &PanelSize,
    ) -> LayerPlan {
        let Config { hidden, intermediate, head_dim, .. } = model.config;
        let matrix = |p: Projection| &model.layers[index].projections[p as usize];
        let qkv = [Projection::Q, Projection::K, Projection::V].map(|p| {
            let matrix = matrix(p);
            self.panels(matrix, split(matrix.rows, size.heads * head_dim))
        });
        let o = self.panels(matrix(Projection::O), split(hidden, size.plain));
        let planes = [matrix(Projection::Gate), matrix(Projection::Up)];
        let gate_up = split(intermediate, size.planes)
            .map(|(first, rows)| self.planes(&planes, first, rows))
            .collect();
        let down = self.panels(matrix(Projection::Down), split(hidden, size.plain));
        LayerPlan { norms, qkv, o, gate_up, down, scales: scales(model, index) }
    }

    fn panels(
        &mut self,
        matrix: &Ternary,
        parts: impl Iterator<Item = (usize, usize)>,
    ) -> Vec<Panel> {
        let geometry = self.card.geometry();
        let panel = |(first, rows)| Panel {
            address: self.put(pack_panel(&geometry, matrix, first, rows)),
            first,
            rows,
            tiles: geometry.tiles(rows),
            blocks: geometry.blocks(matrix.cols),
        };
        parts.map(panel).collect()
    }

    fn planes(&mut self, planes: &[&Ternary; 2], first: usize, rows: usize) -> Panel {
        let geometry = self.card.geometry();
        Panel {
            address: self.put(pack_planes(&geometry, planes, first, rows)),
            first,
            rows,
            tiles: 2 * geometry.tiles(rows),
            blocks: geometry.blocks(planes[0].cols),
        }
    }

    fn head_rows(&mut self, model: &Model) -> u64 {
        let at = self.bytes.len() as u64;
        let step_at = shape::head_step_offset(model.config.hidden);
        for token in 0..model.config.vocab as u32 {
            let row = model.head.row(token).iter().map(|&v| v as u8);
            let gap = std::iter::repeat_n(0, step_at - model.config.hidden);
            self.put(row.chain(gap).chain(model.head.step(token).to_le_bytes()));
        }
        at
    }

    fn screen_weights(&mut self, model: &Model, panels: &[Panel]) -> Vec<u64> {
        let weights = model.head.screen_weights();
        let part = |panel: &Panel| {
            let part = &weights[panel.first..][..panel.rows];
            self.put(part.iter().flat_map(|w| w.to_le_bytes()))
        };
        panels.iter().map(part).collect()
    }
}
