//! What the database of a store looks like, as a list of numbered steps.
//!
//! A step is a file in `migrations/`, compiled in. A store records the number and digest of every step applied to
//! it, so a program meets either steps it knows, unchanged, or refuses: [`Fault::NewerVersion`] for a step of a
//! later program, [`Fault::Corrupt`] for a known one that reads differently.

use serde::Deserialize;

use crate::chain::digest;
use crate::{ChainHash, Fault};

/// The files in order; new ones are added at the end.
const FILES: &[&str] = &[
    include_str!("../../../migrations/0001_initial.toml"),
    include_str!("../../../migrations/0002_write_ahead_log.toml"),
];

/// One numbered step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its number, from 1 without gaps.
    pub number: u32,
    /// Its name, as in the file name.
    pub name: String,
    /// Why it exists, a sentence.
    pub about: String,
    /// The keyspaces it adds.
    pub keyspaces: Vec<Keyspace>,
    /// Digest of the file.
    pub digest: ChainHash,
}

/// One keyspace of the database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyspace {
    /// Its name; one ending in `*` stands for numbered keyspaces that are made when needed.
    pub name: String,
    /// The database it is in: `ring` or `sled`, after the folder.
    pub database: String,
    /// What it holds, a sentence.
    pub holds: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    number: u32,
    name: String,
    about: String,
    #[serde(default)]
    keyspace: Vec<Keyspace>,
}

/// Every migration of this program, in order.
///
/// # Errors
/// [`Fault::Corrupt`] when a compiled-in file cannot be read, which a test rules out.
pub fn known() -> Result<Vec<Migration>, Fault> {
    FILES.iter().zip(1..).map(|(text, number)| parse(text, number)).collect()
}

fn parse(text: &str, number: u32) -> Result<Migration, Fault> {
    let damaged = |what: String| Fault::Corrupt { what: format!("migration file {number}: {what}") };
    let file: File = toml::from_str(text).map_err(|e| damaged(e.to_string()))?;
    if file.number != number {
        return Err(damaged(format!("says it is number {}", file.number)));
    }
    let digest = digest(text.as_bytes());
    Ok(Migration { number, name: file.name, about: file.about, keyspaces: file.keyspace, digest })
}

/// The migrations a store still needs, given the number and digest of those it has, in order.
///
/// # Errors
/// [`Fault::NewerVersion`] and [`Fault::Corrupt`], as the module says.
pub fn pending<'a>(known: &'a [Migration], applied: &[(u32, ChainHash)]) -> Result<&'a [Migration], Fault> {
    if let Some((found, _)) =
        applied.iter().max_by_key(|(number, _)| number).filter(|(n, _)| *n as usize > known.len())
    {
        return Err(Fault::NewerVersion { found: *found, supported: known.len() as u32 });
    }
    for (at, (number, digest)) in applied.iter().enumerate() {
        let expected = &known[at];
        if *number != expected.number {
            return Err(Fault::Corrupt { what: format!("migration is missing. number={}", expected.number) });
        }
        if *digest != expected.digest {
            return Err(Fault::Corrupt {
                what: format!(
                    "migration was applied in another form than this program knows. number={number}"
                ),
            });
        }
    }
    Ok(&known[applied.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_store_needs_every_migration_and_a_current_one_none() {
        let known = known().unwrap();
        assert_eq!(pending(&known, &[]).unwrap(), known);
        let applied: Vec<_> = known.iter().map(|m| (m.number, m.digest)).collect();
        assert_eq!(pending(&known, &applied).unwrap(), []);
    }

    #[test]
    fn a_later_migration_is_newer_and_a_changed_or_missing_one_is_corrupt() {
        let known = known().unwrap();
        let mut applied: Vec<_> = known.iter().map(|m| (m.number, m.digest)).collect();
        applied.push((99, ChainHash::default()));
        assert_eq!(pending(&known, &applied), Err(Fault::NewerVersion { found: 99, supported: 2 }));
        assert!(matches!(pending(&known, &[(1, ChainHash::default())]), Err(Fault::Corrupt { .. })));
        assert!(matches!(pending(&known, &[(0, ChainHash::default())]), Err(Fault::Corrupt { .. })));
    }

    #[test]
    fn a_file_with_another_number_or_unknown_fields_is_refused() {
        assert!(parse("number = 3\nname = \"x\"\nabout = \"y\"\n", 1).is_err());
        assert!(parse("number = 1\nname = \"x\"\nabout = \"y\"\ndrop = 1\n", 1).is_err());
    }

    #[test]
    fn published_migrations_never_change() {
        let digests: Vec<_> = known().unwrap().iter().map(|migration| migration.digest.to_string()).collect();
        assert_eq!(
            digests,
            [
                "501091c3ae562601ddf4d2f268d7678a6a47d3da1c9e08662d9ede81a95d16ca",
                "39b53acc54542d4a03d5153fa0bec67a09702ef480eb5b22ca4b668d5a1d2e56",
            ]
        );
    }
}
