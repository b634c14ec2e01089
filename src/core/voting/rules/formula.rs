//! What every rule becomes for one electorate: a formula over sums of votes. This is the one way to count.
//!
//! ```text
//!  rule + voters ──► all( 1·for ≥ 9 ,  −1·against ≥ 0 among the five )        nodes over integer sums
//!  each vote     ──► Count: per column (heads, or a table of weights) how much is cast for, against, abstaining
//!  formula.outcome(count) ──► Pending │ Won │ Lost
//! ```
//!
//! A voter who has not voted may still vote for, vote against, abstain, or stay silent. The outcome is `Won` as
//! soon as the formula holds in every such completion, `Lost` as soon as it holds in none, never earlier.
//! Each sum has a range over all completions, and the ranges decide `all` and `any` in three-valued logic (Kleene,
//! Introduction to Metamathematics, 1952, §64). That is exact when one completion is worst, and one is best, for
//! every sum at once, as with all rules that only ask for votes *for*. Where sums pull apart (`not`, a veto beside a
//! minimum of participation) the [`search`](super::search) goes through the completions.

use serde::{Deserialize, Serialize};

use super::search;

/// How somebody votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Yes.
    For,
    /// No.
    Against,
    /// Present, and neither.
    Abstain,
}

impl Choice {
    /// Every choice.
    pub const ALL: [Choice; 3] = [Choice::For, Choice::Against, Choice::Abstain];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Choice::For => "for",
            Choice::Against => "against",
            Choice::Abstain => "abstain",
        }
    }

    /// The choice of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }
}

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Outstanding votes can still decide either way.
    Pending,
    /// Won, whatever the others do.
    Won,
    /// Lost, whatever the others do.
    Lost,
}

/// One integer condition: `per` × the votes of a column ≥ `at_least`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// 0 counts heads; k counts the k-th table of weights of the formula.
    pub column: u32,
    /// What one unit adds when it is cast for, against, abstaining; silence adds nothing.
    pub per: [i64; 3],
    /// The bar.
    pub at_least: i128,
}

/// A condition made of sums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// All of them.
    All(Vec<Node>),
    /// One of them.
    Any(Vec<Node>),
    /// One sum.
    Sum(Sum),
}

impl Node {
    /// Holds exactly when the node does not.
    pub fn negated(self) -> Node {
        match self {
            Node::All(parts) => Node::Any(parts.into_iter().map(Node::negated).collect()),
            Node::Any(parts) => Node::All(parts.into_iter().map(Node::negated).collect()),
            Node::Sum(Sum { column, per, at_least }) => {
                Node::Sum(Sum { column, per: per.map(|p| -p), at_least: 1 - at_least })
            }
        }
    }

    pub(super) fn sums<'a>(&'a self, found: &mut Vec<&'a Sum>) {
        match self {
            Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| part.sums(found)),
            Node::Sum(sum) => found.push(sum),
        }
    }

    /// Three-valued: what the outcomes of the sums make of the whole.
    pub(super) fn decide(&self, sum: &impl Fn(&Sum) -> Outcome) -> Outcome {
        let (parts, enough, else_) = match self {
            Node::Sum(one) => return sum(one),
            Node::All(parts) => (parts, Outcome::Lost, Outcome::Won),
            Node::Any(parts) => (parts, Outcome::Won, Outcome::Lost),
        };
        let mut outcome = else_;
        for part in parts {
            match part.decide(sum) {
                decided if decided == enough => return enough,
                Outcome::Pending => outcome = Outcome::Pending,
                Outcome::Won | Outcome::Lost => {}
            }
        }
        outcome
    }
}

/// A rule made ready for one electorate. Stored with the question, so that it is decided by the numbers it was
/// opened with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formula {
    /// Tables of weights, in millionths, by voter in the order of the electorate.
    pub columns: Vec<Vec<u64>>,
    /// The condition.
    pub root: Node,
}

/// The votes of one column. Weights are at most 10^15 millionths and what one unit adds is at most 10^17: with up to
/// a million voters no sum leaves 128 bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Held {
    /// Cast for, against, abstaining.
    pub cast: [u128; 3],
    /// Not cast yet; `None` when nobody knows who may still come.
    pub open: Option<u128>,
}

impl Held {
    /// The least and the most a sum can come to; `None` has no bound.
    fn range(&self, sum: &Sum) -> (Option<i128>, Option<i128>) {
        let so_far = self.value(sum);
        let low = i128::from(sum.per.into_iter().min().unwrap_or(0).min(0));
        let high = i128::from(sum.per.into_iter().max().unwrap_or(0).max(0));
        let end = |per: i128| match self.open {
            Some(open) => Some(so_far + per * open as i128),
            None => (per == 0).then_some(so_far),
        };
        (end(low), end(high))
    }

    fn value(&self, sum: &Sum) -> i128 {
        sum.per.iter().zip(self.cast).map(|(per, cast)| i128::from(*per) * cast as i128).sum()
    }

    /// Where the sum stands over all completions.
    pub(super) fn outcome(&self, sum: &Sum) -> Outcome {
        match self.range(sum) {
            (Some(low), _) if low >= sum.at_least => Outcome::Won,
            (_, Some(high)) if high < sum.at_least => Outcome::Lost,
            _ => Outcome::Pending,
        }
    }

    /// The same when everyone outstanding chooses alike; `None` is silence.
    fn if_all(&self, sum: &Sum, choice: Option<Choice>) -> Outcome {
        let per = choice.map_or(0, |choice| i128::from(sum.per[choice as usize]));
        let value = self.value(sum) + per * self.open.unwrap_or(0) as i128;
        if value >= sum.at_least { Outcome::Won } else { Outcome::Lost }
    }
}

/// The votes so far, counted in every column a formula needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Heads first, then the formula's tables of weights.
    pub columns: Vec<Held>,
}

impl Count {
    /// Nothing cast yet among `voters` voters, or among anyone.
    pub fn new(formula: &Formula, voters: Option<u32>) -> Self {
        let heads = Held { cast: [0; 3], open: voters.map(u128::from) };
        let tables = formula.columns.iter();
        let weighed = tables
            .map(|weights| Held { cast: [0; 3], open: Some(weights.iter().map(|w| u128::from(*w)).sum()) });
        Count { columns: std::iter::once(heads).chain(weighed).collect() }
    }

    /// Adds the vote of the voter at `index` of the electorate (any index where anyone may vote).
    pub fn add(&mut self, formula: &Formula, index: usize, choice: Choice) {
        for (column, held) in self.columns.iter_mut().enumerate() {
            let units = u128::from(formula.units(column, index));
            held.cast[choice as usize] += units;
            held.open = held.open.map(|open| open.saturating_sub(units));
        }
    }

    /// Takes it back.
    pub fn remove(&mut self, formula: &Formula, index: usize, choice: Choice) {
        for (column, held) in self.columns.iter_mut().enumerate() {
            let units = u128::from(formula.units(column, index));
            let slot = &mut held.cast[choice as usize];
            *slot = slot.saturating_sub(units);
            held.open = held.open.map(|open| open + units);
        }
    }

    /// Takes a voter out of the outstanding ones: it will stay silent.
    pub fn silence(&mut self, formula: &Formula, index: usize) {
        for (column, held) in self.columns.iter_mut().enumerate() {
            held.open = held.open.map(|open| open.saturating_sub(formula.units(column, index).into()));
        }
    }

    /// Heads that chose so.
    pub fn heads(&self, choice: Choice) -> u32 {
        self.columns.first().map_or(0, |held| u32::try_from(held.cast[choice as usize]).unwrap_or(u32::MAX))
    }
}

impl Formula {
    /// So many votes for, whoever they come from.
    pub fn required(count: u32) -> Self {
        let root = Node::Sum(Sum { column: 0, per: [1, 0, 0], at_least: count.into() });
        Formula { columns: Vec::new(), root }
    }

    fn units(&self, column: usize, index: usize) -> u64 {
        match column.checked_sub(1) {
            None => 1,
            Some(table) => self.columns.get(table).and_then(|t| t.get(index)).copied().unwrap_or(0),
        }
    }

    /// The weight of one voter in every table, the key under which voters are interchangeable.
    pub(super) fn weights_of(&self, index: usize) -> Vec<u64> {
        (0..=self.columns.len()).map(|column| self.units(column, index)).collect()
    }

    /// Where the question stands over all completions of the votes so far. `outstanding` lists who has not voted, by
    /// index in the electorate; it is asked for only when the sums alone cannot tell.
    ///
    /// A formula whose sums pull apart is searched up to a bound of nodes. Beyond it the answer is `Pending`
    /// although the outcome may be certain: later than possible, never earlier, and the same every time. So it is
    /// too where anyone may vote and one part of the formula holds exactly when another does not.
    pub fn outcome(&self, count: &Count, outstanding: impl FnOnce() -> Vec<usize>) -> Outcome {
        let ranges = self.root.decide(&|sum| count.held(sum).outcome(sum));
        // Nobody can go through the completions of a poll that anyone may join; ranges without end are sound there.
        if ranges != Outcome::Pending || count.is_endless() || self.pulls_one_way() {
            return ranges;
        }
        let silent = [None, Some(Choice::For), Some(Choice::Against), Some(Choice::Abstain)];
        let tried = silent.map(|choice| self.root.decide(&|sum| count.held(sum).if_all(sum, choice)));
        let (can_win, can_lose) = (tried.contains(&Outcome::Won), tried.contains(&Outcome::Lost));
        if can_win && can_lose {
            return Outcome::Pending;
        }
        let sought = if can_win { Outcome::Lost } else { Outcome::Won };
        match search::can_end(self, count, outstanding(), sought) {
            Some(false) if can_win => Outcome::Won,
            Some(false) => Outcome::Lost,
            Some(true) | None => Outcome::Pending,
        }
    }

    /// Is one choice worst, and one best, for every sum at once?
    fn pulls_one_way(&self) -> bool {
        let mut sums = Vec::new();
        self.root.sums(&mut sums);
        // Bit by bit: for, against, abstain, silence.
        let (mut worst, mut best) = (0b1111_u8, 0b1111_u8);
        for sum in sums {
            let [yes, no, neither] = sum.per;
            let per = [yes, no, neither, 0];
            let (low, high) = per.iter().fold((0, 0), |(low, high), p| (low.min(*p), high.max(*p)));
            let which = |end: i64| (0..4).filter(|i| per[*i] == end).fold(0, |bits, i| bits | 1 << i);
            worst &= which(low);
            best &= which(high);
        }
        worst != 0 && best != 0
    }

    /// The fewest votes for with which the question can be won when nobody else votes, the heaviest voters first;
    /// `None` when not even all of them are enough. With several tables of weights it may be one of several numbers.
    pub fn fewest_for(&self, voters: Option<u32>) -> Option<u32> {
        let mut count = Count::new(self, voters);
        let Some(voters) = voters else {
            return match &self.root {
                Node::Sum(Sum { column: 0, per: [1, 0, 0], at_least }) => u32::try_from(*at_least).ok(),
                Node::Sum(_) | Node::All(_) | Node::Any(_) => None,
            };
        };
        let mut order: Vec<usize> = (0..voters as usize).collect();
        order.sort_by_key(|index| {
            std::cmp::Reverse(self.weights_of(*index).iter().map(|w| u128::from(*w)).sum::<u128>())
        });
        let wins = |count: &Count| self.root.decide(&|sum| count.held(sum).if_all(sum, None)) == Outcome::Won;
        if wins(&count) {
            return Some(0);
        }
        for (cast, index) in order.into_iter().enumerate() {
            count.add(self, index, Choice::For);
            if wins(&count) {
                return u32::try_from(cast + 1).ok();
            }
        }
        None
    }
}

impl Count {
    /// Does nobody know who may still come?
    fn is_endless(&self) -> bool {
        self.columns.iter().any(|held| held.open.is_none())
    }

    fn held(&self, sum: &Sum) -> &Held {
        static NOBODY: Held = Held { cast: [0; 3], open: Some(0) };
        self.columns.get(sum.column as usize).unwrap_or(&NOBODY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(cast: [u128; 3], open: Option<u128>) -> Count {
        Count { columns: vec![Held { cast, open }] }
    }

    #[test]
    fn four_of_six_is_lost_with_the_third_rejection() {
        let four = Formula::required(4);
        let outcome = |cast, open| four.outcome(&count(cast, open), Vec::new);
        assert_eq!(outcome([3, 2, 0], Some(1)), Outcome::Pending);
        assert_eq!(outcome([3, 3, 0], Some(0)), Outcome::Lost);
        assert_eq!(outcome([4, 2, 0], Some(0)), Outcome::Won);
        assert_eq!(outcome([0, 900, 0], None), Outcome::Pending);
        assert_eq!(outcome([1, 1, 1], Some(3)), Outcome::Pending);
        assert_eq!(outcome([1, 1, 2], Some(2)), Outcome::Lost);
    }

    #[test]
    fn what_holds_in_every_completion_is_won_although_no_part_is_certain() {
        // More than half for, or not more than half for.
        let half = Node::Sum(Sum { column: 0, per: [2, 0, 0], at_least: 4 });
        let root = Node::Any(vec![half.clone(), half.negated()]);
        let formula = Formula { columns: Vec::new(), root };
        assert_eq!(formula.outcome(&count([0; 3], Some(3)), || vec![0, 1, 2]), Outcome::Won);
    }

    #[test]
    fn votes_taken_back_leave_no_trace() {
        let formula = Formula { columns: vec![vec![5, 7]], root: Formula::required(1).root };
        let fresh = Count::new(&formula, Some(2));
        let mut count = fresh.clone();
        count.add(&formula, 1, Choice::Against);
        assert_eq!(count.columns[1], Held { cast: [0, 7, 0], open: Some(5) });
        count.remove(&formula, 1, Choice::Against);
        assert_eq!(count, fresh);
    }

    #[test]
    fn the_fewest_votes_for_are_those_of_the_heaviest() {
        let root = Node::Sum(Sum { column: 1, per: [1, 0, 0], at_least: 10 });
        let formula = Formula { columns: vec![vec![1, 8, 3]], root };
        assert_eq!(formula.fewest_for(Some(3)), Some(2));
        assert_eq!(Formula::required(9).fewest_for(Some(13)), Some(9));
        assert_eq!(Formula::required(9).fewest_for(None), Some(9));
        assert_eq!(Formula::required(9).fewest_for(Some(8)), None);
    }
}
