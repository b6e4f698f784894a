//! Whole passes against the golden model: random sizes, all levels and threads, mixed slots, forks.

use std::sync::Arc;
use terntable_cpu::{
    image::{Image, ModelParts},
    level::Level,
    model::Cpu,
    multiply::Activations,
};
use terntable_golden::{
    attention::KvFormat,
    gate::Gate,
    head::{Head, HeadMode},
    model::{Config, Golden, Layer, LinearNorms, Model, Projection, Slot},
    quantise::Quantised,
    rope::Rope,
    sample::mix,
    ternary::Ternary,
};

/// A stream of random numbers.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = mix(self.0);
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn real(&mut self) -> f32 {
        (self.next() as i32) as f32 / 2.0_f32.powi(31)
    }

    fn reals(&mut self, n: usize, middle: f32) -> Vec<f32> {
        (0..n).map(|_| middle + self.real()).collect()
    }
}

fn random_model(seed: u64) -> Model {
    let mut draw = Draw(seed);
    let kv_heads = 1 + draw.below(3);
    let config = Config {
        hidden: 1 + draw.below(150),
        intermediate: 1 + draw.below(200),
        layers: 1 + draw.below(3),
        heads: kv_heads * (1 + draw.below(6)),
        kv_heads,
        head_dim: 2 * (1 + draw.below(40)),
        vocab: 1 + draw.below(9000),
        context: 64,
        rope_theta: 1e4,
        norm_eps: 1e-5,
        gate: [Gate::Relu2, Gate::Silu][draw.below(2)],
        kv: [KvFormat::Int8, KvFormat::Int4][draw.below(2)],
    };
    let sub_norms = [draw.below(3) > 0, draw.below(3) > 0];
    let own_norms = draw.below(4) == 0;
    let layers = (0..config.layers).map(|_| {
        let projections = Projection::ALL.map(|projection| {
            let (rows, cols) = config.shape(projection);
            let trits = (0..rows * cols).map(|_| draw.below(3) as i8 - 1).collect();
            Ternary::new(rows, cols, trits, 0.02 + draw.real().abs()).unwrap()
        });
        let own = Projection::ALL.map(|p| draw.reals(config.shape(p).1, 1.0));
        Layer {
            attention_norm: draw.reals(config.hidden, 1.0),
            attention_sub_norm: sub_norms[0]
                .then(|| draw.reals(config.heads * config.head_dim, 1.0)),
            ffn_norm: draw.reals(config.hidden, 1.0),
            ffn_sub_norm: sub_norms[1].then(|| draw.reals(config.intermediate, 1.0)),
            projections,
            linear_norms: own_norms.then_some(LinearNorms { weights: own, eps: 1e-6 }),
        }
    });
    let layers = layers.collect();
    let mut embedding = draw.reals(config.vocab * config.hidden, 0.0);
    if draw.below(2) == 0 {
        embedding.iter_mut().for_each(|v| *v = f32::from_bits(v.to_bits() & 0xffff_0000));
    }
    Model {
        layers,
        norm: draw.reals(config.hidden, 1.0),
        head: Head::new(config.vocab, config.hidden, &embedding).unwrap(),
        rope: Rope::new(config.head_dim, config.rope_theta, config.context),
        embedding,
        config,
    }
}

fn image(model: &Model) -> Arc<Image> {
    let mut parts = ModelParts::new(model, "random");
    Arc::new(Image::build(&mut parts, &mut |_, _| {}).unwrap())
}

fn quantised(outputs: &Activations) -> Vec<Quantised> {
    (0..outputs.slots())
        .map(|slot| Quantised { values: outputs.row(slot).to_vec(), step: outputs.step(slot) })
        .collect()
}

/// Slots of random sequences, each at its next position.
fn random_slots(draw: &mut Draw, lengths: &mut [usize], count: usize, model: &Model) -> Vec<Slot> {
    let mut slots = Vec::new();
    for _ in 0..count {
        let sequence = draw.below(lengths.len());
        if lengths[sequence] < model.config.context {
            let token = draw.below(model.config.vocab) as u32;
            slots.push(Slot { sequence, position: lengths[sequence], token });
            lengths[sequence] += 1;
        }
    }
    slots
}

#[test]
fn random_models_give_the_golden_bits() {
    for seed in 0..24 {
        let model = random_model(seed);
        println!("seed {seed}: {:?}", model.config);
        let image = image(&model);
        let golden = Golden::new(&model);
        let mut expected_sequences = vec![model.sequence(); 3];
        let cpus: Vec<Cpu> = Level::available()
            .zip([1, 2, 3].into_iter().cycle())
            .map(|(level, threads)| Cpu::with_level(image.clone(), threads, level))
            .collect();
        let mut sequences: Vec<_> = cpus.iter().map(|cpu| vec![cpu.sequence(); 3]).collect();
        let (mut draw, mut lengths) = (Draw(!seed), [0; 3]);
        for pass in 0..4 {
            let count = [1, 2, 9, 23][pass];
            let slots = random_slots(&mut draw, &mut lengths, count, &model);
            let expected = model.pass(&golden, &mut expected_sequences, &slots).unwrap();
            let heads = [HeadMode::TwoStage, HeadMode::Full]
                .map(|mode| model.head(&golden, mode, &expected));
            for (cpu, sequences) in cpus.iter().zip(&mut sequences) {
                let level = cpu.level().as_str();
                let outputs = cpu.pass(sequences, &slots).unwrap();
                assert_eq!(quantised(&outputs), expected, "seed {seed}, pass {pass}, {level}");
                for (mode, expected) in [HeadMode::TwoStage, HeadMode::Full].iter().zip(&heads) {
                    let ranked = cpu.head(*mode, &outputs);
                    assert!(ranked == *expected, "seed {seed}, pass {pass}, {level}, {mode:?}");
                }
            }
        }
    }
}

#[test]
fn any_cut_into_passes_gives_the_same_bits_and_forks_and_rewinds_keep_apart() {
    let model = random_model(7);
    let cpu = Cpu::new(image(&model), 2).unwrap();
    let token = |i: usize| (mix(i as u64) % model.config.vocab as u64) as u32;
    let run = |sequence: &mut Vec<_>, from: usize, to: usize, chunk: usize| {
        let mut last = None;
        let all: Vec<Slot> =
            (from..to).map(|p| Slot { sequence: 0, position: p, token: token(p) }).collect();
        for slots in all.chunks(chunk) {
            let outputs = cpu.pass(sequence, slots).unwrap();
            last = quantised(&outputs).pop();
        }
        last
    };
    let mut whole = vec![cpu.sequence()];
    let expected = run(&mut whole, 0, 40, 40);
    for chunk in [1, 3, 16, 17] {
        let mut cut = vec![cpu.sequence()];
        assert_eq!(run(&mut cut, 0, 40, chunk), expected, "chunks of {chunk}");
    }
    let mut fork = vec![whole[0].clone()];
    fork[0].truncate(10);
    let other = Slot { sequence: 0, position: 10, token: token(999) };
    cpu.pass(&mut fork, &[other]).unwrap();
    fork[0].truncate(10);
    assert_eq!(run(&mut fork, 10, 40, 7), expected, "after a rewind");
    let next = |sequence: &mut Vec<_>| run(sequence, 40, 41, 1);
    assert_eq!(next(&mut whole), next(&mut fork), "the fork wrote nothing into its origin");
}

#[test]
fn layers_that_lack_different_sub_norms_are_refused() {
    let mut model = (0..).map(random_model).find(|model| model.layers.len() > 1).unwrap();
    let last = model.layers.last_mut().unwrap();
    last.ffn_sub_norm = match last.ffn_sub_norm {
        None => Some(vec![1.0; model.config.intermediate]),
        Some(_) => None,
    };
    let error = Image::build(&mut ModelParts::new(&model, "random"), &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("sub-norms"), "{error}");
}

#[test]
fn slots_that_do_not_fit_are_refused() {
    let model = random_model(3);
    let cpu = Cpu::new(image(&model), 1).unwrap();
    let mut sequences = vec![cpu.sequence()];
    let mut refused = |position, token| {
        let slot = Slot { sequence: 0, position, token };
        cpu.pass(&mut sequences, &[slot]).unwrap_err().to_string()
    };
    assert!(refused(1, 0).contains('1'));
    assert!(refused(64, 0).contains("64"));
    let vocab = model.config.vocab as u32;
    assert!(refused(0, vocab).contains(&vocab.to_string()));
}

#[test]
fn files_are_mapped_checked_and_refused_when_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.tcpu");
    let model = random_model(11);
    let mut parts = ModelParts::new(&model, "random");
    Image::build_file(&mut parts, &path, &mut |_, _| {}).unwrap();
    let slot = Slot { sequence: 0, position: 0, token: 0 };
    let outputs = |image: Arc<Image>| {
        let cpu = Cpu::new(image, 2).unwrap();
        quantised(&cpu.pass(&mut [cpu.sequence()], &[slot]).unwrap())
    };
    let opened = || Image::open(&path, 2).unwrap();
    assert_eq!(outputs(opened().into()), outputs(image(&model)));
    assert_eq!(outputs(opened().in_huge_pages().unwrap().into()), outputs(image(&model)));

    let good = std::fs::read(&path).unwrap();
    let refusal = |bytes: &[u8]| {
        let damaged = folder.path().join("damaged.tcpu");
        std::fs::write(&damaged, bytes).unwrap();
        let text = Image::open(&damaged, 2).unwrap_err().to_string();
        assert!(text.contains("damaged.tcpu"), "{text}");
        text
    };
    for at in (0..good.len()).step_by(good.len() / 50).chain([0, 9, 13, 40]) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        // Padding between parts is nobody's.
        let damaged = folder.path().join("damaged.tcpu");
        std::fs::write(&damaged, &bytes).unwrap();
        if Image::open(&damaged, 1).is_ok() {
            bytes[at] = 0x10;
            assert_eq!(good[at], 0, "byte {at} was changed and nobody noticed");
        }
    }
    for length in [0, 15, 100, 4096, good.len() - 4096, good.len() - 1] {
        refusal(&good[..length]);
    }
    refusal(b"GGUF and something else altogether");
    let missing = Image::open(&folder.path().join("none"), 1).unwrap_err().to_string();
    assert!(missing.contains("none"), "{missing}");
}
