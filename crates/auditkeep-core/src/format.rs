//! The grammars of audit logs.
//!
//! - [`detect`] tells which grammar a file is in, and refuses one that holds no audit log.
//! - [`Framer`] finds, while a file is streamed, where its last complete record ends.
//! - [`first_record`] gives what a file is known by.
//! - [`parse`] turns bytes into events, problems and counted rest. It never fails and accounts for every byte once.

mod detect;
mod framer;
mod postgres;
mod server_audit;
mod time;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::event::Sink;

pub use detect::{NotAnAuditLog, Seen, detect};
pub use framer::{Framer, first_record, time_us};

/// The grammar of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Format {
    /// PostgreSQL's csvlog; it cannot be forged.
    #[serde(rename = "postgresql-csvlog")]
    PostgresCsv,
    /// PostgreSQL's stderr log.
    #[serde(rename = "postgresql-stderr")]
    PostgresStderr,
    /// The log of the server_audit plugins, in all its dialects.
    #[serde(rename = "server-audit")]
    ServerAudit,
}

/// The name is not one of a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is not a log format; the formats are postgresql-csvlog, postgresql-stderr and server-audit"
)]
pub struct UnknownFormat {
    pub name: String,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::PostgresCsv, Self::PostgresStderr, Self::ServerAudit];

    pub fn name(self) -> &'static str {
        match self {
            Self::PostgresCsv => "postgresql-csvlog",
            Self::PostgresStderr => "postgresql-stderr",
            Self::ServerAudit => "server-audit",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}

/// Reads `bytes`, which begin at the start of a record, and lie at `base_offset` in their file. They should end where
/// [`Framer`] found the end of a record, or with the file; what follows the last complete record is read as one.
///
/// Every byte reaches `sink` exactly once, whatever the bytes are. The answer depends on nothing else, with one
/// exception: PostgreSQL's records are joined only within one call, so the outcome of each session's last statement
/// ([`Unknown`](crate::event::Outcome::Unknown)) depends on where the input ends, and an error that comes right after it in the next
/// input is an event of its own there. For the two formats that can be forged, so does the flag
/// [`UNVERIFIED`](crate::event::Flags::UNVERIFIED), because what speaks against a record may lie in another input.
pub fn parse(format: Format, bytes: &[u8], base_offset: u64, sink: &mut dyn Sink) {
    match format {
        Format::PostgresCsv => postgres::csvlog::parse(bytes, base_offset, sink),
        Format::PostgresStderr => postgres::stderr::parse(bytes, base_offset, sink),
        Format::ServerAudit => server_audit::parse(bytes, base_offset, sink),
    }
}
