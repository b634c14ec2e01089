//! What each crate may depend on, as lists that are complete: the manifest is the proof of what a crate can see.

use crate::source::Source;

/// A crate of the workspace, and every crate that it may name.
const MEMBERS: &[(&str, &[&str])] = &[
    (
        "src/core/Cargo.toml",
        &[
            "blake3",
            "chrono",
            "ed25519-dalek",
            "schemars",
            "serde",
            "thiserror",
            "unicode-normalization",
            "unicode-properties",
        ],
    ),
    (
        "src/journal/Cargo.toml",
        &[
            "bincode",
            "blake3",
            "crc32fast",
            "fjall",
            "quorate-core",
            "rustix",
            "rustls",
            "rustls-native-certs",
            "serde",
            "serde_json",
            "sled",
            "thiserror",
            "tokio",
            "tokio-postgres",
            "tokio-postgres-rustls",
            "toml",
            "xxhash-rust",
        ],
    ),
    (
        "src/proofs/Cargo.toml",
        &[
            "base64",
            "quorate-core",
            "quorate-journal",
            "rand_core",
            "schemars",
            "serde",
            "signed_note",
            "thiserror",
            "tlog_tiles",
        ],
    ),
    ("Cargo.toml", &["quorate-core", "quorate-journal", "quorate-node", "quorate-runtime"]),
    (
        "src/Cargo.toml",
        &[
            "actix",
            "base64",
            "chacha20poly1305",
            "chrono",
            "getrandom",
            "hashbrown",
            "hmac",
            "http-body-util",
            "hyper",
            "hyper-util",
            "quorate-core",
            "quorate-journal",
            "quorate-proofs",
            "rustix",
            "rustls",
            "rustls-native-certs",
            "schemars",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "sha2",
            "sysinfo",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tracing",
            "uuid",
        ],
    ),
    (
        "src/mcp/Cargo.toml",
        &[
            "bytes",
            "http",
            "http-body",
            "http-body-util",
            "quorate-runtime",
            "rmcp",
            "serde",
            "serde_json",
            "tokio",
        ],
    ),
    (
        "src/node/Cargo.toml",
        &[
            "blake3",
            "chacha20poly1305",
            "getrandom",
            "quorate-core",
            "quorate-runtime",
            "rustix",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing",
        ],
    ),
    (
        "src/http/Cargo.toml",
        &[
            "actix-http",
            "actix-server",
            "actix-service",
            "actix-tls",
            "actix-web",
            "flate2",
            "prometheus-client",
            "quorate-mcp",
            "quorate-runtime",
            "rustls",
            "rustix",
            "schemars",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "tokio",
            "tracing",
        ],
    ),
    (
        "src/cli/Cargo.toml",
        &[
            "chrono",
            "clap",
            "clap_complete",
            "comfy-table",
            "csv",
            "flate2",
            "humantime",
            "indicatif",
            "mimalloc",
            "quorate-http",
            "quorate-mcp",
            "quorate-node",
            "quorate-runtime",
            "rustix",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "tokio",
            "toml",
            "tracing",
            "tracing-subscriber",
            "ureq",
            "uuid",
        ],
    ),
    ("src/python/Cargo.toml", &["pyo3", "quorate-http", "quorate-runtime", "serde_json", "tokio"]),
];

/// Where the manifests are.
pub fn paths() -> impl Iterator<Item = &'static str> {
    MEMBERS.iter().map(|(path, _)| *path)
}

/// Dependencies, for every target, that are not on the list of their crate, as sentences.
pub fn strange(manifest: &Source) -> Vec<String> {
    let Some((_, allowed)) = MEMBERS.iter().find(|(path, _)| *path == manifest.path) else {
        return vec![format!("{} has no list of what it may depend on", manifest.path)];
    };
    let table: toml::Table = manifest.text.parse().unwrap_or_else(|e| panic!("{}: {e}", manifest.path));
    let mut named: Vec<String> = Vec::new();
    let of = |table: &toml::Table| -> Vec<String> {
        table
            .get("dependencies")
            .and_then(|d| d.as_table())
            .map(|d| d.keys().cloned().collect())
            .unwrap_or_default()
    };
    named.extend(of(&table));
    for target in table.get("target").and_then(|t| t.as_table()).into_iter().flat_map(|t| t.values()) {
        named.extend(target.as_table().map(of).unwrap_or_default());
    }
    named
        .into_iter()
        .filter(|name| !allowed.contains(&name.as_str()))
        .map(|name| format!("{} depends on {name}, which is not on its list", manifest.path))
        .collect()
}

#[test]
fn a_dependency_that_is_not_on_the_list_is_found() {
    let manifest = |text: &str| Source::new("src/core/Cargo.toml", text);
    assert!(strange(&manifest("[dependencies]\nserde = '1'")).is_empty());
    assert_eq!(strange(&manifest("[dependencies]\ntokio = '1'")).len(), 1);
    assert_eq!(strange(&manifest("[target.'cfg(unix)'.dependencies]\nlibc = '0.2'")).len(), 1);
    assert_eq!(strange(&Source::new("src/new/Cargo.toml", "")).len(), 1);
}
