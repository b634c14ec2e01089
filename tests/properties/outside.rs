//! Numbers and names from outside: kept as they are written, or refused.

use proptest::prelude::*;
use quorate_core::kernel::ids::VoterId;
use unicode_normalization::UnicodeNormalization;

/// The value of a decimal: its digits without zeros at the ends, and the power of ten of the last one.
#[cfg(feature = "runtime")]
fn value(text: &str) -> (bool, String, i64) {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let negative = number.starts_with('-');
    let (whole, places) = number.trim_start_matches('-').split_once('.').unwrap_or((number, ""));
    let mut digits = format!("{}{places}", whole.trim_start_matches('-'));
    let mut power = exponent.parse::<i64>().unwrap() - places.len() as i64;
    while digits.ends_with('0') {
        digits.pop();
        power += 1;
    }
    let digits = digits.trim_start_matches('0').to_owned();
    if digits.is_empty() { (false, digits, 0) } else { (negative, digits, power) }
}

/// Characters that are not seen, and some that are.
fn name() -> impl Strategy<Value = String> {
    let hidden = prop_oneof![
        Just('\u{200b}'),
        Just('\u{202e}'),
        Just('\u{ad}'),
        Just('\u{fe0f}'),
        Just('\u{34f}'),
        Just('\u{2060}'),
        Just('\u{e0020}'),
        Just('\u{3164}'),
        Just('\u{a0}'),
        Just('\u{308}'),
        Just('\u{301}'),
        Just('\u{327}'),
    ];
    let seen = prop_oneof![
        Just('e'),
        Just('é'),
        Just('ë'),
        Just('한'),
        Just('\u{1112}'),
        Just('Å'),
        Just('\u{212b}')
    ];
    let one = prop_oneof![3 => seen, 2 => hidden, 2 => any::<char>()];
    prop::collection::vec(one, 1..6).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[cfg(feature = "runtime")]
    #[test]
    fn any_number_is_kept_with_its_value_or_refused(
        text in r"-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?",
    ) {
        if let Ok(kept) = quorate_runtime::api::json::read(&text) {
            prop_assert_eq!(value(&kept.to_string()), value(&text), "{} became {}", text, kept);
            // What is shown later is read back from what was stored.
            let shown: serde_json::Value = serde_json::from_str(&kept.to_string()).unwrap();
            prop_assert_eq!(shown, kept);
        }
    }

    #[cfg(feature = "runtime")]
    #[test]
    fn every_number_a_program_holds_is_kept(double in any::<f64>(), whole in any::<u64>(), low in any::<i64>()) {
        prop_assume!(double.is_finite());
        for number in [serde_json::json!(double), serde_json::json!(whole), serde_json::json!(low)] {
            prop_assert_eq!(quorate_runtime::api::json::read(&number.to_string()).unwrap(), number);
        }
    }

    #[test]
    fn an_id_is_composed_and_every_character_of_it_is_seen(text in name()) {
        if let Ok(id) = VoterId::new(text.as_str()) {
            prop_assert_eq!(id.as_str(), text.nfc().collect::<String>());
            let seen: String = text.chars().filter(|c| !c.is_control() && quorate_core::kernel::names::is_shown(*c)).collect();
            prop_assert_eq!(id.as_str(), seen);
            prop_assert_eq!(id.as_str(), text.trim());
        }
    }

    #[test]
    fn two_ids_of_one_composed_form_are_one_id(text in name()) {
        let forms = [text.clone(), text.nfc().collect(), text.nfd().collect()];
        let ids: Vec<VoterId> = forms.iter().filter_map(|form| VoterId::new(form.as_str()).ok()).collect();
        prop_assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", ids);
    }
}
