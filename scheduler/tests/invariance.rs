//! The same request gives the same tokens whatever else is running: random requests in random crowds, on random
//! devices that fail at random, against each request token by token on the golden model.

#[path = "common/audit.rs"]
mod audit;
mod common;

use audit::Audited;
use common::{CONTEXT, Draw, cpu, golden, model, reference, request};
use std::{sync::Arc, time::Duration};
use terntable_golden::model::{Golden, Model};
use terntable_scheduler::{
    Device, FinishReason, Options, PolicyName, Role, Status,
    cost::Cost,
    device::{Fault, Faulty, ModelledCard},
    replay::{Arrival, Record, replay},
};

/// What happened in all crowds together.
#[derive(Default, Debug)]
struct Seen {
    requests: usize,
    tokens: usize,
    hits: u64,
    accepted: u64,
    proposed: u64,
    failovers: u64,
    preemptions: u64,
    handovers: u64,
    damaged: u64,
    left: usize,
}

impl Seen {
    fn add(&mut self, status: &Status) {
        self.hits += status.prefix_hits;
        self.accepted += status.drafts_accepted;
        self.proposed += status.drafts_proposed;
        self.failovers += status.failovers;
        self.preemptions += status.preemptions;
        self.handovers += status.handovers;
        self.damaged += status.damaged;
    }
}

/// A device of any kind, with little or much memory.
fn device(draw: &mut Draw, model: &Arc<Model>) -> Box<dyn Device> {
    // At least as much as one request may need.
    let positions = [1, 2, 3, 100][draw.below(4)] * CONTEXT.next_multiple_of(64);
    let device = match draw.below(4) {
        0 => golden(model, positions),
        1 => cpu(model, positions, 1 + draw.below(5)),
        2 => cpu(model, positions, 16),
        _ => {
            // The card counts smaller pages: room that it does not count.
            let inner = cpu(model, positions + 64 * 64, 16);
            let cost = Cost::kv260("bitnet-2b4t").unwrap();
            Box::new(ModelledCard::kv260(inner, cost).unwrap())
        }
    };
    Box::new(Audited::new(device))
}

fn devices(draw: &mut Draw, model: &Arc<Model>) -> (Vec<Box<dyn Device>>, Vec<Role>) {
    let count = 1 + draw.below(3);
    let mut devices: Vec<Box<dyn Device>> = Vec::new();
    for i in 0..count {
        let device = device(draw, model);
        // The last one stays.
        let fault = match draw.below(4) {
            0 if i + 1 < count => Some(Fault::Error(draw.below(60) as u64)),
            1 if i + 1 < count => Some(Fault::Panic(draw.below(60) as u64)),
            2 => Some(Fault::BadExport),
            _ => None,
        };
        devices.push(match fault {
            Some(fault) => Box::new(Faulty::new(device, fault)),
            None => device,
        });
    }
    let roles = match draw.below(3) {
        0 => (0..count).map(|i| if i == 0 { Role::Prefill } else { Role::Decode }).collect(),
        1 => vec![Role::Decode, Role::Prefill],
        _ => Vec::new(),
    };
    (devices, roles)
}

fn options(draw: &mut Draw, roles: Vec<Role>) -> Options {
    Options {
        policy: [PolicyName::Chunked, PolicyName::PrefillFirst, PolicyName::Fcfs]
            [[0, 0, 1, 2][draw.below(4)]],
        queue: 10_000,
        running: [0, 0, 2, 40][draw.below(4)],
        chunk: [0, 0, 1, 3, 9][draw.below(5)],
        drafts: !draw.one_in(4),
        prefixes: !draw.one_in(4),
        swap_bytes: [0, 5_000, 1 << 20][draw.below(3)],
        roles,
        ..Options::default()
    }
}

/// Serves `count` requests in crowds; every answer must be the reference's, or its beginning where the client
/// left.
fn serve(seed: u64, count: usize, crowd: usize) -> Seen {
    let model = model();
    let plain = Golden::new(&model);
    let mut draw = Draw(seed);
    let mut seen = Seen::default();
    while seen.requests < count {
        let crowd_seed = draw.next();
        let mut draw = Draw(crowd_seed);
        let mut at = Duration::ZERO;
        let spread = [0, 10, 1000, 100_000][draw.below(4)];
        let arrivals: Vec<Arrival> = (0..1 + draw.below(crowd))
            .map(|_| {
                at += Duration::from_micros(draw.below(spread + 1) as u64);
                let leaves_after = draw.one_in(8).then(|| draw.below(10));
                Arrival { at, request: request(&mut draw), leaves_after }
            })
            .collect();
        let (devices, roles) = devices(&mut draw, &model);
        let options = options(&mut draw, roles);
        let what = format!("seed {seed}, crowd {crowd_seed:#x}, {options:?}");
        let replayed = replay(devices, options, &arrivals).unwrap();
        assert!(replayed.status.devices.last().unwrap().up, "{what}: {:?}", replayed.status);
        for (i, (arrival, record)) in arrivals.iter().zip(&replayed.records).enumerate() {
            check(&model, &plain, arrival, record, &format!("request {i} of {what}"));
            seen.requests += 1;
            seen.tokens += record.tokens.len();
            seen.left += usize::from(record.finish.is_none());
        }
        assert_eq!(replayed.status.swapped_bytes, 0, "{what}: nothing is left behind");
        seen.add(&replayed.status);
    }
    seen
}

fn check(model: &Model, plain: &Golden, arrival: &Arrival, record: &Record, what: &str) {
    let (expected, reason) = reference(model, plain, &arrival.request);
    let found: Vec<u32> = record.tokens.iter().map(|stamped| stamped.token.id).collect();
    match &record.finish {
        Some((_, finish)) => {
            assert_eq!(
                (found, &finish.reason),
                (expected, &reason),
                "{what}: {:?}",
                arrival.request
            );
        }
        None => {
            assert_eq!(Some(found.len()), arrival.leaves_after, "{what}");
            assert_eq!(found[..], expected[..found.len()], "{what}: {:?}", arrival.request);
        }
    }
    assert_ne!(reason, FinishReason::Cancelled);
}

fn seed() -> u64 {
    std::env::var("TERNTABLE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121)
}

#[test]
fn crowds_change_no_token() {
    let seen = serve(seed(), 400, 30);
    println!("{seen:?}");
    // Everything that could change a token was there.
    let Seen { hits, accepted, proposed, failovers, preemptions, handovers, damaged, left, .. } =
        seen;
    assert!(hits > 0 && accepted > 0 && proposed > accepted && failovers > 0, "{seen:?}");
    assert!(preemptions > 0 && handovers > 0 && damaged > 0 && left > 0, "{seen:?}");
}

/// The acceptance run.
#[test]
#[ignore = "a minute; `cargo test --release -p terntable-scheduler --test invariance -- --ignored --nocapture`"]
fn crowds_change_no_token_of_many_requests() {
    println!("{:?}", serve(seed() ^ 1, 4000, 80));
}
