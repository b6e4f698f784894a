//! Any mix of devices gives the same tokens.

use crate::{client::Server, common::terntable};
use serde_json::json;

#[tokio::test]
async fn devices_share_the_work_and_give_the_same_tokens() {
    let ask =
        || json!({"prompt": "ROMEO:\nWhat, ho!", "max_tokens": 12, "temperature": 0.8, "seed": 3});
    let alone = Server::start(&[]).text(ask()).await;
    for (mix, names) in [
        (&["--device", "golden,cpu", "--roles", "prefill,decode"][..], "golden cpu"),
        (
            &["--device", "model:kv260,card-golden", "--policy", "prefill-first"],
            "model:kv260 (cpu) card-golden",
        ),
        (&["--device", "model:kv260:bitnet-0.73b", "--policy", "fcfs"], "model:kv260 (cpu)"),
    ] {
        let server = Server::start(mix);
        let answers = tokio::join!(server.text(ask()), server.text(ask()));
        assert_eq!(answers, (alone.clone(), alone.clone()), "{mix:?}");
        let (_, status) = server.get("/status").await;
        let devices = status["scheduler"]["devices"].as_array().unwrap();
        let found: Vec<&str> = devices.iter().map(|d| d["name"].as_str().unwrap()).collect();
        assert_eq!(found.join(" "), names);
        assert!(devices.iter().all(|device| device["up"] == true), "{status}");
        if mix.contains(&"--roles") {
            assert!(status["scheduler"]["handovers"].as_u64() > Some(0), "{status}");
        }
    }
}

#[test]
fn mixes_that_cannot_serve_are_refused() {
    for (args, word) in [
        (["--device", "cpu", "--roles", "prefill"], "no device is left for answers"),
        (["--device", "cpu", "--roles", "both,both"], "2 roles for 1 devices"),
        (["--device", "model:kv260:gpt", "--policy", "fcfs"], "expected bitnet"),
        (["--api-key", " ", "--device", "cpu"], "an API key is empty"),
    ] {
        let output = terntable(&[&["serve", "--listen", "127.0.0.1:0"], &args[..]].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(word), "{args:?}: {error}");
    }
}
