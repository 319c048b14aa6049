//! The algorithms of public keys: how each is spelled, identified and asked whether a signature is right.
//!
//! A SubjectPublicKeyInfo is compared with the only spelling that DER has for these keys, and not parsed: what differs
//! from it, be it another curve, a compressed point, explicit parameters or a byte too many, is refused.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, UnparsedPublicKey};

use super::BadKey;
use crate::integrity::hash::Sha256;

/// Signature types of C2SP `signed-note`.
pub(super) const ED25519_TYPE: u8 = 1;
const ECDSA_TYPE: u8 = 2;

/// SEQUENCE of 42 bytes: id-Ed25519, and a BIT STRING of 32 bytes, which follow (RFC 8410).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// SEQUENCE of 89 bytes: id-ecPublicKey on prime256v1, and a BIT STRING of 65 bytes, which follow (RFC 5480).
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// SEC 1: both coordinates follow.
const UNCOMPRESSED: u8 = 4;

#[derive(Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
    Ed25519([u8; 32]),
    /// An uncompressed point that is on the curve.
    EcdsaP256([u8; 65]),
}

impl PublicKey {
    /// `typed` is the signature type and the key as that type spells it.
    pub(super) fn from_typed(typed: &[u8]) -> Result<Self, BadKey> {
        let (kind, encoded) = typed.split_first().ok_or(BadKey::Algorithm)?;
        match *kind {
            ED25519_TYPE => encoded.try_into().map(Self::Ed25519).map_err(|_| BadKey::Algorithm),
            ECDSA_TYPE => match Self::from_spki(encoded)? {
                key @ Self::EcdsaP256(_) => Ok(key),
                Self::Ed25519(_) => Err(BadKey::Algorithm),
            },
            _ => Err(BadKey::Algorithm),
        }
    }

    pub(super) fn typed(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => [[ED25519_TYPE].as_slice(), key].concat(),
            Self::EcdsaP256(point) => [[ECDSA_TYPE].as_slice(), &P256_SPKI, point].concat(),
        }
    }

    pub(super) fn from_spki(der: &[u8]) -> Result<Self, BadKey> {
        if let Some(key) = der.strip_prefix(&ED25519_SPKI) {
            return key.try_into().map(Self::Ed25519).map_err(|_| BadKey::Algorithm);
        }
        let point = der.strip_prefix(&P256_SPKI).ok_or(BadKey::Algorithm)?;
        let point: [u8; 65] = point.try_into().map_err(|_| BadKey::Algorithm)?;
        if point[0] != UNCOMPRESSED || ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).is_err() {
            return Err(BadKey::Point);
        }
        Ok(Self::EcdsaP256(point))
    }

    pub(super) fn id(&self, name: &str) -> [u8; 4] {
        let hash = match self {
            Self::Ed25519(key) => Sha256::of_parts(&[name.as_bytes(), b"\n", &[ED25519_TYPE], key]),
            Self::EcdsaP256(point) => Sha256::of_parts(&[&P256_SPKI, point]),
        };
        let mut id = [0; 4];
        id.copy_from_slice(&hash.0[..4]);
        id
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Self::EcdsaP256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
        };
        verified.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair as _,
    };

    use super::*;

    /// RFC 6979 A.2.5: the public key, and the signature of "sample" with SHA-256.
    const X: &str = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
    const Y: &str = "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    const R: &str = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
    const S: &str = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    /// The order of the curve minus `S`.
    const OTHER_S: &str = "0834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9";

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        hex::decode(hexadecimal).unwrap()
    }

    fn spki() -> Vec<u8> {
        [P256_SPKI.as_slice(), &[UNCOMPRESSED], &bytes(X), &bytes(Y)].concat()
    }

    fn key() -> PublicKey {
        PublicKey::from_spki(&spki()).unwrap()
    }

    /// An element of DER with a short length.
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        [[tag, u8::try_from(content.len()).unwrap()].as_slice(), content].concat()
    }

    /// DER of a number whose first bit is set: a zero byte keeps it positive.
    fn high(number: &str) -> Vec<u8> {
        element(2, &[[0].as_slice(), &bytes(number)].concat())
    }

    fn sequence(parts: &[&[u8]]) -> Vec<u8> {
        element(0x30, &parts.concat())
    }

    fn generated(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
        EcdsaKeyPair::generate(algorithm).unwrap()
    }

    #[test]
    fn published_signature() {
        let signature = sequence(&[&high(R), &high(S)]);
        assert!(key().verifies(b"sample", &signature));
        assert!(!key().verifies(b"Sample", &signature));
        // The same signature as some signers write it. It is as right as the other.
        assert!(key().verifies(b"sample", &sequence(&[&high(R), &element(2, &bytes(OTHER_S))])));
    }

    #[test]
    fn signatures_in_other_encodings_are_wrong() {
        let right = sequence(&[&high(R), &high(S)]);
        let long_length = [&[0x30, 0x81, right[1]], &right[2..]].concat();
        let zeros_before = element(2, &[[0, 0].as_slice(), &bytes(R)].concat());
        let negative = element(2, &bytes(R));
        let zero = element(2, &[0]);
        for (what, signature) in [
            ("empty", Vec::new()),
            ("truncated", right[..right.len() - 1].to_vec()),
            ("with a byte after it", [right.as_slice(), &[0]].concat()),
            ("with a byte inside after the numbers", sequence(&[&high(R), &high(S), &[0]])),
            ("with a third number", sequence(&[&high(R), &high(S), &zero])),
            ("with a length in two bytes", long_length),
            ("with zeros before a number", sequence(&[&zeros_before, &high(S)])),
            ("with a negative number", sequence(&[&negative, &high(S)])),
            ("of zero", sequence(&[&zero, &zero])),
            ("swapped", sequence(&[&high(S), &high(R)])),
            ("without DER", [bytes(R), bytes(S)].concat()),
        ] {
            assert!(!key().verifies(b"sample", &signature), "{what}");
        }
        for at in 0..right.len() {
            let mut changed = right.clone();
            changed[at] ^= 1;
            assert!(!key().verifies(b"sample", &changed), "byte {at}");
        }
    }

    #[test]
    fn each_kind_is_spelled_back() {
        let ecdsa = generated(&ECDSA_P256_SHA256_ASN1_SIGNING);
        let ed25519 = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let ecdsa_spki = ecdsa.public_key().as_der().unwrap();
        let ed25519_spki = ed25519.public_key().as_der().unwrap();
        let signature = ecdsa.sign(&SystemRandom::new(), b"message").unwrap();
        for (spki, signature) in [
            (ecdsa_spki.as_ref(), signature.as_ref()),
            (ed25519_spki.as_ref(), ed25519.sign(b"message").as_ref()),
        ] {
            let key = PublicKey::from_spki(spki).unwrap();
            assert!(PublicKey::from_typed(&key.typed()).unwrap() == key);
            assert!(key.verifies(b"message", signature));
            assert!(!key.verifies(b"massage", signature));
        }
    }

    #[test]
    fn other_keys_and_spellings_are_refused() {
        let refused = |der: &[u8]| PublicKey::from_spki(der).err();
        let algorithm = Some(BadKey::Algorithm);
        let p384 = generated(&ECDSA_P384_SHA384_ASN1_SIGNING);
        assert_eq!(refused(p384.public_key().as_der().unwrap().as_ref()), algorithm);
        let mut secp256k1 =
            [&P256_SPKI[..13], &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a, 0x03, 0x42, 0x00]].concat();
        (secp256k1[1], secp256k1[3]) = (0x56, 0x10);
        secp256k1.extend([&[UNCOMPRESSED], bytes(X).as_slice(), &bytes(Y)].concat());
        assert_eq!(refused(&secp256k1[..]), algorithm);
        // Compressed: half the point, and lengths that say so.
        let mut compressed = [P256_SPKI.as_slice(), &[3], &bytes(X)].concat();
        (compressed[1], compressed[24]) = (0x39, 0x22);
        assert_eq!(refused(&compressed), algorithm);
        assert_eq!(refused(&spki()[..90]), algorithm);
        assert_eq!(refused(&[spki().as_slice(), &[0]].concat()), algorithm);
        assert_eq!(refused(&[ED25519_SPKI.as_slice(), &[7; 31]].concat()), algorithm);
        assert_eq!(refused(&[ED25519_SPKI.as_slice(), &[7; 33]].concat()), algorithm);
        assert_eq!(refused(&[]), algorithm);
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_refused() {
        let with_point = |point: &[u8]| PublicKey::from_spki(&[P256_SPKI.as_slice(), point].concat()).err();
        let moved = [&[UNCOMPRESSED], bytes(X).as_slice(), &bytes(X)].concat();
        // X9.62's hybrid form names the same point.
        let hybrid = [&[7], bytes(X).as_slice(), &bytes(Y)].concat();
        let infinity = [[0].as_slice(), &[0; 64]].concat();
        for point in [
            moved,
            hybrid,
            infinity,
            vec![UNCOMPRESSED; 65],
            [&[UNCOMPRESSED], [0xff; 64].as_slice()].concat(),
        ] {
            assert_eq!(with_point(&point), Some(BadKey::Point), "{}", hex::encode(point));
        }
    }

    #[test]
    fn a_type_and_another_types_key_do_not_fit() {
        let refused = |typed: &[u8]| PublicKey::from_typed(typed).err();
        let ed25519_spki = [ED25519_SPKI.as_slice(), &[7; 32]].concat();
        for (kind, key) in [
            (ECDSA_TYPE, [7; 32].as_slice()),
            (ECDSA_TYPE, &ed25519_spki),
            (ED25519_TYPE, &ed25519_spki),
            (ED25519_TYPE, &spki()),
            (ED25519_TYPE, &[]),
            (4, &[7; 32]),
        ] {
            assert_eq!(refused(&[&[kind], key].concat()), Some(BadKey::Algorithm), "{kind} {}", key.len());
        }
    }
}
