//! Finds, while a log file is streamed, where its last complete record ends.
//!
//! Memory is constant whatever the size of the file and of its records. Any division into chunks gives the same answer. It
//! does not read records; it only says where [`parse`](super::parse) may stop.

use super::postgres::{csvlog, stderr};
use super::{Boundary, Format, server_audit};

/// What a stream of bytes holds, up to its last complete record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Bytes since the start of pushing.
    pub complete_to: u64,
    /// Complete records. Lines that hold no audit record are records too.
    pub records: u64,
    /// The smallest time that one of them begins with, in microseconds since 1970-01-01; zones other than UTC are taken for it.
    pub first_time_us: Option<i64>,
    /// The largest such time.
    pub last_time_us: Option<i64>,
}

impl Frame {
    fn end(&mut self, boundary: Boundary) {
        self.complete_to = boundary.end;
        self.records += 1;
        if let Some(time) = boundary.time_us {
            self.first_time_us = Some(self.first_time_us.map_or(time, |first| first.min(time)));
            self.last_time_us = Some(self.last_time_us.map_or(time, |last| last.max(time)));
        }
    }
}

/// Follows a file from the start of a record.
#[derive(Clone, Debug)]
pub struct Framer {
    splitter: Splitter,
    pushed: u64,
    frame: Frame,
}

#[derive(Clone, Debug)]
enum Splitter {
    Lines(Lines),
    Csv(csvlog::split::Splitter),
    Stderr(stderr::split::Splitter),
}

impl Framer {
    pub fn new(format: Format) -> Self {
        Self { splitter: Splitter::new(format), pushed: 0, frame: Frame::default() }
    }

    pub fn push(&mut self, chunk: &[u8]) {
        self.pushed += chunk.len() as u64;
        let frame = &mut self.frame;
        self.splitter.push(chunk, &mut |boundary| frame.end(boundary));
    }

    /// Where the last record ends that is known to be complete, in bytes since the start of pushing.
    pub fn complete_to(&self) -> u64 {
        self.frame.complete_to
    }

    /// `settled` says that nothing will follow what was pushed: then what follows the last complete record is one too,
    /// whether or not it ends in a line feed.
    pub fn finish(&mut self, settled: bool) -> Frame {
        if settled && self.frame.complete_to < self.pushed {
            let time_us = self.splitter.open_time();
            self.frame.end(Boundary { end: self.pushed, time_us });
        }
        self.frame
    }
}

impl Splitter {
    fn new(format: Format) -> Self {
        match format {
            Format::ServerAudit => Self::Lines(Lines::default()),
            Format::PostgresCsv => Self::Csv(csvlog::split::Splitter::default()),
            Format::PostgresStderr => Self::Stderr(stderr::split::Splitter::default()),
        }
    }

    fn push(&mut self, chunk: &[u8], ended: &mut impl FnMut(Boundary)) {
        match self {
            Self::Lines(splitter) => splitter.push(chunk, ended),
            Self::Csv(splitter) => splitter.push(chunk, ended),
            Self::Stderr(splitter) => splitter.push(chunk, ended),
        }
    }

    /// The time of the record that has not ended yet.
    fn open_time(&self) -> Option<i64> {
        match self {
            Self::Lines(splitter) => splitter.open_time(),
            Self::Csv(splitter) => splitter.open_time(),
            Self::Stderr(splitter) => splitter.open_time(),
        }
    }
}

/// Longer than any time.
const HEAD: usize = 64;

/// Every line is a record.
#[derive(Clone, Debug, Default)]
struct Lines {
    position: u64,
    head: Vec<u8>,
}

impl Lines {
    fn push(&mut self, chunk: &[u8], ended: &mut impl FnMut(Boundary)) {
        let mut start = 0;
        for feed in memchr::memchr_iter(b'\n', chunk) {
            let line = &chunk[start..feed];
            let time_us = if self.head.is_empty() {
                server_audit::time_of(line)
            } else {
                self.keep(line);
                self.open_time()
            };
            self.head.clear();
            start = feed + 1;
            ended(Boundary { end: self.position + start as u64, time_us });
        }
        self.keep(&chunk[start..]);
        self.position += chunk.len() as u64;
    }

    fn keep(&mut self, more: &[u8]) {
        let room = HEAD - self.head.len();
        self.head.extend_from_slice(&more[..more.len().min(room)]);
    }

    fn open_time(&self) -> Option<i64> {
        server_audit::time_of(&self.head)
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
    Splitter::new(format).push(looked_at, &mut |boundary| {
        first.get_or_insert(boundary.end);
    });
    match first.and_then(|end| usize::try_from(end).ok()) {
        Some(end) => looked_at.get(..end),
        None if at_end || looked_at.len() == IDENTITY => (!looked_at.is_empty()).then_some(looked_at),
        None => None,
    }
}
