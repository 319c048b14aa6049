//! Sealing: all trail heads under one signed note, the checkpoint of a journal commit.
//!
//! A seal is worth something once it is kept where whoever can alter the archive cannot reach; handing it over is for others.
//! What a seal named once, later seals name too: if a trail shows less than before, its old head stays in the seal, so that
//! the loss stays visible, and whoever seals is told.

use std::collections::BTreeMap;

use auditkeep_core::integrity::hash::Sha256;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use crate::archive::{Archive, ArchiveError, Damage, read_canonical};
use crate::commit::Commit;
use crate::journal;
use crate::layout::{self, JOURNAL};
use crate::leaf::{Leaf, SealLeaf, SealedHead};
use crate::signer::Signer;
use crate::trail::{self, Head, Stamp, TrailError};

/// Trails whose heads are read at the same time.
const CONCURRENT_HEADS: usize = 16;

/// A seal that is in the journal.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Of the journal commit.
    pub number: u64,
    pub time: Timestamp,
    /// How many trails it names.
    pub trails: u64,
    /// The commit as it is stored: what a witness keeps.
    pub bytes: Bytes,
    /// Its signed note.
    pub note: String,
    /// Trails that show less than the seal before.
    pub lost: Vec<Lost>,
}

/// A trail that is not what it was when it was last sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    pub trail: String,
    pub detail: String,
}

/// Puts a seal over what the trails are now into the journal, also when nothing is new.
///
/// After an error the seal may be there all the same; sealing again makes another one.
pub async fn seal(archive: &Archive, key: &dyn Signer, stamp: &Stamp) -> Result<Sealed, TrailError> {
    loop {
        let (sealed, before) = last_seal(archive).await?;
        let mut lost = Vec::new();
        let found = heads(archive, &mut lost).await?;
        let heads = merge(before, found, &mut lost);
        let trails = heads.len() as u64;
        let leaf = Leaf::Seal(SealLeaf { time: stamp.time, heads });
        let (head, wrote) = journal::append(archive, key, stamp, &|standing| {
            // Another seal meanwhile may name more than was read here.
            if standing.sealed == sealed { vec![leaf.clone()] } else { Vec::new() }
        })
        .await?;
        // A crash here leaves a seal that no witness got; the next one names the same and more.
        if wrote {
            let (bytes, note) = stored(archive, &head).await?;
            return Ok(Sealed { number: head.body.number, time: stamp.time, trails, bytes, note, lost });
        }
    }
}

/// The journal commit's stored bytes, and the note in them. What is not what was written must not reach a witness.
async fn stored(archive: &Archive, head: &Head) -> Result<(Bytes, String), ArchiveError> {
    let path = layout::commit(JOURNAL, head.body.number);
    let bytes = archive.get(&path).await?;
    if Sha256::of(&bytes) != head.hash {
        return Err(ArchiveError::Damaged { object: path.to_string(), cause: Damage::NotAsWritten });
    }
    let commit: Commit = read_canonical(path.as_ref(), &bytes)?;
    Ok((bytes, commit.checkpoint))
}

/// The newest seal in the journal, with the number of its commit; zero and nothing before the first. Without the one that the
/// standing names, what was sealed is not known, and no seal can promise to name it too.
async fn last_seal(archive: &Archive) -> Result<(u64, BTreeMap<String, SealedHead>), TrailError> {
    let Some(head) = trail::head(archive, JOURNAL).await? else { return Ok((0, BTreeMap::new())) };
    let number = head.body.standing().sealed;
    if number == 0 {
        return Ok((0, BTreeMap::new()));
    }
    let head = trail::commit(archive, JOURNAL, number).await?;
    let no_seal = || TrailError::NoSeal { object: layout::commit(JOURNAL, number).to_string() };
    let seal = journal::seal_of(&head.body.leaves).ok_or_else(no_seal)?;
    Ok((number, seal.heads.clone()))
}

/// Where each trail stands. One whose last commit cannot be believed is lost, and does not stop the others.
async fn heads(archive: &Archive, lost: &mut Vec<Lost>) -> Result<BTreeMap<String, SealedHead>, TrailError> {
    let trails = archive.trails().await?;
    let mut heads = stream::iter(trails)
        .map(|id| async move {
            match trail::head(archive, &id).await {
                Err(error) if error.is_of_the_store() || error.is_newer() => Err(error),
                head => Ok((id, head)),
            }
        })
        .buffer_unordered(CONCURRENT_HEADS);
    let mut found = BTreeMap::new();
    while let Some((trail, head)) = heads.try_next().await? {
        match head {
            Ok(Some(head)) => drop(found.insert(trail, sealed_head(&head))),
            Ok(None) => {}
            Err(error) => lost.push(Lost { trail, detail: error.to_string() }),
        }
    }
    Ok(found)
}

fn sealed_head(head: &Head) -> SealedHead {
    let tree = &head.body.tree;
    SealedHead { number: head.body.number, commit: head.hash, size: tree.size(), root: tree.root() }
}

/// The heads to seal, after those of the seal before: what was found, and what was sealed and is not found any more.
fn merge(
    before: BTreeMap<String, SealedHead>,
    mut found: BTreeMap<String, SealedHead>,
    lost: &mut Vec<Lost>,
) -> BTreeMap<String, SealedHead> {
    for (trail, old) in before {
        let detail = match found.get(&trail) {
            Some(now) if now.number > old.number || *now == old => continue,
            Some(now) if now.number == old.number => {
                format!("its commit {} is another one than was sealed", old.number)
            }
            Some(now) => format!("it ends at commit {}; commit {} was sealed", now.number, old.number),
            None => format!("commit {} was sealed, and none can be believed now", old.number),
        };
        if !lost.iter().any(|lost| lost.trail == trail) {
            lost.push(Lost { trail: trail.clone(), detail });
        }
        found.insert(trail, old);
    }
    found
}
