//! The leaves of a trail's tree: what a commit adds.
//!
//! `docs/spec/archive.md`, §4.1, describes each field. The data of a leaf in the tree is its canonical JSON.

use std::collections::BTreeMap;

use auditkeep_core::integrity::canonical;
use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::tree;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::commit::cursor_key;
use crate::control::ControlLeaf;

#[expect(clippy::large_enum_variant, reason = "nearly all leaves are segments")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Leaf {
    Segment(SegmentLeaf),
    /// Something happened that is not bytes.
    Control(ControlLeaf),
    /// In the journal: where all other trails stand. Since format 2.
    Seal(SealLeaf),
}

/// Bytes `from..to` of one generation of one log file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentLeaf {
    /// The file's name when it was read.
    pub log: String,
    /// With the generation, which cursor the segment belongs to.
    pub family: String,
    pub generation: String,
    pub from: u64,
    pub to: u64,
    /// Where the last complete record ends, at or before `to`; what follows belongs to a record that goes on.
    pub complete_to: u64,
    pub raw_sha256: Sha256,
    /// Full name of the stored object.
    pub object: String,
    pub object_sha256: Sha256,
    /// Bytes.
    pub object_size: u64,
    /// Root of the tree over the object's frames; none if it is cut otherwise. Since format 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<Sha256>,
    /// Name of the grammar, as `auditkeep_core::format` names it.
    pub format: String,
    /// When the bytes were read.
    pub received: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealLeaf {
    pub time: Timestamp,
    /// By trail id; every trail but the journal.
    pub heads: BTreeMap<String, SealedHead>,
}

/// Where a trail stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedHead {
    pub number: u64,
    /// Of the commit as stored.
    pub commit: Sha256,
    /// Of the tree.
    pub size: u64,
    pub root: Sha256,
}

impl SegmentLeaf {
    /// The key of the cursor that it moves.
    pub fn cursor_key(&self) -> String {
        cursor_key(&self.family, &self.generation)
    }
}

impl Leaf {
    /// What enters the tree.
    pub fn data(&self) -> Result<Vec<u8>, serde_json::Error> {
        canonical::to_vec(self)
    }

    /// Its hash in the tree.
    pub fn hash(&self) -> Result<Sha256, serde_json::Error> {
        Ok(tree::leaf_hash(&self.data()?))
    }

    pub fn segment(&self) -> Option<&SegmentLeaf> {
        match self {
            Self::Segment(leaf) => Some(leaf),
            Self::Control(_) | Self::Seal(_) => None,
        }
    }

    pub fn control(&self) -> Option<&ControlLeaf> {
        match self {
            Self::Control(leaf) => Some(leaf),
            Self::Segment(_) | Self::Seal(_) => None,
        }
    }

    pub fn seal(&self) -> Option<&SealLeaf> {
        match self {
            Self::Seal(leaf) => Some(leaf),
            Self::Segment(_) | Self::Control(_) => None,
        }
    }

    /// Whether a commit of format 1 may have it.
    pub(crate) fn is_of_format_1(&self) -> bool {
        match self {
            Self::Segment(leaf) => leaf.frames.is_none(),
            Self::Control(_) => true,
            Self::Seal(_) => false,
        }
    }
}
