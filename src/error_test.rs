use super::*;

#[test]
fn every_kind_has_exactly_one_line_and_its_json_name() {
    for entry in KINDS {
        assert_eq!(serde_json::to_value(entry.kind).unwrap(), entry.name);
        assert_eq!(KINDS.iter().filter(|e| e.kind == entry.kind).count(), 1);
    }
    assert_eq!(ErrorKind::StoreCorrupt.entry().exit, 14);
}

#[test]
fn a_value_that_does_not_fit_keeps_its_type() {
    let value = |field, given: &str| {
        let rejection = Rejection::Invalid { field, given: given.into(), expected: "something else".into() };
        Error::from(rejection).detail("value").cloned().unwrap_or_default()
    };
    assert_eq!(value("required_votes", "99"), 99);
    assert_eq!(value("confidence", "1.5"), 1.5);
    assert_eq!(value("cmp_fallback", "true"), true);
    assert_eq!(value("confidence", "NaN"), "NaN");
    assert_eq!(value("voters", "7"), "7");
    assert_eq!(value("rule", "9"), "9");
}

#[test]
fn an_error_never_carries_a_large_input_back() {
    let long = "é".repeat(1_000_000);
    let error = Error::invalid("voter_id", long.as_str(), "1 to 256 bytes");
    assert!(error.to_json().to_string().len() < 1_000);
    let error = Error::invalid(&long, 1, &format!("unknown field `{long}`, expected one of `a`, `b`"));
    assert!(error.to_json().to_string().len() < 8_000);
    assert!(error.message().ends_with("expected one of `a`, `b`"));
}
