use super::*;

/// A decision with which nothing is wrong.
fn fine() -> Facts {
    Facts {
        quorum: Some(true),
        voters: Some((10, 9)),
        faults: Some((0, 3)),
        suspects: Some((1, 10)),
        candidates: true,
        margin: Some(300_000),
        confidence: Some(700_000),
        anomalies: Some((false, 100_000)),
        record: Some(true),
        tainted: Some(false),
        compute_time: Some(Duration::from_micros(20)),
        voices: Some(10_000_000),
    }
}

fn verdict(change: impl FnOnce(&mut Facts)) -> Verdict {
    let mut facts = fine();
    change(&mut facts);
    evaluate(&facts, &Bars::default()).verdict
}

#[test]
fn every_rule_says_what_the_table_says_at_its_bar_and_beyond() {
    use Verdict::{Block, EscalateToHuman, Fail, Pass, RequireRemediation};
    assert_eq!(verdict(|_| {}), Pass);
    assert_eq!(verdict(|f| f.quorum = Some(false)), Fail);
    assert_eq!(verdict(|f| f.voters = Some((9, 6))), Pass);
    assert_eq!(verdict(|f| f.voters = Some((10, 6))), RequireRemediation);
    assert_eq!(verdict(|f| f.faults = Some((3, 3))), RequireRemediation);
    assert_eq!(verdict(|f| f.faults = Some((4, 3))), Block);
    assert_eq!(verdict(|f| f.suspects = Some((333_333, 1_000_000))), Pass);
    assert_eq!(verdict(|f| f.suspects = Some((1, 3))), EscalateToHuman);
    assert_eq!(verdict(|f| f.margin = Some(100_000)), Pass);
    assert_eq!(verdict(|f| f.margin = Some(99_999)), EscalateToHuman);
    assert_eq!(verdict(|f| f.confidence = Some(499_999)), RequireRemediation);
    assert_eq!(verdict(|f| f.anomalies = Some((true, 0))), EscalateToHuman);
    assert_eq!(verdict(|f| f.anomalies = Some((false, 333_334))), EscalateToHuman);
    assert_eq!(verdict(|f| f.record = Some(false)), Block);
    assert_eq!(verdict(|f| f.tainted = Some(true)), EscalateToHuman);
    assert_eq!(verdict(|f| f.voices = Some(9_999_999)), EscalateToHuman);
    // Slow is no fault, and it is said.
    let slow = Facts { compute_time: Some(Duration::from_micros(801)), ..fine() };
    let evaluation = evaluate(&slow, &Bars::default());
    let warned: Vec<&str> = evaluation.findings.iter().filter(|f| f.is_warning).map(|f| f.rule).collect();
    assert_eq!((evaluation.verdict, warned), (Pass, vec!["compute_time"]));
    // Without candidates nobody asks for a margin.
    assert_eq!(verdict(|f| (f.candidates, f.margin, f.confidence) = (false, None, None)), Pass);
}

#[test]
fn what_cannot_be_evaluated_blocks_and_the_worst_rule_is_the_result() {
    assert_eq!(evaluate(&Facts::default(), &Bars::default()).verdict, Verdict::Block);
    for unknown in [
        |f: &mut Facts| f.quorum = None,
        |f: &mut Facts| f.voters = None,
        |f: &mut Facts| f.margin = None,
        |f: &mut Facts| f.compute_time = None,
        |f: &mut Facts| f.voices = None,
    ] {
        assert_eq!(verdict(unknown), Verdict::Block);
    }
    let several = |f: &mut Facts| (f.quorum, f.tainted, f.voters) = (Some(false), Some(true), Some((9, 1)));
    assert_eq!(verdict(several), Verdict::EscalateToHuman);
}

#[test]
fn severities_map_to_verdicts() {
    use Verdict::{Block, EscalateToHuman, Fail, Pass, RequireRemediation};
    let all = [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical, Severity::Fatal];
    assert_eq!(all.map(|s| s.verdict(false)), [Pass, Pass, Fail, EscalateToHuman, Block]);
    let mended = RequireRemediation;
    assert_eq!(all.map(|s| s.verdict(true)), [mended, mended, mended, mended, Block]);
}

#[test]
fn a_remedy_is_started_once_and_a_session_reopened_twice() {
    let facts = Facts { quorum: Some(false), voters: Some((9, 1)), ..fine() };
    let evaluation = evaluate(&facts, &Bars::default());
    let mut remedies = Remedies::default();
    let due = remedies.due("s1", &evaluation, 0);
    let names: Vec<Remedy> = due.iter().map(|(remedy, _)| *remedy).collect();
    let expected =
        [Remedy::ExtendDeadline, Remedy::ReassignVoters, Remedy::ReopenSession, Remedy::NotifyOperator];
    assert_eq!(names, expected);
    assert_eq!(due[2].1, "s1/reopen_session");
    assert!(remedies.start(&due[2].1) && !remedies.start(&due[2].1));
    let again = remedies.due("s1", &evaluation, 0);
    assert!(again.iter().all(|(remedy, _)| *remedy != Remedy::ReopenSession));
    let third = Remedies::default().due("s3", &evaluation, 2);
    assert!(third.iter().all(|(remedy, _)| *remedy != Remedy::ReopenSession));
    assert!(Remedies::default().due("s1", &evaluate(&fine(), &Bars::default()), 0).is_empty());
}
