//! What OpenAI's API promises.

use crate::{
    client::Server,
    common::{json_of, root},
};
use serde_json::{Value, json};

const COMPLETIONS: &str = "/v1/completions";
const CHAT: &str = "/v1/chat/completions";

fn romeo() -> Value {
    json!({"prompt": "ROMEO:\n", "max_tokens": 40, "temperature": 0.8, "top_k": 0, "seed": 3})
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn text(answer: &Value, choice: usize) -> &str {
    let choice = &answer["choices"][choice];
    choice["text"].as_str().or(choice["message"]["content"].as_str()).unwrap()
}

#[tokio::test]
async fn answers_are_those_of_generate() {
    let server = Server::start(&["--device", "cpu,golden"]);
    for temperature in ["0", "0.8"] {
        let args = ["generate", "--prompt", "ROMEO:\n", "--max-tokens", "40", "--seed", "3"];
        let args =
            [&args[..], &["--temperature", temperature, "--json", "--device", "golden"]].concat();
        let alone = json_of(&args);
        let body = with(romeo(), json!({"temperature": temperature.parse::<f64>().unwrap()}));
        let answer = server.complete(body.clone()).await;
        assert_eq!(text(&answer, 0), alone["text"].as_str().unwrap());
        assert_eq!(answer["choices"][0]["finish_reason"], "length");
        assert_eq!(answer["usage"]["completion_tokens"], 40);
        // Without a template a conversation is its text.
        let chat = with(body, json!({"messages": [{"role": "user", "content": "ROMEO:\n"}]}));
        let mut chat = with(chat, json!({"max_completion_tokens": 40}));
        for field in ["prompt", "max_tokens"] {
            chat.as_object_mut().unwrap().remove(field);
        }
        let (status, answer) = server.post(CHAT, &chat).await;
        assert_eq!((status, text(&answer, 0)), (200, alone["text"].as_str().unwrap()));
        assert_eq!(server.stream(CHAT, chat).await.text(0), alone["text"].as_str().unwrap());
    }
}

#[tokio::test]
async fn streams_and_choices_are_the_same_texts() {
    let server = Server::start(&[]);
    let body = with(romeo(), json!({"n": 3, "stream_options": {"include_usage": true}}));
    let whole = server.complete(body.clone()).await;
    let streamed = server.stream(COMPLETIONS, body).await;
    assert!(streamed.done);
    for choice in 0..3 {
        let alone = server.text(with(romeo(), json!({"seed": 3 + choice}))).await;
        assert_eq!(text(&whole, choice), alone);
        assert_eq!(streamed.text(choice), alone);
        assert_eq!(streamed.finish(choice), Some("length"));
    }
    assert_ne!(text(&whole, 0), text(&whole, 1));
    let usage = &streamed.events.last().unwrap()["usage"];
    let [prompt, made, total] =
        ["prompt_tokens", "completion_tokens", "total_tokens"].map(|f| usage[f].as_u64().unwrap());
    assert_eq!((made, total), (120, prompt + 120));
    assert_eq!(whole["usage"]["total_tokens"], total);
    // Two prompts, one of them as tokens, have their choices one after the other.
    let tokens = json_of(&["tokens", "--json", "ROMEO:\n"])[0]["tokens"].clone();
    let both = server.complete(with(romeo(), json!({"prompt": ["JULIET:\n", "ROMEO:\n"]}))).await;
    let second = server.text(with(romeo(), json!({"prompt": tokens, "seed": 4}))).await;
    assert_eq!(text(&both, 1), second);
}

#[tokio::test]
async fn stop_strings_end_texts_wherever_tokens_do() {
    let server = Server::start(&[]);
    let whole = server.complete(with(romeo(), json!({"logprobs": 0}))).await;
    let tokens: Vec<&str> = whole["choices"][0]["logprobs"]["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token.as_str().unwrap())
        .collect();
    let whole = text(&whole, 0);
    for i in [3, 8, 15] {
        // From the last character of a token to the first of the next but one.
        let stop = format!(
            "{}{}{}",
            &tokens[i][tokens[i].len() - 1..],
            tokens[i + 1],
            &tokens[i + 2][..1]
        );
        let body = with(romeo(), json!({"stop": ["never", stop]}));
        let answer = server.complete(body.clone()).await;
        let expected = &whole[..whole.find(&stop).unwrap()];
        assert_eq!(
            (text(&answer, 0), &answer["choices"][0]["finish_reason"]),
            (expected, &json!("stop"))
        );
        let streamed = server.stream(COMPLETIONS, body).await;
        assert_eq!(
            (streamed.text(0), streamed.finish(0), streamed.done),
            (expected.into(), Some("stop"), true)
        );
    }
    let answer = server.text(with(romeo(), json!({"stop": "never"}))).await;
    assert_eq!(answer, whole);
}

#[tokio::test]
async fn log_probabilities_belong_to_the_tokens() {
    let server = Server::start(&[]);
    let greedy = with(romeo(), json!({"temperature": 0}));
    let answer = server.complete(with(greedy.clone(), json!({"logprobs": 3}))).await;
    let logprobs = &answer["choices"][0]["logprobs"];
    let list = |field: &str| logprobs[field].as_array().unwrap().clone();
    let tokens: String = list("tokens").iter().map(|t| t.as_str().unwrap()).collect();
    assert_eq!(tokens, text(&answer, 0));
    for (i, (token, logprob)) in list("tokens").iter().zip(list("token_logprobs")).enumerate() {
        let (top, logprob) = (&list("top_logprobs")[i], logprob.as_f64().unwrap());
        assert_eq!(top.as_object().unwrap().len(), 3);
        assert!(
            logprob < 0.0 && top.as_object().unwrap().values().all(|p| p.as_f64() <= Some(logprob))
        );
        assert_eq!(top[token.as_str().unwrap()].as_f64(), Some(logprob));
        let offset = list("text_offset")[i].as_u64().unwrap() as usize;
        assert!(tokens[offset..].starts_with(token.as_str().unwrap()));
    }
    let chat = json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "ROMEO:\n"}]}],
        "max_tokens": 40, "temperature": 0, "logprobs": true, "top_logprobs": 1});
    let streamed = server.stream(CHAT, chat).await;
    let told =
        streamed.events.iter().filter_map(|e| e["choices"][0]["logprobs"]["content"].as_array());
    let told: Vec<&Value> = told.flatten().collect();
    let said: String = told.iter().map(|t| t["token"].as_str().unwrap()).collect();
    assert_eq!((said, told.len()), (tokens, 40));
    assert!(
        told.iter().all(|t| t["top_logprobs"][0]["token"] == t["token"] && t["bytes"].is_array())
    );
}

#[tokio::test]
async fn every_limit_of_the_draw_works() {
    let server = Server::start(&[]);
    let hot = with(romeo(), json!({"temperature": 2}));
    let greedy = server.text(with(romeo(), json!({"temperature": 0}))).await;
    let free = server.text(hot.clone()).await;
    assert_ne!(free, greedy);
    for only_the_first in [json!({"top_k": 1}), json!({"top_p": 0}), json!({"min_p": 1})] {
        assert_eq!(
            server.text(with(hot.clone(), only_the_first.clone())).await,
            greedy,
            "{only_the_first}"
        );
    }
    for other in [
        json!({"top_k": 5}),
        json!({"top_p": 0.5}),
        json!({"min_p": 0.2}),
        json!({"seed": -4}),
        json!({"presence_penalty": 2}),
        json!({"frequency_penalty": 2}),
        json!({"repetition_penalty": 1.8}),
    ] {
        let text = server.text(with(hot.clone(), other.clone())).await;
        assert_ne!(text, free, "{other}");
        assert_eq!(server.text(with(hot.clone(), other)).await, text);
    }
    // Without a seed every answer is another.
    let mut drawn = hot;
    drawn.as_object_mut().unwrap().remove("seed");
    assert_ne!(server.text(drawn.clone()).await, server.text(drawn).await);
}

#[tokio::test]
async fn wrong_requests_say_what_is_wrong() {
    let server = Server::start(&[]);
    let said = [("user", "hi")].map(|(role, content)| json!({"role": role, "content": content}));
    let long: Vec<u32> = vec![1; 513];
    for (path, body, status, param, word) in [
        (COMPLETIONS, json!({}), 400, "prompt", "Missing"),
        (COMPLETIONS, json!({"prompt": ""}), 400, "prompt", "none of them empty"),
        (COMPLETIONS, json!({"prompt": [5000]}), 400, "prompt", "vocabulary"),
        (COMPLETIONS, json!({"prompt": long}), 400, "prompt", "maximum context length is 512"),
        (
            COMPLETIONS,
            json!({"prompt": "a", "temperature": 2.5}),
            400,
            "temperature",
            "maximum of 2",
        ),
        (COMPLETIONS, json!({"prompt": "a", "n": 0}), 400, "n", "minimum"),
        (COMPLETIONS, json!({"prompt": "a", "max_tokens": "many"}), 400, "max_tokens", "integer"),
        (COMPLETIONS, json!({"prompt": "a", "seed": 1.5}), 400, "seed", "integer"),
        (COMPLETIONS, json!({"prompt": "a", "model": "other"}), 404, "model", "'shakespeare'"),
        (COMPLETIONS, json!({"prompt": "a", "banana": 1}), 400, "banana", "Unrecognized"),
        (COMPLETIONS, json!({"prompt": "a", "suffix": "b"}), 400, "suffix", "Unsupported"),
        (COMPLETIONS, json!({"prompt": "a", "messages": said}), 400, "messages", "Unrecognized"),
        (COMPLETIONS, json!([1]), 400, "", "object"),
        (CHAT, json!({"messages": []}), 400, "messages", ""),
        (
            CHAT,
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            400,
            "messages.0.role",
            "tool",
        ),
        (CHAT, json!({"messages": [{"role": "user"}]}), 400, "messages.0.content", "Missing"),
        (
            CHAT,
            json!({"messages": said, "tools": [{"type": "function"}]}),
            400,
            "tools",
            "Unsupported",
        ),
        (
            CHAT,
            json!({"messages": said, "response_format": {"type": "json_object"}}),
            400,
            "response_format",
            "",
        ),
        (CHAT, json!({"messages": said, "top_logprobs": 21}), 400, "top_logprobs", "maximum"),
    ] {
        let (found, answer) = server.post(path, &body).await;
        let error = &answer["error"];
        assert_eq!(found, status, "{body}: {answer}");
        assert_eq!(error["param"].as_str().unwrap_or_default(), param, "{answer}");
        assert!(error["message"].as_str().unwrap().contains(word), "{answer}");
        assert_eq!(error["type"], "invalid_request_error");
    }
    // A whole number is one, however it is written.
    assert_eq!(
        server.complete(json!({"prompt": "a", "max_tokens": 2.0, "n": 1e0})).await["usage"]["completion_tokens"],
        2
    );
    // Fields that ask for nothing are left out.
    let nothing = json!({"tools": [], "user": "me", "logit_bias": {}, "response_format": {"type": "text"},
        "stop": null, "seed": null, "service_tier": "auto"});
    let body = with(json!({"messages": said, "max_tokens": 1}), nothing);
    assert_eq!(server.post(CHAT, &body).await.0, 200);
    assert_eq!(server.get("/v1/nothing").await.0, 404);
    let put = server.http.put(server.url.clone() + CHAT).send().await.unwrap();
    assert_eq!((put.status().as_u16(), put.headers()["allow"].to_str().unwrap()), (405, "POST"));
}

#[tokio::test]
async fn keys_open_the_server_and_nothing_else_does() {
    let server = Server::start(&["--api-key", "one,two"]);
    let ask = |key: Option<&'static str>| {
        let request = server.http.get(server.url.clone() + "/v1/models");
        let request = match key {
            Some(key) => request.header("authorization", key),
            None => request,
        };
        async { request.send().await.unwrap().status().as_u16() }
    };
    for (key, status) in [
        (None, 401),
        (Some("Bearer three"), 401),
        (Some("one"), 401),
        (Some("Basic one"), 401),
        (Some("Bearer one"), 200),
        (Some("bearer two"), 200),
    ] {
        assert_eq!(ask(key).await, status, "{key:?}");
    }
    for (path, status) in
        [("/health", 200), ("/metrics", 200), ("/", 200), ("/status", 401), (CHAT, 405)]
    {
        assert_eq!(server.get(path).await.0, status, "{path}");
    }
    assert_eq!(server.post(COMPLETIONS, &romeo()).await.0, 401);
}

#[tokio::test]
async fn a_server_describes_itself() {
    let server = Server::start(&["--name", "bard"]);
    let (_, models) = server.get("/v1/models").await;
    assert_eq!(models["data"][0]["id"], "bard");
    assert_eq!(server.get("/v1/models/bard").await.1, models["data"][0]);
    assert_eq!(server.get("/v1/models/other").await.0, 404);
    server.complete(with(romeo(), json!({"model": "bard", "stop": null}))).await;
    let (_, metrics) = server.get("/metrics").await;
    let metrics = metrics.as_str().unwrap();
    for line in [
        "terntable_responses_total{path=\"/v1/completions\",status=\"200\"} 1",
        "terntable_tokens_total{kind=\"made\"} 40",
        "terntable_first_token_seconds_count 1",
        "terntable_between_tokens_seconds_count 39",
        "terntable_scheduler{kind=\"completion_tokens\"} 40",
    ] {
        assert!(metrics.contains(line), "no {line} in\n{metrics}");
    }
    let (_, document) = server.get("/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    for path in
        [CHAT, COMPLETIONS, "/v1/models", "/v1/models/{model}", "/health", "/metrics", "/status"]
    {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["ChatRequest"]["properties"]["temperature"]["maximum"], 2);
    assert_eq!(schemas["CompletionRequest"]["additionalProperties"], false);
    assert_eq!(schemas["CompletionRequest"]["required"], json!(["prompt"]));
    let page = server.http.get(&server.url).send().await.unwrap();
    assert!(
        page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'self'")
    );
    assert!(root().join("server/page/index.html").is_file());
}
