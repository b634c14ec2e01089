//! The arrows between the layers, as words and paths a file may not use.

use crate::source::Source;

/// What the files below a place may not use. What a whole crate may use is said by its manifest: see `manifests`.
struct Arrow {
    /// Files whose path starts so.
    below: &'static str,
    /// Except these, each for the reason beside it.
    except: &'static [&'static str],
    /// Whole words or paths.
    forbidden: &'static [&'static str],
    /// Unless the path goes on with one of these.
    but: &'static [&'static str],
    why: &'static str,
}

const ARROWS: &[Arrow] = &[
    Arrow {
        below: "src/core/",
        except: &[],
        forbidden: &[
            "SystemTime",
            "Instant",
            "Utc::now",
            "std::time::UNIX_EPOCH",
            "thread",
            "fs",
            "File",
            "net",
            "env",
            "HashMap",
            "HashSet",
            "RandomState",
        ],
        but: &[],
        why: "the core is pure: no clock, thread, file or hash-map order",
    },
    Arrow {
        below: "src/core/kernel/",
        except: &[],
        forbidden: &["crate::"],
        but: &["kernel"],
        why: "the kernel knows no room",
    },
    Arrow {
        below: "src/core/voting/",
        except: &[],
        forbidden: &["crate::"],
        but: &["kernel", "voting"],
        why: "a room knows the kernel and no other room",
    },
    Arrow {
        below: "src/core/capacity/",
        except: &[],
        forbidden: &["crate::"],
        but: &["kernel", "capacity"],
        why: "a room knows the kernel and no other room",
    },
    Arrow {
        below: "src/core/jobs/",
        // An acknowledgement carries the signal that load makes.
        except: &["src/core/jobs/protocol/message.rs"],
        forbidden: &["crate::"],
        but: &["kernel", "jobs"],
        why: "a room knows the kernel and no other room",
    },
    Arrow {
        below: "src/core/load/",
        except: &[],
        forbidden: &["crate::"],
        but: &["kernel", "load"],
        why: "a room knows the kernel and no other room",
    },
    Arrow {
        below: "src/core/trust/",
        except: &[],
        forbidden: &["crate::"],
        but: &["kernel", "trust"],
        why: "a room knows the kernel and no other room",
    },
    Arrow {
        below: "src/core/network/",
        except: &[],
        forbidden: &["crate::"],
        but: &["kernel", "network"],
        why: "a room knows the kernel and no other room",
    },
    Arrow {
        below: "src/journal/",
        except: &[],
        forbidden: &["quorate_core::kernel::"],
        but: &["ids", "time"],
        why: "the journal knows ids and time, and no machine",
    },
    Arrow {
        below: "src/journal/",
        except: &[],
        forbidden: &["quorate_core::"],
        but: &["kernel"],
        why: "the journal knows ids and time, and no machine",
    },
    Arrow {
        below: "src/journal/",
        except: &["src/journal/stores/"],
        forbidden: &["crate::stores", "sled", "fs"],
        but: &[],
        why: "the journal is a port and a format: no backend",
    },
    Arrow {
        below: "src/journal/",
        except: &["src/journal/codec.rs"],
        forbidden: &["bincode"],
        but: &[],
        why: "stored bytes are made in one file",
    },
    Arrow {
        below: "src/journal/",
        except: &["src/journal/chain.rs"],
        forbidden: &["blake3"],
        but: &[],
        why: "hashes are made in one file",
    },
    Arrow {
        below: "src/journal/",
        except: &["src/journal/stores/sled/"],
        forbidden: &["::sled", "sled::Db", "sled::Tree"],
        but: &[],
        why: "the engine is used by its own store only",
    },
    Arrow {
        below: "src/",
        except: &["src/journal/stores/fjall/"],
        forbidden: &["::fjall::", "xxhash_rust"],
        but: &[],
        why: "the engine is used by its own store only",
    },
    Arrow {
        below: "src/",
        except: &["src/journal/stores/postgres/"],
        forbidden: &["tokio_postgres"],
        but: &[],
        why: "the client of the database is used by its own store only",
    },
    Arrow {
        below: "src/shell/",
        except: &[],
        forbidden: &["crate::store", "crate::api", "crate::error"],
        but: &[],
        why: "the shell reaches a store only through the port, and knows no door",
    },
    Arrow {
        below: "src/flow/",
        except: &[],
        forbidden: &["crate::"],
        but: &["core", "flow"],
        why: "flow-controlled senders need no runtime and no store",
    },
    Arrow {
        below: "src/guard/",
        except: &[],
        forbidden: &["crate::", "tokio"],
        but: &["core", "guard"],
        why: "a guard stands at somebody else's resource: it knows ids and tokens, and no runtime",
    },
    Arrow {
        below: "src/connect/",
        except: &[],
        forbidden: &["crate::shell::", "crate::journal", "crate::store"],
        but: &["clock"],
        why: "who reaches a runtime from afar knows its operations, and nothing inside",
    },
    Arrow {
        below: "src/api/",
        // Opening looks the name of a store up in the table; recovering reads a folder that no store can open, restoring makes one, and
        // moving has two open.
        // Who owns shards looks them up in the first database.
        except: &[
            "src/api/backup.rs",
            "src/api/mod.rs",
            "src/api/moving.rs",
            "src/api/recover.rs",
            "src/api/retention/prune.rs",
            "src/api/shards/owner.rs",
        ],
        forbidden: &["crate::store"],
        but: &[],
        why: "a door does not know stores",
    },
    Arrow {
        below: "src/",
        // The facade names the stores and opens none.
        except: &["src/journal/stores/", "src/cli/open.rs", "src/lib.rs"],
        forbidden: &[
            "store::memory",
            "store::sled",
            "store::faulty",
            "MemoryStore",
            "SledStore",
            "FjallStore",
            "FaultyStore",
        ],
        but: &[],
        why: "a store is opened by its name in the table; only `play` keeps a memory store over a crash",
    },
    Arrow {
        below: "src/",
        except: &["src/shell/"],
        forbidden: &["actix"],
        but: &[],
        why: "actors live in the shell",
    },
    Arrow {
        below: "src/",
        // The client of the database runs on it, on a thread of its own.
        except: &[
            "src/shell/",
            "src/api/",
            "src/cli/",
            "src/connect/",
            "src/flow/",
            "src/http/",
            "src/mcp/",
            "src/node/",
            "src/python/",
            "src/journal/stores/postgres/",
        ],
        forbidden: &["tokio"],
        but: &[],
        why: "what runs is in the shell, the doors and the flow-controlled senders",
    },
    Arrow {
        below: "src/",
        // The senders work without the shell; theirs is tokio's clock, which tests may stop.
        except: &["src/shell/clock.rs", "src/flow/clock.rs"],
        forbidden: &["SystemTime::now", "Instant::now", "Utc::now", "Local::now"],
        but: &[],
        why: "one file reads the clock",
    },
];

/// Every arrow the file breaks, as sentences.
pub fn broken(source: &Source) -> Vec<String> {
    // Tests beside the code build what they need.
    let tests = source.path.ends_with("_test.rs") || source.path.ends_with("/test.rs");
    if tests || !source.path.ends_with(".rs") {
        return Vec::new();
    }
    let mut out = Vec::new();
    for arrow in ARROWS.iter().filter(|arrow| source.path.starts_with(arrow.below)) {
        if arrow.except.iter().any(|except| source.path.starts_with(except)) {
            continue;
        }
        for (number, line) in source.code() {
            for word in arrow.forbidden.iter().filter(|word| uses(&line, word, arrow.but)) {
                out.push(format!("{}:{number} uses {word}: {}", source.path, arrow.why));
            }
        }
    }
    out
}

/// Does the line hold this word or path, not as part of a longer one, and not followed by one of these? `::x` means a
/// path that starts with `::`, and `x::` whatever is below `x`.
fn uses(line: &str, word: &str, but: &[&str]) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let rest = &line[at + word.len()..];
        let whole = before.is_none_or(|c| !part_of_name(c))
            && (word.ends_with("::") || rest.chars().next().is_none_or(|c| !part_of_name(c)));
        let next: String = rest.chars().take_while(|c| part_of_name(*c)).collect();
        whole && !but.contains(&next.as_str())
    })
}

#[cfg(test)]
mod planted {
    use super::*;

    fn finds(path: &str, text: &str) -> bool {
        !broken(&Source::new(path, text)).is_empty()
    }

    #[test]
    fn impure_code_in_the_core_is_found() {
        for text in [
            "use std::collections::HashMap;",
            "use std::{fs, io};",
            "    let now = std::time::SystemTime::now();",
            "use std::time::{Duration, Instant};",
            "std::thread::spawn(work);",
            "let t = chrono::Utc::now();",
        ] {
            assert!(finds("src/core/voting/quorum/decide.rs", text), "{text}");
        }
        assert!(!finds("src/core/kernel/time.rs", "use std::time::Duration; // no SystemTime here"));
        assert!(!finds("src/core/kernel/time.rs", "let renewed = instantly(\"a sled in a HashMap\");"));
    }

    #[test]
    fn arrows_that_point_the_wrong_way_are_found() {
        for (path, text) in [
            ("src/core/kernel/time.rs", "use crate::voting::rules;"),
            ("src/core/load/flow/ratio.rs", "use crate::voting::rules::Fraction;"),
            ("src/journal/mod.rs", "use crate::stores::memory::MemoryStore;"),
            ("src/journal/frame.rs", "use quorate_core::voting::quorum::Event;"),
            ("src/journal/frame.rs", "bincode::serde::encode_to_vec(v, c)"),
            ("src/journal/stores/plan.rs", "use blake3::Hasher;"),
            ("src/journal/stores/memory.rs", "use quorate_core::kernel::driver::Driver;"),
            ("src/journal/stores/plan.rs", "use ::sled::Db;"),
            ("src/cli/doctor.rs", "use tokio_postgres::Client;"),
            ("src/shell/runtime.rs", "use crate::store::sled::SledStore;"),
            ("src/shell/writer.rs", "use crate::api::Quorate;"),
            ("src/api/quorum.rs", "use actix::Addr;"),
            ("src/cli/ops.rs", "let store = MemoryStore::new();"),
            ("src/config.rs", "use tokio::time::sleep;"),
            ("src/shell/entity.rs", "let t = Instant::now();"),
            ("src/flow/wait.rs", "let t = tokio::time::Instant::now();"),
            ("src/flow/sender.rs", "use crate::shell::clock::Clock;"),
            ("src/guard/file.rs", "use crate::error::Error;"),
            ("src/guard/floor.rs", "use tokio::fs;"),
        ] {
            assert!(finds(path, text), "{path}: {text}");
        }
        assert!(!finds(
            "src/journal/stores/mod.rs",
            "open: |o| Ok(Arc::new(self::sled::SledStore::open(o)?)),"
        ));
        assert!(!finds("src/journal/group.rs", "use quorate_core::kernel::ids::StreamId;"));
        assert!(!finds("src/guard/file.rs", "use crate::core::kernel::ids::EntityId;"));
    }
}
