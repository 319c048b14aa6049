//! The port to whatever holds the private key: a file on this machine, or a service that never gives it away.
//!
//! Whoever signs is asked for one signature at a time and told nothing but the message, which is the text of a commit's
//! checkpoint: a few hundred bytes, and no audit data. Does not decide which keys an archive accepts.

use std::error::Error;
use std::fmt::Debug;

use async_trait::async_trait;
use auditkeep_core::integrity::key::{SigningKey, VerifyingKey};

/// The message was not signed.
#[derive(Debug, thiserror::Error)]
#[error("signing with the key `{key}` failed")]
pub struct SignError {
    /// Name of the key.
    pub key: String,
    #[source]
    pub cause: Box<dyn Error + Send + Sync>,
}

/// What signs commits.
#[async_trait]
pub trait Signer: Send + Sync + Debug {
    /// What its signatures are checked with.
    fn public(&self) -> &VerifyingKey;

    /// A signature that `public` finds right. Signing the same message again may give another one.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// The key of a key file.
#[async_trait]
impl Signer for SigningKey {
    fn public(&self) -> &VerifyingKey {
        Self::public(self)
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(Self::sign(self, message))
    }
}
