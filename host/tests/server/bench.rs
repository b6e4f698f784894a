//! `terntable bench serve`.

use crate::{
    client::Server,
    common::{json_of, root, terntable},
};

const TRACE: &str = "host/traces/steady.jsonl";

/// Tokens of the answers that the first requests of the trace ask for.
fn asked(requests: usize) -> u64 {
    let text = std::fs::read_to_string(root().join(TRACE)).unwrap();
    let lines = text.lines().take(requests);
    lines
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["output_tokens"].as_u64().unwrap())
        .sum()
}

#[test]
fn a_trace_is_replayed_in_process_and_against_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("plot.svg");
    let args = ["bench", "serve", TRACE, "--requests", "30", "--speed", "8", "--json"];
    let server = Server::start(&["--api-key", "secret"]);
    let url = ["--url", &server.url, "--api-key", "secret"];
    let plot = ["--plot", svg.to_str().unwrap()];
    for more in [&plot[..], &url[..]] {
        let report = json_of(&[&args[..], more].concat());
        assert_eq!(
            (&report["requests"], &report["answered"]),
            (&30.into(), &30.into()),
            "{report}"
        );
        assert_eq!(report["output_tokens"], asked(30), "{report}");
        assert_eq!(
            (&report["cut"], &report["tier"], &report["model"]),
            (&0.into(), &"measured".into(), &"shakespeare".into())
        );
        for spread in ["first_s", "between_s", "end_s"] {
            let of = |p: &str| report[spread][p].as_f64().unwrap();
            assert!(
                of("p50") >= 0.0 && of("p50") <= of("p99") && of("p99") <= of("max"),
                "{report}"
            );
        }
        assert!(report["end_s"]["p50"].as_f64() > report["first_s"]["p50"].as_f64(), "{report}");
    }
    let picture = std::fs::read_to_string(&svg).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("time between tokens"));
}

#[test]
fn what_cannot_be_replayed_is_told() {
    for (args, word) in [
        (&["bench", "serve", TRACE, "--url", "http://127.0.0.1:9"][..], "is a server listening"),
        (&["bench", "serve", "Cargo.toml"], "line 1"),
        (&["bench", "serve", "nothing.jsonl"], "nothing.jsonl"),
        (&["bench", "serve", TRACE, "--speed", "0"], "above 0"),
    ] {
        let output = terntable(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(word), "{args:?}: {error}");
    }
}
