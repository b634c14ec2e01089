//! Tables that fit the columns of a terminal.

use serde_json::{Map, Value};

use super::human::heading;
use super::output::{LONGEST_CELL, cell, field, longest, table};

/// Columns of a terminal when nobody says how many there are.
const WIDTH: usize = 80;
/// The fewest that a table is fitted into.
const NARROWEST: usize = 40;
/// How long the texts of a table that is too wide may be, tried one after the other before a column is left out.
const SHORTER: [usize; 4] = [LONGEST_CELL, 48, 32, 20];
/// The fewest characters of the last column of a table that is too wide.
const LEAST_OF_LAST: usize = 10;

/// How many columns there are: what the environment says, else so many as everybody has.
pub(super) fn width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    told.unwrap_or(WIDTH).max(NARROWEST)
}

/// A text in lines of so many characters, broken between words; a word stays whole.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// The rows as a table of no more columns of text than there are: long texts are shortened first, then the last columns are
/// left out, and named below.
pub(super) fn fitted(
    columns: &[&str],
    rows: &[&Map<String, Value>],
    names: Option<&[&str]>,
    width: usize,
) -> String {
    let cells = |shown: &[&str], most: usize, of_last: usize| -> Vec<Vec<String>> {
        let value = |row: &Map<String, Value>, name: &str| {
            let most = if shown.last() == Some(&name) { most.min(of_last) } else { most };
            field(name, row.get(name).unwrap_or(&Value::Null), longest(name, most))
        };
        let line = |(at, row): (usize, &&Map<String, Value>)| {
            let named = names.map(|names| cell(&Value::from(names[at]), LONGEST_CELL));
            named.into_iter().chain(shown.iter().map(|name| value(row, name))).collect()
        };
        rows.iter().enumerate().map(line).collect()
    };
    for kept in (1..=columns.len()).rev() {
        let shown = &columns[..kept];
        let header: Vec<&str> =
            names.iter().map(|_| "name").chain(shown.iter().map(|name| heading(name))).collect();
        let shortest = cells(&shown[..kept - 1], SHORTER[SHORTER.len() - 1], usize::MAX);
        let before = columns_of(&header[..header.len() - 1], &shortest);
        // The last column may also have just what is left, if that is enough to read.
        let left = width.saturating_sub(before + 2);
        let shorter = SHORTER.map(|most| (most, usize::MAX)).into_iter();
        let shorter = shorter.chain((left >= LEAST_OF_LAST).then_some((SHORTER[SHORTER.len() - 1], left)));
        for (most, of_last) in shorter {
            let rows = cells(shown, most, of_last);
            if kept > 1 && !shown.contains(&"sentence") && columns_of(&header, &rows) > width {
                continue;
            }
            let mut out = table(&header, rows);
            if kept < columns.len() {
                let hidden = wrapped(&format!("({}: see --json)", columns[kept..].join(", ")), width);
                out.push_str(&format!("{hidden}\n"));
            }
            return out;
        }
    }
    table(&names.iter().map(|_| "name").collect::<Vec<_>>(), cells(&[], LONGEST_CELL, LONGEST_CELL))
}

/// How many columns of text a table takes.
fn columns_of(header: &[&str], rows: &[Vec<String>]) -> usize {
    let widest = |at: usize, name: &str| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([name.chars().count()]).max().unwrap_or_default()
    };
    let all: usize = header.iter().enumerate().map(|(at, name)| widest(at, name) + 2).sum();
    all.saturating_sub(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_too_wide_is_shortened_then_left_out_and_named_and_names_stay_whole() {
        let row = json!({ "quorum_id": "q".repeat(30), "state": "open", "subject": "word ".repeat(30), "last": "x".repeat(9) });
        let rows = [row.as_object().unwrap()];
        let columns = ["quorum_id", "state", "subject", "last"];
        let shown = |width: usize| fitted(&columns, &rows, None, width);
        for width in [200, 100, 80, 60, 40] {
            let text = shown(width);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}\n{text}");
            assert!(text.contains(&"q".repeat(30)), "{width}\n{text}");
        }
        assert!(shown(200).contains("LAST") && !shown(200).contains("--json"));
        assert!(shown(60).contains("(last: see --json)"), "{}", shown(60));
        assert!(shown(40).contains("(subject, last: see --json)"), "{}", shown(40));
    }

    #[test]
    fn lines_are_broken_between_words_and_a_word_stays_whole() {
        assert_eq!(wrapped("one two three", 7), "one two\nthree");
        assert_eq!(wrapped("0123456789 a", 4), "0123456789\na");
        assert_eq!(wrapped("", 4), "");
    }
}
