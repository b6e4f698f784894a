//! Models of all formats, heads, shared prefixes and rejected drafts.

use crate::{
    kit::{alone, beside, full, lockstep, mixed, play, random_tokens, same, shakespeare},
    rig::random_model,
};
use terntable::{card::Chunk, lockstep::candidates_differ};
use terntable_golden::{
    attention::KvFormat,
    card::{
        config::CardConfig,
        pass::{CardPass, PassSlot},
        program::ProgramKind,
    },
    gate::Gate,
    head::HeadMode,
    model::Model,
    sample::mix,
};
use terntable_testbench::{agents::axi_dram::DramTiming, seed::seed};

fn config() -> CardConfig {
    CardConfig::named("sim-small").unwrap()
}

/// A random model with this gate and cache.
fn model_with(gate: Gate, kv: KvFormat) -> Model {
    let mut seeds = seed()..;
    let found = seeds.find_map(|seed| {
        let model = random_model(seed);
        (model.config.gate == gate && model.config.kv == kv).then_some((seed, model))
    });
    let (seed, model) = found.unwrap();
    println!("model {seed:#x}: {:?}", model.config);
    model
}

#[test]
fn every_gate_and_cache_equals_the_golden_card() {
    for gate in [Gate::Silu, Gate::Relu2] {
        for kv in [KvFormat::Int4, KvFormat::Int8] {
            let model = model_with(gate, kv);
            let text = random_tokens(&model, 1, 100);
            let mut card = lockstep(&config(), &model);
            play(&mut card, &model, HeadMode::TwoStage, &text, &mixed(4, 3, 24));
            play(&mut card, &model, HeadMode::Full, &text, &full(4, 16));
        }
    }
}

#[test]
fn the_bundled_model_with_int4_keys_and_values_equals_the_golden_card() {
    let (mut model, text) = shakespeare();
    model.config.kv = KvFormat::Int4;
    let mut card = lockstep(&config(), &model);
    play(&mut card, &model, HeadMode::TwoStage, &text, &full(4, 16));
}

/// Every program with a head on one pass: full head and logits rank all, the two-stage head the same
/// tokens where it agrees with the CPU's.
#[test]
fn every_head_of_the_bundled_model_equals_the_cpu() {
    let (model, text) = shakespeare();
    let mut card = beside(&config(), &model, DramTiming::IDEAL);
    let tokens = &text[..4];
    let full = alone(&model, HeadMode::Full, tokens, 4);
    let two_stage = alone(&model, HeadMode::TwoStage, tokens, 4);
    for kind in [ProgramKind::Full, ProgramKind::Logits, ProgramKind::TwoStage] {
        let id = card.kv().create().unwrap();
        card.reserve(id, 4).unwrap();
        let program = card.header().program(kind);
        let mut pass = CardPass::new(&config(), card.layout(), program);
        pass.push_chunk(card.layout().table(id.0), 0, tokens, |_| true).unwrap();
        card.run(&pass).unwrap();
        for slot in 0..4 {
            let got = card.candidates(kind, slot).unwrap();
            let expected = match kind {
                ProgramKind::TwoStage => &two_stage[slot][..],
                ProgramKind::Logits => &full[slot][..],
                _ => &full[slot][..256],
            };
            assert!(candidates_differ(slot, expected, &got).is_none(), "{kind:?}");
        }
        card.kv().end(id).unwrap();
    }
}

/// A prompt in chunks of any size gives the same candidates.
#[test]
fn chunks_of_every_size_give_the_same_candidates() {
    let (bundled, _) = shakespeare();
    for (model, length) in [(random_model(seed()), 23), (bundled, 6)] {
        let tokens = random_tokens(&model, 3, length);
        let expected = alone(&model, HeadMode::TwoStage, &tokens, length);
        let mut card = beside(&config(), &model, DramTiming::IDEAL);
        for size in 1..=card.slots() {
            let id = card.kv().create().unwrap();
            let mut first = 0;
            for tokens in tokens.chunks(size) {
                let chunk = Chunk { sequence: id, tokens, wanted: tokens.len() };
                let got = card.pass(HeadMode::TwoStage, &[chunk]).unwrap();
                same(first, &expected[first..first + tokens.len()], &got);
                first += tokens.len();
            }
            card.kv().end(id).unwrap();
        }
    }
}

/// Sequences that share the pages of a prefix, side by side in each pass after it.
#[test]
fn forks_share_a_prefix() {
    for round in 0..3_u64 {
        let model = random_model(seed() ^ (0xf0 + round));
        let mut card = beside(&config(), &model, DramTiming::HOSTILE);
        let prefix = random_tokens(&model, round, 5 + 4 * round as usize);
        let parent = card.kv().create().unwrap();
        for tokens in prefix.chunks(4) {
            let chunk = Chunk { sequence: parent, tokens, wanted: 0 };
            assert!(card.pass(HeadMode::TwoStage, &[chunk]).unwrap().is_empty());
        }
        let free = card.kv().free_pages();
        let forks = [parent, card.kv().fork(parent).unwrap(), card.kv().fork(parent).unwrap()];
        assert_eq!(card.kv().free_pages(), free, "a fork costs no page");
        let tails = [7, 8, 9].map(|salt| random_tokens(&model, salt, 12));
        for step in 0..10 {
            // The second fork feeds two tokens in even steps.
            let range = |i: usize| step..step + 1 + usize::from(i == 1 && step == 9);
            let chunks: Vec<Chunk<'_>> = forks
                .iter()
                .zip(&tails)
                .enumerate()
                .map(|(i, (&sequence, tail))| Chunk {
                    sequence,
                    tokens: &tail[range(i)],
                    wanted: 1,
                })
                .collect();
            let got = card.pass(HeadMode::TwoStage, &chunks).unwrap();
            for (i, got) in got.into_iter().enumerate() {
                let whole = [&prefix[..], &tails[i][..range(i).end]].concat();
                same(whole.len() - 1, &alone(&model, HeadMode::TwoStage, &whole, 1), &[got]);
            }
        }
    }
}

/// Drafts of which some are rejected: what follows is as if they had never been.
#[test]
fn rejected_drafts_leave_nothing_behind() {
    let model = random_model(seed() ^ 0xd0);
    let mut card = beside(&config(), &model, DramTiming::KV260);
    let id = card.kv().create().unwrap();
    let mut kept = Vec::new();
    for round in 0..24 {
        let draw = mix(seed() ^ round << 8) as usize;
        let drafts = random_tokens(&model, round, 1 + draw % 4);
        let chunk = Chunk { sequence: id, tokens: &drafts, wanted: drafts.len() };
        let got = card.pass(HeadMode::TwoStage, &[chunk]).unwrap();
        let first = kept.len();
        kept.extend(&drafts);
        same(first, &alone(&model, HeadMode::TwoStage, &kept, drafts.len()), &got);
        kept.truncate(first + (draw >> 8) % (drafts.len() + 1));
        card.kv().rewind(id, kept.len()).unwrap();
    }
    card.kv().rewind(id, 0).unwrap();
    assert_eq!(card.kv().free_pages(), 40);
}

/// A tree of drafts in one pass: every branch gives the candidates of the branch alone.
#[test]
fn trees_of_drafts_equal_their_branches() {
    for round in 0..6_u64 {
        let model = random_model(seed() ^ (0xe0 + round));
        let mut card = beside(&config(), &model, DramTiming::IDEAL);
        let id = card.kv().create().unwrap();
        let prefix = random_tokens(&model, round, 1 + 3 * round as usize);
        for tokens in prefix.chunks(4) {
            card.pass(HeadMode::TwoStage, &[Chunk { sequence: id, tokens, wanted: 0 }]).unwrap();
        }
        let drafts = random_tokens(&model, round + 50, 4);
        // Slot i hangs on slot parents[i] - 1; 0: on the prefix.
        let parents = [0, 1, 2, 3].map(|i| mix(seed() ^ round << 16 ^ i) % (i + 1));
        let branch = |mut i: usize| {
            let mut path = vec![i];
            while parents[i] > 0 {
                i = parents[i] as usize - 1;
                path.insert(0, i);
            }
            path
        };
        card.reserve(id, 4).unwrap();
        let program = card.header().program(ProgramKind::TwoStage);
        let mut pass = CardPass::new(&config(), card.layout(), program);
        let history = prefix.len() as u32;
        for (i, &token) in drafts.iter().enumerate() {
            let path = branch(i);
            let slot = PassSlot {
                token,
                position: history + path.len() as u32 - 1,
                row: history + i as u32,
                history,
                mask: path.iter().fold(0, |mask, &j| mask | 1 << j),
                head: true,
                page_table: card.layout().table(id.0),
            };
            pass.push(slot).unwrap();
        }
        card.run(&pass).unwrap();
        for i in 0..4 {
            let path: Vec<u32> = branch(i).into_iter().map(|j| drafts[j]).collect();
            let whole = [&prefix[..], &path].concat();
            let got = card.candidates(ProgramKind::TwoStage, i).unwrap();
            same(whole.len() - 1, &alone(&model, HeadMode::TwoStage, &whole, 1), &[got]);
        }
    }
}
