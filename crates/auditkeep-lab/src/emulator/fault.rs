//! The errors that a caller sees: AWS's error codes with their HTTP status.
//!
//! Codes and statuses are those of the "Common Errors" page and of the operations' pages in the Amazon RDS API
//! Reference. Messages are close to the real ones, but no client should depend on them.

use std::fmt::Display;

use axum::http::StatusCode;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Fault {
    fn new(code: &'static str, status: StatusCode, message: impl Into<String>) -> Self {
        Self { code, status, message: message.into() }
    }

    pub(crate) fn instance_not_found(name: &str) -> Self {
        Self::new("DBInstanceNotFound", StatusCode::NOT_FOUND, format!("DBInstance {name} not found."))
    }

    pub(crate) fn log_file_not_found(name: &str) -> Self {
        let message = format!("DBLog File: {name}, is not found on the DB instance");
        Self::new("DBLogFileNotFoundFault", StatusCode::NOT_FOUND, message)
    }

    /// Code and status as `DescribeDBLogFiles` declares them.
    pub(crate) fn instance_not_ready(name: &str) -> Self {
        let message = format!("DBInstance {name} is not ready for this operation");
        Self::new("DBInstanceNotReady", StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn throttling() -> Self {
        Self::new("Throttling", StatusCode::BAD_REQUEST, "Rate exceeded")
    }

    pub(crate) fn service_unavailable() -> Self {
        let message = "The request has failed due to a temporary failure of the server.";
        Self::new("ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// A failure that nobody has to look for, because a switch wanted it.
    pub(crate) fn internal_failure() -> Self {
        let message = "The request processing has failed because of an unknown error";
        Self::new("InternalFailure", StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The same error, under a status that says that all is well.
    pub(crate) fn with_status_ok(self) -> Self {
        Self { status: StatusCode::OK, ..self }
    }

    pub(crate) fn invalid_value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn missing_parameter(name: &str) -> Self {
        let message = format!("The request must contain the parameter {name}");
        Self::new("MissingParameter", StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn missing_action() -> Self {
        Self::new("MissingAction", StatusCode::BAD_REQUEST, "The request must contain the parameter Action")
    }

    pub(crate) fn invalid_action(action: &str, version: &str) -> Self {
        let message = format!("Could not find operation {action} for version {version}");
        Self::new("InvalidAction", StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn unknown_path() -> Self {
        let message = "There is no operation at this method and path";
        Self::new("UnknownOperationException", StatusCode::NOT_FOUND, message)
    }

    pub(crate) fn body_unreadable() -> Self {
        let message = "The request's body is too large or was cut off";
        Self::new("RequestEntityTooLarge", StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    pub(crate) fn missing_token() -> Self {
        let message = "Request is missing Authentication Token";
        Self::new("MissingAuthenticationToken", StatusCode::FORBIDDEN, message)
    }

    pub(crate) fn invalid_token() -> Self {
        let message = "The security token included in the request is invalid.";
        Self::new("InvalidClientTokenId", StatusCode::FORBIDDEN, message)
    }

    pub(crate) fn incomplete_signature(message: impl Into<String>) -> Self {
        Self::new("IncompleteSignature", StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn signature_mismatch(message: impl Into<String>) -> Self {
        Self::new("SignatureDoesNotMatch", StatusCode::FORBIDDEN, message)
    }

    /// Status 400 as in AWS's list of common errors, unlike the other refusals.
    pub(crate) fn request_expired(message: impl Into<String>) -> Self {
        Self::new("RequestExpired", StatusCode::BAD_REQUEST, message)
    }

    /// Says nothing about the cause to the caller; the cause goes to the lab's own log.
    pub(crate) fn internal(operation: &str, cause: &dyn Display) -> Self {
        tracing::error!(operation, %cause, "the emulator could not answer");
        Self::internal_failure()
    }
}
