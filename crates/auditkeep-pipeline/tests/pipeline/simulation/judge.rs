//! What must be true at the end of a history, whatever happened in it.

use std::collections::{BTreeMap, BTreeSet};

use auditkeep_archive::commit::{Body, Cursor};
use auditkeep_archive::control::Event;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::standing::{Standing, State};

use super::database::Database;
use crate::logs::File;
use crate::records::Grammar;
use crate::table::{RecordingTable, Row};
use crate::world::{World, assert_rows, key_of};

/// The archive holds what was exposed, each byte once, without the ends of deleted files; each such end of a file that the
/// archive had begun is named by an open gap, and no other gap is open. Each record that was archived whole is one event.
/// Unless listings hid files, no gap was ever opened for a file that was there. So none was closed, but by a collector that had read
/// on before the file was deleted.
///
/// Returns the names of the control events that happened.
pub async fn judge(
    world: &World,
    database: &Database,
    table: &RecordingTable,
    rebuild: bool,
    hides: bool,
) -> BTreeSet<String> {
    world.assert_verified().await;
    let commits = world.commits().await;
    let happened = judge_records(&commits);
    let archived = world.archived_by(&commits).await;
    let last = commits.last();
    let (gaps, cursors) = last.map(|body| (body.standing().gaps, body.cursors.clone())).unwrap_or_default();
    let gaps: BTreeSet<String> = gaps.into_keys().collect();
    let (there, deleted) = (database.files(), database.deleted());

    let closed: Vec<&str> = commits.iter().flat_map(closed_without_bytes).collect();
    assert!(hides || closed.is_empty(), "gaps were opened for files that were there: {closed:?}");
    let mut explained = BTreeSet::new();
    let mut known = BTreeSet::new();
    for file in there.iter().filter(|file| file.shown > 0) {
        let key = key_of(file);
        let bytes = archived.get(&key).map(Vec::as_slice);
        assert!(
            bytes == Some(file.exposed()),
            "`{}` ({key}): {:?} bytes archived of {}",
            file.name,
            bytes.map(<[u8]>::len),
            file.shown
        );
        known.insert(key);
    }
    for file in &deleted {
        let key = key_of(file);
        explained.extend(judge_deleted(file, &key, archived.get(&key), cursors.get(&key), &gaps));
        known.insert(key);
    }
    let strange: Vec<&String> = archived.keys().filter(|key| !known.contains(*key)).collect();
    assert!(strange.is_empty(), "nobody wrote {strange:?}");
    assert_eq!(gaps, explained, "open gaps");

    world.derive(table).await;
    let events = table.events();
    if rebuild {
        let rebuilt = RecordingTable::default();
        world.derive(&rebuilt).await;
        assert_rows(&events, &rebuilt.events(), "in steps and at once");
    }
    assert_rows(&events, &expected_events(world, &there, &deleted, &cursors), "events");
    assert!(table.problems().is_empty());
    happened
}

/// The gaps that a commit closes without bytes of their files.
fn closed_without_bytes(body: &Body) -> impl Iterator<Item = &str> {
    let closed = body.leaves.iter().filter_map(Leaf::control).filter(|leaf| leaf.is(Event::GapClosed));
    closed.filter_map(|leaf| leaf.text("gap")).filter(|gap| {
        let mut segments = body.leaves.iter().filter_map(Leaf::segment);
        !segments.any(|leaf| *gap == format!("{}@{}", leaf.cursor_key(), leaf.from))
    })
}

/// Each control leaf says something that was not so before, and each commit says something.
fn judge_records(commits: &[Body]) -> BTreeSet<String> {
    let mut happened = BTreeSet::new();
    let mut before = Standing::default();
    for body in commits {
        let receives = body.leaves.iter().any(|leaf| leaf.segment().is_some());
        let mut is_news = receives || body.number == 1;
        for leaf in &body.leaves {
            let Some(control) = leaf.control() else { continue };
            let gap = control.text("gap").unwrap_or_default();
            let is_right = match control.event.parse().unwrap() {
                Event::SourceStarted => body.number == 1 && before.state.is_none(),
                Event::SourceSilent => !receives && before.state == Some(State::Started),
                Event::SourceStopped => before.state != Some(State::Stopped),
                Event::SourceResumed => receives && before.state != Some(State::Started),
                Event::GapOpened => !before.gaps.contains_key(gap),
                Event::GapClosed => before.gaps.contains_key(gap),
                Event::ClockWentBack => true,
                _ => false,
            };
            assert!(is_right, "commit {}: {control:?} after {before:?}", body.number);
            happened.insert(control.event.clone());
            is_news |= !control.is(Event::ClockWentBack);
            before = before.after(body.number, std::slice::from_ref(leaf));
        }
        let of_cursors = commits.get(usize::try_from(body.number).unwrap().wrapping_sub(2));
        is_news |= of_cursors.is_some_and(|previous| previous.cursors != body.cursors);
        assert!(is_news, "commit {} says nothing: {:?}", body.number, body.leaves);
        before = body.standing();
        assert!(!receives || before.state == Some(State::Started), "commit {}: {before:?}", body.number);
    }
    happened
}

/// The name of the gap that must be open, or may be, if it is.
fn judge_deleted(
    file: &File,
    key: &str,
    archived: Option<&Vec<u8>>,
    cursor: Option<&Cursor>,
    gaps: &BTreeSet<String>,
) -> Option<String> {
    // Of a file that came and went between two passes nobody can know.
    let archived = archived?;
    assert!(file.exposed().starts_with(archived), "`{}` ({key}): the bytes differ", file.name);
    let gap = format!("{key}@{}", archived.len());
    // The writer of a file with a time in its name is taken to have left it when it was quiet for long.
    let was_left = file.grammar != Grammar::ServerAudit && cursor.is_some_and(|cursor| cursor.settled);
    let is_lost = archived.len() < file.shown && !was_left;
    assert!(
        !is_lost || gaps.contains(&gap),
        "`{}`: {gap} is not open; open are {gaps:?}; {cursor:?}",
        file.name
    );
    // Bytes may have been lost without there being any, but not if the file was seen to have ended.
    gaps.contains(&gap).then_some(gap)
}

fn expected_events(
    world: &World,
    there: &[File],
    deleted: &[File],
    cursors: &BTreeMap<String, Cursor>,
) -> Vec<Row> {
    // A stderr log has a csvlog beside it in this simulation.
    let is_derived = |file: &&File| file.grammar != Grammar::Stderr;
    let mut evidence: Vec<File> = there.iter().filter(is_derived).cloned().collect();
    evidence.extend(deleted.iter().filter(is_derived).filter_map(|file| {
        let cursor = cursors.get(&key_of(file))?;
        Some(File { shown: usize::try_from(cursor.complete_to).unwrap(), ..file.clone() })
    }));
    world.expected_events(&evidence)
}
