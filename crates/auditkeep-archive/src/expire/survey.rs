//! Which segments some commits of a trail name that nothing else needs.
//!
//! A name that a later commit has too is a file that was forgotten and seen again. Names lie on this machine's disk, in parts of
//! which one at a time is in memory.

use std::collections::HashSet;

use futures::TryStreamExt;

use super::{ExpireError, kept};
use crate::archive::Archive;
use crate::leaf::SegmentLeaf;
use crate::spill::{self, Spill};
use crate::trail;

pub(super) use crate::spill::PARTITIONS;

pub(super) struct Survey {
    trail: String,
    /// By name: raw bytes, and the name.
    named: Spill,
    /// Names in commits after `through`, as far as they were looked at.
    later: Spill,
    looked_through: u64,
    kept: HashSet<String>,
}

/// A segment that can go.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) object: String,
    pub(super) raw_bytes: u64,
}

impl Survey {
    /// Of the commits after `before` up to `through`, and of what was kept of those up to `before`.
    pub(super) async fn of(
        archive: &Archive,
        trail: &str,
        before: u64,
        through: u64,
    ) -> Result<Self, ExpireError> {
        let mut named = Spill::default();
        if before > 0 {
            let body = trail::commit(archive, trail, before).await?.body;
            for leaf in body.cursors.values().flat_map(|cursor| &cursor.unfinished) {
                add(&mut named, leaf)?;
            }
        }
        let mut kept_after = HashSet::new();
        let mut commits = trail::commits(archive, trail, before + 1, through);
        while let Some(head) = commits.try_next().await? {
            for leaf in trail::segments(&head) {
                add(&mut named, leaf)?;
            }
            if head.body.number == through {
                kept_after = kept(&head.body);
            }
        }
        let (trail, later) = (trail.to_owned(), Spill::default());
        Ok(Self { trail, named, later, looked_through: through, kept: kept_after })
    }

    /// Looks at the names in the commits up to `last`, from where it last ended.
    pub(super) async fn look_later(&mut self, archive: &Archive, last: u64) -> Result<(), ExpireError> {
        let mut commits = trail::commits(archive, &self.trail, self.looked_through + 1, last);
        while let Some(head) = commits.try_next().await? {
            for leaf in trail::segments(&head) {
                self.later.add(&leaf.object, &[])?;
            }
            self.looked_through = head.body.number;
        }
        Ok(())
    }

    /// Each segment of one part once that is neither kept nor named later, as far as that was looked at.
    pub(super) fn candidates(&mut self, partition: usize) -> Result<Vec<Candidate>, ExpireError> {
        let mut taken: HashSet<spill::Key> = HashSet::new();
        self.later.read(partition, |key, _| {
            taken.insert(key);
        })?;
        let mut candidates = Vec::new();
        self.named.read(partition, |key, fact| {
            let Some(candidate) = parse(fact) else { return };
            if taken.insert(key) && !self.kept.contains(&candidate.object) {
                candidates.push(candidate);
            }
        })?;
        Ok(candidates)
    }
}

fn add(named: &mut Spill, leaf: &SegmentLeaf) -> std::io::Result<()> {
    let raw_bytes = leaf.to.saturating_sub(leaf.from);
    named.add(&leaf.object, &[&raw_bytes.to_be_bytes()[..], leaf.object.as_bytes()].concat())
}

fn parse(fact: &[u8]) -> Option<Candidate> {
    let (raw_bytes, object) = fact.split_first_chunk()?;
    let object = String::from_utf8(object.to_vec()).ok()?;
    Some(Candidate { object, raw_bytes: u64::from_be_bytes(*raw_bytes) })
}
