use super::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;
use tlog_tiles::{EMPTY_HASH, check_record, check_tree, node_hash, record_hash};

/// Tiles in memory.
#[derive(Clone, Debug, Default)]
pub struct Kept(pub Rc<RefCell<BTreeMap<String, Vec<u8>>>>);

impl Tiles for Kept {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.borrow().get(path).cloned()
    }

    fn write(&self, path: &str, hashes: &[u8]) -> Result<(), String> {
        assert_eq!(hashes.len(), 8_192);
        assert!(self.0.borrow_mut().insert(path.to_owned(), hashes.to_vec()).is_none(), "{path} twice");
        Ok(())
    }
}

fn leaf(number: u64) -> Hash {
    record_hash(&number.to_be_bytes())
}

fn grown(size: u64) -> Tree<Kept> {
    let mut tree = Tree::new(Kept::default());
    (0..size).for_each(|number| tree.push(leaf(number)).unwrap());
    tree
}

/// RFC 6962 §2.1, as it is written there.
fn naive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_HASH,
        [one] => *one,
        more => {
            let mut half = 1;
            while half * 2 < more.len() {
                half *= 2;
            }
            node_hash(naive(&more[..half]), naive(&more[half..]))
        }
    }
}

#[test]
fn the_roots_are_those_of_certificate_transparency() {
    // The leaves and roots in the tests of github.com/google/certificate-transparency (merkletree).
    let leaves =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let bytes = |hex: &str| crate::proof::unhex("a leaf", hex).unwrap();
    let mut tree = Tree::new(Kept::default());
    for (leaf, root) in leaves.into_iter().zip(roots) {
        tree.push(record_hash(&bytes(leaf))).unwrap();
        assert_eq!(crate::proof::hex(&tree.root().unwrap().0), root);
    }
}

#[test]
fn a_tree_is_found_again_in_its_tiles() {
    let tree = grown(70_000);
    let leaves: Vec<Hash> = (0..70_000).map(leaf).collect();
    assert_eq!(tree.root().unwrap(), naive(&leaves));
    for at_most in [0, 1, 255, 256, 65_535, 65_536, 65_537, 69_999, 70_000] {
        let again = Tree::from_tiles(tree.tiles.clone(), at_most).unwrap();
        assert_eq!(again.size(), at_most / 256 * 256);
        assert_eq!(again.root().unwrap(), naive(&leaves[..again.size() as usize]));
    }
    assert_eq!(tree.tiles.0.borrow().keys().filter(|path| path.starts_with("tile/1/")).count(), 1);
    assert!(
        tree.tiles.0.borrow().contains_key("tile/0/000") && tree.tiles.0.borrow().contains_key("tile/1/000")
    );
}

#[test]
fn a_tile_that_is_damaged_or_gone_is_named_and_no_proof_is_made_of_it() {
    let tree = grown(1_000);
    tree.tiles.0.borrow_mut().get_mut("tile/0/001").unwrap()[77] ^= 1;
    let refused = tree.inclusion(300, 1_000).unwrap_err();
    assert!(matches!(refused, Refusal::Tile { .. }), "{refused}");
    assert!(tree.inclusion(900, 1_000).is_ok(), "the others are sound");
    tree.tiles.0.borrow_mut().remove("tile/0/001");
    let path = "tile/0/001".to_owned();
    assert_eq!(tree.inclusion(300, 1_000).unwrap_err(), Refusal::Tile { path: path.clone() });
    assert_eq!(Tree::from_tiles(tree.tiles.clone(), 1_000).unwrap_err(), Refusal::Tile { path });
}

#[test]
fn what_the_tree_does_not_have_is_refused() {
    let tree = grown(300);
    for refused in [
        tree.inclusion(300, 300).unwrap_err(),
        tree.inclusion(0, 301).unwrap_err(),
        tree.inclusion(0, 0).unwrap_err(),
        tree.consistency(0, 300).unwrap_err(),
        tree.consistency(301, 300).unwrap_err(),
        tree.consistency(1, u64::MAX).unwrap_err(),
        tree.root_at(301).unwrap_err(),
        tree.tile(0, 1, 45).unwrap_err(),
        tree.tile(0, u64::MAX, 256).unwrap_err(),
        tree.tile(8, 0, 1).unwrap_err(),
        tree.tile(0, 0, 0).unwrap_err(),
    ] {
        assert!(matches!(refused, Refusal::Outside { .. }), "{refused}");
    }
    assert_eq!(tree.tile(0, 1, 44).unwrap().len(), 44 * 32);
    assert_eq!(tree.tile(1, 0, 1).unwrap().len(), 32);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_proof_holds_for_its_own_tree_and_for_no_other(
        size in 1u64..1_500, pick in any::<[prop::sample::Index; 3]>(), other in 0u64..1_500,
    ) {
        let tree = grown(size);
        let leaves: Vec<Hash> = (0..size).map(leaf).collect();
        let new = pick[0].index(size as usize) as u64 + 1;
        let index = pick[1].index(new as usize) as u64;
        let old = pick[2].index(new as usize) as u64 + 1;
        let root = |size: u64| naive(&leaves[..size as usize]);
        prop_assert_eq!(tree.root_at(new).unwrap(), root(new));
        let path = tree.inclusion(index, new).unwrap();
        prop_assert!(check_record(&path, new, root(new), index, leaf(index)).is_ok());
        if other != index {
            prop_assert!(check_record(&path, new, root(new), index, leaf(other)).is_err());
        }
        let steps = tree.consistency(old, new).unwrap();
        prop_assert!(check_tree(&steps, new, root(new), old, root(old)).is_ok());
        if other > 0 && other <= size && other != old {
            prop_assert!(check_tree(&steps, new, root(new), old, root(other)).is_err());
        }
    }
}
