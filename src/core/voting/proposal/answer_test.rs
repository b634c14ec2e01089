use super::*;

fn integer(minimum: Option<i64>, maximum: Option<i64>) -> AnswerSchema {
    AnswerSchema::of(AnswerShape::Integer { minimum, maximum, choices: Vec::new() })
}

fn text(max_length: Option<u32>, choices: &[&str]) -> AnswerSchema {
    let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
    AnswerSchema::of(AnswerShape::Text { min_length: None, max_length, choices })
}

fn field(name: &str, required: bool, schema: AnswerSchema) -> AnswerField {
    AnswerField { name: name.to_owned(), required, schema }
}

fn object(fields: Vec<AnswerField>) -> AnswerSchema {
    AnswerSchema::of(AnswerShape::Object { fields })
}

fn given(fields: &[(&str, AnswerValue)]) -> AnswerValue {
    AnswerValue::Object(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn words(word: &str) -> AnswerValue {
    AnswerValue::Text(word.to_owned())
}

#[test]
fn what_no_answer_could_ever_be_is_not_asked_for() {
    let long = |least: usize| {
        let min_length = Some(u32::try_from(least).unwrap());
        AnswerSchema::of(AnswerShape::Text { min_length, max_length: None, choices: Vec::new() })
    };
    let place = |schema: &AnswerSchema| schema.check().err().map(|misfit| misfit.path);
    assert_eq!(place(&long(LARGEST - 2)), None);
    let longest = AnswerValue::Text("x".repeat(LARGEST - 2));
    assert_eq!((long(LARGEST - 2).fits(&longest), longest.to_json().len()), (Ok(()), LARGEST));
    assert_eq!(place(&long(LARGEST - 1)).as_deref(), Some("answer_schema.minLength"));
    // Each may be given, and both together may not; one of them need not be.
    let both = |required| object(vec![field("a", true, long(9_000)), field("b", required, long(9_000))]);
    assert_eq!(place(&both(true)).as_deref(), Some("answer_schema"));
    assert_eq!(place(&both(false)), None);
    // To the byte: {"a":"…"} is nine bytes beside the text.
    let one = |least| object(vec![field("a", true, long(least))]);
    assert_eq!(place(&one(LARGEST - 8)), None);
    let text = AnswerValue::Text("x".repeat(LARGEST - 8));
    assert_eq!(given(&[("a", text)]).to_json().len(), LARGEST);
    assert_eq!(place(&one(LARGEST - 7)).as_deref(), Some("answer_schema"));
    for schema in [integer(None, None), integer(Some(-5), Some(-2)), integer(Some(10), None)] {
        assert_eq!(schema.check(), Ok(()));
    }
    let shortest =
        [integer(None, None), integer(Some(-5), Some(-2)), integer(Some(10), None), object(Vec::new())];
    assert_eq!(shortest.map(|schema| schema.fewest_bytes()), [1, 2, 2, 2]);
}

#[test]
fn an_answer_is_refused_at_the_place_that_does_not_fit() {
    let schema = object(vec![
        field("amount", true, integer(Some(1), Some(100))),
        field("why", false, text(Some(3), &[])),
        field("how", false, text(None, &["cash", "card"])),
        field("sure", false, AnswerSchema::of(AnswerShape::Boolean)),
        field("to", false, object(vec![field("name", true, text(None, &[]))])),
    ]);
    assert_eq!(schema.check(), Ok(()));
    let amount = |n: i64| ("amount", AnswerValue::Integer(n));
    for fits in [
        given(&[amount(1)]),
        given(&[
            amount(100),
            ("why", words("äöü")),
            ("how", words("card")),
            ("sure", AnswerValue::Boolean(false)),
        ]),
        given(&[amount(7), ("to", given(&[("name", words(""))]))]),
    ] {
        assert_eq!(schema.fits(&fits), Ok(()), "{fits:?}");
    }
    for (value, path, told, expected) in [
        (AnswerValue::Integer(1), "value", Some("1"), "an object with amount"),
        (given(&[]), "value.amount", None, "a whole number of 1 to 100"),
        (given(&[amount(0)]), "value.amount", Some("0"), "a whole number of 1 to 100"),
        (given(&[amount(101)]), "value.amount", Some("101"), "a whole number of 1 to 100"),
        (
            given(&[("amount", AnswerValue::Other("1.5".into()))]),
            "value.amount",
            Some("1.5"),
            "a whole number",
        ),
        (given(&[("amount", words("1"))]), "value.amount", Some("\"1\""), "a whole number"),
        (given(&[amount(1), ("why", words("abcd"))]), "value.why", Some("\"abcd\""), "a text of up to 3"),
        (
            given(&[amount(1), ("how", words("gold"))]),
            "value.how",
            Some("\"gold\""),
            "one of \"cash\", \"card\"",
        ),
        (given(&[amount(1), ("sure", AnswerValue::Integer(1))]), "value.sure", Some("1"), "true or false"),
        (given(&[amount(1), ("to", given(&[]))]), "value.to.name", None, "a text"),
        (
            given(&[amount(1), ("more", words("x"))]),
            "value.more",
            Some("\"x\""),
            "no other field than amount",
        ),
    ] {
        let misfit = schema.fits(&value).unwrap_err();
        assert_eq!((misfit.path.as_str(), misfit.given.as_deref()), (path, told), "{value:?}");
        assert!(misfit.expected.starts_with(expected), "{path}: {}", misfit.expected);
    }
}

#[test]
fn what_nobody_could_answer_may_not_be_asked() {
    let chosen = |choices: &[i64]| {
        AnswerSchema::of(AnswerShape::Integer {
            minimum: Some(1),
            maximum: Some(9),
            choices: choices.to_vec(),
        })
    };
    let nested = |depth: usize| {
        (1..depth)
            .fold(AnswerSchema::of(AnswerShape::Boolean), |inner, _| object(vec![field("a", true, inner)]))
    };
    let wide = |fields: usize| {
        object(
            (0..fields)
                .map(|n| field(&n.to_string(), true, AnswerSchema::of(AnswerShape::Boolean)))
                .collect(),
        )
    };
    let sizes =
        AnswerSchema::of(AnswerShape::Text { min_length: Some(2), max_length: Some(1), choices: Vec::new() });
    for (schema, path) in [
        (integer(Some(2), Some(1)), "answer_schema.maximum"),
        (sizes, "answer_schema.maxLength"),
        (chosen(&[1, 1]), "answer_schema.enum"),
        (chosen(&[10]), "answer_schema.enum"),
        (chosen(&(0..65).collect::<Vec<_>>()), "answer_schema.enum"),
        (text(Some(1), &["ab"]), "answer_schema.enum"),
        (object(Vec::new()), "answer_schema.properties"),
        (wide(65), "answer_schema.properties"),
        (
            object(vec![field("a", true, chosen(&[])), field("a", true, chosen(&[]))]),
            "answer_schema.properties",
        ),
        (object(vec![field("a", true, integer(Some(2), Some(1)))]), "answer_schema.properties.a.maximum"),
        (nested(5), "answer_schema.properties.a.properties.a.properties.a.properties"),
    ] {
        assert_eq!(schema.check().unwrap_err().path, path);
    }
    for schema in [integer(Some(1), Some(1)), chosen(&[9, 1]), nested(4), wide(64)] {
        assert_eq!(schema.check(), Ok(()));
    }
}

#[test]
fn the_json_of_an_answer_is_read_back_as_the_same_by_others_and_equal_answers_are_equal_texts() {
    let value = given(&[
        ("b", AnswerValue::Integer(i64::MIN)),
        ("a", words("\"\\\n\r\t\u{1} ü \u{2028}")),
        ("c", given(&[("d", AnswerValue::Boolean(true))])),
    ]);
    let json = value.to_json();
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    let expected = serde_json::json!({
        "a": "\"\\\n\r\t\u{1} ü \u{2028}", "b": i64::MIN, "c": { "d": true },
    });
    assert_eq!(read, expected);
    assert!(json.starts_with("{\"a\":"), "{json}");
}
