//! The check of one commit: whether it can be believed, and whether it goes on where the one before it ended.

use std::collections::BTreeMap;

use auditkeep_core::integrity::canonical;
use auditkeep_core::integrity::checkpoint::Checkpoint;
use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::note::NoteError;
use auditkeep_core::integrity::tree::Frontier;
use jiff::Timestamp;
use object_store::path::Path;

use super::{Report, Verdict, describe};
use crate::archive::{Archive, ArchiveError};
use crate::commit::{Body, CHAIN_START, Commit, Cursor, chain};
use crate::control::Event;
use crate::keyring::KeyRing;
use crate::layout::{self, JOURNAL};
use crate::leaf::{Leaf, SegmentLeaf};
use crate::segment;
use crate::standing::Standing;

/// What the commits so far say, for the next one to continue. After a commit that cannot be believed nothing is known,
/// and the next one is taken at its word.
pub(super) struct Past {
    hash: Sha256,
    format: u32,
    time: Timestamp,
    tree: Frontier,
    ends: Ends,
    standing: Standing,
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

impl Past {
    /// Before the first commit.
    pub(super) fn start() -> Self {
        Self {
            hash: Sha256([0; 32]),
            format: 1,
            time: Timestamp::MIN,
            tree: Frontier::default(),
            ends: Ends::new(),
            standing: Standing::default(),
        }
    }

    /// After a commit that is taken at its word.
    pub(super) fn of(body: &Body, hash: Sha256) -> Self {
        let ends = body.cursors.iter().map(|(key, cursor)| (key.clone(), stated_end(cursor))).collect();
        Self {
            hash,
            format: body.format,
            time: body.time,
            tree: body.tree.clone(),
            ends,
            standing: body.standing(),
        }
    }

    /// What commit `number` must state as `previous` if it is the next one.
    pub(super) fn hash_before(&self, number: u64) -> Option<Sha256> {
        (number > 1).then_some(self.hash)
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }
}

fn stated_end(cursor: &Cursor) -> End {
    End { offset: cursor.offset, chain: cursor.chain }
}

/// A commit that is spelled right, signed by a key that counts there, and about its own place.
pub(super) fn believe(
    archive: &Archive,
    keys: &KeyRing,
    (trail, number): (&str, u64),
    path: &Path,
    bytes: &[u8],
    report: &mut Report,
) -> Result<Option<Commit>, ArchiveError> {
    let name = path.to_string();
    let commit = match Commit::read(&name, bytes) {
        Ok(commit) => commit,
        // What is not understood cannot be called damaged, if somebody trusted signed it.
        Err(error @ ArchiveError::Newer { .. }) if is_signed_whole(keys, (trail, number), bytes) => {
            return Err(error);
        }
        Err(error) => {
            report.add(Verdict::Modified, name, describe(&error));
            return Ok(None);
        }
    };
    let text = match keys.open(&commit.checkpoint, trail, number) {
        Ok(text) => text,
        Err(error @ NoteError::UnknownKey { .. }) => {
            report.add(Verdict::KeyUnknown, name, error.to_string());
            return Ok(None);
        }
        Err(error) => {
            report.add(Verdict::Modified, name, error.to_string());
            return Ok(None);
        }
    };
    let body = &commit.body;
    let expected = commit.body_within(bytes).map(|bytes| body.checkpoint_over(bytes).text());
    if expected.ok().is_none_or(|expected| expected != text) {
        report.add(Verdict::Modified, name, "the signature is over another commit");
        return Ok(None);
    }
    if (body.trail.as_str(), body.number) != (trail, number) || body.archive != archive.manifest().id {
        let detail =
            format!("it is commit {} of trail `{}` in archive {}", body.number, body.trail, body.archive);
        report.add(Verdict::Reordered, name, detail);
        return Ok(None);
    }
    Ok(Some(commit))
}

/// Whether a commit goes on where the past ended, and the past with it. None: nothing is known of what came before.
pub(super) fn go_on(path: &Path, body: &Body, hash: Sha256, past: Option<Past>, report: &mut Report) -> Past {
    if !body.tree.is_well_formed() {
        report.add(Verdict::Modified, path.to_string(), "its tree contradicts itself");
    }
    check_shape(path, body, report);
    let past = past.filter(|past| follows(path, body, past, report));
    if let Some(past) = &past {
        stands(path, body, past, report);
    }
    let known = past.is_some();
    let mut ends = past.map(|past| past.ends).unwrap_or_default();
    continues(path, body, &mut ends, known, report);
    Past { ends, ..Past::of(body, hash) }
}

/// Whether it comes after the commit before it; then its tree must be that one's tree with its own leaves.
fn follows(path: &Path, body: &Body, past: &Past, report: &mut Report) -> bool {
    if body.previous != past.hash_before(body.number) {
        let detail = "it follows another commit than the one stored before it";
        report.add(Verdict::Forked, path.to_string(), detail);
        return false;
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
    true
}

/// What must hold of a commit's leaves whatever came before.
fn check_shape(path: &Path, body: &Body, report: &mut Report) {
    if !body.leaves.iter().filter_map(Leaf::segment).all(is_sound) {
        report.add(Verdict::Modified, path.to_string(), "a segment's leaf contradicts itself");
    }
    let seals: Vec<_> = body.leaves.iter().filter_map(Leaf::seal).collect();
    let is_misplaced = body.trail != JOURNAL && !seals.is_empty();
    if is_misplaced || seals.len() > 1 || seals.iter().any(|seal| seal.heads.contains_key(JOURNAL)) {
        report.add(Verdict::Modified, path.to_string(), "it has a seal that it must not have");
    }
    let is_first = |index: usize| body.trail == JOURNAL && body.number == 1 && index == 0;
    let created = |leaf: &Leaf| leaf.control().is_some_and(|leaf| leaf.is(Event::ArchiveCreated));
    if body.leaves.iter().enumerate().any(|(index, leaf)| created(leaf) && !is_first(index)) {
        report.add(Verdict::Modified, path.to_string(), "only the journal's first leaf creates the archive");
    }
}

fn is_sound(leaf: &SegmentLeaf) -> bool {
    let has_bytes = leaf.from < leaf.to && leaf.to - leaf.from <= segment::MAX_RAW_BYTES;
    layout::is_segment(&leaf.object) && has_bytes && leaf.complete_to <= leaf.to
}

/// Whether a commit of a format that is not known here has a right note: then it is newer, and not damaged.
fn is_signed_whole(keys: &KeyRing, (trail, number): (&str, u64), bytes: &[u8]) -> bool {
    let Ok(commit) = serde_json::from_slice::<serde_json::Value>(bytes) else { return false };
    let note = commit.get("checkpoint").and_then(serde_json::Value::as_str).unwrap_or_default();
    let body = commit.get("body").and_then(|body| canonical::to_vec(body).ok()).unwrap_or_default();
    let stated = keys.open(note, trail, number).ok().and_then(|text| Checkpoint::parse(text).ok());
    stated.is_some_and(|stated| stated.body == Sha256::of(&body))
}

/// Whether format, time and standing go on as they must.
fn stands(path: &Path, body: &Body, past: &Past, report: &mut Report) {
    if body.format < past.format {
        report.add(Verdict::Modified, path.to_string(), "its format is older than that of the commit before");
    }
    let Some(standing) = &body.standing else { return };
    let clock_went_back =
        body.leaves.iter().filter_map(Leaf::control).any(|leaf| leaf.is(Event::ClockWentBack));
    if body.time < past.time && !clock_went_back {
        let detail = format!("its time is {}, and that of the commit before {}", body.time, past.time);
        report.add(Verdict::Reordered, path.to_string(), detail);
    }
    if past.standing.clone().after(body.number, &body.leaves) != *standing {
        report.add(Verdict::Modified, path.to_string(), "its standing is not what its leaves add up to");
    }
}

/// Whether the segments of each log file continue one another, and the cursors say where they end. Where the past is not
/// known, a file's first segment here is taken at its word.
fn continues(path: &Path, body: &Body, ends: &mut Ends, known: bool, report: &mut Report) {
    for leaf in body.leaves.iter().filter_map(Leaf::segment) {
        let end = ends.entry(leaf.cursor_key()).or_insert(End::START);
        if known && leaf.from != end.offset {
            let detail = format!("`{}` goes on at byte {} after byte {}", leaf.log, leaf.from, end.offset);
            report.add(Verdict::Gap, path.to_string(), detail);
        }
        *end = End { offset: leaf.to, chain: chain(&end.chain, &leaf.raw_sha256) };
        if !body.cursors.contains_key(&leaf.cursor_key()) {
            let detail = format!("no cursor says where the bytes of `{}` end", leaf.log);
            report.add(Verdict::Gap, path.to_string(), detail);
        }
    }
    for (key, cursor) in &body.cursors {
        let stated = stated_end(cursor);
        let end = ends.entry(key.clone()).or_insert(if known { End::START } else { stated });
        if known && *end != stated {
            let detail = format!("the cursor of `{}` does not say where its bytes end", cursor.log);
            report.add(Verdict::Gap, path.to_string(), detail);
        }
        if *key != cursor.key() || !is_consistent(cursor) {
            let detail = format!("the cursor of `{}` contradicts itself", cursor.log);
            report.add(Verdict::Modified, path.to_string(), detail);
        }
        *end = stated;
    }
    // A cursor that is given up is forgotten: should its file be seen again, it begins anew.
    ends.retain(|key, _| body.cursors.contains_key(key));
}

fn is_consistent(cursor: &Cursor) -> bool {
    let ascending = cursor.cuts.windows(2).all(|pair| pair[0] < pair[1]);
    let has_bytes = cursor.cuts.first().is_none_or(|first| *first > 0);
    ascending
        && has_bytes
        && cursor.cuts.last().copied().unwrap_or(0) == cursor.offset
        && cursor.complete_to <= cursor.offset
}
