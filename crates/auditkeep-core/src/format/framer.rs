//! Finds, while a log file is streamed, where its last complete record ends.
//!
//! Memory is constant whatever the size of the file and of its records. Any division into chunks gives the same answer. It
//! does not read records; it only says where [`parse`](super::parse) may stop.

use super::postgres::{csvlog, stderr};
use super::{Format, server_audit, time};

/// Follows a file from the start of a record.
#[derive(Clone, Debug)]
pub struct Framer {
    splitter: Splitter,
    pushed: u64,
    complete_to: u64,
}

#[derive(Clone, Debug)]
enum Splitter {
    /// Every line is a record.
    Lines,
    Csv(csvlog::split::Splitter),
    Stderr(stderr::split::Splitter),
}

impl Framer {
    pub fn new(format: Format) -> Self {
        let splitter = match format {
            Format::ServerAudit => Splitter::Lines,
            Format::PostgresCsv => Splitter::Csv(csvlog::split::Splitter::default()),
            Format::PostgresStderr => Splitter::Stderr(stderr::split::Splitter::default()),
        };
        Self { splitter, pushed: 0, complete_to: 0 }
    }

    pub fn push(&mut self, chunk: &[u8]) {
        let complete_to = &mut self.complete_to;
        match &mut self.splitter {
            Splitter::Lines => {
                if let Some(feed) = memchr::memrchr(b'\n', chunk) {
                    *complete_to = self.pushed + feed as u64 + 1;
                }
            }
            Splitter::Csv(splitter) => splitter.push(chunk, &mut |end| *complete_to = end),
            Splitter::Stderr(splitter) => splitter.push(chunk, &mut |end| *complete_to = end),
        }
        self.pushed += chunk.len() as u64;
    }

    /// Where the last record ends that is known to be complete, in bytes since the start of pushing.
    pub fn complete_to(&self) -> u64 {
        self.complete_to
    }

    /// The same, when no more is pushed. `settled` says that nothing will follow: then what follows the last complete record
    /// is one too, whether or not it ends in a line feed.
    pub fn finish(&mut self, settled: bool) -> u64 {
        if settled {
            self.complete_to = self.pushed;
        }
        self.complete_to
    }
}

/// The time that a record begins with, in microseconds since 1970-01-01; zones other than UTC are taken for it.
pub fn time_us(format: Format, record: &[u8]) -> Option<i64> {
    match format {
        Format::ServerAudit => server_audit::time_of(record),
        Format::PostgresCsv if !csvlog::split::begins_record(record) => None,
        Format::PostgresCsv | Format::PostgresStderr => time::postgres(record).map(|(moment, _)| moment.us),
    }
}

/// The most bytes of a record that identify a file.
const IDENTITY: usize = 64 * 1024;

/// The first complete record in `head`, which is the start of a file, cut to its first 64 KiB; a file is known by it
/// wherever it is moved. `at_end` says that `head` is the whole of a file that no longer grows. `None` until the
/// record is complete or longer than that.
pub fn first_record(format: Format, head: &[u8], at_end: bool) -> Option<&[u8]> {
    // Never looks further than the identity may reach, so that the answer does not change when the file grows.
    let looked_at = head.get(..IDENTITY).unwrap_or(head);
    let mut first = None;
    let mut ended = |end| {
        first.get_or_insert(end);
    };
    match format {
        Format::ServerAudit => first = memchr::memchr(b'\n', looked_at).map(|feed| feed as u64 + 1),
        Format::PostgresCsv => csvlog::split::Splitter::default().push(looked_at, &mut ended),
        Format::PostgresStderr => stderr::split::Splitter::default().push(looked_at, &mut ended),
    }
    match first.and_then(|end| usize::try_from(end).ok()) {
        Some(end) => looked_at.get(..end),
        None if at_end || looked_at.len() == IDENTITY => (!looked_at.is_empty()).then_some(looked_at),
        None => None,
    }
}
