//! The files of the project, and their lines without comments and texts.

use std::fs;
use std::path::{Path, PathBuf};

/// One file.
#[derive(Debug)]
pub struct Source {
    /// From the project's folder, with `/`.
    pub path: String,
    pub text: String,
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Reads one file of the project.
pub fn read(path: &str) -> Source {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    Source::new(path, &text)
}

/// Every text file below these places, in order.
pub fn below(places: &[&str]) -> Vec<Source> {
    let mut out = Vec::new();
    for place in places {
        collect(&root().join(place), &mut out);
    }
    out.sort_by(|a, b| a.path.cmp(&b.path));
    out
}

fn collect(path: &Path, out: &mut Vec<Source>) {
    if path.is_dir() {
        for item in fs::read_dir(path).unwrap() {
            collect(&item.unwrap().path(), out);
        }
    } else if let Ok(text) = fs::read_to_string(path) {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        out.push(Source::new(&name, &text));
    }
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// The lines of code with their numbers, comments and texts left out.
    pub fn code(&self) -> impl Iterator<Item = (usize, String)> {
        self.text.lines().enumerate().map(|(n, line)| (n + 1, bare(line)))
    }
}

/// A line without texts and without what follows `//`. A text over several lines is not recognised; it can only
/// find too much.
fn bare(line: &str) -> String {
    let mut out = String::new();
    let mut in_text = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_text => {
                chars.next();
            }
            '"' => in_text = !in_text,
            '/' if !in_text && chars.peek() == Some(&'/') => break,
            _ if in_text => {}
            _ => out.push(c),
        }
    }
    out
}

#[test]
fn comments_and_texts_are_left_out() {
    assert_eq!(bare(r#"call("a // \" b"); // tokio"#), "call(); ");
}
