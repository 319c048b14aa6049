//! C2SP signed notes: a text, an empty line, and signatures over the text.
//!
//! A note with signatures by unknown keys is fine as long as one by a known key is right (that is how keys are rotated and
//! witnesses added); a wrong signature by a known key is never fine.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::{VerifyingKey, is_name};

const SIGNATURE_PREFIX: &str = "\u{2014} ";
/// Signatures on one note; more is not a note of ours.
const MAX_SIGNATURES: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("it is not a signed note")]
    Malformed,
    #[error("it is not signed by a known key; signed by {}", .signers.join(", "))]
    UnknownKey { signers: Vec<String> },
    #[error("the signature of `{signer}` is wrong")]
    WrongSignature { signer: String },
}

/// `text`, which ends in a newline and holds no empty line at its end, with its signature by `key`. Whether the signature
/// is right is not looked at.
pub fn assemble(text: &str, key: &VerifyingKey, signature: &[u8]) -> String {
    let encoded = STANDARD.encode([key.id().as_slice(), signature].concat());
    format!("{text}\n{SIGNATURE_PREFIX}{} {encoded}\n", key.name())
}

/// The text of a note that at least one of `keys` signed, with the key that did.
pub fn open<'n, 'k>(
    note: &'n str,
    keys: &'k [VerifyingKey],
) -> Result<(&'n str, &'k VerifyingKey), NoteError> {
    let (text, signatures) = split(note)?;
    let mut signed_by = None;
    let mut signers = Vec::new();
    for line in signatures.lines() {
        let (name, id, signature) = parse_signature(line)?;
        match keys.iter().find(|key| key.name() == name && key.id() == id) {
            None => signers.push(format!("{name}+{}", hex::encode(id))),
            Some(key) if key.verifies(text.as_bytes(), &signature) => signed_by = signed_by.or(Some(key)),
            Some(key) => return Err(NoteError::WrongSignature { signer: key.name().to_owned() }),
        }
        if signers.len() > MAX_SIGNATURES {
            return Err(NoteError::Malformed);
        }
    }
    signed_by.map(|key| (text, key)).ok_or(NoteError::UnknownKey { signers })
}

/// The signed text (with its last newline) and the signature lines.
fn split(note: &str) -> Result<(&str, &str), NoteError> {
    let bad_character = |c: char| c.is_ascii_control() && c != '\n';
    let end = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
    let (text, signatures) = (&note[..=end], &note[end + 2..]);
    if signatures.is_empty() || !signatures.ends_with('\n') || note.contains(bad_character) {
        return Err(NoteError::Malformed);
    }
    Ok((text, signatures))
}

fn parse_signature(line: &str) -> Result<(&str, [u8; 4], Vec<u8>), NoteError> {
    let rest = line.strip_prefix(SIGNATURE_PREFIX).ok_or(NoteError::Malformed)?;
    let (name, encoded) = rest.split_once(' ').ok_or(NoteError::Malformed)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Malformed)?;
    let (id, signature) = bytes.split_first_chunk::<4>().ok_or(NoteError::Malformed)?;
    if !is_name(name) || signature.is_empty() {
        return Err(NoteError::Malformed);
    }
    Ok((name, *id, signature.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::super::key::SigningKey;
    use super::*;

    /// The example of the Go package golang.org/x/mod/sumdb/note.
    const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const PRIVATE: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\
        \n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn signed(text: &str, key: &SigningKey) -> String {
        assemble(text, key.public(), &key.sign(text.as_bytes()))
    }

    fn public() -> Vec<VerifyingKey> {
        vec![PUBLIC.parse().unwrap()]
    }

    #[test]
    fn published_note() {
        assert_eq!(signed(TEXT, &SigningKey::from_file_text(PRIVATE).unwrap()), NOTE);
        let keys = public();
        let (text, key) = open(NOTE, &keys).unwrap();
        assert_eq!((text, key.name()), (TEXT, "PeterNeumann"));
    }

    #[test]
    fn changed_notes() {
        let keys = public();
        let wrong = NoteError::WrongSignature { signer: "PeterNeumann".to_owned() };
        assert_eq!(open(&NOTE.replace("your", "my"), &keys).unwrap_err(), wrong);
        assert_eq!(open(&NOTE.replace("go/ZJ", "go/ZK"), &keys).unwrap_err(), wrong);
        assert!(matches!(open(&NOTE.replace("x08go", "x08gp"), &keys), Err(NoteError::UnknownKey { .. })));
        assert!(matches!(open(&NOTE.replace(" PeterN", " PaulN"), &keys), Err(NoteError::UnknownKey { .. })));
        assert!(matches!(open(NOTE, &[]), Err(NoteError::UnknownKey { .. })));
        assert_eq!(open(NOTE.trim_end(), &keys).unwrap_err(), NoteError::Malformed);
        assert_eq!(open(TEXT, &keys).unwrap_err(), NoteError::Malformed);
        assert_eq!(open("", &keys).unwrap_err(), NoteError::Malformed);
        for name in ["", "a+b", "a\u{a0}b"] {
            let line = format!("{NOTE}\u{2014} {name} x08go/ZJ\n");
            assert_eq!(open(&line, &keys).unwrap_err(), NoteError::Malformed, "{name:?}");
        }
    }

    #[test]
    fn second_signature_by_an_unknown_key() {
        let other = SigningKey::from_seed("witness", &[3; 32]).unwrap();
        let extra = signed(TEXT, &other);
        let both = format!("{NOTE}{}", &extra[extra.rfind("\n\n").unwrap() + 2..]);
        assert!(open(&both, &public()).is_ok());
        assert!(open(&both, &[other.public().clone()]).is_ok());
    }
}
