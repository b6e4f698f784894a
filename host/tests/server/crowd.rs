//! Many clients at once, of every kind: each finished answer is the one that its request gets alone.

use crate::client::{Server, streamed};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use terntable_golden::sample::mix;
use tokio::time::sleep;

/// Requests that are asked again and again.
const QUESTIONS: u64 = 24;

/// What a crowd has done.
#[derive(Debug, Default)]
struct Counts {
    finished: AtomicU64,
    gone: AtomicU64,
    refused: AtomicU64,
    full: AtomicU64,
    ended: AtomicU64,
}

fn question(i: u64) -> Value {
    let prompts =
        ["ROMEO:\n", "First Citizen:\nBefore we proceed", "JULIET:\nO", "What, ho!", "KING"];
    let draw = |what: u64, of: u64| mix(i * 16 + what) % of;
    let mut body = json!({
        "prompt": prompts[draw(0, 5) as usize].repeat(1 + draw(1, 3) as usize),
        "max_tokens": 8 + draw(2, 56), "temperature": draw(3, 3) as f64 / 2.0, "seed": i,
    });
    if draw(4, 3) == 0 {
        body["repetition_penalty"] = 1.2.into();
    }
    if draw(5, 3) == 0 {
        body["stop"] = json!(["\n\n", "ou"]);
    }
    body
}

/// A client's next act; panics on a wrong token.
async fn act(server: &Server, alone: &[String], draw: u64, counts: &Counts) {
    let i = draw % QUESTIONS;
    let mut body = question(i);
    let path = "/v1/completions";
    match draw >> 8 & 15 {
        // Malformed, or oversized.
        0 => {
            body["temperature"] = "warm".into();
            assert_eq!(server.post(path, &body).await.0, 400);
            counts.refused.fetch_add(1, Relaxed);
        }
        1 => {
            body["prompt"] = "a".repeat(1 << 21).into();
            // The server may close before it has read all.
            if let Ok(response) = server.send(path, &body).await {
                assert_eq!(response.status(), 413);
            }
            counts.refused.fetch_add(1, Relaxed);
        }
        // Not streamed.
        2 | 3 => match server.post(path, &body).await {
            (200, answer) => {
                assert_eq!(answer["choices"][0]["text"], alone[i as usize], "{body}");
                counts.finished.fetch_add(1, Relaxed);
            }
            (status, answer) => refused(status, &answer, counts).await,
        },
        kind => {
            body["stream"] = true.into();
            // No connection: only at the end of the server, as is checked before.
            let Ok(mut response) = server.send(path, &body).await else {
                counts.ended.fetch_add(1, Relaxed);
                return;
            };
            if response.status() != 200 {
                let (status, answer) = crate::client::parts(response).await;
                return refused(status, &answer, counts).await;
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.unwrap() {
                bytes.extend(chunk);
                match kind {
                    4 | 5 if bytes.len() > 600 => {
                        counts.gone.fetch_add(1, Relaxed);
                        return;
                    }
                    6 | 7 => sleep(Duration::from_millis(20)).await,
                    _ => {}
                }
            }
            let all = streamed(std::str::from_utf8(&bytes).unwrap());
            let (text, whole) = (all.text(0), &alone[i as usize]);
            if all.done {
                assert_eq!(text, *whole, "{body}");
                counts.finished.fetch_add(1, Relaxed);
            } else {
                assert_eq!(all.events.last().unwrap()["error"]["code"], "shutting_down", "{body}");
                assert!(whole.starts_with(&text), "{body}: {text:?}");
                counts.ended.fetch_add(1, Relaxed);
            }
        }
    }
}

async fn refused(status: u16, answer: &Value, counts: &Counts) {
    match status {
        429 => {
            counts.full.fetch_add(1, Relaxed);
            sleep(Duration::from_millis(50)).await;
        }
        503 => _ = counts.ended.fetch_add(1, Relaxed),
        _ => panic!("{status}: {answer}"),
    }
}

/// Bytes of memory that a process holds.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// So many clients for so long, then SIGTERM in the middle of it.
async fn crowd(clients: u64, time: Duration) -> Counts {
    let server = Server::start(&["--patience", "0.05", "--max-requests", "200"]);
    let mut alone = Vec::new();
    for i in 0..QUESTIONS {
        alone.push(server.text(question(i)).await);
    }
    let (shared, alone, counts) = (Arc::new(server), Arc::new(alone), Arc::<Counts>::default());
    let start = Instant::now();
    let client = |number: u64| {
        let (server, alone, counts) = (shared.clone(), alone.clone(), counts.clone());
        async move {
            let mut draw = mix(number);
            while start.elapsed() < time {
                draw = mix(draw);
                act(&server, &alone, draw, &counts).await;
            }
        }
    };
    let crowd: Vec<_> = (0..clients).map(|number| tokio::spawn(client(number))).collect();
    let mut most = (0, 0);
    while start.elapsed() < time {
        sleep(time / 20).await;
        let half = usize::from(start.elapsed() > time / 2);
        let now = memory(shared.pid());
        if half == 0 { most.0 = now.max(most.0) } else { most.1 = now.max(most.1) }
    }
    for client in crowd {
        client.await.unwrap();
    }
    shared.until("/requests/in_work", 0).await;
    shared.until("/scheduler/running", 0).await;
    assert_eq!((shared.counted("failed").await, counts.ended.load(Relaxed)), (0, 0));
    // What the second half holds at most is what the first held, give or take.
    assert!(most.1 < most.0 + most.0 / 4 + (32 << 20), "memory grows: {most:?}");
    println!("most memory held in each half: {} and {} MiB", most.0 >> 20, most.1 >> 20);
    // The end, in the middle of many answers.
    let last: Vec<_> = (0..clients)
        .map(|number| {
            let (server, alone, counts) = (shared.clone(), alone.clone(), counts.clone());
            // Kind 6: streamed, and read slowly.
            let draw = (6 << 8) + number % QUESTIONS;
            tokio::spawn(async move { act(&server, &alone, draw, &counts).await })
        })
        .collect();
    sleep(Duration::from_millis(30)).await;
    shared.terminate();
    for client in last {
        client.await.unwrap();
    }
    let mut server = Arc::into_inner(shared).unwrap();
    assert_eq!(server.wait(Duration::from_secs(10)).and_then(|status| status.code()), Some(0));
    Arc::into_inner(counts).unwrap()
}

fn check(counts: &Counts) {
    println!("{counts:?}");
    for count in [&counts.finished, &counts.gone, &counts.refused, &counts.ended] {
        assert!(count.load(Relaxed) > 0, "a kind of client was not there: {counts:?}");
    }
}

#[tokio::test]
async fn a_crowd_gets_what_each_would_alone() {
    check(&crowd(64, Duration::from_secs(3)).await);
}

/// `cargo xtask soak serve`: the same, longer and with 256 clients.
#[tokio::test]
#[ignore = "takes as many seconds as TERNTABLE_SOAK says"]
async fn soak() {
    let seconds = std::env::var("TERNTABLE_SOAK").ok().and_then(|s| s.parse().ok()).unwrap_or(1800);
    check(&crowd(256, Duration::from_secs(seconds)).await);
}
