//! What rates let through is conserved: of every rate, in every time, what was granted less what was settled back is at
//! most the burst and the refill of that time, whatever is asked, however the clock moves and however often the process
//! dies.
//!
//! Beside the world runs a naive twin: it keeps one exact fraction per rate, and adds to it whenever time has passed. A
//! case has some thirty acts over three budgets; `PROPTEST_CASES=100000` in a release build asks for three million.
//!
//! Beside the cases that shrink there are schedules by seed, each of sixty acts in which the process dies now and then: a
//! thousand, or as many as `QUORATE_RATE_SCHEDULES` says, from `QUORATE_RATE_SEED` on. A failure prints its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use quorate_core::capacity::cell::reservation::{Difference, ReservationEnd};
use quorate_core::capacity::cell::{Op, Rate, Rejection, Reply, Reserve, Settings, Units, World};
use quorate_core::kernel::ids::{BudgetId, CellId, Resource, TokenId};
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;

#[derive(Clone, Debug)]
enum Act {
    /// The clock moves, in microseconds; back as well. Then the world looks at what is over, or does not.
    Move(i64, bool),
    /// So much of two units, of the budgets of this mask, to be settled within so many microseconds.
    Reserve { units: (u8, u8), budgets: u8, lease: u8 },
    /// The newest reservation but so many, with so much used of two units.
    Settle { back: u8, units: (u8, u8) },
    /// The last operation again.
    Repeat,
    /// The process dies; the next one folds the log.
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (-20..60i64, any::<bool>()).prop_map(|(us, looks)| Act::Move(us, looks)),
        8 => ((0..9u8, 0..9u8), 1..8u8, 1..40u8)
            .prop_map(|(units, budgets, lease)| Act::Reserve { units, budgets, lease }),
        5 => (0..4u8, (0..14u8, 0..14u8)).prop_map(|(back, units)| Act::Settle { back, units }),
        1 => Just(Act::Repeat),
        1 => Just(Act::Restart),
    ]
}

/// Amount, period, burst and debt of a rate, and the weights of two units.
fn rate() -> impl Strategy<Value = Rate> {
    (1..9u64, 1_000..1_011u64, 1..12u64, 0..4u64, prop::option::of((1..4u64, 1..4u64))).prop_map(
        |(amount, period_us, burst, debt, weights)| {
            let weights = weights.map(|(first, second)| Units::from([(unit(0), first), (unit(1), second)]));
            // A period of a millisecond and an amount of some hundred: a few microseconds make a unit.
            Rate { amount: amount * 97, period_us, burst, debt, weights: weights.unwrap_or_default() }
        },
    )
}

fn unit(n: u8) -> Resource {
    Resource::new(format!("u{n}")).unwrap()
}

fn budget(n: usize) -> BudgetId {
    BudgetId::new(format!("b{n}")).unwrap()
}

fn units((first, second): (u8, u8)) -> Units {
    Units::from([(unit(0), first.into()), (unit(1), second.into())])
}

/// One rate as somebody would keep it who has never heard of remainders: a fraction whose denominator is the period.
struct Twin {
    rate: Rate,
    name: Resource,
    parts: i128,
    latest: i64,
    /// What was granted, and what was settled, each with its instant by the latest clock; settled back is below 0.
    granted: Vec<(i64, i128)>,
    settled: Vec<(i64, i128)>,
}

impl Twin {
    fn period(&self) -> i128 {
        self.rate.period_us.into()
    }

    /// What there is at an instant, were something on record then. An instant before the last one on record is that one.
    fn parts_at(&self, now: i64) -> i128 {
        let passed = i128::from((now - self.latest).max(0));
        let full = i128::from(self.rate.burst) * self.period();
        (self.parts + passed * i128::from(self.rate.amount)).min(full.max(self.parts))
    }

    fn level_at(&self, now: i64) -> i128 {
        self.parts_at(now).div_euclid(self.period())
    }

    fn change(&mut self, now: i64, units: i128) {
        let full = i128::from(self.rate.burst) * self.period();
        self.parts = (self.parts_at(now) + units * self.period()).min(full);
        self.latest = self.latest.max(now);
    }

    fn cost(&self, units: &Units) -> i128 {
        let weight = |of: &Resource| match self.rate.weights.get(of) {
            Some(weight) => *weight,
            None => u64::from(self.rate.weights.is_empty() && *of == self.name),
        };
        units.iter().map(|(of, count)| i128::from(count * weight(of))).sum()
    }

    /// Does the rate keep its promise over every time that begins and ends at a grant?
    fn check(&self) {
        let refill =
            |from: i64, to: i64| (i128::from(to - from) * i128::from(self.rate.amount)) / self.period() + 1;
        let within = |list: &[(i64, i128)], from: i64, to: i64| -> i128 {
            list.iter().filter(|(at, _)| (from..=to).contains(at)).map(|(_, count)| *count).sum()
        };
        for (first, (from, _)) in self.granted.iter().enumerate() {
            for (to, _) in &self.granted[first..] {
                let back = self.settled.iter().filter(|(_, count)| *count < 0).copied().collect::<Vec<_>>();
                let net = within(&self.granted, *from, *to) + within(&back, *from, *to);
                let most = i128::from(self.rate.burst) + refill(*from, *to);
                assert!(net <= most, "{net} of {:?} in {from}..={to}, at most {most}", self.rate);
                let all = within(&self.granted, *from, *to) + within(&self.settled, *from, *to);
                assert!(all <= most + i128::from(self.rate.debt), "{all} with debts in {from}..={to}");
            }
        }
    }
}

type Made = (TokenId, BTreeMap<(usize, usize), i128>, i64);

struct Run {
    world: World,
    twins: Vec<Vec<Twin>>,
    now: i64,
    /// Reservations, with what each costs by budget and rate, and its last instant.
    made: Vec<Made>,
    settled: BTreeSet<TokenId>,
}

impl Run {
    fn new(rates: &[Vec<Rate>]) -> Self {
        let mut world = World::new(Settings::default());
        let twin = |(n, rate): (usize, &Rate)| Twin {
            name: unit(n as u8),
            parts: i128::from(rate.burst) * i128::from(rate.period_us),
            rate: rate.clone(),
            latest: 0,
            granted: Vec::new(),
            settled: Vec::new(),
        };
        let mut twins = Vec::new();
        for (n, rates) in rates.iter().enumerate() {
            let named = rates.iter().enumerate().map(|(n, rate)| (unit(n as u8), rate.clone())).collect();
            world.run(&Op::SetRates { budget: budget(n), rates: named }, Timestamp::EPOCH).unwrap();
            twins.push(rates.iter().enumerate().map(twin).collect());
        }
        Run { world, twins, now: 0, made: Vec::new(), settled: BTreeSet::new() }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now)
    }

    fn reserve(&mut self, op: &Op, asked: &Reserve, mask: u8) {
        let now = self.now;
        let named: Vec<usize> = (0..self.twins.len()).filter(|n| mask & (1 << n) != 0).collect();
        let mut costs = BTreeMap::new();
        let (mut fits, mut never) = (true, false);
        for budget in &named {
            for (n, twin) in self.twins[*budget].iter().enumerate() {
                let cost = twin.cost(&asked.units);
                fits &= cost == 0 || cost <= twin.level_at(now);
                never |= cost > i128::from(twin.rate.burst);
                costs.insert((*budget, n), cost);
            }
        }
        match self.world.run(op, self.now()) {
            Ok(Reply::Reserved { reservation, end: None, duplicate: false }) => {
                assert!(fits && costs.values().any(|cost| *cost > 0), "granted what is not there: {asked:?}");
                for ((budget, n), cost) in &costs {
                    let twin = &mut self.twins[*budget][*n];
                    if *cost > 0 {
                        twin.change(now, -cost);
                        twin.granted.push((twin.latest, *cost));
                    }
                }
                let last = reservation.expires.as_micros();
                self.made.push((reservation.token, costs, last));
            }
            Ok(Reply::Exhausted { short }) => {
                assert!(!fits, "refused what is there: {asked:?} {short:?}");
                assert_eq!(never, short.iter().any(|of| of.wait_us.is_none()), "{asked:?} {short:?}");
                self.check_wait(asked, short.iter().map(|of| of.wait_us).collect());
            }
            Err(Rejection::Uncounted { .. }) => assert!(costs.values().all(|cost| *cost == 0)),
            Err(Rejection::UnknownUnit { unit, .. }) => {
                let alone = Units::from([(unit.clone(), 1)]);
                let twins = named.iter().flat_map(|budget| &self.twins[*budget]);
                assert!(
                    twins.clone().all(|twin| twin.cost(&alone) == 0),
                    "a rate counts it: {unit} {asked:?}"
                );
                assert!(asked.units.contains_key(&unit) && twins.count() > 0);
            }
            other => panic!("{other:?} to {asked:?}"),
        }
    }

    /// What is said to suffice does, and a microsecond less does not; tried on a copy of the world.
    fn check_wait(&self, asked: &Reserve, waits: Option<Vec<u64>>) {
        let Some(us) = waits.and_then(|waits| waits.into_iter().max()) else { return };
        let again = |us: i64| {
            let mut copy = World::new(Settings::default());
            copy.log = self.world.log.clone();
            copy.restart();
            let op = Op::Reserve(Reserve { token: TokenId::new("later").unwrap(), ..asked.clone() });
            copy.run(&op, Timestamp::from_micros(self.now + us)).unwrap().status()
        };
        assert_eq!(again(us as i64), "granted", "{asked:?} after {us} us");
        assert_eq!(again(us as i64 - 1), "exhausted", "{asked:?} before {us} us");
    }

    fn settle(&mut self, op: &Op, number: usize, actual: &Units) {
        let (token, costs, last) = self.made[number].clone();
        let is_over = |(id, _): &(usize, usize)| {
            self.world.budget(&budget(*id)).ended_reservations.get(&token).is_some()
        };
        // What has expired is on record only once somebody looked; a clock that is set back may settle it till then.
        let expired = last < self.now || costs.keys().any(is_over);
        let answer = self.world.run(op, self.now());
        if self.settled.contains(&token) {
            assert!(matches!(
                answer,
                Err(Rejection::SettledOtherwise { .. })
                    | Ok(Reply::ReservationSettled { duplicate: true, .. })
            ));
            return;
        }
        if expired {
            assert_eq!(answer, Err(Rejection::TokenExpired));
            return;
        }
        self.settled.insert(token);
        let Ok(Reply::ReservationSettled { differences, duplicate: false, .. }) = answer else {
            panic!("{answer:?}")
        };
        for ((id, n), taken) in costs {
            let twin = &mut self.twins[id][n];
            let used = twin.cost(actual);
            let told = differences[&budget(id)].get(&unit(n as u8)).cloned().unwrap_or_default();
            if used <= taken {
                assert_eq!(told, Difference { given_back: (taken - used) as u64, ..Difference::default() });
                if used < taken {
                    twin.change(self.now, taken - used);
                    twin.settled.push((twin.latest, used - taken));
                }
            } else {
                let least = -i128::from(twin.rate.debt);
                let debited = (used - taken).min((twin.level_at(self.now) - least).max(0));
                let uncovered = (used - taken - debited) as u64;
                assert_eq!(told, Difference { given_back: 0, debited: debited as u64, uncovered });
                twin.change(self.now, -debited);
                twin.settled.push((twin.latest, debited));
            }
        }
    }

    fn check(&self) {
        for (n, twins) in self.twins.iter().enumerate() {
            let state = self.world.budget(&budget(n));
            for (number, twin) in twins.iter().enumerate() {
                let (_, bucket) = state.ready(&unit(number as u8), self.now()).unwrap();
                let parts = twin.parts_at(self.now);
                assert_eq!(i128::from(bucket.level), parts.div_euclid(twin.period()), "{:?}", twin.rate);
                assert_eq!(i128::from(bucket.rest), parts.rem_euclid(twin.period()), "{:?}", twin.rate);
                assert!(bucket.level >= -(twin.rate.debt as i64) && bucket.level <= twin.rate.burst as i64);
            }
        }
    }

    fn act(&mut self, act: &Act, last: &mut Option<Op>) {
        match act {
            Act::Move(us, looks) => {
                self.now = (self.now + us).max(0);
                if *looks {
                    self.world.tick(self.now());
                }
            }
            Act::Reserve { units: given, budgets, lease } => {
                let asked = Reserve {
                    token: TokenId::new(format!("t{}", self.world.log.len())).unwrap(),
                    cell: CellId::new("c").unwrap(),
                    by: None,
                    units: units(*given),
                    budgets: (0..3).filter(|n| budgets & (1 << n) != 0).map(budget).collect(),
                    lease: Duration::from_micros(u64::from(*lease)),
                };
                let op = Op::Reserve(asked.clone());
                self.reserve(&op, &asked, *budgets);
                *last = Some(op);
            }
            Act::Settle { back, units: given } => {
                let Some(number) = self.made.len().checked_sub(1 + usize::from(*back)) else { return };
                let (token, actual) = (self.made[number].0.clone(), units(*given));
                let op = Op::Settle { token, cell: CellId::new("c").unwrap(), actual: actual.clone() };
                self.settle(&op, number, &actual);
                *last = Some(op);
            }
            Act::Repeat => {
                let before = self.world.log.len();
                match last.as_ref().map(|op| self.world.run(op, self.now())) {
                    Some(Ok(Reply::Reserved { end, duplicate: true, .. })) => {
                        assert!(!matches!(end, Some(ReservationEnd::Settled(_))) || !self.settled.is_empty());
                    }
                    // What was short may be there by now, and what was too late in time again: then it is another act,
                    // which nobody counts here.
                    Some(Ok(
                        Reply::Reserved { duplicate: false, .. }
                        | Reply::ReservationSettled { duplicate: false, .. },
                    )) => {
                        self.world.log.truncate(before);
                        self.world.restart();
                    }
                    Some(Ok(_) | Err(_)) | None => {}
                }
            }
            Act::Restart => self.world.restart(),
        }
        self.check();
    }
}

proptest! {
    #[test]
    fn what_a_rate_lets_through_is_never_more_than_burst_and_refill(
        rates in prop::collection::vec(prop::collection::vec(rate(), 1..=2), 3),
        acts in prop::collection::vec(act(), 1..60),
    ) {
        let mut run = Run::new(&rates);
        let mut last = None;
        for act in &acts {
            run.act(act, &mut last);
        }
        run.twins.iter().flatten().for_each(Twin::check);
    }
}

/// What came of many schedules.
#[derive(Debug, Default)]
struct Sums {
    acts: u64,
    granted: u64,
    settled: u64,
    deaths: u64,
    units_granted: i128,
    units_settled_back: i128,
}

/// One schedule: everything it does follows from its seed.
fn schedule(seed: u64, sums: &mut Sums) {
    let mut rng = Rng::new(seed);
    let mut below = |n: u64| rng.next_u64() % n;
    let mut one_rate = || {
        let weights = match below(2) {
            0 => Units::default(),
            _ => Units::from([(unit(0), 1 + below(3)), (unit(1), 1 + below(3))]),
        };
        Rate {
            amount: (1 + below(8)) * 97,
            period_us: 1_000 + below(11),
            burst: 1 + below(11),
            debt: below(4),
            weights,
        }
    };
    let rates: Vec<Vec<Rate>> =
        (0..3_u64).map(|n| (0..=(seed + n) % 2).map(|_| one_rate()).collect()).collect();
    let (mut run, mut last) = (Run::new(&rates), None);
    for _ in 0..60 {
        let act = match below(20) {
            0..=4 => Act::Move(below(80) as i64 - 20, below(2) == 0),
            5..=11 => Act::Reserve {
                units: (below(9) as u8, below(9) as u8),
                budgets: 1 + below(7) as u8,
                lease: 20 + below(100) as u8,
            },
            12..=16 => Act::Settle { back: below(4) as u8, units: (below(14) as u8, below(14) as u8) },
            17 => Act::Repeat,
            _ => Act::Restart,
        };
        sums.acts += 1;
        sums.deaths += u64::from(matches!(act, Act::Restart));
        run.act(&act, &mut last);
    }
    run.twins.iter().flatten().for_each(Twin::check);
    sums.granted += run.made.len() as u64;
    sums.settled += run.settled.len() as u64;
    let twins = || run.twins.iter().flatten();
    sums.units_granted += twins().flat_map(|twin| &twin.granted).map(|(_, count)| *count).sum::<i128>();
    let back = twins().flat_map(|twin| &twin.settled).map(|(_, count)| *count).filter(|count| *count < 0);
    sums.units_settled_back -= back.sum::<i128>();
}

#[test]
fn rates_are_conserved_over_many_schedules_in_which_the_process_dies() {
    let number = |variable: &str, otherwise: u64| {
        std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (first, count) = (number("QUORATE_RATE_SEED", 1), number("QUORATE_RATE_SCHEDULES", 1_000));
    let mut sums = Sums::default();
    for seed in first..first + count {
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| schedule(seed, &mut sums)));
        assert!(held.is_ok(), "QUORATE_RATE_SEED={seed} QUORATE_RATE_SCHEDULES=1");
    }
    println!("{count} schedules: {sums:?}");
    // The schedules are such that much is granted, settled, and survives a death. What is asked of a unit that nothing knows is refused.
    if count >= 1_000 {
        assert!(
            2 * sums.granted > 3 * count && sums.settled * 2 > count && sums.deaths > 2 * count,
            "{sums:?}"
        );
    }
}
