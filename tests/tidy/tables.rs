//! Is what the tables and pages name really there?

/// The names that no `name` in backquotes of the text mentions.
pub fn undocumented<'n>(text: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    names.into_iter().filter(|name| !text.contains(&format!("`{name}`"))).map(str::to_owned).collect()
}

/// Tests a page names that no source has: sentences of four or more words in backquotes.
pub fn missing_tests(page: &str, sources: &str) -> Vec<String> {
    let words = |name: &&str| {
        name.split('_').count() >= 4
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let quoted = page.split('`').skip(1).step_by(2);
    quoted.filter(words).filter(|name| !sources.contains(&format!("fn {name}("))).map(str::to_owned).collect()
}

/// The files of the source tree that a page names in back quotes.
pub fn named_files(page: &str) -> Vec<&str> {
    page.split('`').filter(|word| word.starts_with("src/") && word.ends_with(".rs")).collect()
}

#[cfg(test)]
mod planted {
    use super::*;

    #[test]
    fn an_entry_nobody_wrote_about_is_found() {
        assert_eq!(undocumented("rules: `threshold`", ["threshold", "plurality"]), ["plurality"]);
    }

    #[test]
    fn a_test_that_does_not_exist_is_found() {
        let page = "| promise | `a_promise_that_is_kept`, `a_promise_of_nothing_at_all`, `vote` |";
        assert_eq!(missing_tests(page, "fn a_promise_that_is_kept() {"), ["a_promise_of_nothing_at_all"]);
    }

    #[test]
    fn files_are_found_where_they_are_quoted() {
        assert_eq!(named_files("| so | `src/a.rs` | src/b.rs `src/c.md` |"), ["src/a.rs"]);
    }
}
