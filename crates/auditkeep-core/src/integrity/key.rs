//! Ed25519 keys in the text forms of signed notes: what a key file holds.
//!
//! A public key is `<name>+<key id>+<base64(0x01 ‖ 32 bytes)>`, the "vkey" of C2SP `signed-note`; a signing key is
//! `PRIVATE+KEY+<name>+<key id>+<base64(0x01 ‖ 32-byte seed)>`, as the Go module ecosystem writes it. The key id is the
//! first four bytes of `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)`, in hexadecimal.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::hash::Sha256;

const ED25519_ALGORITHM: u8 = 1;
const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";

/// The text is not a key, or its parts contradict each other. Never says what the text was: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    #[error("it is not of the form `{0}`")]
    Form(&'static str),
    #[error("it is a private key where a public key is expected")]
    PrivateGiven,
    #[error("its key id does not belong to its key")]
    IdMismatch,
    #[error("its name is empty or holds a space or a plus sign")]
    Name,
    #[error("its algorithm is not Ed25519")]
    Algorithm,
}

/// A key that checks signatures.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct VerifyingKey {
    name: String,
    id: [u8; 4],
    point: [u8; 32],
}

impl VerifyingKey {
    fn new(name: &str, point: [u8; 32]) -> Result<Self, BadKey> {
        if name.is_empty() || name.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control()) {
            return Err(BadKey::Name);
        }
        let hash = Sha256::of_parts(&[name.as_bytes(), b"\n", &[ED25519_ALGORITHM], &point]);
        let mut id = [0; 4];
        id.copy_from_slice(&hash.0[..4]);
        Ok(Self { name: name.to_owned(), id, point })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.point).verify(message, signature).is_ok()
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}+{}+{}", self.name, hex::encode(self.id), encode(&self.point))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VerifyingKey({self})")
    }
}

impl FromStr for VerifyingKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        if text.starts_with(PRIVATE_PREFIX) {
            return Err(BadKey::PrivateGiven);
        }
        let (name, id, point) = parts(text, "<name>+<key id>+<base64>")?;
        let key = Self::new(name, point)?;
        if hex::encode(key.id) == id { Ok(key) } else { Err(BadKey::IdMismatch) }
    }
}

impl From<VerifyingKey> for String {
    fn from(key: VerifyingKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for VerifyingKey {
    type Error = BadKey;

    fn try_from(text: String) -> Result<Self, BadKey> {
        text.parse()
    }
}

/// A key that signs. Neither `Debug` nor any error shows it.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// `seed` is 32 bytes from a cryptographic random generator.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, BadKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BadKey::Algorithm)?;
        let mut point = [0; 32];
        point.copy_from_slice(pair.public_key().as_ref());
        Ok(Self { public: VerifyingKey::new(name, point)?, pair })
    }

    /// The text of a key file for `seed`.
    pub fn file_text(name: &str, seed: &[u8; 32]) -> Result<String, BadKey> {
        let id = Self::from_seed(name, seed)?.public.id;
        Ok(format!("{PRIVATE_PREFIX}{name}+{}+{}\n", hex::encode(id), encode(seed)))
    }

    /// Reads the text of a key file; white space around it does not matter.
    pub fn from_file_text(text: &str) -> Result<Self, BadKey> {
        const FORM: &str = "PRIVATE+KEY+<name>+<key id>+<base64>";
        let rest = text.trim().strip_prefix(PRIVATE_PREFIX).ok_or(BadKey::Form(FORM))?;
        let (name, id, seed) = parts(rest, FORM)?;
        let key = Self::from_seed(name, &seed)?;
        if hex::encode(key.public.id) == id { Ok(key) } else { Err(BadKey::IdMismatch) }
    }

    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SigningKey(of {})", self.public)
    }
}

fn encode(key: &[u8; 32]) -> String {
    let mut bytes = vec![ED25519_ALGORITHM];
    bytes.extend_from_slice(key);
    STANDARD.encode(bytes)
}

fn parts<'a>(text: &'a str, form: &'static str) -> Result<(&'a str, &'a str, [u8; 32]), BadKey> {
    // Base64 may hold plus signs; the name and the id may not.
    let mut fields = text.trim().splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(BadKey::Form(form));
    };
    let bytes = STANDARD.decode(key).map_err(|_| BadKey::Form(form))?;
    match bytes.split_first() {
        Some((&ED25519_ALGORITHM, key)) => Ok((name, id, key.try_into().map_err(|_| BadKey::Form(form))?)),
        _ => Err(BadKey::Algorithm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Go package golang.org/x/mod/sumdb/note.
    const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const PRIVATE: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

    #[test]
    fn published_pair() {
        let key = SigningKey::from_file_text(&format!("{PRIVATE}\n")).unwrap();
        assert_eq!(key.public().to_string(), PUBLIC);
        let public: VerifyingKey = PUBLIC.parse().unwrap();
        let signature = key.sign(b"message");
        assert!(public.verifies(b"message", &signature));
        assert!(!public.verifies(b"Message", &signature));
        assert!(!format!("{key:?}").contains("AYEKFALV"));
    }

    #[test]
    fn file_text_is_read_back() {
        let text = SigningKey::file_text("lab", &[7; 32]).unwrap();
        assert_eq!(SigningKey::from_file_text(&text).unwrap().public().name(), "lab");
    }

    #[test]
    fn wrong_texts() {
        assert_eq!(PRIVATE.parse::<VerifyingKey>().unwrap_err(), BadKey::PrivateGiven);
        assert_eq!(
            PUBLIC.replace("c74f20a3", "c74f20a4").parse::<VerifyingKey>().unwrap_err(),
            BadKey::IdMismatch
        );
        assert_eq!(PUBLIC.replace("pc2Q", "pc2R").parse::<VerifyingKey>().unwrap_err(), BadKey::IdMismatch);
        assert!(matches!("nonsense".parse::<VerifyingKey>(), Err(BadKey::Form(_))));
        assert!(matches!(SigningKey::from_file_text(PUBLIC), Err(BadKey::Form(_))));
        assert_eq!(SigningKey::file_text("a b", &[7; 32]).unwrap_err(), BadKey::Name);
    }
}
