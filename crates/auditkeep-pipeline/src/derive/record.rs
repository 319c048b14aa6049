//! Whether some bytes are a record: read as deriving reads them, so that what is shown of an archive is what its tables have.
//!
//! A record is an event or a problem; lines that hold no audit record are none.

use std::collections::BTreeMap;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::commit::Cursor;
use auditkeep_archive::layout;
use auditkeep_archive::proof::EventRef;
use auditkeep_archive::trail::{self, TrailError};
use auditkeep_core::event::{Event, Problem, Sink, Span};
use auditkeep_core::format;

use super::DeriveError;
use super::range::ranges;

/// The record that lies where an event's first byte should, of those that its commit makes whole: the one with just its bytes, if
/// there is one. None if there is no such commit, or no record there.
pub async fn record_at(archive: &Archive, event: &EventRef) -> Result<Option<EventRef>, DeriveError> {
    let Some(head) = trail::read(archive, &event.trail, event.commit).await? else { return Ok(None) };
    let before = cursors_before(archive, &event.trail, event.commit).await?;
    let mut found = Search { wanted: Span { offset: event.offset, length: event.length }, found: None };
    // Files that begin with the same record have one generation.
    for range in ranges(&head.body, &before).filter(|range| range.cursor.generation == event.generation) {
        if !(range.from..range.cursor.complete_to).contains(&event.offset) {
            continue;
        }
        let raw = range.read(archive, &range.segments()?).await?;
        format::parse(range.format()?, &raw, range.from, &mut found);
    }
    let named = |span: Span| EventRef { offset: span.offset, length: span.length, ..event.clone() };
    Ok(found.found.map(named))
}

async fn cursors_before(
    archive: &Archive,
    trail: &str,
    commit: u64,
) -> Result<BTreeMap<String, Cursor>, TrailError> {
    let before = match commit {
        0 | 1 => return Ok(BTreeMap::new()),
        commit => commit - 1,
    };
    let hole = || TrailError::Hole { object: layout::commit(trail, before).to_string() };
    Ok(trail::read(archive, trail, before).await?.ok_or_else(hole)?.body.cursors)
}

/// Looks for one record among those that a parser finds.
struct Search {
    wanted: Span,
    found: Option<Span>,
}

impl Search {
    fn look_at(&mut self, span: Span) {
        let holds_the_first_byte = (span.offset..span.end()).contains(&self.wanted.offset);
        if holds_the_first_byte && self.found != Some(self.wanted) {
            self.found = Some(span);
        }
    }
}

impl Sink for Search {
    fn event(&mut self, event: Event<'_>) {
        self.look_at(event.span);
    }

    fn problem(&mut self, problem: Problem<'_>) {
        self.look_at(problem.span);
    }

    fn other(&mut self, _: &'static str, _: Span) {}
}
