//! The check of a proof: pure, and afraid of whoever wrote the file.
//!
//! Nothing is unpacked before it was found in a tree that a trusted key signed, and no more than the event's bytes is kept. A
//! proof holds only what is needed: a part or a frame with none of the bytes is refused.

use std::slice;

use auditkeep_core::integrity::checkpoint::{BadCheckpointText, Checkpoint};
use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::inclusion;
use auditkeep_core::integrity::key::VerifyingKey;
use auditkeep_core::integrity::note::{self, NoteError};
use auditkeep_core::integrity::tlog_proof::{BadTlogProof, TlogProof};
use auditkeep_core::integrity::tree::leaf_hash;

use super::{EventProof, KeyStep, MAX_EVENT_BYTES, Part, ProvenEvent, ShownFrame, cut, frames_with};
use crate::archive::Damage;
use crate::frames::{self, FRAME_RAW_BYTES};
use crate::layout::JOURNAL;
use crate::leaf::{Leaf, SegmentLeaf};
use crate::segment::{self, MAX_RAW_BYTES};
use crate::standing::Standing;
use crate::verify::Verdict;

/// The proof shows nothing.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct BadProof {
    /// `proof`, `parts[0]`, `keys[0]`, …
    pub place: String,
    #[source]
    pub fault: Fault,
}

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("it is of no bytes, or of more than a proof can show")]
    Length,
    #[error("its inclusion cannot be read")]
    Inclusion(#[from] BadTlogProof),
    #[error("what was signed is no checkpoint of a commit")]
    Checkpoint(#[from] BadCheckpointText),
    #[error("the note: {0}")]
    Note(#[from] NoteError),
    #[error("what was signed is no more than a checkpoint of a commit")]
    MoreSigned,
    #[error("it was signed for trail `{trail}` of archive {archive}")]
    Elsewhere { archive: String, trail: String },
    #[error("its leaf is not in the tree that was signed")]
    NotIncluded,
    #[error("its leaf cannot be spelled")]
    Leaf(#[from] serde_json::Error),
    #[error("its leaf is no segment of the log file that the proof names")]
    OtherLog,
    #[error("its leaf puts no key in force")]
    NoKey,
    #[error("the keys are not in the order of their commits")]
    Order,
    #[error("it does not go on where the part before it ended")]
    Discontinuous,
    #[error(
        "it does not hold exactly the frames that hold the event's bytes, or the object if there are none"
    )]
    NotTheFrames,
    #[error("frame {0} is not in the segment that was signed")]
    FrameNotIncluded(u64),
    #[error("frame {0} does not hold the bytes of its place")]
    Frame(u64),
    #[error(transparent)]
    Object(#[from] Damage),
    #[error("its parts do not hold all of the event's bytes")]
    Incomplete,
    #[error("the event's bytes do not have the hash that it states")]
    Hash,
    #[error("the log file was called `{0}`")]
    Name(String),
}

impl BadProof {
    pub fn verdict(&self) -> Verdict {
        match self.fault {
            Fault::Note(NoteError::UnknownKey { .. }) => Verdict::KeyUnknown,
            _ => Verdict::Modified,
        }
    }
}

pub(super) fn check(proof: &EventProof, roots: &[VerifyingKey]) -> Result<ProvenEvent, BadProof> {
    let whole = |fault| BadProof { place: "proof".to_owned(), fault };
    let length = proof.to.saturating_sub(proof.from);
    if length == 0 || length > MAX_EVENT_BYTES {
        return Err(whole(Fault::Length));
    }
    let mut trust = Trust::of_roots(roots);
    for (index, step) in proof.keys.iter().enumerate() {
        trust.follow(proof, step).map_err(|fault| BadProof { place: format!("keys[{index}]"), fault })?;
    }
    let mut shown = Shown { proof, bytes: Vec::new(), signed: Vec::new(), last: None };
    for (index, part) in proof.parts.iter().enumerate() {
        shown.add(&trust, part).map_err(|fault| BadProof { place: format!("parts[{index}]"), fault })?;
    }
    shown.finish(length).map_err(whole)
}

/// Whose signatures count.
struct Trust {
    /// With the number of the journal commit that put each in force; 0 for a root.
    keys: Vec<(VerifyingKey, u64)>,
    /// Number of the last such commit.
    last: u64,
}

/// What was signed of a leaf.
struct Signed {
    commit: u64,
    signer: VerifyingKey,
}

impl Trust {
    fn of_roots(roots: &[VerifyingKey]) -> Self {
        Self { keys: roots.iter().map(|key| (key.clone(), 0)).collect(), last: 0 }
    }

    /// Takes the keys that a leaf of the journal puts in force. A step that nobody trusted has signed puts none in force: who
    /// trusts a later key to begin with does not need the steps before it.
    fn follow(&mut self, proof: &EventProof, step: &KeyStep) -> Result<(), Fault> {
        let signed = match self.signed(&step.inclusion, &step.leaf, &proof.archive, JOURNAL) {
            Err(Fault::Note(NoteError::UnknownKey { .. })) => return Ok(()),
            signed => signed?,
        };
        if signed.commit < self.last {
            return Err(Fault::Order);
        }
        self.last = signed.commit;
        let standing = Standing::default().after(signed.commit, slice::from_ref(&step.leaf));
        if standing.keys.is_empty() {
            return Err(Fault::NoKey);
        }
        self.keys.extend(standing.keys.into_values().map(|known| (known.key, known.added)));
        Ok(())
    }

    /// Whether a trusted key has signed a tree of this trail that the leaf is in.
    fn signed(&self, inclusion: &str, leaf: &Leaf, archive: &str, trail: &str) -> Result<Signed, Fault> {
        let proof = TlogProof::parse(inclusion)?;
        let stated = Checkpoint::parse(&proof.note)?;
        // A key signs in the journal from the commit on that comes after the one that put it in force.
        let counts = |added: u64| trail != JOURNAL || added < stated.commit;
        let counting: Vec<VerifyingKey> =
            self.keys.iter().filter(|(_, added)| counts(*added)).map(|(key, _)| key.clone()).collect();
        let (text, signer) = note::open(&proof.note, &counting)?;
        if text != stated.text() {
            return Err(Fault::MoreSigned);
        }
        if (stated.archive.as_str(), stated.trail.as_str()) != (archive, trail) {
            return Err(Fault::Elsewhere { archive: stated.archive, trail: stated.trail });
        }
        let root = inclusion::root(&leaf.hash()?, proof.index, stated.size, &proof.path);
        if root != Some(stated.root) {
            return Err(Fault::NotIncluded);
        }
        Ok(Signed { commit: stated.commit, signer: signer.clone() })
    }
}

/// What the parts so far have shown.
struct Shown<'a> {
    proof: &'a EventProof,
    /// The event's first bytes.
    bytes: Vec<u8>,
    signed: Vec<Signed>,
    last: Option<&'a SegmentLeaf>,
}

impl<'a> Shown<'a> {
    fn add(&mut self, trust: &Trust, part: &'a Part) -> Result<(), Fault> {
        let proof = self.proof;
        let signed = trust.signed(&part.inclusion, &part.leaf, &proof.archive, &proof.trail)?;
        let leaf = part.leaf.segment().ok_or(Fault::OtherLog)?;
        if (&leaf.family, &leaf.generation) != (&proof.family, &proof.generation) {
            return Err(Fault::OtherLog);
        }
        let next = proof.from + self.bytes.len() as u64;
        let goes_on = self.last.map_or(leaf.from <= next, |_| leaf.from == next);
        if !goes_on || leaf.to <= next || next == proof.to {
            return Err(Fault::Discontinuous);
        }
        self.add_bytes(part, leaf)?;
        self.signed.push(signed);
        self.last = Some(leaf);
        Ok(())
    }

    fn add_bytes(&mut self, part: &Part, leaf: &SegmentLeaf) -> Result<(), Fault> {
        let (from, to) = (self.proof.from, self.proof.to);
        match (leaf.frames, &part.object) {
            (None, Some(object)) if part.frames.is_empty() => {
                let raw = segment::open(leaf, &object.0)?;
                self.bytes.extend_from_slice(cut(&raw, leaf.from, from, to));
                Ok(())
            }
            (Some(root), None) => {
                let (first, last) = frames_with(leaf, from, to).ok_or(Fault::NotTheFrames)?;
                let expected = last - first + 1;
                let indices = part.frames.iter().map(|frame| frame.index);
                if part.frames.len() as u64 != expected || !indices.eq(first..=last) {
                    return Err(Fault::NotTheFrames);
                }
                for frame in &part.frames {
                    let raw = open_frame(leaf, &root, frame)?;
                    let start = leaf.from + frame.index * FRAME_RAW_BYTES as u64;
                    self.bytes.extend_from_slice(cut(&raw, start, from, to));
                }
                Ok(())
            }
            _ => Err(Fault::NotTheFrames),
        }
    }

    fn finish(self, length: u64) -> Result<ProvenEvent, Fault> {
        let proof = self.proof;
        let last = self.last.filter(|_| self.bytes.len() as u64 == length).ok_or(Fault::Incomplete)?;
        if Sha256::of(&self.bytes) != proof.sha256 {
            return Err(Fault::Hash);
        }
        if last.log != proof.log {
            return Err(Fault::Name(last.log.clone()));
        }
        let commit = self.signed.iter().map(|signed| signed.commit).max().unwrap_or(0);
        let mut signers: Vec<VerifyingKey> = Vec::new();
        for signed in self.signed {
            if !signers.contains(&signed.signer) {
                signers.push(signed.signer);
            }
        }
        Ok(ProvenEvent {
            archive: proof.archive.clone(),
            trail: proof.trail.clone(),
            log: proof.log.clone(),
            family: proof.family.clone(),
            generation: proof.generation.clone(),
            from: proof.from,
            to: proof.to,
            bytes: self.bytes,
            received: last.received,
            commit,
            signers,
        })
    }
}

/// The raw bytes of a frame, which is one of those that were signed and holds as much as its place demands.
fn open_frame(leaf: &SegmentLeaf, root: &Sha256, frame: &ShownFrame) -> Result<Vec<u8>, Fault> {
    let length = leaf.to - leaf.from;
    if length > MAX_RAW_BYTES {
        return Err(Fault::Object(Damage::Raw));
    }
    let (frame_bytes, data) = (FRAME_RAW_BYTES as u64, &frame.data.0);
    if inclusion::root(&leaf_hash(data), frame.index, length.div_ceil(frame_bytes), &frame.path)
        != Some(*root)
    {
        return Err(Fault::FrameNotIncluded(frame.index));
    }
    let is_one = frames::split(data).is_some_and(|frames| frames.len() == 1);
    let raw = frames::open(data).map_err(Damage::Zstd)?;
    let expected = (length - frame.index * frame_bytes).min(frame_bytes);
    if is_one && raw.len() as u64 == expected { Ok(raw) } else { Err(Fault::Frame(frame.index)) }
}
