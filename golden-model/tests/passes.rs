//! The whole model gives the same bits however its tokens are grouped into passes.

use terntable_golden::{
    attention::KvFormat,
    gate::Gate,
    head::{Head, HeadMode},
    model::{Config, Golden, Layer, LinearNorms, Model, Projection, Sequence, Slot},
    rope::Rope,
    sample::mix,
    ternary::Ternary,
};

fn real(seed: u64, n: usize, around: f32) -> Vec<f32> {
    (0..n).map(|i| around + mix(seed ^ (i as u64) << 8) as i32 as f32 / 2.0_f32.powi(31)).collect()
}

/// A random model; hidden sizes that no group, tile or lane divides.
fn random_model(seed: u64) -> Model {
    let config = Config {
        hidden: 50,
        intermediate: 77,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        head_dim: 10,
        vocab: 300,
        context: 64,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        gate: Gate::Relu2,
        kv: KvFormat::Int8,
    };
    config.check().unwrap();
    let layer = |l: u64| Layer {
        attention_norm: real(seed ^ l ^ 1 << 40, config.hidden, 1.0),
        attention_sub_norm: Some(real(seed ^ l ^ 2 << 40, config.heads * config.head_dim, 1.0)),
        ffn_norm: real(seed ^ l ^ 3 << 40, config.hidden, 1.0),
        ffn_sub_norm: Some(real(seed ^ l ^ 4 << 40, config.intermediate, 1.0)),
        projections: Projection::ALL.map(|p| {
            let (rows, cols) = config.shape(p);
            let seed = seed ^ l << 32 ^ (p as u64) << 48;
            Ternary::absmean(rows, cols, &real(seed, rows * cols, 0.0)).unwrap()
        }),
        linear_norms: None,
    };
    let embedding = real(seed ^ 77, config.vocab * config.hidden, 0.0);
    Model {
        layers: (0..config.layers as u64).map(layer).collect(),
        norm: real(seed ^ 5 << 40, config.hidden, 1.0),
        head: Head::new(config.vocab, config.hidden, &embedding).unwrap(),
        rope: Rope::new(config.head_dim, config.rope_theta, config.context),
        embedding,
        config,
    }
}

/// As Llama has it: SiLU gate, no sub-norms, frequencies divided.
fn llama(seed: u64) -> Model {
    let mut model = random_model(seed);
    model.config.gate = Gate::Silu;
    let divisors = (0..5).map(|i| 1.0 + i as f32).collect();
    model.rope = Rope::divided(10, 10_000.0, Some(divisors), 64);
    for layer in &mut model.layers {
        (layer.attention_sub_norm, layer.ffn_sub_norm) = (None, None);
    }
    model
}

/// With a norm in every linear layer, beside the others.
fn with_linear_norms(mut model: Model, seed: u64) -> Model {
    for (layer, index) in model.layers.iter_mut().zip(1..) {
        let weights = Projection::ALL.map(|p| {
            let (_, cols) = model.config.shape(p);
            real(seed ^ (index * 16 + p as u64) << 36, cols, 1.0)
        });
        layer.linear_norms = Some(LinearNorms { weights, eps: 1e-6 });
    }
    model
}

/// Logits (id and bits) of every position of every prompt, its slots taken in the given groups.
fn run(model: &Model, prompts: &[Vec<u32>], passes: &[Vec<usize>]) -> Vec<Vec<Vec<(u32, u32)>>> {
    let device = Golden::new(model);
    let mut sequences: Vec<Sequence> = prompts.iter().map(|_| model.sequence()).collect();
    let mut logits = vec![Vec::new(); prompts.len()];
    let mut next = vec![0; prompts.len()];
    for pass in passes {
        let slots: Vec<Slot> = pass
            .iter()
            .map(|&sequence| {
                let position = next[sequence];
                next[sequence] += 1;
                Slot { sequence, position, token: prompts[sequence][position] }
            })
            .collect();
        let outputs = model.pass(&device, &mut sequences, &slots).unwrap();
        let ranked = model.head(&device, HeadMode::TwoStage, &outputs);
        for (slot, candidates) in slots.iter().zip(ranked) {
            let bits = candidates.iter().map(|c| (c.token, c.logit.to_bits())).collect();
            logits[slot.sequence].push(bits);
        }
    }
    logits
}

#[test]
fn any_grouping_of_slots_gives_the_same_bits() {
    let all = [
        random_model(1),
        random_model(2),
        llama(3),
        with_linear_norms(llama(4), 4),
        with_linear_norms(random_model(5), 5),
    ];
    for (model, seed) in all.into_iter().zip(1..) {
        let prompt = |salt: u64, n: usize| -> Vec<u32> {
            (0..n).map(|i| (mix(seed ^ salt ^ i as u64) % 300) as u32).collect()
        };
        let prompts = [prompt(1 << 20, 13), prompt(2 << 20, 13)];
        let one_by_one: Vec<_> = (0..2).flat_map(|s| vec![vec![s]; 13]).collect();
        let expected = run(&model, &prompts, &one_by_one);
        let whole = [vec![0; 13], vec![1; 13]];
        let chunks_of_five: Vec<_> =
            [5, 5, 3].iter().flat_map(|&n| [vec![1; n], vec![0; n]]).collect();
        let batch_of_two = vec![vec![0, 1]; 13];
        let prefill_beside_decode: Vec<_> = [vec![0; 4]]
            .into_iter()
            .chain(vec![vec![1, 0, 1]; 6])
            .chain([vec![1, 0], vec![0, 0]])
            .collect();
        for passes in [&whole[..], &chunks_of_five, &batch_of_two, &prefill_beside_decode] {
            assert_eq!(run(&model, &prompts, passes), expected, "seed {seed}, passes {passes:?}");
        }
    }
}

/// The bits of whole models, both heads: a change of any rounding, constant or order of the contract
/// changes them. They may change only together with `docs/arithmetic.md`.
#[test]
fn the_bits_of_whole_models_are_pinned() {
    let hash = hash_of([1, 2, 3, 4].map(|seed| (random_model(seed), seed)));
    assert_eq!(hash, 0xf751_19cf_b127_5fc5, "{hash:#018x}");
    let hash = hash_of([1, 2].map(|seed| (llama(seed), seed)));
    assert_eq!(hash, 0x0026_407b_adeb_664f, "{hash:#018x}");
    let both = [with_linear_norms(random_model(1), 1), with_linear_norms(llama(2), 2)];
    let hash = hash_of(both.map(|model| (model, 1)));
    assert_eq!(hash, 0xb62c_ee23_9cf4_6645, "{hash:#018x}");
}

/// FNV-1a of the logits of a prompt of each model.
fn hash_of(models: impl IntoIterator<Item = (Model, u64)>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |word: u32| {
        for byte in word.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for (model, seed) in models {
        let prompt: Vec<u32> = (0..40).map(|i| (mix(seed ^ i << 8) % 300) as u32).collect();
        for position in &run(&model, &[prompt], &[vec![0; 40]])[0] {
            position.iter().for_each(|&(token, bits)| {
                add(token);
                add(bits);
            });
        }
    }
    hash
}

#[test]
fn the_two_stage_head_scores_like_the_full_head() {
    let model = random_model(9);
    let device = Golden::new(&model);
    let mut sequences = [model.sequence()];
    let slots = [Slot { sequence: 0, position: 0, token: 7 }];
    let outputs = model.pass(&device, &mut sequences, &slots).unwrap();
    let two_stage = &model.head(&device, HeadMode::TwoStage, &outputs)[0];
    let full = &model.head(&device, HeadMode::Full, &outputs)[0];
    assert_eq!((two_stage.len(), full.len()), (256, 300));
    let kept: Vec<_> = full.iter().filter(|c| two_stage.contains(c)).collect();
    assert!(kept.iter().copied().eq(two_stage), "the same logits in the same order");
}

#[test]
fn impossible_slots_are_refused() {
    let model = random_model(4);
    let refused = |token, position| {
        let slots = [Slot { sequence: 0, position, token }];
        let mut sequences = [model.sequence()];
        model.pass(&Golden::new(&model), &mut sequences, &slots).unwrap_err().to_string()
    };
    assert!(refused(300, 0).contains("token 300 is outside the vocabulary of 300"));
    assert!(refused(0, 64).contains("context of 64"));
    assert!(refused(0, 3).contains("expected 0"));
}
