//! Conversations with a model that has a chat template.

use crate::{
    client::Server,
    common::{json_of, root},
};
use serde_json::json;
use std::fs;

/// A first token, then each message and who spoke; nobody but users may.
const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}\
                        {{ raise_exception('no system messages') }}{% endif %} {{ m.content }} t2{% endfor %}";

#[tokio::test]
async fn conversations_are_rendered_by_the_template() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = root().join("host/tests/fixtures/autobitlinear-packed-gqa2-separate-f32");
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(fixture.join(name), folder.path().join(name)).unwrap();
    }
    let config = json!({"chat_template": TEMPLATE, "bos_token": "t1"});
    fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    let model = folder.path().to_str().unwrap();
    let args = ["generate", "--model", model, "--prompt", "t1 t5 t6 t2 t7 t2", "--max-tokens", "6"];
    let alone = json_of(&[&args[..], &["--json"]].concat());

    let server = Server::start(&["--model", model, "--name", "words"]);
    let say = |role: &str, content: &str| json!({"role": role, "content": content});
    let chat = "/v1/chat/completions";
    let mut body = json!({"model": "words", "messages": [say("user", "t5 t6"), say("user", "t7")], "max_tokens": 6});
    let (status, answer) = server.post(chat, &body).await;
    assert_eq!((status, &answer["choices"][0]["message"]["content"]), (200, &alone["text"]));
    assert_eq!(answer["usage"]["prompt_tokens"], 6);
    // What the template refuses is the client's fault, and no path of the server is told.
    body["messages"] = json!([say("system", "t3")]);
    let (status, answer) = server.post(chat, &body).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(status == 400 && message.contains("no system messages"), "{answer}");
    assert!(!message.contains('/') && !message.contains("tokenizer_config"), "{answer}");
}
