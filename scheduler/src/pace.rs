//! What passes of a device take: from its own model of cycles, or learned from the passes that it ran (APEX:
//! Fan et al., 2025, schedules by such profiles).

use crate::cost::{Cost, Run};
use std::{sync::Arc, time::Duration};

/// How much less an older pass counts than the next one.
const FADE: f64 = 0.98;
/// A pass with prompts may take so many times what its answers alone would.
const STRETCH: f64 = 2.0;

/// A forecast of passes.
#[derive(Debug)]
pub(crate) enum Pace {
    Known(Arc<Cost>),
    Learned(Fit),
}

/// A straight line of seconds over slots, by least squares with fading weights.
#[derive(Debug, Default)]
pub(crate) struct Fit {
    weight: f64,
    slots: f64,
    slots_squared: f64,
    seconds: f64,
    product: f64,
}

impl Fit {
    fn learn(&mut self, slots: f64, seconds: f64) {
        let sums = [
            (&mut self.weight, 1.0),
            (&mut self.slots, slots),
            (&mut self.slots_squared, slots * slots),
            (&mut self.seconds, seconds),
            (&mut self.product, slots * seconds),
        ];
        for (sum, new) in sums {
            *sum = FADE * *sum + new;
        }
    }

    /// `None` before the first pass. As long as all passes had the same slots, time counts as proportional.
    fn seconds(&self, slots: f64) -> Option<f64> {
        if self.weight == 0.0 {
            return None;
        }
        let (mean_slots, mean) = (self.slots / self.weight, self.seconds / self.weight);
        let variance = self.slots_squared / self.weight - mean_slots * mean_slots;
        let slope = match variance > 0.01 {
            true => (self.product / self.weight - mean_slots * mean) / variance,
            false => mean / mean_slots,
        };
        Some((mean + slope.max(0.0) * (slots - mean_slots)).max(0.0))
    }
}

impl Pace {
    pub fn new(cost: Option<Arc<Cost>>) -> Self {
        cost.map_or_else(|| Pace::Learned(Fit::default()), Pace::Known)
    }

    /// A pass of so many slots took so long.
    pub fn learn(&mut self, slots: usize, time: Duration) {
        if let Pace::Learned(fit) = self {
            fit.learn(slots as f64, time.as_secs_f64());
        }
    }

    /// Seconds of a pass; `None` if nothing is known yet.
    pub fn seconds(&self, runs: &[Run]) -> Option<f64> {
        match self {
            Pace::Known(cost) => Some(cost.pass(runs).as_secs_f64()),
            Pace::Learned(fit) => {
                let slots: usize = runs.iter().map(|run| run.slots).sum();
                fit.seconds(slots as f64)
            }
        }
    }

    /// Slots for a prompt of which the cache has `rows`, beside these answers: as many as are left of `slots`
    /// while the answers wait no more than [`STRETCH`] times what a pass of their own takes.
    pub fn chunk(&self, answers: &[Run], rows: usize, slots: usize) -> usize {
        let left = slots.saturating_sub(answers.len());
        let Some(alone) = self.seconds(answers).filter(|_| !answers.is_empty()) else {
            return slots;
        };
        let fits = |n: usize| {
            let prompt = Run { slots: n, rows: rows + n, wanted: 0 };
            let together = self.seconds(&[answers, &[prompt]].concat());
            together.is_none_or(|seconds| seconds <= STRETCH * alone)
        };
        match (1..=left).rev().find(|&n| fits(n)) {
            // All that is left: the policy may also make room for more.
            Some(n) if n == left => slots,
            n => n.unwrap_or(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(n: usize) -> Vec<Run> {
        vec![Run { slots: 1, rows: 128, wanted: 1 }; n]
    }

    #[test]
    fn a_line_is_learned_and_followed_when_it_changes() {
        let mut pace = Pace::new(None);
        assert_eq!(pace.seconds(&decode(1)), None);
        pace.learn(4, Duration::from_millis(8));
        assert!((pace.seconds(&decode(2)).unwrap() - 0.004).abs() < 1e-9, "proportional at first");
        for (base, slope) in [(10, 1), (30, 3)] {
            for i in 0..400 {
                let slots = 1 + i % 7;
                pace.learn(slots as usize, Duration::from_millis(base + slope * slots));
            }
            let found = pace.seconds(&decode(12)).unwrap() * 1e3;
            let expected = (base + 12 * slope) as f64;
            assert!((found - expected).abs() < 0.5, "{found} for {expected}");
        }
    }

    #[test]
    fn a_chunk_is_cut_where_it_would_keep_answers_waiting() {
        let card = Pace::new(Some(Arc::new(Cost::kv260("bitnet-2b4t").unwrap())));
        assert_eq!(
            card.chunk(&decode(4), 500, 16),
            16,
            "a full pass takes little more than one of 4"
        );
        let mut slow = Pace::new(None);
        assert_eq!(slow.chunk(&decode(4), 0, 128), 128, "nothing is known");
        (1..=100).for_each(|n| slow.learn(n, Duration::from_millis(10 + n as u64)));
        let chunk = slow.chunk(&decode(4), 0, 128);
        assert!((13..=14).contains(&chunk), "10 + 4 + n <= 2 * 14: {chunk}");
        assert_eq!(slow.chunk(&[], 0, 128), 128, "nobody waits");
    }
}
