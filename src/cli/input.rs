//! Input files: a script read line by line, and whole files that may be packed with gzip.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use quorate_runtime::error::{Error, ErrorKind};

/// Longest line of a script, in bytes.
pub(super) const MAX_LINE: usize = 16 << 20;
/// Largest file read whole, in bytes after unpacking.
const MAX_FILE: u64 = 2 << 30;

/// One line of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Its bytes, without the end of line.
    Bytes(Vec<u8>),
    /// It is longer than [`MAX_LINE`]; its bytes were passed over.
    TooLong,
}

/// Lines of a script, numbered from 1.
pub(super) struct Lines {
    from: Box<dyn BufRead>,
    name: String,
    number: u64,
}

impl Lines {
    /// Opens a file, or stdin for `-`.
    ///
    /// # Errors
    /// `invalid_argument` when it cannot be opened.
    pub(super) fn open(name: &str) -> Result<Self, Error> {
        let from: Box<dyn BufRead> = if name == "-" {
            Box::new(BufReader::new(io::stdin()))
        } else {
            Box::new(BufReader::new(File::open(name).map_err(|e| unreadable(name, &e))?))
        };
        Ok(Lines { from, name: name.to_owned(), number: 0 })
    }

    /// The next line and its number; `None` at the end.
    ///
    /// # Errors
    /// `invalid_argument` when the file cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Line)>, Error> {
        let read = read_line(self.from.as_mut(), MAX_LINE).map_err(|e| unreadable(&self.name, &e))?;
        self.number += 1;
        Ok(read.map(|line| (self.number, line)))
    }
}

fn read_line(from: &mut dyn BufRead, longest: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    // One byte more for the end of line.
    let mut limited = from.take(longest as u64 + 1);
    if limited.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Some(Line::Bytes(line)));
    }
    if line.len() <= longest {
        return Ok(Some(Line::Bytes(line)));
    }
    loop {
        let chunk = from.fill_buf()?;
        let (used, ended) = match chunk.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (chunk.len(), chunk.is_empty()),
        };
        from.consume(used);
        if ended {
            return Ok(Some(Line::TooLong));
        }
    }
}

/// Reads a whole file and unpacks it when it begins like gzip, whatever its name.
///
/// # Errors
/// `invalid_argument` when it cannot be read or its gzip is damaged, `payload_too_large` above 2 GiB.
pub(super) fn read_whole(path: &Path) -> Result<Vec<u8>, Error> {
    let name = path.display().to_string();
    let mut file = BufReader::new(File::open(path).map_err(|e| unreadable(&name, &e))?);
    let packed = file.fill_buf().map_err(|e| unreadable(&name, &e))?.starts_with(&[0x1f, 0x8b]);
    let mut bytes = Vec::new();
    if packed {
        MultiGzDecoder::new(file).take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| {
            Error::new(
                ErrorKind::InvalidArgument,
                format!("the file is damaged gzip. file={name}, cause={e}"),
            )
        })?;
    } else {
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| unreadable(&name, &e))?;
    }
    if bytes.len() as u64 > MAX_FILE {
        let message = format!("the file is too large. file={name}, limit={MAX_FILE} bytes");
        return Err(Error::new(ErrorKind::PayloadTooLarge, message));
    }
    Ok(bytes)
}

fn unreadable(name: &str, cause: &io::Error) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("the file cannot be read. file={name}, cause={cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_one_read() {
        let mut input: &[u8] = b"12345\n123456\n\n1234567";
        let mut next = || read_line(&mut input, 5).unwrap();
        assert_eq!(next(), Some(Line::Bytes(b"12345".to_vec())));
        assert_eq!(next(), Some(Line::TooLong));
        assert_eq!(next(), Some(Line::Bytes(Vec::new())));
        assert_eq!(next(), Some(Line::TooLong));
        assert_eq!(next(), None);
    }
}
