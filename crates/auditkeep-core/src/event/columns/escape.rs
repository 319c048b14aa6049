//! Text that is not UTF-8, shown as UTF-8 in a way that can be undone.
//!
//! [`unescape`] gives back exactly the bytes that [`escape`] was given. It does not tell whether a value was escaped at
//! all; the row's `flags` do.

use std::fmt::Write;

/// The text is not one that [`escape`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("undo the escape of bytes that are not UTF-8: no known escape at byte {position}")]
pub struct NotEscaped {
    /// Where the backslash stands.
    pub position: usize,
}

/// Doubles each backslash, and writes each byte that is not part of valid UTF-8 as `\xHH`.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for chunk in bytes.utf8_chunks() {
        for (index, literal) in chunk.valid().split('\\').enumerate() {
            if index > 0 {
                text.push_str("\\\\");
            }
            text.push_str(literal);
        }
        for byte in chunk.invalid() {
            // Writing to a String does not fail.
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text
}

/// The bytes that [`escape`] was given.
pub fn unescape(text: &str) -> Result<Vec<u8>, NotEscaped> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(position) = memchr::memchr(b'\\', &bytes[at..]).map(|found| at + found) {
        out.extend_from_slice(&bytes[at..position]);
        at = match bytes[position + 1..] {
            [b'\\', ..] => {
                out.push(b'\\');
                position + 2
            }
            [b'x', high, low, ..] => {
                let value = digit(high).zip(digit(low)).ok_or(NotEscaped { position })?;
                out.push(value.0 << 4 | value.1);
                position + 4
            }
            _ => return Err(NotEscaped { position }),
        };
    }
    out.extend_from_slice(&bytes[at..]);
    Ok(out)
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'A'..=b'F' => Some(letter - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_become_hexadecimal() {
        assert_eq!(escape(b"caf\xe9 \\ \xc3\xa9"), "caf\\xE9 \\\\ é");
        assert_eq!(escape(b"cut \xe2\x82"), "cut \\xE2\\x82");
    }

    #[test]
    fn what_escape_does_not_write_is_refused() {
        for text in ["\\", "a\\x", "\\x1", "\\xg0", "\\xe9", "\\n"] {
            assert!(unescape(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn unescape_undoes_escape(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(unescape(&escape(&bytes)).unwrap(), bytes);
        }

        #[test]
        fn text_with_backslashes_survives(bytes in "[\\\\xE9a]{0,40}") {
            prop_assert_eq!(unescape(&escape(bytes.as_bytes())).unwrap(), bytes.into_bytes());
        }
    }
}
