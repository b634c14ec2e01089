//! `foca` with its defaults on the same simulated network: the yardstick.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use foca::{Config, Foca, Identity, Notification, PostcardCodec, Runtime, Timer};
use quorate_core::kernel::time::Timestamp;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};

use crate::cluster::{Out, Protocol};

/// A node and how often it came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Id {
    number: u16,
    life: u16,
}

impl Identity for Id {
    type Addr = u16;

    fn renew(&self) -> Option<Self> {
        Some(Id { life: self.life.wrapping_add(1), ..*self })
    }

    fn addr(&self) -> u16 {
        self.number
    }

    fn win_addr_conflict(&self, other: &Self) -> bool {
        self.life > other.life
    }
}

#[derive(Default)]
struct Host {
    out: Out,
    timers: Vec<(Duration, Timer<Id>)>,
    ups: Vec<u16>,
}

impl Runtime<Id> for Host {
    fn notify(&mut self, notification: Notification<'_, Id>) {
        match notification {
            Notification::MemberDown(id) => self.out.deaths.push(usize::from(id.number)),
            Notification::MemberUp(id) => self.ups.push(id.number),
            _ => {}
        }
    }

    fn send_to(&mut self, to: Id, data: &[u8]) {
        self.out.sent.push((usize::from(to.number), data.to_vec()));
    }

    fn submit_after(&mut self, event: Timer<Id>, after: Duration) {
        self.timers.push((after, event));
    }
}

pub struct Focas {
    foca: Foca<Id, PostcardCodec, SmallRng, foca::NoCustomBroadcast>,
    number: u16,
    timers: Vec<(Timestamp, u64, Timer<Id>)>,
    count: u64,
    up: BTreeSet<u16>,
}

impl Focas {
    pub fn new(number: usize, nodes: usize, seed: u64) -> Self {
        let number = u16::try_from(number).unwrap();
        let config = Config::new_lan(NonZeroU32::new(u32::try_from(nodes).unwrap()).unwrap());
        let rng = SmallRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number.into()));
        let foca = Foca::new(Id { number, life: 0 }, config, rng, PostcardCodec);
        Focas { foca, number, timers: Vec::new(), count: 0, up: BTreeSet::new() }
    }

    fn carry_out(&mut self, host: Host, now: Timestamp) -> Out {
        for (after, timer) in host.timers {
            self.count += 1;
            self.timers.push((now.plus(after), self.count, timer));
        }
        self.up.extend(host.ups);
        for dead in &host.out.deaths {
            self.up.remove(&(*dead as u16));
        }
        host.out
    }
}

impl Protocol for Focas {
    fn start(&mut self, seeds: &[usize], now: Timestamp) -> Out {
        let mut host = Host::default();
        for seed in seeds.iter().filter(|seed| **seed != usize::from(self.number)) {
            let to = Id { number: u16::try_from(*seed).unwrap(), life: 0 };
            self.foca.announce(to, &mut host).unwrap();
        }
        self.carry_out(host, now)
    }

    fn datagram(&mut self, _from: usize, bytes: &[u8], now: Timestamp) -> Out {
        let mut host = Host::default();
        // What it refuses, it refuses.
        let _ = self.foca.handle_data(bytes, &mut host);
        self.carry_out(host, now)
    }

    fn timer(&mut self, now: Timestamp) -> Out {
        let mut host = Host::default();
        let (mut due, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.timers).into_iter().partition(|(at, _, _)| *at <= now);
        self.timers = rest;
        due.sort();
        for (_, _, timer) in due {
            let _ = self.foca.handle_timer(timer, &mut host);
        }
        self.carry_out(host, now)
    }

    fn due(&self) -> Option<Timestamp> {
        self.timers.iter().map(|(at, _, _)| *at).min()
    }

    fn sees(&self, other: usize) -> bool {
        self.up.contains(&(other as u16))
    }
}
