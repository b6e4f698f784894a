//! The map of the card's state memory.

use super::{
    command::STATE,
    config::CardConfig,
    shape::{KvShape, logits_stride, results_stride},
};
use crate::{Error, model::Config};

/// Sections begin on multiples of this.
const ALIGN: u64 = 4096;
/// Largest region: an address has 39 bits of offset.
const LARGEST: u64 = 1 << 39;

/// Where everything lies in the state region. All addresses have [`STATE`] set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardLayout {
    /// The pass descriptor.
    pub descriptor: u64,
    /// Ranked candidates, `results_stride` bytes a slot.
    pub results: u64,
    /// Bytes of the candidates of a slot.
    pub results_stride: u64,
    /// Logits, `logits_stride` bytes a slot.
    pub logits: u64,
    /// Bytes of the logits of a slot.
    pub logits_stride: u64,
    /// Page tables, `table_bytes` each.
    pub tables: u64,
    /// Bytes of a page table.
    pub table_bytes: u64,
    /// Page tables: sequences at a time.
    pub table_count: usize,
    /// The KV area of layer 0.
    pub kv: u64,
    /// Bytes of the KV area of a layer.
    pub layer_bytes: u64,
    /// Layers.
    pub layers: usize,
    /// Bytes of a KV page of a layer.
    pub page_bytes: u32,
    /// Physical KV pages.
    pub pages: u32,
    /// Rows of a page.
    pub page_rows: usize,
    /// Bytes of the whole region.
    pub state_bytes: u64,
}

impl CardLayout {
    /// The map for a model with so many KV pages.
    pub fn new(card: &CardConfig, model: &Config, pages: u32) -> Result<Self, Error> {
        let kv_shape = KvShape::new(card, model.head_dim, model.kv);
        let page_bytes = (model.kv_heads * kv_shape.head_bytes()) as u64;
        let beat = card.beat_bytes() as u64;
        let mut end = 0_u64;
        let mut place = |bytes: u64| {
            let at = end | STATE;
            end = (end + bytes).next_multiple_of(ALIGN);
            at
        };
        let slots = card.slots as u64;
        let results_stride = results_stride(card) as u64;
        let logits_stride = logits_stride(card, model.vocab) as u64;
        let table_count = (4 * card.slots).max(64);
        let table_bytes =
            (model.context.div_ceil(card.page_rows) as u64 * 4).next_multiple_of(beat);
        let layer_bytes = (u64::from(pages) * page_bytes).next_multiple_of(ALIGN);
        let layout = Self {
            descriptor: place(64 + 64 * slots),
            results: place(slots * results_stride),
            results_stride,
            logits: place(slots * logits_stride),
            logits_stride,
            tables: place(table_count as u64 * table_bytes),
            table_bytes,
            table_count,
            kv: place(model.layers as u64 * layer_bytes),
            layer_bytes,
            layers: model.layers,
            page_bytes: page_bytes as u32,
            pages,
            page_rows: card.page_rows,
            state_bytes: end,
        };
        match layout.pages > 0 && page_bytes < 1 << 24 && layout.state_bytes < LARGEST {
            true => Ok(layout),
            false => Err(Error::Config(format!(
                "{pages} KV pages of {page_bytes} bytes in {} layers; expected at least one page and \
                 a state below 2^39 bytes",
                model.layers
            ))),
        }
    }

    /// Pages for a full context in every slot, or as many as fit `bytes` of state.
    pub fn default_pages(card: &CardConfig, model: &Config, bytes: u64) -> Result<u32, Error> {
        let wanted = card.slots * model.context.div_ceil(card.page_rows);
        let fixed = Self::new(card, model, 1)?;
        let page = u64::from(fixed.page_bytes) * model.layers as u64;
        let room = bytes.saturating_sub(fixed.state_bytes + model.layers as u64 * ALIGN) / page;
        match u32::try_from((wanted as u64).min(room)) {
            Ok(pages) if pages > 0 => Ok(pages),
            _ => Err(Error::Config(format!(
                "no KV page of {page} bytes fits the {bytes} bytes that the image leaves in the \
                 memory of card {}",
                card.name
            ))),
        }
    }

    /// The KV area of a layer.
    pub fn layer(&self, layer: usize) -> u64 {
        self.kv + layer as u64 * self.layer_bytes
    }

    /// Where a page lies, a range (address and bytes) a layer.
    pub fn page(&self, page: u32) -> impl Iterator<Item = (u64, usize)> + '_ {
        let at = u64::from(page) * u64::from(self.page_bytes);
        (0..self.layers).map(move |layer| (self.layer(layer) + at, self.page_bytes as usize))
    }

    /// A page table.
    pub fn table(&self, index: usize) -> u64 {
        self.tables + index as u64 * self.table_bytes
    }
}
