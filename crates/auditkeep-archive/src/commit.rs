//! What a commit says, and how it is spelled.
//!
//! A commit is one object in canonical JSON: a body, and a signed checkpoint that covers the body and the tree of all
//! leaves so far. `docs/spec/archive.md` describes each field. Reading is strict: another spelling, an unknown field or a
//! newer format is refused, because what is not understood cannot be vouched for.

use std::collections::BTreeMap;
use std::ops::Range;

use auditkeep_core::integrity::canonical;
use auditkeep_core::integrity::checkpoint::Checkpoint;
use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::tree::Frontier;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::archive::{ArchiveError, Damage, read_canonical};
use crate::layout::JOURNAL;
use crate::leaf::{Leaf, SegmentLeaf};
use crate::standing::Standing;

/// The version of the archive's format that this code writes, and the newest that it reads.
pub const FORMAT: u32 = 2;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    pub body: Body,
    /// A signed note over [`Body::checkpoint`].
    pub checkpoint: String,
}

const BEFORE_BODY: &[u8] = br#"{"body":"#;
const BEFORE_CHECKPOINT: &[u8] = br#","checkpoint":"#;
const END: &[u8] = b"}";

impl Commit {
    /// A stored commit that is spelled as its format demands. One of a newer format is called that, and not damaged; whether
    /// anybody vouches for it is not looked at.
    pub(crate) fn read(object: &str, stored: &[u8]) -> Result<Self, ArchiveError> {
        let commit: Self = read_canonical(object, stored)?;
        let (object, format) = (object.to_owned(), commit.body.format);
        match commit.body.fits_its_format() {
            true => Ok(commit),
            false if format > FORMAT => Err(ArchiveError::Newer { object, format }),
            false => Err(ArchiveError::Damaged { object, cause: Damage::NotItsFormat }),
        }
    }

    /// The bytes that are stored, of a body that is spelled canonically already: sorting its keys is most of the work.
    pub(crate) fn around(body: &[u8], checkpoint: &str) -> Result<Vec<u8>, serde_json::Error> {
        let checkpoint = canonical::to_vec(&checkpoint)?;
        Ok([BEFORE_BODY, body, BEFORE_CHECKPOINT, &checkpoint, END].concat())
    }

    /// The body's bytes within those of this commit, which were found to be canonical.
    pub(crate) fn body_within<'a>(&self, stored: &'a [u8]) -> Result<&'a [u8], serde_json::Error> {
        let checkpoint = canonical::to_vec(&self.checkpoint)?;
        let behind = BEFORE_CHECKPOINT.len() + checkpoint.len() + END.len();
        Ok(stored.get(BEFORE_BODY.len()..stored.len().saturating_sub(behind)).unwrap_or_default())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    pub format: u32,
    /// Id of the archive; a commit does not verify in another one.
    pub archive: String,
    pub trail: String,
    /// From 1, without holes.
    pub number: u64,
    /// Hash of commit `number - 1` as stored; none in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Sha256>,
    pub time: Timestamp,
    /// Name and version of the program that wrote it.
    pub writer: String,
    pub source: Source,
    /// In the order in which they enter the tree.
    pub leaves: Vec<Leaf>,
    /// The trail's tree after the leaves.
    pub tree: Frontier,
    /// Where to go on reading, after this commit; by [`Cursor::key`].
    pub cursors: BTreeMap<String, Cursor>,
    /// The newest commit of the journal that the writer knew; none in the journal itself. Since format 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<Pin>,
    /// What is in force after this commit. Since format 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// A commit of another trail, as somebody saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    pub number: u64,
    /// Of the commit as stored.
    pub commit: Sha256,
}

/// What a trail's bytes come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// `log-files`, `import` or `journal` so far; an open list, so that a verifier need not know every kind.
    pub kind: String,
    pub account: String,
    pub region: String,
    pub resource_id: String,
    /// The instance's name at that time.
    pub instance: String,
    /// As RDS names it. Text, so that a verifier need not know every engine.
    pub engine: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// How far one generation of one log file has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The name under which the file was last seen.
    pub log: String,
    /// The name without what rotation appends; generations are told apart within it.
    pub family: String,
    pub generation: String,
    /// Name of the grammar.
    pub format: String,
    /// `yyyy/mm/dd` of the first record, or `undated`: part of the segments' names.
    pub day: String,
    /// Bytes archived so far.
    pub offset: u64,
    /// Bytes that belong to complete records.
    pub complete_to: u64,
    /// Ends of the archived segments, ascending; the last is `offset`.
    pub cuts: Vec<u64>,
    /// Over the raw hashes of those segments: see [`chain`].
    pub chain: Sha256,
    /// Segments that hold bytes after `complete_to`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfinished: Vec<SegmentLeaf>,
    /// What the listing said when the file was read; the same again means that nothing is new.
    pub listed: Listed,
    /// The file was not growing any more.
    pub settled: bool,
    /// The same records are in a csvlog beside this file, which cannot be forged: no events are derived from this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub evidence_only: bool,
}

impl Cursor {
    pub fn key(&self) -> String {
        cursor_key(&self.family, &self.generation)
    }
}

pub fn cursor_key(family: &str, generation: &str) -> String {
    format!("{family}#{generation}")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    pub size: u64,
    pub last_written_ms: i64,
}

/// The hash over a file's prefix: of nothing 32 zero bytes, then `SHA-256(chain ‖ raw hash of the next segment)`.
pub fn chain(before: &Sha256, raw: &Sha256) -> Sha256 {
    Sha256::of_parts(&[&before.0, &raw.0])
}

/// The chain before the first segment.
pub const CHAIN_START: Sha256 = Sha256([0; 32]);

impl Body {
    /// Whether it has what its format demands, and nothing that came later.
    fn fits_its_format(&self) -> bool {
        match self.format {
            1 => {
                self.trail != JOURNAL
                    && self.journal.is_none()
                    && self.standing.is_none()
                    && self.leaves.iter().all(Leaf::is_of_format_1)
                    && self
                        .cursors
                        .values()
                        .flat_map(|cursor| &cursor.unfinished)
                        .all(|leaf| leaf.frames.is_none())
            }
            FORMAT => {
                let in_journal = self.trail == JOURNAL;
                let cursors_belong = !in_journal || self.cursors.is_empty();
                self.standing.is_some() && self.journal.is_some() != in_journal && cursors_belong
            }
            _ => false,
        }
    }

    /// The segments that hold some bytes of a log file without a hole: of this commit, and of those before it that ended in an
    /// unfinished record. `known` is the file's cursor in the commit before. None if some of the bytes are in none of them.
    pub fn segments_of(
        &self,
        key: &str,
        known: Option<&Cursor>,
        bytes: &Range<u64>,
    ) -> Option<Vec<SegmentLeaf>> {
        let unfinished = known.map_or(&[][..], |known| &known.unfinished).iter();
        let own = self.leaves.iter().filter_map(Leaf::segment).filter(|leaf| leaf.cursor_key() == key);
        let holds_some = |leaf: &&SegmentLeaf| leaf.to > bytes.start && leaf.from < bytes.end;
        let segments: Vec<SegmentLeaf> = unfinished.chain(own).filter(holds_some).cloned().collect();
        let begins = segments.first().is_some_and(|first| first.from <= bytes.start);
        let ends = segments.last().is_some_and(|last| last.to >= bytes.end);
        (begins && ends && segments.windows(2).all(|pair| pair[0].to == pair[1].from)).then_some(segments)
    }

    /// What is in force after this commit.
    pub fn standing(&self) -> Standing {
        self.standing.clone().unwrap_or_else(Standing::of_format_1)
    }

    /// What the signature of the commit is over.
    pub fn checkpoint(&self) -> Result<Checkpoint, serde_json::Error> {
        Ok(self.checkpoint_over(&canonical::to_vec(self)?))
    }

    /// The same, given the body's canonical bytes.
    pub(crate) fn checkpoint_over(&self, bytes: &[u8]) -> Checkpoint {
        Checkpoint {
            archive: self.archive.clone(),
            trail: self.trail.clone(),
            size: self.tree.size(),
            root: self.tree.root(),
            commit: self.number,
            body: Sha256::of(bytes),
        }
    }
}
