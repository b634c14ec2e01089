//! Many nodes on a network that loses, delays and cuts, in virtual time. The same for every protocol that is run on it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;

/// What a node wants done after an input.
#[derive(Default)]
pub struct Out {
    /// Datagrams, by the number of the node they go to.
    pub sent: Vec<(usize, Vec<u8>)>,
    /// Nodes that this one now takes for dead.
    pub deaths: Vec<usize>,
}

/// A protocol on one node.
pub trait Protocol {
    fn start(&mut self, seeds: &[usize], now: Timestamp) -> Out;
    fn datagram(&mut self, from: usize, bytes: &[u8], now: Timestamp) -> Out;
    fn timer(&mut self, now: Timestamp) -> Out;
    fn due(&self) -> Option<Timestamp>;
    /// Does it take that node for one that is there?
    fn sees(&self, other: usize) -> bool;
}

/// How a node is at the moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Life {
    Up,
    /// Its process does not run until then; what comes for it waits.
    Stalled(Timestamp),
    Crashed,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Arrives { to: usize, from: usize, life: u32, bytes: Vec<u8> },
    Due { node: usize, life: u32 },
    Wakes { node: usize, life: u32 },
}

/// Most datagrams that wait for a stalled process; as a socket's buffer, it drops the rest.
const BUFFER: usize = 1_000;

pub struct Cluster<P> {
    pub now: Timestamp,
    pub nodes: Vec<P>,
    pub life: Vec<Life>,
    /// Counts the lives of a node, so that what was meant for the last one is left out.
    lives: Vec<u32>,
    waiting: Vec<VecDeque<(usize, Vec<u8>)>>,
    /// Round trips in ms between two nodes come from these places.
    places: Vec<(f64, f64)>,
    /// The part of datagrams that each node loses in each direction, beside the network's.
    pub lossy: Vec<f64>,
    pub loss: f64,
    /// Nodes of different groups do not hear each other.
    pub group: Vec<u8>,
    queue: BinaryHeap<Reverse<(Timestamp, u64, What)>>,
    armed: Vec<Option<Timestamp>>,
    number: u64,
    pub rng: Rng,
    pub packets: Vec<u64>,
    pub bytes: u64,
    /// Who took whom for dead, and when.
    pub deaths: Vec<(Timestamp, usize, usize)>,
}

pub fn chance(rng: &mut Rng, part: f64) -> bool {
    ((rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64) < part
}

fn part(rng: &mut Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

impl<P: Protocol> Cluster<P> {
    pub fn new(nodes: Vec<P>, loss: f64, seed: u64) -> Self {
        let (n, mut rng) = (nodes.len(), Rng::new(seed));
        let places = (0..n).map(|_| (part(&mut rng) * 70.0, part(&mut rng) * 70.0)).collect();
        Cluster {
            now: Timestamp::EPOCH,
            life: vec![Life::Up; n],
            lives: vec![0; n],
            waiting: vec![VecDeque::new(); n],
            places,
            lossy: vec![0.0; n],
            loss,
            group: vec![0; n],
            queue: BinaryHeap::new(),
            armed: vec![None; n],
            number: 0,
            rng,
            packets: vec![0; n],
            bytes: 0,
            deaths: Vec::new(),
            nodes,
        }
    }

    /// Starts everybody within a second. They join by way of the first three.
    pub fn start(&mut self) {
        let n = self.nodes.len();
        let seeds: Vec<usize> = (0..n.min(3)).collect();
        for node in 0..n {
            let out = self.nodes[node].start(&seeds, self.now);
            self.done(node, out);
            self.run_for(Duration::from_millis(1_000 / n as u64));
        }
    }

    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now.plus(span));
    }

    pub fn run_until(&mut self, end: Timestamp) {
        while let Some(Reverse((at, _, _))) = self.queue.peek()
            && *at <= end
        {
            let Some(Reverse((at, _, what))) = self.queue.pop() else { break };
            self.now = at;
            self.step(what);
        }
        self.now = end;
    }

    fn step(&mut self, what: What) {
        match what {
            What::Arrives { to, from, life, bytes } => {
                if self.lives[to] != life {
                    return;
                }
                match self.life[to] {
                    Life::Crashed => {}
                    Life::Stalled(_) => {
                        if self.waiting[to].len() < BUFFER {
                            self.waiting[to].push_back((from, bytes));
                        }
                    }
                    Life::Up => {
                        let out = self.nodes[to].datagram(from, &bytes, self.now);
                        self.done(to, out);
                    }
                }
            }
            What::Due { node, life } => {
                if self.lives[node] != life || self.armed[node] != Some(self.now) {
                    return;
                }
                self.armed[node] = None;
                if self.life[node] == Life::Up {
                    let out = self.nodes[node].timer(self.now);
                    self.done(node, out);
                }
            }
            What::Wakes { node, life } => {
                if self.lives[node] != life || self.life[node] != Life::Stalled(self.now) {
                    return;
                }
                self.life[node] = Life::Up;
                // As in most processes, a timer and the datagrams that waited are taken in turn.
                let mut waiting = std::mem::take(&mut self.waiting[node]);
                let out = self.nodes[node].timer(self.now);
                self.done(node, out);
                while let Some((from, bytes)) = waiting.pop_front() {
                    let out = self.nodes[node].datagram(from, &bytes, self.now);
                    self.done(node, out);
                }
            }
        }
    }

    fn done(&mut self, node: usize, out: Out) {
        for (to, bytes) in out.sent {
            self.packets[node] += 1;
            self.bytes += bytes.len() as u64;
            self.carry(node, to, bytes);
        }
        let now = self.now;
        self.deaths.extend(out.deaths.into_iter().map(|dead| (now, node, dead)));
        self.arm(node);
    }

    fn arm(&mut self, node: usize) {
        let due = self.nodes[node].due().map(|due| due.max(self.now));
        if let Some(due) = due
            && self.armed[node].is_none_or(|armed| armed > due)
        {
            self.armed[node] = Some(due);
            let life = self.lives[node];
            self.push(due, What::Due { node, life });
        }
    }

    fn push(&mut self, at: Timestamp, what: What) {
        self.number += 1;
        self.queue.push(Reverse((at, self.number, what)));
    }

    fn carry(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        let kept = (1.0 - self.loss) * (1.0 - self.lossy[from]) * (1.0 - self.lossy[to]);
        if to >= self.nodes.len() || self.group[from] != self.group[to] || !chance(&mut self.rng, kept) {
            return;
        }
        let ((x, y), (a, b)) = (self.places[from], self.places[to]);
        let rtt = 2.0 + (x - a).hypot(y - b);
        let one_way = rtt / 2.0 * (1.0 + 0.2 * part(&mut self.rng));
        let at = self.now.plus(Duration::from_micros((one_way * 1_000.0) as u64));
        let life = self.lives[to];
        self.push(at, What::Arrives { to, from, life, bytes });
    }

    pub fn crash(&mut self, node: usize) {
        self.life[node] = Life::Crashed;
    }

    pub fn stall(&mut self, node: usize, span: Duration) {
        if self.life[node] == Life::Up {
            let until = self.now.plus(span);
            self.life[node] = Life::Stalled(until);
            let life = self.lives[node];
            self.push(until, What::Wakes { node, life });
        }
    }

    /// Puts a new process in the place of a node.
    pub fn restart(&mut self, node: usize, process: P) {
        self.lives[node] += 1;
        self.life[node] = Life::Up;
        self.armed[node] = None;
        self.waiting[node].clear();
        self.nodes[node] = process;
        let seed = (node + 1) % self.nodes.len();
        let out = self.nodes[node].start(&[seed], self.now);
        self.done(node, out);
    }

    /// How many of the nodes that are up see everybody who is up.
    pub fn complete(&self) -> usize {
        let up: Vec<usize> = (0..self.nodes.len()).filter(|n| self.life[*n] != Life::Crashed).collect();
        up.iter().filter(|n| up.iter().all(|other| n == &other || self.nodes[**n].sees(*other))).count()
    }

    /// When the last of those who are up took a node for dead, counted from an instant; `None` if one has not.
    pub fn known_by_all(&self, dead: usize, since: Timestamp) -> Option<Duration> {
        let mut when: BTreeMap<usize, Timestamp> = BTreeMap::new();
        for (at, by, whom) in &self.deaths {
            if *whom == dead && *at >= since {
                when.entry(*by).or_insert(*at);
            }
        }
        let up = (0..self.nodes.len()).filter(|n| self.life[*n] != Life::Crashed);
        let last = up.map(|n| when.get(&n).copied()).collect::<Option<Vec<_>>>()?;
        last.into_iter().max().map(|at| at.since(since))
    }

    /// Distinct nodes that somebody took for dead although they were up, since an instant. Whoever is taken for dead by all
    /// counts once, as long as nobody says so again a minute later.
    pub fn false_deaths(&self, since: Timestamp, counts: impl Fn(usize, usize) -> bool) -> usize {
        let mut last: BTreeMap<usize, Timestamp> = BTreeMap::new();
        let mut n = 0;
        for (at, by, whom) in &self.deaths {
            if *at < since || self.life[*whom] == Life::Crashed || !counts(*by, *whom) {
                continue;
            }
            let before = last.insert(*whom, *at);
            n += usize::from(before.is_none_or(|before| at.since(before) > Duration::from_secs(60)));
        }
        n
    }
}
