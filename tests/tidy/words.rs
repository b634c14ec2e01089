//! Unfinished work, machines and sizes.

use crate::source::Source;

/// Most lines of one file in `src`.
const LONGEST: usize = 600;

/// Marks of unfinished or forgotten work. Put together here, so that this file does not hold them.
fn unfinished() -> [String; 5] {
    [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["to", "do!"].concat(),
        ["unimpl", "emented!"].concat(),
        ["db", "g!("].concat(),
    ]
}

/// Folders that exist on somebody's machine and nowhere else.
fn machines() -> Vec<String> {
    ["home", "root", "Users", "tmp", "work", "workspace", "mnt"].map(|dir| format!("/{dir}/")).to_vec()
}

/// Unfinished work and paths of a machine, as sentences.
pub fn broken(source: &Source) -> Vec<String> {
    let mut out = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        for word in unfinished().iter().filter(|word| line.contains(word.as_str())) {
            out.push(format!("{}:{} holds {word}", source.path, number + 1));
        }
        for place in machines().iter().filter(|place| starts_a_path(line, place)) {
            out.push(format!("{}:{} names a folder of one machine: {place}", source.path, number + 1));
        }
    }
    out
}

/// A path begins here, and not in the middle of a longer one such as `target/tmp/`.
fn starts_a_path(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        line[..at].chars().next_back().is_none_or(|c| !(c.is_alphanumeric() || "_-.}/".contains(c)))
    })
}

/// A file of `src` that grew too long, or a `mod.rs` that does not begin by saying what it is.
pub fn misshapen(source: &Source) -> Vec<String> {
    let mut out = Vec::new();
    let lines = source.text.lines().count();
    if source.path.ends_with(".rs") && lines > LONGEST {
        out.push(format!("{} has {lines} lines, more than {LONGEST}", source.path));
    }
    if source.path.ends_with("/mod.rs") && !source.text.starts_with("//! ") {
        out.push(format!("{} does not begin with its purpose", source.path));
    }
    out
}

#[cfg(test)]
mod planted {
    use super::*;

    #[test]
    fn unfinished_work_and_machine_paths_are_found() {
        for word in unfinished() {
            assert_eq!(
                broken(&Source::new("src/x.rs", &format!("fine\n    {word} later"))).len(),
                1,
                "{word}"
            );
        }
        for place in machines() {
            assert_eq!(broken(&Source::new("x.md", &format!("see `{place}x`"))).len(), 1, "{place}");
        }
        assert!(broken(&Source::new("x.md", "in target/tmp/x and a/work/b")).is_empty());
    }

    #[test]
    fn long_files_and_mute_modules_are_found() {
        assert_eq!(misshapen(&Source::new("src/x.rs", &"x\n".repeat(601))).len(), 1);
        assert_eq!(misshapen(&Source::new("src/a/mod.rs", "use x;\n")).len(), 1);
        assert!(misshapen(&Source::new("src/a/mod.rs", "//! What it is.\n")).is_empty());
    }
}
