//! Keys in the text forms of signed notes: who may sign, and what a key file holds.
//!
//! A public key is `<name>+<key id>+<base64(type ‖ key)>`, the "vkey" of C2SP `signed-note`. There are two types: 0x01 is
//! Ed25519 with the 32 bytes of RFC 8032, 0x02 is ECDSA on NIST P-256 with SHA-256 and the key's SubjectPublicKeyInfo in
//! DER. The key id is in hexadecimal the first four bytes of `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key)` for Ed25519, and of
//! `SHA-256(key)` for ECDSA, where the name is not hashed.
//!
//! What can be written in several ways is accepted in one only, so that equal keys are equal texts. Other types and
//! curves are refused.

mod file;
mod public;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

pub use file::SigningKey;
use public::PublicKey;

/// What the text of a signing key begins with.
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
    #[error("it is neither an Ed25519 key nor an ECDSA key on the curve P-256")]
    Algorithm,
    #[error("it is not a point of the curve P-256")]
    Point,
}

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Ed25519,
    /// ECDSA on NIST P-256 with SHA-256.
    EcdsaP256,
}

/// A key that checks signatures.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct VerifyingKey {
    name: String,
    id: [u8; 4],
    key: PublicKey,
}

/// Whether a text can name a key in a signed note.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control())
}

impl VerifyingKey {
    fn new(name: &str, key: PublicKey) -> Result<Self, BadKey> {
        if !is_name(name) {
            return Err(BadKey::Name);
        }
        Ok(Self { name: name.to_owned(), id: key.id(name), key })
    }

    /// A key as X.509 spells it: the DER of a SubjectPublicKeyInfo, with an Ed25519 key or an uncompressed point of P-256.
    pub fn from_spki(name: &str, der: &[u8]) -> Result<Self, BadKey> {
        Self::new(name, PublicKey::from_spki(der)?)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// `<name>+<key id>`: what a signature says of its signer.
    pub fn signer(&self) -> String {
        format!("{}+{}", self.name, hex::encode(self.id))
    }

    pub fn kind(&self) -> KeyKind {
        match self.key {
            PublicKey::Ed25519(_) => KeyKind::Ed25519,
            PublicKey::EcdsaP256(_) => KeyKind::EcdsaP256,
        }
    }

    /// `signature` is 64 bytes by Ed25519, and for ECDSA the DER of an `ECDSA-Sig-Value`.
    ///
    /// An ECDSA signature is not the only one: each signing gives another, and of two that differ in the sign of `s` both
    /// are right.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verifies(message, signature)
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode(self.key.typed());
        write!(out, "{}+{}+{key}", self.name, hex::encode(self.id))
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
        let (name, id, typed) = fields(text, "<name>+<key id>+<base64>")?;
        let key = Self::new(name, PublicKey::from_typed(&typed)?)?;
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

/// Name, key id and decoded key of a text, whatever they are.
fn fields<'a>(text: &'a str, form: &'static str) -> Result<(&'a str, &'a str, Vec<u8>), BadKey> {
    // Base64 may hold plus signs; the name and the id may not.
    let mut fields = text.trim().splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(BadKey::Form(form));
    };
    Ok((name, id, STANDARD.decode(key).map_err(|_| BadKey::Form(form))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Go package golang.org/x/mod/sumdb/note.
    const ED25519: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    /// The key of RFC 6979 A.2.5.
    const ECDSA: &str = "rfc6979+5a7a78cc+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGD+1LolWp0xyWHrdMY1bWjASbiSO2H6bOZpYi5g8p+2eQP+EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk=";

    fn read(text: &str) -> Result<VerifyingKey, BadKey> {
        text.parse()
    }

    #[test]
    fn texts_are_read_back() {
        for (text, name, id) in [
            (ED25519, "PeterNeumann", [0xc7, 0x4f, 0x20, 0xa3]),
            (ECDSA, "rfc6979", [0x5a, 0x7a, 0x78, 0xcc]),
        ] {
            let key = read(text).unwrap();
            assert_eq!((key.to_string().as_str(), key.name(), key.id()), (text, name, id));
            assert_eq!(read(&format!("{text}\n")).unwrap(), key);
        }
    }

    #[test]
    fn the_name_is_part_of_an_ed25519_id_and_not_of_an_ecdsa_id() {
        assert_eq!(read(&ED25519.replace("Peter", "Paul")).unwrap_err(), BadKey::IdMismatch);
        let renamed = read(&ECDSA.replace("rfc6979", "another")).unwrap();
        assert_eq!(renamed.id(), read(ECDSA).unwrap().id());
        assert_ne!(renamed, read(ECDSA).unwrap());
    }

    #[test]
    fn wrong_texts() {
        assert_eq!(read(&ED25519.replace("c74f20a3", "c74f20a4")).unwrap_err(), BadKey::IdMismatch);
        assert_eq!(read(&ED25519.replace("c74f20a3", "C74F20A3")).unwrap_err(), BadKey::IdMismatch);
        assert_eq!(read(&ED25519.replace("pc2Q", "pc2R")).unwrap_err(), BadKey::IdMismatch);
        assert_eq!(read(&ECDSA.replace("5a7a78cc", "5a7a78cd")).unwrap_err(), BadKey::IdMismatch);
        assert_eq!(read(&ECDSA.replace("RGIpk=", "RGIpo=")).unwrap_err(), BadKey::Point);
        // The last digit of base64 holds bits that are no part of the key.
        assert!(matches!(read(&ECDSA.replace("RGIpk=", "RGIpl=")), Err(BadKey::Form(_))));
        assert!(matches!(read(&ECDSA.replace("RGIpk=", "RGIpk")), Err(BadKey::Form(_))));
        assert!(matches!(read("nonsense"), Err(BadKey::Form(_))));
        assert!(matches!(read("a+b"), Err(BadKey::Form(_))));
        assert_eq!(read("a+00000000+").unwrap_err(), BadKey::Algorithm);
    }

    #[test]
    fn names_that_a_note_cannot_hold() {
        for name in ["", "a b", "a\u{a0}b", "a\n", "a+b"] {
            let key = PublicKey::from_typed(&[[1].as_slice(), &[7; 32]].concat()).unwrap();
            assert_eq!(VerifyingKey::new(name, key).unwrap_err(), BadKey::Name, "{name:?}");
        }
    }
}
