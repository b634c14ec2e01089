//! The address of a database, which may hold a password that nobody is to see.

use std::fmt;

/// What a database is called by: `postgres://…`. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The address, when the text is one.
    pub fn of(text: &str) -> Option<Self> {
        ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
            .then(|| DatabaseUrl(text.to_owned()))
    }

    /// The address as it was given, password and all.
    #[cfg(feature = "store-postgres")]
    pub(crate) fn whole(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("postgres", ""));
        write!(f, "{scheme}://")?;
        // A password that was not written as a URL wants it may hold any sign.
        let rest = match rest.rsplit_once('@') {
            Some((before, rest)) if before.contains('=') => {
                write!(f, "…@")?;
                rest
            }
            Some((before, rest)) => {
                match before.split_once(':') {
                    Some((user, _)) => write!(f, "{user}:…@")?,
                    None => write!(f, "{before}@")?,
                }
                rest
            }
            None => rest,
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        write!(f, "{place}")?;
        for (n, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            let shown = match pair.split_once('=') {
                Some((name, _)) if name.contains("pass") => format!("{name}=…"),
                _ => pair.to_owned(),
            };
            write!(f, "{}{shown}", if n == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (given, shown) in [
            ("postgres://ann:s3cret@db:5432/q?sslmode=require", "postgres://ann:…@db:5432/q?sslmode=require"),
            ("postgresql://ann:s3cret@x@y:z@db/q", "postgresql://ann:…@db/q"),
            (
                "postgres:///q?host=/run&user=ann&password=s3cret",
                "postgres:///q?host=/run&user=ann&password=…",
            ),
            ("postgres://ann:s3?cr&et@db/q", "postgres://ann:…@db/q"),
            ("postgres:///q?password=a@b&user=ann", "postgres://…@b&user=ann"),
            ("postgres://ann@db/q", "postgres://ann@db/q"),
            ("postgres://db/q", "postgres://db/q"),
        ] {
            let url = DatabaseUrl::of(given).unwrap();
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.to_owned(), shown.to_owned()));
        }
        assert_eq!(DatabaseUrl::of("/var/lib/quorate"), None);
    }
}
