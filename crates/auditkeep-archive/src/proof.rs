//! Proofs of single events: a small file that shows with public keys alone that certain bytes are in an archive.
//!
//! It holds the segment leaves that name the bytes, why each is in the tree that a commit's signature is over, and the frames
//! that hold the bytes (`docs/spec/archive.md`, §9). [`make`] reads an archive; [`EventProof::check`] is pure and needs none.
//! What a proof cannot show: that nothing else was archived, or that a key was retired later.

mod check;
mod event;
mod make;

use auditkeep_core::integrity::canonical;
use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::key::VerifyingKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::archive::{ArchiveError, Damage, read_canonical};
use crate::commit::FORMAT;
use crate::frames::FRAME_RAW_BYTES;
use crate::leaf::{Leaf, SegmentLeaf};

pub use check::{BadProof, Fault};
pub use event::{BadEventRef, EventRef};
pub use make::{ProofError, make};

/// Bytes of an event that can be proven, at most. What a proof is unpacked to is bounded by it.
pub const MAX_EVENT_BYTES: u64 = 64 << 20;
/// Bytes of a proof, at most: an event of the largest size that does not compress, in base64, and what comes with it.
pub const MAX_PROOF_BYTES: u64 = 128 << 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventProof {
    pub format: u32,
    pub kind: ProofKind,
    /// Id of the archive.
    pub archive: String,
    pub trail: String,
    /// The name that the log file had when the last of the bytes were read.
    pub log: String,
    pub family: String,
    pub generation: String,
    /// The event's bytes in the generation, `to` excluded.
    pub from: u64,
    pub to: u64,
    /// Of these bytes.
    pub sha256: Sha256,
    /// The segments that hold them, in order.
    pub parts: Vec<Part>,
    /// How signers became trusted, in the order of the journal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyStep>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofKind {
    EventProof,
}

/// A segment, and those of its bytes that matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// A segment leaf.
    pub leaf: Leaf,
    /// A C2SP `tlog-proof` that the leaf is in the trail's tree.
    pub inclusion: String,
    /// The frames that hold the bytes; none if the leaf states no tree of frames.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<ShownFrame>,
    /// The whole stored object, for a leaf that states no tree of frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Base64>,
}

/// One frame of a segment's object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownFrame {
    /// From 0.
    pub index: u64,
    /// Inclusion path in the tree over the object's frames.
    pub path: Vec<Sha256>,
    /// As stored.
    pub data: Base64,
}

/// A leaf of the journal that put keys in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyStep {
    pub leaf: Leaf,
    /// A C2SP `tlog-proof` that the leaf is in the journal's tree.
    pub inclusion: String,
}

/// Bytes; in JSON the standard base64 of RFC 4648, with padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Base64(pub Vec<u8>);

impl From<Base64> for String {
    fn from(bytes: Base64) -> Self {
        STANDARD.encode(bytes.0)
    }
}

impl TryFrom<String> for Base64 {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self)
    }
}

/// What a proof that holds has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenEvent {
    /// Id of the archive.
    pub archive: String,
    pub trail: String,
    /// The log file's name when the last of the bytes were read.
    pub log: String,
    pub family: String,
    pub generation: String,
    pub from: u64,
    pub to: u64,
    /// The event as it stands in the log.
    pub bytes: Vec<u8>,
    /// When the last of the bytes were read.
    pub received: Timestamp,
    /// Number of the newest commit that vouches for a part.
    pub commit: u64,
    /// Who signed these commits.
    pub signers: Vec<VerifyingKey>,
}

impl EventProof {
    /// Reads the bytes of a proof file, strictly: what is not spelled as the format demands is damaged. `name` is for
    /// messages. Believes nothing yet.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, ArchiveError> {
        let damaged = |cause| ArchiveError::Damaged { object: name.to_owned(), cause };
        if bytes.len() as u64 > MAX_PROOF_BYTES {
            return Err(damaged(Damage::TooLong(bytes.len() as u64)));
        }
        let proof: Self = read_canonical(name, bytes)?;
        match proof.format {
            FORMAT => Ok(proof),
            format if format > FORMAT => Err(ArchiveError::Newer { object: name.to_owned(), format }),
            _ => Err(damaged(Damage::NotItsFormat)),
        }
    }

    /// The bytes of the proof's file.
    pub fn to_vec(&self) -> Result<Vec<u8>, serde_json::Error> {
        canonical::to_vec(self)
    }

    /// Whether it shows, to somebody who trusts `roots` and nothing else, that the bytes are in the archive.
    pub fn check(&self, roots: &[VerifyingKey]) -> Result<ProvenEvent, BadProof> {
        check::check(self, roots)
    }
}

/// The indices of the frames of a segment, first and last, that hold its bytes among `from..to`; none if it holds none.
fn frames_with(leaf: &SegmentLeaf, from: u64, to: u64) -> Option<(u64, u64)> {
    let (start, end) = (from.max(leaf.from), to.min(leaf.to));
    let last = end.checked_sub(1).filter(|last| start <= *last)?;
    let frame = |at: u64| (at - leaf.from) / FRAME_RAW_BYTES as u64;
    Some((frame(start), frame(last)))
}

/// Of raw bytes that begin at `start`, those among `from..to`.
fn cut(raw: &[u8], start: u64, from: u64, to: u64) -> &[u8] {
    let at = |offset: u64| usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX).min(raw.len());
    raw.get(at(from)..at(to)).unwrap_or_default()
}
