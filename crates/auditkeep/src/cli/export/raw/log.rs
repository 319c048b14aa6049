//! The log files of an instance, and the segments that hold the bytes of one.

use std::collections::{BTreeMap, HashSet};

use auditkeep_archive::archive::Archive;
use auditkeep_archive::commit::Cursor;
use auditkeep_archive::control::{ControlLeaf, Event};
use auditkeep_archive::leaf::{Leaf, SegmentLeaf};
use auditkeep_archive::{expire, trail};
use serde::Serialize;

use crate::cli::Context;
use crate::failure::Failure;
use crate::output::table::Rows;
use crate::output::{bytes, json};

/// A log file in the archive.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ArchivedLog {
    pub(super) instance: String,
    pub(super) trail: String,
    pub(super) log: String,
    pub(super) generation: String,
    format: String,
    pub(super) bytes: u64,
    day: String,
    #[serde(skip)]
    cursor: Cursor,
    #[serde(skip)]
    last_commit: u64,
    /// The segments of commits up to this one were given up.
    #[serde(skip)]
    expired_through: u64,
}

/// A segment of the log.
pub(super) struct Piece {
    commit: u64,
    pub(super) leaf: SegmentLeaf,
}

/// What a walk over the trail's commits has found.
#[derive(Default)]
struct Found {
    /// By where each begins.
    pieces: BTreeMap<u64, Piece>,
    /// Segments that were kept when others were given up.
    kept: HashSet<String>,
    /// The last record that says what was given up, and its commit.
    expired: Option<(u64, ControlLeaf)>,
}

pub(super) async fn logs_of(archive: &Archive, instance: &str) -> Result<Vec<ArchivedLog>, Failure> {
    let mut logs = Vec::new();
    for id in archive.trails().await? {
        let Some(head) = trail::head(archive, &id).await? else { continue };
        let expired_through = head.body.standing().expired_through;
        let source = &head.body.source;
        if source.instance != instance && source.resource_id != instance {
            continue;
        }
        logs.extend(head.body.cursors.values().map(|cursor| ArchivedLog {
            instance: source.instance.clone(),
            trail: id.clone(),
            log: cursor.log.clone(),
            generation: cursor.generation.clone(),
            format: cursor.format.clone(),
            bytes: cursor.offset,
            day: cursor.day.clone(),
            cursor: cursor.clone(),
            last_commit: head.body.number,
            expired_through,
        }));
    }
    logs.sort_by(|a, b| (&a.log, &a.day, &a.generation).cmp(&(&b.log, &b.day, &b.generation)));
    Ok(logs)
}

pub(super) fn list(context: &Context, logs: Vec<ArchivedLog>) -> Result<(), Failure> {
    if context.json {
        return logs.iter().try_for_each(json);
    }
    let mut table = Rows::new(&["LOG", "FIRST RECORD", "GENERATION", "FORMAT", "BYTES"]);
    table.align_right(4);
    for log in logs {
        table.add([log.log, log.day.replace('/', "-"), log.generation, log.format, bytes(log.bytes)]);
    }
    table.print()
}

pub(super) fn choose(
    logs: Vec<ArchivedLog>,
    name: &str,
    generation: Option<&str>,
) -> Result<ArchivedLog, Failure> {
    let instance = logs.first().map(|log| log.instance.clone()).unwrap_or_default();
    let mut matching: Vec<ArchivedLog> = logs
        .into_iter()
        .filter(|log| log.log == name && generation.is_none_or(|generation| log.generation == generation))
        .collect();
    match (matching.pop(), matching.len()) {
        (Some(log), 0) => Ok(log),
        (Some(_), others) => Err(Failure::usage(
            format!("{} files of `{instance}` were called `{name}`", others + 1),
            "choose one with `--generation`; `auditkeep export raw --instance … ` lists them",
        )),
        (None, _) => Err(Failure::new(
            format!("no log `{name}` of `{instance}` is archived"),
            format!("`auditkeep export raw --instance {instance}` lists its logs"),
        )),
    }
}

impl ArchivedLog {
    /// The segments that hold the log from that byte on, in order. None of them was given up.
    pub(super) async fn pieces(&self, archive: &Archive, from: u64) -> Result<Vec<Piece>, Failure> {
        if from > self.bytes {
            return Err(Failure::usage(
                format!("`{}` has {} bytes", self.log, self.bytes),
                "name a smaller `--from`",
            ));
        }
        let Found { pieces, kept, expired } = self.find(archive).await?;
        let pieces: Vec<Piece> = pieces.into_values().filter(|piece| piece.leaf.to > from).collect();
        let is_given_up =
            |piece: &&Piece| piece.commit <= self.expired_through && !kept.contains(&piece.leaf.object);
        if let Some(last) = pieces.iter().rfind(is_given_up) {
            return Err(self.given_up(last.leaf.to, expired.as_ref()));
        }
        let is_whole = pieces.windows(2).all(|pair| pair[0].leaf.to == pair[1].leaf.from)
            && pieces.first().is_none_or(|first| first.leaf.from <= from)
            && (from == self.bytes || pieces.last().is_some_and(|last| last.leaf.to == self.bytes));
        if is_whole {
            return Ok(pieces);
        }
        let found: u64 = pieces.iter().map(|piece| piece.leaf.to - piece.leaf.from).sum();
        Err(Failure::new(
            format!("of {} bytes of `{}` only {found} were found", self.bytes, self.log),
            "run `auditkeep verify` to see what is missing",
        ))
    }

    async fn find(&self, archive: &Archive) -> Result<Found, Failure> {
        let begins = [0].into_iter().chain(self.cursor.cuts.iter().copied());
        let wanted: HashSet<(u64, u64)> = begins.zip(self.cursor.cuts.iter().copied()).collect();
        let mut found = Found::default();
        for number in 1..=self.last_commit {
            let Some(head) = trail::read(archive, &self.trail, number).await? else { break };
            if number == self.expired_through {
                found.kept = expire::kept(&head.body);
            }
            for leaf in head.body.leaves {
                match leaf {
                    // A file that was forgotten and seen again has its bytes in two commits; the later one is kept longer.
                    Leaf::Segment(leaf)
                        if leaf.cursor_key() == self.cursor.key()
                            && wanted.contains(&(leaf.from, leaf.to)) =>
                    {
                        found.pieces.insert(leaf.from, Piece { commit: number, leaf });
                    }
                    Leaf::Control(leaf) if leaf.is(Event::Expired) => found.expired = Some((number, leaf)),
                    Leaf::Segment(_) | Leaf::Control(_) | Leaf::Seal(_) => {}
                }
            }
        }
        Ok(found)
    }

    fn given_up(&self, to: u64, expired: Option<&(u64, ControlLeaf)>) -> Failure {
        let record = expired.map_or_else(String::new, |(number, leaf)| {
            let who = leaf.text("who").map(|who| format!(" by {who}")).unwrap_or_default();
            format!(
                "; commit {number} of {} recorded it on {}{who}",
                self.trail,
                leaf.time.strftime("%Y-%m-%d")
            )
        });
        let what = format!("bytes up to {to} of `{}` were given up after their retention{record}", self.log);
        let hint = if to == self.bytes {
            "nothing of this log is left; its hashes are, in the archive's commits".to_owned()
        } else {
            format!("`--from {to}` gives what is left")
        };
        Failure::new(what, hint)
    }
}
