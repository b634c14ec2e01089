//! Sixty-four agents share the limits of a provider, so many requests and so many tokens a minute: once they reserve
//! before they call, once each tries by itself and comes again later when it is refused.
//!
//! The provider counts every minute there is, not those of a clock: it refuses whatever would be too much for the sixty
//! seconds before it. It knows what a call costs when it arrives; the agents know only the most it may cost. Time is
//! virtual, and one seed makes one run. The table is printed: `cargo test --test properties providers -- --nocapture`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use quorate_core::capacity::cell::{Op, Rate, Reply, Reserve, Settings, Units, World};
use quorate_core::kernel::ids::{BudgetId, CellId, Resource, TokenId};
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;

const AGENTS: usize = 64;
const MINUTE_US: u64 = 60_000_000;
const MINUTES: u64 = 20;
/// The first minutes fill the provider's memory and are not counted.
const WARM: u64 = 2;
const REQUESTS: u64 = 600;
const TOKENS: u64 = 480_000;
/// Of every hundred the provider allows, so many come back to the budget in a minute; and so many lie ready at most. Both
/// together are what any minute may see, but for the time between a grant and its call.
const REFILL: u64 = 97;
const BURST: u64 = 1;

/// What a provider lets in within any minute.
#[derive(Default)]
struct Provider {
    seen: VecDeque<(u64, u64)>,
    asked: u64,
    refused: u64,
    served: u64,
    tokens: u64,
}

impl Provider {
    /// Serves a call, or says after how many microseconds the oldest that is in the way is forgotten.
    fn call(&mut self, now: u64, tokens: u64) -> Result<(), u64> {
        while self.seen.front().is_some_and(|(at, _)| at + MINUTE_US <= now) {
            self.seen.pop_front();
        }
        let counts = now >= WARM * MINUTE_US;
        self.asked += u64::from(counts);
        let used: u64 = self.seen.iter().map(|(_, tokens)| tokens).sum();
        if self.seen.len() as u64 >= REQUESTS || used + tokens > TOKENS {
            self.refused += u64::from(counts);
            return Err(self.seen.front().map_or(0, |(at, _)| at + MINUTE_US - now));
        }
        self.seen.push_back((now, tokens));
        if counts {
            self.served += 1;
            self.tokens += tokens;
        }
        Ok(())
    }
}

/// What an agent does next.
#[derive(Clone, Debug)]
enum Next {
    /// It has work, and wants to call.
    Wants,
    /// Its call arrives, after so many refusals.
    Arrives { tokens: u64, token: Option<TokenId>, refusals: u32 },
    /// It has its answer.
    Answered { tokens: u64, token: Option<TokenId> },
}

struct Run {
    rng: Rng,
    provider: Provider,
    /// What happens when, in order; equal instants in the order they were planned.
    plan: BTreeMap<(u64, u64), (usize, Next)>,
    planned: u64,
}

/// A call: what it costs, and the most it may.
fn work(rng: &mut Rng) -> (u64, u64) {
    let input = 200 + rng.next_u64() % 801;
    (input + 100 + rng.next_u64() % 801, input + 900)
}

impl Run {
    fn new() -> Self {
        let mut run =
            Run { rng: Rng::new(7), provider: Provider::default(), plan: BTreeMap::new(), planned: 0 };
        for agent in 0..AGENTS {
            run.at(0, agent, Next::Wants);
        }
        run
    }

    fn at(&mut self, us: u64, agent: usize, next: Next) {
        self.planned += 1;
        self.plan.insert((us, self.planned), (agent, next));
    }

    fn next(&mut self) -> Option<(u64, usize, Next)> {
        let ((now, _), (agent, next)) = self.plan.pop_first()?;
        (now < MINUTES * MINUTE_US).then_some((now, agent, next))
    }

    fn network(&mut self) -> u64 {
        20_000 + self.rng.next_u64() % 180_000
    }

    fn thinks(&mut self) -> u64 {
        1_000_000 + self.rng.next_u64() % 5_000_000
    }

    fn row(&self, name: &str) -> (f64, f64) {
        let Provider { asked, refused, served, tokens, .. } = self.provider;
        let minutes = (MINUTES - WARM) as f64;
        let refused_share = 100.0 * refused as f64 / asked as f64;
        let used = 100.0 * tokens as f64 / minutes / TOKENS as f64;
        println!(
            "{name:<34} {:>8.0} {:>10.0} {used:>8.2} % {asked:>8} {refused:>8} {refused_share:>8.2} %",
            served as f64 / minutes,
            tokens as f64 / minutes,
        );
        (refused_share, used)
    }
}

/// Everybody calls at once and comes again when refused: after a while that doubles, or after what the provider says.
fn alone(name: &str, obeys: bool) -> (f64, f64) {
    let mut run = Run::new();
    while let Some((now, agent, next)) = run.next() {
        match next {
            Next::Wants => {
                let (tokens, _) = work(&mut run.rng);
                let at = now + run.network();
                run.at(at, agent, Next::Arrives { tokens, token: None, refusals: 0 });
            }
            Next::Arrives { tokens, token, refusals } => match run.provider.call(now, tokens) {
                Ok(()) => {
                    let at = now + run.thinks();
                    run.at(at, agent, Next::Answered { tokens, token });
                }
                Err(again) => {
                    let most = (1_000_000u64 << refusals.min(6)).min(MINUTE_US);
                    let pause = if obeys { again } else { 1 + run.rng.next_u64() % most };
                    let at = now + pause + run.network();
                    run.at(at, agent, Next::Arrives { tokens, token, refusals: refusals + 1 });
                }
            },
            Next::Answered { .. } => run.at(now, agent, Next::Wants),
        }
    }
    run.row(name)
}

fn name<T>(text: &str, make: fn(String) -> Result<T, quorate_core::kernel::ids::IdError>) -> T {
    make(text.to_owned()).unwrap()
}

/// Everybody reserves first, in turn, and settles with what it came to.
fn reserving() -> (f64, f64) {
    let (requests, tokens) = (name("requests", Resource::new), name("tokens", Resource::new));
    let budget = name("provider", BudgetId::new);
    let rate = |limit: u64| Rate {
        amount: limit * REFILL / 100,
        period_us: MINUTE_US,
        burst: (limit * BURST / 100).max(4_000.min(limit / 60)),
        debt: 0,
        weights: Units::new(),
    };
    let rates = [(requests.clone(), rate(REQUESTS)), (tokens.clone(), rate(TOKENS))].into();
    let mut world = World::new(Settings::default());
    world.run(&Op::SetRates { budget: budget.clone(), rates }, Timestamp::EPOCH).unwrap();
    let at = |us: u64| Timestamp::from_micros(us as i64);
    let cell = |agent: usize| name(&format!("agent-{agent}"), CellId::new);

    let mut run = Run::new();
    let mut line: VecDeque<(usize, u64, u64)> = VecDeque::new();
    let mut asks_at: Option<u64> = None;
    let mut made = 0_u64;
    loop {
        // Whoever is first in line asks when it was told to; everything else happens in its order.
        let first = run.plan.first_key_value().map(|((us, _), _)| *us);
        let turn = asks_at.filter(|at| first.is_none_or(|first| *at <= first));
        let now = match (turn, first) {
            (Some(now), _) => {
                asks_at = None;
                now
            }
            (None, _) => {
                let Some((now, agent, next)) = run.next() else { break };
                match next {
                    Next::Wants => {
                        let (tokens, most) = work(&mut run.rng);
                        line.push_back((agent, tokens, most));
                    }
                    Next::Arrives { tokens, token, refusals } => match run.provider.call(now, tokens) {
                        Ok(()) => {
                            let at = now + run.thinks();
                            run.at(at, agent, Next::Answered { tokens, token });
                        }
                        Err(again) => {
                            let next = Next::Arrives { tokens, token, refusals: refusals + 1 };
                            run.at(now + again + 1, agent, next);
                        }
                    },
                    Next::Answered { tokens: used, token } => {
                        let actual = Units::from([(tokens.clone(), used)]);
                        let op = Op::Settle { token: token.unwrap(), cell: cell(agent), actual };
                        world.run(&op, at(now)).unwrap();
                        // What comes back may serve the first in line earlier than it was told.
                        asks_at = None;
                        run.at(now, agent, Next::Wants);
                    }
                }
                now
            }
        };
        if now >= MINUTES * MINUTE_US {
            break;
        }
        while asks_at.is_none_or(|at| at <= now) && !line.is_empty() {
            let (agent, used, most) = line[0];
            made += 1;
            let asked = Reserve {
                token: name(&format!("r{made}"), TokenId::new),
                cell: cell(agent),
                by: None,
                units: Units::from([(requests.clone(), 1), (tokens.clone(), most)]),
                budgets: BTreeSet::from([budget.clone()]),
                lease: Duration::from_secs(300),
            };
            match world.run(&Op::Reserve(asked), at(now)).unwrap() {
                Reply::Reserved { reservation, .. } => {
                    line.pop_front();
                    asks_at = None;
                    let arrives = now + run.network();
                    let token = Some(reservation.token);
                    run.at(arrives, agent, Next::Arrives { tokens: used, token, refusals: 0 });
                }
                Reply::Exhausted { short } => {
                    let us = short.iter().filter_map(|of| of.wait_us).max().unwrap();
                    asks_at = Some(now + us.div_ceil(1_000) * 1_000);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    run.row("reserve and settle")
}

#[test]
fn agents_that_reserve_are_hardly_ever_refused_and_use_what_there_is() {
    println!(
        "{AGENTS} agents, {REQUESTS} requests and {TOKENS} tokens a minute, {} minutes\n\n{:<34} {:>8} {:>10} {:>10} {:>8} {:>8} {:>10}",
        MINUTES - WARM,
        "",
        "req/min",
        "tok/min",
        "used",
        "asked",
        "refused",
        "refused"
    );
    let (doubling, _) = alone("alone, pauses that double", false);
    let (obeying, _) = alone("alone, pauses as the provider says", true);
    let (refused, used) = reserving();
    assert!(refused < 0.5, "refused {refused} %");
    assert!(used >= 95.0, "used {used} %");
    assert!(doubling > 10.0 * refused.max(0.1) && obeying > refused, "{doubling} {obeying}");
}
