//! What is told of datacenters, and when.

use super::*;
use crate::core::network::member::MemberState;

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn manager(node: &str, datacenter: &str, state: MemberState, rtt_ucb_ms: Option<f64>) -> Seen {
    Seen {
        node: id(node),
        role: Some(NodeRole::Manager),
        datacenter: Some(id(datacenter)),
        state,
        incarnation: 1,
        addr: String::new(),
        rtt_ucb_ms,
        quality: 0.5,
    }
}

/// Name, managers, of those there, and the distance.
fn told(news: Vec<Change>) -> Vec<(String, u64, u64, Option<f64>)> {
    let one = |change: Change| {
        let (all, there) = (change.total_managers.unwrap(), change.healthy_managers.unwrap());
        (change.datacenter_id.to_string(), all, there, change.rtt_ucb_ms)
    };
    news.into_iter().map(one).collect()
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn what_changed_is_told_at_once_and_the_same_every_ten_seconds() {
    use MemberState::{Alive, Down};
    let mut beats = Heartbeats::default();
    let both = [manager("m1", "paris", Alive, Some(7.0)), manager("m2", "paris", Alive, Some(5.0))];
    let paris = |all, there, far| vec![("paris".to_owned(), all, there, far)];
    assert_eq!(told(beats.news(&both, s(0))), paris(2, 2, Some(5.0)));
    assert_eq!(told(beats.news(&both, s(9))), []);
    assert_eq!(told(beats.news(&both, s(10))), paris(2, 2, Some(5.0)));
    let one = [manager("m1", "paris", Alive, Some(7.0)), manager("m2", "paris", Down, Some(5.0))];
    assert_eq!(told(beats.news(&one, s(11))), paris(2, 1, Some(7.0)));
    let none = [manager("m1", "paris", Down, Some(7.0)), manager("m2", "paris", Down, Some(5.0))];
    assert_eq!(told(beats.news(&none, s(12))), paris(2, 0, None));
    assert_eq!(told(beats.news(&[], s(13))), paris(1, 0, None), "nobody knows its managers any more");
    assert_eq!(told(beats.news(&both, s(14))), paris(2, 2, Some(5.0)));
}

#[test]
fn a_datacenter_without_a_manager_that_was_ever_there_is_not_told_of() {
    let mut beats = Heartbeats::default();
    let never = [manager("m1", "oslo", MemberState::Unconfirmed, None)];
    assert_eq!(told(beats.news(&never, s(0))), []);
    let worker = Seen { role: Some(NodeRole::Worker), ..manager("w1", "oslo", MemberState::Alive, None) };
    assert_eq!(told(beats.news(&[worker], s(1))), []);
}
