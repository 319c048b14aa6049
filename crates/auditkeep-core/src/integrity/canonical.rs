//! Canonical JSON (RFC 8785): one value, one spelling, so that a hash of the text is a hash of the value.
//!
//! Archive objects hold no floating-point numbers; integers stay below 2^53, where every JSON reader is exact.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The object's bytes are not the canonical spelling of a value of the expected shape.
#[derive(Debug, thiserror::Error)]
pub enum NotCanonical {
    #[error("it does not have the expected shape")]
    Shape(#[source] serde_json::Error),
    /// Other white space or order, a key twice, another escape: somebody else wrote this.
    #[error("it is valid JSON, but not in the canonical spelling")]
    Spelling,
}

/// The canonical spelling of a value.
pub fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json_canonicalizer::to_vec(value)
}

/// Reads a value and makes sure that `bytes` is exactly how it is spelled.
///
/// This also refuses keys that occur twice and keys that this version does not know: whatever is in the bytes and is not
/// in the value would be lost in the comparison.
pub fn from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, NotCanonical> {
    let value: T = serde_json::from_slice(bytes).map_err(NotCanonical::Shape)?;
    if to_vec(&value).map_err(NotCanonical::Shape)? == bytes {
        Ok(value)
    } else {
        Err(NotCanonical::Spelling)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn one_spelling() {
        let bytes = to_vec(&json!({"b": [1, true, null], "a": "é\n\u{1}\u{7f}"})).unwrap();
        assert_eq!(bytes, "{\"a\":\"é\\n\\u0001\u{7f}\",\"b\":[1,true,null]}".as_bytes());
        assert!(from_slice::<Value>(&bytes).is_ok());
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in
            ["{\"a\": 1}", "{\"b\":1,\"a\":2}", "{\"a\":1,\"a\":1}", "{\"a\":\"\\u0041\"}", "{\"a\":1}\n"]
        {
            assert!(matches!(from_slice::<Value>(text.as_bytes()), Err(NotCanonical::Spelling)), "{text}");
        }
        assert!(matches!(from_slice::<Value>(b"{"), Err(NotCanonical::Shape(_))));
    }
}
