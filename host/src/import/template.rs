//! Chat templates: Jinja as transformers renders it.

use super::{read_file, read_json};
use crate::Error;
use minijinja::{Environment, ErrorKind, State, context, syntax::SyntaxConfig, value::Value};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Steps that a template may take: far more than any conversation needs.
const FUEL: u64 = 10_000_000;

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Message {
    /// Who speaks: `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// The fields of `tokenizer_config.json` that matter here.
#[derive(Debug, Default, Deserialize)]
struct TokenizerConfig {
    chat_template: Option<Templates>,
    bos_token: Option<Token>,
    eos_token: Option<Token>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Many(Vec<Named>),
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
    template: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Token {
    Text(String),
    Object { content: String },
}

impl Token {
    fn text(self) -> String {
        match self {
            Token::Text(text) | Token::Object { content: text } => text,
        }
    }
}

/// The chat template of a model.
#[derive(Debug)]
pub struct Template {
    path: PathBuf,
    environment: Environment<'static>,
    bos_token: String,
    /// The token that ends a text, by `tokenizer_config.json`.
    pub eos_token: Option<String>,
}

impl Template {
    /// Reads `chat_template.jinja`, or `chat_template` of `tokenizer_config.json`; nothing where the
    /// folder has neither.
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join("tokenizer_config.json");
        let config: TokenizerConfig = match path.exists() {
            true => read_json(&path, "a tokenizer_config.json", "it must be readable")?,
            false => TokenizerConfig::default(),
        };
        let own = folder.join("chat_template.jinja");
        let (path, source) = if own.exists() {
            let bytes = read_file(&own, "it must be readable")?;
            let source = String::from_utf8(bytes).map_err(|e| Error::File {
                path: own.clone(),
                text: format!("not a chat template: {e}"),
            })?;
            (own, source)
        } else {
            let source = match config.chat_template {
                None => return Ok(None),
                Some(Templates::One(source)) => source,
                Some(Templates::Many(list)) => {
                    let names: Vec<String> = list.iter().map(|t| t.name.clone()).collect();
                    match list.into_iter().find(|t| t.name == "default") {
                        Some(default) => default.template,
                        None => {
                            let text = format!(
                                "chat templates {names:?}; expected one with the name \"default\""
                            );
                            return Err(Error::File { path, text });
                        }
                    }
                }
            };
            (path, source)
        };
        let bos_token = config.bos_token.map(Token::text).unwrap_or_default();
        let eos_token = config.eos_token.map(Token::text);
        Self::parse(path, source, bos_token, eos_token).map(Some)
    }

    /// A template that stands in `path`, and the tokens that it may name.
    pub fn parse(
        path: PathBuf,
        source: String,
        bos_token: String,
        eos_token: Option<String>,
    ) -> Result<Self, Error> {
        let mut environment = Environment::new();
        // What transformers sets: blocks leave no white space, Python's methods, two functions.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.unwrap_or_default());
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(method);
        environment.add_filter("trim", |text: String, of: Option<String>| match of {
            Some(of) => text.trim_matches(|c| of.contains(c)).to_string(),
            None => text.trim_matches(is_space).to_string(),
        });
        environment.add_function("raise_exception", |text: String| -> Result<String, _> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, text))
        });
        environment.add_function("strftime_now", |_: String| today());
        environment.add_template_owned("chat", source).map_err(|e| Error::File {
            path: path.clone(),
            text: format!("its chat template cannot be parsed: {}", one_line(&e)),
        })?;
        Ok(Self { path, environment, bos_token, eos_token })
    }

    /// The file that it stands in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text of a conversation, up to where the model speaks next.
    pub fn render(&self, messages: &[Message]) -> Result<String, Error> {
        let render = || {
            self.environment.get_template("chat")?.render(context! {
                messages => Value::from(messages.iter().map(value).collect::<Vec<_>>()),
                add_generation_prompt => true,
                bos_token => &self.bos_token[..],
                eos_token => self.eos_token.as_deref().unwrap_or_default(),
            })
        };
        render().map_err(|e| Error::File {
            path: self.path.clone(),
            text: format!("its chat template refuses the conversation: {}", one_line(&e)),
        })
    }
}

/// White space by Python, which counts four separators that Unicode does not.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Python's methods of strings, lists and maps.
fn method(
    state: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, minijinja::Error> {
    match (value.as_str(), name, args) {
        (Some(text), "strip", []) => Ok(text.trim_matches(is_space).into()),
        (Some(text), "lstrip", []) => Ok(text.trim_start_matches(is_space).into()),
        (Some(text), "rstrip", []) => Ok(text.trim_end_matches(is_space).into()),
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args),
    }
}

/// A message as templates see it.
fn value(message: &Message) -> Value {
    Value::from_pairs([("role", &message.role), ("content", &message.content)])
}

/// An error of the library and its causes, on one line.
fn one_line(error: &minijinja::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text.replace('\n', " ")
}

/// The day as templates for Llama 3 ask for it, `26 Jul 2024`, in Universal Time. A template's format is
/// not looked at: all known ones ask for this.
fn today() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let (year, month, day) = date(since.map_or(0, |s| s.as_secs() / 86_400));
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    format!("{day:02} {} {year}", MONTHS[month])
}

/// Year, month from 0 and day from 1 of a day since 1 January 1970.
fn date(mut days: u64) -> (u64, usize, u64) {
    let leap = |y: u64| y.is_multiple_of(4) && !y.is_multiple_of(100) || y.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(source: &str) -> Result<Template, Error> {
        let eos = Some("</s>".to_string());
        Template::parse("tokenizer_config.json".into(), source.into(), "<s>".into(), eos)
    }

    fn talk() -> Vec<Message> {
        [("system", "Be brief. "), ("user", " Hi\n"), ("assistant", "Ho"), ("user", "Why?")]
            .map(|(role, content)| Message { role: role.into(), content: content.into() })
            .to_vec()
    }

    #[test]
    fn templates_of_known_models() {
        // One line a message, the first token before all, as bitnet-b1.58-2B-4T has it.
        let lines = "{% for m in messages %}{{ bos_token if loop.first else '' }}{{ m['role'] | capitalize + \
                     ': ' + m['content'] | trim }}<|end|>{% endfor %}{{ 'Assistant: ' if \
                     add_generation_prompt }}";
        assert_eq!(
            template(lines).unwrap().render(&talk()).unwrap(),
            "<s>System: Be brief.<|end|>User: Hi<|end|>Assistant: Ho<|end|>User: Why?<|end|>Assistant: "
        );
        // White space control, slices, namespaces and Python's methods, as Llama and Falcon use them.
        let other = "{%- if messages[0].role == 'system' %}\n    {{- '<sys>' + messages[0]['content'].strip() \
                     -}}\n    {%- set rest = messages[1:] %}\n{%- else %}\n    {%- set rest = messages \
                     %}\n{%- endif %}\n{%- set ns = namespace(n=0) %}\n{% for m in rest %}\n    {% if \
                     m.role.startswith('u') %}\n<u>{{ m.content.strip() }}\n    {% else %}\n<a>{{ \
                     m.content }}{{ eos_token }}\n    {% endif %}\n    {% set ns.n = ns.n + 1 %}\n\
                     {% endfor %}\n{{ ns.n }}<a>\n";
        assert_eq!(
            template(other).unwrap().render(&talk()).unwrap(),
            "<sys>Be brief.<u>Hi\n<a>Ho</s>\n<u>Why?\n3<a>"
        );
    }

    #[test]
    fn white_space_is_python_s() {
        let source = "[{{ messages[0].content | trim }}][{{ messages[0].content.strip() }}]\
                      [{{ messages[0].content.rstrip() }}][{{ 'xax' | trim('x') }}]";
        let messages = [Message { role: "user".into(), content: "\u{1d} \u{3000}a\u{1f}".into() }];
        let text = template(source).unwrap().render(&messages).unwrap();
        assert_eq!(text, "[a][a][\u{1d} \u{3000}a][a]");
    }

    #[test]
    fn refusals_and_damage_are_errors() {
        let raises = template("{{ raise_exception('roles must alternate') }}").unwrap();
        let error = raises.render(&talk()).unwrap_err().to_string();
        assert!(error.contains("tokenizer_config.json") && error.contains("alternate"), "{error}");
        assert!(!error.contains('\n'), "{error}");
        let error = template("{% for x in %}").unwrap_err().to_string();
        assert!(error.contains("cannot be parsed"), "{error}");
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
        let error = template(endless).unwrap().render(&talk()).unwrap_err().to_string();
        assert!(error.contains("fuel"), "{error}");
    }

    #[test]
    fn days_have_dates() {
        assert_eq!(date(0), (1970, 0, 1));
        assert_eq!(date(59), (1970, 2, 1));
        assert_eq!(date(11_016), (2000, 1, 29));
        assert_eq!(date(19_930), (2024, 6, 26));
    }
}
