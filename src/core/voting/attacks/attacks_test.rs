use super::manipulation::{Attempt, Breach};
use super::reliability::{Kind, Says, Watch};
use super::*;
use crate::kernel::ids::VoterId;
use crate::kernel::rng::Rng;
use crate::kernel::time::Timestamp;
use crate::voting::independence::{Independence, Lineage, Settings};
use crate::voting::reliability::History;
use std::collections::{BTreeMap, BTreeSet};

fn voter(name: &str) -> VoterId {
    VoterId::new(name).unwrap()
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// A number from 0 to 1.
fn unit(rng: &mut Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Voters who err independently with their own rates on questions with known outcomes, and `copies` who say what the
/// first of them says.
fn votes(rng: &mut Rng, voters: usize, copies: usize, questions: usize) -> History {
    let mut history = History::default();
    let rates: Vec<f64> = (0..voters).map(|_| 0.1 + 0.3 * unit(rng)).collect();
    for question in 0..questions {
        let name = format!("q{question}");
        let right = rng.next_u64() % 3;
        let mut first = right;
        for (number, rate) in rates.iter().enumerate() {
            let said = if unit(rng) < *rate { (right + 1 + rng.next_u64() % 2) % 3 } else { right };
            first = if number == 0 { said } else { first };
            history.vote(&name, &voter(&format!("v{number:02}")), &said.to_string());
        }
        for copy in 0..copies {
            // A copy slips sometimes.
            let said = if unit(rng) < 0.03 { rng.next_u64() % 3 } else { first };
            history.vote(&name, &voter(&format!("copy{copy}")), &said.to_string());
        }
        history.outcome(&name, &right.to_string()).unwrap();
    }
    history
}

fn powers(history: &History) -> BTreeMap<VoterId, u64> {
    history.voters().iter().map(|voter| (voter.clone(), 1_000_000)).collect()
}

#[test]
fn a_score_far_from_ones_own_is_marked_and_constant_voters_are_not() {
    let own = [0.5, 0.52, 0.48, 0.51, 0.49, 0.5, 0.53, 0.47, 0.5, 0.51];
    let z = own_history(0.9, &own, 3.5).unwrap().unwrap();
    // Median 0.5, deviations 0, 0, 0, 0.01 ×3, 0.02 ×2, 0.03 ×2: their median 0.01.
    assert!((z - 0.6745 * 0.4 / 0.01).abs() < 1e-6, "{z}");
    assert_eq!(own_history(0.52, &own, 3.5), Ok(None));
    assert_eq!(own_history(0.9, &own[..9], 3.5), Ok(None), "nine are too few");
    assert_eq!(own_history(0.9, &[0.5; 10], 3.5), Ok(None), "nothing can be said of a constant voter");
    // More than half are equal: the mean deviation takes over, 0.04.
    let nearly = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.7, 0.7];
    let z = own_history(1.0, &nearly, 3.5).unwrap().unwrap();
    assert!((z - 0.5 / (1.253_314 * 0.04)).abs() < 1e-9, "{z}");
    assert_eq!(own_history(f64::NAN, &own, 3.5).unwrap_err().field, "score");
}

#[test]
fn voters_who_err_in_the_same_way_are_a_group_and_agreement_is_none() {
    let history = votes(&mut Rng::new(11), 12, 3, 120);
    let found = coordination::find(&history, &powers(&history));
    let group: BTreeSet<VoterId> = ["v00", "copy0", "copy1", "copy2"].map(voter).into();
    assert_eq!(found.groups.iter().map(|g| g.voters.clone()).collect::<Vec<_>>(), [group]);
    assert_eq!((found.tested, found.pairs.len()), (105, 6));
    assert!(!found.groups[0].is_attack, "four of fifteen hold less than a third");
    let mut heavy = powers(&history);
    heavy.insert(voter("v00"), 5_000_000);
    assert!(coordination::find(&history, &heavy).groups[0].is_attack);
    // Everybody right about everything: agreement without a single error.
    let mut agreed = History::default();
    for question in 0..50 {
        for name in ["a", "b", "c"] {
            agreed.vote(&format!("q{question}"), &voter(name), "yes");
        }
    }
    assert!(coordination::find(&agreed, &powers(&agreed)).pairs.is_empty());
}

/// 1,000 simulated honest sets of sessions; the stated rate is one in a hundred sets with any finding.
#[test]
fn honest_voters_are_hardly_ever_called_coordinated() {
    let mut rng = Rng::new(2_026);
    let alarms = (0..1_000).filter(|_| {
        let history = votes(&mut rng, 8, 0, 30);
        !coordination::find(&history, &powers(&history)).pairs.is_empty()
    });
    let alarms = alarms.count();
    assert!(alarms <= 10, "{alarms} of 1000");
}

/// The stated power: a copy among eight others is found on 60 questions in at least nine of ten sets.
#[test]
fn a_copy_is_found_with_the_stated_power() {
    let mut rng = Rng::new(77);
    let found = (0..200).filter(|_| {
        let history = votes(&mut rng, 8, 1, 60);
        let found = coordination::find(&history, &powers(&history));
        found.pairs.iter().any(|pair| pair.voters == (voter("copy0"), voter("v00")))
    });
    let found = found.count();
    eprintln!("copies found: {found} of 200");
    assert!(found >= 180, "{found} of 200");
}

/// Sessions of a minute; `together` voters arrive within a second of each other in all of them.
fn sessions(rng: &mut Rng, together: usize) -> Vec<Vec<(VoterId, Timestamp)>> {
    (0..40)
        .map(|_| {
            let common = (unit(rng) * 50_000.0) as i64;
            let arrival = |number: usize, rng: &mut Rng| match number < together {
                true => common + (unit(rng) * 1_000.0) as i64,
                false => (unit(rng) * 60_000.0) as i64,
            };
            (0..8).map(|number| (voter(&format!("v{number}")), at(arrival(number, rng)))).collect()
        })
        .collect()
}

#[test]
fn voters_who_arrive_together_are_marked_and_honest_ones_hardly_ever() {
    let found = timing::find(&sessions(&mut Rng::new(5), 2));
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].voters, found[0].together, found[0].shared), (&(voter("v0"), voter("v1")), 40, 40));
    let mut rng = Rng::new(6);
    let alarms = (0..1_000).filter(|_| !timing::find(&sessions(&mut rng, 0)).is_empty()).count();
    assert!(alarms <= 10, "{alarms} of 1000");
    // In short sessions all arrive together, which says nothing.
    let short: Vec<_> =
        (0..90).map(|_| vec![(voter("a"), at(0)), (voter("b"), at(1)), (voter("c"), at(19_000))]).collect();
    assert!(timing::find(&short).is_empty());
}

#[test]
fn breaches_of_the_protocol_are_named_in_order() {
    let fine = Attempt {
        voter: voter("a"),
        at: at(1),
        claimed: Some(5),
        assigned: 5,
        excluded: false,
        revises: false,
    };
    let bad = Attempt { voter: voter("b"), claimed: Some(10), excluded: true, revises: true, ..fine.clone() };
    let breaches = [Breach::WeightClaimed, Breach::AfterExclusion, Breach::RevisedAgainstPolicy];
    let expected = breaches.map(|breach| (voter("b"), at(1), breach));
    assert_eq!(manipulation::find(&[fine, bad]), expected);
}

#[test]
fn the_sequential_test_has_the_published_steps_and_bounds() {
    let mut watch = Watch::new(Kind::Sequential);
    // Three errors are 3.758, four are 5.011: beyond 4.553877.
    let says: Vec<Says> = (0..4).map(|_| watch.note(false)).collect();
    assert_eq!(says, [Says::Undecided, Says::Undecided, Says::Undecided, Says::Unreliable]);
    // Nine right votes are −2.929, ten −3.254: beyond −2.985682.
    let mut watch = Watch::new(Kind::Sequential);
    assert!((0..9).all(|_| watch.note(true) == Says::Undecided));
    assert_eq!(watch.note(true), Says::Reliable);
    assert_eq!(watch.level(), 0);
    watch.note(false);
    assert_eq!(watch.level(), (1.252_763_f64 / 4.553_877 * 1e6).round() as u64);
    // A long good past does not delay the cumulative sum.
    let mut watch = Watch::new(Kind::Cumulative);
    (0..500).for_each(|_| assert_eq!(watch.note(true), Says::Undecided));
    let says: Vec<Says> = (0..4).map(|_| watch.note(false)).collect();
    assert_eq!(says[3], Says::Unreliable);
}

#[test]
fn power_fingerprints_and_voices_are_read_off_an_electorate() {
    let powers: BTreeMap<VoterId, u64> =
        [("a", 4), ("b", 1), ("c", 1), ("d", 1), ("e", 1)].map(|(v, p)| (voter(v), p)).into();
    let fingerprints = [("b", "x"), ("c", "x"), ("d", "y")].map(|(v, f)| (voter(v), f.to_owned())).into();
    let family = |_| Lineage { family: Some("f".into()), ..Lineage::default() };
    let lineages = powers.keys().map(|v| (v.clone(), family(v))).collect();
    let known = Independence::declared(lineages, Settings::default()).unwrap();
    let seen = concentration::look(&powers, &fingerprints, &known).unwrap();
    assert_eq!((seen.gini, seen.third), (300_000, vec![voter("a")]));
    assert_eq!(seen.twins, [BTreeSet::from([voter("b"), voter("c")])]);
    // 5/(1 + 4·0.5).
    assert_eq!(seen.voices.effective, 1_666_667);
}
