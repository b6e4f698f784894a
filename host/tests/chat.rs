//! `terntable chat` at the end of a pipe.

mod common;

use common::{json_of, root};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

fn start(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_terntable"))
        .arg("chat")
        .args(args)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a session with this input prints: answers, messages.
fn session(args: &[&str], input: &str) -> (String, String) {
    let mut child = start(args);
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
    assert_eq!(output.status.code(), Some(0), "{err}");
    (out, err)
}

fn generated(model: &str, prompt: &str, tokens: usize) -> String {
    let tokens = tokens.to_string();
    let args =
        ["generate", "--model", model, "--prompt", prompt, "--max-tokens", &tokens, "--json"];
    json_of(&args)["text"].as_str().unwrap().to_string()
}

/// A model of words, `t0` to `t63`, with a chat template.
fn words(folder: &Path, template: &str) -> String {
    let fixture = root().join("host/tests/fixtures/autobitlinear-packed-gqa2-separate-f32");
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(fixture.join(name), folder.join(name)).unwrap();
    }
    let config = serde_json::json!({"chat_template": template, "bos_token": {"content": "t1"}});
    fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
    folder.to_string_lossy().into_owned()
}

const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %} {{ m.content }} \
                        {{ 't2' if m.role == 'user' else 't3' }}{% endfor %}";

#[test]
fn answers_continue_the_rendered_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let model = words(folder.path(), TEMPLATE);
    let (first, second) = ("t5 t6 t7", "t8");
    let a = generated(&model, &format!("t1 {first} t2"), 5);
    let b = generated(&model, &format!("t1 {first} t2 {a} t3 {second} t2"), 5);
    let alone = generated(&model, &format!("t1 {second} t2"), 5);
    let system = generated(&model, &format!("t1 t9 t3 {second} t2"), 5);
    for device in ["cpu", "golden"] {
        let args = ["--model", &model, "--max-tokens", "5", "--device", device];
        let input = format!(
            "{first}\n\n{second}\n/reset\n{second}\n/system t9\n{second}\n/system\n{second}\n/quit\n{first}\n"
        );
        let (out, _) = session(&args, &input);
        let said: Vec<&str> = out.lines().map(str::trim).collect();
        assert_eq!(said, [&a, &b, &alone, &system, &alone].map(|s| s.trim()), "{device}");
    }
    let args = ["--model", &model, "--max-tokens", "5", "--system", "t9"];
    assert_eq!(session(&args, second).0.trim(), system.trim());
}

#[test]
fn a_model_without_a_template_continues_the_text() {
    let (out, err) = session(&["--max-tokens", "12", "--temperature", "0"], "ROMEO:\n");
    let expected = generated("models/shakespeare", "ROMEO:\n", 12);
    assert_eq!(out, format!("{expected}\n"));
    assert!(err.contains("no chat template"), "{err}");
    // Unless told otherwise it samples as generation_config.json says.
    let (sampled, _) = session(&["--max-tokens", "12", "--seed", "4"], "ROMEO:\n");
    let args = ["generate", "--prompt", "ROMEO:\n", "--max-tokens", "12", "--seed", "4", "--json"];
    let usual = json_of(&[&args[..], &["--temperature", "0.8", "--top-k", "50"]].concat());
    assert_eq!(sampled.trim_end(), usual["text"].as_str().unwrap().trim_end());
    assert_ne!(sampled, out);
}

#[test]
fn refusals_do_not_end_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let template = format!(
        "{{% if messages[-1].content == 't9' %}}{{{{ raise_exception('not nine') }}}}{{% endif %}}{TEMPLATE}"
    );
    let model = words(folder.path(), &template);
    let long = "t4 ".repeat(80);
    let args = ["--model", &model, "--max-tokens", "4"];
    let (out, err) = session(&args, &format!("t9\n/nonsense\n/help\n{long}\nt5\n"));
    assert_eq!(out.trim(), generated(&model, "t1 t5 t2", 4).trim());
    for part in ["not nine", "/nonsense is no command", "/reset", "context holds 64"] {
        assert!(err.contains(part), "{part}: {err}");
    }
}

#[test]
fn a_full_context_forgets_the_oldest_turns() {
    let folder = tempfile::tempdir().unwrap();
    let model = words(folder.path(), TEMPLATE);
    let turn = "t4 t5 t6 t7 t8 t9 t10 t11 t12 t13 t14 t15 t16 t17 t18 t19 t20 t21 t22 t23\n";
    let (out, err) = session(&["--model", &model, "--max-tokens", "8"], &turn.repeat(4));
    assert_eq!(out.lines().count(), 4);
    assert_eq!(err.matches("forgot the oldest 1 turns").count(), 2, "{err}");
}

#[test]
fn damaged_templates_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let model = words(folder.path(), "{% for %}");
    let child = start(&["--model", &model]);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("tokenizer_config.json") && text.contains("cannot be parsed"), "{text}");
    // A template in a file of its own counts more.
    fs::write(folder.path().join("chat_template.jinja"), "{{ messages[0].content }}").unwrap();
    let (out, _) = session(&["--model", &model, "--max-tokens", "3"], "t5\n");
    assert_eq!(out.trim(), generated(&model, "t5", 3).trim());
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn an_interrupt_stops_the_answer_and_keeps_the_session() {
    let mut child = start(&["--device", "golden", "--max-tokens", "400"]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"ROMEO:\n").unwrap();
    let mut first = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    interrupt(&child);
    input.write_all(b"/nonsense\n/quit\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let stopped = text.find("[stopped]").expect("the answer was stopped");
    assert!(text.find("/nonsense is no command").is_some_and(|later| later > stopped), "{text}");
}

#[test]
fn an_interrupt_at_the_prompt_ends_the_program() {
    let mut child = start(&[]);
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    assert!(line.contains("no chat template"), "{line}");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// A prompt of many passes is given up between two of them.
#[test]
fn an_interrupt_stops_a_long_prompt() {
    let mut child = start(&["--device", "golden", "--max-tokens", "4"]);
    let mut input = child.stdin.take().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    // Once a command was answered it reads the next line at once.
    input.write_all(b"/help\n").unwrap();
    let mut line = String::new();
    while !line.contains("Ctrl-C") {
        assert!(errors.read_line(&mut line).unwrap() > 0, "{line}");
    }
    // Some 450 of the context's 512 tokens.
    input.write_all(format!("{}\n", "Oh, my lord! ".repeat(75)).as_bytes()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    interrupt(&child);
    input.write_all(b"/quit\n").unwrap();
    drop(input);
    let mut text = String::new();
    errors.read_to_string(&mut text).unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{text}");
    assert!(text.contains("[stopped]"), "{text}");
    assert_eq!(said, "\n");
}

#[test]
fn tokens_show_what_the_model_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let model = words(folder.path(), TEMPLATE);
    let said = json_of(&["tokens", "--model", &model, "t5 t6", "--chat", "--json"]);
    assert_eq!(said[0]["text"], "t1 t5 t6 t2");
    assert_eq!(said[0]["tokens"], serde_json::json!([1, 5, 6, 2]));
    let file = folder.path().join("list").to_string_lossy().into_owned();
    fs::write(&file, r#"["t7", "t8 t9"]"#).unwrap();
    let listed = json_of(&["tokens", "--model", &model, "--file", &file, "--json"]);
    assert_eq!((&listed[0]["decoded"], &listed[1]["tokens"][1]), (&"t7".into(), &9.into()));
    fs::remove_file(folder.path().join("tokenizer_config.json")).unwrap();
    for (args, part) in [
        (["--chat", "t5"], "no chat template"),
        (["--file", "README.md"], "not a JSON list"),
        (["--file", "nowhere"], "cannot read nowhere"),
    ] {
        let all = [&["tokens", "--model", &model], &args[..]].concat();
        let output = common::terntable(&all);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && text.contains(part), "{args:?}: {text}");
    }
}
