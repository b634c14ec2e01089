//! Learned deadlines find dead work much sooner than fixed ones, and stop hardly any that lives; and they keep doing so
//! when what they stopped is all they learn from.

use quorate_core::jobs::durations::{
    Command, DurationsMachine, Ended, Estimate, Limit, MAX_DOUBT, Record, Settings, estimate,
};
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;

use crate::adaptive::{FALSE_PPM, Figures, Limits, best, fixed, jobs, learned};

fn kept(figures: &Figures) -> bool {
    figures.wrongly * 1_000_000 <= figures.jobs * FALSE_PPM
}

#[test]
fn dead_work_is_found_in_a_fifth_of_the_time_of_the_best_fixed_timeout() {
    for seed in [1, 2, 3] {
        let jobs = jobs(seed, 4_000);
        let timeout = best(&jobs, Limit::Overall, None);
        let fixed = fixed(&jobs, |_| Limits { overall_us: timeout, stuck_us: u64::MAX });
        assert!(kept(&fixed), "seed {seed}");
        let (online, _) = learned(&jobs, &Settings::default(), |record| record);
        let share = (online.mean_s() / fixed.mean_s(), online.p99_s() / fixed.p99_s());
        println!("seed {seed}: {:.4} % wrongly, shares {share:?}", online.wrongly_percent());
        assert!(kept(&online), "seed {seed}: {} of {} stopped wrongly", online.wrongly, online.jobs);
        assert!(share.0 <= 0.2 && share.1 <= 0.2, "seed {seed}: {share:?}");
    }
}

/// The experiment notices what makes deadlines too short.
#[test]
fn without_a_factor_too_much_live_work_is_stopped() {
    let jobs = jobs(1, 2_000);
    let mut settings = Settings::default();
    for limit in [&mut settings.overall, &mut settings.stuck] {
        (limit.factor_permille, limit.follow_tail) = (1_000, false);
    }
    let (online, _) = learned(&jobs, &settings, |record| record);
    assert!(!kept(&online), "{} of {}", online.wrongly, online.jobs);
}

/// A class under its own learned limits, whose jobs all live.
struct Loop {
    class: Driver<DurationsMachine>,
    settings: Settings,
    stopped: u32,
}

impl Loop {
    fn new(settings: Settings) -> Self {
        settings.check().unwrap();
        Loop { class: Driver::default(), settings, stopped: 0 }
    }

    fn estimate(&self) -> Option<Estimate> {
        estimate(self.class.state(), &self.settings)
    }

    /// A job of this duration, which beats all the time or not at all.
    fn run(&mut self, duration_us: u64, beats: bool) {
        let longest = |ran: u64| if beats { 1 } else { ran };
        let silent = |ran: u64| if beats { 0 } else { ran };
        let limits = self.estimate().map(|e| (e.overall.limit_us, e.stuck.limit_us));
        let (overall, stuck) = limits.unwrap_or((u64::MAX, u64::MAX));
        let record = if !beats && duration_us > stuck && stuck <= overall {
            let ended = Ended::TimedOut { after: Limit::Stuck, silent_us: stuck };
            Record { duration_us: stuck, longest_gap_us: 0, ended }
        } else if duration_us > overall {
            let ended = Ended::TimedOut { after: Limit::Overall, silent_us: silent(overall) };
            Record { duration_us: overall, longest_gap_us: u64::from(beats), ended }
        } else {
            Record { duration_us, longest_gap_us: longest(duration_us), ended: Ended::Finished }
        };
        self.stopped += u32::from(record.ended != Ended::Finished);
        let step = self.class.step(Command::Record(record), Timestamp::EPOCH);
        assert!(step.reply.is_ok(), "{:?}", step.reply);
    }
}

fn plain(quantile_ppm: u32, factor_permille: u32) -> Settings {
    let mut settings = Settings::default();
    for limit in [&mut settings.overall, &mut settings.stuck] {
        (limit.quantile_ppm, limit.factor_permille) = (quantile_ppm, factor_permille);
        (limit.follow_tail, limit.floor_us) = (false, 0);
    }
    settings
}

#[test]
fn limits_do_not_shrink_by_what_they_stop() {
    // One job in ten is stopped for ever. Who left those out would soon have a third of the limit.
    let mut class = Loop::new(plain(900_000, 1_000));
    let mut rng = Rng::new(7);
    for _ in 0..20_000 {
        class.run(1 + rng.next_u64() % 1_000_000, true);
    }
    let limit = class.estimate().unwrap().overall.limit_us;
    assert!((850_000..=1_000_000).contains(&limit), "{limit}");
    assert!((1_500..=3_000).contains(&class.stopped), "{}", class.stopped);
}

#[test]
fn a_workload_that_became_slower_is_learned_although_it_was_all_stopped() {
    for beats in [true, false] {
        let mut class = Loop::new(Settings::default());
        let mut rng = Rng::new(7);
        for _ in 0..3_000 {
            class.run(60_000_000 + rng.next_u64() % 1_000_000, beats);
        }
        assert_eq!(class.stopped, 0);
        for _ in 0..3_000 {
            class.run(6_000_000_000 + rng.next_u64() % 1_000_000, beats);
        }
        assert!(class.stopped <= 60, "beats={beats}: {} stopped", class.stopped);
        let limit = class.estimate().unwrap().overall.limit_us;
        assert!((6_000_000_000..=30_000_000_000).contains(&limit), "beats={beats}: {limit}");
    }
}

#[test]
fn a_workload_that_became_faster_is_learned() {
    let mut class = Loop::new(Settings::default());
    for duration in [6_000_000_000, 60_000_000] {
        for _ in 0..25_000 {
            class.run(duration, true);
        }
    }
    let limit = class.estimate().unwrap().overall.limit_us;
    assert!((240_000_000..=250_000_000).contains(&limit), "{limit}");
}

#[test]
fn deaths_do_not_move_the_limit_on_silence() {
    let mut class = Loop::new(Settings::default());
    let mut rng = Rng::new(7);
    let mut died = 0;
    for n in 0..10_000_u32 {
        let stuck = class.estimate().map(|e| e.stuck.limit_us);
        match stuck.filter(|_| n % 20 == 0) {
            Some(silent_us) => {
                let ended = Ended::TimedOut { after: Limit::Stuck, silent_us };
                let record = Record { duration_us: silent_us + 5_000_000, longest_gap_us: 2_000_000, ended };
                class.class.step(Command::Record(record), Timestamp::EPOCH);
                died += 1;
            }
            None => {
                let gap = 1_000_000 + rng.next_u64() % 9_000_000;
                let record = Record { duration_us: 60_000_000, longest_gap_us: gap, ended: Ended::Finished };
                class.class.step(Command::Record(record), Timestamp::EPOCH);
            }
        }
    }
    let estimate = class.estimate().unwrap();
    assert!(died > 450 && estimate.evidence.doubt < MAX_DOUBT);
    assert!((19_500_000..=21_000_000).contains(&estimate.stuck.limit_us), "{}", estimate.stuck.limit_us);
}
