//! Text from a log, made harmless for a terminal.
//!
//! Whatever could move the cursor, change a colour, reorder what is read or hide is written as an escape: control
//! characters of both kinds, bidirectional overrides, and characters without width.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Text that stays on one line and does nothing to a terminal.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Writing to a String cannot fail.
            hostile if is_hostile(hostile) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(hostile));
            }
            harmless => out.push(harmless),
        }
    }
    Cow::Owned(out)
}

/// JSON text as a terminal may see it. JSON itself escapes only the ASCII control characters; the others can stand in
/// strings alone, where an escape means the same.
pub fn json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hostile(character) && character != '\n' {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

fn is_hostile(character: char) -> bool {
    matches!(character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // Soft hyphen, Arabic letter mark, Mongolian vowel separator, zero widths and directions, separators of lines.
        | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_left_alone() {
        assert_eq!(line("SELECT 'é'"), "SELECT 'é'");
        assert_eq!(line("a\nb\x1b[2J\u{9b}31m\u{202e}x"), "a\\nb\\u{1b}[2J\\u{9b}31m\\u{202e}x");
    }

    #[test]
    fn json_means_the_same() {
        let value = serde_json::json!({"a": "x\u{9b}\u{202e}\u{e0041}\n\u{1b}é"});
        let text = value.to_string();
        let escaped = json(&text);
        assert!(!escaped.chars().any(is_hostile), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }
}
