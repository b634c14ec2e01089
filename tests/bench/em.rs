//! What it costs to learn from votes, and to look at them: computing alone, no actor, no journal.
//!
//! ```text
//! cargo bench --bench em                          everything
//! cargo bench --bench em -- answers product FILE  the plain model's answers after 100 passes, for a comparison
//! tests/bench/em_beside_crowdkit.sh               the same model in Python beside it, in one command
//! ```
//!
//! The votes are the recorded ones; without their files only the parts that need none are measured, and that is said.

use std::collections::BTreeMap;
use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use quorate_core::kernel::ids::VoterId;
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::emergence::{Round, Scene, Vote, scan};
use quorate_core::voting::reliability::History;
use quorate_core::voting::reliability::dawid_skene::{self, fit};
use quorate_core::voting::reliability::factors::{self, Conduct, Marked, Scored, reckon};
use quorate_core::voting::reliability::online::{self, Online};

/// The published model: nothing assumed beforehand, a hundred passes whatever they gain.
const PLAIN: dawid_skene::Settings =
    dawid_skene::Settings { passes: 100, tolerance: -1.0, agree: 0.0, differ: 0.0 };
/// How often each is measured. The median is shown.
const TURNS: usize = 9;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    if let [word, set, file] = &words[..]
        && word == "answers"
    {
        return answers(set, file);
    }
    for set in ["product", "dogs"] {
        let Some(history) = recorded(set) else { continue };
        let took = median(|| drop(black_box(fit(&history, &BTreeMap::new(), &PLAIN))));
        println!("{set}: error tables, 100 passes over {} votes: {}", history.votes().len(), shown(took));
        let settled = dawid_skene::Settings::default();
        let took = median(|| drop(black_box(fit(&history, &BTreeMap::new(), &settled))));
        println!("{set}: error tables until they settle: {}", shown(took));
        let took = median(|| {
            let mut model = Online::new(history.options().len(), online::Settings::default()).unwrap();
            history.votes().iter().for_each(|cast| model.vote(*cast).unwrap());
            black_box(model);
        });
        println!("{set}: vote by vote, one vote: {}", shown(took / history.votes().len() as u32));
    }
    let conduct = conduct();
    let (now, settings) = (Timestamp::from_millis(3_600_000), factors::Settings::default());
    let took = median(|| drop(black_box(reckon(black_box(&conduct), now, &settings))));
    println!("the weight of one voter from eight factors of ten samples: {}", shown(took));
    let scene = scene(100);
    let took = median(|| drop(black_box(scan(black_box(&scene), 0.8))));
    println!("a look at 100 votes for six patterns: {}", shown(took));
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn median(mut work: impl FnMut()) -> Duration {
    let mut turns: Vec<Duration> = (0..TURNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    turns.sort();
    turns[TURNS / 2]
}

fn shown(took: Duration) -> String {
    match took.as_secs_f64() * 1e6 {
        us if us >= 1_000.0 => format!("{:.2} ms", us / 1e3),
        us => format!("{us:.3} us"),
    }
}

/// Writes question, option and probability, a line each.
fn answers(set: &str, file: &str) {
    let history = recorded(set).expect("the recorded votes");
    let took = median(|| drop(black_box(fit(&history, &BTreeMap::new(), &PLAIN))));
    let fit = fit(&history, &BTreeMap::new(), &PLAIN).unwrap();
    let mut out = std::io::BufWriter::new(File::create(file).unwrap());
    for (question, name) in (0..).zip(history.questions()) {
        for (option, p) in history.options().iter().zip(fit.answer(question)) {
            writeln!(out, "{name},{option},{p:e}").unwrap();
        }
    }
    println!("seconds {}", took.as_secs_f64());
}

fn recorded(set: &str) -> Option<History> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/votes");
    let path = folder.join(format!("{set}-answers.csv.gz"));
    let Ok(file) = File::open(&path) else {
        println!("SKIPPED: {} is not here, so nothing was measured on it", path.display());
        return None;
    };
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut history = History::default();
    for line in text.lines().skip(1) {
        let [question, voter, answer] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        history.vote(question, &VoterId::new(voter).unwrap(), answer);
    }
    Some(history)
}

fn conduct() -> Conduct {
    let at = Timestamp::from_millis(3_000_000);
    let marks = vec![Marked { at, good: true }; 10];
    Conduct {
        outcomes: vec![Scored { at, score: 0.7, context: None }; 10],
        duties: marks.clone(),
        answers: marks.clone(),
        votes: marks.clone(),
        effects: marks,
        ..Conduct::default()
    }
}

/// Two rounds of votes as honest voters cast them.
fn scene(voters: usize) -> Scene {
    let mut rng = Rng::new(1);
    let mut unit = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let mut round = || Round {
        opened: Timestamp::EPOCH,
        votes: (0..voters)
            .map(|number| Vote {
                voter: VoterId::new(format!("v{number}")).unwrap(),
                option: u32::from(unit() < 0.7),
                score: unit(),
                at: Timestamp::from_millis((unit() * 60_000.0) as i64),
            })
            .collect(),
    };
    let rounds = vec![round(), round()];
    let powers = rounds[0].votes.iter().map(|vote| (vote.voter.clone(), 1_000_000)).collect();
    Scene { rounds, winner: Some(1), outcome: Some(0.6), powers, ..Scene::default() }
}
