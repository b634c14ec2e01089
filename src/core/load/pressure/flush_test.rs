use super::*;
use crate::kernel::rng::Rng;
use crate::load::pressure::peers::DecayConfig;
use crate::load::shed::number::Ratio;
use crate::load::stats::{Signal, SignalConfig, SignalSeq};

type Planner = FlushPlanner<char, u8, u8>;

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn planner() -> Planner {
    let pace = PaceConfig { jitter: Ratio::ZERO, ..PaceConfig::default() };
    FlushPlanner::new(FlushConfig { pace, ..FlushConfig::default() }).unwrap()
}

fn peers_at(level: Level) -> Peers<u8> {
    let mut peers = Peers::new(DecayConfig::default()).unwrap();
    tell(&mut peers, 1, level, 1);
    peers
}

fn tell(peers: &mut Peers<u8>, manager: u8, level: Level, seq: u64) {
    peers.apply(&manager, signal(level, seq), ms(0));
}

fn signal(level: Level, seq: u64) -> Signal {
    let ttl = Some(Duration::from_secs(60));
    Signal { ttl, ..SignalConfig::default().signal(level, SignalSeq { epoch: 1, seq }) }
}

fn update(job: char, workflow: u8, seq: u64) -> Update<char, u8> {
    let elapsed = Duration::from_secs(seq);
    Update { job, workflow, seq, completed: 10 * seq, failed: seq, rate: 1.5, elapsed, critical: false }
}

fn critical(job: char, workflow: u8, seq: u64) -> Update<char, u8> {
    Update { critical: true, ..update(job, workflow, seq) }
}

fn offer(planner: &mut Planner, updates: &[Update<char, u8>]) {
    updates.iter().for_each(|update| planner.offer(update.clone(), ms(0)).unwrap());
}

fn to_one(_: &char) -> Option<u8> {
    Some(1)
}

/// Messages as text: job, workflows with their seq, what was dropped.
fn text(sends: &[Outgoing<char, u8, u8>]) -> Vec<String> {
    let one = |send: &Outgoing<char, u8, u8>| match &send.body {
        Body::Critical(update) => format!("!{}{}.{}", update.job, update.workflow, update.seq),
        Body::Batch(batch) => {
            let each = batch.workflows.iter().map(|u| format!("{}.{}", u.workflow, u.seq));
            format!(
                "{}{}[{}]-{}",
                if send.probe { "?" } else { "" },
                batch.job,
                each.collect::<Vec<_>>().join(" "),
                batch.dropped
            )
        }
    };
    sends.iter().map(one).collect()
}

fn conserved(planner: &Planner) {
    let c = planner.counts();
    assert_eq!(c.offered, c.delivered + c.superseded + c.stale + c.dropped + planner.held() as u64, "{c:?}");
}

#[test]
fn the_newest_update_is_that_of_the_largest_number_not_the_last_to_come() {
    let mut planner = planner();
    offer(&mut planner, &[update('a', 1, 5), update('a', 1, 3), update('a', 1, 7), update('a', 1, 7)]);
    assert_eq!(text(&planner.flush(&peers_at(Level::None), to_one, ms(0))), ["a[1.7]-0"]);
    assert_eq!((planner.counts().superseded, planner.counts().stale), (1, 2));
    conserved(&planner);
}

#[test]
fn an_update_older_than_a_critical_one_never_follows_it() {
    let (mut planner, peers) = (planner(), peers_at(Level::None));
    offer(&mut planner, &[critical('a', 1, 5), update('a', 1, 4)]);
    let sends = planner.flush(&peers, to_one, ms(0));
    assert_eq!(text(&sends), ["!a1.5"]);
    sends.iter().for_each(|send| planner.acked(send.id));
    // Nor when the newer one has arrived and is not held any more.
    offer(&mut planner, &[update('a', 1, 3), update('a', 1, 5), update('a', 1, 6)]);
    assert_eq!(text(&planner.flush(&peers, to_one, ms(50))), ["a[1.6]-0"]);
    assert_eq!((planner.counts().stale, planner.counts().delivered), (3, 1));
    conserved(&planner);
    // What is critical is always sent, in the order of its numbers where it can be chosen.
    offer(&mut planner, &[critical('b', 1, 9), critical('b', 1, 8)]);
    assert_eq!(text(&planner.flush(&peers, to_one, ms(100))), ["!b1.8", "!b1.9"]);
    conserved(&planner);
}

#[test]
fn each_level_sends_at_its_pace_and_in_its_form() {
    for (level, interval, form) in [
        (Level::None, 50, vec!["a[1.1]-0", "a[2.1]-0", "b[1.1]-0"]),
        (Level::Throttle, 550, vec!["a[1.1]-0", "a[2.1]-0", "b[1.1]-0"]),
        (Level::Batch, 1_050, vec!["a[1.1 2.1]-0", "b[1.1]-0"]),
        (Level::Reject, 4_050, vec!["?a[1.1 2.1]-0"]),
    ] {
        let (mut planner, peers) = (planner(), peers_at(level));
        offer(&mut planner, &[update('z', 1, 1)]);
        let first = planner.flush(&peers, to_one, ms(0));
        first.iter().for_each(|send| planner.acked(send.id));
        offer(&mut planner, &[update('a', 1, 1), update('a', 2, 1), update('b', 1, 1)]);
        assert_eq!(planner.due(&peers, to_one, ms(1)), Some(ms(interval)), "{level:?}");
        assert_eq!(planner.flush(&peers, to_one, ms(interval - 1)), []);
        assert_eq!(text(&planner.flush(&peers, to_one, ms(interval))), form);
        conserved(&planner);
    }
}

#[test]
fn a_batch_carries_every_workflow_and_their_totals() {
    let mut planner = planner();
    offer(&mut planner, &[update('a', 1, 2), update('a', 2, 3)]);
    let sends = planner.flush(&peers_at(Level::Batch), to_one, ms(0));
    let [Outgoing { body: Body::Batch(batch), .. }] = &sends[..] else { panic!("{sends:?}") };
    assert_eq!(batch.workflows, [update('a', 1, 2), update('a', 2, 3)]);
    let elapsed = Duration::from_secs(3);
    assert_eq!(batch.totals, BatchTotals { completed: 50, failed: 5, rate: 3.0, elapsed });
}

#[test]
fn a_level_that_falls_shortens_the_wait_that_has_begun() {
    let (mut planner, mut peers) = (planner(), peers_at(Level::Reject));
    offer(&mut planner, &[update('a', 1, 1)]);
    planner.flush(&peers, to_one, ms(0));
    offer(&mut planner, &[update('a', 1, 2)]);
    assert_eq!(planner.due(&peers, to_one, ms(10)), Some(ms(4_050)));
    tell(&mut peers, 1, Level::None, 2);
    assert_eq!(planner.due(&peers, to_one, ms(10)), Some(ms(50)));
    assert_eq!(text(&planner.flush(&peers, to_one, ms(50))), ["a[1.2]-0"]);
}

#[test]
fn nothing_is_removed_before_it_arrived() {
    let (mut planner, peers) = (planner(), peers_at(Level::None));
    offer(&mut planner, &[update('a', 1, 1), critical('a', 2, 1)]);
    assert_eq!(planner.flush(&peers, |_| None, ms(0)), []);
    assert_eq!((planner.held(), planner.due(&peers, |_| None, ms(0))), (2, None));
    let sends = planner.flush(&peers, to_one, ms(0));
    assert_eq!(text(&sends), ["!a2.1", "a[1.1]-0"]);
    sends.iter().for_each(|send| planner.failed(send.id, ms(1)));
    assert_eq!(text(&planner.flush(&peers, to_one, ms(50))), ["a[1.1]-0"]);
    assert_eq!(text(&planner.flush(&peers, to_one, ms(501))), ["!a2.1"]);
    // No answer is a failure too.
    assert_eq!(text(&planner.flush(&peers, to_one, ms(5_049))), Vec::<String>::new());
    let again = planner.flush(&peers, to_one, ms(5_050));
    assert_eq!(text(&again), ["a[1.1]-0"]);
    // What is newer stays when the older one is acknowledged.
    offer(&mut planner, &[update('a', 1, 2)]);
    planner.acked(again[0].id);
    planner.acked(again[0].id);
    assert_eq!((planner.held(), planner.counts().delivered), (2, 0));
    conserved(&planner);
}

#[test]
fn critical_updates_go_at_once_at_every_level_until_they_are_acknowledged() {
    for level in Level::ALL {
        let (mut planner, peers) = (planner(), peers_at(level));
        offer(&mut planner, &[update('a', 9, 1)]);
        planner.flush(&peers, to_one, ms(0));
        offer(&mut planner, &[critical('a', 1, 1), critical('a', 1, 2), critical('b', 1, 1)]);
        assert_eq!(planner.due(&peers, to_one, ms(0)), Some(ms(0)));
        let sends = planner.flush(&peers, to_one, ms(1));
        assert_eq!(text(&sends), ["!a1.1", "!a1.2", "!b1.1"]);
        planner.acked(sends[0].id);
        planner.failed(sends[1].id, ms(1));
        assert_eq!(planner.outbox().count(), 2);
        assert_eq!(text(&planner.shutdown(to_one, ms(2))), ["!a1.2"]);
        conserved(&planner);
    }
}

#[test]
fn at_reject_one_probe_goes_out_and_the_gap_is_told_until_it_is_heard() {
    let (mut planner, mut peers) = (planner(), peers_at(Level::Reject));
    offer(&mut planner, &[update('a', 1, 1), update('b', 1, 1), update('b', 2, 1), update('c', 1, 1)]);
    let first = planner.flush(&peers, to_one, ms(0));
    assert_eq!(text(&first), ["?a[1.1]-0"]);
    assert_eq!((planner.counts().dropped, planner.gaps().clone()), (3, [('b', 2), ('c', 1)].into()));
    planner.acked(first[0].id);
    offer(&mut planner, &[update('a', 1, 2), update('b', 1, 2)]);
    // Each job in turn, and the gap until it is acknowledged.
    let second = planner.flush(&peers, to_one, ms(4_050));
    assert_eq!(text(&second), ["?b[1.2]-2"]);
    planner.failed(second[0].id, ms(4_051));
    tell(&mut peers, 1, Level::Batch, 2);
    let third = planner.flush(&peers, to_one, ms(8_000));
    assert_eq!(text(&third), ["b[1.2]-2"]);
    planner.acked(third[0].id);
    assert_eq!(planner.gaps().clone(), [('a', 1), ('c', 1)].into());
    conserved(&planner);
}

#[test]
fn a_critical_update_is_probe_enough() {
    let (mut planner, peers) = (planner(), peers_at(Level::Reject));
    offer(&mut planner, &[update('a', 1, 1), critical('b', 1, 1)]);
    assert_eq!(text(&planner.flush(&peers, to_one, ms(0))), ["!b1.1"]);
    assert_eq!(planner.counts().dropped, 1);
    offer(&mut planner, &[update('a', 1, 2)]);
    assert_eq!(text(&planner.flush(&peers, to_one, ms(4_050))), ["?a[1.2]-1"]);
}

#[test]
fn a_critical_update_of_long_ago_is_no_probe() {
    let (mut planner, peers) = (planner(), peers_at(Level::Reject));
    for (late, sent, dropped) in [(4_049, vec![], 1), (4_050, vec!["?a[1.1]-0"], 0)] {
        let mut planner = planner.clone();
        offer(&mut planner, &[critical('b', 1, 1)]);
        assert_eq!(text(&planner.shutdown(to_one, ms(0))), ["!b1.1"]);
        offer(&mut planner, &[update('a', 1, 1)]);
        let text = text(&planner.flush(&peers, to_one, ms(late)));
        assert_eq!(
            (text, planner.counts().dropped),
            (sent.into_iter().map(str::to_owned).collect(), dropped)
        );
    }
    assert_eq!(planner.flush(&peers, to_one, ms(0)).len(), 0);
}

#[test]
fn without_credits_one_message_goes_out_and_nothing_is_dropped() {
    let (mut planner, mut peers) = (planner(), peers_at(Level::None));
    let mut grant = |planner: &mut Planner, seq, upto, at| {
        peers.apply(&1, Signal { upto: Some(upto), ..signal(Level::None, seq) }, ms(at));
        let sends = planner.flush(&peers, to_one, ms(at));
        sends.iter().for_each(|send| planner.acked(send.id));
        (text(&sends), sends.iter().filter_map(|send| send.number).collect::<Vec<_>>())
    };
    offer(&mut planner, &[update('a', 1, 1), update('a', 2, 1), update('b', 1, 1), update('c', 1, 1)]);
    let words = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    // Four updates, two messages: by job.
    assert_eq!(grant(&mut planner, 2, 2, 0), (words(&["a[1.1 2.1]-0", "b[1.1]-0"]), vec![1, 2]));
    offer(&mut planner, &[update('a', 1, 2)]);
    assert_eq!(grant(&mut planner, 3, 2, 50), (words(&["?c[1.1]-0"]), vec![3]));
    assert_eq!(grant(&mut planner, 4, 9, 100), (words(&["a[1.2]-0"]), vec![4]));
    assert_eq!((planner.held(), planner.counts().dropped), (0, 0));
}

#[test]
fn one_sick_manager_slows_all_jobs_or_only_its_own() {
    let leader = |job: &char| Some(if *job == 'a' { 1 } else { 2 });
    for (scope, expected) in [(Scope::Worst, vec![]), (Scope::PerManager, vec!["b[1.2]-0"])] {
        let mut planner: Planner =
            FlushPlanner::new(FlushConfig { scope, ..FlushConfig::default() }).unwrap();
        let mut peers = peers_at(Level::Reject);
        tell(&mut peers, 2, Level::None, 1);
        offer(&mut planner, &[update('a', 1, 1), update('b', 1, 1)]);
        let first = planner.flush(&peers, leader, ms(0));
        first.iter().for_each(|send| planner.acked(send.id));
        offer(&mut planner, &[update('a', 1, 2), update('b', 1, 2)]);
        assert_eq!(text(&planner.flush(&peers, leader, ms(60))), expected);
        planner.remove(&1, ms(61));
        peers.remove(&1);
        assert!(!planner.flush(&peers, |_| Some(2), ms(120)).is_empty());
    }
}

#[test]
fn gaps_and_outbox_survive_a_restart() {
    let mut old = planner();
    old.restore_gaps([('a', 4)]);
    offer(&mut old, &[critical('a', 1, 1), update('a', 2, 1)]);
    let mut new = planner();
    new.restore_gaps(old.gaps().clone());
    old.outbox().for_each(|update| new.offer(update.clone(), ms(0)).unwrap());
    offer(&mut new, &[update('a', 2, 2)]);
    assert_eq!(text(&new.flush(&peers_at(Level::None), to_one, ms(0))), ["!a1.1", "a[2.2]-4"]);
}

#[test]
fn a_rate_that_is_no_number_is_refused() {
    let mut planner = planner();
    let refused = planner.offer(Update { rate: f64::NAN, ..update('a', 1, 1) }, ms(0)).unwrap_err();
    assert_eq!((refused.field, planner.held()), ("rate", 0));
}

/// The receiver keeps what it heard; at the end it knows the newest of everything, and what was dropped on the way.
#[test]
fn every_update_ends_somewhere_and_every_critical_one_arrives() {
    for seed in 0..150 {
        let mut rng = Rng::new(seed);
        let mut below = |bound: u64| rng.next_u64() % bound;
        let scope = if seed % 2 == 0 { Scope::Worst } else { Scope::PerManager };
        let mut planner: Planner =
            FlushPlanner::new(FlushConfig { scope, seed, ..FlushConfig::default() }).unwrap();
        let mut peers: Peers<u8> = Peers::new(DecayConfig::default()).unwrap();
        let (mut now, mut seq) = (0, 0);
        let mut newest: BTreeMap<(char, u8), u64> = BTreeMap::new();
        let mut heard: BTreeMap<(char, u8), u64> = BTreeMap::new();
        let (mut critical_sent, mut critical_heard) = (BTreeSet::new(), BTreeSet::new());
        let mut told_gap = 0;
        let mut on_the_way: Vec<Outgoing<char, u8, u8>> = Vec::new();
        let leader = |job: &char| Some(u8::from(*job > 'b'));
        for step in 0..700 {
            let draining = step >= 600;
            now += 1 + below(400) as i64;
            if !draining {
                seq += 1;
                let (job, workflow) = ((b'a' + below(4) as u8) as char, below(3) as u8);
                let critical = below(6) == 0;
                planner.offer(Update { critical, ..update(job, workflow, seq) }, ms(now)).unwrap();
                newest.insert((job, workflow), seq);
                if critical {
                    critical_sent.insert(seq);
                }
            }
            let level = if draining { Level::None } else { Level::ALL[below(4) as usize] };
            peers.apply(&(below(2) as u8), signal(level, step + 1), ms(now));
            if draining {
                peers.apply(&0, signal(level, 9_000 + step), ms(now));
                peers.apply(&1, signal(level, 9_000 + step), ms(now));
            }
            on_the_way.extend(planner.flush(&peers, leader, ms(now)));
            while !on_the_way.is_empty() && (draining || below(3) > 0) {
                let send = on_the_way.swap_remove(below(on_the_way.len() as u64) as usize);
                if !draining && below(3) == 0 {
                    planner.failed(send.id, ms(now));
                    continue;
                }
                let counted_before = planner.sent.contains_key(&send.id);
                planner.acked(send.id);
                match send.body {
                    Body::Critical(update) => {
                        critical_heard.insert(update.seq);
                        let known = heard.entry((update.job, update.workflow)).or_default();
                        *known = update.seq.max(*known);
                    }
                    Body::Batch(batch) => {
                        told_gap = if counted_before { told_gap + batch.dropped } else { told_gap };
                        for update in batch.workflows {
                            let known = heard.entry((update.job, update.workflow)).or_default();
                            *known = update.seq.max(*known);
                        }
                    }
                }
            }
            conserved(&planner);
        }
        assert_eq!(planner.held(), 0, "seed {seed}");
        assert_eq!(critical_sent, critical_heard, "seed {seed}");
        assert!(heard.iter().all(|(key, seq)| newest[key] >= *seq));
        let untold: u64 = planner.gaps().values().sum();
        assert!(told_gap + untold >= planner.counts().dropped, "seed {seed}");
    }
}
