//! Page sharing, rewinding and trees of drafts: the same bits as plain sequences.

use crate::rig::{Rig, bits, random_model};
use terntable_golden::{
    card::{pass::PassSlot, program::ProgramKind},
    head::HeadMode,
    model::{Golden, Model, Slot},
    sample::mix,
};

/// Candidates after each token of a plain sequence.
fn plain(model: &Model, tokens: &[u32]) -> Vec<Vec<(u32, u32)>> {
    let device = Golden::new(model);
    let slot = |(position, &token)| Slot { sequence: 0, position, token };
    let slots: Vec<Slot> = tokens.iter().enumerate().map(slot).collect();
    let outputs = model.pass(&device, &mut [model.sequence()], &slots).unwrap();
    let ranked = model.head(&device, HeadMode::TwoStage, &outputs);
    ranked.iter().map(|candidates| bits(candidates)).collect()
}

fn tokens(model: &Model, seed: u64, n: usize) -> Vec<u32> {
    (0..n as u64).map(|i| (mix(seed << 16 ^ i) % model.config.vocab as u64) as u32).collect()
}

#[test]
fn forks_share_pages_and_copy_what_they_write() {
    for seed in 20..32 {
        let model = random_model(seed);
        let vocab = model.config.vocab;
        let mut rig = Rig::new(&model, None);
        let a = rig.kv.create().unwrap();
        let prefix = tokens(&model, seed, 5 + seed as usize % 11);
        for chunk in prefix.chunks(4) {
            rig.feed(ProgramKind::Pass, a, chunk);
        }
        let before = rig.kv.free_pages();
        let b = rig.kv.fork(a).unwrap();
        assert_eq!(rig.kv.free_pages(), before, "a fork costs no page");
        let tails = [tokens(&model, seed + 100, 12), tokens(&model, seed + 200, 12)];
        for step in 0..tails[0].len() / 2 {
            for (id, tail) in [(b, &tails[1]), (a, &tails[0])] {
                rig.feed(ProgramKind::TwoStage, id, &tail[2 * step..2 * step + 2]);
                let whole = [&prefix[..], &tail[..2 * step + 2]].concat();
                let expected = plain(&model, &whole);
                for slot in 0..2 {
                    let expected = &expected[whole.len() - 2 + slot];
                    assert_eq!(&rig.results(slot, vocab), expected, "seed {seed}, step {step}");
                }
            }
        }
    }
}

#[test]
fn rewinding_forgets_rows() {
    for seed in 40..48 {
        let model = random_model(seed);
        let vocab = model.config.vocab;
        let mut rig = Rig::new(&model, None);
        let id = rig.kv.create().unwrap();
        let mut kept: Vec<u32> = Vec::new();
        for round in 0..10_u64 {
            let more = tokens(&model, seed ^ round << 32, 1 + mix(seed ^ round) as usize % 4);
            rig.feed(ProgramKind::TwoStage, id, &more);
            kept.extend(&more);
            let expected = plain(&model, &kept);
            assert_eq!(rig.results(more.len() - 1, vocab), expected[kept.len() - 1]);
            let length = kept.len() - mix(seed ^ round << 8) as usize % more.len();
            rig.kv.rewind(id, length).unwrap();
            kept.truncate(length);
        }
        rig.kv.rewind(id, 0).unwrap();
        assert_eq!(rig.kv.free_pages(), 40);
    }
}

/// A tree of drafts in one pass: every branch gives the bits of the branch alone.
#[test]
fn trees_of_drafts_equal_their_branches() {
    for seed in 60..72_u64 {
        let model = random_model(seed);
        let vocab = model.config.vocab;
        let mut rig = Rig::new(&model, None);
        let id = rig.kv.create().unwrap();
        let prefix = tokens(&model, seed, 1 + seed as usize % 9);
        for chunk in prefix.chunks(3) {
            rig.feed(ProgramKind::Pass, id, chunk);
        }
        // Slot i hangs on slot parent[i]; none: on the prefix.
        let drafts = tokens(&model, seed + 7, 4);
        let parents: Vec<Option<usize>> = (0..4_u64)
            .map(|i| (mix(seed ^ i) % (i + 1)).checked_sub(1).map(|parent| parent as usize))
            .collect();
        let branch = |mut i: usize| {
            let mut path = vec![i];
            while let Some(parent) = parents[i] {
                path.insert(0, parent);
                i = parent;
            }
            path
        };
        let history = prefix.len() as u32;
        rig.reserve(id, 4);
        let mut pass = rig.pass(ProgramKind::TwoStage);
        for (i, &token) in drafts.iter().enumerate() {
            let path = branch(i);
            pass.push(PassSlot {
                token,
                position: history + path.len() as u32 - 1,
                row: history + i as u32,
                history,
                mask: path.iter().fold(0, |mask, &j| mask | 1 << j),
                head: true,
                page_table: rig.layout().table(id.0),
            })
            .unwrap();
        }
        rig.run(&pass).unwrap();
        for i in 0..4 {
            let path: Vec<u32> = branch(i).into_iter().map(|j| drafts[j]).collect();
            let alone = plain(&model, &[&prefix[..], &path].concat());
            assert_eq!(&rig.results(i, vocab), alone.last().unwrap(), "seed {seed}, draft {i}");
        }
    }
}
