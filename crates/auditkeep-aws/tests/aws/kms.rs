//! Signing with AWS KMS: against moto's, and where moto does not do as AWS does, against scripted answers.
//!
//! moto has no Ed25519 keys, signs with disabled ones, and never answers wrongly. Those answers are written here as AWS's
//! API reference describes them; they were not recorded from the service.

use auditkeep_archive::signer::Signer as _;
use auditkeep_aws::{KmsError, KmsErrorKind, KmsSigner};
use auditkeep_core::integrity::key::{KeyKind, SigningKey};
use auditkeep_lab::servers::MotoServer;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::scripted::{Answer, KEY_ID, SECRET, Scripted, answer, sdk_config, sdk_config_with, shown};

const TEXT: &[u8] = b"auditkeep/0/t\n1\nAAAA=\ncommit 1 00\n";

/// moto keeps the lab's keys in this region.
fn at_moto(moto: &MotoServer, key_id: &str, secret: &str) -> SdkConfig {
    sdk_config_with(Credentials::new(key_id, secret, None, None, "test"))
        .into_builder()
        .region(aws_config::Region::new(auditkeep_lab::servers::moto::REGION))
        .endpoint_url(moto.endpoint())
        .build()
}

async fn made(moto: &MotoServer, spec: &str, usage: &str) -> (String, String) {
    let made = moto.kms("CreateKey", &json!({ "KeySpec": spec, "KeyUsage": usage })).await.unwrap();
    let text = |field: &str| made["KeyMetadata"][field].as_str().unwrap().to_owned();
    (text("KeyId"), text("Arn"))
}

fn at(server: &Scripted) -> SdkConfig {
    sdk_config().into_builder().endpoint_url(server.url()).build()
}

fn says(body: &Value) -> Answer {
    answer("200 OK", "application/x-amz-json-1.1", body.to_string())
}

fn refuses(code: &str, message: &str) -> Answer {
    let body = json!({ "__type": code, "message": message });
    answer("400 Bad Request", "application/x-amz-json-1.1", body.to_string())
}

fn ed25519() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// What `GetPublicKey` answers for an Ed25519 key.
fn ed25519_key() -> Answer {
    says(&json!({
        "KeyId": ARN,
        "PublicKey": STANDARD.encode(ed25519().public_key().as_der().unwrap().as_ref()),
        "CustomerMasterKeySpec": "ECC_NIST_EDWARDS25519",
        "KeySpec": "ECC_NIST_EDWARDS25519",
        "KeyUsage": "SIGN_VERIFY",
        "SigningAlgorithms": ["ED25519_PH_SHA_512", "ED25519_SHA_512"],
    }))
}

const ARN: &str = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn signed(signature: &[u8]) -> Answer {
    says(
        &json!({ "KeyId": ARN, "Signature": STANDARD.encode(signature), "SigningAlgorithm": "ED25519_SHA_512" }),
    )
}

#[tokio::test]
async fn a_p256_key_signs_under_each_of_its_names() {
    let moto = MotoServer::start().unwrap();
    let (id, arn) = made(&moto, "ECC_NIST_P256", "SIGN_VERIFY").await;
    let alias = json!({ "AliasName": "alias/audit", "TargetKeyId": id });
    moto.kms("CreateAlias", &alias).await.unwrap();
    let sdk_config = at_moto(&moto, KEY_ID, SECRET);
    let mut publics = Vec::new();
    for name in [id.as_str(), &arn, "alias/audit", &arn.replace(&format!("key/{id}"), "alias/audit")] {
        let signer = KmsSigner::open(&sdk_config, name).await.unwrap();
        let public = signer.public();
        let (first, second) = (signer.sign(TEXT).await.unwrap(), signer.sign(TEXT).await.unwrap());
        assert!(public.verifies(TEXT, &first) && public.verifies(TEXT, &second));
        assert_ne!(first, second);
        assert!(!public.verifies(b"another", &first));
        publics.push(public.clone());
    }
    assert!(publics.iter().all(|public| *public == publics[0]));
    let public = &publics[0];
    assert_eq!(public.kind(), KeyKind::EcdsaP256);
    // Both are the first bytes of the hash of the same SubjectPublicKeyInfo.
    assert_eq!(public.name(), format!("awskms-{}", hex::encode(public.id())));
}

#[tokio::test]
async fn other_keys_are_refused_with_those_that_are_accepted() {
    let moto = MotoServer::start().unwrap();
    for (spec, usage, named) in [
        ("ECC_NIST_P384", "SIGN_VERIFY", "ECDSA_SHA_384"),
        ("ECC_SECG_P256K1", "SIGN_VERIFY", "ECDSA_SHA_256"),
        ("RSA_2048", "SIGN_VERIFY", "RSASSA_PSS_SHA_256"),
        ("RSA_2048", "ENCRYPT_DECRYPT", "ENCRYPT_DECRYPT"),
    ] {
        let (id, _) = made(&moto, spec, usage).await;
        let refused = KmsSigner::open(&at_moto(&moto, KEY_ID, SECRET), &id).await.unwrap_err();
        let text = refused.to_string();
        assert!(text.contains(&id) && text.contains(named), "{text}");
        match usage {
            "SIGN_VERIFY" => assert!(text.contains("ECC_NIST_P256 and ECC_NIST_EDWARDS25519"), "{text}"),
            _ => assert!(text.contains("SIGN_VERIFY"), "{text}"),
        }
    }
}

fn kind(error: &KmsError) -> Option<KmsErrorKind> {
    match error {
        KmsError::Call { kind, .. } => Some(*kind),
        _ => None,
    }
}

#[tokio::test]
async fn unknown_keys_and_credentials_are_told_apart() {
    let moto = MotoServer::start().unwrap();
    let (id, arn) = made(&moto, "ECC_NIST_P256", "SIGN_VERIFY").await;
    let sdk_config = at_moto(&moto, KEY_ID, SECRET);
    let unknown = id.replace(|digit: char| digit.is_ascii_digit(), "0");
    for name in [unknown.as_str(), &arn.replace(&id, &unknown), "alias/nobody"] {
        let refused = KmsSigner::open(&sdk_config, name).await.unwrap_err();
        assert_eq!(kind(&refused), Some(KmsErrorKind::NotFound), "{refused:?}");
        assert!(refused.to_string().contains(name), "{refused}");
    }
    // The one user that moto knows may do anything in S3, and nothing in KMS.
    let (key_id, secret) = moto.enforce_credentials().await.unwrap();
    for (key_id, secret) in [(key_id.as_str(), secret.as_str()), (&key_id, SECRET), (KEY_ID, SECRET)] {
        let refused = KmsSigner::open(&at_moto(&moto, key_id, secret), &id).await.unwrap_err();
        assert_eq!(kind(&refused), Some(KmsErrorKind::Denied), "{refused:?}");
        let text = shown(&refused);
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn an_ed25519_key_is_asked_for_pure_ed25519_over_the_message() {
    let right = ed25519().sign(TEXT);
    let server = Scripted::start(vec![ed25519_key(), signed(right.as_ref())]).await;
    let signer = KmsSigner::open(&at(&server), "alias/audit").await.unwrap();
    assert_eq!(signer.public().kind(), KeyKind::Ed25519);
    assert_eq!(signer.sign(TEXT).await.unwrap(), right.as_ref());
    // Another implementation of the same key agrees.
    assert_eq!(SigningKey::from_seed("k", &[7; 32]).unwrap().sign(TEXT), right.as_ref());

    let requests = server.requests();
    assert_eq!(body(&requests[0]), json!({ "KeyId": "alias/audit" }));
    let asked = json!({
        "KeyId": ARN,
        "Message": STANDARD.encode(TEXT),
        "MessageType": "RAW",
        "SigningAlgorithm": "ED25519_SHA_512",
    });
    assert_eq!(body(&requests[1]), asked);
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn a_wrong_signature_is_not_handed_on() {
    for wrong in [ed25519().sign(b"another").as_ref(), &[0; 64], &[]] {
        let server = Scripted::start(vec![ed25519_key(), signed(wrong)]).await;
        let signer = KmsSigner::open(&at(&server), ARN).await.unwrap();
        let refused = shown(&signer.sign(TEXT).await.unwrap_err());
        assert!(refused.contains("with a wrong signature"), "{refused}");
    }
}

#[tokio::test]
async fn refusals_to_sign_say_what_kind_they_are() {
    for (code, message, kind) in [
        ("DisabledException", format!("{ARN} is disabled."), KmsErrorKind::Disabled),
        ("KMSInvalidStateException", format!("{ARN} is pending deletion."), KmsErrorKind::Disabled),
        (
            "AccessDeniedException",
            format!(
                "User: arn:aws:iam::123456789012:user/eve is not authorized to perform: kms:Sign on {ARN}"
            ),
            KmsErrorKind::Denied,
        ),
        ("InvalidKeyUsageException", String::new(), KmsErrorKind::Unsuitable),
    ] {
        let server = Scripted::start(vec![ed25519_key(), refuses(code, &message)]).await;
        let signer = KmsSigner::open(&at(&server), ARN).await.unwrap();
        let error = signer.sign(TEXT).await.unwrap_err();
        assert_eq!(error.key, signer.public().name());
        let cause = error.cause.downcast_ref::<KmsError>().unwrap();
        assert_eq!(self::kind(cause), Some(kind), "{cause:?}");
        let text = shown(&error);
        assert!(text.contains(code) && text.contains(&message), "{text}");
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_is_not_sent() {
    let server = Scripted::start(vec![ed25519_key()]).await;
    let signer = KmsSigner::open(&at(&server), ARN).await.unwrap();
    let error = signer.sign(&[b'x'; 4097]).await.unwrap_err();
    let cause = error.cause.downcast_ref::<KmsError>().unwrap();
    assert!(matches!(cause, KmsError::TooLong { length: 4097 }), "{cause:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn plain_http_to_another_host_is_refused() {
    let sdk_config = sdk_config().into_builder().endpoint_url("http://kms.example:8080").build();
    let failure = KmsSigner::open(&sdk_config, ARN).await.unwrap_err();
    assert!(matches!(failure, KmsError::Config(_)), "{failure:?}");
    assert!(failure.to_string().contains("http://kms.example"), "{failure}");
}
