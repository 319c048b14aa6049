//! Which generation a log file is: its format, and the cursor from which to go on.
//!
//! Identity is the hash of the file's first complete record, because names are reused. A file that does not hold one yet is left
//! for a later pass. Where files begin alike and go on differently, which should never happen at a database, each is a generation of its
//! own; which one a file is shows only when it is read to where the archive ends.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use auditkeep_archive::commit::{CHAIN_START, Cursor, cursor_key};
use auditkeep_core::format::{self, Format, NotAnAuditLog, Seen};
use auditkeep_core::integrity::hash::Sha256;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use super::has_ended;
use crate::collect::selection::{self, Selected, listed};
use crate::collect::writer::TrailWriter;
use crate::collect::{Collector, FileError, FileOutcome};
use crate::source::gunzip::{GunzipError, gunzip};
use crate::source::{Instance, LogBytes, LogFiles, SourceError, SourceErrorKind};

/// Enough to know a file's format and its first record.
const HEAD_BYTES: usize = 64 << 10;
/// What gzip begins with (RFC 1952, §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A file of which is known which generation it is, or may be.
pub(super) struct Begun {
    pub(super) format: Format,
    /// The cursor from which to go on.
    pub(super) start: Cursor,
    /// Its end is known from its bytes alone, because they were compressed, with a checksum.
    pub(super) has_checksum: bool,
    /// No other generation begins like it.
    pub(super) is_sure: bool,
    pub(super) head: Bytes,
    pub(super) rest: LogBytes,
}

/// Opens the file and finds out which generation it is, or why that cannot be told. It is none of `others`.
pub(super) async fn begin(
    collector: &Collector<'_>,
    instance: &Instance,
    selected: &Selected,
    files: &dyn LogFiles,
    quiet: bool,
    others: &[Cursor],
    writer: &TrailWriter<'_>,
) -> Result<Begun, FileOutcome> {
    let mut bytes = match files.open(&selected.log.name).await {
        Ok(bytes) => bytes,
        Err(error) => return Err(FileOutcome::Failed(error.into())),
    };
    let mut has_checksum = false;
    if selection::is_compressed(&selected.log.name) {
        let unpacked = unpacked(bytes, selected.log.name.clone()).await;
        (bytes, has_checksum) = unpacked.map_err(FileOutcome::Failed)?;
    }
    // Asked again after its end, when the head was already all there is.
    let mut bytes = bytes.fuse().boxed();
    let (head, at_end) = read_head(&mut bytes).await.map_err(FileOutcome::Failed)?;
    if head.is_empty() {
        return Err(FileOutcome::Empty);
    }
    let complete =
        at_end && (has_checksum || has_ended(collector, selected, quiet, (head.len() as u64, head.last())));
    match identify(instance, selected, &head, complete, others, writer) {
        Ok(Some((format, start, is_sure))) => {
            Ok(Begun { format, start, has_checksum, is_sure, head, rest: bytes })
        }
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

/// What is in a file that lies compressed at its source, and whether it came so; the source may have decoded it.
async fn unpacked(mut bytes: LogBytes, log: String) -> Result<(LogBytes, bool), FileError> {
    let mut begin = BytesMut::new();
    while begin.len() < GZIP.len() {
        let Some(chunk) = bytes.try_next().await? else { break };
        begin.extend_from_slice(&chunk);
    }
    let is_packed = begin.starts_with(&GZIP);
    let whole = stream::iter([Ok(begin.freeze())]).chain(bytes).boxed();
    let fail = move |error: GunzipError| {
        let kind = match error {
            GunzipError::Cut(_) => SourceErrorKind::Unreachable,
            GunzipError::Damaged(_) => SourceErrorKind::Invalid,
        };
        SourceError { kind, operation: "decompressing", object: log.clone(), cause: error.into() }
    };
    Ok((if is_packed { gunzip(whole, fail) } else { whole }, is_packed))
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

/// The cursor from which to go on, the file's own or one at its beginning, and whether it can be no other one. None while its first
/// record is incomplete.
fn identify(
    instance: &Instance,
    selected: &Selected,
    head: &[u8],
    complete: bool,
    others: &[Cursor],
    writer: &TrailWriter<'_>,
) -> Result<Option<(Format, Cursor, bool)>, NotAnAuditLog> {
    let format = format::detect(instance.engine, &selected.log.name, head)?;
    let Some(first) = format::first_record(format, head, complete) else { return Ok(None) };
    let first_hash = Sha256::of(first);
    let alike = alike(selected, &first_hash, writer.cursors());
    if let Some(known) = alike.iter().find(|known| others.iter().all(|other| other.key() != known.key())) {
        return Ok(Some((format, (*known).clone(), alike.len() == 1)));
    }
    let taken = |generation: &String| alike.iter().any(|known| known.generation == *generation);
    let Some(generation) = generations(&first_hash).find(|generation| !taken(generation)) else {
        // More files than there are numbers began alike: whatever is going on, the file fails as one that was changed.
        let last = others.last().or(alike.last().copied());
        return Ok(last.map(|last| (format, last.clone(), true)));
    };
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
    Ok(Some((format, cursor, alike.is_empty())))
}

/// The names that a generation can have whose first record has that hash (`docs/spec/archive.md`, §4): its own, and those of files
/// that begin like another one.
fn generations(first: &Sha256) -> impl Iterator<Item = String> {
    let numbered = |number: u8| Sha256::of(&[&first.0[..], &[number]].concat()).short();
    std::iter::once(first.short()).chain((2..=u8::MAX).map(numbered))
}

/// The generations of the file's family that begin like it, the likeliest first.
fn alike<'a>(selected: &Selected, first: &Sha256, cursors: &'a BTreeMap<String, Cursor>) -> Vec<&'a Cursor> {
    let known = |generation: String| cursors.get(&cursor_key(&selected.family, &generation));
    let mut alike: Vec<&Cursor> = generations(first).filter_map(known).collect();
    alike.sort_by_key(|cursor| (cursor.log != selected.log.name, Reverse(cursor.listed.last_written_ms)));
    alike
}

fn day_of(format: Format, first_record: &[u8]) -> String {
    let time = format::time_us(format, first_record).and_then(|us| Timestamp::from_microsecond(us).ok());
    time.map_or_else(|| "undated".to_owned(), |time| time.strftime("%Y/%m/%d").to_string())
}
