//! Files that come from the definitions of commands and cards.

use crate::process;
use terntable_golden::card::generate;

/// Writes the files, or with `check` compares them with what would be written.
pub fn run(check: bool) -> Result<(), String> {
    let mut stale = Vec::new();
    for file in generate::all().map_err(|e| e.to_string())? {
        let path = process::root().join(&file.path);
        if std::fs::read_to_string(&path).is_ok_and(|text| text == file.text) {
            continue;
        }
        if check {
            stale.push(file.path);
            continue;
        }
        let failed = |e: std::io::Error| format!("cannot write {}: {e}", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(&path, &file.text).map_err(failed)?;
        println!("wrote {}", file.path);
    }
    match stale.is_empty() {
        true => Ok(()),
        false => Err(format!("stale: {}; run `cargo xtask generate`", stale.join(", "))),
    }
}
