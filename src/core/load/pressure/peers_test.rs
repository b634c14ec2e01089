use super::*;
use crate::kernel::rng::Rng;

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn peers() -> Peers<u8> {
    Peers::new(DecayConfig::default()).unwrap()
}

fn signal(level: Level, seq: u64) -> Signal {
    SignalConfig::default().signal(level, SignalSeq { epoch: 1, seq })
}

#[test]
fn level_and_delay_are_the_worst_of_those_there_are() {
    let mut peers = peers();
    assert_eq!((peers.level(ms(0)), peers.delay(ms(0))), (Level::None, Duration::ZERO));
    peers.apply(&1, signal(Level::Throttle, 1), ms(0));
    peers.apply(&2, signal(Level::Reject, 1), ms(0));
    assert_eq!((peers.level(ms(0)), peers.delay(ms(0))), (Level::Reject, Duration::from_millis(1_000)));
    // None is a signal like the others, and the delay is not a memory.
    let changed = Applied::Changed { from: Level::Reject, to: Level::None };
    assert_eq!(peers.apply(&2, signal(Level::None, 2), ms(1)), changed);
    assert_eq!((peers.level(ms(1)), peers.delay(ms(1))), (Level::Throttle, Duration::from_millis(100)));
    assert!(peers.remove(&1) && !peers.remove(&1));
    assert_eq!((peers.level(ms(1)), peers.delay(ms(1))), (Level::None, Duration::ZERO));
}

#[test]
fn an_older_signal_changes_nothing_and_a_new_life_begins_anew() {
    let mut peers = peers();
    peers.apply(&1, signal(Level::Reject, 5), ms(0));
    assert_eq!(peers.apply(&1, signal(Level::None, 4), ms(1)), Applied::Stale);
    assert_eq!(peers.apply(&1, signal(Level::None, 5), ms(1)), Applied::Stale);
    assert_eq!(peers.level(ms(1)), Level::Reject);
    let reborn = SignalConfig::default().signal(Level::None, SignalSeq { epoch: 2, seq: 1 });
    assert!(matches!(peers.apply(&1, reborn, ms(2)), Applied::Changed { .. }));
    assert_eq!(peers.apply(&1, signal(Level::Reject, 99), ms(3)), Applied::Stale);
    assert_eq!(peers.apply_decoded(&1, Decoded::Unknown, ms(4)), Applied::Unknown);
}

#[test]
fn what_is_not_repeated_wears_off_one_level_per_time_to_live() {
    let mut peers = peers();
    // Ten times its delay of 1 s is more than 5 s.
    peers.apply(&1, signal(Level::Reject, 1), ms(0));
    for (at, level, delay) in [
        (9_999, Level::Reject, 1_000),
        (10_000, Level::Batch, 500),
        (19_999, Level::Batch, 500),
        (20_000, Level::Throttle, 100),
        (30_000, Level::None, 0),
        (9_000_000, Level::None, 0),
    ] {
        assert_eq!(peers.level_of(&1, ms(at)), level, "{at}");
        assert_eq!(peers.delay_of(&1, ms(at)), Duration::from_millis(delay), "{at}");
    }
    peers.apply(&2, signal(Level::Throttle, 1), ms(0));
    assert_eq!(peers.level_of(&2, ms(4_999)), Level::Throttle);
    assert_eq!(peers.level_of(&2, ms(5_000)), Level::None);
    assert_eq!(peers.pressured(ms(5_000)).collect::<Vec<_>>(), [(&1, Level::Reject)]);
}

#[test]
fn a_peer_cannot_ask_to_be_obeyed_for_ever() {
    let mut peers = peers();
    let forever = Signal { ttl: Some(Duration::MAX), delay: Duration::MAX, ..signal(Level::Reject, 1) };
    peers.apply(&1, forever, ms(0));
    assert_eq!(peers.level(ms(59_999)), Level::Reject);
    assert_eq!(peers.level(ms(180_000)), Level::None);
    let never = Signal { ttl: Some(Duration::ZERO), ..signal(Level::Reject, 2) };
    peers.apply(&1, never, ms(180_000));
    assert_eq!(peers.level(ms(180_001)), Level::None);
}

#[test]
fn a_grant_is_a_total_that_never_falls_and_runs_out_with_time() {
    let mut grants: Grants<u8> = Grants::new(Duration::from_secs(5));
    assert!(grants.within(&1, 77, ms(0)), "nobody granted anything: the level decides");
    assert_eq!(grants.grant(&1, 3, ms(0)), 3);
    assert!(grants.within(&1, 3, ms(0)) && !grants.within(&1, 4, ms(0)));
    // The refused fourth has arrived, too.
    assert_eq!(grants.grant(&1, 2, ms(10)), 6);
    assert_eq!(grants.grant(&1, 0, ms(20)), 6);
    assert!(grants.within(&1, 6, ms(5_019)) && !grants.within(&1, 7, ms(5_019)));
    assert!(grants.within(&1, 7, ms(5_020)));
    grants.remove(&1);

    let mut peers = peers();
    peers.apply(&1, Signal { upto: Some(5), ..signal(Level::None, 1) }, ms(0));
    assert_eq!(
        (peers.upto(&1, ms(4_999)), peers.upto(&1, ms(5_000)), peers.upto(&2, ms(0))),
        (Some(5), None, None)
    );
}

/// The twin keeps every signal and looks for the newest each time.
#[test]
fn signals_in_any_order_leave_what_the_newest_says() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut below = |bound: u64| rng.next_u64() % bound;
        let mut peers = peers();
        let mut heard: Vec<(u8, Signal, i64)> = Vec::new();
        let mut now = 0;
        for _ in 0..40 {
            now += below(3_000) as i64;
            let peer = below(3) as u8;
            if below(10) == 0 {
                peers.remove(&peer);
                heard.retain(|(of, _, _)| *of != peer);
            }
            let seq = SignalSeq { epoch: 1 + below(2), seq: 1 + below(30) };
            let signal = SignalConfig::default().signal(Level::ALL[below(4) as usize], seq);
            let applied = peers.apply(&peer, signal, ms(now));
            let newest = |peer| heard.iter().filter(|(of, _, _)| *of == peer).max_by_key(|(_, s, _)| s.seq);
            assert_eq!(applied == Applied::Stale, newest(peer).is_some_and(|(_, old, _)| old.seq >= seq));
            if newest(peer).is_none_or(|(_, old, _)| old.seq < seq) {
                heard.push((peer, signal, now));
            }
            now += below(20_000) as i64;
            let level = |peer| {
                let newest = heard.iter().filter(|(of, _, _)| *of == peer).max_by_key(|(_, s, _)| s.seq);
                newest.map_or(Level::None, |(_, signal, at)| {
                    let ttl = 5_000.max(10 * signal.delay.as_millis() as i64);
                    signal.level.milder(((now - at) / ttl) as u64)
                })
            };
            for peer in 0..3 {
                assert_eq!(peers.level_of(&peer, ms(now)), level(peer), "seed {seed}");
            }
            assert_eq!(peers.level(ms(now)), (0..3).map(level).max().unwrap(), "seed {seed}");
        }
    }
}
