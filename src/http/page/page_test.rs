use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::GzDecoder;

use super::*;

/// Most bytes of the page, as they are written.
const MOST: usize = 100_000;
/// Most bytes, compressed, that a browser waits for before it shows something.
const MOST_AT_FIRST: usize = 15_000;

fn scripts() -> impl Iterator<Item = &'static File> {
    FILES.iter().filter(|file| file.content == SCRIPT)
}

/// The paths between these two marks, from where the document stands.
fn named<'t>(text: &'t str, before: &'t str, after: char) -> impl Iterator<Item = &'t str> {
    text.split(before).skip(1).filter_map(move |rest| rest.split(after).next())
}

fn file(path: &str) -> &'static File {
    let found = FILES.iter().find(|file| file.path == path);
    found.unwrap_or_else(|| panic!("{path} is named and no file"))
}

/// What a browser asks for before it shows something: what the document names, and what the scripts among it import.
fn first_files() -> BTreeSet<&'static str> {
    let document = FILES[0].text;
    let named_there = named(document, "href=\"page/", '"')
        .chain(named(document, "src=\"page/", '"'))
        .map(|name| format!("/page/{name}"));
    let mut first: BTreeSet<&str> = named_there.map(|path| file(&path).path).collect();
    first.insert(FILES[0].path);
    loop {
        let scripts = first.iter().map(|path| file(path)).filter(|file| file.content == SCRIPT);
        let imported: Vec<&str> = scripts
            .flat_map(|file| named(file.text, "from \"./", '"'))
            .map(|name| file(&format!("/page/{name}")).path)
            .collect();
        let before = first.len();
        first.extend(imported);
        if first.len() == before {
            return first;
        }
    }
}

#[test]
fn the_page_is_small_and_its_first_view_smaller() {
    let all: usize = FILES.iter().map(|file| file.text.len()).sum();
    assert!(all <= MOST, "{all} bytes in all");
    let first = first_files();
    assert!(first.len() > 4, "{first:?}");
    let compressed = FILES.iter().zip(READY.iter()).filter(|(file, _)| first.contains(file.path));
    let sum: usize = compressed.map(|(_, ready)| ready.gzip.len()).sum();
    assert!(sum <= MOST_AT_FIRST, "{sum} bytes compressed: {first:?}");
}

#[test]
fn what_is_sent_compressed_is_what_is_written() {
    for (file, ready) in FILES.iter().zip(READY.iter()) {
        let mut text = String::new();
        GzDecoder::new(&*ready.gzip).read_to_string(&mut text).unwrap();
        assert_eq!(text, file.text, "{}", file.path);
    }
    let tags: BTreeSet<&str> = READY.iter().map(|ready| ready.tag.as_str()).collect();
    assert_eq!(tags.len(), FILES.len(), "two files have one tag");
}

#[test]
fn no_script_and_no_style_stands_in_the_document() {
    let document = FILES[0].text;
    for tag in named(document, "<script", '>') {
        assert!(tag.contains("src=\"page/"), "<script{tag}>");
    }
    assert!(named(document, "<script", '<').all(|script| script.ends_with('>')), "a script has a text");
    assert!(!document.contains("<style") && !document.contains("style="), "a style stands in the document");
    let is_handler = |word: &str| word.starts_with("on") && word.contains('=');
    assert!(!document.split_ascii_whitespace().any(is_handler), "a handler stands in the document");
    assert!(!document.contains("://"), "the document names another server");
}

#[test]
fn no_script_makes_markup_of_a_text_or_asks_another_server() {
    let forbidden = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "createContextualFragment",
        "setHTMLUnsafe",
        "srcdoc",
        "eval(",
        "new Function",
        "javascript:",
        "://",
        "localStorage",
        "document.cookie",
    ];
    for script in scripts() {
        // The name of a namespace is none that is asked for.
        let text = script.text.replace("http://www.w3.org/2000/svg", "");
        for word in forbidden {
            assert!(!text.contains(word), "{}: {word}", script.path);
        }
        // A text in place of a function would be run.
        assert!(
            !script.text.contains("setTimeout(\"") && !script.text.contains("setInterval(\""),
            "{}",
            script.path
        );
        // What attributes may lead somewhere leads to a place of this page.
        for place in named(script.text, "href: ", ',').chain(named(script.text, "href: ", '}')) {
            let is_own = ["`#/", "\"#/", "\"page/"].iter().any(|begin| place.starts_with(begin));
            assert!(is_own, "{}: href: {place}", script.path);
        }
    }
}

#[test]
fn every_module_that_is_named_is_sent() {
    let mut named_somewhere: BTreeSet<&str> = first_files();
    for script in scripts() {
        let modules = named(script.text, "import(\"./", '"').map(|name| file(&format!("/page/{name}")).path);
        named_somewhere.extend(modules);
        named_somewhere
            .extend(named(script.text, "href: \"page/", '"').map(|name| file(&format!("/page/{name}")).path));
    }
    let all: BTreeSet<&str> = FILES.iter().map(|file| file.path).collect();
    assert_eq!(named_somewhere, all);
}

#[test]
fn a_browser_that_refuses_gzip_gets_the_text() {
    use actix_web::test::TestRequest;
    for (said, takes) in [
        ("gzip", true),
        ("br, GZIP;q=0.5", true),
        ("gzip;q=0", false),
        ("gzip;q=0.0, br", false),
        ("br", false),
        ("identity", false),
        ("", false),
        ("x-gzip", false),
    ] {
        let request = TestRequest::default().insert_header((ACCEPT_ENCODING, said)).to_http_request();
        assert_eq!(takes_gzip(&request), takes, "{said:?}");
    }
}
