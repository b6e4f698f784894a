//! The card gives the model's bits.

use crate::rig::{Rig, bits, random_model, random_model_for, slot};
use terntable_golden::{
    card::{config::CardConfig, program::ProgramKind},
    head::{Head, HeadMode},
    model::{Golden, Sequence, Slot},
    sample::mix,
};

/// Random passes of one to all slots over three sequences, chunks and single tokens mixed, with every
/// program on every card; candidates and logits bit for bit.
#[test]
fn passes_equal_the_model() {
    let (mut heads, mut slots_run) = (0, 0);
    for seed in 0..80_u64 {
        let name = ["sim-small", "kv260", "sim-small", "alveo"][seed as usize % 4];
        let card = CardConfig::named(name).unwrap();
        let model = random_model_for(&card, seed);
        let tiles = [None, Some(8), Some(20)][seed as usize % 3];
        let mut rig = Rig::on(card, &model, tiles);
        let device = Golden::new(&model);
        let mut sequences: Vec<Sequence> = (0..3).map(|_| model.sequence()).collect();
        let ids = [0; 3].map(|_| rig.kv.create().unwrap());
        let vocab = model.config.vocab;
        for round in 0..9_u64 {
            let draw = |salt: u64| mix(seed << 20 ^ round << 8 ^ salt);
            let kind = ProgramKind::ALL[draw(0) as usize % 4];
            let mut pass = rig.pass(kind);
            let mut slots: Vec<Slot> = Vec::new();
            let held = ids.map(|id| rig.kv.length(id).unwrap());
            let left = model.config.context - held.into_iter().max().unwrap();
            let mut room = 1 + draw(1) as usize % rig.card.slots.min(left);
            for (index, id) in ids.into_iter().enumerate() {
                let count = (draw(2 + index as u64) as usize % (rig.card.slots / 2 + 1)).min(room);
                let count = if index == 2 && slots.is_empty() { room } else { count };
                room -= count;
                let first = rig.kv.length(id).unwrap();
                let tokens: Vec<u32> = (0..count as u64)
                    .map(|i| (draw(100 + 10 * index as u64 + i) % vocab as u64) as u32)
                    .collect();
                rig.reserve(id, count);
                let table = rig.layout().table(id.0);
                pass.push_chunk(table, first as u32, &tokens, |i| draw(i as u64) & 1 == 0).unwrap();
                rig.kv.commit(id, count).unwrap();
                slots.extend(tokens.iter().enumerate().map(|(i, &token)| Slot {
                    sequence: index,
                    position: first + i,
                    token,
                }));
            }
            rig.run(&pass).unwrap();
            let outputs = model.pass(&device, &mut sequences, &slots).unwrap();
            slots_run += slots.len();
            let mode = match kind {
                ProgramKind::Pass => continue,
                ProgramKind::TwoStage => HeadMode::TwoStage,
                _ => HeadMode::Full,
            };
            let expected = model.head(&device, mode, &outputs);
            for (index, (slot, expected)) in pass.slots().iter().zip(&expected).enumerate() {
                if !slot.head {
                    continue;
                }
                heads += 1;
                let count = vocab.min(256);
                assert_eq!(rig.results(index, vocab), bits(&expected[..count]), "seed {seed}");
                if kind == ProgramKind::Logits {
                    let logits = rig.logits(index, vocab);
                    let by_token = |c: &_| {
                        let terntable_golden::head::Candidate { token, logit } = c;
                        logits[*token as usize] == logit.to_bits()
                    };
                    assert!(expected.iter().all(by_token), "seed {seed}");
                }
            }
        }
    }
    println!("{slots_run} slots, {heads} heads");
    assert!(heads > 300 && slots_run > 1200, "{slots_run} slots, {heads} heads");
}

/// A head whose rows are all the same: ties everywhere go to the lower id.
#[test]
fn ties_go_to_the_lower_id() {
    let mut model = random_model(0);
    let (vocab, hidden) = (400, model.config.hidden);
    model.config.vocab = vocab;
    model.embedding = vec![0.5; vocab * hidden];
    model.head = Head::new(vocab, hidden, &model.embedding).unwrap();
    let mut rig = Rig::new(&model, Some(20));
    let id = rig.kv.create().unwrap();
    for kind in [ProgramKind::TwoStage, ProgramKind::Full] {
        rig.feed(kind, id, &[7]);
        let tokens: Vec<u32> = rig.results(0, vocab).into_iter().map(|(token, _)| token).collect();
        assert_eq!(tokens, (0..256).collect::<Vec<u32>>());
    }
}

/// The buffers after a pass hold what the model computed.
#[test]
fn buffers_hold_the_input_of_the_head() {
    let model = random_model(3);
    let mut rig = Rig::new(&model, None);
    let id = rig.kv.create().unwrap();
    rig.feed(ProgramKind::TwoStage, id, &[5, 9, 2]);
    let mut sequences = [model.sequence()];
    let slots: Vec<Slot> = [5, 9, 2]
        .into_iter()
        .enumerate()
        .map(|(position, token)| Slot { sequence: 0, position, token })
        .collect();
    let outputs = model.pass(&Golden::new(&model), &mut sequences, &slots).unwrap();
    let columns = rig.card.geometry().block_cols();
    for (index, output) in outputs.iter().enumerate() {
        assert_eq!(rig.machine.step_a()[index].to_bits(), output.step.to_bits());
        for (i, &value) in output.values.iter().enumerate() {
            let (word, known) = rig.machine.a().word(i / columns * rig.card.slots + index);
            assert!(known[i % columns]);
            assert_eq!(word[i % columns], value);
        }
    }
}

#[test]
fn the_image_checks_itself() {
    let model = random_model(5);
    let mut rig = Rig::new(&model, None);
    let id = rig.kv.create().unwrap();
    rig.reserve(id, 1);
    let mut pass = rig.pass(ProgramKind::Check);
    pass.push(slot(rig.layout().table(id.0), 0, 0, false)).unwrap();
    rig.run(&pass).unwrap();
}
