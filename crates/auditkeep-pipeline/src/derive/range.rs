//! The bytes of which one commit makes records: of each log file, those that became whole with it.
//!
//! They begin where the commit before ended, which may be in a segment of that one or of an earlier one. Bytes are given out only after
//! their hashes were found right. Does not read records.

use std::collections::BTreeMap;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::commit::{Body, Cursor};
use auditkeep_archive::leaf::SegmentLeaf;
use auditkeep_archive::segment;
use auditkeep_core::engine::Engine;
use auditkeep_core::event::columns::RowContext;
use auditkeep_core::format::Format;

use super::DeriveError;

/// Of each file of which events are derived, what the commit makes whole. `before` has the cursors of the commit before.
pub(super) fn ranges<'a>(
    body: &'a Body,
    before: &'a BTreeMap<String, Cursor>,
) -> impl Iterator<Item = Range<'a>> {
    body.cursors.iter().filter_map(|(key, cursor)| {
        let known = before.get(key);
        let from = known.map_or(0, |known| known.complete_to);
        (cursor.complete_to > from && !cursor.evidence_only).then_some(Range { body, cursor, known, from })
    })
}

/// The complete records that one commit adds to one file.
pub(super) struct Range<'a> {
    pub(super) body: &'a Body,
    pub(super) cursor: &'a Cursor,
    /// The cursor in the commit before, which names the segments that hold the beginning of the first record.
    known: Option<&'a Cursor>,
    pub(super) from: u64,
}

impl Range<'_> {
    /// The segments that hold the range, without hole.
    pub(super) fn segments(&self) -> Result<Vec<SegmentLeaf>, DeriveError> {
        let bytes = self.from..self.cursor.complete_to;
        self.body.segments_of(&self.cursor.key(), self.known, &bytes).ok_or_else(|| self.no_bytes())
    }

    pub(super) async fn read(
        &self,
        archive: &Archive,
        segments: &[SegmentLeaf],
    ) -> Result<Vec<u8>, DeriveError> {
        let mut raw = Vec::new();
        for leaf in segments {
            raw.extend(segment::read(archive, leaf).await?);
        }
        let start = segments.first().map_or(self.from, |leaf| leaf.from);
        let skip = usize::try_from(self.from - start).unwrap_or(usize::MAX);
        let end = usize::try_from(self.cursor.complete_to - start).unwrap_or(usize::MAX);
        raw.truncate(end);
        if skip > raw.len() {
            return Err(self.no_bytes());
        }
        Ok(raw.split_off(skip))
    }

    pub(super) fn context(&self, segments: &[SegmentLeaf]) -> Result<RowContext, DeriveError> {
        let source = &self.body.source;
        let engine: Engine = source.engine.parse().map_err(|cause| DeriveError::UnknownEngine {
            trail: self.body.trail.clone(),
            commit: self.body.number,
            cause,
        })?;
        let received = segments.last().map_or(self.body.time, |leaf| leaf.received);
        Ok(RowContext {
            account: source.account.clone(),
            region: source.region.clone(),
            engine,
            cluster: source.cluster.clone(),
            instance: source.instance.clone(),
            resource_id: source.resource_id.clone(),
            trail: self.body.trail.clone(),
            commit_number: self.body.number,
            received_at_us: received.as_microsecond(),
        })
    }

    pub(super) fn format(&self) -> Result<Format, DeriveError> {
        self.cursor.format.parse().map_err(|_| DeriveError::UnknownFormat {
            trail: self.body.trail.clone(),
            commit: self.body.number,
            format: self.cursor.format.clone(),
        })
    }

    fn no_bytes(&self) -> DeriveError {
        DeriveError::NoBytes {
            trail: self.body.trail.clone(),
            commit: self.body.number,
            log: self.cursor.log.clone(),
            from: self.from,
            to: self.cursor.complete_to,
        }
    }
}
