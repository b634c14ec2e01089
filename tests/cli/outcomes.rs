//! `quorate quorum wait q && deploy` deploys after a yes, and after nothing else.

use super::{Ran, run, text};
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn run(&self, line: &str) -> Ran {
        let mut args: Vec<&str> = line.split_whitespace().collect();
        args.extend(["--data", text(self.0.path()), "--json"]);
        run(&args)
    }
}

fn exit(outcome: &str) -> i32 {
    quorate_runtime::error::outcome(outcome).unwrap_or_else(|| panic!("no outcome {outcome}")).exit.into()
}

fn kind(name: &str) -> i32 {
    quorate_runtime::error::KINDS.iter().find(|kind| kind.name == name).unwrap().exit.into()
}

/// Runs the lines in order; each must exit with this code.
fn table(lines: &[(&str, i32)]) {
    let folder = Folder(TempDir::new().unwrap());
    for (line, code) in lines {
        let ran = folder.run(line);
        assert_eq!(ran.code(), *code, "{line}\n{}{}", ran.out(), ran.err());
    }
}

#[test]
fn a_wait_for_a_quorum_exits_with_its_outcome_and_a_look_with_0() {
    table(&[
        ("quorum start --quorum-type global --quorum-id yes --voters a,b", 0),
        ("quorum wait nobody", kind("not_found")),
        ("quorum wait yes --timeout-ms 0", exit("open")),
        ("quorum vote yes --voter-id a --vote true", 0),
        ("quorum vote yes --voter-id b --vote true --reason fine", 0),
        ("quorum wait yes", exit("approved")),
        ("quorum vote yes --voter-id b --vote true", 0),
        ("quorum vote yes --voter-id b --vote false", kind("quorum_closed")),
        ("quorum start --quorum-type global --quorum-id no --voters a,b", 0),
        ("quorum vote no --voter-id a --vote false", 0),
        ("quorum wait no", exit("rejected")),
        ("quorum status no", 0),
        ("quorum start --quorum-type global --quorum-id slow --voters a --timeout-seconds 0.001", 0),
        ("quorum wait slow", exit("timeout")),
        ("quorum vote slow --voter-id a --vote true", kind("quorum_timeout")),
        ("quorum start --quorum-type global --quorum-id off --voters a", 0),
        ("quorum cancel off", 0),
        ("quorum cancel off", 0),
        ("quorum cancel yes", kind("quorum_closed")),
        ("quorum wait off", exit("cancelled")),
        ("quorum status off", 0),
        ("quorum history", 0),
    ]);
}

#[test]
fn a_question_to_agents_exits_with_its_outcome_and_a_refused_vote_with_its_kind() {
    table(&[
        ("agent register --agent-id gone", 0),
        ("agent leave gone", 0),
        ("consensus request --proposal 1 --proposal-id nobody", kind("aborted")),
        ("agent register --agent-id ann", 0),
        ("agent register --agent-id bob", 0),
        ("consensus result nobody", exit("aborted")),
        ("algorithm register --name three --rule required:3", 0),
        ("consensus request --proposal 1 --proposal-id h --algorithm three", kind("unreachable_requirement")),
        ("consensus result h", kind("not_found")),
        ("consensus request --proposal 1 --proposal-id slow --timeout-ms 100", exit("timeout")),
        ("consensus request --proposal 1 --proposal-id p --wait false", 0),
        ("consensus result p", exit("open")),
        ("consensus vote p --agent-id ann --vote for", 0),
        ("consensus vote p --agent-id ann --vote for", 0),
        ("consensus vote p --agent-id ann --vote against", kind("already_voted")),
        ("consensus vote p --agent-id zoe --vote for", kind("not_eligible")),
        ("consensus vote none --agent-id ann --vote for", kind("not_found")),
        ("consensus vote p --agent-id bob --vote for", 0),
        ("consensus result p --wait-ms 1000", exit("approved")),
        ("consensus request --proposal 1 --proposal-id n --wait false", 0),
        ("consensus vote n --agent-id ann --vote against", 0),
        ("consensus vote n --agent-id bob --vote for --reason dissent", kind("proposal_closed")),
        ("consensus result n", exit("rejected")),
        ("consensus result none", kind("not_found")),
        ("consensus history", 0),
        ("algorithm unregister none", kind("not_found")),
        ("algorithm set-default none", kind("unknown_algorithm")),
        ("agent beat nobody", kind("not_found")),
        ("agent leave nobody", kind("not_found")),
        ("agent leave bob", 0),
        ("agent leave bob", 0),
    ]);
}

#[test]
fn a_wait_for_a_job_exits_with_its_outcome_and_a_look_with_0() {
    table(&[
        ("job submit --job-id yes", 0),
        ("job wait nobody", kind("not_found")),
        ("job wait yes --timeout-ms 0", exit("open")),
        ("job complete yes", 0),
        ("job wait yes", exit("completed")),
        ("job submit --job-id no", 0),
        ("job complete no --status failed", 0),
        ("job wait no", exit("failed")),
        ("job status no", 0),
        ("job submit --job-id slow --timeout-seconds 0.001", 0),
        ("job wait slow", exit("timeout")),
        ("job submit --job-id off", 0),
        ("job cancel off", 0),
        ("job wait off", exit("cancelled")),
    ]);
}

#[test]
fn what_was_not_done_does_not_exit_with_0() {
    table(&[
        ("job submit --job-id j", 0),
        ("job complete j", 0),
        ("job cancel j", kind("job_ended")),
        ("job submit --job-id e", 0),
        ("job extend --job-id e --worker-id w --current-progress 1 --request-id r", 0),
        ("job extend --job-id e --worker-id w --current-progress 1 --request-id r", 0),
        ("job extend --job-id e --worker-id w --current-progress 2 --request-id r", kind("key_reused")),
        ("job extend --job-id e --worker-id w --current-progress 1", exit("nothing_done")),
        ("worker lost nobody", kind("not_found")),
        ("worker healthy nobody", kind("not_found")),
        ("worker leave nobody", kind("not_found")),
        ("job submit --job-id k", 0),
        ("job cancel k", 0),
        ("job cancel k", 0),
        ("job cancel none", kind("not_found")),
        ("capacity release a", exit("nothing_done")),
        ("capacity request a --requested-capacity 1", exit("granted")),
        (
            "capacity request a --requested-capacity 1 --timeout-seconds 0.01 --need-id n --wait",
            exit("expired"),
        ),
        ("capacity offer --source-cell-id a --destination-cell-id b --capacity 0.5", exit("nothing_done")),
        ("capacity release a --capacity 1", 0),
        ("capacity need a --need-id n", exit("expired")),
        ("capacity cancel a --need-id n", exit("nothing_done")),
        ("shed check --class data", 0),
        ("shed check --class data --deadline-ms=-1", exit("expired")),
        ("shed release --permit 7", exit("nothing_done")),
    ]);
}

#[test]
fn the_help_names_every_outcome_and_its_exit_code() {
    let help = run(&["--help"]).ok();
    let shown = help.out().split_whitespace().collect::<Vec<_>>().join(" ");
    for outcome in quorate_runtime::error::OUTCOMES.iter().filter(|outcome| outcome.exit >= 20) {
        let words = outcome.name.replace('_', " ");
        let first = words.split(' ').next().unwrap();
        assert!(
            shown.contains(&format!("{} {first}", outcome.exit))
                || shown.contains(&format!("with {}", outcome.exit)),
            "{} {}",
            outcome.exit,
            outcome.name
        );
    }
}
