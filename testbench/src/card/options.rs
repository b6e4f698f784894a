//! What surrounds a card, and the model to build of it.

use super::CardConfig;
use crate::{
    agents::DramTiming,
    build::{ModelSpec, Storage, workspace_root},
    seed,
};
use std::path::{Path, PathBuf};

/// Physical address of the image region, and of the state region behind it.
const IMAGE_BASE: u64 = 0x4000_0000;
/// Physical address of the state region.
pub const STATE_BASE: u64 = 0x20_0000_0000;

/// What surrounds a card.
#[derive(Debug, Clone)]
pub struct CardOptions {
    /// How fast the memory is.
    pub timing: DramTiming,
    /// Probability that a register access waits, a cycle and handshake.
    pub register_stall: f64,
    /// Physical address of the image region, a multiple of 16 beats.
    pub image_base: u64,
    /// Physical address of the state region, a multiple of 16 beats.
    pub state_base: u64,
    /// The folder with the sources of the design.
    pub rtl: PathBuf,
    /// Waveform to write.
    pub trace: Option<PathBuf>,
    /// Perfetto trace to write.
    pub perfetto: Option<PathBuf>,
    /// Whether the buffers can be read: [`super::CardSim::buffers`].
    pub peek: bool,
    /// Storage that faults may change: [`super::CardSim::fault_after`].
    pub faults: Vec<Storage>,
    /// The card's watchdog: cycles without progress, as a power of two. 0: the design's own.
    pub watchdog_bits: u32,
    /// Cycles without any progress after which a pass counts as stuck here.
    pub stuck_cycles: u64,
    /// Where every random decision comes from.
    pub seed: u64,
    /// The clock.
    pub period_ps: u64,
}

impl Default for CardOptions {
    /// Ideal memory, no pauses, buffers readable, the run's seed, 250 MHz.
    fn default() -> Self {
        CardOptions {
            timing: DramTiming::IDEAL,
            register_stall: 0.0,
            image_base: IMAGE_BASE,
            state_base: STATE_BASE,
            rtl: workspace_root().join("rtl"),
            trace: None,
            perfetto: None,
            peek: true,
            faults: Vec::new(),
            watchdog_bits: 0,
            stuck_cycles: 200_000,
            seed: seed::seed(),
            period_ps: 4000,
        }
    }
}

impl CardOptions {
    /// The model to build.
    pub fn model(&self, config: &CardConfig, trace: bool) -> ModelSpec {
        let mut spec = card_model(config, &self.rtl).trace(trace);
        if self.peek {
            spec = spec.visible(&[Storage::new("tt_ram", "memory")]);
        }
        if self.watchdog_bits != 0 {
            spec = spec.parameter("WatchdogBits", u64::from(self.watchdog_bits));
        }
        spec.storage(&self.faults)
    }
}

/// `tt_card` with the parameters of a configuration, from the sources in a folder.
pub fn card_model(config: &CardConfig, rtl: &Path) -> ModelSpec {
    // What the card has no parameter for is not its business yet.
    let parameters = config.parameters().into_iter().filter(|(name, _)| *name != "Engines");
    parameters
        .fold(ModelSpec::new("tt_card", [rtl]), |spec, (name, value)| {
            spec.parameter(name, value as u64)
        })
        .parameter("ConfigHash", config.hash())
}
