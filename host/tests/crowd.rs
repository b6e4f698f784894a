//! The bundled model served to crowds by cards and the CPU: the tokens that each request gets alone.

use std::{path::Path, sync::Arc, time::Duration};
use terntable::{
    card::GoldenCard,
    card_device::CardDevice,
    device::{cpu, on_card},
    import::Checkpoint,
    sim::{Recording, SimCard},
};
use terntable_golden::{card::config::CardConfig, head::HeadMode, model::Model, sample::mix};
use terntable_scheduler::{
    Device, Options, Request, Role, Sampling,
    cost::Cost,
    device::{CpuDevice, Fault, Faulty, GoldenDevice, ModelledCard},
    replay::{Arrival, replay},
};

fn model() -> (Arc<Model>, Vec<u32>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/shakespeare");
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let text = std::fs::read_to_string(folder.join("tinyshakespeare.txt")).unwrap();
    let tokens = checkpoint.tokenizer().unwrap().encode(&text[..8000]).unwrap();
    (Arc::new(checkpoint.model().unwrap()), tokens)
}

/// Requests that begin in the text, half of them at the same place.
fn requests(text: &[u32], count: usize, longest: usize, most: usize) -> Vec<Arrival> {
    let request = |i: usize| {
        let draw = mix(i as u64) as usize;
        let (at, length) =
            (if i.is_multiple_of(2) { 0 } else { draw % 500 }, 10 + draw / 512 % longest);
        let temperature = [0.0, 0.8][i / 2 % 2];
        let request = Request {
            prompt: text[at..at + length].to_vec(),
            max_tokens: 1 + draw / 4096 % most,
            sampling: Sampling { temperature, min_p: Some(0.02), ..Sampling::default() },
            seed: draw as u64,
            ..Request::default()
        };
        Arrival { at: Duration::from_millis(5 * i as u64), request, leaves_after: None }
    };
    (0..count).map(request).collect()
}

fn cpu_device(model: &Model) -> Box<dyn Device> {
    Box::new(CpuDevice::new(cpu(model).unwrap(), HeadMode::TwoStage, 64 * 1024))
}

fn golden_card(model: &Arc<Model>) -> Box<dyn Device> {
    let model = model.clone();
    let open = move || on_card(&model, GoldenCard::new(&CardConfig::named("sim-small")?));
    Box::new(CardDevice::open("card-golden", HeadMode::TwoStage, open).unwrap())
}

fn sim_card(model: &Arc<Model>) -> Box<dyn Device> {
    let model = model.clone();
    let open = move || {
        let config = CardConfig::named("sim-small")?;
        on_card(&model, SimCard::open(&config, &Recording::default())?)
    };
    Box::new(CardDevice::open("sim", HeadMode::TwoStage, open).unwrap())
}

/// Tokens of every request, and the counters.
fn tokens(
    devices: Vec<Box<dyn Device>>,
    options: Options,
    arrivals: &[Arrival],
) -> (Vec<Vec<u32>>, terntable_scheduler::Status) {
    let replayed = replay(devices, options, arrivals).unwrap();
    let ids =
        |r: &terntable_scheduler::replay::Record| r.tokens.iter().map(|t| t.token.id).collect();
    (replayed.records.iter().map(ids).collect(), replayed.status)
}

fn alone(model: &Arc<Model>, arrivals: &[Arrival]) -> Vec<Vec<u32>> {
    let golden = GoldenDevice::new(model.clone(), HeadMode::TwoStage, 8192);
    let options = Options { running: 1, drafts: false, prefixes: false, ..Options::default() };
    tokens(vec![Box::new(golden)], options, arrivals).0
}

#[test]
fn cards_hand_sequences_to_each_other_and_fail_without_a_wrong_token() {
    let (model, text) = model();
    let arrivals = requests(&text, 10, 40, 16);
    let expected = alone(&model, &arrivals);
    let roles = vec![Role::Prefill, Role::Decode];

    let pair = vec![golden_card(&model), cpu_device(&model)];
    let (found, status) =
        tokens(pair, Options { roles: roles.clone(), ..Options::default() }, &arrivals);
    assert_eq!(found, expected, "prompts on the card, answers on the CPU");
    assert!(status.handovers >= 9 && status.damaged == 0 && status.prefix_hits > 0, "{status:?}");

    let pair = vec![cpu_device(&model), golden_card(&model)];
    let (found, status) = tokens(pair, Options { roles, ..Options::default() }, &arrivals);
    assert_eq!(found, expected, "prompts on the CPU, answers on the card");
    assert!(status.handovers >= 9 && status.damaged == 0, "{status:?}");

    let failing = Faulty::new(golden_card(&model), Fault::Error(6));
    let pair: Vec<Box<dyn Device>> = vec![Box::new(failing), cpu_device(&model)];
    let (found, status) = tokens(pair, Options::default(), &arrivals);
    assert_eq!(found, expected, "the card fails");
    assert!(status.failovers > 0 && !status.devices[0].up, "{status:?}");
}

#[test]
fn the_modelled_card_makes_the_models_tokens_in_the_time_of_another_shape() {
    let (model, text) = model();
    let arrivals = requests(&text, 24, 100, 40);
    let cost = Cost::kv260("bitnet-2b4t").unwrap();
    let card = ModelledCard::kv260(cpu_device(&model), cost).unwrap();
    let (found, status) = tokens(vec![Box::new(card)], Options::default(), &arrivals);
    assert_eq!(found, alone(&model, &arrivals));
    let pass = status.devices[0].busy_s / status.passes as f64;
    assert!((0.032..0.042).contains(&pass), "{pass} s a pass; 2B-4T takes 33 to 40 ms");
}

#[test]
fn the_simulated_card_serves_a_crowd() {
    let (model, text) = model();
    let arrivals = requests(&text, 5, 6, 4);
    let (found, status) = tokens(vec![sim_card(&model)], Options::default(), &arrivals);
    assert_eq!(found, alone(&model, &arrivals));
    assert!(status.passes < 30, "{status:?}");
}
