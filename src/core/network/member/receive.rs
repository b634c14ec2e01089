//! What a datagram does.

use std::time::Duration;

use super::address::Address;
use super::lifecycle::{Cause, Claim};
use super::node::{MAX_INCARNATION, Membership};
use super::probe::{Ping, Purpose};
use super::wire::{Body, Datagram, Update, decode};
use crate::kernel::ids::NodeId;
use crate::kernel::rng::Rng;

impl Membership {
    pub(super) fn receive(&mut self, from: &Address, bytes: &[u8], rng: &mut Rng) {
        self.counters.received += 1;
        let datagram = match decode(bytes, self.now) {
            Ok(datagram) => datagram,
            Err(error) => {
                *self.counters.malformed.entry(error.name()).or_default() += 1;
                return;
            }
        };
        self.counters.unknown_numbers += u64::from(datagram.unknown);
        let sender = &datagram.sender;
        if sender.id == self.id {
            return self.hear_own_name(from, &datagram, rng);
        }
        if self.is_elsewhere(&sender.id, &sender.address) {
            return self.refuse_claim(from, &datagram);
        }
        if sender.incarnation >= MAX_INCARNATION {
            self.counters.absurd_incarnations += 1;
            return;
        }
        let ping = match &datagram.body {
            Body::Ack { nonce, .. } => self.pings.get(nonce).filter(|p| p.to == sender.id).cloned(),
            _ => None,
        };
        self.hear_from(&datagram, ping.is_some(), rng);
        self.locate(&datagram, ping.as_ref(), rng);
        for update in &datagram.updates {
            self.hear_of(update, &datagram.sender.id, rng);
        }
        self.obey(from, datagram, ping, rng);
    }

    /// What a node says of itself.
    fn hear_from(&mut self, datagram: &Datagram, is_answer: bool, rng: &mut Rng) {
        let sender = &datagram.sender;
        let cause = match datagram.body {
            Body::Leave => Cause::Left(sender.incarnation),
            _ => Cause::Direct(sender.incarnation),
        };
        let is_known = self.table.get(&sender.id).is_some_and(|member| member.is_confirmed());
        let cause = match cause {
            // Whoever only claims to be there is remembered, and asked.
            Cause::Direct(_) if self.config.strict_confirmation && !is_answer && !is_known => {
                Cause::Configured
            }
            cause => cause,
        };
        self.apply(&sender.id, &sender.address, cause, None, None, rng);
        let Some(member) = self.table.get_mut(&sender.id) else { return };
        if sender.incarnation >= member.incarnation {
            member.address = sender.address.clone();
        }
        if member.is_confirmed() {
            member.seen_at = Some(self.now);
        }
        member.health = sender.health;
        member.health_at = self.now;
        member.datacenter = Some(sender.datacenter.clone());
        if let Some(role) = sender.role {
            self.learn_role(&sender.id.clone(), role, true);
        }
    }

    /// Where the sender stands; how far away, if this answers an own ping.
    fn locate(&mut self, datagram: &Datagram, ping: Option<&Ping>, rng: &mut Rng) {
        let id = &datagram.sender.id;
        let coordinate = match &datagram.coordinate {
            None => return,
            Some(Err(_)) => {
                self.counters.coordinates_refused += 1;
                return;
            }
            Some(Ok(coordinate)) => coordinate.clone(),
        };
        if self.table.get(id).is_none_or(|member| !member.is_there()) {
            return;
        }
        let taken = match (ping, &datagram.body) {
            // While this node was not running, the answer waited for it.
            (Some(ping), Body::Ack { held_us, .. }) if self.stalled_at <= ping.sent_at => {
                let elapsed = self.now.since(ping.sent_at);
                let held = Duration::from_micros(u64::from(*held_us));
                let rtt = elapsed.saturating_sub(held).max(Duration::from_micros(1));
                let rtt_ms = rtt.as_secs_f64() * 1_000.0;
                let now = self.now;
                self.coordinates.update_peer_coordinate(id, coordinate, rtt_ms, now, rng).map(|_| ())
            }
            (Some(_) | None, _) => self.coordinates.observe_peer_coordinate(id, coordinate, self.now),
        };
        self.counters.coordinates_refused += u64::from(taken.is_err());
    }

    /// What one node says of another.
    fn hear_of(&mut self, update: &Update, sender: &NodeId, rng: &mut Rng) {
        if update.incarnation >= MAX_INCARNATION {
            self.counters.absurd_incarnations += 1;
            return;
        }
        if update.id == self.id {
            if update.address != self.address && update.claim != Claim::Dead {
                // An earlier life of this node, or another one of its name.
                return self.look_for_twin(&update.address, rng);
            }
            let is_wrong = match update.claim {
                Claim::Suspect | Claim::Dead => update.incarnation >= self.incarnation,
                // A life that this one does not remember.
                Claim::Alive => update.incarnation > self.incarnation,
            };
            if is_wrong && self.incarnation > 0 {
                self.refute(update.incarnation);
            }
            return;
        }
        // Who it is about says it itself, on the same datagram.
        if update.id == *sender {
            return;
        }
        if self.is_elsewhere(&update.id, &update.address) {
            // While the one that is known is there, what is said of another one of its name is not said of it.
            self.counters.name_claims += 1;
            return;
        }
        let by = update.accuser.as_ref().unwrap_or(sender);
        let cause = Cause::Hearsay(update.claim, update.incarnation);
        self.apply(&update.id, &update.address, cause, Some(by), None, rng);
        if let Some(role) = update.role {
            self.learn_role(&update.id, role, false);
        }
        if let Some(member) = self.table.get_mut(&update.id)
            && member.datacenter.is_none()
        {
            member.datacenter.clone_from(&update.datacenter);
        }
    }

    fn obey(&mut self, from: &Address, datagram: Datagram, ping: Option<Ping>, rng: &mut Rng) {
        let sender = datagram.sender.id;
        match datagram.body {
            Body::Ping { nonce, to } => {
                if to != self.id {
                    self.counters.misdirected += 1;
                    return;
                }
                let rtt = self.coordinates.measured(&sender).map_or(0.0, |link| link.srtt_ms * 1_000.0);
                let rtt_us = if rtt >= 1.0 { rtt as u32 } else { 0 };
                self.send(from, Some(&sender), &Body::Ack { nonce, held_us: 0, rtt_us });
            }
            Body::Ack { nonce, .. } => {
                let Some(ping) = ping else {
                    self.counters.stray_acks += 1;
                    return;
                };
                self.pings.remove(&nonce);
                match ping.purpose {
                    Purpose::Round(round) => self.answered(round),
                    Purpose::Relay(kept) => {
                        if let Some(relay) = self.relays.remove(&kept) {
                            self.send(&relay.from, None, &Body::RelayedAck { nonce: relay.nonce });
                        }
                    }
                    Purpose::Contact => {}
                }
            }
            Body::PingRequest { nonce, wait_ms, to, address } => {
                let wait = Duration::from_millis(u64::from(wait_ms));
                self.relay(from, nonce, wait, (to, address), rng);
            }
            Body::RelayedAck { nonce } => {
                if self.rounds.get(&nonce).is_some_and(|round| round.relays.contains(&sender)) {
                    self.answered(nonce);
                }
            }
            Body::Nack { nonce } => {
                if let Some(round) = self.rounds.get_mut(&nonce)
                    && round.relays.remove(&sender)
                {
                    self.counters.nacks_received += 1;
                }
            }
            Body::Sync { nonce, after } => self.send_page(from, nonce, after.as_ref()),
            Body::Page { nonce } => self.paged(nonce, &datagram.updates, rng),
            Body::Gossip | Body::Leave | Body::Heartbeat => {}
        }
    }
}
