//! What AWS KMS answers, checked before anything is done with it.
//!
//! A key is taken for what its public half is, and not for what its spec says. The path of Ed25519 keys is tested with
//! answers built here, because no emulator of KMS has such keys; that the real service answers so is what its API
//! reference says, and was not seen.

use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::key::{KeyKind, VerifyingKey};
use aws_sdk_kms::operation::get_public_key::GetPublicKeyOutput;
use aws_sdk_kms::operation::sign::SignOutput;
use aws_sdk_kms::types::{KeyUsageType, SigningAlgorithmSpec};

use super::KmsError;

/// The public half of a key that can sign for us, and the algorithm to ask it for.
pub(super) fn public_key(
    key: &str,
    answer: &GetPublicKeyOutput,
) -> Result<(VerifyingKey, SigningAlgorithmSpec), KmsError> {
    if answer.key_usage() != Some(&KeyUsageType::SignVerify) {
        let usage = answer.key_usage().map_or("nothing that it states", KeyUsageType::as_str).to_owned();
        return Err(KmsError::Usage { key: key.to_owned(), usage });
    }
    let wrong = |what| KmsError::Answer { key: key.to_owned(), what };
    let spki = answer.public_key().ok_or_else(|| wrong("without its public key"))?.as_ref();
    let name = format!("awskms-{}", hex::encode(&Sha256::of(spki).0[..4]));
    let Ok(public) = VerifyingKey::from_spki(&name, spki) else {
        return Err(KmsError::Spec { key: key.to_owned(), kind: stated_kind(answer) });
    };
    let algorithm = match public.kind() {
        KeyKind::Ed25519 => SigningAlgorithmSpec::Ed25519Sha512,
        KeyKind::EcdsaP256 => SigningAlgorithmSpec::EcdsaSha256,
    };
    if answer.signing_algorithms().contains(&algorithm) {
        Ok((public, algorithm))
    } else {
        Err(wrong("that it does not sign with the algorithm of its kind"))
    }
}

fn stated_kind(answer: &GetPublicKeyOutput) -> String {
    let algorithms = || {
        let names: Vec<&str> = answer.signing_algorithms().iter().map(SigningAlgorithmSpec::as_str).collect();
        names.join(", ")
    };
    answer.key_spec().map_or_else(algorithms, |spec| spec.as_str().to_owned())
}

/// The signature, if it is one of that message by that key.
pub(super) fn signature(
    key: &str,
    public: &VerifyingKey,
    message: &[u8],
    answer: SignOutput,
) -> Result<Vec<u8>, KmsError> {
    let wrong = |what| KmsError::Answer { key: key.to_owned(), what };
    let signature = answer.signature.ok_or_else(|| wrong("without a signature"))?.into_inner();
    if public.verifies(message, &signature) { Ok(signature) } else { Err(wrong("with a wrong signature")) }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        KeyPair as _,
    };
    use aws_sdk_kms::operation::get_public_key::builders::GetPublicKeyOutputBuilder;
    use aws_sdk_kms::primitives::Blob;
    use aws_sdk_kms::types::KeySpec;

    use super::*;

    fn ed25519() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn ed25519_answer() -> GetPublicKeyOutputBuilder {
        GetPublicKeyOutput::builder()
            .key_id("arn:aws:kms:eu-central-1:123456789012:key/1")
            .public_key(Blob::new(ed25519().public_key().as_der().unwrap().as_ref()))
            .key_spec(KeySpec::EccNistEdwards25519)
            .key_usage(KeyUsageType::SignVerify)
            .signing_algorithms(SigningAlgorithmSpec::Ed25519PhSha512)
            .signing_algorithms(SigningAlgorithmSpec::Ed25519Sha512)
    }

    fn p384() -> Vec<u8> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
        pair.public_key().as_der().unwrap().as_ref().to_vec()
    }

    fn signed(signature: &[u8]) -> SignOutput {
        SignOutput::builder().signature(Blob::new(signature)).build()
    }

    #[test]
    fn an_ed25519_key_signs_with_pure_ed25519() {
        let (public, algorithm) = public_key("k", &ed25519_answer().build()).unwrap();
        assert_eq!(algorithm, SigningAlgorithmSpec::Ed25519Sha512);
        let spki = ed25519().public_key().as_der().unwrap().as_ref().to_vec();
        assert_eq!(public.name(), format!("awskms-{}", hex::encode(&Sha256::of(&spki).0[..4])));
        let right = ed25519().sign(b"message");
        assert_eq!(signature("k", &public, b"message", signed(right.as_ref())).unwrap(), right.as_ref());
    }

    #[test]
    fn a_p256_key_signs_with_ecdsa() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let answer = GetPublicKeyOutput::builder()
            .public_key(Blob::new(pair.public_key().as_der().unwrap().as_ref()))
            .key_spec(KeySpec::EccNistP256)
            .key_usage(KeyUsageType::SignVerify)
            .signing_algorithms(SigningAlgorithmSpec::EcdsaSha256)
            .build();
        let (public, algorithm) = public_key("k", &answer).unwrap();
        assert_eq!(algorithm, SigningAlgorithmSpec::EcdsaSha256);
        let right = pair.sign(&SystemRandom::new(), b"message").unwrap();
        assert!(signature("k", &public, b"message", signed(right.as_ref())).is_ok());
    }

    #[test]
    fn a_signature_that_is_not_right_goes_no_further() {
        let (public, _) = public_key("k", &ed25519_answer().build()).unwrap();
        let of_another_message = ed25519().sign(b"another");
        for answer in [
            signed(of_another_message.as_ref()),
            signed(&[0; 64]),
            signed(&[]),
            SignOutput::builder().build(),
        ] {
            let refused = signature("k", &public, b"message", answer);
            assert!(matches!(refused, Err(KmsError::Answer { .. })), "{refused:?}");
        }
    }

    #[test]
    fn other_keys_are_refused_by_what_they_are() {
        let p384 = ed25519_answer().public_key(Blob::new(p384()));
        let named = public_key("k", &p384.clone().key_spec(KeySpec::EccNistP384).build()).unwrap_err();
        assert!(named.to_string().contains("of the kind ECC_NIST_P384; accepted are"), "{named}");
        // Whatever the spec says.
        let misnamed = public_key("k", &p384.build());
        assert!(matches!(misnamed, Err(KmsError::Spec { .. })), "{misnamed:?}");
    }

    #[test]
    fn answers_that_do_not_suffice() {
        let of = |answer: GetPublicKeyOutputBuilder| public_key("k", &answer.build()).unwrap_err();
        let agreement = of(ed25519_answer().key_usage(KeyUsageType::KeyAgreement));
        assert!(
            matches!(&agreement, KmsError::Usage { usage, .. } if usage == "KEY_AGREEMENT"),
            "{agreement}"
        );
        assert!(matches!(of(ed25519_answer().set_key_usage(None)), KmsError::Usage { .. }));
        assert!(matches!(of(ed25519_answer().set_public_key(None)), KmsError::Answer { .. }));
        let prehashed = Some(vec![SigningAlgorithmSpec::Ed25519PhSha512]);
        assert!(matches!(of(ed25519_answer().set_signing_algorithms(prehashed)), KmsError::Answer { .. }));
    }
}
