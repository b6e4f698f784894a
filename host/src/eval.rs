//! Loss on a text, of one model or of two side by side.

use crate::{
    Error,
    import::Tokenizer,
    runner::{Passes, SLOTS},
};
use terntable_golden::head::{Candidate, HeadMode};

/// Loss of a model on a text.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Loss {
    /// Sum of the negative log-likelihoods of the scored tokens, nats.
    pub nats: f64,
    /// Tokens scored.
    pub tokens: usize,
    /// Characters of the text.
    pub characters: usize,
    /// Bytes of the text in UTF-8.
    pub bytes: usize,
}

impl Loss {
    /// Nats a character of the text.
    pub fn per_character(&self) -> f64 {
        self.nats / self.characters as f64
    }

    /// Nats a token.
    pub fn per_token(&self) -> f64 {
        self.nats / self.tokens as f64
    }

    /// The number of equally likely tokens that would lose as much.
    pub fn perplexity(&self) -> f64 {
        self.per_token().exp()
    }

    /// Bits a character of the text.
    pub fn bits_per_character(&self) -> f64 {
        self.per_character() / std::f64::consts::LN_2
    }

    /// Bits a byte of the text.
    pub fn bits_per_byte(&self) -> f64 {
        self.nats / self.bytes as f64 / std::f64::consts::LN_2
    }
}

/// How often the two-stage head and the full head say the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Agreement {
    /// Positions compared.
    pub positions: usize,
    /// Positions at which the best token is the same.
    pub top_1: usize,
    /// Positions at which the best [`Agreement::TOP`] tokens are the same set.
    pub top_40: usize,
    /// Of the full head's best [`Agreement::TOP`] tokens, those that the two-stage head has too.
    pub top_40_tokens: usize,
}

impl Agreement {
    /// Tokens of the longer list that is compared.
    pub const TOP: usize = 40;

    fn add(&mut self, full: &[Candidate], two_stage: &[Candidate]) {
        let best = |list: &[Candidate]| -> std::collections::BTreeSet<u32> {
            list.iter().take(Self::TOP).map(|c| c.token).collect()
        };
        let (a, b) = (best(full), best(two_stage));
        self.positions += 1;
        self.top_1 += usize::from(full[0].token == two_stage[0].token);
        self.top_40 += usize::from(a == b);
        self.top_40_tokens += a.intersection(&b).count();
    }
}

/// How far the predictions of another model or device are from those of the first.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Divergence {
    /// Positions compared.
    pub positions: usize,
    /// Sum of the Kullback-Leibler divergences `SUM p ln(p / q)` of the other's distribution q from the
    /// first one's p, nats.
    pub nats: f64,
    /// The largest of them.
    pub largest: f64,
    /// Positions at which the best token is the same.
    pub top_1: usize,
}

impl Divergence {
    /// Mean divergence of a position, nats.
    pub fn mean(&self) -> f64 {
        self.nats / self.positions as f64
    }

    fn add(&mut self, first: &Prediction, other: &Prediction) {
        let terms = first.log.iter().zip(&other.log);
        // A token of no weight adds nothing, however unlikely the other finds it.
        let term = |(p, q): (&f64, &f64)| if p.exp() > 0.0 { p.exp() * (p - q) } else { 0.0 };
        let nats: f64 = terms.map(term).sum();
        self.positions += 1;
        self.nats += nats;
        self.largest = if nats > self.largest || nats.is_nan() { nats } else { self.largest };
        self.top_1 += usize::from(first.best == other.best);
    }
}

/// How a long text is cut: windows of `window` tokens, each `stride` after the one before. A window
/// predicts the tokens after each of its own; every token is scored once, by the first window that
/// predicts it, so after the first window it has at least `window - stride + 1` tokens before it.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    /// Tokens of a window.
    pub window: usize,
    /// Tokens from window to window.
    pub stride: usize,
}

/// What is measured beside the loss.
#[derive(Default)]
pub struct Beside<'a> {
    /// The two-stage head against the full head.
    pub heads: Option<&'a mut Agreement>,
    /// Another model or device, its loss and its divergence from the first.
    pub other: Option<(&'a mut dyn Passes, &'a mut Loss, &'a mut Divergence)>,
}

/// Measures the loss with the full head. The first token of the text has nothing before it and is not
/// scored; its characters count. `progress` hears of tokens scored, and all.
pub fn loss(
    passes: &mut dyn Passes,
    tokenizer: &Tokenizer,
    text: &str,
    windows: Windows,
    mut beside: Beside<'_>,
    mut progress: impl FnMut(usize, usize),
) -> Result<Loss, Error> {
    let Windows { window, stride } = windows;
    let of_other = beside.other.as_ref().map(|(other, ..)| other.config());
    let context = passes.config().context.min(of_other.map_or(usize::MAX, |c| c.context));
    if window > context || stride == 0 || stride > window {
        return Err(Error::Input(format!(
            "window {window} and stride {stride}; expected 1 <= stride <= window <= {context}, the \
             model's context"
        )));
    }
    let vocab = passes.config().vocab;
    if let Some(other) = of_other.filter(|other| other.vocab != vocab) {
        return Err(Error::Input(format!(
            "the models have {vocab} and {} tokens; only models of one vocabulary can be compared",
            other.vocab
        )));
    }
    let tokens = tokenizer.encode(text)?;
    if tokens.len() < 2 {
        return Err(Error::Input("the text has fewer than two tokens; nothing to score".into()));
    }
    let empty = Loss { characters: text.chars().count(), bytes: text.len(), ..Loss::default() };
    let mut loss = empty;
    if let Some((_, loss, _)) = &mut beside.other {
        **loss = empty;
    }
    let (mut start, mut scored) = (0, 1);
    while scored < tokens.len() {
        let end = (start + window).min(tokens.len() - 1);
        let (fed, targets) = (&tokens[start..end], &tokens[scored..=end]);
        passes.restart();
        let outputs = passes.feed_outputs(fed, targets.len(), &mut |_| {})?;
        let others = match &mut beside.other {
            None => Vec::new(),
            Some((other, ..)) => {
                other.restart();
                other.feed_outputs(fed, targets.len(), &mut |_| {})?
            }
        };
        // The logits of a large vocabulary are the bulk of a window: a few positions at a time.
        for (part, targets) in targets.chunks(SLOTS).enumerate() {
            let places = part * SLOTS..part * SLOTS + targets.len();
            let full = passes.rank(HeadMode::Full, &outputs[places.clone()])?;
            let first: Vec<Prediction> = full.iter().map(|c| Prediction::of(c)).collect();
            loss.add(&first, targets);
            if let Some(agreement) = &mut beside.heads {
                let two_stage = passes.rank(HeadMode::TwoStage, &outputs[places.clone()])?;
                full.iter().zip(&two_stage).for_each(|(full, two)| agreement.add(full, two));
            }
            if let Some((other, loss, divergence)) = &mut beside.other {
                let full = other.rank(HeadMode::Full, &others[places])?;
                let other: Vec<Prediction> = full.iter().map(|c| Prediction::of(c)).collect();
                loss.add(&other, targets);
                first.iter().zip(&other).for_each(|(a, b)| divergence.add(a, b));
            }
        }
        scored = end + 1;
        start += stride;
        progress(scored, tokens.len());
    }
    Ok(loss)
}

impl Loss {
    fn add(&mut self, predictions: &[Prediction], targets: &[u32]) {
        self.tokens += targets.len();
        let log = |(prediction, &target): (&Prediction, &u32)| prediction.log[target as usize];
        self.nats -= predictions.iter().zip(targets).map(log).sum::<f64>();
    }
}

/// What a model thinks of the next token.
struct Prediction {
    /// Logarithm of the probability of every token.
    log: Vec<f64>,
    best: u32,
}

impl Prediction {
    /// From every token, ranked.
    fn of(ranked: &[Candidate]) -> Self {
        let best = f64::from(ranked[0].logit);
        let total: f64 = ranked.iter().map(|c| (f64::from(c.logit) - best).exp()).sum();
        let mut log = vec![f64::NAN; ranked.len()];
        for candidate in ranked {
            log[candidate.token as usize] = f64::from(candidate.logit) - best - total.ln();
        }
        Self { log, best: ranked[0].token }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(logits: &[f32]) -> Prediction {
        let mut ranked: Vec<Candidate> =
            (0..).zip(logits).map(|(token, &logit)| Candidate { token, logit }).collect();
        terntable_golden::head::Head::rank(&mut ranked);
        Prediction::of(&ranked)
    }

    #[test]
    fn probabilities_add_up_and_stand_by_token() {
        let p = prediction(&[1.0, 3.0, 2.0]);
        assert!((p.log.iter().map(|l| l.exp()).sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(p.best, 1);
        assert!((p.log[1] - p.log[0] - 2.0).abs() < 1e-12 && p.log[2] > p.log[0]);
    }

    #[test]
    fn divergence_is_that_of_kullback_and_leibler() {
        // p = (1/2, 1/2), q = (1/4, 3/4): ln 2 / 2 + ln(2/3) / 2.
        let (p, q) = (prediction(&[0.0, 0.0]), prediction(&[0.0, 3.0_f32.ln()]));
        let mut d = Divergence::default();
        d.add(&p, &q);
        let expected = 0.5 * (2.0_f64.ln() + (2.0_f64 / 3.0).ln());
        assert!((d.mean() - expected).abs() < 1e-6, "{d:?}");
        assert_eq!((d.positions, d.top_1), (1, 0));
        d.add(&p, &p);
        assert!((d.mean() - expected / 2.0).abs() < 1e-6 && d.largest == d.nats, "{d:?}");
        assert_eq!((d.positions, d.top_1), (2, 1));
        // A token that p excludes costs nothing, whatever q says.
        let (p, q) = (prediction(&[0.0, -1e30]), prediction(&[0.0, -2e30]));
        let mut d = Divergence::default();
        d.add(&p, &q);
        assert_eq!(d.nats, 0.0);
    }

    #[test]
    fn units_of_a_loss() {
        let loss = Loss { nats: 8.0 * std::f64::consts::LN_2, tokens: 4, characters: 8, bytes: 16 };
        assert!((loss.perplexity() - 4.0).abs() < 1e-12);
        assert!((loss.bits_per_character() - 1.0).abs() < 1e-12);
        assert!((loss.bits_per_byte() - 0.5).abs() < 1e-12);
    }
}
