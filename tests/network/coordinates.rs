//! Are coordinates as good on measured matrices as is promised? `cargo bench -p quorate-core --bench vivaldi` prints more.

use quorate_core::network::coordinate::VivaldiConfig;

use crate::matrices;
use crate::vivaldi::{Noise, World, below, quantile};

const SEED: u64 = 1;

fn medians(world: World, rounds: usize) -> f64 {
    let world = world.run(rounds);
    for node in &world.nodes {
        assert_eq!(node.counters().resets, 0);
    }
    quantile(&world.errors(), 0.5)
}

#[test]
fn on_aws_half_of_the_estimates_are_within_8_percent_also_with_spikes() {
    let Some(matrix) = matrices::aws() else { return };
    let config = VivaldiConfig::default();
    let error = medians(World::new(&matrix, &config, Noise::None, SEED), 200);
    assert!(error <= 0.076, "{error}");
    let error = medians(World::new(&matrix, &config, Noise::Spikes, SEED), 200);
    assert!(error <= 0.086, "{error}");
}

#[test]
fn on_planetlab_half_of_the_estimates_are_within_8_percent_after_200_samples() {
    let Some(matrix) = matrices::planetlab() else { return };
    let error = medians(World::new(&matrix, &VivaldiConfig::default(), Noise::None, SEED), 200);
    assert!(error <= 0.081, "{error}");
}

#[test]
fn a_node_that_joins_a_settled_system_knows_its_way_after_ten_samples() {
    let Some(matrix) = matrices::planetlab() else { return };
    let mut world = World::new(&matrix, &VivaldiConfig::default(), Noise::None, SEED).run(300);
    let n = matrix.len();
    let mut sum = 0.0;
    for node in (0..n).step_by(10) {
        world.restart(node);
        for _ in 0..10 {
            let to = (node + 1 + below(&mut world.rng, n - 1)) % n;
            world.sample(node, to);
        }
        sum += world.median_of(node);
    }
    let error = sum / 49.0;
    assert!(error <= 0.15, "{error}");
}

/// Three of ten nodes say they are anywhere, and are sure of it.
#[test]
fn liars_cost_accuracy_and_nothing_else() {
    for (matrix, rounds, most) in [(matrices::aws(), 200, 0.1), (matrices::planetlab(), 150, 0.15)] {
        let Some(matrix) = matrix else { return };
        let mut world = World::new(&matrix, &VivaldiConfig::default(), Noise::None, SEED);
        world.liars = matrix.len() * 3 / 10;
        let error = medians(world, rounds);
        assert!(error <= most, "{}: {error}", matrix.name);
    }
}
