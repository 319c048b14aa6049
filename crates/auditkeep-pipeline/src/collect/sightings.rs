//! Which generations a pass came across, and which of those that the trail follows have vanished unread.
//!
//! Names say nothing here: rotation gives a file another one, and another file its name. A generation was seen if a file was
//! read that begins like it, or was recognised by size and time. It has vanished only if every file that could be it is
//! known to be another one. Does no IO.

use std::collections::{BTreeMap, BTreeSet};

use auditkeep_archive::commit::Cursor;

use super::selection::{self, family};
use crate::source::LogFile;

#[derive(Debug, Default)]
pub(super) struct Sightings {
    /// Cursor keys.
    seen: BTreeSet<String>,
    /// Families with a file of which nobody knows what is in it: it may be the one that is missed.
    unknown: BTreeSet<String>,
    /// Files that were recognised without reading, by cursor key.
    recognised: BTreeMap<String, LogFile>,
    /// Cursor keys of files from which reading went on.
    continued: BTreeSet<String>,
}

impl Sightings {
    pub(super) fn see(&mut self, key: &str) {
        self.seen.insert(key.to_owned());
    }

    /// One of the family's files could not be told apart from the others.
    pub(super) fn miss(&mut self, family: &str) {
        self.unknown.insert(family.to_owned());
    }

    /// Reading the file went on where the archive ends, be it with nothing new.
    pub(super) fn go_on(&mut self, key: &str) {
        self.continued.insert(key.to_owned());
    }

    /// Files that needed no reading.
    pub(super) fn recognise(&mut self, unchanged: &[LogFile], cursors: &BTreeMap<String, Cursor>) {
        for (key, log) in selection::recognise(unchanged, cursors) {
            self.go_on(&key);
            self.see(&key);
            self.recognised.insert(key, log);
        }
    }

    /// Whether the file of that cursor was there, and reading it went on.
    pub(super) fn goes_on(&self, key: &str) -> bool {
        self.continued.contains(key)
    }

    /// The name under which a file was recognised that is the same as when the cursor was left.
    pub(super) fn recognised(&self, key: &str, cursor: &Cursor) -> Option<&str> {
        let log = self.recognised.get(key)?;
        (cursor.settled && cursor.listed == selection::listed(log)).then_some(log.name.as_str())
    }

    /// The cursors whose file has vanished while it may still have had more, with their offsets.
    pub(super) fn vanished<'a>(
        &self,
        cursors: impl Iterator<Item = (&'a String, &'a Cursor)>,
    ) -> BTreeMap<String, u64> {
        cursors
            .filter(|(key, cursor)| !self.seen.contains(*key) && !self.unknown.contains(&cursor.family))
            .filter(|(_, cursor)| !is_whole(cursor))
            .map(|(key, cursor)| (key.clone(), cursor.offset))
            .collect()
    }
}

/// Whether the file was read to an end behind which nothing can have been written.
///
/// A file that was renamed is not written to any more. One that has its live name still is, however long it was quiet: what is
/// quiet may grow, be renamed and be deleted between two passes. A file whose name states a time is left behind by its writer. One that
/// is compressed has its end in it.
pub(super) fn is_whole(cursor: &Cursor) -> bool {
    if selection::is_compressed(&cursor.log) {
        cursor.settled
    } else if is_renamed(cursor) {
        cursor.offset == cursor.listed.size
    } else {
        cursor.settled && !selection::is_renamed_by_rotation(&cursor.family)
    }
}

/// Whether the file was last seen under a name that rotation gave it.
pub(super) fn is_renamed(cursor: &Cursor) -> bool {
    cursor.log != cursor.family && !selection::is_compressed(&cursor.log)
}

/// Whether two listings show a family's files in the same places: nothing was rotated or deleted between them, so that what was
/// read between them are the files that were listed.
pub(super) fn is_unmoved(of: &str, before: &[LogFile], after: &[LogFile]) -> bool {
    let files = |listing: &[LogFile]| -> BTreeMap<String, (u64, i64)> {
        let of_family = listing.iter().filter(|log| family(&log.name) == of);
        of_family.map(|log| (log.name.clone(), (log.size, log.last_written_ms))).collect()
    };
    let (before, after) = (files(before), files(after));
    before.len() == after.len()
        && before.iter().zip(&after).all(|((name, was), (same_name, is))| {
            let has_grown = name == of && is.0 >= was.0 && is.1 >= was.1;
            name == same_name && (is == was || has_grown)
        })
}

#[cfg(test)]
mod tests {
    use auditkeep_archive::commit::{CHAIN_START, Listed};

    use super::*;

    const LIVE: &str = "audit/server_audit.log";

    fn log(name: &str, size: u64, second: i64) -> LogFile {
        LogFile { name: name.to_owned(), size, last_written_ms: second * 1000 }
    }

    fn cursor(log: &str, offset: u64, size: u64, settled: bool) -> Cursor {
        Cursor {
            log: log.to_owned(),
            family: family(log).to_owned(),
            generation: "0".repeat(16),
            format: "server-audit".to_owned(),
            day: "undated".to_owned(),
            offset,
            complete_to: offset,
            cuts: vec![offset],
            chain: CHAIN_START,
            unfinished: Vec::new(),
            listed: Listed { size, last_written_ms: 0 },
            settled,
            evidence_only: false,
        }
    }

    #[test]
    fn what_may_have_had_more() {
        let (renamed, dated) = (format!("{LIVE}.1"), "error/postgresql.log.2026-11-21-04");
        let zipped = format!("{dated}.gz");
        for (log, offset, settled, whole) in [
            (LIVE, 9, false, false),
            (LIVE, 9, true, false),
            (renamed.as_str(), 9, false, true),
            (renamed.as_str(), 8, false, false),
            (dated, 9, false, false),
            (dated, 9, true, true),
            (zipped.as_str(), 100, true, true),
            (zipped.as_str(), 9, false, false),
        ] {
            assert_eq!(is_whole(&cursor(log, offset, 9, settled)), whole, "{log} {offset} {settled}");
        }
    }

    #[test]
    fn a_family_that_moved() {
        let renamed = format!("{LIVE}.1");
        let before = [log(LIVE, 5, 10), log(&renamed, 9, 5), log("error/other", 1, 1)];
        let live = |size, second| is_unmoved(LIVE, &before, &[log(&renamed, 9, 5), log(LIVE, size, second)]);
        assert!(live(5, 10) && live(6, 11));
        assert!(!live(4, 11) && !live(5, 9), "another file has the name");
        assert!(!is_unmoved(LIVE, &before, &[log(LIVE, 5, 10), log(&renamed, 9, 6)]));
        assert!(!is_unmoved(LIVE, &before, &[log(LIVE, 5, 10)]));
        assert!(!is_unmoved(LIVE, &before, &[]));
        assert!(is_unmoved("gone", &before, &[]));
    }
}
