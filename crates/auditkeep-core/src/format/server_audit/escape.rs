//! The escapes of the text in a server_audit record. They are undone on bytes, before any character set is thought of: in
//! SJIS and GBK a backslash may be half a character, and the plugin has doubled it all the same.

use std::borrow::Cow;

/// The place of the quote that opens the text which `text_and_before` ends with: the last one that is not escaped.
pub(super) fn opening_quote(text_and_before: &[u8]) -> Option<usize> {
    let mut end = text_and_before.len();
    loop {
        let quote = memchr::memrchr(b'\'', &text_and_before[..end])?;
        let backslashes = text_and_before[..quote].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 {
            return Some(quote);
        }
        end = quote;
    }
}

/// The text as it was sent, and whether it was cut within an escape. Letters that the plugins do not escape stay as they are.
pub(super) fn undo(escaped: &[u8]) -> (Cow<'_, [u8]>, bool) {
    let Some(first) = memchr::memchr(b'\\', escaped) else {
        return (Cow::Borrowed(escaped), false);
    };
    let mut text = Vec::with_capacity(escaped.len());
    text.extend_from_slice(&escaped[..first]);
    let mut rest = &escaped[first..];
    loop {
        match rest {
            [] => return (text.into(), false),
            [b'\\'] => return (text.into(), true),
            [b'\\', letter, ..] => {
                match plain(*letter) {
                    Some(byte) => text.push(byte),
                    None => text.extend_from_slice(&rest[..2]),
                }
                rest = &rest[2..];
            }
            _ => {
                let next = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
                text.extend_from_slice(&rest[..next]);
                rest = &rest[next..];
            }
        }
    }
}

fn plain(letter: u8) -> Option<u8> {
    match letter {
        b'\'' | b'\\' => Some(letter),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'b' => Some(0x08),
        b'f' => Some(0x0c),
        _ => None,
    }
}
