use super::*;
use crate::kernel::rng::Rng;

/// The sensitivity of all tests: α/6 = 0.003622, θ = 0.60.
const S: f64 = 0.8;

fn unit(rng: &mut Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

fn ms(ms: f64) -> Timestamp {
    Timestamp::from_micros((ms * 1e3) as i64)
}

fn voter(number: usize) -> VoterId {
    VoterId::new(format!("v{number:03}")).unwrap()
}

/// Votes of numbered voters: option, score, arrival in milliseconds.
fn round(votes: impl IntoIterator<Item = (u32, f64, f64)>) -> Round {
    let vote = |(number, (option, score, at))| Vote { voter: voter(number), option, score, at: ms(at) };
    Round { opened: Timestamp::EPOCH, votes: votes.into_iter().enumerate().map(vote).collect() }
}

fn scene(rounds: Vec<Round>) -> Scene {
    let voters = rounds.iter().flat_map(|round| &round.votes).map(|vote| (vote.voter.clone(), 1_000_000));
    Scene { powers: voters.collect(), rounds, winner: Some(1), ..Scene::default() }
}

fn names(scene: &Scene) -> Vec<&'static str> {
    scan(scene, S).unwrap().iter().map(|signal| signal.pattern.name()).collect()
}

/// Twenty voters who decide for themselves within a minute.
fn honest(rng: &mut Rng, rounds: usize) -> Scene {
    let draw = |rng: &mut Rng| {
        (0..20).map(|_| (u32::from(unit(rng) < 0.65), unit(rng), unit(rng) * 60_000.0)).collect::<Vec<_>>()
    };
    let rounds = (0..rounds).map(|_| round(draw(rng))).collect();
    // Scores lie around a half, so that half of the voters are nearer to 0 than the crowd is.
    Scene { outcome: Some(0.0), ..scene(rounds) }
}

#[test]
fn the_numbers_of_a_sensitivity_are_the_published_ones() {
    let at = |s| Sensitivity::new(s).unwrap();
    assert!((at(0.8).alpha - 0.003_622).abs() < 1e-6 && (at(0.8).effect - 0.6).abs() < 1e-12);
    assert!((at(0.1).alpha * 6.0 - 0.001).abs() < 1e-12);
    assert!((at(0.99).alpha * 6.0 - 0.05).abs() < 0.000_2, "10^-1.3");
    assert!((at(0.634).cutoff - 3.5).abs() < 1e-9);
    for bad in [0.09, 1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Sensitivity::new(bad).unwrap_err().field, "sensitivity");
    }
}

/// The stated rate: at most α(0.8) = 2.17 % of honest sessions show any pattern that is tested for significance. Outliers
/// have a cut-off instead; of twenty scores that are equally probable everywhere one passes it in at most 5 % of sessions.
#[test]
fn a_thousand_honest_sessions_stay_below_the_stated_rate_of_false_alarms() {
    let mut rng = Rng::new(1);
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut alarms, mut outliers) = (0, 0);
    for number in 0..1_000 {
        let found = names(&honest(&mut rng, 1 + number % 3));
        alarms += u32::from(found.iter().any(|name| *name != "outlier_voting"));
        outliers += u32::from(found.contains(&"outlier_voting"));
        found.iter().for_each(|name| *seen.entry(name).or_default() += 1);
    }
    eprintln!("{alarms} of 1000 sessions, {outliers} with outliers: {seen:?}");
    assert!(alarms <= 21 && outliers <= 50, "{alarms} of 1000: {seen:?}");
}

/// The stated power: each planted pattern is found in at least 95 of 100 sessions.
#[test]
fn each_planted_pattern_is_found_with_the_stated_power() {
    type Plant = (&'static str, fn(&mut Rng) -> Scene);
    let plants: [Plant; 11] = [
        ("synchronization", |rng| {
            let moment = 10_000.0 + unit(rng) * 40_000.0;
            let at = |n: usize, rng: &mut Rng| {
                if n < 13 { moment + unit(rng) * 90.0 } else { unit(rng) * 60_000.0 }
            };
            scene(vec![round((0..20).map(|n| (1, 0.5, at(n, rng))).collect::<Vec<_>>())])
        }),
        ("temporal_cluster", |rng| {
            let moment = 10_000.0 + unit(rng) * 40_000.0;
            let at = |n: usize, rng: &mut Rng| {
                if n < 13 { moment + unit(rng) * 950.0 } else { unit(rng) * 60_000.0 }
            };
            scene(vec![round((0..20).map(|n| (1, 0.5, at(n, rng))).collect::<Vec<_>>())])
        }),
        ("cascade", |rng| {
            // After the first ones all follow.
            let say = |n: usize| u32::from(n >= 9);
            scene(vec![round(
                (0..20).map(|n| (say(n), 0.5, n as f64 * 3_000.0 + unit(rng) * 900.0)).collect::<Vec<_>>(),
            )])
        }),
        ("collective_intelligence", |rng| {
            let votes: Vec<_> = (0..40).map(|_| (1, 0.2 + 0.6 * unit(rng), unit(rng) * 60_000.0)).collect();
            Scene { outcome: Some(0.5), ..scene(vec![round(votes)]) }
        }),
        ("convergence", |rng| {
            let first: Vec<f64> = (0..20).map(|_| unit(rng)).collect();
            let vote = |score: f64, rng: &mut Rng| (1, score, unit(rng) * 60_000.0);
            let before = first.iter().map(|s| vote(*s, rng)).collect::<Vec<_>>();
            let after = first.iter().map(|s| vote(0.5 + (s - 0.5) * 0.2, rng)).collect::<Vec<_>>();
            scene(vec![round(before), round(after)])
        }),
        ("convergence", |rng| {
            // In one round: two of ten first, then nine of ten.
            let say = |n: usize| u32::from(if n < 20 { n.is_multiple_of(5) } else { !n.is_multiple_of(10) });
            scene(vec![round(
                (0..40).map(|n| (say(n), 0.5, n as f64 * 1_000.0 + unit(rng) * 900.0)).collect::<Vec<_>>(),
            )])
        }),
        ("outlier_voting", |rng| {
            let say = |n: usize, rng: &mut Rng| if n == 3 { 1.0 } else { 0.4 + 0.1 * unit(rng) };
            scene(vec![round((0..12).map(|n| (1, say(n, rng), unit(rng) * 60_000.0)).collect::<Vec<_>>())])
        }),
        ("schooling", |rng| moved(rng, |score, rng| score + 0.25 + 0.02 * unit(rng))),
        ("flocking", |rng| moved(rng, |score, rng| score + 0.02 + 0.28 * unit(rng))),
        ("dispersal", |rng| moved(rng, |score, _| 0.5 + (score - 0.5) * 2.4)),
        ("clustering", |rng| {
            let first: Vec<f64> = (0..20).map(|_| unit(rng)).collect();
            let last = first
                .iter()
                .map(|s| if *s < 0.5 { 0.25 + (s - 0.25) * 0.2 } else { 0.75 + (s - 0.75) * 0.2 });
            let (first, last) = (first.iter().map(|s| (1, *s, 1.0)), last.map(|s| (1, s, 1.0)));
            scene(vec![round(first.collect::<Vec<_>>()), round(last.collect::<Vec<_>>())])
        }),
    ];
    for (number, (name, plant)) in plants.into_iter().enumerate() {
        let mut rng = Rng::new(100 + number as u64);
        let found = (0..100).filter(|_| names(&plant(&mut rng)).contains(&name)).count();
        eprintln!("{name}: found in {found} of 100");
        assert!(found >= 95, "{name}: {found} of 100");
    }
}

/// Twenty voters between 0.3 and 0.7, and where they go.
fn moved(rng: &mut Rng, to: fn(f64, &mut Rng) -> f64) -> Scene {
    let first: Vec<f64> = (0..20).map(|_| 0.3 + 0.4 * unit(rng)).collect();
    let last: Vec<f64> = first.iter().map(|score| to(*score, rng)).collect();
    let vote = |score: &f64, rng: &mut Rng| (1, score.clamp(0.0, 1.0), unit(rng) * 60_000.0);
    let before = first.iter().map(|score| vote(score, rng)).collect::<Vec<_>>();
    let after = last.iter().map(|score| vote(score, rng)).collect::<Vec<_>>();
    scene(vec![round(before), round(after)])
}

#[test]
fn those_who_approach_one_who_stays_are_herding_and_nobody_moved_is_nothing() {
    let before: Vec<_> =
        (0..20).map(|n| (1, if n == 0 { 0.9 } else { 0.1 + n as f64 * 0.02 }, n as f64 * 3e3)).collect();
    let after: Vec<_> = before
        .iter()
        .map(|(o, s, at)| (*o, if *s == 0.9 { 0.9 } else { s + (0.9 - s) * 0.5 }, *at))
        .collect();
    let herd = scene(vec![round(before.clone()), round(after)]);
    assert!(names(&herd).contains(&"herding"), "{:?}", scan(&herd, S));
    let still = scene(vec![round(before.clone()), round(before)]);
    assert_eq!(names(&still), ["outlier_voting"], "one stands apart, and nobody moved");
}

#[test]
fn prompt_answers_unanimous_sequences_and_minorities_are_no_patterns() {
    // All within 90 ms of the opening: the window is the whole span.
    let prompt = scene(vec![round((0..20).map(|n| (1, 0.5, 1.0 + n as f64 * 4.0)))]);
    assert_eq!(names(&prompt), Vec::<&str>::new());
    // Five of twenty are of another opinion, in any order.
    let minority = scene(vec![round((0..20).map(|n| (u32::from(n % 4 != 1), 0.5, n as f64 * 3e3)))]);
    assert_eq!(names(&minority), Vec::<&str>::new());
    // Sealed ballots cannot follow each other.
    let mut follow = scene(vec![round((0..20).map(|n| (u32::from(n >= 9), 0.5, n as f64 * 3e3)))]);
    assert!(names(&follow).contains(&"cascade"));
    follow.sealed = true;
    assert!(!names(&follow).contains(&"cascade"));
    // Four votes are too few for anything.
    let few = scene(vec![round((0..4).map(|n| (1, n as f64 / 4.0, 30_000.0 + n as f64)))]);
    assert_eq!(names(&few), Vec::<&str>::new());
    // Without an outcome nothing is said of the wisdom of the crowd.
    let wise = scene(vec![round((0..25).map(|n| (1, n as f64 / 24.0, n as f64 * 2e3)))]);
    assert_eq!(names(&wise), Vec::<&str>::new());
}

/// Nine say no, then eleven yes: 2 runs where 10.9 are expected; by the formula of runs the chance of 2 is 2/C(20,9).
#[test]
fn a_cascade_names_who_began_it_and_how_probable_it_is_by_chance() {
    let follow = scene(vec![round((0..20).map(|n| (u32::from(n >= 9), 0.5, n as f64 * 3e3)))]);
    let signals = scan(&follow, S).unwrap();
    let signal = signals.iter().find(|s| s.pattern.name() == "cascade").unwrap();
    let Pattern::Cascade { initiator, influenced, lasted } = &signal.pattern else { unreachable!() };
    assert_eq!((initiator, influenced.len(), *lasted), (&voter(9), 10, Duration::from_secs(30)));
    assert_eq!(signal.strength, ((1.0_f64 - 2.0 / 10.9) * 1e6).round() as u64);
    assert_eq!(signal.p_value, Some((2.0_f64 / 167_960.0 * 1e6).ceil() as u64));
}

#[test]
fn the_error_of_a_crowd_is_that_of_its_members_less_their_diversity() {
    let mut rng = Rng::new(9);
    for _ in 0..200 {
        let scores: Vec<f64> = (0..12).map(|_| unit(&mut rng)).collect();
        let (crowd, individual, diversity) = errors(&scores, unit(&mut rng)).unwrap();
        assert!((crowd - (individual - diversity)).abs() < 1e-12);
    }
}

#[test]
fn a_greater_sensitivity_only_adds_families_of_patterns() {
    let mut rng = Rng::new(3);
    for number in 0..300 {
        // Sessions with some order in them.
        let tilt = unit(&mut rng);
        let rounds = 1 + number % 2;
        let draw = |round: usize, rng: &mut Rng| {
            (0..20)
                .map(|n| {
                    let option = u32::from(unit(rng) < if n < 10 { 1.0 - tilt } else { tilt });
                    (
                        option,
                        (unit(rng) * 0.5 + round as f64 * tilt * 0.5).min(1.0),
                        n as f64 * (20.0 + tilt * 3e3),
                    )
                })
                .collect::<Vec<_>>()
        };
        let scene =
            Scene { outcome: Some(tilt), ..scene((0..rounds).map(|r| round(draw(r, &mut rng))).collect()) };
        let mut before = Vec::new();
        for s in [0.1, 0.3, 0.5, 0.7, 0.9, 0.99] {
            let signals = scan(&scene, s).unwrap();
            let kinds: Vec<_> =
                signals.iter().map(|signal| std::mem::discriminant(&signal.pattern)).collect();
            assert!(before.iter().all(|known| kinds.contains(known)), "{s}");
            before = kinds;
        }
    }
}

#[test]
fn diagnostics_and_the_factor_follow_their_definitions() {
    let votes = round([(0, 0.0, 1.0), (1, 1.0, 2.0), (1, 1.0, 3.0), (0, 0.0, 4.0)]).votes;
    let told = diagnose(&votes, Some(1));
    assert_eq!((told.opinions, told.polarisation, told.entropy), (2_000_000, 1_000_000, 693_147));
    assert_eq!(told.dissenters, [voter(0), voter(3)]);
    assert_eq!(factor(&[]), 1_000_000);
    let signal = |pattern| Signal { pattern, strength: 800_000, p_value: Some(1), n: 9, null_model: "" };
    assert_eq!(factor(&[signal(Pattern::CollectiveIntelligence { complexity: 1 })]), 1_080_000);
    let cascade = Pattern::Cascade { initiator: voter(0), influenced: Vec::new(), lasted: Duration::ZERO };
    assert_eq!(factor(&[signal(cascade)]), 1_000_000);
}

#[test]
fn alarms_of_others_are_anomalies_weighed_by_the_power_they_concern() {
    let mut seen = scene(vec![round((0..20).map(|n| (1, 0.4 + n as f64 * 0.01, n as f64 * 3e3)))]);
    seen.alarms.coordinated = (0..8).map(voter).collect();
    seen.alarms.manipulations = [voter(1)].into();
    let signals = scan(&seen, S).unwrap();
    let of = |name: &str| signals.iter().find(|s| s.pattern.name() == name).unwrap().strength;
    assert_eq!((of("coordinated_attack"), of("weight_manipulation")), (400_000, 50_000));
    let mut sightings = Sightings::default();
    sightings.note(&signals, ms(5.0));
    sightings.note(&signals, ms(9.0));
    let seen = sightings.of("coordinated_attack").unwrap();
    assert_eq!((seen.first, seen.last, seen.occurrences), (ms(5.0), ms(9.0), 2));
    let mut cache = Cache::default();
    for digest in 0..=64u8 {
        cache.keep([digest; 32], signals.clone());
    }
    assert_eq!((cache.get(&[0; 32]), cache.get(&[64; 32])), (None, Some(&signals[..])));
}

#[test]
fn scores_that_are_no_numbers_are_refused() {
    let wild = scene(vec![round((0..6).map(|n| (1, if n == 2 { f64::NAN } else { 0.5 }, 1.0)))]);
    assert_eq!(scan(&wild, S).unwrap_err().field, "score");
    let beyond = Scene { outcome: Some(1.5), ..scene(vec![round((0..6).map(|_| (1, 0.5, 1.0)))]) };
    assert_eq!(scan(&beyond, S).unwrap_err().field, "outcome");
}
