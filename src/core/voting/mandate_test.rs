//! Uses of decisions: the table of the module row by row, then laws over random orders.

use proptest::prelude::*;

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn mandate(uses: u32) -> Mandate {
    Mandate {
        tool: "pay".into(),
        operation_hash: operation_hash("pay", r#"{"eur":7}"#),
        expires_at: Some(at(1_000)),
        uses,
        fence: Some(5),
    }
}

fn ask(key: &str, fence: u64) -> Spend {
    Spend {
        tool: None,
        key: IdempotencyKey::new(key).unwrap(),
        operation_hash: mandate(1).operation_hash,
        fence: Some(fence),
        token: EntityId::new(format!("token-{key}")).unwrap(),
        by: None,
    }
}

#[test]
fn each_way_not_to_be_used_has_its_own_word() {
    let (one, none) = (mandate(1), Uses::default());
    let try_it = |mandate: Option<&Mandate>, decided, spend_: Spend, now| {
        spend(mandate, &none, decided, spend_, at(now)).unwrap_err()
    };
    assert_eq!(try_it(None, Decided::For, ask("k", 5), 0), Refusal::NoMandate);
    assert_eq!(try_it(Some(&one), Decided::No, ask("k", 5), 0), Refusal::Pending);
    let refused = Refusal::NotApproved { outcome: "rejected" };
    assert_eq!(try_it(Some(&one), Decided::Otherwise("rejected"), ask("k", 5), 0), refused);
    assert_eq!(try_it(Some(&one), Decided::Tainted, ask("k", 5), 0), Refusal::Tainted);
    let other = Spend { operation_hash: operation_hash("pay", r#"{"eur":8}"#), ..ask("k", 5) };
    assert!(matches!(try_it(Some(&one), Decided::For, other, 0), Refusal::OtherOperation { .. }));
    let named = |tool: &str| Spend { tool: Some(tool.into()), ..ask("k", 5) };
    assert!(matches!(try_it(Some(&one), Decided::For, named("eat"), 0), Refusal::OtherOperation { .. }));
    assert!(spend(Some(&one), &none, Decided::For, named("pay"), at(0)).is_ok());
    assert!(spend(Some(&one), &none, Decided::For, ask("k", 5), at(1_000)).is_ok(), "the last instant");
    assert!(matches!(try_it(Some(&one), Decided::For, ask("k", 5), 1_001), Refusal::Expired { .. }));
    let fence = Refusal::Fence { held: 5, given: 4 };
    assert_eq!(try_it(Some(&one), Decided::For, ask("k", 4), 0), fence);
    let unfenced = Spend { fence: None, ..ask("k", 5) };
    assert_eq!(try_it(Some(&one), Decided::For, unfenced, 0), Refusal::Fence { held: 5, given: 0 });
}

#[test]
fn a_higher_token_fences_the_lower_ones_and_a_repeat_is_told_the_same() {
    let (two, mut uses) = (mandate(2), Uses::default());
    let first = spend(Some(&two), &uses, Decided::For, ask("a", 7), at(0)).unwrap();
    uses.spend(&first.spent);
    let late = spend(Some(&two), &uses, Decided::For, ask("b", 6), at(0));
    assert_eq!(late, Err(Refusal::Fence { held: 7, given: 6 }));
    // Asked again, also when the time is over, with another token minted for it.
    let again = Spend { token: EntityId::new("another").unwrap(), ..ask("a", 7) };
    let again = spend(Some(&two), &uses, Decided::For, again, at(9_000)).unwrap();
    assert_eq!((again.duplicate, &again.spent), (true, &first.spent));
    // Under another token it is another leader, whichever is higher.
    for other in [6, 8] {
        let other = spend(Some(&two), &uses, Decided::For, ask("a", other), at(0));
        assert_eq!(other, Err(Refusal::KeyReused { number: 1 }));
    }
    let other = Spend { operation_hash: operation_hash("pay", "null"), ..ask("a", 7) };
    assert_eq!(spend(Some(&two), &uses, Decided::For, other, at(0)), Err(Refusal::KeyReused { number: 1 }));
    uses.spend(&spend(Some(&two), &uses, Decided::For, ask("b", 7), at(0)).unwrap().spent);
    let over = spend(Some(&two), &uses, Decided::For, ask("c", 7), at(0));
    assert_eq!(over, Err(Refusal::Exhausted { uses: 2 }));
}

#[test]
fn one_job_begins_under_a_token_whatever_is_asked_again() {
    let (one, mut uses) = (mandate(1), Uses::default());
    uses.spend(&spend(Some(&one), &uses, Decided::For, ask("a", 7), at(0)).unwrap().spent);
    let begin = |uses: &Uses, token: &str, job: &str, hash, named| {
        let (token, job_id) = (EntityId::new(token).unwrap(), EntityId::new(job).unwrap());
        redeem(Some(&one), uses, Redeem { token, operation_hash: hash, job_id }, named, at(1))
    };
    let hash = one.operation_hash;
    assert_eq!(begin(&uses, "forged", "j", hash, true), Err(Refusal::NoSuchToken));
    let other = operation_hash("pay", "8");
    assert!(matches!(begin(&uses, "token-a", "j", other, true), Err(Refusal::OtherOperation { .. })));
    let begun = begin(&uses, "token-a", "j", hash, true).unwrap();
    assert!(!begun.duplicate);
    uses.redeem(&begun.redeemed);
    let again = begin(&uses, "token-a", "minted", hash, false).unwrap();
    assert_eq!((again.duplicate, again.redeemed.job_id.as_str()), (true, "j"));
    let job_id = EntityId::new("j").unwrap();
    assert_eq!(begin(&uses, "token-a", "k", hash, true), Err(Refusal::TokenUsed { job_id }));
}

#[test]
fn an_operation_is_its_name_and_its_arguments_and_their_border() {
    let hashes = [("pay", "\"x\""), ("pay\"", "x\""), ("pay", "\"y\""), ("pa", "y\"x\"")];
    let hashes: std::collections::BTreeSet<Digest> =
        hashes.iter().map(|(tool, arguments)| operation_hash(tool, arguments)).collect();
    assert_eq!(hashes.len(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6_000) })]

    /// Whatever is asked, in any order, under any keys and tokens, with crashes that lose what was not durable.
    #[test]
    fn a_decision_is_used_no_more_often_than_it_may_be_and_a_refusal_never(
        uses in 1..4u32,
        outcome in 0..4u8,
        asks in prop::collection::vec((0..6u8, 4..9u64, any::<bool>(), 0..1_500i64, 0..4u8), 1..60),
    ) {
        let allowed = mandate(uses);
        let decided = [Decided::No, Decided::For, Decided::Otherwise("rejected"), Decided::Tainted][outcome as usize];
        let mut durable = Uses::default();
        let mut told: BTreeMap<String, Spent> = BTreeMap::new();
        let mut floor = 5;
        for (key, fence, right, now, fate) in asks {
            let hash = if right { allowed.operation_hash } else { operation_hash("pay", "0") };
            let key = format!("k{key}");
            let asked = Spend { operation_hash: hash, ..ask(&key, fence) };
            let Ok(used) = spend(Some(&allowed), &durable, decided, asked, at(now)) else { continue };
            prop_assert!(decided == Decided::For && right);
            if !used.duplicate {
                prop_assert!(now <= 1_000 && fence >= floor, "late or stale");
            }
            match fate {
                // Killed before it was durable: nobody was told, and nothing is known.
                0 => continue,
                // Killed after that, and before anybody was told.
                1 => durable.spend(&used.spent),
                _ => {
                    durable.spend(&used.spent);
                    let first = told.entry(key).or_insert_with(|| used.spent.clone());
                    prop_assert_eq!(&*first, &used.spent, "a repeat is told the same");
                }
            }
            floor = floor.max(used.spent.fence.unwrap_or(0));
            let numbers: Vec<u32> = durable.spent.values().map(|spent| spent.number).collect();
            let distinct: std::collections::BTreeSet<&u32> = numbers.iter().collect();
            prop_assert_eq!(distinct.len(), numbers.len());
            prop_assert!(durable.count() <= uses);
        }
        prop_assert!(decided == Decided::For || durable.spent.is_empty());
    }
}
