//! What a program that depends on `quorate` can name: a list, with a bound.

use crate::source::Source;

/// The most names that the facade shows. Each costs a promise; raise it knowingly.
pub const MOST_NAMES: usize = 628;

/// Exports that are not a list of names, and more names than the bound, as sentences.
pub fn broken(facade: &Source) -> Vec<String> {
    let mut out = Vec::new();
    let mut names = 0;
    let code: String = facade.code().map(|(_, line)| line + " ").collect();
    for statement in code.split(';') {
        let Some((_, exported)) = statement.split_once("pub use ") else { continue };
        if exported.contains('*') {
            out.push(format!("{}: `pub use {}` names nothing", facade.path, exported.trim()));
        }
        let list = exported.split_once('{').map_or(exported, |(_, list)| list);
        let listed = list.split([',', '}']).map(str::trim).filter(|name| !name.is_empty());
        for name in listed {
            names += 1;
            let last = name.rsplit("::").next().unwrap_or(name);
            // `id` and the like are functions; a crate or a module would show all that is in it.
            if !exported.contains("::") || name == "self" || last.starts_with("quorate_") {
                out.push(format!("{}: `pub use {}` shows a whole module", facade.path, exported.trim()));
            }
        }
    }
    if names > MOST_NAMES {
        out.push(format!("{} shows {names} names, more than {MOST_NAMES}", facade.path));
    }
    out
}

#[test]
fn a_glob_a_whole_crate_and_a_name_too_many_are_found() {
    let facade = |text: &str| broken(&Source::new("src/lib.rs", text));
    assert!(facade("pub use a::b::{C, D};\npub use a::E;").is_empty());
    assert_eq!(facade("pub use a::b::*;").len(), 1);
    assert_eq!(facade("pub use a::b::{\n    C,\n    d::*,\n};").len(), 1);
    assert_eq!(facade("pub use quorate_core as core;").len(), 1);
    assert_eq!(facade("pub use a::b::{self, C};").len(), 1);
    let many: String = (0..=MOST_NAMES).map(|n| format!("N{n}, ")).collect();
    assert_eq!(facade(&format!("pub use a::{{{many}}};")).len(), 1);
}
