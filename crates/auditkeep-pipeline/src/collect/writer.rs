//! The growing end of a trail during a pass: gathers stored segments and commits them.

use std::collections::{BTreeMap, HashSet};

use auditkeep_archive::commit::{Cursor, Source};
use auditkeep_archive::control::Event;
use auditkeep_archive::leaf::{Leaf, SegmentLeaf};
use auditkeep_archive::trail::{self, Addition, Append, Head};

use super::selection::{self, Listing, Selected};
use super::{CollectError, Collector, FileOutcome, FilePass};
use crate::source::SourceKind;

/// Raw bytes that one commit covers, about: what `derive` holds in memory at once.
const COMMIT_BYTES: u64 = 64 << 20;

pub(super) struct TrailWriter<'a> {
    collector: &'a Collector<'a>,
    source: Source,
    trail: String,
    head: Option<Head>,
    /// The audit logs that the pass found.
    listed: Vec<Listing>,
    /// As the last commit has them, with what is pending.
    cursors: BTreeMap<String, Cursor>,
    pending: Vec<Pending>,
    pending_bytes: u64,
    /// Cursor keys of files that another collector advanced meanwhile, and the names they were read under.
    overtaken: HashSet<String>,
    overtaken_logs: HashSet<String>,
    new_bytes: u64,
    commits: u64,
}

/// How far a cursor has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    offset: u64,
    complete_to: u64,
}

impl Reached {
    pub(super) fn by(cursor: &Cursor) -> Self {
        Self { offset: cursor.offset, complete_to: cursor.complete_to }
    }
}

/// A step of one file's cursor, with the segment that it covers, if there is one.
struct Pending {
    /// Where the step begins; it fits nowhere else.
    before: Reached,
    segment: Option<SegmentLeaf>,
    cursor: Cursor,
}

impl<'a> TrailWriter<'a> {
    pub(super) fn new(
        collector: &'a Collector<'a>,
        source: Source,
        trail: String,
        head: Option<Head>,
        selected: &[Selected],
    ) -> Self {
        let cursors = head.as_ref().map(|head| head.body.cursors.clone()).unwrap_or_default();
        Self {
            collector,
            source,
            trail,
            head,
            listed: selected.iter().map(Selected::listing).collect(),
            cursors,
            pending: Vec::new(),
            pending_bytes: 0,
            overtaken: HashSet::new(),
            overtaken_logs: HashSet::new(),
            new_bytes: 0,
            commits: 0,
        }
    }

    pub(super) fn cursors(&self) -> &BTreeMap<String, Cursor> {
        &self.cursors
    }

    pub(super) fn totals(&self) -> (u64, u64) {
        (self.new_bytes, self.commits)
    }

    /// Takes a step of a file. False if another collector was faster with this file: stop reading it.
    pub(super) async fn step(
        &mut self,
        before: Reached,
        segment: Option<SegmentLeaf>,
        cursor: Cursor,
    ) -> Result<bool, CollectError> {
        let key = cursor.key();
        if self.overtaken.contains(&key) || reached(&self.cursors, &key) != before {
            self.overtaken_logs.insert(cursor.log);
            self.overtaken.insert(key);
            return Ok(false);
        }
        self.pending_bytes += cursor.offset - before.offset;
        self.cursors.insert(key.clone(), cursor.clone());
        self.pending.push(Pending { before, segment, cursor });
        if self.pending_bytes >= COMMIT_BYTES {
            self.commit().await?;
        }
        Ok(!self.overtaken.contains(&key))
    }

    /// Commits what is pending; with nothing pending it does nothing.
    pub(super) async fn commit(&mut self) -> Result<(), CollectError> {
        while !self.pending.is_empty() {
            let addition = self.addition();
            let key = self.collector.key;
            match trail::append(self.collector.archive, key, &self.trail, self.head.as_ref(), addition)
                .await?
            {
                Append::Done(head) => {
                    // Committed. A crash from here on loses nothing of it.
                    self.new_bytes += self.pending_bytes;
                    self.commits += 1;
                    self.pending.clear();
                    self.pending_bytes = 0;
                    self.head = Some(head);
                }
                Append::Overtaken(head) => self.rebase(head),
            }
        }
        Ok(())
    }

    fn addition(&self) -> Addition {
        let now = (self.collector.now)();
        let mut cursors = self.head.as_ref().map(|head| head.body.cursors.clone()).unwrap_or_default();
        if self.collector.kind == SourceKind::LogFiles {
            // Else each commit would carry a cursor for every file that there ever was.
            cursors.retain(|_, cursor| !selection::is_gone(cursor, &self.listed, now.as_millisecond()));
        }
        let started = Leaf::Control(Event::SourceStarted.at(now));
        let mut leaves: Vec<Leaf> = self.head.is_none().then_some(started).into_iter().collect();
        for pending in &self.pending {
            leaves.extend(pending.segment.clone().map(Leaf::Segment));
            cursors.insert(pending.cursor.key(), pending.cursor.clone());
        }
        Addition {
            time: now,
            writer: self.collector.writer.to_owned(),
            source: self.source.clone(),
            leaves,
            cursors,
        }
    }

    /// Another collector wrote the next commit. What it did not touch is kept; its bytes are the same as ours, so what it
    /// did touch is dropped.
    fn rebase(&mut self, head: Head) {
        self.cursors.clone_from(&head.body.cursors);
        for pending in std::mem::take(&mut self.pending) {
            let key = pending.cursor.key();
            if reached(&self.cursors, &key) == pending.before && !self.overtaken.contains(&key) {
                self.cursors.insert(key, pending.cursor.clone());
                self.pending.push(pending);
            } else {
                self.overtaken_logs.insert(pending.cursor.log.clone());
                self.overtaken.insert(key);
            }
        }
        self.pending_bytes =
            self.pending.iter().map(|pending| pending.cursor.offset - pending.before.offset).sum();
        self.head = Some(head);
    }

    /// Files that were read before it was known that somebody else had committed them.
    pub(super) fn correct(&self, passes: &mut [FilePass]) {
        for pass in passes {
            if self.overtaken_logs.contains(&pass.log) && matches!(pass.outcome, FileOutcome::Archived { .. })
            {
                pass.outcome = FileOutcome::Overtaken;
            }
        }
    }
}

fn reached(cursors: &BTreeMap<String, Cursor>, key: &str) -> Reached {
    cursors.get(key).map(Reached::by).unwrap_or_default()
}
