//! The bundled model, command by command beside the golden card model.

use crate::kit::{Script, full, lockstep, mixed, one_sequence, play, shakespeare};
use std::time::Instant;
use terntable_golden::{card::config::CardConfig, head::HeadMode};

fn check(card: &str, least: usize, scripts: &[Script]) {
    let (model, text) = shakespeare();
    let mut card = lockstep(&CardConfig::named(card).unwrap(), &model);
    for script in scripts {
        let start = Instant::now();
        let from = (card.card().commands, card.card().compared, card.card().card().sim().cycle());
        let tokens = play(&mut card, &model, HeadMode::TwoStage, &text, script);
        assert!(tokens >= least, "{tokens} tokens");
        let (commands, compared) = (card.card().commands - from.0, card.card().compared - from.1);
        let cycles = card.card().card().sim().cycle() - from.2;
        println!(
            "{tokens} tokens in {} passes: {commands} commands, {compared} values, {cycles} cycles, \
             {:.1} s",
            script.len(),
            start.elapsed().as_secs_f64()
        );
    }
}

/// A prompt, then decode.
#[test]
fn one_sequence_equals_the_golden_card() {
    check("sim-small", 64, &[one_sequence(4, 54, 10)]);
}

#[test]
fn sequences_in_mixed_slots_equal_the_golden_card() {
    check("sim-small", 64, &[mixed(4, 3, 64)]);
}

/// A chunk of a prompt beside decodes, in every slot.
#[test]
fn full_passes_equal_the_golden_card() {
    check("sim-small", 64, &[full(4, 64)]);
}

/// The edge card: minutes of building, so not in the gate.
#[test]
#[ignore = "builds the simulator of the edge card"]
fn kv260_passes_equal_the_golden_card() {
    check("kv260", 64, &[one_sequence(16, 60, 4), mixed(16, 3, 64), full(16, 120)]);
}
