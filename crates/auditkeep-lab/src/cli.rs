//! The commands of `auditkeep-lab`, one file each, and how they end when they fail.

#[cfg(feature = "servers")]
pub(crate) mod record;
pub(crate) mod serve;

use std::error::Error;
use std::io::Write;

/// Writes an error and its causes to standard error, on one line.
pub(crate) fn report(error: impl Error) {
    let mut text = format!("auditkeep-lab: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    // Nothing is left to do when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}
