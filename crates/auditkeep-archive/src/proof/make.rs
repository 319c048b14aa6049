//! Making a proof: an event's bytes are looked up in the commits, and what shows them is gathered.
//!
//! Reads the commit that made the event whole, the ones back to the first that holds any of its bytes, and the segments with
//! these bytes, which are believed only after their hashes were found right. What comes out was checked as whoever gets it
//! will check it.

use std::collections::BTreeMap;

use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::inclusion;
use auditkeep_core::integrity::key::VerifyingKey;
use auditkeep_core::integrity::note;
use auditkeep_core::integrity::tlog_proof::TlogProof;
use auditkeep_core::integrity::tree::{Frontier, leaf_hash};
use object_store::path::Path;

use super::check::BadProof;
use super::event::EventRef;
use super::{Base64, EventProof, KeyStep, MAX_EVENT_BYTES, Part, ProofKind, ShownFrame, cut, frames_with};
use crate::archive::{Archive, ArchiveError, Damage, is_missing};
use crate::commit::{Body, Commit, Cursor, FORMAT};
use crate::frames;
use crate::layout::{self, JOURNAL};
use crate::leaf::{Leaf, SegmentLeaf};
use crate::segment;
use crate::standing::Standing;
use crate::trail::{self, TrailError};

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Trail(#[from] TrailError),
    #[error("there is no commit {commit} in a trail `{trail}`")]
    NoCommit { trail: String, commit: u64 },
    #[error(
        "commit {commit} of trail `{trail}` completes no bytes {from}..{to} of a generation `{generation}`"
    )]
    NoBytes { trail: String, commit: u64, generation: String, from: u64, to: u64 },
    /// Files that begin with the same record have one generation, and may differ later.
    #[error("the event is in several log files, which differ there: {}", .families.join(", "))]
    Ambiguous { families: Vec<String> },
    #[error("the event has {0} bytes, and a proof shows at most {MAX_EVENT_BYTES}")]
    TooLong(u64),
    #[error("the segment `{object}`, which holds the event, is not in the archive any more")]
    Gone { object: String },
    #[error("the proof would not hold")]
    DoesNotHold(#[from] BadProof),
    #[error("encoding the proof failed")]
    Encode(#[from] serde_json::Error),
}

/// A proof of the event's bytes, for whoever trusts a key of `archive.json`, or the one that signed.
pub async fn make(archive: &Archive, event: &EventRef) -> Result<EventProof, ProofError> {
    if event.length > MAX_EVENT_BYTES {
        return Err(ProofError::TooLong(event.length));
    }
    let no_commit = || ProofError::NoCommit { trail: event.trail.clone(), commit: event.commit };
    let commit = read(archive, &event.trail, event.commit).await?.ok_or_else(no_commit)?;
    let before = before(archive, &commit.body).await?;
    let mut proofs: Vec<EventProof> = Vec::new();
    for (cursor, segments) in files(event, &commit.body, before.as_ref()) {
        proofs.push(of_file(archive, event, cursor, &segments).await?);
    }
    if proofs.windows(2).any(|pair| pair[0].sha256 != pair[1].sha256) {
        return Err(ProofError::Ambiguous {
            families: proofs.into_iter().map(|proof| proof.family).collect(),
        });
    }
    let proof = proofs.into_iter().next().ok_or_else(|| no_bytes(event))?;
    proof.check(archive.journal().keys.keys())?;
    Ok(proof)
}

fn no_bytes(event: &EventRef) -> ProofError {
    ProofError::NoBytes {
        trail: event.trail.clone(),
        commit: event.commit,
        generation: event.generation.clone(),
        from: event.offset,
        to: event.end(),
    }
}

async fn read(archive: &Archive, trail: &str, number: u64) -> Result<Option<Commit>, ProofError> {
    let Some(bytes) = archive.find(&layout::commit(trail, number)).await? else { return Ok(None) };
    Ok(Some(trail::believe_whole(archive, &archive.journal().keys, trail, number, &bytes)?))
}

/// The commit before one; none before the first.
async fn before(archive: &Archive, body: &Body) -> Result<Option<Commit>, ProofError> {
    let number = match body.number {
        0 | 1 => return Ok(None),
        number => number - 1,
    };
    let hole = || TrailError::Hole { object: layout::commit(&body.trail, number).to_string() };
    Ok(Some(read(archive, &body.trail, number).await?.ok_or_else(hole)?))
}

/// The log files of the event's generation whose segments, of this commit and unfinished before it, hold all of its bytes.
fn files<'a>(
    event: &EventRef,
    body: &'a Body,
    before: Option<&Commit>,
) -> Vec<(&'a Cursor, Vec<SegmentLeaf>)> {
    let mut files = Vec::new();
    for (key, cursor) in &body.cursors {
        let known = before.and_then(|before| before.body.cursors.get(key));
        let segments = body.segments_of(key, known, &(event.offset..event.end()));
        if let Some(segments) = segments.filter(|_| cursor.generation == event.generation) {
            files.push((cursor, segments));
        }
    }
    files
}

async fn of_file(
    archive: &Archive,
    event: &EventRef,
    cursor: &Cursor,
    segments: &[SegmentLeaf],
) -> Result<EventProof, ProofError> {
    let included = included(archive, event, segments).await?;
    let (mut parts, mut bytes, mut signers) = (Vec::new(), Vec::new(), Vec::new());
    for (leaf, (inclusion, signer)) in segments.iter().zip(included) {
        let (part, raw) = show(archive, event, leaf, inclusion).await?;
        parts.push(part);
        bytes.extend(raw);
        signers.extend(signer);
    }
    Ok(EventProof {
        format: FORMAT,
        kind: ProofKind::EventProof,
        archive: archive.manifest().id.clone(),
        trail: event.trail.clone(),
        log: segments.last().map_or(&cursor.log, |leaf| &leaf.log).clone(),
        family: cursor.family.clone(),
        generation: event.generation.clone(),
        from: event.offset,
        to: event.end(),
        sha256: Sha256::of(&bytes),
        parts,
        keys: key_steps(archive, signers).await?,
    })
}

/// A `tlog-proof`, and who signed its note.
type Inclusion = (String, Option<VerifyingKey>);

/// For each segment the inclusion in the tree of the commit that added it, which is looked for from the event's commit back.
async fn included(
    archive: &Archive,
    event: &EventRef,
    segments: &[SegmentLeaf],
) -> Result<Vec<Inclusion>, ProofError> {
    let mut found: Vec<Option<Inclusion>> = vec![None; segments.len()];
    let mut next = read(archive, &event.trail, event.commit).await?;
    while let Some(commit) = next.filter(|_| found.iter().any(Option::is_none)) {
        let before = before(archive, &commit.body).await?;
        for (segment, found) in segments.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            let is_it = |leaf: &Leaf| leaf.segment() == Some(segment);
            if let Some(position) = commit.body.leaves.iter().position(is_it) {
                *found = Some(inclusion_of(archive, &commit, before.as_ref(), position)?);
            }
        }
        next = before;
    }
    found.into_iter().collect::<Option<_>>().ok_or_else(|| no_bytes(event))
}

fn inclusion_of(
    archive: &Archive,
    commit: &Commit,
    before: Option<&Commit>,
    position: usize,
) -> Result<Inclusion, ProofError> {
    let hashes: Vec<Sha256> = commit.body.leaves.iter().map(Leaf::hash).collect::<Result<_, _>>()?;
    let tree = before.map_or_else(Frontier::default, |before| before.body.tree.clone());
    // Without a path the tree contradicts itself, and no proof can hold.
    let path = inclusion::path_of_added(&tree, &hashes, position).unwrap_or_default();
    let index = tree.size().saturating_add(position as u64);
    let note = commit.checkpoint.clone();
    let journal = archive.journal();
    let signer = note::open(&note, journal.keys.keys()).ok().map(|(_, signer)| signer.clone());
    Ok((TlogProof { index, path, note }.text(), signer))
}

/// A segment with those of its frames that hold the event's bytes, and these bytes.
async fn show(
    archive: &Archive,
    event: &EventRef,
    leaf: &SegmentLeaf,
    inclusion: String,
) -> Result<(Part, Vec<u8>), ProofError> {
    let object = match archive.get_at_most(&Path::from(leaf.object.as_str()), leaf.object_size).await {
        Err(error) if is_missing(&error) => return Err(ProofError::Gone { object: leaf.object.clone() }),
        object => object?,
    };
    let damaged = |cause| ArchiveError::Damaged { object: leaf.object.clone(), cause };
    let raw = segment::open(leaf, &object).map_err(damaged)?;
    let bytes = cut(&raw, leaf.from, event.offset, event.end()).to_vec();
    let mut part = Part { leaf: Leaf::Segment(leaf.clone()), inclusion, frames: Vec::new(), object: None };
    if leaf.frames.is_none() {
        part.object = Some(Base64(object.to_vec()));
        return Ok((part, bytes));
    }
    let frames = frames::split(&object).ok_or_else(|| damaged(Damage::Frames))?;
    let hashes: Vec<Sha256> = frames.iter().map(|frame| leaf_hash(frame)).collect();
    let (first, last) = frames_with(leaf, event.offset, event.end()).unwrap_or((0, 0));
    for (index, (number, frame)) in (0..).zip(&frames).enumerate() {
        if (first..=last).contains(&number) {
            let path = inclusion::path(&hashes, index).unwrap_or_default();
            part.frames.push(ShownFrame { index: number, path, data: Base64(frame.to_vec()) });
        }
    }
    Ok((part, bytes))
}

/// What makes the signers trusted for whoever trusts a key of `archive.json`: the leaves that put them in force, and in turn
/// their signers. Nothing if there is only one key.
async fn key_steps(archive: &Archive, signers: Vec<VerifyingKey>) -> Result<Vec<KeyStep>, ProofError> {
    let standing = &archive.journal().standing;
    let mut steps: BTreeMap<(u64, usize), KeyStep> = BTreeMap::new();
    let mut signers = signers;
    while let Some(signer) = signers.pop() {
        if archive.manifest().keys == [signer.clone()] {
            continue;
        }
        let Some(known) = standing.keys.get(&signer.signer()) else { continue };
        // An archive of format 1 has no journal, and no key but those of `archive.json`.
        let Some(commit) = read(archive, JOURNAL, known.added).await? else { continue };
        let adds = |leaf: &Leaf| {
            let added = Standing::default().after(known.added, std::slice::from_ref(leaf)).keys;
            added.values().any(|added| added.key == signer)
        };
        let Some(position) = commit.body.leaves.iter().position(adds) else { continue };
        let place = (known.added, position);
        if steps.contains_key(&place) {
            continue;
        }
        let before = before(archive, &commit.body).await?;
        let (inclusion, by) = inclusion_of(archive, &commit, before.as_ref(), position)?;
        steps.insert(place, KeyStep { leaf: commit.body.leaves[position].clone(), inclusion });
        signers.extend(by);
    }
    Ok(steps.into_values().collect())
}
