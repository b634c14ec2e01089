//! CSV files.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use quorate_runtime::error::{Error, ErrorKind};

/// A CSV file with a header, `#` comments, and errors that name the line.
pub(super) struct Table<'a> {
    file: String,
    reader: csv::Reader<&'a [u8]>,
    /// The names of the columns.
    pub(super) headers: StringRecord,
    line: u64,
}

impl<'a> Table<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// `invalid_argument` when there is none.
    pub(super) fn new(path: &Path, bytes: &'a [u8]) -> Result<Self, Error> {
        let file = path.display().to_string();
        let reader = ReaderBuilder::new().comment(Some(b'#')).trim(Trim::All).from_reader(bytes);
        let mut table = Table { file, reader, headers: StringRecord::new(), line: 1 };
        let headers = table.reader.headers().cloned();
        table.headers = headers.map_err(|e| table.csv_error(&e))?;
        if table.headers.is_empty() {
            return Err(table.error("the file is empty"));
        }
        Ok(table)
    }

    /// Where a column stands that must be there.
    ///
    /// # Errors
    /// `invalid_argument` when it is not, with the columns there are.
    pub(super) fn column(&self, name: &str) -> Result<usize, Error> {
        self.headers.iter().position(|header| header == name).ok_or_else(|| {
            let found: Vec<&str> = self.headers.iter().collect();
            let message = format!("the header has no column {name:?}. columns={:?}", found.join(","));
            self.error(&message).with("column", name)
        })
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// `invalid_argument` for a line that is no CSV, not UTF-8, or not as wide as the header.
    pub(super) fn next(&mut self) -> Result<Option<StringRecord>, Error> {
        let mut record = StringRecord::new();
        match self.reader.read_record(&mut record) {
            Ok(true) => {
                self.line = record.position().map_or(self.line, csv::Position::line);
                Ok(Some(record))
            }
            Ok(false) => Ok(None),
            Err(e) => Err(self.csv_error(&e)),
        }
    }

    fn csv_error(&mut self, error: &csv::Error) -> Error {
        self.line = error.position().map_or(self.line, csv::Position::line);
        let what = match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("the line has {len} fields, the header has {expected_len}")
            }
            csv::ErrorKind::Utf8 { .. } => "the line is not UTF-8".into(),
            _ => format!("the line cannot be read as CSV: {error}"),
        };
        self.error(&what)
    }

    /// What is wrong with the line read last.
    pub(super) fn error(&self, what: &str) -> Error {
        let message = format!("{what}. file={}, line={}", self.file, self.line);
        Error::new(ErrorKind::InvalidArgument, message)
            .with("file", self.file.as_str())
            .with("line", self.line)
    }
}
