//! A server of its own for a test, and a client for it.

use crate::common::root;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A server in a process of its own.
pub struct Server {
    child: Child,
    pub url: String,
    pub http: reqwest::Client,
}

/// A response that was streamed.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Streamed {
    pub events: Vec<Value>,
    /// Whether it ended in `[DONE]`.
    pub done: bool,
}

impl Server {
    /// Starts one with the bundled model and these options.
    pub fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_terntable"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "error"])
            .args(args)
            .current_dir(root())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://"), "the server printed {url:?}");
        // A connection a request: what a test closes is closed.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { child, url: url.trim().into(), http }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end, at most so long.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        parts(self.http.get(self.url.clone() + path).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        parts(self.send(path, body).await.unwrap()).await
    }

    /// The completion of a request that succeeds.
    pub async fn complete(&self, body: Value) -> Value {
        let (status, answer) = self.post("/v1/completions", &body).await;
        assert_eq!(status, 200, "{body}: {answer}");
        answer
    }

    /// Its text.
    pub async fn text(&self, body: Value) -> String {
        self.complete(body).await["choices"][0]["text"].as_str().unwrap().to_string()
    }

    pub async fn send(&self, path: &str, body: &Value) -> reqwest::Result<reqwest::Response> {
        self.http.post(self.url.clone() + path).json(body).send().await
    }

    /// Streams a response to its end.
    pub async fn stream(&self, path: &str, mut body: Value) -> Streamed {
        body["stream"] = true.into();
        let response = self.send(path, &body).await.unwrap();
        assert_eq!(response.status(), 200, "{body}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        streamed(&response.text().await.unwrap())
    }

    /// `field` of the scheduler's status.
    pub async fn counted(&self, field: &str) -> u64 {
        self.get("/status").await.1["scheduler"][field].as_u64().unwrap()
    }

    /// Waits until a field of /status has a value; fails after twenty seconds.
    pub async fn until(&self, pointer: &str, value: u64) {
        let start = Instant::now();
        loop {
            let (_, status) = self.get("/status").await;
            if status.pointer(pointer).and_then(Value::as_u64) == Some(value) {
                return;
            }
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{pointer} is not {value}: {status}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn parts(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The events of a body.
pub fn streamed(body: &str) -> Streamed {
    let mut all = Streamed::default();
    for line in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
        assert!(!all.done, "{line} after [DONE]");
        match line {
            "[DONE]" => all.done = true,
            line => all.events.push(serde_json::from_str(line).unwrap()),
        }
    }
    all
}

impl Streamed {
    /// The text of a choice, of a completion or a chat.
    pub fn text(&self, choice: usize) -> String {
        let of_choice = |c: &&Value| c["index"] == choice;
        let choices = self.events.iter().filter_map(|event| event["choices"].as_array()).flatten();
        choices
            .filter(of_choice)
            .filter_map(|c| c["text"].as_str().or(c["delta"]["content"].as_str()))
            .collect()
    }

    /// Why a choice ended.
    pub fn finish(&self, choice: usize) -> Option<&str> {
        let choices = self.events.iter().filter_map(|event| event["choices"].as_array()).flatten();
        choices.filter(|c| c["index"] == choice).find_map(|c| c["finish_reason"].as_str())
    }
}
