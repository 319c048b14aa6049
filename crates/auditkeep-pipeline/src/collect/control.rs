//! What a pass has to say of a trail that is not bytes: the control leaves of its commits (`docs/spec/archive.md`, §4.1).
//!
//! Everything is decided against the commit that the leaves will follow, so that whoever is overtaken by another collector
//! decides anew, and nothing is said twice. Does no IO.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use auditkeep_archive::commit::{Cursor, Source};
use auditkeep_archive::control::{ControlLeaf, Event};
use auditkeep_archive::leaf::SegmentLeaf;
use auditkeep_archive::standing::{Standing, State};
use auditkeep_archive::trail::Head;
use jiff::Timestamp;

use super::sightings::{Sightings, is_renamed, is_whole};

/// What a pass knows when it writes a commit.
pub(super) struct Known<'a> {
    pub(super) now: Timestamp,
    pub(super) source: &'a Source,
    pub(super) writer: &'a str,
    /// The commit's segments.
    pub(super) received: Vec<&'a SegmentLeaf>,
    /// Gaps that were open before the pass looked at any file.
    pub(super) gaps_before: &'a BTreeSet<String>,
    pub(super) sightings: &'a Sightings,
    /// By cursor key: files that begin like others.
    pub(super) replaced: &'a BTreeMap<String, Replaced>,
    /// Cursor keys of files that have vanished, and the offsets of the cursors then.
    pub(super) vanished: &'a BTreeMap<String, u64>,
    /// Once the pass has seen everything: after how long without bytes the source counts as silent.
    pub(super) silent_after: Option<Duration>,
}

/// A log file that begins like another one and goes on differently, or has less.
pub(super) struct Replaced {
    pub(super) log: String,
    /// The key of the other one's cursor, and how much of it is archived.
    pub(super) cursor: String,
    pub(super) archived: u64,
}

impl Known<'_> {
    /// What there is to say after that commit, in the order of the leaves.
    pub(super) fn leaves(&self, head: Option<&Head>) -> Vec<ControlLeaf> {
        let Some(head) = head else { return vec![Event::SourceStarted.at(self.now)] };
        let standing = head.body.standing();
        let mut leaves = self.configuration(head);
        leaves.extend(self.resumed(&standing));
        leaves.extend(self.replaced(head));
        leaves.extend(self.closed(&standing));
        leaves.extend(self.opened(head, &standing));
        leaves.extend(self.silent(head, &standing));
        leaves
    }

    fn configuration(&self, head: &Head) -> Vec<ControlLeaf> {
        let (was, is) = (&head.body.source, self.source);
        [
            ("instance", Some(&was.instance), Some(&is.instance)),
            ("engine", Some(&was.engine), Some(&is.engine)),
            ("cluster", was.cluster.as_ref(), is.cluster.as_ref()),
            (WRITER, Some(&head.body.writer), Some(&self.writer.to_owned())),
        ]
        .into_iter()
        .filter(|(_, before, after)| before != after)
        .map(|(what, before, after)| {
            let leaf = Event::ConfigurationChanged.at(self.now).with("what", what);
            leaf.with_some("before", before).with_some("after", after)
        })
        .collect()
    }

    fn resumed(&self, standing: &Standing) -> Option<ControlLeaf> {
        let was_away = matches!(standing.state, Some(State::Silent | State::Stopped));
        (!self.received.is_empty() && was_away).then(|| Event::SourceResumed.at(self.now))
    }

    /// Said where the first bytes of such a file come, unless another collector has been there first.
    fn replaced(&self, head: &Head) -> Vec<ControlLeaf> {
        let is_new = |key: &String| {
            let mut received = self.received.iter();
            !head.body.cursors.contains_key(key) && received.any(|leaf| leaf.cursor_key() == *key)
        };
        let replaced = self.replaced.iter().filter(|(key, _)| is_new(key));
        let leaf = |(key, replaced): (&String, &Replaced)| {
            let leaf = Event::LogReplaced.at(self.now).with("log", &replaced.log).with("as", key);
            leaf.with("cursor", &replaced.cursor).with("archived", replaced.archived)
        };
        replaced.map(leaf).collect()
    }

    fn closed(&self, standing: &Standing) -> Vec<ControlLeaf> {
        let closed = standing.gaps.keys().filter_map(|gap| Some((gap, self.how_closed(gap)?)));
        closed.map(|(gap, how)| Event::GapClosed.at(self.now).with("gap", gap).with("how", how)).collect()
    }

    /// Why a gap is one no more: the file was seen again after it was opened, or what it is said to lack is here. Another
    /// collector may open one while this pass runs, and what this one saw before says nothing of what was written and deleted since.
    fn how_closed(&self, gap: &str) -> Option<&'static str> {
        let key = cursor_of(gap);
        let is_of_file = |leaf: &&SegmentLeaf| leaf.cursor_key() == key;
        match self.sightings.goes_on(key) {
            true if self.gaps_before.contains(gap) => Some("the file was seen again"),
            true if self.received.iter().any(is_of_file) => Some("more of the file had been read before"),
            _ => None,
        }
    }

    /// The gaps that are to be opened, unless they are open, or another collector has come further with the file meanwhile.
    fn opened(&self, head: &Head, standing: &Standing) -> Vec<ControlLeaf> {
        let mut opened = Vec::new();
        for (key, offset) in self.vanished {
            let gap = gap_name(key, *offset);
            let cursor = head.body.cursors.get(key);
            let cursor = cursor.filter(|cursor| cursor.offset == *offset && !is_whole(cursor));
            if let Some(cursor) = cursor.filter(|_| !standing.gaps.contains_key(&gap)) {
                opened.push(self.gap(&gap, key, cursor));
            }
        }
        opened
    }

    fn gap(&self, gap: &str, key: &str, cursor: &Cursor) -> ControlLeaf {
        // Only of a file that is not written to any more does the listing say where it ends.
        let end = Some(cursor.listed.size).filter(|size| is_renamed(cursor) && *size > cursor.offset);
        let leaf = Event::GapOpened.at(self.now).with("gap", gap).with("cursor", key);
        leaf.with("log", &cursor.log).with("from", cursor.offset).with_some("to", end).with(
            "cause",
            "the source does not have the file any more, and it may have held more than was read",
        )
    }

    fn silent(&self, head: &Head, standing: &Standing) -> Option<ControlLeaf> {
        let after = self
            .silent_after
            .filter(|_| self.received.is_empty() && standing.state == Some(State::Started))?;
        // Format 1 did not say when bytes were last received.
        let since = standing.received.unwrap_or(head.body.time);
        let silence = Duration::try_from(self.now.duration_since(since)).ok()?;
        (silence >= after).then(|| {
            let leaf = Event::SourceSilent.at(self.now).with("since", since);
            leaf.with("after_seconds", after.as_secs())
        })
    }
}

const WRITER: &str = "writer";

/// Whether a commit is made for it, where there are no bytes. That another version of the program found nothing new is no news.
pub(super) fn is_news(leaf: &ControlLeaf) -> bool {
    let tells_the_writer = leaf.is(Event::ConfigurationChanged) && leaf.text("what") == Some(WRITER);
    !leaf.is(Event::SourceStarted) && !tells_the_writer
}

/// The name of the gap that begins at that offset.
pub(super) fn gap_name(key: &str, offset: u64) -> String {
    format!("{key}@{offset}")
}

/// The cursor's key in the name of a gap.
fn cursor_of(gap: &str) -> &str {
    gap.rsplit_once('@').map_or(gap, |(key, _)| key)
}
