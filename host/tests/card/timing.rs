//! The card at its own pace, units side by side, in front of memories of all kinds: the same state
//! after every pass.

use crate::{
    kit::{beside, full, mixed, one_sequence, play, random_tokens, shakespeare},
    rig::random_model,
};
use terntable_golden::{card::config::CardConfig, head::HeadMode};
use terntable_testbench::{agents::axi_dram::DramTiming, seed::seed};

const TIMINGS: [(&str, DramTiming); 3] =
    [("ideal", DramTiming::IDEAL), ("hostile", DramTiming::HOSTILE), ("DDR4", DramTiming::KV260)];

#[test]
fn the_bundled_model_runs_the_same_behind_every_memory() {
    let (model, text) = shakespeare();
    for (name, timing) in TIMINGS {
        let mut card = beside(&CardConfig::named("sim-small").unwrap(), &model, timing);
        let script = [one_sequence(4, 6, 2), full(4, 15)].concat();
        let tokens = play(&mut card, &model, HeadMode::TwoStage, &text, &script);
        let usage = card.card().sim.spent();
        println!("{}: {tokens} tokens, {usage}", name);
    }
}

#[test]
fn random_models_run_the_same_behind_every_memory() {
    let config = CardConfig::named("sim-small").unwrap();
    for round in 0..6 {
        let model = random_model(seed() + round);
        let text = random_tokens(&model, round, 200);
        let (name, timing) = TIMINGS[round as usize % 3];
        let mut card = beside(&config, &model, timing);
        for (head, script) in [
            (HeadMode::TwoStage, mixed(4, 3, 40)),
            (HeadMode::Full, full(4, 20)),
            (HeadMode::Full, one_sequence(4, 30, 3)),
        ] {
            play(&mut card, &model, head, &text, &script);
        }
        println!("model {:#x}, {}: {} passes", seed() + round, name, card.card().passes);
    }
}

/// The edge card behind its DDR4 and behind the worst memory.
#[test]
#[ignore = "builds the simulator of the edge card"]
fn kv260_runs_the_same_behind_every_memory() {
    let config = CardConfig::named("kv260").unwrap();
    let (model, text) = shakespeare();
    for (name, timing) in TIMINGS {
        let mut card = beside(&config, &model, timing);
        let script = [one_sequence(16, 32, 3), full(16, 64)].concat();
        let tokens = play(&mut card, &model, HeadMode::TwoStage, &text, &script);
        println!("{}: {tokens} tokens, {}", name, card.card().sim.spent());
    }
}
