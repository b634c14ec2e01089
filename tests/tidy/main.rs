//! Does the source tree keep the rules of the house? Each check is shown to find a planted violation.
//!
//! | file | checks |
//! |---|---|
//! | `facade` | what a program that depends on the package can name |
//! | `layers` | the arrows between the layers, one engine in one place, one reader of the clock |
//! | `manifests` | what each crate may depend on |
//! | `python` | what of the Python package is made from the tables |
//! | `words` | unfinished work, folders of one machine, sizes, modules that say what they are |
//! | `tables` | entries of the tables are documented, tests named in the guarantees exist |

mod facade;
mod layers;
mod manifests;
mod python;
mod source;
mod tables;
mod words;

use std::fs;

use source::{below, read, root};

/// What one sees first.
const TOP: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "examples",
    "migrations",
    "src",
    "tests",
];

fn none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Everything written about the project: the README and the pages compiled into the documentation.
fn book() -> String {
    let pages = below(&["README.md", "src/docs"]);
    pages.iter().filter(|page| page.path.ends_with(".md")).map(|page| page.text.as_str()).collect()
}

#[test]
fn every_layer_uses_only_what_it_may() {
    let broken: Vec<_> = below(&["src"]).iter().flat_map(layers::broken).collect();
    none(&broken);
}

#[test]
fn every_crate_depends_only_on_what_it_may() {
    let broken: Vec<_> = manifests::paths().flat_map(|path| manifests::strange(&read(path))).collect();
    none(&broken);
}

#[test]
fn the_facade_lists_its_names_and_they_are_few() {
    none(&facade::broken(&read("src/lib.rs")));
}

#[test]
fn nothing_is_unfinished_and_no_machine_is_named() {
    let places = [
        "src",
        "tests",
        "examples",
        "migrations",
        "README.md",
        "Cargo.toml",
        ".ci",
        ".deny.toml",
        ".clippy.toml",
    ];
    let broken: Vec<_> = below(&places).iter().flat_map(words::broken).collect();
    none(&broken);
}

#[test]
fn files_stay_short_and_modules_say_what_they_are() {
    let broken: Vec<_> = below(&["src"]).iter().flat_map(words::misshapen).collect();
    none(&broken);
}

#[test]
fn every_entry_of_every_table_is_documented() {
    let book = book();
    let rules = quorate_core::voting::rules::RULES.iter().map(|entry| entry.name);
    let sources = quorate_core::voting::reliability::SOURCES.iter().map(|entry| entry.name);
    let stores = quorate_journal::stores::STORES.iter().map(|entry| entry.name);
    let operations = quorate_runtime::api::ops::OPERATIONS.iter().map(|op| op.name);
    let kinds = quorate_runtime::error::KINDS.iter().map(|entry| entry.name);
    let policies = quorate_core::load::flow::DROP_POLICIES.iter().map(|entry| entry.name);
    let missing = tables::undocumented(
        &book,
        policies.chain(rules).chain(sources).chain(stores).chain(operations).chain(kinds),
    );
    none(&missing);
}

#[test]
fn what_the_python_package_has_of_the_tables_is_current() {
    for (path, fresh) in python::files(&read("src/docs/errors.md").text) {
        let place = root().join(path);
        if std::env::var_os("QUORATE_REWRITE_GOLDEN").is_some() {
            fs::write(&place, fresh).unwrap_or_else(|e| panic!("{path}: {e}"));
            continue;
        }
        assert!(
            read(path).text == fresh,
            "write {path} anew: QUORATE_REWRITE_GOLDEN=1 cargo test --test tidy python"
        );
    }
}

#[test]
fn every_example_is_short_and_in_the_readme() {
    let readme = read("README.md").text;
    for example in below(&["examples"]).iter().filter(|source| source.path.ends_with(".rs")) {
        assert!(example.text.lines().count() < 100, "{} is too long", example.path);
        let name = example.path.trim_start_matches("examples/").trim_end_matches(".rs");
        none(&tables::undocumented(&readme, [name]));
    }
}

#[test]
fn every_test_named_in_the_guarantees_exists() {
    let sources: String = below(&["src", "tests"]).into_iter().map(|source| source.text).collect();
    none(&tables::missing_tests(&read("src/docs/guarantees.md").text, &sources));
}

/// The table of what is durable when names files; a file that moved takes its row along.
#[test]
fn every_file_named_in_the_guarantees_exists() {
    let page = read("src/docs/guarantees.md").text;
    let named = tables::named_files(&page);
    assert!(named.len() >= 15, "{named:?}");
    let missing = named.into_iter().filter(|path| !root().join(path).is_file());
    none(
        &missing
            .map(|path| format!("src/docs/guarantees.md names {path}, which is not there"))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn the_top_of_the_tree_is_what_one_expects() {
    let names = fs::read_dir(root()).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.') && name != "target").collect();
    names.sort();
    assert_eq!(names, TOP);
}
