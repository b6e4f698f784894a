//! `terntable tokens`.

use super::{ModelArg, print_json, print_text};
use serde::{Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};
use terntable::{
    Error,
    import::{Message, Template},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArg,
    /// The text.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    text: Option<String>,
    /// A JSON list of texts, or with --chat of conversations: lists of objects with role and content.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Texts are what a user says: render them with the model's chat template.
    #[arg(long)]
    chat: bool,
    /// Leave out what the tokenizer adds by itself (mostly a first token); --chat does.
    #[arg(long)]
    no_special: bool,
    /// A JSON list instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    text: String,
    tokens: Vec<u32>,
    /// What the tokens mean, special ones left out.
    decoded: String,
}

pub fn run(args: &Args) -> Result<(), Error> {
    let checkpoint = args.model.open()?;
    let tokenizer = checkpoint.tokenizer()?;
    let template = if args.chat { checkpoint.template()? } else { None };
    let texts = texts(args, template)?;
    let whole = args.chat || args.no_special;
    let report = |text: String| {
        let tokens =
            if whole { tokenizer.encode_whole(&text)? } else { tokenizer.encode(&text)? };
        Ok(Report { decoded: tokenizer.decode(&tokens)?, tokens, text })
    };
    let reports = texts.into_iter().map(report).collect::<Result<Vec<_>, Error>>()?;
    if args.json {
        return print_json(&reports);
    }
    for Report { text, tokens, .. } in &reports {
        let ids: Vec<String> = tokens.iter().map(u32::to_string).collect();
        print_text(&format!("{text:?}\n{} tokens: {}\n", tokens.len(), ids.join(",")))?;
    }
    Ok(())
}

/// The texts to encode; rendered, if they are conversations.
fn texts(args: &Args, template: Option<Template>) -> Result<Vec<String>, Error> {
    let Some(template) = template else {
        return match (args.chat, &args.file) {
            (true, _) => Err(Error::File {
                path: args.model.model.clone(),
                text: "no chat template; expected chat_template.jinja, or chat_template in \
                       tokenizer_config.json"
                    .into(),
            }),
            (false, Some(file)) => list(file),
            (false, None) => Ok(args.text.clone().into_iter().collect()),
        };
    };
    let conversations: Vec<Vec<Message>> = match &args.file {
        Some(file) => list(file)?,
        None => {
            let user = |text: String| vec![Message { role: "user".into(), content: text }];
            args.text.clone().into_iter().map(user).collect()
        }
    };
    conversations.iter().map(|messages| template.render(messages)).collect()
}

fn list<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>, Error> {
    let bytes = std::fs::read(file).map_err(|source| Error::Read {
        path: file.into(),
        source,
        remedy: "give a JSON file",
    })?;
    serde_json::from_slice(&bytes).map_err(|e| Error::File {
        path: file.into(),
        text: format!("not a JSON list of texts (with --chat: of conversations): {e}"),
    })
}
