//! The signing key that a key file holds: Ed25519.
//!
//! Its text is `PRIVATE+KEY+<name>+<key id>+<base64(0x01 ‖ 32-byte seed)>`, as the Go module ecosystem writes it. Does not
//! read or write the file.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::public::{ED25519_TYPE, PublicKey};
use super::{BadKey, PRIVATE_PREFIX, VerifyingKey, fields};

/// A key that signs. Neither `Debug` nor any error shows it.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// `seed` is 32 bytes from a cryptographic random generator.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, BadKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BadKey::Algorithm)?;
        let mut key = [0; 32];
        key.copy_from_slice(pair.public_key().as_ref());
        Ok(Self { public: VerifyingKey::new(name, PublicKey::Ed25519(key))?, pair })
    }

    /// The text of a key file for `seed`.
    pub fn file_text(name: &str, seed: &[u8; 32]) -> Result<String, BadKey> {
        let id = Self::from_seed(name, seed)?.public.id();
        let typed = [[ED25519_TYPE].as_slice(), seed].concat();
        Ok(format!("{PRIVATE_PREFIX}{name}+{}+{}\n", hex::encode(id), STANDARD.encode(typed)))
    }

    /// Reads the text of a key file; white space around it does not matter.
    pub fn from_file_text(text: &str) -> Result<Self, BadKey> {
        const FORM: &str = "PRIVATE+KEY+<name>+<key id>+<base64>";
        let rest = text.trim().strip_prefix(PRIVATE_PREFIX).ok_or(BadKey::Form(FORM))?;
        let (name, id, typed) = fields(rest, FORM)?;
        let seed = match typed.split_first() {
            Some((&ED25519_TYPE, seed)) => seed.try_into().map_err(|_| BadKey::Form(FORM))?,
            _ => return Err(BadKey::Algorithm),
        };
        let key = Self::from_seed(name, seed)?;
        if hex::encode(key.public.id()) == id { Ok(key) } else { Err(BadKey::IdMismatch) }
    }

    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// 64 bytes; the same message always gives the same.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SigningKey(of {})", self.public)
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
        assert!(matches!(SigningKey::from_file_text(PUBLIC), Err(BadKey::Form(_))));
        let changed =
            |from: &str, to: &str| SigningKey::from_file_text(&PRIVATE.replace(from, to)).unwrap_err();
        assert_eq!(changed("c74f20a3", "c74f20a4"), BadKey::IdMismatch);
        assert_eq!(changed("AYEKFA", "AYEKFB"), BadKey::IdMismatch);
        assert_eq!(changed("AYEKFA", "AoEKFA"), BadKey::Algorithm);
        assert!(matches!(changed("AYEKFALV", "AYEKFA"), BadKey::Form(_)));
        assert_eq!(SigningKey::file_text("a b", &[7; 32]).unwrap_err(), BadKey::Name);
    }
}
