//! Which generation a log file is: its format, and the cursor from which to go on.
//!
//! Identity is the hash of the file's first complete record, because names are reused. A file that does not hold one yet is left
//! for a later pass.

use auditkeep_archive::commit::{CHAIN_START, Cursor, cursor_key};
use auditkeep_core::format::{self, Format, NotAnAuditLog, Seen};
use auditkeep_core::integrity::hash::Sha256;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::has_ended;
use crate::collect::selection::{Selected, listed};
use crate::collect::writer::TrailWriter;
use crate::collect::{Collector, FileError, FileOutcome};
use crate::source::{Instance, LogBytes, LogFiles};

/// Enough to know a file's format and its first record.
const HEAD_BYTES: usize = 64 << 10;

/// A file of which is known which generation it is.
pub(super) struct Begun {
    pub(super) format: Format,
    /// The cursor from which to go on.
    pub(super) start: Cursor,
    pub(super) head: Bytes,
    pub(super) rest: LogBytes,
}

/// Opens the file and finds out which generation it is, or why that cannot be told.
pub(super) async fn begin(
    collector: &Collector<'_>,
    instance: &Instance,
    selected: &Selected,
    files: &dyn LogFiles,
    quiet: bool,
    writer: &TrailWriter<'_>,
) -> Result<Begun, FileOutcome> {
    let mut bytes = match files.open(&selected.log.name).await {
        // Asked again after its end, when the head was already all there is.
        Ok(bytes) => bytes.fuse().boxed(),
        Err(error) => return Err(FileOutcome::Failed(error.into())),
    };
    let (head, at_end) = read_head(&mut bytes).await.map_err(FileOutcome::Failed)?;
    if head.is_empty() {
        return Err(FileOutcome::Empty);
    }
    let complete = at_end && has_ended(collector, selected, quiet, (head.len() as u64, head.last()));
    match identify(instance, selected, &head, complete, writer) {
        Ok(Some((format, start))) => Ok(Begun { format, start, head, rest: bytes }),
        Ok(None) => Err(FileOutcome::NoRecordYet),
        // Too little to tell what it is, but it may become a record: all of them begin with a time.
        Err(NotAnAuditLog { seen: Seen::Text(_), .. })
            if at_end && !complete && head[0].is_ascii_digit() && !head.contains(&b'\n') =>
        {
            Err(FileOutcome::NoRecordYet)
        }
        Err(error) => Err(FileOutcome::Failed(error.into())),
    }
}

/// The first bytes, and whether they are all.
async fn read_head(bytes: &mut LogBytes) -> Result<(Bytes, bool), FileError> {
    let mut head = Vec::new();
    while head.len() < HEAD_BYTES {
        match bytes.try_next().await? {
            Some(chunk) => head.extend_from_slice(&chunk),
            None => return Ok((head.into(), true)),
        }
    }
    Ok((head.into(), false))
}

/// The cursor from which to go on: the file's own, or one at its beginning. None while its first record is incomplete.
fn identify(
    instance: &Instance,
    selected: &Selected,
    head: &[u8],
    complete: bool,
    writer: &TrailWriter<'_>,
) -> Result<Option<(Format, Cursor)>, NotAnAuditLog> {
    let format = format::detect(instance.engine, &selected.log.name, head)?;
    let Some(first) = format::first_record(format, head, complete) else { return Ok(None) };
    let generation = Sha256::of(first).short();
    if let Some(known) = writer.cursors().get(&cursor_key(&selected.family, &generation)) {
        return Ok(Some((format, known.clone())));
    }
    let cursor = Cursor {
        log: selected.log.name.clone(),
        family: selected.family.clone(),
        generation,
        format: format.name().to_owned(),
        day: day_of(format, first),
        offset: 0,
        complete_to: 0,
        cuts: Vec::new(),
        chain: CHAIN_START,
        unfinished: Vec::new(),
        listed: listed(&selected.log),
        settled: false,
        evidence_only: false,
    };
    Ok(Some((format, cursor)))
}

fn day_of(format: Format, first_record: &[u8]) -> String {
    let time = format::time_us(format, first_record).and_then(|us| Timestamp::from_microsecond(us).ok());
    time.map_or_else(|| "undated".to_owned(), |time| time.strftime("%Y/%m/%d").to_string())
}
