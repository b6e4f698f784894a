//! Drafts of the next tokens of an answer: what followed the last time that its last tokens stood there.
//!
//! Prompt lookup (Saxena, 2023; Lookahead's retrieval, Zhao et al., 2024, without its trie over all requests).
//! A right draft saves a pass; a wrong one costs the slots that it took. How many are made follows from how often
//! they were right after matches of that length; and a request that loses by them stops: over an answer, the
//! time lost is at most [`LOSS`] of it and [`CREDIT`] of a pass.

use std::collections::HashMap;

/// Tokens that must match at least.
const LEAST: usize = 2;
/// Longer matches are not told apart.
const LONGEST: usize = 32;
/// Places that are compared, latest first.
const PLACES: usize = 16;
/// Most drafts of a pass.
const MOST: usize = 15;
/// Share of its time that a request may lose by drafts.
const LOSS: f64 = 0.01;
/// What a request may lose before it has spent any time, as a share of a pass.
const CREDIT: f64 = 0.1;
/// How much less an older draft counts than the next one.
const FADE: f64 = 0.9;
/// The first lengths of the classes of matches, and how often drafts are right there before any was made.
const CLASSES: [(usize, f64); 5] = [(2, 0.3), (3, 0.4), (4, 0.6), (6, 0.8), (12, 0.9)];

/// The drafts of a request.
#[derive(Debug)]
pub(crate) struct Drafter {
    /// Where two tokens stood last: the place after them.
    last: HashMap<[u32; LEAST], usize>,
    /// For each place, the one before it with the same two tokens in front.
    before: Vec<usize>,
    rates: [Rate; CLASSES.len()],
    /// Seconds lost by wrong drafts less those saved by right ones.
    debt: f64,
    /// Seconds of passes, this request's shares.
    spent: f64,
    /// The drafts under way.
    pending: Pending,
}

/// Drafts that nobody has looked at yet.
#[derive(Debug, Clone, Copy, Default)]
struct Pending {
    class: usize,
    count: usize,
    /// Seconds.
    cost: f64,
}

/// How often drafts were right.
#[derive(Debug, Clone, Copy)]
struct Rate {
    right: f64,
    tried: f64,
}

impl Drafter {
    pub fn new() -> Self {
        Self {
            last: HashMap::new(),
            before: vec![0; LEAST],
            rates: CLASSES.map(|(_, rate)| Rate { right: 2.0 * rate, tried: 2.0 }),
            debt: 0.0,
            spent: 0.0,
            pending: Pending::default(),
        }
    }

    /// Drafts at what follows `tokens`, at most `most`. `token` is this request's share of a pass, which a right
    /// draft saves; `cost` what so many drafts add to the pass; both in seconds.
    pub fn draft(
        &mut self,
        tokens: &[u32],
        most: usize,
        token: f64,
        cost: impl Fn(usize) -> f64,
    ) -> Vec<u32> {
        self.pending = Pending::default();
        self.index(tokens);
        let Some((place, matched)) = self.longest(tokens) else { return Vec::new() };
        let class = CLASSES.iter().rposition(|(first, _)| *first <= matched).unwrap_or(0);
        let rate = self.rates[class].right / self.rates[class].tried;
        let allowed = LOSS * self.spent + CREDIT * token - self.debt;
        let (mut gain, mut chance, mut best) = (0.0, 1.0, 0.0);
        for count in 1..=most.min(MOST) {
            chance *= rate;
            gain += chance * token;
            let cost = cost(count);
            if cost <= allowed && gain - cost > best {
                best = gain - cost;
                self.pending = Pending { class, count, cost };
            }
        }
        // What follows may run into the tokens themselves, which then repeat.
        let period = tokens.len() - place;
        (0..self.pending.count).map(|i| tokens[place + i % period]).collect()
    }

    /// The drafts are not made.
    pub fn withdraw(&mut self) {
        self.pending = Pending::default();
    }

    /// The pass is over; of the drafts, so many of the first were right.
    pub fn learn(&mut self, right: usize, token: f64) {
        let Pending { class, count, cost } = std::mem::take(&mut self.pending);
        self.spent += token;
        // Old gains do not pay for new losses without end.
        self.debt = (self.debt + cost - right as f64 * token).max(-token);
        let rate = &mut self.rates[class];
        for i in 0..count.min(right + 1) {
            rate.right = FADE * rate.right + if i < right { 1.0 } else { 0.0 };
            rate.tried = FADE * rate.tried + 1.0;
        }
    }

    fn index(&mut self, tokens: &[u32]) {
        // The last place has nothing after it yet.
        for place in self.before.len()..tokens.len() {
            let key = std::array::from_fn(|i| tokens[place - LEAST + i]);
            self.before.push(self.last.insert(key, place).unwrap_or(0));
        }
    }

    /// The place after the longest match of the last tokens, and its length; of equal ones the latest.
    fn longest(&self, tokens: &[u32]) -> Option<(usize, usize)> {
        let end = tokens.len();
        let key: [u32; LEAST] = tokens.last_chunk().copied()?;
        let first = self.last.get(&key).copied();
        let places =
            std::iter::successors(first, |&place| Some(self.before[place]).filter(|&p| p > 0));
        let matched = |place: usize| {
            let pairs = tokens[..place].iter().rev().zip(tokens[..end].iter().rev());
            pairs.take(LONGEST).take_while(|(a, b)| a == b).count()
        };
        let all = places.take(PLACES).map(|place| (place, matched(place)));
        all.fold(None, |best, found| match best {
            Some((_, length)) if length >= found.1 => best,
            _ => Some(found),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terntable_golden::sample::mix;

    /// A slot of a pass of 1 second that costs next to nothing.
    fn cheap(count: usize) -> f64 {
        0.01 * count as f64
    }

    /// A request that may lose.
    fn rich() -> Drafter {
        Drafter { debt: -10.0, ..Drafter::new() }
    }

    #[test]
    fn the_longest_match_is_continued_and_repeats_run_on() {
        // 5 6 stood twice; the second time after a 9, as now.
        let tokens = [1, 5, 6, 7, 9, 5, 6, 8, 2, 3, 9, 5, 6];
        assert_eq!(rich().draft(&tokens, 3, 1.0, cheap), [8, 2, 3]);
        assert_eq!(rich().draft(&[1, 2, 1, 2, 1], 5, 1.0, cheap), [2, 1, 2, 1, 2]);
        assert!(rich().draft(&[4, 5, 6, 7], 5, 1.0, cheap).is_empty());
        assert!(rich().draft(&[4], 5, 1.0, cheap).is_empty());
        assert!(rich().draft(&[1, 2, 1, 2, 1], 5, 1.0, |n| n as f64).is_empty(), "dear slots");
        assert_eq!(rich().draft(&[1, 2, 1, 2, 1], 0, 1.0, cheap), [0_u32; 0]);
    }

    /// Drafts that are never right cost what was promised and no more; good ones get longer.
    #[test]
    fn losses_are_bounded_and_gains_are_taken() {
        for slot in [0.008, 0.05, 0.3] {
            let cost = |count| slot * count as f64;
            for seed in 0..20 {
                let mut drafter = Drafter::new();
                let mut tokens: Vec<u32> = Vec::new();
                let mut lost = 0.0;
                for n in 0..1000_u64 {
                    tokens.push((mix(seed << 32 | n) % 8) as u32);
                    lost += cost(drafter.draft(&tokens, 15, 1.0, cost).len());
                    drafter.learn(0, 1.0);
                    let most = LOSS * (n + 1) as f64 + CREDIT;
                    assert!(lost <= most + 1e-9, "{lost} of {n} passes at {slot}, seed {seed}");
                }
            }
        }
        let mut drafter = Drafter::new();
        let mut tokens: Vec<u32> = (0..20).map(|i| i % 10).collect();
        let mut passes = 0;
        while tokens.len() < 420 {
            let drafts = drafter.draft(&tokens, 15, 1.0, cheap);
            drafter.learn(drafts.len(), 1.0);
            (0..=drafts.len()).for_each(|_| tokens.push(tokens.len() as u32 % 10));
            passes += 1;
        }
        assert!(passes < 60, "{passes} passes for 400 tokens");
    }
}
