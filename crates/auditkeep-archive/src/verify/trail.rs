//! The check of one trail, commit by commit.

use std::collections::BTreeMap;

use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::key::VerifyingKey;
use auditkeep_core::integrity::note::{self, NoteError};
use auditkeep_core::integrity::tree::Frontier;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

use super::{NamedObjects, Report, Verdict};
use crate::archive::{Archive, ArchiveError, failed, is_missing, read_canonical};
use crate::commit::{Body, CHAIN_START, Commit, Cursor, FORMAT, Leaf, SegmentLeaf, chain};
use crate::layout;
use crate::segment;

/// Segments that are fetched and hashed at the same time; each takes about two segments' worth of memory.
const CONCURRENT_SEGMENTS: usize = 4;

/// What the commits so far say, for the next one to continue. After a commit that cannot be believed nothing is known,
/// and the next one is taken at its word.
struct Past {
    hash: Sha256,
    tree: Frontier,
    ends: Ends,
}

/// Where each generation's archived bytes end, by cursor key.
type Ends = BTreeMap<String, End>;

#[derive(Clone, Copy, PartialEq, Eq)]
struct End {
    offset: u64,
    chain: Sha256,
}

impl End {
    const START: Self = Self { offset: 0, chain: CHAIN_START };
}

pub(super) async fn verify(
    archive: &Archive,
    trail: &str,
    keys: &[VerifyingKey],
    report: &mut Report,
    named: &mut NamedObjects,
    progress: &(dyn Fn(&Report) + Sync),
) -> Result<(), ArchiveError> {
    find_strays(archive, trail, report).await?;
    let numbers = archive.commit_numbers(trail, 0).await?;
    let mut past = Some(Past { hash: Sha256([0; 32]), tree: Frontier::default(), ends: Ends::new() });
    let mut expected = 1;
    for number in numbers {
        if number > expected {
            report_hole(trail, expected, number, report);
            past = None;
        }
        expected = number.saturating_add(1);
        let path = layout::commit(trail, number);
        let bytes = archive.get(&path).await?;
        let Some(commit) = believe(archive, (trail, number), &path, &bytes, keys, report)? else {
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

fn report_hole(trail: &str, from: u64, to: u64, report: &mut Report) {
    let detail = match to - from {
        1 => "later commits are there".to_owned(),
        missing => format!("it and the {} after it; later commits are there", missing - 1),
    };
    report.add(Verdict::Missing, layout::commit(trail, from).to_string(), detail);
}

/// Objects below the trail that are none of its own.
async fn find_strays(archive: &Archive, trail: &str, report: &mut Report) -> Result<(), ArchiveError> {
    let prefix = layout::trail(trail);
    let head = layout::head(trail);
    let mut listed = archive.list(&prefix);
    while let Some(object) = listed.try_next().await.map_err(|cause| failed("listing", &prefix, cause))? {
        let path = object.location;
        let number = path.filename().and_then(layout::commit_number);
        let is_commit = number.is_some_and(|number| number > 0 && layout::commit(trail, number) == path);
        if !is_commit && path != head {
            report.add(Verdict::Extra, path.to_string(), "it is no object of a trail");
        }
    }
    Ok(())
}

/// A commit that is spelled right, signed by a trusted key, and about its own place.
fn believe(
    archive: &Archive,
    place: (&str, u64),
    path: &Path,
    bytes: &[u8],
    keys: &[VerifyingKey],
    report: &mut Report,
) -> Result<Option<Commit>, ArchiveError> {
    let name = path.to_string();
    let commit: Commit = match read_canonical(&name, bytes) {
        Ok(commit) => commit,
        // What is not understood cannot be called damaged.
        Err(error @ ArchiveError::Newer { .. }) => return Err(error),
        Err(error) => {
            report.add(Verdict::Modified, name, describe(&error));
            return Ok(None);
        }
    };
    let text = match note::open(&commit.checkpoint, keys) {
        Ok((text, _)) => text,
        Err(error @ NoteError::UnknownKey { .. }) => {
            report.add(Verdict::KeyUnknown, name, error.to_string());
            return Ok(None);
        }
        Err(error) => {
            report.add(Verdict::Modified, name, error.to_string());
            return Ok(None);
        }
    };
    if commit.body.checkpoint().ok().is_none_or(|expected| expected.text() != text) {
        report.add(Verdict::Modified, name, "the signature is over another commit");
        return Ok(None);
    }
    let body = &commit.body;
    if body.format > FORMAT {
        return Err(ArchiveError::Newer { object: name, format: body.format });
    }
    if (body.trail.as_str(), body.number) != place || body.archive != archive.manifest().id {
        let detail =
            format!("it is commit {} of trail `{}` in archive {}", body.number, body.trail, body.archive);
        report.add(Verdict::Reordered, name, detail);
        return Ok(None);
    }
    Ok(Some(commit))
}

/// Whether a commit comes after the one before it, and its tree is that one's tree with its own leaves.
fn follows(path: &Path, body: &Body, past: Option<&Past>, report: &mut Report) {
    if !body.tree.is_well_formed() {
        report.add(Verdict::Modified, path.to_string(), "its tree contradicts itself");
    }
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
fn continues(path: &Path, body: &Body, ends: &mut Ends, known: bool, report: &mut Report) {
    for leaf in &body.leaves {
        let Leaf::Segment(leaf) = leaf else { continue };
        let end = ends.entry(leaf.cursor_key()).or_insert(End::START);
        if known && leaf.from != end.offset {
            let detail = format!("`{}` goes on at byte {} after byte {}", leaf.log, leaf.from, end.offset);
            report.add(Verdict::Gap, path.to_string(), detail);
        }
        *end = End { offset: leaf.to, chain: chain(&end.chain, &leaf.raw_sha256) };
    }
    for (key, cursor) in &body.cursors {
        let stated = End { offset: cursor.offset, chain: cursor.chain };
        let end = ends.entry(key.clone()).or_insert(if known { End::START } else { stated });
        if known && *end != stated {
            let detail = format!("the cursor of `{}` does not say where its bytes end", cursor.log);
            report.add(Verdict::Gap, path.to_string(), detail);
        }
        if *key != cursor.key() || !is_consistent(cursor) {
            report.add(
                Verdict::Modified,
                path.to_string(),
                format!("the cursor of `{}` contradicts itself", cursor.log),
            );
        }
        *end = stated;
    }
    // A cursor that is given up is forgotten: should its file be seen again, it begins anew.
    ends.retain(|key, _| body.cursors.contains_key(key));
}

fn is_consistent(cursor: &Cursor) -> bool {
    let ascending = cursor.cuts.windows(2).all(|pair| pair[0] < pair[1]);
    ascending
        && cursor.cuts.last().copied().unwrap_or(0) == cursor.offset
        && cursor.complete_to <= cursor.offset
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
    let object = match archive.get_at_most(&Path::from(leaf.object.as_str()), leaf.object_size).await {
        Ok(object) => object,
        Err(error) if is_missing(&error) => {
            return Ok((leaf, Some((Verdict::Missing, "a commit names it, and it is not there".to_owned()))));
        }
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
