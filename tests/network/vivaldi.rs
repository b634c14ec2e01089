//! Coordinates of many nodes on a measured matrix: everybody starts at the origin, and in each round each node samples
//! one other node at random.

use quorate_core::kernel::ids::NodeId;
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_core::network::coordinate::{
    CoordinateParts, CoordinateTracker, NetworkCoordinate, VivaldiConfig, estimate_rtt_ms,
    estimate_rtt_ucb_ms,
};

use crate::matrices::Matrix;

/// A number of 0 to 1, below 1.
pub fn uniform(rng: &mut Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

pub fn below(rng: &mut Rng, n: usize) -> usize {
    (rng.next_u64() % n as u64) as usize
}

/// What a sample of a round trip suffers on its way.
#[derive(Clone, Copy, PartialEq)]
pub enum Noise {
    None,
    /// 5 % are 2 to 20 times as long, the others a few percent longer.
    Spikes,
}

impl Noise {
    pub fn of(self, rtt: f64, rng: &mut Rng) -> f64 {
        match self {
            Noise::None => rtt,
            Noise::Spikes if uniform(rng) < 0.05 => rtt * (2.0 + 18.0 * uniform(rng)),
            Noise::Spikes => {
                let normal =
                    (-2.0 * (1.0 - uniform(rng)).ln()).sqrt() * (std::f64::consts::TAU * uniform(rng)).cos();
                rtt * (1.0 + 0.05 * normal.abs())
            }
        }
    }
}

pub struct World<'a> {
    pub matrix: &'a Matrix,
    pub nodes: Vec<CoordinateTracker>,
    pub ids: Vec<NodeId>,
    pub rng: Rng,
    pub noise: Noise,
    /// The first so many nodes say they are anywhere, and are sure of it.
    pub liars: usize,
    pub rounds: usize,
}

impl<'a> World<'a> {
    pub fn new(matrix: &'a Matrix, config: &VivaldiConfig, noise: Noise, seed: u64) -> Self {
        let start = Timestamp::EPOCH;
        let nodes = (0..matrix.len()).map(|_| CoordinateTracker::new(config.clone(), start).unwrap());
        World {
            matrix,
            nodes: nodes.collect(),
            ids: (0..matrix.len()).map(|n| NodeId::new(format!("n{n:03}")).unwrap()).collect(),
            rng: Rng::new(seed),
            noise,
            liars: 0,
            rounds: 0,
        }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.rounds as i64 * 1_000)
    }

    fn told(&mut self, by: usize) -> NetworkCoordinate {
        let honest = self.nodes[by].get_coordinate().clone();
        if by >= self.liars {
            return honest;
        }
        let position = (0..honest.dimensions()).map(|_| uniform(&mut self.rng) * 2.0 - 1.0).collect();
        let parts = CoordinateParts { position, error: 0.0, error_ms: 0.0, ..honest.parts().clone() };
        NetworkCoordinate::new(parts, self.now()).unwrap()
    }

    /// One node samples another one.
    pub fn sample(&mut self, from: usize, to: usize) {
        let Some(rtt) = self.matrix.get(from, to) else { return };
        let rtt = self.noise.of(rtt, &mut self.rng);
        let (told, now) = (self.told(to), self.now());
        // A round trip beyond the longest that counts is refused, as it should be.
        let _ = self.nodes[from].update_peer_coordinate(&self.ids[to], told, rtt, now, &mut self.rng);
    }

    pub fn round(&mut self) {
        self.rounds += 1;
        let n = self.matrix.len();
        for from in self.liars..n {
            let to = (from + 1 + below(&mut self.rng, n - 1)) % n;
            self.sample(from, to);
        }
    }

    pub fn run(mut self, rounds: usize) -> Self {
        (0..rounds).for_each(|_| self.round());
        self
    }

    /// Relative errors over the ordered pairs of honest nodes, in order.
    pub fn errors(&self) -> Vec<f64> {
        let n = self.matrix.len();
        let mut errors = Vec::with_capacity(n * n);
        for from in self.liars..n {
            errors.extend((self.liars..n).filter_map(|to| self.error(from, to)));
        }
        errors.sort_by(f64::total_cmp);
        errors
    }

    fn error(&self, from: usize, to: usize) -> Option<f64> {
        let rtt = self.matrix.get(from, to)?;
        let (a, b) = (self.nodes[from].get_coordinate(), self.nodes[to].get_coordinate());
        Some((estimate_rtt_ms(a, b).unwrap() - rtt).abs() / rtt)
    }

    /// Which part of the round trips between honest nodes lies within the upper bound, and by how much the bound is
    /// longer, in the median.
    pub fn bounds(&self) -> (f64, f64) {
        let (mut within, mut longer, n) = (0, Vec::new(), self.matrix.len());
        for from in self.liars..n {
            for to in self.liars..n {
                let Some(rtt) = self.matrix.get(from, to) else { continue };
                let here = &self.nodes[from];
                let there = self.nodes[to].get_coordinate();
                let bound = estimate_rtt_ucb_ms(Some(here.get_coordinate()), Some(there), here.config());
                within += usize::from(rtt <= bound);
                longer.push(bound / rtt);
            }
        }
        longer.sort_by(f64::total_cmp);
        (within as f64 / longer.len() as f64, quantile(&longer, 0.5))
    }

    /// Median relative error of one node's estimates.
    pub fn median_of(&self, node: usize) -> f64 {
        let mut errors: Vec<f64> = (0..self.matrix.len()).filter_map(|to| self.error(node, to)).collect();
        errors.sort_by(f64::total_cmp);
        errors[errors.len() / 2]
    }

    /// Begins one node anew.
    pub fn restart(&mut self, node: usize) {
        let config = self.nodes[node].config().clone();
        self.nodes[node] = CoordinateTracker::new(config, self.now()).unwrap();
    }
}

pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part) as usize]
}
