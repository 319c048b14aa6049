//! AWS KMS: commits are signed by a key that never leaves it.
//!
//! Guarantees: only keys are accepted whose signatures a verifier of archives knows; no signature is handed on before the
//! public key found it right, so that a wrong answer gets into no archive; after the first call the key is named by what
//! KMS called it, so that an alias which is moved meanwhile changes nothing; every call and every retry is bounded.
//! Does not make, enable or change keys, and is needed by nobody who verifies.

mod answer;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use auditkeep_archive::signer::{SignError, Signer};
use auditkeep_core::integrity::key::VerifyingKey;
use auditkeep_pipeline::source::SourceErrorKind;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use aws_types::region::Region;

use crate::config::{self, ConfigError};
use crate::fault::sdk::{Refusal, refusal};

const SERVICE: &str = "KMS";
const READING: &str = "reading the public half of";
const SIGNING: &str = "signing with";
/// Bytes of a message that KMS hashes itself (`MessageType=RAW`).
const MAX_MESSAGE: usize = 4096;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For one call; an answer is a few hundred bytes.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Per call, the first one included.
const ATTEMPTS: u32 = 5;
/// Doubled with every attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// A key of KMS cannot be used, or did not sign.
#[derive(Debug, thiserror::Error)]
pub enum KmsError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{operation} the key `{key}` in AWS KMS failed")]
    Call { kind: KmsErrorKind, operation: &'static str, key: String, source: Box<dyn Error + Send + Sync> },
    /// `kind` is the key's spec, or where KMS states none the algorithms that it signs with.
    #[error(
        "the key `{key}` in AWS KMS is of the kind {kind}; accepted are ECC_NIST_P256 and ECC_NIST_EDWARDS25519"
    )]
    Spec { key: String, kind: String },
    #[error("the key `{key}` in AWS KMS is for {usage}, and not for SIGN_VERIFY")]
    Usage { key: String, usage: String },
    #[error("the message has {length} bytes, and AWS KMS signs {MAX_MESSAGE} at most")]
    TooLong { length: usize },
    #[error("AWS KMS answered for the key `{key}` {what}")]
    Answer { key: String, what: &'static str },
}

/// What kind of refusal it was, as far as it decides what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KmsErrorKind {
    /// There is no such key in that account and region.
    NotFound,
    /// The credentials or the key's policy do not allow it.
    Denied,
    /// The key is there, and disabled or about to be deleted.
    Disabled,
    /// The key cannot do this by its nature.
    Unsuitable,
    Throttled,
    Unreachable,
    Invalid,
}

/// A key in AWS KMS that signs commits.
pub struct KmsSigner {
    client: Client,
    /// As KMS called it: its ARN.
    key: String,
    algorithm: SigningAlgorithmSpec,
    public: VerifyingKey,
}

impl KmsSigner {
    /// Reads the public half of a key, which is named by its id, its ARN, `alias/<name>` or an alias's ARN.
    pub async fn open(sdk_config: &SdkConfig, key: &str) -> Result<Self, KmsError> {
        let client = client(sdk_config)?;
        let answer = client.get_public_key().key_id(key).send().await;
        let answer = answer.map_err(|failure| call_error(READING, key, &failure))?;
        let (public, algorithm) = answer::public_key(key, &answer)?;
        let key = answer.key_id.unwrap_or_else(|| key.to_owned());
        Ok(Self { client, key, algorithm, public })
    }

    async fn signature(&self, message: &[u8]) -> Result<Vec<u8>, KmsError> {
        if message.len() > MAX_MESSAGE {
            return Err(KmsError::TooLong { length: message.len() });
        }
        let call = self
            .client
            .sign()
            .key_id(&self.key)
            .message(Blob::new(message))
            .message_type(MessageType::Raw)
            .signing_algorithm(self.algorithm.clone());
        let answer = call.send().await.map_err(|failure| call_error(SIGNING, &self.key, &failure))?;
        answer::signature(&self.key, &self.public, message, answer)
    }
}

#[async_trait]
impl Signer for KmsSigner {
    fn public(&self) -> &VerifyingKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.signature(message).await;
        signature.map_err(|cause| SignError { key: self.public.name().to_owned(), cause: cause.into() })
    }
}

impl fmt::Debug for KmsSigner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KmsSigner(of {} in {})", self.public, self.key)
    }
}

/// The region in the ARN of a key or an alias; a key that is named without one is in the region that is configured.
pub fn region_of(key: &str) -> Option<&str> {
    let mut parts = key.split(':');
    let is_arn = parts.next() == Some("arn") && parts.next().is_some() && parts.next() == Some("kms");
    parts.next().filter(|region| is_arn && !region.is_empty())
}

fn client(sdk_config: &SdkConfig) -> Result<Client, ConfigError> {
    let region = config::region(sdk_config, None)?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .build();
    let mut builder = aws_sdk_kms::config::Builder::from(sdk_config)
        .region(Region::new(region))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_PAUSE))
        .timeout_config(timeouts);
    if let Some(endpoint) = config::configured_endpoint(sdk_config, SERVICE)? {
        config::check_transport(&endpoint, SERVICE)?;
        builder = builder.endpoint_url(endpoint.as_str());
    }
    Ok(Client::from_conf(builder.build()))
}

fn call_error<E>(operation: &'static str, key: &str, error: &SdkError<E>) -> KmsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let Refusal { kind, code, cause } = refusal(error);
    KmsError::Call { kind: kind_of(&code, kind), operation, key: key.to_owned(), source: cause }
}

/// From the lists of errors in the KMS API reference; `general` is what the code means for any service.
fn kind_of(code: &str, general: SourceErrorKind) -> KmsErrorKind {
    match code {
        "NotFoundException" | "InvalidArnException" => KmsErrorKind::NotFound,
        "DisabledException" | "KMSInvalidStateException" => KmsErrorKind::Disabled,
        "InvalidKeyUsageException" | "UnsupportedOperationException" => KmsErrorKind::Unsuitable,
        "DependencyTimeoutException" | "KMSInternalException" | "KeyUnavailableException" => {
            KmsErrorKind::Unreachable
        }
        _ => match general {
            SourceErrorKind::NotFound => KmsErrorKind::NotFound,
            SourceErrorKind::Denied => KmsErrorKind::Denied,
            SourceErrorKind::Throttled => KmsErrorKind::Throttled,
            SourceErrorKind::Unreachable => KmsErrorKind::Unreachable,
            SourceErrorKind::Invalid => KmsErrorKind::Invalid,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_its_region() {
        for (key, region) in [
            (
                "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                Some("eu-central-1"),
            ),
            ("arn:aws-cn:kms:cn-north-1:123456789012:alias/audit", Some("cn-north-1")),
            ("arn:aws:rds:eu-central-1:123456789012:db:orders", None),
            ("arn:aws:kms", None),
            ("arn:aws:kms::123456789012:alias/audit", None),
            ("alias/arn:aws:kms:eu-central-1", None),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", None),
        ] {
            assert_eq!(region_of(key), region, "{key}");
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        for (code, general, kind) in [
            ("NotFoundException", SourceErrorKind::Invalid, KmsErrorKind::NotFound),
            ("DisabledException", SourceErrorKind::Invalid, KmsErrorKind::Disabled),
            ("KMSInvalidStateException", SourceErrorKind::Invalid, KmsErrorKind::Disabled),
            ("UnsupportedOperationException", SourceErrorKind::Invalid, KmsErrorKind::Unsuitable),
            ("KMSInternalException", SourceErrorKind::Unreachable, KmsErrorKind::Unreachable),
            ("AccessDeniedException", SourceErrorKind::Denied, KmsErrorKind::Denied),
            ("ThrottlingException", SourceErrorKind::Throttled, KmsErrorKind::Throttled),
            ("ValidationException", SourceErrorKind::Invalid, KmsErrorKind::Invalid),
        ] {
            assert_eq!(kind_of(code, general), kind, "{code}");
        }
    }
}
