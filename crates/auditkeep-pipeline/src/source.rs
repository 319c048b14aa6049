//! The port through which log files are read, whoever keeps them: the RDS API or a directory.

pub mod disk;
pub mod gunzip;

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use auditkeep_core::engine::Engine;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

/// A database instance, as far as its audit trail is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Twelve digits, or `local` for files that were imported.
    pub account: String,
    pub region: String,
    /// Never reused, unlike the name: `DbiResourceId`, such as `db-ABCDEFGHIJKLMNOPQRSTUVWXYZ`.
    pub resource_id: String,
    pub name: String,
    pub engine: Engine,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// What a trail's bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// An instance's log files, over the RDS API.
    LogFiles,
    /// Files that somebody had on disk.
    Import,
}

impl SourceKind {
    /// As commits and trail ids state it.
    pub fn name(self) -> &'static str {
        match self {
            Self::LogFiles => "log-files",
            Self::Import => "import",
        }
    }
}

/// One entry of a listing. All of it is a hint: names are reused, sizes lag, times have a resolution of a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// With its directory: `error/postgresql.log.2026-11-21-04`.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub last_written_ms: i64,
}

/// The bytes of one log file, from its first byte on. Ends with an error if the transfer broke off.
pub type LogBytes = BoxStream<'static, Result<Bytes, SourceError>>;

/// One instance's log files.
#[async_trait]
pub trait LogFiles: Send + Sync {
    /// All files of the instance, audit logs or not, in no particular order; every page of the listing.
    async fn list(&self) -> Result<Vec<LogFile>, SourceError>;

    /// The whole file as it is now. Returns only after the answer's status and type were found to be those of a log file;
    /// no error document ever comes out of the stream.
    async fn open(&self, name: &str) -> Result<LogBytes, SourceError>;
}

/// Reading from a source failed: doing what, to what, and why.
#[derive(Debug)]
pub struct SourceError {
    pub kind: SourceErrorKind,
    /// A gerund: `listing log files of`.
    pub operation: &'static str,
    pub object: String,
    pub cause: Box<dyn Error + Send + Sync>,
}

/// What can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceErrorKind {
    /// The instance or file is not there (any more); after a listing, a file was rotated away.
    NotFound,
    /// Credentials are missing, wrong, expired or not allowed to do this.
    Denied,
    /// Asked too often; the same call may succeed later.
    Throttled,
    /// No answer, or a transfer that broke off; the same call may succeed later.
    Unreachable,
    /// An answer that cannot be what was asked for.
    Invalid,
}

impl fmt::Display for SourceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} failed", self.operation, self.object)
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause.as_ref())
    }
}
