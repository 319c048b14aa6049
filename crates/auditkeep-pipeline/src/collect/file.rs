//! Reading one log file: whether its archived beginning is unchanged, and what is new.
//!
//! The file is streamed once from its first byte, in memory that does not depend on its size.

mod generation;
mod prefix;
mod storing;

use auditkeep_archive::archive::ArchiveError;
use auditkeep_archive::commit::{Cursor, chain};
use auditkeep_archive::leaf::SegmentLeaf;
use auditkeep_archive::segment::{SegmentWriter, Stored};
use auditkeep_archive::trail::TrailError;
use auditkeep_core::format::{Format, Framer};
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;

use self::prefix::Prefix;
use self::storing::Storing;
use super::selection::{Selected, listed};
use super::writer::{Reached, TrailWriter};
use super::{CollectError, Collector, FileError, FileOutcome, Progress};
use crate::source::{Instance, LogBytes, LogFiles, SourceKind};

pub(super) async fn read(
    collector: &Collector<'_>,
    instance: &Instance,
    selected: &Selected,
    files: &dyn LogFiles,
    writer: &mut TrailWriter<'_>,
) -> Result<FileOutcome, CollectError> {
    let received = (collector.now)();
    let quiet = is_quiet(collector, selected, received);
    // Generations that begin like the file, and that it is not.
    let mut others: Vec<Cursor> = Vec::new();
    loop {
        let begun =
            match generation::begin(collector, instance, selected, files, quiet, &others, writer).await {
                Ok(begun) => begun,
                Err(outcome) => {
                    // Whatever is in a file that was listed with bytes in it may be what another one would be missed for.
                    if selected.log.size > 0 || !matches!(outcome, FileOutcome::Empty) {
                        writer.sightings().miss(&selected.family);
                    }
                    return Ok(outcome);
                }
            };
        let (start, is_sure) = (begun.start.clone(), begun.is_sure);
        if let Some(other) = others.last().filter(|_| start.offset == 0) {
            writer.replace(&start.key(), &selected.log.name, other);
        }
        let mut reader = FileReader::new(
            collector,
            instance,
            selected,
            received,
            (begun.format, begun.start, begun.has_checksum),
        );
        let outcome = match reader.run(begun.head, begun.rest, quiet, writer).await {
            // RDS alone says what a file is called: what somebody imports under a name may be anything.
            Err(Stop::File(FileError::Changed { .. }))
                if collector.kind == SourceKind::LogFiles && !others.contains(&start) =>
            {
                others.push(start);
                continue;
            }
            Ok(outcome) => outcome,
            Err(Stop::File(error)) => {
                if !is_sure {
                    writer.sightings().miss(&selected.family);
                }
                FileOutcome::Failed(error)
            }
            Err(Stop::Pass(error)) => return Err(error),
        };
        writer.sightings().see(&start.key());
        return Ok(outcome);
    }
}

/// Whether the file is not growing any more, as far as the listing tells.
fn is_quiet(collector: &Collector<'_>, selected: &Selected, now: Timestamp) -> bool {
    let quiet_ms = now.as_millisecond().saturating_sub(selected.log.last_written_ms);
    quiet_ms >= i64::try_from(collector.settled_after.as_millis()).unwrap_or(i64::MAX)
}

/// Whether the bytes that came in, so many and with that last one, are the file to its end, so that its last record is whole.
///
/// If they are not as many as the listing says, the transfer ended early, the file has grown since it was listed, or rotation
/// has put another one in its place. The sizes of files on disk are those of their compression, and a file that was written
/// a moment ago may have been so by whoever copied it: there a line that has ended must do.
fn has_ended(collector: &Collector<'_>, selected: &Selected, quiet: bool, end: (u64, Option<&u8>)) -> bool {
    match collector.kind {
        SourceKind::LogFiles => quiet && end.0 == selected.log.size,
        SourceKind::Import => quiet || end.1 == Some(&b'\n'),
    }
}

/// Why reading stopped: this file is bad, or the whole pass cannot go on.
enum Stop {
    File(FileError),
    Pass(CollectError),
}

impl From<FileError> for Stop {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<CollectError> for Stop {
    fn from(error: CollectError) -> Self {
        Self::Pass(error)
    }
}

struct FileReader<'a> {
    collector: &'a Collector<'a>,
    instance: &'a Instance,
    selected: &'a Selected,
    received: Timestamp,
    /// Its end is known from its bytes alone.
    has_checksum: bool,
    /// As far as this pass has come.
    cursor: Cursor,
    /// What the archive held of the file when the pass began.
    archived: u64,
    /// Where the framer began: after the last record that was complete then.
    framed_from: u64,
    prefix: Prefix,
    framer: Framer,
    segment: SegmentWriter,
    /// The segment before that one.
    storing: Option<Storing<'a>>,
    position: u64,
    last_byte: Option<u8>,
}

impl<'a> FileReader<'a> {
    fn new(
        collector: &'a Collector<'a>,
        instance: &'a Instance,
        selected: &'a Selected,
        received: Timestamp,
        (format, mut start, has_checksum): (Format, Cursor, bool),
    ) -> Self {
        // Once its records were left to the twin they stay there, also when the twin is deleted first.
        start.evidence_only |= selected.has_csv_twin && format == Format::PostgresStderr;
        // Until it was read to its end again: a pass that stops halfway must not look like one that is through.
        start.settled = false;
        Self {
            collector,
            instance,
            selected,
            received,
            has_checksum,
            archived: start.offset,
            framed_from: start.complete_to,
            prefix: Prefix::new(&start),
            framer: Framer::new(format),
            segment: SegmentWriter::new(start.offset),
            storing: None,
            position: 0,
            last_byte: None,
            cursor: start,
        }
    }

    async fn run(
        &mut self,
        head: Bytes,
        rest: LogBytes,
        quiet: bool,
        writer: &mut TrailWriter<'_>,
    ) -> Result<FileOutcome, Stop> {
        let outcome = match self.stream(head, rest, writer).await {
            Ok(true) => self.end(quiet, writer).await,
            Ok(false) => Ok(FileOutcome::Overtaken),
            Err(stop) => Err(stop),
        };
        match outcome {
            // The file failed, and what came in before that stays.
            Err(Stop::File(_)) if !self.finish_storing(writer).await? => Ok(FileOutcome::Overtaken),
            outcome => outcome,
        }
    }

    /// Takes the whole file. False if somebody else archives it at the same time.
    async fn stream(
        &mut self,
        head: Bytes,
        mut rest: LogBytes,
        writer: &mut TrailWriter<'_>,
    ) -> Result<bool, Stop> {
        let mut next = Some(head);
        while let Some(chunk) = next {
            (self.collector.progress)(Progress::Bytes(chunk.len() as u64));
            if !self.take(&chunk, writer).await? {
                return Ok(false);
            }
            next = self.next(&mut rest).await?;
        }
        Ok(true)
    }

    /// Waits for the next chunk, and stores meanwhile.
    async fn next(&mut self, rest: &mut LogBytes) -> Result<Option<Bytes>, FileError> {
        let Some(storing) = self.storing.take() else { return Ok(rest.try_next().await?) };
        let (storing, next) = storing.during(rest.try_next()).await;
        self.storing = Some(storing);
        Ok(next?)
    }

    /// Takes a chunk of the file. False if somebody else archives this file at the same time.
    async fn take(&mut self, mut chunk: &[u8], writer: &mut TrailWriter<'_>) -> Result<bool, Stop> {
        self.last_byte = chunk.last().copied().or(self.last_byte);
        while !chunk.is_empty() {
            let taken = if self.position < self.archived {
                let taken = self.prefix.take(chunk);
                if taken == 0 || self.position + taken as u64 == self.archived && !self.prefix.is_unchanged()
                {
                    return Err(self.changed().into());
                }
                taken
            } else {
                self.segment.push(chunk).await.map_err(|cause| compress_error(self.selected, cause))?
            };
            self.frame(&chunk[..taken]);
            self.position += taken as u64;
            chunk = &chunk[taken..];
            if self.segment.is_full() && !self.store_segment(self.framed_to(), writer).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives the framer what lies after the last record that was complete before.
    fn frame(&mut self, chunk: &[u8]) {
        let skip = usize::try_from(self.framed_from.saturating_sub(self.position)).unwrap_or(usize::MAX);
        if let Some(unframed) = chunk.get(skip..) {
            self.framer.push(unframed);
        }
    }

    fn framed_to(&self) -> u64 {
        self.framed_from + self.framer.complete_to()
    }

    async fn end(&mut self, quiet: bool, writer: &mut TrailWriter<'_>) -> Result<FileOutcome, Stop> {
        let end = (self.position, self.last_byte.as_ref());
        let settled = self.has_checksum || has_ended(self.collector, self.selected, quiet, end);
        if self.position < self.archived {
            // A transfer may end early, and a listing be late; a file that has long been as short as it came is another one.
            let (log, archived) = (self.selected.log.name.clone(), self.archived);
            return Err(if settled { self.changed() } else { FileError::Shrunk { log, archived } }.into());
        }
        let complete_to = self.framed_from + self.framer.finish(settled);
        if !self.finish_storing(writer).await? {
            return Ok(FileOutcome::Overtaken);
        }
        self.cursor.settled = settled;
        let first = if self.segment.is_empty() {
            let before = Reached::by(&self.cursor);
            self.advance(None, complete_to);
            let known = writer.cursors().get(&self.cursor.key());
            let same = known.is_some_and(|known| *known == self.cursor);
            same || writer.step(before, None, self.cursor.clone()).await?
        } else {
            self.store_segment(complete_to, writer).await? && self.finish_storing(writer).await?
        };
        let bytes = self.cursor.offset - self.archived;
        if first {
            writer.sightings().go_on(&self.cursor.key());
        }
        Ok(if first { FileOutcome::Archived { bytes } } else { FileOutcome::Overtaken })
    }

    /// Begins to store the segment in the making, once the one before it is stored. False if somebody else archived that one.
    async fn store_segment(&mut self, complete_to: u64, writer: &mut TrailWriter<'_>) -> Result<bool, Stop> {
        let segment = self.segment.finish().await.map_err(|cause| compress_error(self.selected, cause))?;
        if !self.finish_storing(writer).await? {
            return Ok(false);
        }
        let (archive, cursor) = (self.collector.archive, self.cursor.clone());
        self.storing = Some(Storing::new(archive, self.instance, cursor, segment, complete_to));
        Ok(true)
    }

    /// Waits for the segment that is being stored, and hands it to the trail. False if somebody else archived it.
    async fn finish_storing(&mut self, writer: &mut TrailWriter<'_>) -> Result<bool, Stop> {
        let Some(storing) = self.storing.take() else { return Ok(true) };
        let complete_to = storing.complete_to;
        let stored = match storing.stored().await {
            Ok(stored) => stored,
            Err(error @ ArchiveError::Incident { .. }) => return Err(FileError::Incident(error).into()),
            Err(error) => return Err(CollectError::from(TrailError::from(error)).into()),
        };
        let leaf = self.leaf(&stored, complete_to);
        let before = Reached::by(&self.cursor);
        self.advance(Some(leaf.clone()), complete_to);
        Ok(writer.step(before, Some(leaf), self.cursor.clone()).await?)
    }

    fn advance(&mut self, leaf: Option<SegmentLeaf>, complete_to: u64) {
        let cursor = &mut self.cursor;
        cursor.log.clone_from(&self.selected.log.name);
        cursor.listed = listed(&self.selected.log);
        cursor.complete_to = complete_to;
        if let Some(leaf) = &leaf {
            cursor.offset = leaf.to;
            cursor.cuts.push(leaf.to);
            cursor.chain = chain(&cursor.chain, &leaf.raw_sha256);
        }
        cursor.unfinished.extend(leaf);
        cursor.unfinished.retain(|segment| segment.to > complete_to);
    }

    fn leaf(&self, stored: &Stored, complete_to: u64) -> SegmentLeaf {
        SegmentLeaf {
            log: self.selected.log.name.clone(),
            family: self.cursor.family.clone(),
            generation: self.cursor.generation.clone(),
            from: stored.from,
            to: stored.to,
            complete_to,
            raw_sha256: stored.raw_sha256,
            object: stored.name.clone(),
            object_sha256: stored.object_sha256,
            object_size: stored.object_size,
            frames: stored.frames,
            format: self.cursor.format.clone(),
            received: self.received,
        }
    }

    fn changed(&self) -> FileError {
        FileError::Changed { log: self.selected.log.name.clone(), archived: self.archived }
    }
}

fn compress_error(selected: &Selected, cause: std::io::Error) -> CollectError {
    CollectError::Compress { log: selected.log.name.clone(), cause }
}
