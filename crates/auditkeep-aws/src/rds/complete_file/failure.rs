//! Why a download failed, and of which kind that is for the collector.
//!
//! Guarantees: no text in here holds a URL, a header or a credential.

use std::error::Error;

use auditkeep_pipeline::source::SourceErrorKind;
use auditkeep_pipeline::source::gunzip::GunzipError;
use aws_credential_types::provider::error::CredentialsError;

use crate::fault::AwsFault;

#[derive(Debug, thiserror::Error)]
pub(super) enum DownloadError {
    #[error("the name {0:?} cannot be part of a path")]
    Name(String),
    #[error("no credentials could be loaded")]
    Credentials(#[source] CredentialsError),
    #[error("signing the request failed")]
    Signing(#[source] Box<dyn Error + Send + Sync>),
    #[error("no answer came")]
    NoAnswer(#[source] reqwest::Error),
    #[error(transparent)]
    Refused(#[from] AwsFault),
    #[error("the answer is a redirect (status {0}), which RDS does not send")]
    Redirect(u16),
    #[error("the answer (status {status}, type {media_type:?}) is not from RDS")]
    Foreign { status: u16, media_type: String },
    #[error("the answer is a document of type {0:?} and no log file")]
    Document(String),
    #[error("the answer is encoded with {0:?}, which was not asked for")]
    Encoding(String),
    #[error(
        "the answer says nothing about its length, so that its end cannot be told from a broken transfer"
    )]
    Unframed,
    #[error("the transfer broke off")]
    Cut(#[source] reqwest::Error),
    #[error("the compressed transfer cannot be decoded")]
    Gzip(#[source] GunzipError),
}

impl DownloadError {
    pub(super) fn kind(&self) -> SourceErrorKind {
        match self {
            Self::Credentials(_) => SourceErrorKind::Denied,
            Self::Refused(fault) => fault.kind(),
            Self::NoAnswer(cause) if cause.is_builder() => SourceErrorKind::Invalid,
            Self::NoAnswer(_) | Self::Cut(_) | Self::Gzip(GunzipError::Cut(_)) => {
                SourceErrorKind::Unreachable
            }
            Self::Name(_)
            | Self::Signing(_)
            | Self::Redirect(_)
            | Self::Foreign { .. }
            | Self::Document(_)
            | Self::Encoding(_)
            | Self::Unframed
            | Self::Gzip(GunzipError::Damaged(_)) => SourceErrorKind::Invalid,
        }
    }
}
