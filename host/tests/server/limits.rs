//! What a server does when there is too much, too long, too slow, or an end.

use crate::client::{Server, parts, streamed};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

const COMPLETIONS: &str = "/v1/completions";

/// A request that fills the context.
fn long() -> Value {
    json!({"prompt": "ROMEO:\n", "max_tokens": 500, "temperature": 0, "stream": true, "logprobs": 5})
}

/// What a server answers to these bytes, and whatever stands behind it.
fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // The server may answer and close before it has read all.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn too_much_is_refused() {
    let server = Server::start(&["--max-requests", "1", "--max-body", "4096"]);
    let big = json!({"prompt": "a".repeat(5000)});
    let (status, answer) = server.post(COMPLETIONS, &big).await;
    assert_eq!((status, &answer["error"]["code"]), (413, &json!("body_too_large")));
    let form =
        server.http.post(server.url.clone() + COMPLETIONS).body("prompt=a").send().await.unwrap();
    assert_eq!(form.status(), 415);
    // One is in work: the next has to wait.
    let first = server
        .send(COMPLETIONS, &json!({"prompt": "a", "max_tokens": 500, "stream": true, "n": 16}))
        .await;
    let second = server.send(COMPLETIONS, &json!({"prompt": "a"})).await.unwrap();
    let wait: u64 = second.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait >= 1);
    let (status, answer) = parts(second).await;
    assert_eq!((status, &answer["error"]["code"]), (429, &json!("rate_limit_exceeded")));
    drop(first);
    server.until("/requests/in_work", 0).await;
    assert_eq!(server.post(COMPLETIONS, &json!({"prompt": "a"})).await.0, 200);
}

#[tokio::test]
async fn a_full_queue_takes_all_choices_or_none() {
    let server = Server::start(&["--queue", "2", "--device", "golden"]);
    let (status, answer) = server
        .post(COMPLETIONS, &json!({"prompt": vec!["a"; 16], "n": 16, "max_tokens": 64}))
        .await;
    assert_eq!((status, &answer["error"]["code"]), (429, &json!("rate_limit_exceeded")));
    server.until("/scheduler/running", 0).await;
    server.until("/scheduler/queued", 0).await;
    assert_eq!(server.counted("finished").await, 0, "choices of a refused request were made");
}

#[tokio::test]
async fn a_request_takes_its_time_and_no_more() {
    let server = Server::start(&["--max-time", "0.2", "--device", "golden"]);
    let mut body = json!({"prompt": "a", "max_tokens": 500, "n": 8});
    let (status, answer) = server.post(COMPLETIONS, &body).await;
    assert_eq!((status, &answer["error"]["code"]), (504, &json!("timeout")));
    body["stream"] = true.into();
    let response = server.send(COMPLETIONS, &body).await.unwrap();
    assert_eq!(response.status(), 200);
    let all = streamed(&response.text().await.unwrap());
    assert_eq!(
        (&all.events.last().unwrap()["error"]["code"], all.done),
        (&json!("timeout"), false)
    );
    server.until("/scheduler/running", 0).await;
}

#[tokio::test]
async fn a_client_that_goes_away_frees_its_slot() {
    let server = Server::start(&["--device", "golden"]);
    let mut response = server.send(COMPLETIONS, &long()).await.unwrap();
    response.chunk().await.unwrap().unwrap();
    server.until("/scheduler/running", 1).await;
    let before = server.counted("passes").await;
    drop(response);
    server.until("/scheduler/running", 0).await;
    assert_eq!(server.counted("cancelled").await, 1);
    assert!(server.counted("passes").await < before + 60, "the answer was made to its end");
    // The same before the first byte of an answer that is not streamed.
    let body = json!({"prompt": "a", "max_tokens": 500});
    let waiting = server.send(COMPLETIONS, &body);
    assert!(tokio::time::timeout(Duration::from_millis(100), waiting).await.is_err());
    server.until("/scheduler/running", 0).await;
    assert_eq!(server.counted("cancelled").await, 2);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let server = Server::start(&["--write-time", "0.5"]);
    let body = json!({"messages": [{"role": "user", "content": "a"}], "max_tokens": 500, "n": 16,
        "stream": true, "logprobs": true, "top_logprobs": 20})
    .to_string();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head =
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    server.until("/requests/in_work", 1).await;
    // Others are served meanwhile.
    assert_eq!(server.post(COMPLETIONS, &json!({"prompt": "a"})).await.0, 200);
    server.until("/requests/in_work", 0).await;
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("[DONE]"), "nothing was held back");
}

#[tokio::test]
async fn nonsense_breaks_nothing() {
    let server = Server::start(&[]);
    let head = "POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let with_body = |body: &str| format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let deep = format!("{{\"prompt\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for (bytes, status) in [
        (with_body("{\"prompt\""), "400"),
        (with_body(&deep), "400"),
        (with_body("\u{feff}{}"), "400"),
        (with_body("{\"prompt\": \"a\", \"max_tokens\": 1e400}"), "400"),
        (with_body("{\"prompt\": \"a\", \"max_tokens\": 99999999999999999999}"), "400"),
        (with_body("{\"prompt\": \"\\ud800\"}"), "400"),
        (with_body("{\"prompt\": \"\\u0000\", \"max_tokens\": 1}"), "200"),
        ("GET\r\n\r\n".into(), "400"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000)), "414"),
        (format!("{head}content-length: 99999999999\r\n\r\n"), "413"),
    ] {
        let answer = raw(&server, bytes.as_bytes());
        let shown: String = bytes.chars().take(200).collect();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{shown}: {answer}");
    }
    raw(&server, &[0x16, 0x03, 0x01, 0x02, 0x00]);
    raw(&server, format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n").as_bytes());
    assert_eq!(server.post(COMPLETIONS, &json!({"prompt": "a"})).await.0, 200);
}

#[tokio::test]
async fn the_end_waits_for_what_runs() {
    let mut server = Server::start(&["--patience", "60", "--device", "golden"]);
    let whole = server
        .stream(COMPLETIONS, json!({"prompt": "a", "max_tokens": 100, "temperature": 0}))
        .await;
    let body = json!({"prompt": "a", "max_tokens": 100, "temperature": 0, "stream": true});
    let mut response = server.send(COMPLETIONS, &body).await.unwrap();
    let mut text = String::from_utf8(response.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    server.terminate();
    let start = Instant::now();
    let refused = loop {
        let second = server.send(COMPLETIONS, &json!({"prompt": "a"})).await.unwrap();
        if second.status() == 503 || start.elapsed() > Duration::from_secs(2) {
            break second;
        }
    };
    assert_eq!(refused.headers()["connection"], "close");
    let (status, answer) = parts(refused).await;
    assert_eq!((status, &answer["error"]["code"]), (503, &json!("shutting_down")));
    assert_eq!(server.get("/health").await.0, 503);
    text += &response.text().await.unwrap();
    assert_eq!(streamed(&text).text(0), whole.text(0));
    assert!(streamed(&text).done);
    assert_eq!(server.wait(Duration::from_secs(20)).and_then(|status| status.code()), Some(0));
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let mut server = Server::start(&["--patience", "0.1", "--device", "golden"]);
    let whole = {
        let other = Server::start(&[]);
        let mut body = long();
        body["stream"] = false.into();
        other.text(body).await
    };
    let mut response = server.send(COMPLETIONS, &long()).await.unwrap();
    let mut text = String::from_utf8(response.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    server.terminate();
    text += &response.text().await.unwrap();
    let all = streamed(&text);
    assert!(!all.done && all.finish(0).is_none());
    assert_eq!(all.events.last().unwrap()["error"]["code"], "shutting_down");
    assert!(whole.starts_with(&all.text(0)) && !all.text(0).is_empty());
    assert_eq!(server.wait(Duration::from_secs(10)).and_then(|status| status.code()), Some(0));
}
