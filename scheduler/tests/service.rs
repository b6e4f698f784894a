//! Requests through threads: answers alone and together, refusals, cancellation, shutdown.

mod common;

use common::{CONTEXT, Draw, VOCAB, alone, collect, cpu, golden, model, reference, request};
use std::time::Duration;
use terntable_golden::model::Golden;
use terntable_scheduler::{
    Event, FinishReason, Options, Refusal, Request, Role, Sampling, Service,
    device::{Device, Fault, Faulty},
};

fn plain() -> Options {
    Options { prefixes: false, drafts: false, running: 1, ..Options::default() }
}

fn start(devices: Vec<Box<dyn Device>>, options: Options) -> Service {
    Service::start(devices, options).unwrap()
}

#[test]
fn a_crowd_gets_what_each_gets_alone() {
    let model = model();
    let alone_on_golden = start(vec![golden(&model, 10_000)], plain());
    let together = start(vec![golden(&model, 10_000), cpu(&model, 10_000, 8)], Options::default());
    let mut draw = Draw(1);
    let requests: Vec<Request> = (0..40).map(|_| request(&mut draw)).collect();
    let answers: Vec<_> =
        requests.iter().map(|r| together.client().submit(r.clone()).unwrap()).collect();
    for (request, answer) in requests.iter().zip(answers) {
        let (expected, expected_finish) = alone(&alone_on_golden.client(), request);
        let (found, finish) = collect(answer);
        assert_eq!(found, expected, "{request:?}");
        assert_eq!(finish.reason, expected_finish.reason);
        assert_eq!(finish.usage.completion_tokens, found.len());
    }
    let status = together.client().status();
    assert_eq!((status.finished, status.queued, status.running), (40, 0, 0));
    assert!(status.devices.iter().all(|device| device.up && device.passes > 0));
}

/// Threads, clients that go away, a device that panics: what is left is right.
#[test]
fn a_crowd_survives_gone_clients_and_a_broken_device() {
    let model = model();
    let plain = Golden::new(&model);
    let broken = Faulty::new(cpu(&model, 10_000, 8), Fault::Panic(25));
    let devices: Vec<Box<dyn Device>> = vec![Box::new(broken), golden(&model, 2000)];
    let service = start(devices, Options::default());
    let mut draw = Draw(3);
    let requests: Vec<Request> = (0..80).map(|_| request(&mut draw)).collect();
    let mut answers = Vec::new();
    for request in &requests {
        let mut answer = service.client().submit(request.clone()).unwrap();
        match draw.below(4) {
            0 => drop(answer),
            1 => drop(answer.events.blocking_recv()),
            _ => answers.push((request, answer)),
        }
    }
    for (request, answer) in answers {
        let (expected, reason) = reference(&model, &plain, request);
        let (found, finish) = collect(answer);
        let found: Vec<u32> = found.iter().map(|token| token.id).collect();
        assert_eq!((found, finish.reason), (expected, reason), "{request:?}");
    }
    let status = service.client().status();
    assert!(!status.devices[0].up && status.devices[1].up, "{status:?}");
    assert!(status.failovers > 0 && status.cancelled > 0, "{status:?}");
}

#[test]
fn what_cannot_be_served_is_refused_with_a_reason() {
    let model = model();
    let service = start(vec![cpu(&model, 64, 8)], Options { queue: 0, ..Options::default() });
    let client = service.client();
    let refusal = |request: Request| client.submit(request).unwrap_err().to_string();
    let good = Request { prompt: vec![1], max_tokens: 1, ..Request::default() };
    let sampling = |sampling| Request { sampling, ..good.clone() };
    let none = Sampling::default();
    for (request, expected) in [
        (Request { prompt: vec![], ..good.clone() }, "expected at least one token"),
        (Request { prompt: vec![VOCAB as u32], ..good.clone() }, "valid ids are 0..60"),
        (Request { prompt: vec![0; CONTEXT + 1], ..good.clone() }, "context holds 96"),
        (Request { max_tokens: 80, ..good.clone() }, "have memory for K and V of 64"),
        (sampling(Sampling { temperature: -1.0, ..none }), "temperature is -1; expected"),
        (sampling(Sampling { temperature: f64::NAN, ..none }), "temperature is NaN"),
        (sampling(Sampling { top_p: Some(1.5), ..none }), "top_p is 1.5; expected 0 to 1"),
        (sampling(Sampling { min_p: Some(-0.5), ..none }), "min_p is -0.5"),
        (sampling(Sampling { repetition_penalty: 0.0, ..none }), "repetition_penalty is 0"),
        (sampling(Sampling { presence_penalty: f64::INFINITY, ..none }), "presence_penalty is inf"),
        (good.clone(), "all places of the queue are taken"),
    ] {
        let found = refusal(request);
        assert!(found.contains(expected), "{found:?} for {expected:?}");
    }
    assert!(matches!(client.submit(good), Err(Refusal::Full { .. })));
    assert!(
        Service::start(Vec::new(), Options::default()).unwrap_err().to_string().contains("one")
    );
}

#[test]
fn no_tokens_are_an_answer_too() {
    let service = start(vec![cpu(&model(), 512, 8)], Options::default());
    let nothing = Request { prompt: vec![3], max_tokens: 0, ..Request::default() };
    let (tokens, finish) = alone(&service.client(), &nothing);
    assert_eq!((tokens.len(), finish.reason), (0, FinishReason::Length));
}

#[test]
fn a_full_context_ends_an_answer() {
    let service = start(vec![cpu(&model(), 512, 8)], Options::default());
    let long = Request { prompt: vec![3; CONTEXT - 4], max_tokens: 50, ..Request::default() };
    let (tokens, finish) = alone(&service.client(), &long);
    assert_eq!((tokens.len(), finish.reason), (5, FinishReason::Length));
}

#[test]
fn shutdown_finishes_what_runs_or_cancels_it() {
    let model = model();
    let long = Request { prompt: vec![5; 3], max_tokens: 60, ..Request::default() };
    for (patience, expected) in
        [(Duration::from_secs(60), FinishReason::Length), (Duration::ZERO, FinishReason::Cancelled)]
    {
        let service = start(vec![golden(&model, 2000)], Options::default());
        let client = service.client();
        let answers: Vec<_> = (0..20).map(|_| client.submit(long.clone()).unwrap()).collect();
        service.shutdown(patience);
        let reasons: Vec<_> = answers.into_iter().map(|a| collect(a).1.reason).collect();
        assert_eq!(reasons.last(), Some(&expected));
        assert_eq!(client.submit(long.clone()).unwrap_err(), Refusal::Closed);
    }
}

/// The device stands still while the client goes away.
#[test]
fn a_dropped_answer_gives_its_slot_to_others() {
    let slow = Faulty::new(golden(&model(), 2000), Fault::Hang(3, Duration::from_secs(2)));
    let service = start(vec![Box::new(slow)], plain());
    let client = service.client();
    let long = Request { prompt: vec![5; 3], max_tokens: 60, ..Request::default() };
    let mut first = client.submit(long.clone()).unwrap();
    // It ends after the pass that hangs, in which the first one is dropped.
    let second = client.submit(Request { max_tokens: 8, ..long }).unwrap();
    assert!(matches!(first.events.blocking_recv(), Some(Event::Token(_))));
    drop(first);
    assert_eq!(collect(second).1.reason, FinishReason::Length);
    let status = client.status();
    assert_eq!((status.cancelled, status.finished), (1, 1));
    assert!(status.completion_tokens <= 5 + 8, "{status:?}");
}

#[test]
fn a_device_that_does_not_come_back_is_replaced() {
    let model = model();
    let prompt = Request { prompt: vec![5, 9, 2], max_tokens: 30, ..Request::default() };
    let expected = alone(&start(vec![golden(&model, 2000)], plain()).client(), &prompt);
    let hung = Fault::Hang(4, Duration::from_secs(5));
    let devices: Vec<Box<dyn Device>> =
        vec![Box::new(Faulty::new(golden(&model, 2000), hung)), golden(&model, 2000)];
    // The other device is for answers that have begun, so the answer begins on the one that will hang.
    let options = Options {
        roles: vec![Role::Both, Role::Decode],
        pass_limit: Duration::from_millis(200),
        ..plain()
    };
    let service = start(devices, options);
    assert_eq!(alone(&service.client(), &prompt), expected);
    let status = service.client().status();
    assert_eq!(status.failovers, 1);
    let error = status.devices[0].error.clone().unwrap();
    assert!(error.contains("did not end within 0.2 s"), "{error}");
    // Shutdown does not wait for the thread that hangs.
    let start = std::time::Instant::now();
    service.shutdown(Duration::from_secs(60));
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn with_no_device_left_requests_fail_and_say_why() {
    let broken = Faulty::new(golden(&model(), 2000), Fault::Error(2));
    let service = start(vec![Box::new(broken)], plain());
    let request = Request { prompt: vec![5; 3], max_tokens: 60, ..Request::default() };
    let (tokens, finish) = alone(&service.client(), &request);
    let FinishReason::Failed(why) = finish.reason else { panic!("{:?}", finish.reason) };
    assert_eq!(tokens.len(), 2);
    assert!(why.contains("restart the service (golden: told to fail pass 2)"), "{why}");
    assert_eq!(service.client().submit(request).unwrap_err(), Refusal::Closed);
}
