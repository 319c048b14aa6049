//! The growing end of a trail during a pass: gathers stored segments, and commits them with what else there is to say.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use auditkeep_archive::commit::{Cursor, Source};
use auditkeep_archive::control::{ControlLeaf, Event};
use auditkeep_archive::leaf::{Leaf, SegmentLeaf};
use auditkeep_archive::trail::{self, Addition, Append, Head, Stamp};
use jiff::Timestamp;

use super::control::{self, Known, Replaced};
use super::selection::{self, Listing, Selected};
use super::sightings::{Sightings, is_whole};
use super::{CollectError, Collector, FileOutcome, FilePass};
use crate::source::{LogFile, SourceKind};

/// Raw bytes that one commit covers, about: what `derive` holds in memory at once.
const COMMIT_BYTES: u64 = 64 << 20;

pub(super) struct TrailWriter<'a> {
    collector: &'a Collector<'a>,
    source: Source,
    trail: String,
    head: Option<Head>,
    /// Gaps that were open before the pass looked at any file.
    gaps_before: BTreeSet<String>,
    /// The audit logs that the pass found.
    listed: Vec<Listing>,
    /// As the last commit has them, with what is pending.
    cursors: BTreeMap<String, Cursor>,
    pending: Vec<Pending>,
    pending_bytes: u64,
    /// Cursor keys of files that another collector advanced meanwhile, and the names they were read under.
    overtaken: HashSet<String>,
    overtaken_logs: HashSet<String>,
    sightings: Sightings,
    /// By cursor key: files that begin like others.
    replaced: BTreeMap<String, Replaced>,
    /// Cursor keys of files that have vanished, with the cursors' offsets; known once the pass has looked at every file.
    vanished: BTreeMap<String, u64>,
    has_seen_all: bool,
    totals: Totals,
}

/// What the pass has added.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) new_bytes: u64,
    pub(super) commits: u64,
    pub(super) gaps_opened: Vec<String>,
    pub(super) logs_replaced: Vec<String>,
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
        let gaps = head.as_ref().map(|head| head.body.standing().gaps).unwrap_or_default();
        Self {
            collector,
            source,
            trail,
            head,
            gaps_before: gaps.into_keys().collect(),
            listed: selected.iter().map(Selected::listing).collect(),
            cursors,
            pending: Vec::new(),
            pending_bytes: 0,
            overtaken: HashSet::new(),
            overtaken_logs: HashSet::new(),
            sightings: Sightings::default(),
            replaced: BTreeMap::new(),
            vanished: BTreeMap::new(),
            has_seen_all: false,
            totals: Totals::default(),
        }
    }

    pub(super) fn cursors(&self) -> &BTreeMap<String, Cursor> {
        &self.cursors
    }

    pub(super) fn sightings(&mut self) -> &mut Sightings {
        &mut self.sightings
    }

    /// A file, with this cursor from its beginning on, begins like another one and goes on differently.
    pub(super) fn replace(&mut self, key: &str, log: &str, other: &Cursor) {
        let replaced = Replaced { log: log.to_owned(), cursor: other.key(), archived: other.offset };
        self.replaced.insert(key.to_owned(), replaced);
    }

    pub(super) fn recognise(&mut self, unchanged: &[LogFile]) {
        self.sightings.recognise(unchanged, &self.cursors);
    }

    /// The cursors whose file has vanished while it may still have had more, after every file was looked at.
    pub(super) fn vanished(&self) -> BTreeMap<String, u64> {
        let standing = self.head.as_ref().map(|head| head.body.standing()).unwrap_or_default();
        let mut vanished = self.sightings.vanished(self.cursors.iter());
        vanished.retain(|key, offset| !standing.gaps.contains_key(&control::gap_name(key, *offset)));
        vanished
    }

    pub(super) fn totals(self) -> Totals {
        self.totals
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
        if segment.is_some() {
            self.sightings.go_on(&key);
        }
        self.cursors.insert(key.clone(), cursor.clone());
        self.pending.push(Pending { before, segment, cursor });
        if self.pending_bytes >= COMMIT_BYTES {
            self.commit().await?;
        }
        Ok(!self.overtaken.contains(&key))
    }

    /// Commits what is left, and what can only be said after every file was looked at.
    pub(super) async fn finish(&mut self, vanished: BTreeMap<String, u64>) -> Result<(), CollectError> {
        self.vanished = vanished;
        self.has_seen_all = true;
        self.commit().await
    }

    /// Commits what is pending and what there is to say; with neither it does nothing.
    async fn commit(&mut self) -> Result<(), CollectError> {
        while let Some(addition) = self.addition() {
            let opened = texts_of(&addition.leaves, Event::GapOpened, "gap");
            let replaced = texts_of(&addition.leaves, Event::LogReplaced, "log");
            let key = self.collector.key;
            match trail::append(self.collector.archive, key, &self.trail, self.head.as_ref(), addition)
                .await?
            {
                Append::Done(head) => {
                    // Committed. A crash from here on loses nothing of it.
                    self.totals.new_bytes += self.pending_bytes;
                    self.totals.commits += 1;
                    self.totals.gaps_opened.extend(opened);
                    self.totals.logs_replaced.extend(replaced);
                    self.pending.clear();
                    self.pending_bytes = 0;
                    self.head = Some(head);
                }
                Append::Overtaken(head) => self.rebase(head),
            }
        }
        Ok(())
    }

    /// What is to follow the head; none if there is nothing.
    fn addition(&self) -> Option<Addition> {
        let now = (self.collector.now)();
        let controls = self.known(now).leaves(self.head.as_ref());
        // What somebody types at an import is no fact of the source until bytes came with it.
        let may_be_news = self.collector.kind == SourceKind::LogFiles;
        let is_news = may_be_news && controls.iter().any(control::is_news);
        if self.pending.is_empty() && !is_news {
            return None;
        }
        let mut cursors = self.kept_cursors(now, &controls);
        let mut leaves: Vec<Leaf> = controls.into_iter().map(Leaf::Control).collect();
        for pending in &self.pending {
            leaves.extend(pending.segment.clone().map(Leaf::Segment));
            cursors.insert(pending.cursor.key(), pending.cursor.clone());
        }
        let has_moved = self.head.as_ref().is_none_or(|head| head.body.cursors != cursors);
        if !is_news && !has_moved {
            // A file that was read under two names, while it rotated, may have come back to where it was.
            return None;
        }
        Some(Addition {
            stamp: Stamp { time: now, writer: self.collector.writer.to_owned() },
            source: self.source.clone(),
            leaves,
            cursors,
        })
    }

    fn known(&self, now: Timestamp) -> Known<'_> {
        Known {
            now,
            source: &self.source,
            writer: self.collector.writer,
            received: self.pending.iter().filter_map(|pending| pending.segment.as_ref()).collect(),
            gaps_before: &self.gaps_before,
            sightings: &self.sightings,
            replaced: &self.replaced,
            vanished: &self.vanished,
            silent_after: self.collector.silent_after.filter(|_| self.has_seen_all),
        }
    }

    /// The head's cursors, without those of files that have gone for good, and with the names that files were recognised under.
    fn kept_cursors(&self, now: Timestamp, controls: &[ControlLeaf]) -> BTreeMap<String, Cursor> {
        let Some(head) = &self.head else { return BTreeMap::new() };
        let mut cursors = head.body.cursors.clone();
        if self.collector.kind == SourceKind::LogFiles {
            let gaps = head.body.standing().gaps;
            let is_accounted_for = |key: &str, cursor: &Cursor| {
                let gap = control::gap_name(key, cursor.offset);
                is_whole(cursor)
                    || gaps.contains_key(&gap)
                    || controls.iter().any(|leaf| leaf.is(Event::GapOpened) && leaf.text("gap") == Some(&gap))
            };
            // Else each commit would carry a cursor for every file that there ever was.
            cursors.retain(|key, cursor| {
                !selection::is_gone(cursor, &self.listed, now.as_millisecond())
                    || !is_accounted_for(key, cursor)
            });
        }
        for (key, cursor) in &mut cursors {
            // No news by itself, but when the file has vanished its name tells whether it could still grow.
            if let Some(name) = self.sightings.recognised(key, cursor) {
                cursor.log = name.to_owned();
            }
        }
        cursors
    }

    /// Another collector wrote the next commit. What it did not touch is kept; its bytes are the same as ours, so what it
    /// did touch is dropped.
    fn rebase(&mut self, head: Head) {
        self.cursors.clone_from(&head.body.cursors);
        for pending in std::mem::take(&mut self.pending) {
            let key = pending.cursor.key();
            if pending.segment.is_none() && self.cursors.get(&key) == Some(&pending.cursor) {
                // The other one has said it.
                continue;
            }
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

/// What the leaves of one event say of one thing.
fn texts_of(leaves: &[Leaf], event: Event, detail: &str) -> Vec<String> {
    let controls = leaves.iter().filter_map(Leaf::control).filter(|leaf| leaf.is(event));
    controls.filter_map(|leaf| leaf.text(detail)).map(str::to_owned).collect()
}

fn reached(cursors: &BTreeMap<String, Cursor>, key: &str) -> Reached {
    cursors.get(key).map(Reached::by).unwrap_or_default()
}
