//! Listings that are not what the instance has.
//!
//! What is always so, and therefore no switch: `LastWritten` is in whole seconds (values seen by users end in 000).

use std::time::Duration;

use serde::Deserialize;

use crate::clock::milliseconds;
use crate::emulator::logs::LogFile;
use crate::span;

/// What is wrong with the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ListingFlaw {
    /// It is empty. Collectors in use ask again when it is (personio's `rdslogcollector.go`).
    Empty,
    /// Files that were written to lately have the time and the size of before. Inferred: tools that compared sizes with
    /// what they downloaded saw more bytes than were listed while the file was being written to.
    Lag {
        /// How long a change stays unseen, and how much too old the time is.
        #[serde(deserialize_with = "span::required")]
        by: Duration,
        /// How many bytes are missing from the size.
        bytes: u64,
    },
}

impl ListingFlaw {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Lag { .. } => "lag",
        }
    }

    /// The list as it is shown at a time.
    pub(crate) fn applied(self, files: Vec<LogFile>, now_ms: i64) -> Vec<LogFile> {
        match self {
            Self::Empty => Vec::new(),
            Self::Lag { by, bytes } => {
                files.into_iter().map(|file| lagging(file, milliseconds(by), bytes, now_ms)).collect()
            }
        }
    }
}

fn lagging(file: LogFile, by_ms: i64, bytes: u64, now_ms: i64) -> LogFile {
    if now_ms - file.last_written_ms >= by_ms {
        return file;
    }
    let earlier = file.last_written_ms - by_ms;
    LogFile {
        last_written_ms: earlier - earlier.rem_euclid(1000),
        size: file.size.saturating_sub(bytes),
        ..file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_lately_lags_and_never_forever() {
        let file =
            |name: &str, last_written_ms, size| LogFile { name: name.to_owned(), last_written_ms, size };
        let files = vec![file("live", 100_000, 500), file("young", 99_000, 20), file("old", 10_000, 300)];
        let lag = ListingFlaw::Lag { by: Duration::from_millis(5500), bytes: 100 };
        assert_eq!(
            lag.applied(files.clone(), 101_000),
            [file("live", 94_000, 400), file("young", 93_000, 0), file("old", 10_000, 300)]
        );
        assert_eq!(lag.applied(files.clone(), 106_000), files);
        assert!(ListingFlaw::Empty.applied(files, 0).is_empty());
    }
}
