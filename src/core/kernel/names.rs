//! Which texts are clear names: two that look the same are the same.
//!
//! A name is in Normalization Form C, so `é` is one character and never `e` with an accent behind it. It holds no
//! character that cannot be seen or that moves the others about: control and format characters (among them the
//! bidirectional ones), what a font may ignore (joiners, fillers, variation selectors), lines' and paragraphs' ends,
//! what is for private use or not assigned, and no space but the plain one, which stands inside and alone.
//!
//! Sources: Unicode Standard Annex #15 (Normalization Forms), the property `Default_Ignorable_Code_Point` of Unicode
//! 17.0, Unicode Technical Standard #39, 3.1 (what identifiers should leave out). Letters of two scripts that look alike
//! are not told apart here.

use std::fmt;

use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// A character that does not belong into a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclear {
    /// The byte at which it stands.
    pub at: usize,
    /// Which one.
    pub given: char,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A control character.
    Control,
    /// It is not seen, or it changes how others are shown.
    Invisible,
    /// A space other than the plain one.
    Space,
    /// A space at an end, or beside another one.
    LooseSpace,
    /// For private use: it means something else to everyone.
    PrivateUse,
    /// No character of the Unicode version this program knows.
    Unassigned,
    /// The text would be another one in Normalization Form C, from here on.
    NotComposed,
}

impl Unclear {
    /// What a name must be, as far as this one is not.
    pub fn expected(&self) -> String {
        let code = u32::from(self.given);
        match self.why {
            Why::Control => format!("a name without control characters such as U+{code:04X}"),
            Why::Invisible => format!("a name without characters that cannot be seen, such as U+{code:04X}"),
            Why::Space => format!("a name with plain spaces only, not U+{code:04X}"),
            Why::LooseSpace => "a name with single spaces, and none at its ends (U+0020)".to_owned(),
            Why::PrivateUse => format!("a name without characters for private use such as U+{code:04X}"),
            Why::Unassigned => format!("a name of assigned characters, not U+{code:04X}"),
            Why::NotComposed => {
                format!("a name in Unicode's composed form, NFC; it is not from U+{code:04X} on")
            }
        }
    }
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at_byte={}, character=U+{:04X}", self.at, u32::from(self.given))
    }
}

impl std::error::Error for Unclear {}

/// Checks that a text is a clear name. How long it may be is not looked at.
///
/// # Errors
/// [`Unclear`], which names the first character that does not belong into it.
pub fn check_name(text: &str) -> Result<(), Unclear> {
    let loose = |at| Err(Unclear { at, given: ' ', why: Why::LooseSpace });
    if text.starts_with(' ') {
        return loose(0);
    }
    if let Some(at) = text.find("  ") {
        return loose(at + 1);
    }
    if text.ends_with(' ') {
        return loose(text.len() - 1);
    }
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Ok(());
    }
    for (at, given) in text.char_indices() {
        if let Some(why) = fault(given) {
            return Err(Unclear { at, given, why });
        }
    }
    if is_nfc(text) {
        return Ok(());
    }
    let differs = |((_, a), b): &((usize, char), char)| a != b;
    let at = text.char_indices().zip(text.nfc()).find(differs).map(|((at, given), _)| (at, given));
    // Where one is the beginning of the other, the end is where they differ.
    let (at, given) = at.or_else(|| text.char_indices().last()).unwrap_or((0, '\u{fffd}'));
    Err(Unclear { at, given, why: Why::NotComposed })
}

/// Is it shown as itself, wherever it stands? What is not is told by its number on a terminal.
pub fn is_shown(given: char) -> bool {
    match fault(given) {
        None | Some(Why::Space | Why::PrivateUse | Why::Unassigned) => true,
        Some(Why::Control | Why::Invisible | Why::LooseSpace | Why::NotComposed) => false,
    }
}

fn fault(given: char) -> Option<Why> {
    if given.is_ascii() {
        return given.is_ascii_control().then_some(Why::Control);
    }
    if is_ignorable(given) {
        return Some(Why::Invisible);
    }
    match given.general_category() {
        GeneralCategory::Control => Some(Why::Control),
        GeneralCategory::Format | GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => {
            Some(Why::Invisible)
        }
        GeneralCategory::SpaceSeparator => Some(Why::Space),
        GeneralCategory::PrivateUse => Some(Why::PrivateUse),
        GeneralCategory::Unassigned | GeneralCategory::Surrogate => Some(Why::Unassigned),
        GeneralCategory::UppercaseLetter
        | GeneralCategory::LowercaseLetter
        | GeneralCategory::TitlecaseLetter
        | GeneralCategory::ModifierLetter
        | GeneralCategory::OtherLetter
        | GeneralCategory::NonspacingMark
        | GeneralCategory::SpacingMark
        | GeneralCategory::EnclosingMark
        | GeneralCategory::DecimalNumber
        | GeneralCategory::LetterNumber
        | GeneralCategory::OtherNumber
        | GeneralCategory::ConnectorPunctuation
        | GeneralCategory::DashPunctuation
        | GeneralCategory::OpenPunctuation
        | GeneralCategory::ClosePunctuation
        | GeneralCategory::InitialPunctuation
        | GeneralCategory::FinalPunctuation
        | GeneralCategory::OtherPunctuation
        | GeneralCategory::MathSymbol
        | GeneralCategory::CurrencySymbol
        | GeneralCategory::ModifierSymbol
        | GeneralCategory::OtherSymbol => None,
    }
}

/// `Default_Ignorable_Code_Point`, and the blank pattern of braille, which has no dots to see.
fn is_ignorable(given: char) -> bool {
    matches!(given,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_script_are_clear() {
        for name in ["a b", "Zoë", "ägypten/東京", "नमस्ते", "שלום", "한국", "a-1_b.c:d@e", "naïve 🦀"]
        {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_seen_or_told_apart_is_named_with_its_place() {
        let cases = [
            ("a\u{200b}b", 1, '\u{200b}', Why::Invisible),
            ("a\u{202e}b", 1, '\u{202e}', Why::Invisible),
            ("\u{feff}a", 0, '\u{feff}', Why::Invisible),
            ("a\u{fe0f}", 1, '\u{fe0f}', Why::Invisible),
            ("a\u{3164}", 1, '\u{3164}', Why::Invisible),
            ("a\u{2028}b", 1, '\u{2028}', Why::Invisible),
            ("é\u{e0041}", 2, '\u{e0041}', Why::Invisible),
            ("a\u{85}", 1, '\u{85}', Why::Control),
            ("a\tb", 1, '\t', Why::Control),
            ("a\u{a0}b", 1, '\u{a0}', Why::Space),
            ("\u{3000}a", 0, '\u{3000}', Why::Space),
            (" a", 0, ' ', Why::LooseSpace),
            ("a ", 1, ' ', Why::LooseSpace),
            ("a  b", 2, ' ', Why::LooseSpace),
            ("a\u{e000}", 1, '\u{e000}', Why::PrivateUse),
            ("a\u{378}", 1, '\u{378}', Why::Unassigned),
            ("a\u{ffff}", 1, '\u{ffff}', Why::Unassigned),
            ("Zoe\u{308}", 2, 'e', Why::NotComposed),
            ("\u{212b}", 0, '\u{212b}', Why::NotComposed),
        ];
        for (name, at, given, why) in cases {
            assert_eq!(check_name(name), Err(Unclear { at, given, why }), "{name:?}");
        }
    }

    #[test]
    fn free_text_shows_its_spaces_and_hides_what_moves_others() {
        assert!(is_shown('\u{a0}') && is_shown('é') && is_shown('\u{e000}'));
        assert!(!is_shown('\u{202e}') && !is_shown('\u{1b}') && !is_shown('\u{200d}'));
    }
}
