//! How wrong network coordinates are on measured matrices, beside nothing but the numbers of the sources.
//!
//! `cargo bench -p quorate-core --bench vivaldi` prints a table. Nothing is timed.

#[path = "../network/matrices.rs"]
mod matrices;
#[path = "../network/vivaldi.rs"]
mod vivaldi;

use matrices::Matrix;
use quorate_core::network::coordinate::VivaldiConfig;
use vivaldi::{Noise, World, below, quantile};

const SEEDS: [u64; 3] = [1, 2, 3];

fn mean(of: impl Fn(u64) -> f64) -> f64 {
    SEEDS.iter().map(|seed| of(*seed)).sum::<f64>() / SEEDS.len() as f64
}

fn main() {
    let config = VivaldiConfig::default();
    println!("median relative error of the default rule, means over seeds {SEEDS:?}");
    println!("{:<43}{:>8}{:>8}{:>14}{:>8}", "", "median", "p90", "within bound", "bound");
    let row = |matrix: &Matrix, noise: Noise, liars: usize, rounds: &[usize]| {
        let mut sums = vec![[0.0; 4]; rounds.len()];
        for seed in SEEDS {
            let mut world = World::new(matrix, &config, noise, seed);
            world.liars = liars;
            for (at, sum) in rounds.iter().zip(&mut sums) {
                while world.rounds < *at {
                    world.round();
                }
                let errors = world.errors();
                let (within, longer) = world.bounds();
                let figures = [quantile(&errors, 0.5), quantile(&errors, 0.9), within, longer];
                sum.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure / SEEDS.len() as f64);
            }
        }
        for (at, [median, p90, within, longer]) in rounds.iter().zip(sums) {
            let spikes = if noise == Noise::Spikes { ", 5 % spikes" } else { "" };
            let lying = if liars > 0 { format!(", {liars} liars") } else { String::new() };
            let name = format!("{}{spikes}{lying}, r={at}", matrix.name);
            println!("{name:<43}{median:>8.3}{p90:>8.3}{:>13.1}%{longer:>7.2}x", within * 100.0);
        }
    };
    if let Some(matrix) = matrices::planetlab() {
        row(&matrix, Noise::None, 0, &[20, 50, 100, 200, 1_000]);
        row(&matrix, Noise::Spikes, 0, &[100, 200, 1_000]);
        row(&matrix, Noise::None, 147, &[200, 1_000]);
        joining(&matrix, &config);
    }
    if let Some(matrix) = matrices::aws() {
        row(&matrix, Noise::None, 0, &[50, 200, 1_000]);
        row(&matrix, Noise::Spikes, 0, &[200, 1_000]);
        row(&matrix, Noise::None, 6, &[200]);
    }
    if let Some(matrix) = matrices::seattle() {
        row(&matrix, Noise::None, 0, &[200]);
    }
}

/// A node that begins anew in a settled system.
fn joining(matrix: &Matrix, config: &VivaldiConfig) {
    for samples in [10, 20] {
        let error = mean(|seed| {
            let mut world = World::new(matrix, config, Noise::None, seed).run(300);
            let n = matrix.len();
            let nodes: Vec<usize> = (0..n).step_by(10).collect();
            let sum: f64 = nodes
                .iter()
                .map(|node| {
                    let before = world.nodes[*node].clone();
                    world.restart(*node);
                    for _ in 0..samples {
                        let to = (node + 1 + below(&mut world.rng, n - 1)) % n;
                        world.sample(*node, to);
                    }
                    let error = world.median_of(*node);
                    world.nodes[*node] = before;
                    error
                })
                .sum();
            sum / nodes.len() as f64
        });
        println!("{:<43}{error:>8.3}", format!("{}, joining node, {samples} samples", matrix.name));
    }
}
