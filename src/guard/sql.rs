//! A row of an SQL table that only the latest leader can change: the token stands in the condition of the statement.
//!
//! ```sql
//! UPDATE jobs SET value = $1, fence = $2 WHERE id = $3 AND fence <= $2
//! ```
//!
//! The database compares and writes in one statement, so nothing comes in between, at any level of isolation: whoever
//! waits for the row's lock compares again with what it finds then. *One row changed* means taken. *No row changed* means
//! that the token was stale, or, of an update, that there is no such row; [`RowGuard::held`] tells which.
//!
//! The statements run on SQLite (3.24 and later) and PostgreSQL as they are. MySQL has no condition on its insert form, and by
//! default counts a row as changed only if a value differs: use the update there, and count found rows.
//!
//! # Source
//! SQLite documentation, *UPSERT*; PostgreSQL documentation, *INSERT*, `ON CONFLICT`, and *Transaction isolation*, 13.2.1:
//! an updater that waited evaluates the condition again.

use crate::core::jobs::protocol::token::FenceToken;

/// Longest name PostgreSQL keeps.
const LONGEST: usize = 63;

/// Not a name of a table or column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} is not a plain name, expected 1 to 63 of a-z A-Z 0-9 _, not beginning with a digit. given={given:?}"
)]
pub struct BadName {
    /// Which of the names.
    pub what: &'static str,
    /// What was given.
    pub given: String,
}

/// The token does not fit a signed 64-bit column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fencing token does not fit the column, expected 1 to 9223372036854775807. given={0}")]
pub struct TokenTooLarge(pub u64);

/// The statements that guard the rows of one table.
///
/// ```
/// use quorate::guard::RowGuard;
///
/// let guard = RowGuard::new("jobs", "id", "value", "fence")?;
/// assert_eq!(guard.update(), r#"UPDATE "jobs" SET "value" = $1, "fence" = $2 WHERE "id" = $3 AND "fence" <= $2"#);
/// # Ok::<(), quorate::guard::BadName>(())
/// ```
#[derive(Clone, Debug)]
pub struct RowGuard {
    table: String,
    id: String,
    value: String,
    fence: String,
    /// Where the stops stand: the table, and the column of their scopes.
    stops: Option<(String, String)>,
}

impl RowGuard {
    /// The guard of a table whose column `id` is its key, and whose column `fence` is a signed 64-bit integer that is not
    /// null.
    ///
    /// # Errors
    /// [`BadName`] for a name that would need more than quotation marks.
    pub fn new(table: &str, id: &str, value: &str, fence: &str) -> Result<Self, BadName> {
        Ok(RowGuard {
            table: quoted("table", table)?,
            id: quoted("id column", id)?,
            value: quoted("value column", value)?,
            fence: quoted("fence column", fence)?,
            stops: None,
        })
    }

    /// The same guard, which also refuses what is stopped. The scopes of the stops in force stand in a column of a table of the
    /// same database, as `stop.list` shows them; [`RowGuard::stop`] and [`RowGuard::go_on`] put them there and take them away. The
    /// statements that write take the scope under which the row is written, such as `job_class:deploy`, as fourth parameter.
    ///
    /// # Errors
    /// [`BadName`] for a name that would need more than quotation marks.
    pub fn under_stops(self, table: &str, scope: &str) -> Result<Self, BadName> {
        let stops = Some((quoted("table of stops", table)?, quoted("scope column", scope)?));
        Ok(RowGuard { stops, ..self })
    }

    /// Puts a scope on the table of stops. Parameter: scope.
    pub fn stop(&self) -> Option<String> {
        self.stops.as_ref().map(|(table, scope)| format!("INSERT INTO {table} ({scope}) VALUES ($1)"))
    }

    /// Takes a scope off the table of stops. Parameter: scope.
    pub fn go_on(&self) -> Option<String> {
        self.stops.as_ref().map(|(table, scope)| format!("DELETE FROM {table} WHERE {scope} = $1"))
    }

    /// The condition that nothing stops a write under the scope in the fourth parameter.
    fn not_stopped(&self) -> Option<String> {
        self.stops.as_ref().map(|(table, scope)| {
            format!("NOT EXISTS (SELECT 1 FROM {table} WHERE {scope} = $4 OR {scope} = 'everything')")
        })
    }

    /// Changes a row that is there. Parameters: value, token, id.
    pub fn update(&self) -> String {
        let RowGuard { table, id, value, fence, stops: _ } = self;
        let stopped = self.not_stopped().map_or(String::new(), |free| format!(" AND {free}"));
        format!("UPDATE {table} SET {value} = $1, {fence} = $2 WHERE {id} = $3 AND {fence} <= $2{stopped}")
    }

    /// Makes the row, or changes the one that is there. Parameters: value, token, id.
    pub fn upsert(&self) -> String {
        let RowGuard { table, id, value, fence, stops: _ } = self;
        let row = match self.not_stopped() {
            Some(free) => format!("SELECT $1, $2, $3 WHERE {free}"),
            None => "VALUES ($1, $2, $3)".to_owned(),
        };
        format!(
            "INSERT INTO {table} ({value}, {fence}, {id}) {row} \
             ON CONFLICT ({id}) DO UPDATE SET {value} = excluded.{value}, {fence} = excluded.{fence} \
             WHERE {table}.{fence} <= excluded.{fence}"
        )
    }

    /// Reads the token of a row. Parameter: id.
    pub fn held(&self) -> String {
        let RowGuard { table, id, value: _, fence, stops: _ } = self;
        format!("SELECT {fence} FROM {table} WHERE {id} = $1")
    }

    /// The token as the column holds it.
    ///
    /// # Errors
    /// [`TokenTooLarge`] from 2⁶³ on, which would be compared as a negative number.
    pub fn parameter(token: FenceToken) -> Result<i64, TokenTooLarge> {
        i64::try_from(token.get()).map_err(|_| TokenTooLarge(token.get()))
    }
}

fn quoted(what: &'static str, name: &str) -> Result<String, BadName> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let starts = name.chars().next().is_some_and(|c| !c.is_ascii_digit());
    if plain && starts && name.len() <= LONGEST {
        return Ok(format!("\"{name}\""));
    }
    let given = name.chars().take(LONGEST + 1).collect();
    Err(BadName { what, given })
}

#[cfg(test)]
#[path = "sql_test.rs"]
mod tests;
