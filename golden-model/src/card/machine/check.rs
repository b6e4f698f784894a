//! What the sequencer checks before a command starts, in its order.

use super::{
    Pending,
    error::{ErrorCode, Fault},
    pass::Pass,
};
use crate::{
    attention::KvFormat,
    card::{
        command::{BEGIN_MAGIC, COMMAND_BYTES, Command, STATE, Unit, VERSION, Waits},
        config::CardConfig,
        shape::KvShape,
    },
};

/// Most panels whose sums no command has taken.
const MOST_PANELS: usize = 4;
/// Finished panels that the multiply unit holds.
const HELD_PANELS: usize = 2;

/// The model, from `begin`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Begun {
    pub hidden: usize,
    pub ffn: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub vocab: usize,
    pub kv: KvFormat,
    pub silu: bool,
    pub embed_bf16: bool,
    pub eps: f32,
    pub inv_hidden: f32,
    pub inv_query: f32,
    pub inv_ffn: f32,
    pub score_constant: f32,
    pub pages: u32,
    pub head_bytes: usize,
    pub page_bytes: usize,
}

impl Begun {
    /// `heads * head_dim`.
    pub fn query_columns(&self) -> usize {
        self.heads * self.head_dim
    }
}

/// Checks `begin` and takes the model out of it.
pub(super) fn begin(card: &CardConfig, pass: &Pass, command: &Command) -> Result<Begun, Fault> {
    let Command::Begin {
        version,
        magic,
        config_hash,
        hidden,
        ffn,
        heads,
        kv_heads,
        head_dim,
        vocab,
        kv_bits,
        gate,
        embed_bf16,
        eps,
        inv_hidden,
        inv_query,
        inv_ffn,
        score_constant,
        pages,
        head_bytes,
        page_bytes,
    } = *command
    else {
        return Err(ErrorCode::NoBegin.into());
    };
    let verdict =
        |holds: bool, code: ErrorCode| if holds { Ok(()) } else { Err(Fault::from(code)) };
    verdict(magic == BEGIN_MAGIC, ErrorCode::Magic)?;
    verdict(version == VERSION, ErrorCode::Version)?;
    verdict(config_hash == card.hash(), ErrorCode::Hash)?;
    let model = Begun {
        hidden: hidden.into(),
        ffn: ffn.into(),
        heads: heads.into(),
        kv_heads: kv_heads.into(),
        head_dim: head_dim.into(),
        vocab: vocab as usize,
        kv: if kv_bits == 4 { KvFormat::Int4 } else { KvFormat::Int8 },
        silu: gate,
        embed_bf16,
        eps,
        inv_hidden,
        inv_query,
        inv_ffn,
        score_constant,
        pages,
        head_bytes: head_bytes as usize,
        page_bytes: page_bytes as usize,
    };
    let sizes = [model.hidden, model.ffn, model.heads, model.kv_heads, model.head_dim, model.vocab];
    let plain = !sizes.contains(&0)
        && pages > 0
        && model.heads <= card.heads_max
        && model.head_dim <= card.head_dim_max
        && model.head_dim.is_multiple_of(16)
        && model.head_dim.is_multiple_of(2 * card.lanes)
        && model.hidden.max(model.ffn) <= card.param_words * card.lanes
        && matches!(kv_bits, 4 | 8)
        && model.head_bytes == KvShape::new(card, model.head_dim, model.kv).head_bytes();
    verdict(plain, ErrorCode::Model)?;
    let page_of = |row: u32| row / card.page_rows as u32;
    let inside = |slot: &super::pass::Slot| {
        slot.token < vocab
            && page_of(slot.row) < pages
            && (slot.history == 0 || page_of(slot.history - 1) < pages)
    };
    verdict(pass.slots.iter().all(inside), ErrorCode::Slot)?;
    let slots = pass.slots.len();
    let query = model.query_columns();
    let words = |columns: usize| slots * columns.div_ceil(card.lanes);
    let fits = words(model.hidden) <= card.residual_words
        && words(model.ffn) <= card.work_words
        && query <= 0xffff
        && query <= card.param_words * card.lanes
        && words(query) <= card.work_words
        && slots * model.heads * model.head_dim.div_ceil(card.beat_bytes()) <= card.query_words
        && model.kv_heads * model.head_bytes == model.page_bytes
        && model.heads.is_multiple_of(model.kv_heads);
    verdict(fits, ErrorCode::Model)?;
    Ok(model)
}

/// What a command needs that is checked against the card, and the panel that it takes.
#[derive(Default)]
struct Needs {
    /// A size is bad.
    bad_size: bool,
    /// Addresses, and whether each must be in the state region.
    addresses: Vec<(u64, bool)>,
    /// Rows of the panel that it takes, to the head, in two planes.
    takes: Option<(usize, bool, bool)>,
}

/// Checks any other command; `bytes` are those that it was decoded from.
pub(super) fn command(
    card: &CardConfig,
    model: &Begun,
    pass: &Pass,
    (pending, normalised): (&[Pending], bool),
    (waits, command): (Waits, &Command),
    bytes: &[u8; COMMAND_BYTES],
) -> Result<(), Fault> {
    check_waits(waits, pending)?;
    // Only what a normalise directly before it writes can be read block by block.
    let follows = matches!(command, Command::Multiply { follows: true, .. });
    if follows && !(normalised && waits.has(Unit::Vector)) {
        return Err(ErrorCode::Wait.into());
    }
    let needs = needs(card, model, pass, command);
    if needs.bad_size {
        return Err(ErrorCode::Size.into());
    }
    // The first address is in w1 and w2, whose upper bits must be zero.
    let uses_first = has_first_address(command);
    if uses_first && bytes[9..12] != [0; 3] {
        return Err(Fault::at(ErrorCode::Address, needs.addresses[0].0));
    }
    for (address, state) in needs.addresses {
        let aligned = address.is_multiple_of(card.beat_bytes() as u64);
        if !aligned || (state && address & STATE == 0) {
            return Err(Fault::at(ErrorCode::Address, address));
        }
    }
    if let Some((rows, to_head, two_planes)) = needs.takes {
        let fits = |panel: &Pending| {
            let planes = if panel.two_planes { 2 } else { 1 };
            panel.to_head == to_head
                && panel.two_planes == two_planes
                && rows > 0
                && rows.div_ceil(card.rows) == panel.tiles / planes
        };
        if !pending.first().is_some_and(fits) {
            return Err(ErrorCode::Panel.into());
        }
    }
    match command {
        Command::Multiply { .. } if pending.len() == MOST_PANELS => Err(ErrorCode::Panels.into()),
        Command::End {} if !pending.is_empty() => Err(ErrorCode::PanelLeft.into()),
        _ => Ok(()),
    }
}

/// The wait mask names units only, and the multiply unit only if it can finish its panels.
pub(super) fn check_waits(waits: Waits, pending: &[Pending]) -> Result<(), Fault> {
    let stuck = waits.has(Unit::Multiply) && pending.len() > HELD_PANELS;
    match waits.0 >> Unit::ALL.len() != 0 || stuck {
        true => Err(ErrorCode::Wait.into()),
        false => Ok(()),
    }
}

fn has_first_address(command: &Command) -> bool {
    !matches!(
        command,
        Command::Residual { .. }
            | Command::Gate { .. }
            | Command::Project { .. }
            | Command::Screen { .. }
            | Command::Square { .. }
            | Command::Normalise { .. }
            | Command::Emit {}
            | Command::End {}
            | Command::Begin { .. }
    )
}

fn needs(card: &CardConfig, model: &Begun, pass: &Pass, command: &Command) -> Needs {
    let columns_of_p = card.param_words * card.lanes;
    let head_fits = pass.slots.len() * model.hidden.div_ceil(card.beat_bytes()) <= card.query_words;
    let rows_end = |first: u32, rows: u32| first as usize + rows as usize;
    let mut needs = Needs::default();
    let mut at = |address: u64, state: bool| needs.addresses.push((address, state));
    match *command {
        Command::Begin { .. } | Command::End {} | Command::Square { .. } | Command::Emit {} => {}
        Command::Load { address, columns, .. } => {
            at(address, false);
            needs.bad_size = columns == 0 || columns as usize > columns_of_p;
        }
        Command::LoadRope { address, positions } => {
            at(address, false);
            needs.bad_size = pass.slots.iter().any(|slot| slot.position >= positions);
        }
        Command::Embed { address, .. } => at(address, false),
        Command::Residual { first_row, rows, .. } => {
            needs.bad_size = rows_end(first_row, rows) > model.hidden
                || !(first_row as usize).is_multiple_of(card.lanes);
            needs.takes = Some((rows as usize, false, false));
        }
        Command::Gate { first_row, rows, .. } => {
            needs.bad_size = rows_end(first_row, rows) > model.ffn
                || !(first_row as usize).is_multiple_of(card.lanes);
            needs.takes = Some((rows as usize, false, true));
        }
        Command::Project { kind, first_head, heads, kv_base, .. } => {
            let most = if kind == 0 { model.heads } else { model.kv_heads };
            needs.bad_size = kind == 3 || rows_end(first_head, heads) > most;
            if kind != 0 {
                at(kv_base, true);
            }
            needs.takes = Some((heads as usize * model.head_dim, false, false));
        }
        Command::Normalise { source, to_queries, .. } => {
            let columns = match source {
                0 => model.hidden,
                1 => model.query_columns(),
                _ => model.ffn,
            };
            needs.bad_size = source == 3
                || columns > card.act_blocks * card.geometry().block_cols()
                || (to_queries && (source != 0 || !head_fits));
        }
        Command::Multiply { two_planes, to_head, address, tiles, blocks, .. } => {
            at(address, false);
            needs.bad_size = tiles == 0
                || tiles as usize > card.panel_tiles
                || blocks == 0
                || blocks as usize > card.act_blocks
                || (two_planes && (tiles % 2 == 1 || to_head));
        }
        Command::Attend { kv_base } => at(kv_base, false),
        Command::Screen { first_token, rows, weights, .. } => {
            at(weights, false);
            needs.bad_size = rows_end(first_token, rows) > model.vocab;
            needs.takes = Some((rows as usize, true, false));
        }
        Command::Score { address } | Command::ScoreAll { address, .. } => {
            at(address, false);
            needs.bad_size = !head_fits;
        }
        Command::Check { address, pages, crcs } => {
            at(address, false);
            at(crcs, false);
            needs.bad_size = pages == 0;
        }
    }
    needs
}
