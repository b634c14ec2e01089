//! The numbers of the table, each at its exact boundary.

use super::*;
use crate::load::flow::{
    Carries, DROP_POLICIES, DropPolicy, FlowAdvice, FlowReason, FlowRecommendation, Ratio, SuggestedAction,
};

const NOW: Timestamp = Timestamp::EPOCH;

fn of(size: usize) -> FlowConfig {
    FlowConfig { max_buffer_size: size, ..FlowConfig::default() }
}

fn flow(config: FlowConfig) -> FlowController {
    FlowController::new(config).unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn states_begin_exactly_at_their_thresholds() {
    let flow = flow(of(100));
    for (size, state, delay) in [
        (0, FlowState::Normal, 0),
        (69, FlowState::Normal, 0),
        (70, FlowState::Throttled, 0),
        (71, FlowState::Throttled, 25),
        (80, FlowState::Throttled, 250),
        (85, FlowState::Throttled, 375),
        (89, FlowState::Throttled, 475),
        (90, FlowState::Paused, 50),
        (99, FlowState::Paused, 50),
        (100, FlowState::Paused, 50),
        (250, FlowState::Paused, 50),
    ] {
        assert_eq!(flow.peek(size), Verdict { state, delay: ms(delay) }, "{size}");
        assert_eq!(flow.can_send(size), size < 90, "{size}");
    }
    assert_eq!(flow.fill(250), 2.5);
}

#[test]
fn eighty_five_of_a_hundred_triggers_whatever_float_wrote_the_threshold() {
    let wide = of(100).with_thresholds(0.85, 0.95).unwrap();
    let narrow = FlowConfig {
        backpressure_threshold: Ratio::try_from(0.85f32).unwrap(),
        pause_threshold: Ratio::try_from(0.95f32).unwrap(),
        ..of(100)
    };
    for config in [wide, narrow] {
        let flow = flow(config);
        assert_eq!(flow.state(84), FlowState::Normal);
        assert_eq!(flow.state(85), FlowState::Throttled);
        assert_eq!(flow.state(95), FlowState::Paused);
    }
}

#[test]
fn every_capacity_and_percentage_agrees_with_division_in_one_width() {
    for capacity in (1..=120).chain([1_000, 4_097, 1_000_000]) {
        for (bp, pause) in [(70u8, 90u8), (85, 95), (1, 100), (50, 50), (33, 66), (100, 100)] {
            let config =
                of(capacity).with_thresholds(f64::from(bp) / 100.0, f64::from(pause) / 100.0).unwrap();
            let flow = flow(config);
            let step = (capacity / 500).max(1);
            for size in (0..=capacity + 1).step_by(step) {
                let fill = size as f64 / capacity as f64;
                let naive = if fill < f64::from(bp) / 100.0 {
                    FlowState::Normal
                } else if fill < f64::from(pause) / 100.0 {
                    FlowState::Throttled
                } else {
                    FlowState::Paused
                };
                assert_eq!(flow.state(size), naive, "{size} of {capacity} at {bp} and {pause}");
            }
        }
    }
}

#[test]
fn a_buffer_of_three_goes_from_normal_to_full() {
    let flow = flow(of(3));
    assert_eq!(
        [0, 1, 2, 3].map(|n| flow.state(n)),
        [FlowState::Normal, FlowState::Normal, FlowState::Normal, FlowState::Paused]
    );
    let one = super::FlowController::new(of(1)).unwrap();
    assert_eq!([0, 1].map(|n| one.state(n)), [FlowState::Normal, FlowState::Paused]);
    assert_eq!(one.handle_buffer_full(0), FlowAction::Continue);
    assert_eq!(one.handle_buffer_full(1), FlowAction::DropOldest);
}

#[test]
fn the_delay_starts_at_the_minimum_and_never_reaches_the_maximum() {
    let config = FlowConfig { min_batch_delay: ms(20), max_batch_delay: ms(120), ..of(1_000_000) };
    let flow = flow(config);
    assert_eq!(flow.peek(699_999).delay, ms(20));
    assert_eq!(flow.peek(700_000).delay, ms(20));
    assert_eq!(flow.peek(800_000).delay, ms(70));
    assert_eq!(flow.peek(899_999).delay, ms(119));
    assert_eq!(flow.peek(900_000).delay, ms(50));
}

#[test]
fn the_exact_line_and_a_naive_one_agree_within_a_millisecond() {
    let odd = FlowConfig {
        backpressure_threshold: "1/3".parse().unwrap(),
        pause_threshold: "0.98765432101234567".parse().unwrap(),
        min_batch_delay: ms(7),
        max_batch_delay: ms(86_400_000),
        ..of(1 << 32)
    };
    let (bp, pause) = (1.0 / 3.0, 0.987_654_321_012_345_7);
    let flow = flow(odd);
    for n in 0..10_000u64 {
        let size = ((1u64 << 32) * n / 10_000) as usize;
        let fill = size as f64 / (1u64 << 32) as f64;
        if fill >= bp && fill < pause {
            let naive = 7.0 + (fill - bp) / (pause - bp) * 86_399_993.0;
            let exact = flow.peek(size).delay.as_millis() as f64;
            assert!((naive - exact).abs() <= 1.5, "{size}: {naive} {exact}");
        }
    }
}

#[test]
fn extreme_but_legal_limits_do_not_overflow() {
    let config = FlowConfig {
        max_buffer_size: 1 << 32,
        max_buffer_bytes: Some(1 << 40),
        backpressure_threshold: "0.999999997".parse().unwrap(),
        pause_threshold: "0.999999999".parse().unwrap(),
        max_batch_delay: ms(86_400_000),
        ..FlowConfig::default()
    };
    let flow = flow(config);
    for bytes in [0, (1 << 40) - 3_000, (1 << 40) - 2_000, (1 << 40) - 1_200, 1 << 40, usize::MAX] {
        let verdict = flow.peek(Load { messages: 1, bytes });
        assert!(verdict.delay < ms(86_400_000), "{bytes}: {verdict:?}");
    }
    assert_eq!(flow.state(usize::MAX), FlowState::Paused);
}

#[test]
fn without_adaptive_throttling_only_the_throttled_zone_changes() {
    let flow = flow(FlowConfig { adaptive_throttling: false, min_batch_delay: ms(5), ..of(100) });
    assert_eq!([10, 70, 89, 90, 100].map(|n| flow.peek(n).delay.as_millis()), [5, 5, 5, 50, 50]);
    assert!(!flow.can_send(90));
}

#[test]
fn pacing_never_speeds_up_as_the_buffer_fills() {
    let flow = flow(of(1_000));
    let delays: Vec<_> = (0..=1_100).map(|n| flow.pacing_delay(n)).collect();
    assert!(delays.is_sorted());
    assert_eq!(flow.pacing_delay(900), ms(500));
    assert!(flow.peek(899).delay > flow.peek(900).delay);
}

#[test]
fn peeking_counts_nothing_and_deciding_counts_once() {
    let flow = flow(of(100));
    let before = flow.stats(NOW);
    for size in 0..=120 {
        flow.state(size);
        flow.peek(size);
        flow.pacing_delay(size);
        flow.recommendation(NOW);
        flow.is_healthy(NOW);
        flow.stats(NOW);
    }
    assert_eq!(flow.stats(NOW), before);
    flow.calculate_delay(70);
    let stats = flow.stats(NOW);
    assert_eq!((stats.throttle_events, stats.current_throttle_delay_ms), (1, 0));
    flow.calculate_delay(80);
    let stats = flow.stats(NOW);
    assert_eq!((stats.throttle_events, stats.current_throttle_delay_ms), (2, 250));
    flow.calculate_delay(95);
    let stats = flow.stats(NOW);
    assert_eq!((stats.throttle_events, stats.pause_events, stats.current_throttle_delay_ms), (2, 1, 0));
    flow.calculate_delay(80);
    flow.calculate_delay(10);
    assert_eq!(flow.stats(NOW).current_throttle_delay_ms, 0);
}

#[test]
fn dropping_begins_with_a_drop_and_ends_below_full() {
    let flow = flow(of(10));
    assert_eq!(flow.state(10), FlowState::Paused);
    assert_eq!(flow.handle_buffer_full(9), FlowAction::Continue);
    assert_eq!(flow.state(10), FlowState::Paused);
    assert_eq!(flow.handle_buffer_full(10), FlowAction::DropOldest);
    assert_eq!(flow.state(10), FlowState::Dropping);
    assert_eq!(flow.stats(NOW).flow_state, FlowState::Dropping);
    assert!(!flow.can_send(10));
    flow.observe(9);
    assert_eq!(flow.state(9), FlowState::Paused);
    assert_eq!(flow.state(10), FlowState::Paused);
}

#[test]
fn a_full_buffer_is_handled_by_the_policy_and_block_never_drops() {
    for (policy, action) in [
        (DropPolicy::DropOldest, FlowAction::DropOldest),
        (DropPolicy::DropNewest, FlowAction::DropNewest),
        (DropPolicy::DropAll, FlowAction::DropAll),
        (DropPolicy::Block, FlowAction::Block(ms(50))),
    ] {
        let flow = flow(FlowConfig { drop_policy: policy, ..of(10) });
        for size in 0..10 {
            assert_eq!(flow.handle_buffer_full(size), FlowAction::Continue);
        }
        assert_eq!(flow.handle_buffer_full(10), action);
        let expected = if policy == DropPolicy::Block { FlowState::Paused } else { FlowState::Dropping };
        assert_eq!(flow.state(10), expected);
        assert_eq!(flow.stats(NOW).messages_dropped, 0);
    }
}

#[test]
fn the_fill_is_the_larger_of_messages_and_bytes() {
    let flow = flow(FlowConfig { max_buffer_bytes: Some(1_000), ..of(100) });
    let state = |messages, bytes| flow.state(Load { messages, bytes });
    assert_eq!(state(69, 699), FlowState::Normal);
    assert_eq!(state(1, 700), FlowState::Throttled);
    assert_eq!(state(70, 0), FlowState::Throttled);
    assert_eq!(state(1, 900), FlowState::Paused);
    assert_eq!(flow.peek(Load { messages: 80, bytes: 850 }).delay, ms(375));
    assert_eq!(flow.fill(Load { messages: 80, bytes: 850 }), 0.85);
}

#[test]
fn health_is_strictly_less_than_a_tenth() {
    let flow = flow(of(100));
    assert!(flow.is_healthy(NOW));
    flow.record_dropped();
    assert!(!flow.is_healthy(NOW), "everything was dropped");
    flow.reset_stats();
    for _ in 0..100 {
        flow.record_sent(NOW);
    }
    flow.record_lost(DropReason::Oldest, 9);
    assert!(flow.is_healthy(NOW));
    flow.record_dropped();
    assert!(!flow.is_healthy(NOW));
    let stats = flow.stats(NOW);
    assert_eq!((stats.messages_sent, stats.messages_dropped, stats.drop_rate), (100, 10, 0.1));
    assert_eq!(stats.health, Health::Warning);
}

#[test]
fn refused_messages_are_part_of_what_was_offered() {
    let flow = flow(FlowConfig { drop_policy: DropPolicy::DropNewest, ..of(100) });
    for _ in 0..50 {
        flow.record_sent(NOW);
        flow.record_rejected(NOW);
    }
    let stats = flow.stats(NOW);
    assert_eq!((stats.messages_sent, stats.messages_rejected, stats.messages_dropped), (50, 50, 50));
    assert_eq!((stats.drop_rate, stats.lifetime_drop_rate), (0.5, 0.5));
}

#[test]
fn an_outage_ends_health_at_once_and_is_forgiven_later() {
    let flow = flow(of(100));
    let at = |second: i64| Timestamp::from_millis(1_000 * second + 1);
    let run = |from: i64, to: i64, lossy: bool| {
        for second in from..to {
            for _ in 0..200 {
                flow.record_sent(at(second));
                if lossy {
                    flow.record_dropped();
                }
            }
        }
    };
    run(0, 600, false);
    assert!(flow.is_healthy(at(600)));
    run(600, 610, true);
    assert!(!flow.is_healthy(at(610)));
    assert!(flow.stats(at(610)).lifetime_drop_rate < 0.1);
    run(610, 700, false);
    assert!(flow.is_healthy(at(700)));
}

#[test]
fn the_fill_comes_before_the_drop_rate_and_does_not_hide_it() {
    let advise = |size: usize, sent: u64, dropped: u64| -> FlowRecommendation {
        let flow = flow(of(100));
        for _ in 0..sent {
            flow.record_sent(NOW);
        }
        flow.record_lost(DropReason::Oldest, dropped);
        flow.observe(size);
        flow.recommendation(NOW)
    };
    let action = |size, sent, dropped| advise(size, sent, dropped).action;
    assert_eq!(action(0, 100, 9), FlowAdvice::Ok);
    assert_eq!(action(0, 100, 10), FlowAdvice::Warning);
    assert_eq!(action(0, 100, 30), FlowAdvice::Warning);
    assert_eq!(action(0, 100, 31), FlowAdvice::Disconnect);
    assert_eq!(action(70, 100, 50), FlowAdvice::Throttle);
    assert_eq!(action(90, 100, 50), FlowAdvice::Pause);
    assert_eq!(action(0, 1_000_000, 101), FlowAdvice::Ok);
    let masked = advise(95, 100, 50);
    assert_eq!((masked.health, masked.drop_rate, masked.buffer_fill), (Health::Unhealthy, 0.5, 0.95));
    assert_eq!(masked.reason, FlowReason::PauseThreshold);
    assert_eq!(advise(80, 1, 0).suggested_action, SuggestedAction::SlowDown { delay: ms(250) });
}

#[test]
fn a_reset_keeps_the_gauges() {
    let flow = flow(of(100));
    flow.record_sent(NOW);
    flow.decide(95);
    flow.reset_stats();
    let stats = flow.stats(NOW);
    assert_eq!((stats.messages_sent, stats.pause_events), (0, 0));
    assert_eq!((stats.buffer_size, stats.max_buffer_size), (95, 100));
    assert_eq!((stats.fill_percentage, stats.flow_state), (0.95, FlowState::Paused));
    assert!(stats.is_balanced());
}

#[test]
fn a_knob_out_of_range_is_named_with_value_and_range() {
    let field = |config: FlowConfig| FlowController::new(config).unwrap_err().field;
    let base = FlowConfig::default;
    assert_eq!(field(of(0)), "max_buffer_size");
    assert_eq!(field(of((1 << 32) + 1)), "max_buffer_size");
    assert_eq!(field(FlowConfig { max_buffer_bytes: Some(0), ..base() }), "max_buffer_bytes");
    assert_eq!(field(base().with_thresholds(0.0, 0.9).unwrap()), "backpressure_threshold");
    assert_eq!(field(base().with_thresholds(0.91, 0.9).unwrap()), "backpressure_threshold");
    for bad in [f64::NAN, f64::INFINITY, -0.1, 1.1] {
        assert_eq!(base().with_thresholds(bad, 0.9).unwrap_err().field, "backpressure_threshold");
        assert_eq!(base().with_thresholds(0.1, bad).unwrap_err().field, "pause_threshold");
    }
    let resume = FlowConfig { resume_threshold: Some(Ratio::percent(91)), ..base() };
    assert_eq!(field(resume), "resume_threshold");
    assert_eq!(field(FlowConfig { min_batch_delay: ms(501), ..base() }), "min_batch_delay");
    assert_eq!(field(FlowConfig { max_batch_delay: Duration::MAX, ..base() }), "max_batch_delay");
    assert_eq!(field(FlowConfig { pause_duration: Duration::ZERO, ..base() }), "pause_duration");
    assert_eq!(
        field(FlowConfig { pause_duration: Duration::from_micros(1_500), ..base() }),
        "pause_duration"
    );
    assert_eq!(field(FlowConfig { block_timeout: Some(Duration::ZERO), ..base() }), "block_timeout");
    assert_eq!(field(FlowConfig { max_age: Some(Duration::ZERO), ..base() }), "max_age");
    assert_eq!(field(FlowConfig { health_offers: 0, ..base() }), "health_offers");
    let error = FlowController::new(of(0)).unwrap_err();
    assert_eq!(error.to_string(), "max_buffer_size does not fit. given=0, expected 1 to 4294967296");
    assert!(FlowController::new(FlowConfig { block_timeout: None, ..of(1 << 32) }).is_ok());
    assert!(FlowController::new(base().with_thresholds(1.0, 1.0).unwrap()).is_ok());
}

#[test]
fn what_may_not_be_lost_refuses_every_policy_that_loses() {
    for carries in [Carries::Votes, Carries::Tokens, Carries::JobState, Carries::Audit] {
        for entry in DROP_POLICIES {
            let built = FlowController::new(FlowConfig {
                carries,
                drop_policy: entry.policy,
                ..FlowConfig::default()
            });
            assert_eq!(built.is_err(), entry.lossy, "{carries:?} with {}", entry.name);
            if let Err(error) = built {
                assert_eq!((error.field, error.given.as_str()), ("drop_policy", entry.name));
            }
        }
        let aging = FlowConfig {
            carries,
            drop_policy: DropPolicy::Block,
            max_age: Some(ms(1)),
            ..FlowConfig::default()
        };
        assert_eq!(FlowController::new(aging).unwrap_err().field, "max_age");
    }
}

#[test]
fn a_configuration_is_written_in_plain_numbers_and_read_back() {
    let text = serde_json::to_string(&FlowConfig::default()).unwrap();
    assert!(text.contains(r#""backpressure_threshold":0.7,"pause_threshold":0.9"#), "{text}");
    assert!(text.contains(r#""pause_duration_ms":50"#) && text.contains(r#""drop_policy":"drop_oldest""#));
    assert_eq!(serde_json::from_str::<FlowConfig>(&text).unwrap(), FlowConfig::default());
    let read = |text| serde_json::from_str::<FlowConfig>(text);
    assert_eq!(
        read(r#"{"backpressure_threshold":"2/3","block_timeout_ms":null}"#).unwrap().block_timeout,
        None
    );
    assert_eq!(read("{}").unwrap(), FlowConfig::default());
    assert!(read(r#"{"pause_threshold":1.5}"#).is_err());
    assert!(read(r#"{"max_bufer_size":5}"#).is_err());
}
