//! The compiler: a model's programs for the card.
//!
//! A program is the model written out, a command a step. Waits name only what the units cannot know:
//! a stream of sums orders its producer before its consumer, and a unit takes its commands in order.
//! Multiplies stand one panel ahead of their consumers, so that a panel streams while the sums of the
//! one before are worked on. The weights of a norm are in their bank before the rows that it takes are
//! made; the multiply behind a norm starts with it.

use super::{
    command::{BEGIN_MAGIC, Command, Unit, VERSION, Waits, kind, source},
    config::CardConfig,
    layout::CardLayout,
    shape::KvShape,
};
use crate::{
    Error,
    attention::{KvFormat, score_constant},
    gate::Gate,
    model::{Config, Model, Projection},
};

/// Most commands of a program.
pub const MAX_COMMANDS: usize = (1 << 16) - 1;

/// What a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProgramKind {
    /// A pass that only fills the cache: the last layer ends with its keys and values.
    Pass,
    /// A pass with the two-stage head.
    TwoStage,
    /// A pass with the full head.
    Full,
    /// A pass with the full head that also writes every logit.
    Logits,
    /// Checks the image's pages.
    Check,
}

impl ProgramKind {
    /// All, in the order of their numbers in an image.
    pub const ALL: [ProgramKind; 5] = [
        ProgramKind::Pass,
        ProgramKind::TwoStage,
        ProgramKind::Full,
        ProgramKind::Logits,
        ProgramKind::Check,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            ProgramKind::Pass => "pass",
            ProgramKind::TwoStage => "two-stage head",
            ProgramKind::Full => "full head",
            ProgramKind::Logits => "full head, logits",
            ProgramKind::Check => "check",
        }
    }
}

/// A panel of a matrix in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panel {
    /// Where.
    pub address: u64,
    /// First row of each plane.
    pub first: usize,
    /// Rows of each plane.
    pub rows: usize,
    /// Tiles of all planes.
    pub tiles: usize,
    /// Blocks of columns.
    pub blocks: usize,
}

/// Where a layer's parameters lie.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerPlan {
    /// The four norms, in the order of their use.
    pub norms: [u64; 4],
    /// Panels of whole heads of queries, keys and values.
    pub qkv: [Vec<Panel>; 3],
    /// Panels of the output projection.
    pub o: Vec<Panel>,
    /// Panels of two planes, gate and up.
    pub gate_up: Vec<Panel>,
    /// Panels of the down projection.
    pub down: Vec<Panel>,
    /// Scales in the order of [`Projection::ALL`].
    pub scales: [f32; 7],
}

/// Where everything that a program names lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Embeddings.
    pub embedding: u64,
    /// Whether they are bf16.
    pub embed_bf16: bool,
    /// Rotary table.
    pub rope: u64,
    /// The layers.
    pub layers: Vec<LayerPlan>,
    /// Whether there are sub-norms before the output projections and before the down projections; where
    /// not, the weights are those of the identity norm.
    pub sub_norms: [bool; 2],
    /// The norm before the head.
    pub norm: u64,
    /// Head rows.
    pub head_rows: u64,
    /// Panels of the screen.
    pub screen: Vec<Panel>,
    /// Row weights of each of them.
    pub screen_weights: Vec<u64>,
}

/// How many rows the panels of a card get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PanelSize {
    /// Rows of a panel of one plane, a multiple of lcm(Rows, L).
    pub plain: usize,
    /// Rows of each of two planes, likewise.
    pub planes: usize,
    /// Heads of a panel of whole heads.
    pub heads: usize,
    /// Rows of a panel of the screen.
    pub screen: usize,
}

/// Tiles of a panel, unless asked otherwise: long enough that building tables for sixteen slots hides
/// behind the stream, short enough that little is left to do when a matrix has been streamed.
pub const DEFAULT_PANEL_TILES: usize = 128;

impl PanelSize {
    /// The largest panels of about `tiles` tiles.
    pub fn new(card: &CardConfig, head_dim: usize, tiles: usize) -> Result<Self, Error> {
        let tiles = tiles.clamp(1, card.panel_tiles);
        let (rows, chunk) = (tiles * card.rows, card.chunk_rows());
        let whole = |rows: usize| (rows / chunk).max(1) * chunk;
        let heads = (rows / head_dim).max(1);
        if (heads * head_dim).div_ceil(card.rows) > card.panel_tiles {
            return Err(Error::Config(format!(
                "a head of {head_dim} rows does not fit a panel of card {} ({} tiles of {})",
                card.name, card.panel_tiles, card.rows
            )));
        }
        Ok(Self { plain: whole(rows), planes: whole(rows / 2), heads, screen: rows })
    }
}

/// Commands and their waits.
pub type Commands = Vec<(Waits, Command)>;

/// The bytes of a program.
pub fn encode(commands: &Commands) -> Result<Vec<u8>, Error> {
    if commands.len() > MAX_COMMANDS {
        return Err(Error::Config(format!(
            "the program has {} commands; the card takes {MAX_COMMANDS}: use larger panels",
            commands.len()
        )));
    }
    let mut bytes = Vec::with_capacity(commands.len() * super::command::COMMAND_BYTES);
    for (waits, command) in commands {
        let encoded = command.encode(*waits).map_err(|e| Error::Config(e.to_string()))?;
        bytes.extend(encoded);
    }
    Ok(bytes)
}

/// Compiles programs for one image.
#[derive(Debug)]
pub struct Compiler<'a> {
    /// The card.
    pub card: &'a CardConfig,
    /// The model's sizes.
    pub config: &'a Config,
    /// The state region.
    pub layout: &'a CardLayout,
    /// The image.
    pub plan: &'a Plan,
}

/// Norm weights still to be loaded: address and columns.
struct Norms {
    list: Vec<(u64, usize)>,
    loaded: usize,
    used: usize,
}

impl Norms {
    /// Loads the next norm, if there is one, into its bank.
    fn load(&mut self, out: &mut Commands, waits: &[Unit]) {
        if let Some(&(address, columns)) = self.list.get(self.loaded) {
            let bank = self.loaded % 2 == 1;
            let load = Command::Load { bank, address, columns: columns as u32 };
            out.push((Waits::on(waits), load));
            self.loaded += 1;
        }
    }

    /// Bank of the next norm.
    fn bank(&self) -> bool {
        self.used % 2 == 1
    }

    /// Normalises with the next norm; its bank is then free for the one after the next.
    fn normalise(&mut self, out: &mut Commands, source: u8, to_queries: bool) {
        let bank = self.bank();
        out.push((Waits::NONE, Command::Normalise { source, to_queries, bank }));
        self.used += 1;
    }
}

impl Compiler<'_> {
    /// The `begin` of every program.
    pub fn begin(&self) -> (Waits, Command) {
        let Config { hidden, intermediate, heads, kv_heads, head_dim, vocab, .. } = *self.config;
        let kv = KvShape::new(self.card, head_dim, self.config.kv);
        let sub_norm = |index: usize, n: usize| match self.plan.sub_norms[index] {
            true => 1.0 / n as f32,
            false => 0.0,
        };
        let begin = Command::Begin {
            version: VERSION,
            magic: BEGIN_MAGIC,
            config_hash: self.card.hash(),
            hidden: hidden as u16,
            ffn: intermediate as u16,
            heads: heads as u8,
            kv_heads: kv_heads as u8,
            head_dim: head_dim as u16,
            vocab: vocab as u32,
            kv_bits: match self.config.kv {
                KvFormat::Int4 => 4,
                KvFormat::Int8 => 8,
            },
            gate: self.config.gate == Gate::Silu,
            embed_bf16: self.plan.embed_bf16,
            eps: self.config.norm_eps,
            inv_hidden: 1.0 / hidden as f32,
            inv_query: sub_norm(0, heads * head_dim),
            inv_ffn: sub_norm(1, intermediate),
            score_constant: score_constant(head_dim),
            pages: self.layout.pages,
            head_bytes: kv.head_bytes() as u32,
            page_bytes: self.layout.page_bytes,
        };
        (Waits::NONE, begin)
    }

    /// The program that compares `pages` pages from `address` on with the values at `crcs`.
    pub fn check(&self, address: u64, pages: u32, crcs: u64) -> Commands {
        let check = Command::Check { address, pages, crcs };
        vec![self.begin(), (Waits::NONE, check), (Waits::NONE, Command::End {})]
    }

    /// A program of a pass.
    pub fn pass(&self, program: ProgramKind) -> Commands {
        let with_head = program != ProgramKind::Pass;
        let Config { hidden, intermediate, heads, head_dim, context, .. } = *self.config;
        let columns = [hidden, heads * head_dim, hidden, intermediate];
        let mut list: Vec<(u64, usize)> =
            self.plan.layers.iter().flat_map(|l| l.norms.into_iter().zip(columns)).collect();
        match with_head {
            true => list.push((self.plan.norm, hidden)),
            false => list.truncate(list.len() - 3),
        }
        let mut norms = Norms { list, loaded: 0, used: 0 };
        let positions = context as u32;
        let mut out = vec![
            self.begin(),
            (Waits::NONE, Command::LoadRope { address: self.plan.rope, positions }),
        ];
        norms.load(&mut out, &[]);
        let embed = Command::Embed { bank: norms.bank(), address: self.plan.embedding };
        out.push((Waits::on(&[Unit::Load]), embed));
        norms.load(&mut out, &[]);
        for index in 0..self.plan.layers.len() {
            norms.normalise(&mut out, source::X, false);
            let only_cache = !with_head && index + 1 == self.plan.layers.len();
            self.projections(&mut out, &mut norms, index, only_cache);
            if only_cache {
                break;
            }
            self.rest_of_layer(&mut out, &mut norms, index);
        }
        if with_head {
            norms.normalise(&mut out, source::X, true);
            self.head(&mut out, &mut norms, program);
        }
        out.push((Waits::NONE, Command::End {}));
        out
    }

    fn projections(&self, out: &mut Commands, norms: &mut Norms, index: usize, only_cache: bool) {
        let layer = &self.plan.layers[index];
        let kv_base = self.layout.layer(index);
        let head_dim = self.config.head_dim;
        let kinds = [kind::Q, kind::K, kind::V];
        let skipped = usize::from(only_cache);
        let steps = kinds.into_iter().zip(&layer.qkv).skip(skipped).flat_map(|(kind, panels)| {
            panels.iter().map(move |panel| {
                let project = Command::Project {
                    kind,
                    first_head: (panel.first / head_dim) as u32,
                    heads: (panel.rows / head_dim) as u32,
                    scale: layer.scales[kind as usize],
                    kv_base,
                };
                (*panel, project)
            })
        });
        stream(out, norms, Destination::Vector { planes: 1 }, steps.collect());
    }

    fn rest_of_layer(&self, out: &mut Commands, norms: &mut Norms, index: usize) {
        let layer = &self.plan.layers[index];
        let attend = Command::Attend { kv_base: self.layout.layer(index) };
        out.push((Waits::on(&[Unit::Vector]), attend));
        let square = Command::Square { bank: norms.bank() };
        out.push((Waits::on(&[Unit::Load, Unit::Attention]), square));
        norms.normalise(out, source::Y_QUERY, false);
        self.residual(out, norms, &layer.o, layer.scales[Projection::O as usize]);
        norms.normalise(out, source::X, false);
        let (rows, bank) = (self.config.intermediate, norms.bank());
        let gate = |panel: &Panel| Command::Gate {
            last: panel.first + panel.rows == rows,
            bank,
            first_row: panel.first as u32,
            rows: panel.rows as u32,
            scale_gate: layer.scales[Projection::Gate as usize],
            scale_up: layer.scales[Projection::Up as usize],
        };
        let steps = layer.gate_up.iter().map(|panel| (*panel, gate(panel))).collect();
        stream(out, norms, Destination::Vector { planes: 2 }, steps);
        norms.normalise(out, source::Y_FFN, false);
        self.residual(out, norms, &layer.down, layer.scales[Projection::Down as usize]);
    }

    fn residual(&self, out: &mut Commands, norms: &mut Norms, panels: &[Panel], scale: f32) {
        let (hidden, bank) = (self.config.hidden, norms.bank());
        let residual = |panel: &Panel| Command::Residual {
            last: panel.first + panel.rows == hidden,
            bank,
            first_row: panel.first as u32,
            rows: panel.rows as u32,
            scale,
        };
        let steps = panels.iter().map(|panel| (*panel, residual(panel))).collect();
        stream(out, norms, Destination::Vector { planes: 1 }, steps);
    }

    fn head(&self, out: &mut Commands, norms: &mut Norms, program: ProgramKind) {
        let address = self.plan.head_rows;
        let after_norm = Waits::on(&[Unit::Vector]);
        if program == ProgramKind::TwoStage {
            let screen = |(panel, weights): (&Panel, &u64)| {
                let screen = Command::Screen {
                    first: panel.first == 0,
                    first_token: panel.first as u32,
                    rows: panel.rows as u32,
                    weights: *weights,
                };
                (*panel, screen)
            };
            let steps = self.plan.screen.iter().zip(&self.plan.screen_weights).map(screen);
            stream(out, norms, Destination::Head, steps.collect());
            out.push((after_norm, Command::Score { address }));
        } else {
            let logits = program == ProgramKind::Logits;
            out.push((after_norm, Command::ScoreAll { logits, address }));
        }
        out.push((Waits::NONE, Command::Emit {}));
    }
}

/// Who takes the sums of a panel.
#[derive(Clone, Copy, PartialEq)]
enum Destination {
    Vector { planes: usize },
    Head,
}

/// The multiplies of panels that share the input that a norm has just made, each one ahead of the
/// consumer of the one before.
fn stream(out: &mut Commands, norms: &mut Norms, to: Destination, steps: Vec<(Panel, Command)>) {
    let multiply = |panel: &Panel, follows| Command::Multiply {
        two_planes: to == Destination::Vector { planes: 2 },
        to_head: to == Destination::Head,
        follows,
        address: panel.address,
        tiles: panel.tiles as u32,
        blocks: panel.blocks as u32,
    };
    // The first follows the norm; the others come after it in the same unit.
    for (index, (panel, _)) in steps.iter().enumerate() {
        if index == 0 {
            out.push((Waits::on(&[Unit::Vector]), multiply(panel, true)));
            norms.load(out, &[Unit::Vector]);
        } else {
            out.push((Waits::NONE, multiply(panel, false)));
            out.push(consumer(&steps, index - 1));
        }
    }
    if !steps.is_empty() {
        out.push(consumer(&steps, steps.len() - 1));
    }
}

/// The consumer of a panel. The first of a row that a norm takes waits for the weights of that norm.
fn consumer(steps: &[(Panel, Command)], index: usize) -> (Waits, Command) {
    let command = steps[index].1;
    let weighs = matches!(command, Command::Residual { .. } | Command::Gate { .. });
    (if index == 0 && weighs { Waits::on(&[Unit::Load]) } else { Waits::NONE }, command)
}

/// Splits `rows` rows into panels of at most `largest`: first row and rows of each.
pub fn split(rows: usize, largest: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).step_by(largest).map(move |first| (first, largest.min(rows - first)))
}

/// Scales of a layer's matrices in the order of [`Projection::ALL`].
pub fn scales(model: &Model, layer: usize) -> [f32; 7] {
    Projection::ALL.map(|p| model.layers[layer].projections[p as usize].scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of a matrix in panels of at most `largest` rows.
    fn bytes(card: &CardConfig, (rows, cols): (usize, usize), largest: usize) -> usize {
        split(rows, largest).map(|(_, rows)| card.geometry().panel_bytes(rows, cols)).sum()
    }

    #[test]
    fn panels_of_real_models_stay_below_1_68_bits_a_weight() {
        let card = CardConfig::named("kv260").unwrap();
        // bitnet-b1.58-2B-4T; a model of 0.73 billion weights.
        for (hidden, ffn, heads, kv_heads, head_dim) in
            [(2560, 6912, 20, 5, 128), (1536, 4096, 24, 24, 64)]
        {
            let size = PanelSize::new(&card, head_dim, DEFAULT_PANEL_TILES).unwrap();
            let (q, kv) = (heads * head_dim, kv_heads * head_dim);
            let parts = [
                ((q, hidden), size.heads * head_dim),
                ((kv, hidden), size.heads * head_dim),
                ((kv, hidden), size.heads * head_dim),
                ((hidden, q), size.plain),
                ((ffn, hidden), size.planes),
                ((ffn, hidden), size.planes),
                ((hidden, ffn), size.plain),
            ];
            let all: usize =
                parts.iter().map(|(shape, largest)| bytes(&card, *shape, *largest)).sum();
            let weights: usize = parts.iter().map(|((rows, cols), _)| rows * cols).sum();
            let bits = 8.0 * all as f64 / weights as f64;
            println!("hidden {hidden}: {bits:.4} bits a weight");
            assert!(bits <= 1.68, "hidden {hidden}: {bits}");
        }
    }

    #[test]
    fn panels_begin_at_whole_chunks_and_fit_the_card() {
        for name in CardConfig::names() {
            let card = CardConfig::named(name).unwrap();
            for tiles in [1, 7, 8, 100, 128, card.panel_tiles, 1 << 20] {
                let size = PanelSize::new(&card, 64, tiles).unwrap();
                for rows in [size.plain, size.planes] {
                    assert!(rows > 0 && rows.is_multiple_of(card.chunk_rows()));
                }
                let most = card.panel_tiles;
                assert!(card.geometry().tiles(size.plain) <= most);
                assert!(2 * card.geometry().tiles(size.planes) <= most);
                assert!(card.geometry().tiles(size.heads * 64) <= most);
                assert!(card.geometry().tiles(size.screen) <= most);
            }
        }
    }

    #[test]
    fn multiplies_stand_one_panel_ahead() {
        let panel = |first| Panel { address: 0, first, rows: 5, tiles: 1, blocks: 1 };
        let mut out = Commands::new();
        let mut norms = Norms { list: Vec::new(), loaded: 0, used: 0 };
        let steps = (0..3).map(|i| (panel(5 * i), Command::Emit {})).collect();
        stream(&mut out, &mut norms, Destination::Head, steps);
        let names: Vec<&str> = out.iter().map(|(_, command)| command.info().name).collect();
        assert_eq!(names, ["multiply", "multiply", "emit", "multiply", "emit", "emit"]);
        let waits: Vec<bool> = out.iter().map(|(waits, _)| waits.has(Unit::Vector)).collect();
        assert_eq!(waits, [true, false, false, false, false, false]);
    }
}
