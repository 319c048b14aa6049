//! Refusals: error answers to calls that are in order.

use serde::Deserialize;

use crate::emulator::fault::Fault;
use crate::emulator::switches::Operation;

/// Which error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// `Throttling`, status 400: `Rate exceeded`.
    Throttle,
    /// `InternalFailure`, status 500.
    InternalFailure,
    /// `ServiceUnavailable`, status 503.
    ServiceUnavailable,
    /// `DBInstanceNotReady`, status 400: the instance is being made, restarted or failed over.
    NotReady,
    /// `DBLogFileNotFoundFault`, status 404, for a file that was just listed: a rotation can take the name away between
    /// two calls (aws/aws-sdk-go issue 3266).
    FileNotFound,
    /// The body of an `InternalFailure` under status 200: who does not look at it takes it for a log. Tools have
    /// archived error bodies as logs (joer14/pg-audit-lambda); that RDS gives one with this status is a fear.
    ErrorAsSuccess,
}

impl Refusal {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::InternalFailure => "internal-failure",
            Self::ServiceUnavailable => "service-unavailable",
            Self::NotReady => "not-ready",
            Self::FileNotFound => "file-not-found",
            Self::ErrorAsSuccess => "error-as-success",
        }
    }

    pub(super) fn can_happen_to(self, operation: Operation) -> bool {
        match self {
            Self::NotReady => operation != Operation::DescribeDBInstances,
            Self::FileNotFound => {
                matches!(operation, Operation::DownloadDBLogFilePortion | Operation::DownloadCompleteLogFile)
            }
            _ => true,
        }
    }

    /// The error answer. Instance and file are what the caller asked for.
    pub(crate) fn fault(self, instance: &str, file: &str) -> Fault {
        match self {
            Self::Throttle => Fault::throttling(),
            Self::InternalFailure => Fault::internal_failure(),
            Self::ServiceUnavailable => Fault::service_unavailable(),
            Self::NotReady => Fault::instance_not_ready(instance),
            Self::FileNotFound => Fault::log_file_not_found(file),
            Self::ErrorAsSuccess => Fault::internal_failure().with_status_ok(),
        }
    }
}
