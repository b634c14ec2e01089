//! A folder of the first format, as `tests/golden/folder1` keeps it: killed while it served, large groups in it.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

/// Records in it.
pub const RECORDS: u64 = 12;

/// Lays it out at `path`: name length 2, name, length 8, bytes, for each file.
pub fn lay_out(path: &Path) {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/folder1/folder.gz");
    let mut bytes = Vec::new();
    GzDecoder::new(&fs::read(packed).unwrap()[..]).read_to_end(&mut bytes).unwrap();
    let mut rest = &bytes[..];
    while let Some((length, more)) = rest.split_first_chunk::<2>() {
        let (name, more) = more.split_at(u16::from_be_bytes(*length).into());
        let (length, more) = more.split_first_chunk::<8>().unwrap();
        let (content, more) = more.split_at(u64::from_be_bytes(*length) as usize);
        let file = path.join(std::str::from_utf8(name).unwrap());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        rest = more;
    }
}
