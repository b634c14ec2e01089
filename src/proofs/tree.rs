//! The tree: leaves come at its right edge, in tiles of 256 hashes. A full tile never changes, so it can be kept anywhere;
//! the tiles at the right edge are in memory.
//!
//! ```text
//!  level 2                      [ · ]                       each hash stands for 256 hashes below
//!  level 1      [ 256 hashes ]          [ · · · ]
//!  level 0   [256] [256] … [256]     [256] [256] [· ·]      each hash stands for one entry
//!             full: kept by Tiles                 at the edge
//! ```

use std::cell::RefCell;

use tlog_tiles::{
    Error, HASH_SIZE, Hash, HashReader, Tile, prove_record, prove_tree, stored_hash_index, tree_hash,
};

use super::Refusal;

/// The height of tiles, by the specification.
const HEIGHT: u8 = 8;
/// Hashes of a full tile.
pub const WIDTH: usize = 1 << HEIGHT;
/// Levels of tiles that a tree of 2^64 entries has.
const LEVELS: u8 = 8;

/// Where full tiles are kept.
pub trait Tiles {
    /// The hashes of a full tile: 8,192 bytes. `None` when there is none or it is damaged.
    fn read(&self, path: &str) -> Option<Vec<u8>>;

    /// Keeps a full tile.
    ///
    /// # Errors
    /// When it cannot be kept, with the cause.
    fn write(&self, path: &str, hashes: &[u8]) -> Result<(), String>;
}

/// Where a full tile stands below the log, as the specification names it: `tile/0/x001/067`.
fn path_of(tile: &Tile) -> String {
    // The specification leaves out the height, which the library puts first.
    tile.path().replacen("tile/8/", "tile/", 1)
}

/// A full tile of a level.
fn full(level: u8, number: u64) -> Tile {
    Tile::new(HEIGHT, level, number, WIDTH as u32, false)
}

/// A tree over the entries so far.
#[derive(Clone, Debug)]
pub struct Tree<T> {
    size: u64,
    /// The hashes of each level that are not in a full tile yet.
    edge: Vec<Vec<u8>>,
    tiles: T,
}

impl<T: Tiles> Tree<T> {
    /// A tree without entries.
    pub fn new(tiles: T) -> Self {
        Tree { size: 0, edge: vec![Vec::new()], tiles }
    }

    /// The largest tree that the full tiles hold by themselves, of at most so many entries.
    ///
    /// # Errors
    /// [`Refusal::Tile`] when one is missing or damaged.
    pub fn from_tiles(tiles: T, at_most: u64) -> Result<Self, Refusal> {
        let mut count = at_most / WIDTH as u64;
        let size = count * WIDTH as u64;
        let mut edge = vec![Vec::new()];
        let mut level = 0;
        while count > 0 && level + 1 < LEVELS {
            // The tiles of this level that no full tile above stands for yet.
            let above = count / WIDTH as u64;
            let mut hashes = Vec::new();
            for number in above * WIDTH as u64..count {
                let path = path_of(&full(level, number));
                let tile = tiles.read(&path).filter(|tile| tile.len() == WIDTH * HASH_SIZE);
                hashes.extend_from_slice(&Tile::subtree_hash(&tile.ok_or(Refusal::Tile { path })?).0);
            }
            edge.push(hashes);
            count = above;
            level += 1;
        }
        Ok(Tree { size, edge, tiles })
    }

    /// How many entries it is over.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the next entry, by the hash of its leaf.
    ///
    /// # Errors
    /// [`Refusal::Tile`] when a tile that is full now cannot be kept; the tree is not to be used any more then.
    pub fn push(&mut self, leaf: Hash) -> Result<(), Refusal> {
        let mut hash = leaf;
        let mut level = 0;
        loop {
            let Some(edge) = self.edge.get_mut(level) else {
                self.edge.push(hash.0.to_vec());
                break;
            };
            edge.extend_from_slice(&hash.0);
            if edge.len() < WIDTH * HASH_SIZE {
                break;
            }
            let number = self.size >> (usize::from(HEIGHT) * (level + 1));
            // A tree has at most eight levels, so the number of one fits.
            let path = path_of(&full(level as u8, number));
            self.tiles.write(&path, edge).map_err(|_| Refusal::Tile { path })?;
            hash = Tile::subtree_hash(edge);
            edge.clear();
            level += 1;
        }
        self.size += 1;
        Ok(())
    }

    /// The root over all entries.
    ///
    /// # Errors
    /// [`Refusal::Tile`] when a tile is missing or damaged.
    pub fn root(&self) -> Result<Hash, Refusal> {
        self.root_at(self.size)
    }

    /// The root that the tree had at an earlier size.
    ///
    /// # Errors
    /// [`Refusal::Outside`] for a size it never had, [`Refusal::Tile`] when a tile is missing.
    pub fn root_at(&self, size: u64) -> Result<Hash, Refusal> {
        self.check_size("size", size, 0)?;
        let reader = Raw::of(self);
        tree_hash(size, &reader).map_err(|e| reader.refusal(&e))
    }

    /// The hashes that lead from an entry, numbered from 0, to the root of the tree of this size.
    ///
    /// # Errors
    /// [`Refusal::Outside`] for an entry or a size that is not there, [`Refusal::Tile`] when a tile is missing or does not
    /// fit the root.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, Refusal> {
        self.check_size("tree_size", size, 1)?;
        if index >= size {
            return Err(Refusal::Outside { field: "leaf_index", given: index, low: 0, high: size - 1 });
        }
        let reader = Raw::of(self);
        prove_record(size, index, &reader).map_err(|e| reader.refusal(&e))
    }

    /// The hashes that show that the tree of size `new` begins with the tree of size `old`.
    ///
    /// # Errors
    /// [`Refusal::Outside`] for a size that is not there, [`Refusal::Tile`] when a tile is missing or does not fit the root.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, Refusal> {
        self.check_size("tree_size", new, 1)?;
        if old == 0 || old > new {
            return Err(Refusal::Outside { field: "old_size", given: old, low: 1, high: new });
        }
        let reader = Raw::of(self);
        prove_tree(new, old, &reader).map_err(|e| reader.refusal(&e))
    }

    /// A tile of the specification by its level, number and width, for whoever copies the tree.
    ///
    /// # Errors
    /// [`Refusal::Outside`] for one that the tree does not have, [`Refusal::Tile`] when it is missing.
    pub fn tile(&self, level: u8, number: u64, width: u32) -> Result<Vec<u8>, Refusal> {
        let hashes = self.size.checked_shr(u32::from(HEIGHT) * u32::from(level)).unwrap_or(0);
        let last = number.checked_mul(WIDTH as u64).and_then(|first| first.checked_add(width.into()));
        if level >= LEVELS || width == 0 || width as usize > WIDTH || last.is_none_or(|last| last > hashes) {
            return Err(Refusal::Outside {
                field: "tile",
                given: number,
                low: 0,
                high: hashes / WIDTH as u64,
            });
        }
        let tile = Tile::new(HEIGHT, level, number, width, false);
        let reader = Raw::of(self);
        let mut hashes = reader.hashes(&tile).map_err(|e| reader.refusal(&e))?;
        hashes.truncate(width as usize * HASH_SIZE);
        Ok(hashes)
    }

    fn check_size(&self, field: &'static str, size: u64, low: u64) -> Result<(), Refusal> {
        if (low..=self.size).contains(&size) {
            return Ok(());
        }
        Err(Refusal::Outside { field, given: size, low, high: self.size })
    }
}

/// The tree as the library reads it.
struct Raw<'t, T> {
    tree: &'t Tree<T>,
    /// The tile that could not be read.
    missing: RefCell<Option<String>>,
}

impl<'t, T: Tiles> Raw<'t, T> {
    fn of(tree: &'t Tree<T>) -> Self {
        Raw { tree, missing: RefCell::new(None) }
    }

    fn refusal(&self, error: &Error) -> Refusal {
        let path = self.missing.borrow_mut().take();
        Refusal::Tile { path: path.unwrap_or_else(|| error.to_string()) }
    }

    /// The hashes of a tile, at least as many as it is wide. A full one must fit the hash that stands for it in the tile
    /// above, and that tile the one above it, up to the edge.
    fn hashes(&self, tile: &Tile) -> Result<Vec<u8>, Error> {
        let wanted = tile.width() as usize * HASH_SIZE;
        let (level, number) = (tile.level(), tile.level_index());
        if number >= self.tree.size >> (u32::from(HEIGHT) * (u32::from(level) + 1)) {
            let edge = self.tree.edge.get(usize::from(level)).filter(|edge| edge.len() >= wanted);
            return edge.cloned().ok_or(Error::IndexesNotInTree);
        }
        let path = path_of(&full(level, number));
        let read = self.tree.tiles.read(&path).filter(|read| read.len() == WIDTH * HASH_SIZE);
        let above = Tile::from_index(HEIGHT, stored_hash_index(HEIGHT * (level + 1), number));
        let stands_for =
            above.hash_at_index(&self.hashes(&above)?, stored_hash_index(HEIGHT * (level + 1), number))?;
        match read {
            Some(read) if Tile::subtree_hash(&read) == stands_for => Ok(read),
            Some(_) | None => {
                *self.missing.borrow_mut() = Some(path);
                Err(Error::InvalidTile)
            }
        }
    }
}

impl<T: Tiles> HashReader for Raw<'_, T> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let hash = |index: &u64| {
            let tile = Tile::from_index(HEIGHT, *index);
            tile.hash_at_index(&self.hashes(&tile)?, *index)
        };
        indexes.iter().map(hash).collect()
    }
}

#[cfg(test)]
#[path = "tree_test.rs"]
pub(crate) mod tests;
