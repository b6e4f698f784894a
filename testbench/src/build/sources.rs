//! The files that a top module needs: its own, those of the modules and packages it names, and so
//! on. One module lies in one file of its name, so a name in the text is enough to find the next
//! file, and a change elsewhere in the tree does not build this model again.
//!
//! A file in a folder of a file of the same name, `dsp/xcup/cell.sv` of `dsp/cell.sv`, is what one
//! family has instead; it is taken only from a root of its own, and a later root goes before.

use crate::Error;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// One source file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Module or package: the file's name without its ending; with its ending for an include file.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    package: bool,
    include: bool,
}

/// The sources of one top module.
#[derive(Debug, Clone)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// Finds what `top` needs under `roots`.
    pub fn of(top: &str, roots: &[PathBuf]) -> Result<Self, Error> {
        let mut all = BTreeMap::new();
        for root in roots {
            collect(root, &mut all)?;
        }
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        if !all.contains_key(top) {
            let searched = roots.iter().map(|r| r.display().to_string()).collect::<Vec<_>>();
            return Err(Error::NoSource { module: top.to_owned(), searched: searched.join(", ") });
        }
        visit(top, &all, &mut seen, &mut order)?;
        // Packages come before what uses them: dependencies were pushed first.
        order.sort_by_key(|source: &Source| !source.package);
        Ok(Sources { files: order })
    }

    /// All files, packages first, dependencies before their users.
    pub fn files(&self) -> &[Source] {
        &self.files
    }

    pub(super) fn compile_order(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().filter(|f| !f.include).map(|f| f.path.as_path())
    }

    pub(super) fn include_folders(&self) -> BTreeSet<PathBuf> {
        let folders = self.files.iter().filter(|f| f.include).filter_map(|f| f.path.parent());
        folders.map(Path::to_owned).collect()
    }
}

fn collect(folder: &Path, all: &mut BTreeMap<String, PathBuf>) -> Result<(), Error> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::file("read", folder, e))?;
    for entry in entries {
        let path = entry.map_err(|e| Error::file("read", folder, e))?.path();
        let part =
            |part: Option<&std::ffi::OsStr>| part.and_then(|s| s.to_str()).map(str::to_owned);
        if path.is_dir() {
            let mut below = BTreeMap::new();
            collect(&path, &mut below)?;
            let special = |path: &Path| path.file_name().is_some_and(|n| folder.join(n).exists());
            all.extend(below.into_iter().filter(|(_, path)| !special(path)));
        } else if path.extension().is_some_and(|e| e == "sv") {
            all.extend(part(path.file_stem()).map(|name| (name, path)));
        } else if path.extension().is_some_and(|e| e == "svh") {
            all.extend(part(path.file_name()).map(|name| (name, path)));
        }
    }
    Ok(())
}

fn visit(
    name: &str,
    all: &BTreeMap<String, PathBuf>,
    seen: &mut BTreeSet<String>,
    order: &mut Vec<Source>,
) -> Result<(), Error> {
    if !seen.insert(name.to_owned()) {
        return Ok(());
    }
    let Some(path) = all.get(name) else { return Ok(()) };
    let text = std::fs::read_to_string(path).map_err(|e| Error::file("read", path, e))?;
    let code = without_comments(&text);
    for word in code.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))) {
        let stem = word.split('.').next().unwrap_or(word);
        for candidate in [word, stem] {
            if all.contains_key(candidate) {
                visit(candidate, all, seen, order)?;
            }
        }
    }
    let package = code.lines().any(|line| line.trim_start().starts_with("package "));
    let include = name.ends_with(".svh");
    order.push(Source { name: name.to_owned(), path: path.clone(), text, package, include });
    Ok(())
}

fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('/') {
        code.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            code.push('/');
            1
        };
        rest = &rest[end..];
    }
    code.push_str(rest);
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_top_names_is_taken_packages_first() {
        let root = std::env::temp_dir().join(format!("terntable-sources-{}", std::process::id()));
        std::fs::create_dir_all(root.join("deep")).unwrap();
        let put = |name: &str, text: &str| std::fs::write(root.join(name), text).unwrap();
        put("top.sv", "module top; // other\n /* other */ leaf u_leaf (.a(a_pkg::X)); endmodule");
        put("deep/leaf.sv", "`include \"macros.svh\"\nmodule leaf; endmodule");
        put("macros.svh", "`define M");
        put("a_pkg.sv", "package a_pkg; import b_pkg::*; endpackage");
        put("b_pkg.sv", "package b_pkg; endpackage");
        put("other.sv", "module other; endmodule");
        std::fs::create_dir_all(root.join("deep/family")).unwrap();
        put("deep/family/leaf.sv", "module leaf; other u_other (); endmodule");
        let sources = Sources::of("top", std::slice::from_ref(&root)).unwrap();
        let names: Vec<&str> = sources.files().iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["b_pkg", "a_pkg", "macros.svh", "leaf", "top"]);
        assert_eq!(sources.compile_order().count(), 4);
        let roots = [root.clone(), root.join("deep/family")];
        let family = Sources::of("leaf", &roots).unwrap();
        let names: Vec<&str> = family.files().iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["other", "leaf"]);
        let missing = Sources::of("absent", std::slice::from_ref(&root)).unwrap_err().to_string();
        assert!(missing.contains("expected a file absent.sv under"), "{missing}");
        std::fs::remove_dir_all(root).unwrap();
    }
}
