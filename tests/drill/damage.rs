//! The damages, each of one place in one folder.

use std::fmt;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use quorate_core::kernel::rng::Rng;

/// A kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Flip,
    Noise,
    ZeroBlock,
    Truncate,
    Delete,
    Other,
    Swap,
    Older,
}

/// The kinds in turn; those with the most places come more often.
pub const KINDS: [Kind; 16] = [
    Kind::Flip,
    Kind::Truncate,
    Kind::Flip,
    Kind::Noise,
    Kind::Flip,
    Kind::Delete,
    Kind::Flip,
    Kind::ZeroBlock,
    Kind::Flip,
    Kind::Other,
    Kind::Flip,
    Kind::Swap,
    Kind::Noise,
    Kind::Older,
    Kind::Flip,
    Kind::Truncate,
];

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Flip => "flip",
            Kind::Noise => "noise",
            Kind::ZeroBlock => "zero block",
            Kind::Truncate => "truncate",
            Kind::Delete => "delete",
            Kind::Other => "other store's",
            Kind::Swap => "swap",
            Kind::Older => "older copy",
        }
    }
}

/// What is done to which file.
pub struct Damage {
    pub kind: Kind,
    file: PathBuf,
    at: u64,
    bytes: Vec<u8>,
    with: PathBuf,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} at {}", self.kind.name(), self.file.display(), self.at)?;
        match (self.kind, self.with.file_name()) {
            (Kind::Flip | Kind::Noise, _) => write!(f, ": {:?}", self.bytes),
            (Kind::Swap, _) => write!(f, " with {}", self.with.display()),
            _ => Ok(()),
        }
    }
}

fn files(root: &Path) -> Vec<(PathBuf, u64)> {
    let mut out = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for item in fs::read_dir(dir).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let size = path.metadata().unwrap().len();
                out.push((path.strip_prefix(root).unwrap().to_owned(), size));
            }
        }
    }
    out.sort();
    out
}

impl Damage {
    /// A damage of this kind of the folder `home/base`, or `None` where there is nothing of that kind to damage.
    pub fn any(home: &Path, kind: Kind, rng: &mut Rng) -> Option<Self> {
        let base = home.join("base");
        let mut below = |n: u64| rng.next_u64() % n.max(1);
        let all: Vec<_> = files(&base).into_iter().filter(|(path, _)| !path.ends_with("LOCK")).collect();
        let pick = |files: &[(PathBuf, u64)], below: &mut dyn FnMut(u64) -> u64| -> Option<(PathBuf, u64)> {
            let n = below(files.len() as u64) as usize;
            files.get(n).cloned()
        };
        let mut damage =
            Damage { kind, file: PathBuf::new(), at: 0, bytes: Vec::new(), with: PathBuf::new() };
        // Small files hold few bytes that matter; each file is taken about as often as it has bytes, but none never.
        let filled: Vec<_> = all.iter().filter(|(_, size)| *size > 0).cloned().collect();
        match kind {
            Kind::Flip | Kind::Noise | Kind::ZeroBlock => {
                let large: Vec<_> = filled.iter().filter(|(_, size)| *size > 4_096).cloned().collect();
                let of = if below(4) == 0 { &filled } else { &large };
                let (file, _) = pick(of, &mut below)?;
                let bytes = fs::read(base.join(&file)).unwrap();
                let said: Vec<u64> = (0..bytes.len() as u64).filter(|at| bytes[*at as usize] != 0).collect();
                let mut at = said.get(below(said.len() as u64) as usize).copied().unwrap_or(0);
                if below(10) == 0 {
                    at = below(bytes.len() as u64);
                }
                damage.bytes = match kind {
                    Kind::Flip => vec![bytes[at as usize] ^ (1 << below(8))],
                    Kind::Noise => (0..5).map(|_| below(256) as u8).collect(),
                    _ => {
                        at = at / 4_096 * 4_096;
                        vec![0; (bytes.len() as u64 - at).min(4_096) as usize]
                    }
                };
                let end = (at as usize + damage.bytes.len()).min(bytes.len());
                damage.bytes.truncate(end - at as usize);
                if bytes[at as usize..end] == damage.bytes[..] {
                    return None;
                }
                (damage.file, damage.at) = (file, at);
            }
            Kind::Truncate => {
                let (file, size) = pick(&filled, &mut below)?;
                (damage.file, damage.at) = (file, below(size));
            }
            Kind::Delete => damage.file = pick(&all, &mut below)?.0,
            Kind::Other | Kind::Older => {
                let from = home.join(if kind == Kind::Other { "other" } else { "old" });
                let there: Vec<_> = all
                    .iter()
                    .filter(|(path, _)| {
                        let theirs = fs::read(from.join(path));
                        theirs.is_ok_and(|theirs| theirs != fs::read(base.join(path)).unwrap())
                    })
                    .cloned()
                    .collect();
                damage.file = pick(&there, &mut below)?.0;
                damage.with = from.join(&damage.file);
            }
            Kind::Swap => {
                damage.file = pick(&filled, &mut below)?.0;
                damage.with = pick(&filled, &mut below)?.0;
                if fs::read(base.join(&damage.file)).unwrap() == fs::read(base.join(&damage.with)).unwrap() {
                    return None;
                }
            }
        }
        Some(damage)
    }

    /// Damages `folder`, a copy of `home/base`.
    pub fn apply(&self, home: &Path, folder: &Path) {
        let path = folder.join(&self.file);
        let open = || fs::File::options().write(true).open(&path).unwrap();
        match self.kind {
            Kind::Flip | Kind::Noise | Kind::ZeroBlock => open().write_all_at(&self.bytes, self.at).unwrap(),
            Kind::Truncate => open().set_len(self.at).unwrap(),
            Kind::Delete => fs::remove_file(path).unwrap(),
            Kind::Other | Kind::Older => drop(fs::copy(&self.with, path).unwrap()),
            Kind::Swap => {
                fs::copy(home.join("base").join(&self.file), folder.join(&self.with)).unwrap();
                fs::copy(home.join("base").join(&self.with), path).unwrap();
            }
        }
    }
}

pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_dir(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}
