//! The tables, as numbered steps that a database records with their digests.

use std::sync::Arc;

use super::link::{Link, Trouble};
use crate::chain::digest;
use crate::{ChainHash, Fault};

/// The files in order; new ones are added at the end.
const FILES: &[(&str, &str)] = &[
    ("initial", include_str!("../../../../migrations/postgres/0001_initial.sql")),
    ("move", include_str!("../../../../migrations/postgres/0002_move.sql")),
    ("shards", include_str!("../../../../migrations/postgres/0003_shards.sql")),
];

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS quorate_migrations (number integer PRIMARY KEY, name text NOT NULL, \
     digest bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())";

/// The version of the tables that this program writes.
pub(super) const NEWEST: u32 = FILES.len() as u32;

/// How many steps were applied.
///
/// # Errors
/// [`Fault::NewerVersion`] for a step of a later program, [`Fault::Corrupt`] for one that reads differently.
async fn applied(link: &Link) -> Result<usize, Trouble> {
    let there: bool =
        link.client.query_one("SELECT to_regclass('quorate_migrations') IS NOT NULL", &[]).await?.get(0);
    if !there {
        return Ok(0);
    }
    let rows =
        link.client.query("SELECT number, digest FROM quorate_migrations ORDER BY number", &[]).await?;
    let rows: Vec<(i32, Vec<u8>)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    check(&rows).map_err(Trouble::Told)
}

fn check(applied: &[(i32, Vec<u8>)]) -> Result<usize, Fault> {
    for (at, (number, digest)) in applied.iter().enumerate() {
        let wrong = |why: &str| Fault::Corrupt { what: format!("{why}. number={number}") };
        let Some((_, text)) = FILES.get(at) else {
            return Err(Fault::NewerVersion { found: number.unsigned_abs(), supported: NEWEST });
        };
        if usize::try_from(*number) != Ok(at + 1) {
            return Err(wrong("a migration of the database is missing before this one"));
        }
        if digest_of(text).0[..] != digest[..] {
            return Err(wrong(
                "a migration was applied to the database in another form than this program knows",
            ));
        }
    }
    Ok(applied.len())
}

fn digest_of(text: &str) -> ChainHash {
    digest(text.as_bytes())
}

/// Brings the tables up to date; makes them only with `create`.
pub(super) async fn bring(link: Arc<Link>, create: bool, shown: &str) -> Result<(), Trouble> {
    // Another process may do the same at this moment; then there is nothing left to do.
    for last in [false, false, true] {
        let done = applied(&link).await?;
        if done == FILES.len() {
            return Ok(());
        }
        if done == 0 && !create {
            return Err(Trouble::Told(Fault::Missing { path: shown.to_owned() }));
        }
        let mut script = format!("BEGIN; {LEDGER};");
        for (number, (name, text)) in (1..).zip(FILES).skip(done) {
            let digest = digest_of(text);
            script.push_str(text);
            script.push_str(&format!(
                "INSERT INTO quorate_migrations (number, name, digest) VALUES ({number}, '{name}', '\\x{digest}');"
            ));
        }
        script.push_str("COMMIT");
        match link.client.batch_execute(&script).await {
            Ok(()) => return Ok(()),
            Err(e) if last => return Err(e.into()),
            Err(e) if e.code().is_none() => return Err(e.into()),
            Err(_) => link.client.batch_execute("ROLLBACK").await?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_migration_is_newer_and_a_changed_or_missing_one_is_corrupt() {
        let known: Vec<_> = (1..).zip(FILES).map(|(n, (_, text))| (n, digest_of(text).0.to_vec())).collect();
        assert_eq!(check(&known), Ok(FILES.len()));
        assert_eq!(check(&[]), Ok(0));
        let more = [&known[..], &[(9, vec![])]].concat();
        assert_eq!(check(&more), Err(Fault::NewerVersion { found: 9, supported: NEWEST }));
        assert!(matches!(check(&[(1, vec![0; 32])]), Err(Fault::Corrupt { .. })));
        assert!(matches!(check(&[(2, known[0].1.clone())]), Err(Fault::Corrupt { .. })));
    }

    #[test]
    fn published_migrations_never_change() {
        let digests: Vec<_> = FILES.iter().map(|(_, text)| digest_of(text).to_string()).collect();
        assert_eq!(
            digests,
            [
                "b8a1b6547aee49610f609b875b7219f67be54f17147cbec335bbbccb38ed4350",
                "d8d8e4564dc02148d0004a53e07aa409a56da6ba239527a76f9ff17d477cc66b",
                "45ca304941d7d318c8dd57bb648d2b44d93e93fe238517346c65eec47cdd4a6a"
            ]
        );
    }
}
