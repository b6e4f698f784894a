//! What a model would do on a card: cycles of whole passes, extended from passes of the RTL.
//!
//! A model repeats its layers, so a pass of L layers takes what a pass of one takes and L - 1 times what
//! the second adds. The same holds for the rows of the head and, in a prompt, for the positions that
//! attention looks back at. [`sample`] runs the few short passes in the simulator; what follows is
//! straight lines through them. `tests/estimate.rs` holds the lines against whole passes.

pub mod sample;
pub mod scenario;
pub mod shapes;

use crate::{
    Error,
    usage::{Stalls, Units},
};
use sample::{Sample, Sampler};
use scenario::Scenario;
use serde::Serialize;
use terntable_golden::{
    card::{config::CardConfig, shape::check_fits},
    model::Config,
};
use terntable_testbench::agents::axi_dram::{DramTiming, bare_reader};

/// The clock that the memory models are written for: 250 MHz.
const PERIOD_PS: u64 = 4000;

/// What to estimate.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// Positions in the cache of each answer, and tokens of the prompt.
    pub context: usize,
    /// Answers at a time.
    pub slots: usize,
    /// The memory behind the card.
    pub timing: DramTiming,
    /// Cycles a second.
    pub clock_hz: f64,
}

/// An estimate; every figure follows from simulated cycles at the assumed clock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// The card.
    pub card: String,
    /// Positions in the cache, and tokens of the prompt.
    pub context: usize,
    /// Answers at a time.
    pub slots: usize,
    /// Clock that was assumed, hertz.
    pub clock_hz: f64,
    /// Memory that was assumed.
    pub memory: String,
    /// Cycles of a decode pass.
    pub decode_cycles: f64,
    /// Tokens a second of all slots together.
    pub decode_tokens_per_s: f64,
    /// Tokens of a prompt a second.
    pub prefill_tokens_per_s: f64,
    /// From the doorbell of the first chunk of the prompt to the candidates after it.
    pub time_to_first_token_s: f64,
    /// Bytes that a decoded token moves over the memory ports.
    pub bytes_per_token: f64,
    /// Bytes moved of what the ports could move in a decode pass.
    pub roofline_share: f64,
    /// Share of a decode pass in which a beat of weights is consumed.
    pub weight_share: f64,
    /// Cycles of a decode pass in which each unit has work; units overlap.
    pub busy: Units,
    /// Cycles of a decode pass without a beat of weights, by the reason.
    pub stalls: Stalls,
    /// `modelled`: extended from simulated passes.
    pub tier: &'static str,
}

/// Cycles of the screen.
struct Screen {
    /// While what enters the best takes longer than the rows.
    entering: f64,
    /// While the rows take longer.
    streaming: f64,
}

/// The passes that are simulated.
struct Base {
    config: Config,
    /// Tokens of the shortest vocabulary.
    vocab: usize,
}

impl Base {
    fn new(card: &CardConfig, config: &Config) -> Self {
        // Two panels of the screen, so that the second overlaps the first as all others do.
        let vocab = 2 * card.rows * terntable_golden::card::program::DEFAULT_PANEL_TILES;
        // A vocabulary of less than four times that is simulated as it is.
        let vocab = if config.vocab > 4 * vocab { vocab } else { config.vocab };
        Self { config: config.clone(), vocab }
    }

    /// What the rows of the vocabulary after the shortest add to passes, each given with what it took
    /// with one layer: what a vocabulary four times as long adds, and what the screen streams after that.
    fn rows<const N: usize>(
        &self,
        card: &CardConfig,
        passes: [(&Scenario, Sample); N],
        timing: DramTiming,
    ) -> Result<[Sample; N], Error> {
        let mut rows = [Sample::default(); N];
        if self.config.vocab == self.vocab {
            return Ok(rows);
        }
        let longer = 4 * self.vocab;
        let rate = bare_reader(&timing, card.ports, card.port_bytes, PERIOD_PS, 20_000, 1).rate();
        let by_rows = (self.config.vocab - self.vocab) as f64 / (longer - self.vocab) as f64;
        let mut sampler = self.sampler(card, 1, longer, timing)?;
        for (rows, (scenario, one)) in rows.iter_mut().zip(passes) {
            let added = sampler.pass(scenario)?.minus(one);
            let cost = |vocab| self.screen(card, scenario.wanted(), rate, vocab);
            let [from, to] = [longer, self.config.vocab].map(cost);
            let streaming = to.streaming - from.streaming;
            let further = to.entering - from.entering + streaming;
            let Sample { mut busy, mut stalls, .. } = added;
            // While the screen streams, multiply and head have work; without a beat, the memory or the
            // entries keep it waiting.
            busy[1] += further;
            busy[4] += further;
            let all = added.times(by_rows);
            let waits = further - (all.weight_beats - added.weight_beats);
            let memory = streaming * (1.0 - rate);
            stalls[0] += memory;
            stalls[3] += waits - memory;
            *rows = Sample { cycles: added.cycles + further, busy, stalls, ..all };
        }
        Ok(rows)
    }

    /// Cycles of the screen from the shortest vocabulary to a longer one. A row takes its beats; or, if
    /// that is longer, 8 cycles for each slot in which it enters the best, which the n-th row of a random
    /// order does with probability C / n.
    fn screen(&self, card: &CardConfig, slots: usize, rate: f64, vocab: usize) -> Screen {
        let blocks = card.geometry().blocks(self.config.hidden) as f64;
        let beats = blocks / card.rows as f64 / rate;
        let entries = (8 * card.candidates * slots) as f64;
        let (from, to) = (self.vocab as f64, vocab as f64);
        // Up to here the entries take longer.
        let turn = (entries / beats).clamp(from, to);
        Screen { entering: entries * (turn / from).ln(), streaming: beats * (to - turn) }
    }

    fn sampler(
        &self,
        card: &CardConfig,
        layers: usize,
        vocab: usize,
        timing: DramTiming,
    ) -> Result<Sampler, Error> {
        let config = Config { layers, vocab, ..self.config.clone() };
        Sampler::new(card, &config, timing)
    }
}

/// Estimates; `progress` hears of (done, all) simulated passes.
pub fn estimate(
    card: &CardConfig,
    config: &Config,
    question: &Question,
    mut progress: impl FnMut(usize, usize),
) -> Result<Estimate, Error> {
    check(card, config, question)?;
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done, 8);
    };
    let base = Base::new(card, config);
    let Question { context, slots, timing, clock_hz } = *question;
    let decode = Scenario::decode(slots, context);
    let chunk = card.slots.min(context);
    // The last chunk is full like the others, or what is left.
    let rest = (context - 1) % chunk + 1;
    let (first, last) = (Scenario::prefill(chunk, chunk, false), context - rest);
    let before_last = (last > 0).then(|| Scenario::prefill(chunk, last.max(chunk), false));
    let with_head = Scenario::prefill(rest, context, true);

    let mut one = base.sampler(card, 1, base.vocab, timing)?;
    let decode_one = one.pass(&decode)?;
    step();
    let head_one = one.pass(&with_head)?;
    step();
    let fill_one = one.pass(&first)?;
    step();
    drop(one);
    let mut two = base.sampler(card, 2, base.vocab, timing)?;
    let decode_two = two.pass(&decode)?;
    step();
    let head_two = two.pass(&with_head)?;
    step();
    let fill_two = two.pass(&first)?;
    step();
    let fill_far = before_last.as_ref().map(|scenario| two.pass(scenario)).transpose()?;
    step();
    drop(two);
    let passes = [(&decode, decode_one), (&with_head, head_one)];
    let [rows, ending_rows] = base.rows(card, passes, timing)?;
    step();

    let layers = (config.layers - 1) as f64;
    let decode = decode_one.plus(decode_two.minus(decode_one).times(layers)).plus(rows);
    let ending = head_one.plus(head_two.minus(head_one).times(layers)).plus(ending_rows);
    // A pass that only fills the cache ends in the last layer before attention.
    let near = fill_two.minus(fill_one);
    let fill = |end: usize| {
        let far = fill_far.map_or(Sample::default(), |far| far.minus(fill_two));
        let span = (last.max(chunk) - chunk).max(1) as f64;
        let layer = near.plus(far.times((end - chunk) as f64 / span));
        fill_one.plus(layer.times(layers))
    };
    let chunks = last / chunk;
    let filled = (1..=chunks).fold(Sample::default(), |sum, i| sum.plus(fill(i * chunk)));
    let prompt = filled.plus(ending);

    let seconds = |cycles: f64| cycles / clock_hz;
    let whole = |cycles: [f64; 6]| cycles.map(|c| c.round().max(0.0) as u64);
    Ok(Estimate {
        card: card.name.clone(),
        context,
        slots,
        clock_hz,
        memory: timing.name().into(),
        decode_cycles: decode.cycles.round(),
        decode_tokens_per_s: slots as f64 / seconds(decode.cycles),
        prefill_tokens_per_s: context as f64 / seconds(prompt.cycles),
        time_to_first_token_s: seconds(prompt.cycles),
        bytes_per_token: decode.bytes / slots as f64,
        roofline_share: decode.bytes / (decode.cycles * card.beat_bytes() as f64),
        weight_share: decode.weight_beats / decode.cycles,
        busy: whole(decode.busy).into(),
        stalls: whole(decode.stalls).into(),
        tier: "modelled",
    })
}

fn check(card: &CardConfig, config: &Config, question: &Question) -> Result<(), Error> {
    check_fits(card, config)?;
    let Question { context, slots, .. } = *question;
    let wrong = |text: String| Err(Error::Input(text));
    if slots == 0 || slots > card.slots {
        return wrong(format!("{slots} slots; card {} has 1..={}", card.name, card.slots));
    }
    if context == 0 || context > config.context {
        return wrong(format!("context {context}; the model has 1..={}", config.context));
    }
    Ok(())
}
