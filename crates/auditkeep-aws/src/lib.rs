//! Everything that talks to AWS: one file per service.
//!
//! Guarantees: an answer is believed only after its status, type and length were checked; no error, log line or `Debug`
//! output contains a credential, a signature or a signed URL; every loop over pages and every retry is bounded.
//! Does not decide what to collect, keeps no state beyond cached credentials, and writes nothing but through
//! [`object_store::ObjectStore`].

pub mod config;
mod credentials;
mod fault;
pub mod kms;
pub mod rds;
pub mod s3;

pub use config::{ConfigError, LoadOptions, load};
pub use kms::{KmsError, KmsErrorKind, KmsSigner};
pub use rds::{DiscoveredInstance, RdsAccount, RdsLogFiles, RdsOptions, Timeouts};
pub use s3::{S3Error, S3Options, object_store_for};
