//! The index of history changes no answer: page by page and cursor by cursor it is that of a runtime without one, whatever
//! became of its files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use quorate::{Config, Quorate};
use quorate_runtime::config::ClockConfig;
use serde_json::{Map, Value, json};

use super::random::{Dice, act, begin, call};
use super::{asked, everything};
use quorate_core::kernel::time::Timestamp;

/// A runtime in virtual time over a folder, with an index of so many records a block.
async fn open(folder: &Path, index_block: u64) -> Quorate {
    let config = Config {
        clock: ClockConfig::Manual(Timestamp::EPOCH),
        seed: Some(7),
        index_block,
        ..Config::at(folder)
    };
    Quorate::open(config).await.unwrap()
}

/// Every page of the answer, and the counts.
async fn answer(q: &Quorate, asked: &Map<String, Value>, limit: usize) -> Vec<Value> {
    let (mut pages, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut fields = asked.clone();
        fields.insert("limit".into(), limit.into());
        fields.insert("cursor".into(), cursor);
        let page = match call(q, "history.query", Value::Object(fields)).await {
            Ok(page) => page,
            Err(refused) => return vec![json!(refused.to_string())],
        };
        cursor = page["next_cursor"].clone();
        let more = page["more"] == true;
        pages.push(page);
        if !more {
            pages.push(call(q, "history.count", Value::Object(asked.clone())).await.unwrap());
            return pages;
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let into = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &into);
        } else {
            fs::copy(item.path(), into).unwrap();
        }
    }
}

fn blocks(folder: &Path) -> Vec<std::path::PathBuf> {
    let items = fs::read_dir(folder.join("index")).into_iter().flatten();
    let mut blocks: Vec<_> = items.map(|item| item.unwrap().path()).collect();
    blocks.sort();
    blocks
}

/// The same questions with the index and without it, of who only reads and then of an owner.
async fn agree(folder: &Path, index_block: u64, dice: &mut Dice, why: &str) {
    let reading = |index_block| Config { index_block, ..Config::at(folder) };
    let q = Quorate::open_to_read(reading(0)).await.unwrap();
    let known = everything(&q).await;
    let questions: Vec<(Map<String, Value>, usize)> =
        (0..20).map(|_| (asked(dice, &known), 1 + dice.roll(60))).collect();
    // An owner records more when it opens.
    let upto = known.last().unwrap()["position"].clone();
    let within = |asked: &Map<String, Value>| {
        let mut asked = asked.clone();
        asked.entry("upto_position").or_insert(upto.clone());
        asked
    };
    let mut plain = Vec::new();
    for (asked, limit) in &questions {
        plain.push((answer(&q, asked, *limit).await, answer(&q, &within(asked), *limit).await));
    }
    q.close().await.unwrap();
    let q = Quorate::open_to_read(reading(index_block)).await.unwrap();
    for ((asked, limit), (plain, _)) in questions.iter().zip(&plain) {
        assert_eq!(&answer(&q, asked, *limit).await, plain, "{why}, read: {asked:?} by {limit}");
    }
    q.close().await.unwrap();
    let q = open(folder, index_block).await;
    for ((asked, limit), (_, plain)) in questions.iter().zip(&plain) {
        assert_eq!(&answer(&q, &within(asked), *limit).await, plain, "{why}, owned: {asked:?} by {limit}");
    }
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_changes_no_answer_whatever_became_of_it() {
    for (seed, block) in [(1_u64, 16_u64), (2, 3)] {
        let dir = tempfile::tempdir().unwrap();
        let (folder, early) = (dir.path().join("data"), dir.path().join("early"));
        let mut dice = Dice(seed * 6_151);
        let q = open(&folder, block).await;
        begin(&q).await;
        for n in 0..120 {
            act(&q, &mut dice, n).await;
            q.advance(Duration::from_millis(300)).await.unwrap();
        }
        call(&q, "history.query", json!({ "voter_id": "ann" })).await.unwrap();
        q.close().await.unwrap();
        assert!(!blocks(&folder).is_empty());
        copy(&folder, &early);
        agree(&folder, block, &mut dice, "as it was made").await;

        // A process that dies behind it: records without blocks, blocks of all ages.
        let q = open(&folder, block).await;
        for n in 120..240 {
            act(&q, &mut dice, n).await;
            if dice.roll(9) == 0 {
                call(&q, "history.query", json!({ "voter_id": "bob", "limit": 1 })).await.unwrap();
            }
        }
        q.crash().await;
        agree(&folder, block, &mut dice, "after a crash").await;
        let q = open(&folder, block).await;
        call(&q, "history.query", json!({ "kind": "quorum", "limit": 1 })).await.unwrap();
        q.close().await.unwrap();

        // Damage of every sort.
        for round in 0..6 {
            let all = blocks(&folder);
            let path = &all[dice.roll(all.len())];
            match round {
                0 => fs::remove_file(path).unwrap(),
                1 => fs::write(path, b"").unwrap(),
                2 => {
                    let mut bytes = fs::read(path).unwrap();
                    let at = dice.roll(bytes.len());
                    bytes[at] ^= 1 << dice.roll(8);
                    fs::write(path, bytes).unwrap();
                }
                3 => assert!(fs::copy(&all[0], &all[all.len() - 1]).unwrap() > 0),
                4 => fs::remove_dir_all(folder.join("index")).unwrap(),
                _ => fs::rename(path, folder.join("index/000000000001-000000999999")).unwrap(),
            }
            agree(&folder, block, &mut dice, &format!("damage {round}")).await;
        }

        // The journal of before beside the index of after, and on from there.
        let q = open(&folder, block).await;
        call(&q, "history.query", json!({ "kind": "quorum", "limit": 1 })).await.unwrap();
        q.close().await.unwrap();
        fs::remove_dir_all(early.join("index")).unwrap();
        copy(&folder.join("index"), &early.join("index"));
        agree(&early, block, &mut dice, "an older journal").await;
        drop(fs::remove_dir_all(early.join("index")));
        copy(&folder.join("index"), &early.join("index"));
        let q = open(&early, block).await;
        for n in 500..560 {
            act(&q, &mut dice, n).await;
        }
        q.close().await.unwrap();
        agree(&early, block, &mut dice, "a journal that went on otherwise").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_reads_uses_the_index_and_changes_nothing_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("data");
    let mut dice = Dice(99_991);
    let q = open(&folder, 16).await;
    begin(&q).await;
    for n in 0..100 {
        act(&q, &mut dice, n).await;
    }
    call(&q, "history.query", json!({ "voter_id": "ann" })).await.unwrap();
    let question = json!({ "voter_id": "ann", "limit": 1000 });
    let told = call(&q, "history.query", question.clone()).await.unwrap();
    q.close().await.unwrap();
    let before: Vec<_> = blocks(&folder).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    assert!(before.len() > 1);
    let config = Config { index_block: 16, ..Config::at(&folder) };
    for damage in [false, true] {
        if damage {
            fs::write(&before[0].1, b"damaged").unwrap();
        }
        let q = Quorate::open_to_read(config.clone()).await.unwrap();
        assert_eq!(call(&q, "history.query", question.clone()).await.unwrap(), told);
        q.close().await.unwrap();
        let after: Vec<_> =
            blocks(&folder).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
        assert_eq!(after.len(), before.len());
        assert_eq!(after[usize::from(damage)..], before[usize::from(damage)..]);
    }
}
