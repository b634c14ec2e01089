//! Deadlines that are learned against fixed ones chosen with full knowledge, in virtual time: how long dead work goes
//! unnoticed when at most one job in a thousand may be stopped wrongly.
//!
//! `cargo run --example adaptive_timeout`

#[path = "../tests/properties/adaptive.rs"]
mod adaptive;

use adaptive::{CLASSES, Figures, Limits, best, fixed, jobs, learned};
use quorate::durations::{Limit, Settings};

const NEVER: u64 = u64::MAX;

fn main() {
    let (seed, per_class) = (1, 10_000);
    let jobs = jobs(seed, per_class);
    println!("{} jobs of four classes, two in a hundred die silently. seed={seed}\n", jobs.len());
    println!("from death to detection             stopped wrongly          mean           p99");

    let timeout = best(&jobs, Limit::Overall, None);
    let best_timeout = fixed(&jobs, |_| Limits { overall_us: timeout, stuck_us: NEVER });
    show("best fixed timeout", &best_timeout);
    let silence = best(&jobs, Limit::Stuck, None);
    let best_silence = fixed(&jobs, |_| Limits { overall_us: NEVER, stuck_us: silence });
    show("best fixed limit on silence", &best_silence);
    let by_class: Vec<u64> = (0..CLASSES.len()).map(|class| best(&jobs, Limit::Stuck, Some(class))).collect();
    let of_class = fixed(&jobs, |class| Limits { overall_us: NEVER, stuck_us: by_class[class] });
    show("the same, one for each class", &of_class);
    let (online, known) = learned(&jobs, &Settings::default(), |record| record);
    show("learned on the way, cold start included", &online);

    let times = |figure: fn(&Figures) -> f64| figure(&best_timeout) / figure(&online);
    println!(
        "\nlearned is faster than the best fixed timeout: mean {:.1} times, p99 {:.1} times\n",
        times(Figures::mean_s),
        times(Figures::p99_s)
    );

    println!(
        "what was learned     finished  stopped      overall limit  from quantile     silence limit  from quantile"
    );
    for (name, estimate) in CLASSES.iter().zip(known) {
        let Some(e) = estimate else { continue };
        let seconds = |us: u64| format!("{:.0} s", us as f64 / 1e6);
        println!(
            "{name:<20} {:>8} {:>8} {:>18} {:>14} {:>17} {:>14}",
            e.evidence.finished,
            e.evidence.censored,
            seconds(e.overall.limit_us),
            seconds(e.overall.quantile_us),
            seconds(e.stuck.limit_us),
            seconds(e.stuck.quantile_us),
        );
    }
}

fn show(name: &str, figures: &Figures) {
    println!(
        "{name:<40} {:>8.3} % {:>11.0} s {:>11.0} s",
        figures.wrongly_percent(),
        figures.mean_s(),
        figures.p99_s()
    );
}
