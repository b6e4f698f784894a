//! What a replay measured, in figures.

use super::{client::Outcome, trace::Trace};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a good answer keeps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// Longest time to the first token, seconds.
    pub first_s: f64,
    /// Longest mean time between tokens, seconds.
    pub between_s: f64,
}

/// Values of a quantity over requests or tokens, seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Half are at most this.
    pub p50: f64,
    /// 90 % are.
    pub p90: f64,
    /// 99 % are.
    pub p99: f64,
    /// All are.
    pub max: f64,
}

impl Spread {
    /// Of values; nothing of none. The p-th percentile is the smallest value that p % are at most.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |p: usize| values[(values.len() * p).div_ceil(100).max(1) - 1];
        (!values.is_empty()).then(|| Self {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
        })
    }
}

/// What came of a replay.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Requests of the trace.
    pub requests: usize,
    /// Answered to their end.
    pub answered: usize,
    /// Not answered, by reason.
    pub failed: BTreeMap<String, usize>,
    /// Requests whose lengths were cut to fit the context.
    pub cut: usize,
    /// From the first request to the end of the last answer, seconds.
    pub duration_s: f64,
    /// Tokens of prompts.
    pub prompt_tokens: usize,
    /// Tokens made.
    pub output_tokens: usize,
    /// Tokens made a second.
    pub output_tokens_per_s: f64,
    /// Answers a second.
    pub answers_per_s: f64,
    /// Time to the first token.
    pub first_s: Option<Spread>,
    /// Time between tokens, over all tokens.
    pub between_s: Option<Spread>,
    /// Time to the end of the answer.
    pub end_s: Option<Spread>,
    /// The limits of a good answer.
    pub limits: Limits,
    /// Answers a second that kept them.
    pub goodput_per_s: f64,
    /// Share of the requests whose answers kept them.
    pub good_share: f64,
    /// Share of the slots that stayed empty while requests waited; where the server tells.
    pub bubbles: Option<f64>,
    /// How late requests were sent, at most: large values mean that the client could not keep up.
    pub late_s: f64,
}

impl Report {
    /// Adds up.
    pub fn new(trace: &Trace, outcomes: &[Outcome], limits: Limits, bubbles: Option<f64>) -> Self {
        let answered: Vec<&Outcome> = outcomes.iter().filter(|o| o.error.is_none()).collect();
        let mut failed = BTreeMap::new();
        for error in outcomes.iter().filter_map(|outcome| outcome.error.clone()) {
            *failed.entry(error).or_default() += 1;
        }
        let ends = trace.arrivals.iter().zip(outcomes).map(|(a, o)| a.arrival_s + o.end_s);
        let duration_s = ends.fold(0.0, f64::max);
        let good = answered.iter().filter(|outcome| keeps(outcome, limits)).count();
        let sum = |of: fn(&Outcome) -> usize| answered.iter().map(|outcome| of(outcome)).sum();
        let (prompt_tokens, output_tokens): (usize, usize) =
            (sum(|o| o.prompt_tokens), sum(|o| o.output_tokens));
        let rate = |count: usize| if duration_s > 0.0 { count as f64 / duration_s } else { 0.0 };
        Self {
            requests: outcomes.len(),
            answered: answered.len(),
            failed,
            cut: trace.cut,
            duration_s,
            prompt_tokens,
            output_tokens,
            output_tokens_per_s: rate(output_tokens),
            answers_per_s: rate(answered.len()),
            first_s: Spread::of(answered.iter().filter_map(|o| o.first_s)),
            between_s: Spread::of(answered.iter().flat_map(|o| o.gaps_s.iter().copied())),
            end_s: Spread::of(answered.iter().map(|o| o.end_s)),
            limits,
            goodput_per_s: rate(good),
            good_share: good as f64 / outcomes.len().max(1) as f64,
            bubbles,
            late_s: outcomes.iter().map(|o| o.late_s).fold(0.0, f64::max),
        }
    }
}

/// Whether an answer kept the limits.
fn keeps(outcome: &Outcome, limits: Limits) -> bool {
    let mean = Spread::of(outcome.gaps_s.iter().copied()).map_or(0.0, |gaps| gaps.mean);
    outcome.first_s.is_some_and(|first| first <= limits.first_s) && mean <= limits.between_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_outcomes() {
        let line =
            |s| format!("{{\"arrival_s\": {s}, \"prompt_tokens\": 5, \"output_tokens\": 3}}\n");
        let trace = Trace::parse(&(line(0) + &line(1) + &line(2) + &line(3))).unwrap();
        let outcome = |first: f64, gap: f64| Outcome {
            first_s: Some(first),
            gaps_s: vec![gap, gap],
            end_s: first + 2.0 * gap,
            prompt_tokens: 5,
            output_tokens: 3,
            ..Outcome::default()
        };
        let lost = Outcome { error: Some("429".into()), late_s: 0.5, ..Outcome::default() };
        let outcomes = [outcome(0.5, 0.1), outcome(2.0, 0.1), outcome(0.5, 0.9), lost];
        let report = Report::new(&trace, &outcomes, Limits { first_s: 1.0, between_s: 0.2 }, None);
        assert_eq!((report.requests, report.answered, report.failed["429"]), (4, 3, 1));
        assert_eq!((report.prompt_tokens, report.output_tokens), (15, 9));
        // The third comes after 2 s and ends 2.3 s later.
        assert!((report.duration_s - 4.3).abs() < 1e-9);
        assert!((report.output_tokens_per_s - 9.0 / 4.3).abs() < 1e-9);
        assert!((report.good_share - 0.25).abs() < 1e-9 && report.late_s == 0.5);
        let first = report.first_s.unwrap();
        assert_eq!((first.p50, first.p99, first.max, first.mean), (0.5, 2.0, 2.0, 1.0));
    }

    #[test]
    fn percentiles_are_values() {
        let spread = Spread::of((1..=200).rev().map(f64::from)).unwrap();
        assert_eq!((spread.p50, spread.p90, spread.p99, spread.max), (100.0, 180.0, 198.0, 200.0));
        assert_eq!(Spread::of([]), None);
    }
}
