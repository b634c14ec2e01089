//! The events of the mesh and of the registry of algorithms.

use quorate_core::kernel::ids::{CellId, VoterId};
use quorate_core::voting::algorithms;
use quorate_core::voting::rules::RuleSpec;
use quorate_core::voting::topology::event::{self as topology, Cell};

use crate::events::variants;

pub(crate) fn mesh() -> Vec<topology::Event> {
    let cell_id = |name: &str| CellId::new(name).unwrap();
    let cell = Cell {
        neighbors: vec![cell_id("窓"), cell_id("b")],
        ring: Some(300),
        arm: Some("east".into()),
        department: Some("é".into()),
    };
    vec![
        topology::Event::CellRegistered { cell_id: cell_id("a"), cell },
        topology::Event::CellRegistered { cell_id: cell_id("b"), cell: Cell::default() },
        topology::Event::AuthorityRegistered { authority_id: VoterId::new("窓").unwrap() },
    ]
}

pub(crate) fn algorithms() -> Vec<algorithms::Event> {
    let required = || RuleSpec::new("required").with("count", 300u32);
    let earlier = RuleSpec::new("at_least").with("fraction", "2/3");
    let replaced = |by: Option<&str>| algorithms::Event::Replaced {
        name: "four".into(),
        rule: required(),
        earlier: earlier.clone(),
        by: by.map(str::to_owned),
    };
    vec![
        algorithms::Event::Registered { name: "één".into(), rule: required() },
        algorithms::Event::Unregistered { name: "two".into() },
        algorithms::Event::DefaultSet { name: "three".into() },
        replaced(Some("ann")),
        replaced(None),
    ]
}

variants!(mesh_variants of topology::Event: CellRegistered, AuthorityRegistered);
variants!(algorithms_variants of algorithms::Event: Registered, Unregistered, DefaultSet, Replaced);
