//! Loss on a text.

use crate::{Error, import::Tokenizer, runner::Passes};
use terntable_golden::head::{Candidate, HeadMode};

/// Loss of a model on a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// Sum of the negative log-likelihoods of the scored tokens, nats.
    pub nats: f64,
    /// Tokens scored.
    pub tokens: usize,
    /// Characters of the text.
    pub characters: usize,
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

/// Measures the loss with the full head. The first token of the text has nothing before it and is not
/// scored; its characters count. `agreement`, if there is one, gets the two-stage head's answers too.
pub fn loss(
    passes: &mut dyn Passes,
    tokenizer: &Tokenizer,
    text: &str,
    windows: Windows,
    mut agreement: Option<&mut Agreement>,
    mut progress: impl FnMut(usize, usize),
) -> Result<Loss, Error> {
    let Windows { window, stride } = windows;
    let context = passes.config().context;
    if window > context || stride == 0 || stride > window {
        return Err(Error::Input(format!(
            "window {window} and stride {stride}; expected 1 <= stride <= window <= {context}, the \
             model's context"
        )));
    }
    let tokens = tokenizer.encode(text)?;
    if tokens.len() < 2 {
        return Err(Error::Input("the text has fewer than two tokens; nothing to score".into()));
    }
    let mut loss = Loss { nats: 0.0, tokens: 0, characters: text.chars().count() };
    let (mut start, mut scored) = (0, 1);
    while scored < tokens.len() {
        let end = (start + window).min(tokens.len() - 1);
        let targets = &tokens[scored..=end];
        passes.restart();
        let outputs = passes.feed_outputs(&tokens[start..end], targets.len(), &mut |_| {})?;
        let full = passes.rank(HeadMode::Full, &outputs)?;
        for (candidates, &target) in full.iter().zip(targets) {
            loss.nats += negative_log_likelihood(candidates, target);
        }
        if let Some(agreement) = &mut agreement {
            let two_stage = passes.rank(HeadMode::TwoStage, &outputs)?;
            full.iter().zip(&two_stage).for_each(|(full, two)| agreement.add(full, two));
        }
        loss.tokens += targets.len();
        scored = end + 1;
        start += stride;
        progress(scored, tokens.len());
    }
    Ok(loss)
}

fn negative_log_likelihood(candidates: &[Candidate], target: u32) -> f64 {
    let best = f64::from(candidates[0].logit);
    let total: f64 = candidates.iter().map(|c| (f64::from(c.logit) - best).exp()).sum();
    let of_target =
        candidates.iter().find(|c| c.token == target).map_or(f64::NAN, |c| f64::from(c.logit));
    best + total.ln() - of_target
}
