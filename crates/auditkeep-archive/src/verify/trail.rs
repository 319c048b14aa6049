//! The check of one trail, commit by commit.

use std::collections::BTreeMap;

use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::key::VerifyingKey;
use auditkeep_core::integrity::note::{self, NoteError};
use auditkeep_core::integrity::tree::Frontier;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

use super::{NamedObjects, Report, Verdict};
use crate::archive::{Archive, ArchiveError, failed, read_canonical};
use crate::commit::{Body, Commit, Leaf, SegmentLeaf, cursor_key};
use crate::layout;
use crate::segment;

/// Segments that are fetched and hashed at the same time; each takes at most two segments' worth of memory.
const CONCURRENT_SEGMENTS: usize = 4;

/// What the commits so far say, for the next one to continue. After a commit that cannot be believed nothing is known,
/// and the next one is taken at its word.
struct Past {
    hash: Sha256,
    tree: Frontier,
    /// End of the archived bytes, by cursor key.
    ends: BTreeMap<String, u64>,
}

pub(super) async fn verify(
    archive: &Archive,
    trail: &str,
    keys: &[VerifyingKey],
    report: &mut Report,
    named: &mut NamedObjects,
    progress: &(dyn Fn(&Report) + Sync),
) -> Result<(), ArchiveError> {
    let last = list_commits(archive, trail, report).await?;
    let mut past = Some(Past { hash: Sha256([0; 32]), tree: Frontier::default(), ends: BTreeMap::new() });
    if last == 0 {
        report.add(Verdict::Missing, layout::commit(trail, 1).to_string(), "the trail has no commit");
    }
    for number in 1..=last {
        let path = layout::commit(trail, number);
        let Some(bytes) = archive.find(&path).await? else {
            report.add(Verdict::Missing, path.to_string(), "later commits are there");
            past = None;
            continue;
        };
        let Some(commit) = believe(archive, (trail, number), &path, &bytes, keys, report) else {
            past = None;
            continue;
        };
        follows(&path, &commit.body, past.as_ref(), report);
        let known = past.is_some();
        let mut ends = past.map(|past| past.ends).unwrap_or_default();
        continues(&path, &commit.body, &mut ends, known, report);
        segments(archive, &commit.body, report, named).await?;
        report.commits += 1;
        progress(report);
        past = Some(Past { hash: Sha256::of(&bytes), tree: commit.body.tree, ends });
    }
    Ok(())
}

/// The highest commit number that is stored. Anything else below the trail is extra.
async fn list_commits(archive: &Archive, trail: &str, report: &mut Report) -> Result<u64, ArchiveError> {
    let prefix = layout::trail(trail);
    let head = layout::head(trail);
    let mut last = 0;
    let mut listed = archive.list(&prefix);
    while let Some(object) = listed.try_next().await.map_err(|cause| failed("listing", &prefix, cause))? {
        let path = object.location;
        let number =
            path.filename().and_then(layout::commit_number).filter(|n| layout::commit(trail, *n) == path);
        match number {
            Some(number) if number > 0 => last = last.max(number),
            _ if path == head => {}
            _ => report.add(Verdict::Extra, path.to_string(), "not an object of a trail"),
        }
    }
    Ok(last)
}

/// A commit that is spelled right, signed by a trusted key, and about its own place.
fn believe(
    archive: &Archive,
    place: (&str, u64),
    path: &Path,
    bytes: &[u8],
    keys: &[VerifyingKey],
    report: &mut Report,
) -> Option<Commit> {
    let name = path.to_string();
    let commit: Commit = match read_canonical(&name, bytes) {
        Ok(commit) => commit,
        Err(error) => {
            report.add(Verdict::Modified, name, describe(&error));
            return None;
        }
    };
    let text = match note::open(&commit.checkpoint, keys) {
        Ok((text, _)) => text,
        Err(error @ NoteError::UnknownKey { .. }) => {
            report.add(Verdict::KeyUnknown, name, error.to_string());
            return None;
        }
        Err(error) => {
            report.add(Verdict::Modified, name, error.to_string());
            return None;
        }
    };
    if commit.body.checkpoint().ok().is_none_or(|expected| expected.text() != text) {
        report.add(Verdict::Modified, name, "the signature is over another commit");
        return None;
    }
    let body = &commit.body;
    if (body.trail.as_str(), body.number) != place || body.archive != archive.manifest().id {
        let detail =
            format!("it is commit {} of trail `{}` in archive {}", body.number, body.trail, body.archive);
        report.add(Verdict::Reordered, name, detail);
        return None;
    }
    Some(commit)
}

/// Whether a commit comes after the one before it, and its tree is that one's tree with its own leaves.
fn follows(path: &Path, body: &Body, past: Option<&Past>, report: &mut Report) {
    let Some(past) = past else { return };
    let expected = (body.number > 1).then_some(past.hash);
    if body.previous != expected {
        report.add(
            Verdict::Forked,
            path.to_string(),
            "it follows another commit than the one stored before it",
        );
        return;
    }
    let mut tree = past.tree.clone();
    for leaf in &body.leaves {
        match leaf.hash() {
            Ok(hash) => tree.push(hash),
            Err(error) => report.add(Verdict::Modified, path.to_string(), error.to_string()),
        }
    }
    if tree != body.tree {
        report.add(Verdict::Modified, path.to_string(), "its tree is not that of its leaves");
    }
}

/// Whether the segments of each log file continue one another, and the cursors say where they end. Where the past is not
/// known, a file's first segment here is taken at its word.
fn continues(path: &Path, body: &Body, ends: &mut BTreeMap<String, u64>, known: bool, report: &mut Report) {
    let keys: BTreeMap<(&str, &str), String> = body
        .cursors
        .values()
        .map(|cursor| {
            (
                (cursor.generation.as_str(), cursor.log.as_str()),
                cursor_key(&cursor.family, &cursor.generation),
            )
        })
        .collect();
    for leaf in &body.leaves {
        let Leaf::Segment(leaf) = leaf else { continue };
        let Some(key) = keys.get(&(leaf.generation.as_str(), leaf.log.as_str())) else {
            report.add(Verdict::Gap, path.to_string(), format!("no cursor says where `{}` ends", leaf.log));
            continue;
        };
        let end = ends.get(key).copied().unwrap_or(if known { 0 } else { leaf.from });
        if leaf.from != end {
            let detail = format!("`{}` goes on at byte {} after byte {end}", leaf.log, leaf.from);
            report.add(Verdict::Gap, path.to_string(), detail);
        }
        ends.insert(key.clone(), leaf.to);
    }
    for (key, cursor) in &body.cursors {
        let end = *ends.entry(key.clone()).or_insert(cursor.offset);
        if end != cursor.offset {
            let detail = format!(
                "the cursor of `{}` is at byte {}, its bytes end at {end}",
                cursor.log, cursor.offset
            );
            report.add(Verdict::Gap, path.to_string(), detail);
        }
    }
}

async fn segments(
    archive: &Archive,
    body: &Body,
    report: &mut Report,
    named: &mut NamedObjects,
) -> Result<(), ArchiveError> {
    let leaves = body.leaves.iter().filter_map(|leaf| match leaf {
        Leaf::Segment(leaf) => Some(leaf),
        Leaf::Control(_) => None,
    });
    let mut checks =
        stream::iter(leaves.cloned().map(|leaf| check(archive, leaf))).buffered(CONCURRENT_SEGMENTS);
    while let Some((leaf, finding)) = checks.try_next().await? {
        named.insert(&leaf.object);
        report.segments += 1;
        match finding {
            None => report.raw_bytes += leaf.to - leaf.from,
            Some((verdict, detail)) => report.add(verdict, leaf.object, detail),
        }
    }
    Ok(())
}

type Checked = (SegmentLeaf, Option<(Verdict, String)>);

async fn check(archive: &Archive, leaf: SegmentLeaf) -> Result<Checked, ArchiveError> {
    let object = match archive.find(&Path::from(leaf.object.as_str())).await {
        Ok(Some(object)) => object,
        Ok(None) => return Ok((leaf, Some((Verdict::Missing, "a commit names it".to_owned())))),
        Err(error @ ArchiveError::Damaged { .. }) => {
            let detail = describe(&error);
            return Ok((leaf, Some((Verdict::Modified, detail))));
        }
        Err(error) => return Err(error),
    };
    // Hashing and decompressing would keep the other downloads waiting.
    let opened = tokio::task::spawn_blocking(move || {
        let damage = segment::open(&leaf, &object).err();
        (leaf, damage.map(|damage| (Verdict::Modified, damage.to_string())))
    });
    opened.await.map_err(|cause| ArchiveError::Store {
        operation: "checking",
        object: "a segment".to_owned(),
        cause: object_store::Error::JoinError { source: cause },
    })
}

/// An error with its causes, in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}
