//! JSON in the one form in which it is hashed: that of RFC 8785.
//!
//! Members stand in the order of their names (by UTF-16 code units), without spaces; numbers are written as JavaScript writes
//! them, so that `60`, `60.0` and `6e1` are one number. Two values have the same form exactly when they are equal.
//!
//! # Source
//! RFC 8785 (JSON Canonicalization Scheme); ECMA-262, `Number::toString`.

use serde_json::{Map, Number, Value};

/// The canonical form of a value.
pub(super) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(is) => text.push_str(if *is { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&numeral(number)),
        Value::String(_) => text.push_str(&value.to_string()),
        Value::Array(items) => {
            text.push('[');
            for (n, item) in items.iter().enumerate() {
                separate(n, text);
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(members) => object(members, text),
    }
}

fn object(members: &Map<String, Value>, text: &mut String) {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_by_cached_key(|(name, _)| name.encode_utf16().collect::<Vec<u16>>());
    text.push('{');
    for (n, (name, value)) in sorted.into_iter().enumerate() {
        separate(n, text);
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push(':');
        write(value, text);
    }
    text.push('}');
}

fn separate(n: usize, text: &mut String) {
    if n > 0 {
        text.push(',');
    }
}

/// A whole number that fits 64 bits keeps all its digits, which JavaScript would round.
fn numeral(number: &Number) -> String {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(whole), _, _) => whole.to_string(),
        (None, Some(whole), _) => whole.to_string(),
        (None, None, Some(double)) => of_double(double),
        (None, None, None) => number.to_string(),
    }
}

fn of_double(double: f64) -> String {
    if double == 0.0 {
        return "0".into();
    }
    // The shortest digits that are read back as this double, and the place of their point.
    let shortest = format!("{:e}", double.abs());
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let at = |n: i32| digits.split_at(usize::try_from(n).unwrap_or(0));
    let written = match point {
        p if count <= p && p <= 21 => format!("{digits}{}", zeros(p - count)),
        p if 0 < p && p <= 21 => format!("{}.{}", at(p).0, at(p).1),
        p if -6 < p && p <= 0 => format!("0.{}{digits}", zeros(-p)),
        p => {
            let sign = if p > 0 { '+' } else { '-' };
            let rest = if count > 1 { format!(".{}", at(1).1) } else { String::new() };
            format!("{}{rest}e{sign}{}", at(1).0, (p - 1).abs())
        }
    };
    if double < 0.0 { format!("-{written}") } else { written }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_example_of_rfc_8785_is_written_as_it_stands_there() {
        let given = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        let expected = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
        assert_eq!(canonical(&read(given)), expected);
    }

    #[test]
    fn members_stand_in_the_order_of_rfc_8785() {
        let given = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        let Value::Object(members) = read(given) else { unreachable!() };
        let text = canonical(&Value::Object(members));
        let order: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
        // "1" is itself a name.
        assert_eq!(order, ['2', '1', '4', '6', '7', '1', '5', '3']);
    }

    #[test]
    fn one_number_has_one_form_and_two_have_two() {
        for (given, expected) in [
            ("60.0", "60"),
            ("6e1", "60"),
            ("-0.0", "0"),
            ("0.1", "0.1"),
            ("1e21", "1e+21"),
            ("123456789012345680000.0", "123456789012345680000"),
            ("1e-7", "1e-7"),
            ("0.000001", "0.000001"),
            ("-1.5e300", "-1.5e+300"),
            ("18446744073709551615", "18446744073709551615"),
            ("9007199254740993", "9007199254740993"),
        ] {
            assert_eq!(canonical(&read(given)), expected, "{given}");
        }
    }
}
