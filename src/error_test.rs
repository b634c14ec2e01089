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

#[test]
fn a_number_is_told_as_it_is_written_and_a_short_list_as_it_is() {
    let told = |value: Value, expected: &str| Error::invalid("field", value, expected).message().to_owned();
    let above = "above 0";
    let two_to_63 = 9_223_372_036_854_775_808.0_f64;
    assert_eq!(
        told(two_to_63.into(), above),
        "field does not fit. given=9223372036854775808, expected above 0"
    );
    assert_eq!(
        told((-two_to_63).into(), above),
        "field does not fit. given=-9223372036854775808, expected above 0"
    );
    assert_eq!(told((-0.0).into(), above), "field does not fit. given=0, expected above 0");
    assert_eq!(told(1.5.into(), above), "field does not fit. given=1.5, expected above 0");
    assert!(told(1e300.into(), above).contains("given=1e+300"));
    // It is whole, and was not written so.
    assert!(told(1e3.into(), "a whole number").contains("given=1000.0"));
    assert!(told(serde_json::json!(["ann"]), "two").contains(r#"given=["ann"]"#));
    assert!(told(serde_json::json!([["ann"]]), "two").contains("a list or object"));
}

#[test]
fn an_error_about_a_member_names_it_by_its_place() {
    let error = Error::invalid("kind", "quorums", "one of them").with("nearest", "quorum").inside("filter");
    assert_eq!(error.detail("field").unwrap(), "filter.kind");
    assert_eq!(error.detail("nearest").unwrap(), "quorum");
    assert_eq!(error.message(), "filter.kind does not fit. given=\"quorums\", expected one of them");
    assert_eq!(Error::new(ErrorKind::NotFound, "gone").inside("filter").message(), "gone");
}
