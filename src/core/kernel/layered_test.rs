use super::*;
use crate::kernel::rng::Rng;

type Map = Layered<u8, u32>;

fn entries(map: &Map) -> Vec<(u8, u32)> {
    map.iter().map(|(key, value)| (*key, *value)).collect()
}

fn below(rng: &mut Rng, end: u64) -> u64 {
    rng.next_u64() % end
}

/// One random change to both maps, which must say the same about it.
fn change(rng: &mut Rng, map: &mut Map, twin: &mut BTreeMap<u8, u32>) {
    let (what, value) = (below(rng, 3), below(rng, 1_000) as u32);
    let key = below(rng, 40) as u8;
    match what {
        0 => {
            map.insert(key, value);
            twin.insert(key, value);
        }
        1 => assert_eq!(map.remove(&key), twin.remove(&key)),
        _ => {
            let (one, other) = (map.get_mut(&key), twin.get_mut(&key));
            assert_eq!(one, other);
            one.into_iter().chain(other).for_each(|at| *at = value);
        }
    }
}

fn agree(map: &Map, twin: &BTreeMap<u8, u32>) {
    assert_eq!(entries(map), twin.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>());
    assert_eq!((map.len(), map.is_empty()), (twin.len(), twin.is_empty()));
    assert!(map.values().eq(twin.values()));
    for key in 0..40 {
        assert_eq!((map.get(&key), map.contains_key(&key)), (twin.get(&key), twin.contains_key(&key)));
    }
    let stored = serde_json::to_string(map).unwrap();
    assert_eq!(stored, serde_json::to_string(twin).unwrap());
    assert_eq!(&serde_json::from_str::<Map>(&stored).unwrap(), map);
}

#[test]
fn copies_of_copies_behave_like_plain_maps_of_their_own() {
    let mut rng = Rng::new(7);
    for _ in 0..50 {
        let mut all = vec![(Map::default(), BTreeMap::new())];
        for _ in 0..300 {
            let which = below(&mut rng, all.len() as u64) as usize;
            match below(&mut rng, 12) {
                0 if all.len() < 5 => all.push(all[which].clone()),
                1 if all.len() > 1 => drop(all.remove(which)),
                _ => {
                    let (map, twin) = &mut all[which];
                    change(&mut rng, map, twin);
                }
            }
            all.iter().for_each(|(map, twin)| agree(map, twin));
        }
    }
}

#[test]
fn a_change_to_a_copy_leaves_what_both_share_where_it_is() {
    let mut first = Map::default();
    (0..100).for_each(|key| first.insert(key, 1));
    let mut second = first.clone();
    second.insert(7, 2);
    second.remove(&8);
    assert!(Arc::ptr_eq(&first.base, &second.base));
    assert_eq!((first.get(&7), first.get(&8)), (Some(&1), Some(&1)));
    assert_eq!((second.get(&7), second.get(&8), second.len()), (Some(&2), None, 99));
}

#[test]
fn with_its_copies_gone_a_map_has_nothing_above_its_base() {
    let mut map = Map::default();
    let copy = map.clone();
    map.insert(1, 1);
    assert!(copy.is_empty() && map.changes.len() == 1);
    drop(copy);
    map.insert(2, 2);
    assert_eq!((map.base.len(), map.changes.len(), entries(&map)), (2, 0, vec![(1, 1), (2, 2)]));
}

#[test]
fn a_copy_that_is_changed_much_gets_a_base_of_its_own() {
    let mut map = Map::default();
    let copy = map.clone();
    (0..=FEW as u8).for_each(|key| map.insert(key, 1));
    assert!(Arc::ptr_eq(&copy.base, &map.base));
    map.insert(FEW as u8 + 1, 1);
    assert!(!Arc::ptr_eq(&copy.base, &map.base) && map.changes.is_empty());
    assert_eq!((copy.len(), map.len()), (0, FEW + 2));
}
