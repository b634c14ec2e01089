//! What one routing decision costs among 100 datacenters.
//!
//! `cargo bench -p quorate-core --bench routes`

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use quorate_core::kernel::ids::{DatacenterId, EntityId};
use quorate_core::kernel::time::Timestamp;
use quorate_core::network::route::{DatacenterCandidate, HealthBucket, Router, RoutingConfig};

fn candidates() -> Vec<DatacenterCandidate> {
    let candidate = |n: u64| DatacenterCandidate {
        datacenter_id: DatacenterId::new(format!("dc{n:03}")).unwrap(),
        health_bucket: Some(match n % 10 {
            0 => HealthBucket::Degraded,
            1 => HealthBucket::Busy,
            2 => HealthBucket::Unhealthy,
            _ => HealthBucket::Healthy,
        }),
        available_cores: n * 7 % 64,
        total_cores: 64,
        queue_depth: n % 13,
        lhm_multiplier: 1.0,
        circuit_breaker_pressure: 0.0,
        total_managers: 3,
        healthy_managers: 3,
        has_coordinate: !n.is_multiple_of(11),
        rtt_ucb_ms: 10.0 + (n * 37 % 200) as f64,
        coordinate_quality: 0.9,
        last_health_at: Timestamp::EPOCH,
    };
    (0..100).map(candidate).collect()
}

fn decisions(c: &mut Criterion) {
    let candidates = candidates();
    let mut router = Router::new(RoutingConfig::default(), BTreeSet::new()).unwrap();
    let job = EntityId::new("job").unwrap();
    let mut now = Timestamp::EPOCH;
    c.bench_function("route: one decision over 100 datacenters", |b| {
        b.iter(|| {
            now = now.plus(Duration::from_micros(1));
            router.route_job(black_box(&job), 1, &candidates, true, now).unwrap()
        });
    });
}

criterion_group!(benches, decisions);
criterion_main!(benches);
