//! Failures of an SDK client as errors of ours.
//!
//! Guarantees: the SDK's own error, whose `Debug` form holds the raw answer, is not passed on; its texts are.
//! Does not try again; the client did.

use std::error::Error;

use auditkeep_pipeline::source::{SourceError, SourceErrorKind};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};

use super::{AwsFault, presentable_chain};

/// The client could not get an answer that it understands; the text says why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NoAnswer(String);

/// A call that did not succeed.
pub(crate) struct Refusal {
    pub(crate) kind: SourceErrorKind,
    /// Such as `AccessDeniedException`; empty if AWS did not answer, or without one.
    pub(crate) code: String,
    pub(crate) cause: Box<dyn Error + Send + Sync>,
}

pub(crate) fn source_error<E>(operation: &'static str, object: &str, error: &SdkError<E>) -> SourceError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let Refusal { kind, cause, .. } = refusal(error);
    SourceError { kind, operation, object: object.to_owned(), cause }
}

pub(crate) fn refusal<E>(error: &SdkError<E>) -> Refusal
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) => {
            let refusal = answer.err();
            let status = answer.raw().status().as_u16();
            let (code, message) = (refusal.code().unwrap_or_default(), refusal.message().unwrap_or_default());
            let fault = AwsFault::new(status, code, message);
            Refusal { kind: fault.kind(), code: fault.code().to_owned(), cause: fault.into() }
        }
        other => Refusal {
            kind: kind_without_answer(other),
            code: String::new(),
            cause: NoAnswer(presentable_chain(other)).into(),
        },
    }
}

fn kind_without_answer<E: Error + 'static>(error: &SdkError<E>) -> SourceErrorKind {
    if lacks_credentials(error) {
        return SourceErrorKind::Denied;
    }
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => SourceErrorKind::Unreachable,
        _ => SourceErrorKind::Invalid,
    }
}

fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<CredentialsError>() {
            return true;
        }
        next = error.source();
    }
    false
}
