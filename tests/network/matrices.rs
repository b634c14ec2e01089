//! Measured matrices of round trips, where they are at hand: see `../shared/data/rtt`.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

/// Round trips in ms, row to column; 0 or `NaN` where there is none.
pub struct Matrix {
    pub name: &'static str,
    pub rtt_ms: Vec<Vec<f64>>,
}

impl Matrix {
    pub fn len(&self) -> usize {
        self.rtt_ms.len()
    }

    /// The measured round trip of a pair.
    pub fn get(&self, from: usize, to: usize) -> Option<f64> {
        let rtt = self.rtt_ms[from][to];
        (from != to && rtt > 0.0).then_some(rtt)
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/rtt")
}

/// The text of a file of the folder, or nothing and a loud word.
fn text(file: &str) -> Option<String> {
    let path = folder().join(file);
    let Ok(bytes) = fs::read(&path) else {
        eprintln!("SKIPPED: {} is not here, so nothing was measured", path.display());
        return None;
    };
    let mut text = String::new();
    if file.ends_with(".gz") {
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    Some(text)
}

fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split(',').collect()).collect()
}

fn numbers(cells: &[&str]) -> Vec<f64> {
    cells.iter().map(|cell| if cell.is_empty() { 0.0 } else { cell.trim().parse().unwrap() }).collect()
}

pub fn planetlab() -> Option<Matrix> {
    let text = text("planetlab-490-t01.csv.gz")?;
    Some(Matrix { name: "PlanetLab-490", rtt_ms: rows(&text).iter().map(|row| numbers(row)).collect() })
}

pub fn seattle() -> Option<Matrix> {
    let text = text("seattle-99-t001.csv")?;
    Some(Matrix { name: "Seattle-99", rtt_ms: rows(&text).iter().map(|row| numbers(row)).collect() })
}

pub fn aws() -> Option<Matrix> {
    let text = text("aws-21-regions-p50.csv")?;
    let rtt_ms = rows(&text)[1..].iter().map(|row| numbers(&row[1..])).collect();
    Some(Matrix { name: "AWS-21", rtt_ms })
}
