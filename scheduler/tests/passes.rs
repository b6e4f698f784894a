//! What fills passes, on a virtual clock: policies, waits, cancellation, prefixes, memory, drafts.

mod common;

use common::{CONTEXT, Draw, VOCAB, cpu, golden, model, request};
use std::time::Duration;
use terntable_scheduler::{
    Device, Options, PolicyName, Request, Role,
    cost::Cost,
    device::ModelledCard,
    replay::{Arrival, Record, Replayed, replay},
};

fn card() -> Vec<Box<dyn Device>> {
    let inner = cpu(&model(), 64 * 1024, 16);
    let cost = Cost::kv260("bitnet-2b4t").unwrap();
    vec![Box::new(ModelledCard::kv260(inner, cost).unwrap())]
}

fn plain() -> Options {
    Options { prefixes: false, drafts: false, queue: 10_000, ..Options::default() }
}

fn with(policy: PolicyName) -> Options {
    Options { policy, ..plain() }
}

/// A prompt of its own.
fn prompt(seed: u64, length: usize) -> Vec<u32> {
    let mut draw = Draw(seed);
    (0..length).map(|_| draw.below(VOCAB) as u32).collect()
}

fn arrival(at: Duration, prompt: Vec<u32>, max_tokens: usize) -> Arrival {
    Arrival {
        at,
        request: Request { prompt, max_tokens, ..Request::default() },
        leaves_after: None,
    }
}

fn at_once(requests: impl IntoIterator<Item = (Vec<u32>, usize)>) -> Vec<Arrival> {
    requests.into_iter().map(|(prompt, n)| arrival(Duration::ZERO, prompt, n)).collect()
}

/// Passes between the tokens of an answer.
fn gaps(record: &Record) -> Vec<u64> {
    record.tokens.windows(2).map(|pair| pair[1].pass - pair[0].pass).collect()
}

fn run(options: Options, arrivals: &[Arrival]) -> Replayed {
    replay(card(), options, arrivals).unwrap()
}

/// 12 answers, and prompts that keep coming.
fn answers_and_prompts() -> Vec<Arrival> {
    let mut arrivals = at_once((0..12).map(|i| (prompt(i, 2), 60)));
    let late = (0..30).map(|i| arrival(Duration::from_millis(40 * i), prompt(100 + i, 80), 2));
    arrivals.extend(late);
    arrivals.sort_by_key(|arrival| arrival.at);
    arrivals
}

#[test]
fn answers_go_on_while_prompts_come_in_chunks() {
    let arrivals = answers_and_prompts();
    let worst = |options| {
        let replayed = run(options, &arrivals);
        let answers = replayed.records.iter().filter(|record| record.tokens.len() > 10);
        (answers.flat_map(gaps).max().unwrap(), replayed)
    };
    let (chunked, replayed) = worst(with(PolicyName::Chunked));
    assert!(chunked <= 2, "every second pass serves every answer: {chunked}");
    assert!(replayed.status.bubbles * 20 <= replayed.status.slots, "{:?}", replayed.status);
    let (prefill_first, _) = worst(with(PolicyName::PrefillFirst));
    assert!(prefill_first > 5, "prompts stop the answers: {prefill_first}");
    let (_, alone) = worst(with(PolicyName::Fcfs));
    let ratio = alone.elapsed.as_secs_f64() / replayed.elapsed.as_secs_f64();
    assert!(ratio > 4.0, "one after the other takes only {ratio} times as long");
}

#[test]
fn answers_take_turns_and_prompts_have_a_part_of_the_slots() {
    // 30 answers and 16 slots.
    let many =
        run(Options { running: 40, ..plain() }, &at_once((0..30).map(|i| (prompt(i, 2), 60))));
    let worst = many.records.iter().flat_map(gaps).max();
    // While the last prompts come, 12 slots are for answers.
    assert_eq!(worst, Some(3), "no answer waits for another to end");

    let mut arrivals = at_once((0..20).map(|i| (prompt(i, 2), 90)));
    arrivals.push(arrival(Duration::from_millis(1000), prompt(99, 80), 2));
    let replayed = run(Options { running: 40, ..plain() }, &arrivals);
    let late = &replayed.records[20];
    let wait = late.tokens[0].at - arrivals[20].at;
    // 4 slots of each pass: 20 passes of 36 ms, and the one under way.
    assert!(wait < Duration::from_millis(22 * 40), "{wait:?}");
    assert!(replayed.records.iter().flat_map(gaps).all(|gap| gap <= 2));
}

/// The promise of docs/scheduler.md, pass by pass: a request ends after at most as many passes as it and all
/// before it have tokens, times how rarely an answer is served; what comes later does not count.
#[test]
fn the_wait_of_every_request_is_bounded_by_those_before_it() {
    for (seed, policy) in
        [(1, PolicyName::Chunked), (2, PolicyName::Chunked), (3, PolicyName::Fcfs)]
    {
        let mut draw = Draw(seed);
        let arrivals: Vec<Arrival> = (0..60)
            .map(|i| {
                arrival(Duration::from_millis(i), request(&mut draw).prompt, 1 + draw.below(40))
            })
            .collect();
        let running = 40;
        let replayed = run(Options { running, ..with(policy) }, &arrivals);
        // 40 answers in 12 slots.
        let turns = 40_usize.div_ceil(12);
        let mut before = 0;
        for (arrival, record) in arrivals.iter().zip(&replayed.records) {
            before += arrival.request.prompt.len() + arrival.request.max_tokens;
            let (came, ended) = record.passes;
            let passes = (ended - came) as usize;
            assert!(passes <= turns * before, "{passes} passes for {before} tokens before");
            assert!(gaps(record).iter().all(|&gap| gap <= turns as u64), "{:?}", gaps(record));
        }
    }
}

#[test]
fn a_client_that_goes_away_has_no_slot_in_the_next_pass() {
    let mut arrivals = at_once([(prompt(1, 3), 50), (prompt(2, 3), 5)]);
    arrivals[0].leaves_after = Some(4);
    let replayed = run(Options { running: 1, ..plain() }, &arrivals);
    let [first, second] = &replayed.records[..] else { panic!() };
    assert_eq!(second.tokens[0].pass, first.tokens[3].pass + 1);
    assert_eq!((replayed.status.cancelled, replayed.status.passes), (1, 4 + 5));
}

#[test]
fn a_prompt_that_was_fed_before_is_not_fed_again() {
    let options = Options { prefixes: true, ..plain() };
    let first = prompt(1, 60);
    let second = [&first[..48], &prompt(2, 10)].concat();
    let arrivals = [
        arrival(Duration::ZERO, first.clone(), 3),
        arrival(Duration::from_secs(10), second, 3),
        arrival(Duration::from_secs(20), first, 3),
    ];
    let replayed = run(options.clone(), &arrivals);
    let cached = |i: usize| replayed.records[i].finish.as_ref().unwrap().1.usage.cached_tokens;
    // The last token of a prompt is always fed: candidates come after it.
    assert_eq!([cached(0), cached(1), cached(2)], [0, 48, 59]);
    assert_eq!(replayed.status.prompt_tokens, 60 + 10 + 1);
    assert_eq!((replayed.status.prefix_hits, replayed.status.prefix_tokens), (2, 48 + 59));
    // Also from a request that is still at work.
    let together =
        [arrivals[0].clone(), Arrival { at: Duration::from_millis(200), ..arrivals[1].clone() }];
    let long = Request { max_tokens: 30, ..together[0].request.clone() };
    let together = [Arrival { request: long, ..together[0].clone() }, together[1].clone()];
    assert_eq!(run(options, &together).status.prefix_tokens, 48);
}

#[test]
fn little_memory_is_shared_and_the_oldest_is_never_sent_away() {
    let model = model();
    let arrivals = at_once((0..6).map(|i| (prompt(i, 20), 60)));
    for swap_bytes in [0, 1 << 20] {
        // Two of the six fit to their end.
        let options = Options { swap_bytes, ..plain() };
        let replayed = replay(vec![golden(&model, 176)], options, &arrivals).unwrap();
        let pages = replayed.status.devices[0].pages;
        assert!(replayed.status.preemptions > 0 && pages.budget == 11, "{:?}", replayed.status);
        let ends: Vec<Duration> =
            replayed.records.iter().map(|record| record.finish.as_ref().unwrap().0).collect();
        assert!(ends.is_sorted(), "{ends:?}");
        assert!(gaps(&replayed.records[0]).iter().all(|&gap| gap == 1));
        // What was swapped out is not fed again.
        let fed = replayed.status.prompt_tokens;
        assert_eq!(fed == 6 * 20, swap_bytes > 0, "{fed}");
    }
}

#[test]
fn prompts_and_answers_on_devices_of_their_own() {
    let model = model();
    let devices = vec![cpu(&model, 4096, 16), golden(&model, 4096)];
    let options = Options { roles: vec![Role::Prefill, Role::Decode], ..plain() };
    let arrivals = at_once((0..8).map(|i| (prompt(i, 40), 20)));
    let replayed = replay(devices, options, &arrivals).unwrap();
    assert_eq!((replayed.status.handovers, replayed.status.damaged), (8, 0));
    assert_eq!(replayed.status.prompt_tokens, 8 * 40, "nothing is computed twice");
    assert!(replayed.status.devices[1].passes >= 19);
}

#[test]
fn drafts_save_passes_where_text_repeats_and_cost_little_elsewhere() {
    let plain = Options { running: 1, ..plain() };
    let drafting = Options { drafts: true, ..plain.clone() };
    // The small model falls into a circle when it is greedy.
    let circle = at_once([(vec![1, 2, 3], CONTEXT - 3)]);
    let [without, with] = [plain, drafting].map(|options| run(options, &circle));
    assert_eq!(without.records[0].tokens.len(), with.records[0].tokens.len());
    let gain = without.elapsed.as_secs_f64() / with.elapsed.as_secs_f64();
    assert!(
        gain > 1.5,
        "{gain} with {} of {}",
        with.status.drafts_accepted,
        with.status.drafts_proposed
    );
    assert!(with.status.drafts_accepted < with.status.completion_tokens);
}

#[test]
fn a_replay_is_the_same_every_time() {
    let arrivals = answers_and_prompts();
    let options = Options { drafts: true, prefixes: true, ..plain() };
    assert_eq!(run(options.clone(), &arrivals), run(options, &arrivals));
}
