//! The commit protocol: how a trail grows, by any number of processes at once, without a lock.
//!
//! Read the last commit; put the segments; put the next commit under the next number, which only one can create. Whoever
//! finds the number taken reads again and decides anew. Recovery after a crash is nothing but doing this again.
//!
//! This file does not judge the past: it believes the last commit if it is spelled right, signed by a trusted key, and no
//! number up to it is missing since the one that was last seen. Whether the whole trail holds together is for `verify`.

use std::collections::BTreeMap;

use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::note::{self, NoteError};
use auditkeep_core::integrity::tree::Frontier;
use jiff::Timestamp;

use crate::archive::{Archive, ArchiveError, Damage, PutNew, read_canonical};
use crate::commit::{Body, Commit, Cursor, FORMAT, Leaf, Source};
use crate::layout;
use crate::signer::{SignError, Signer};

/// What a trail is appended to with: its last commit, if there is one.
#[derive(Clone, Debug)]
pub struct Head {
    pub body: Body,
    /// Of the commit as stored.
    pub hash: Sha256,
}

#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// No commit was written.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// Appending after a commit that somebody else may have written would vouch for it.
    #[error("the last commit `{object}` cannot be believed")]
    Distrusted {
        object: String,
        #[source]
        cause: NoteError,
    },
    #[error("the last commit `{object}` does not say what its signature is over")]
    CheckpointMismatch { object: String },
    /// Going on after a hole would make a second history.
    #[error("the commit `{object}` is missing, and later ones are there")]
    Hole { object: String },
}

/// What came of an attempt to append.
#[derive(Debug)]
pub enum Append {
    Done(Head),
    /// Somebody else wrote that number first; this is what is there now.
    Overtaken(Head),
}

/// What a new commit adds.
#[derive(Clone, Debug)]
pub struct Addition {
    pub time: Timestamp,
    /// Name and version of this program.
    pub writer: String,
    pub source: Source,
    pub leaves: Vec<Leaf>,
    /// All cursors of the trail as they are afterwards.
    pub cursors: BTreeMap<String, Cursor>,
}

/// The last commit of a trail; none if the trail does not exist.
pub async fn head(archive: &Archive, trail: &str) -> Result<Option<Head>, TrailError> {
    match last_number(archive, trail).await? {
        0 => Ok(None),
        number => Ok(Some(read_head(archive, trail, number).await?)),
    }
}

/// Appends one commit after `head`. Called again with the same arguments after an error, it does the same again, or finds
/// it done.
pub async fn append(
    archive: &Archive,
    key: &dyn Signer,
    trail: &str,
    head: Option<&Head>,
    addition: Addition,
) -> Result<Append, TrailError> {
    if !archive.manifest().keys.contains(key.public()) || !archive.trusted_keys().contains(key.public()) {
        return Err(ArchiveError::ForeignKey { key: key.public().to_string() }.into());
    }
    let number = head.map_or(1, |head| head.body.number + 1);
    let path = layout::commit(trail, number);
    let encode = |cause| ArchiveError::Encode { object: path.to_string(), cause };
    let body = next_body(archive, trail, head, addition).map_err(encode)?;
    let text = body.checkpoint().map_err(encode)?.text();
    // A crash here, or a key that does not answer, leaves segments that nobody names.
    let signature = key.sign(text.as_bytes()).await?;
    let commit = Commit { body, checkpoint: note::assemble(&text, key.public(), &signature) };
    let bytes = commit.to_vec().map_err(encode)?;
    let hash = Sha256::of(&bytes);

    let head = match archive.put_new(&path, bytes.into()).await? {
        // The commit is made. A crash here loses only the hint.
        PutNew::Created => Head { body: commit.body, hash },
        PutNew::Taken(there) => {
            let there = believe(archive, trail, number, &there)?;
            if there.body != commit.body {
                // What this process put before belongs to nobody now; the next attempt will name the same objects.
                return Ok(Append::Overtaken(there));
            }
            // An earlier attempt had succeeded, and its answer was lost. Its signature may be another one than this one's:
            // what is stored is what the next commit follows.
            there
        }
    };
    archive.hint_head(trail, number).await;
    Ok(Append::Done(head))
}

fn next_body(
    archive: &Archive,
    trail: &str,
    head: Option<&Head>,
    addition: Addition,
) -> Result<Body, serde_json::Error> {
    let mut tree = head.map_or_else(Frontier::default, |head| head.body.tree.clone());
    for leaf in &addition.leaves {
        tree.push(leaf.hash()?);
    }
    Ok(Body {
        format: FORMAT,
        archive: archive.manifest().id.clone(),
        trail: trail.to_owned(),
        number: head.map_or(1, |head| head.body.number + 1),
        previous: head.map(|head| head.hash),
        time: addition.time,
        writer: addition.writer,
        source: addition.source,
        leaves: addition.leaves,
        tree,
        cursors: addition.cursors,
    })
}

/// Reads one commit and believes it if a trusted key signed it; none if there is no such number.
pub async fn read(archive: &Archive, trail: &str, number: u64) -> Result<Option<Head>, TrailError> {
    match archive.find(&layout::commit(trail, number)).await? {
        Some(bytes) => believe(archive, trail, number, &bytes).map(Some),
        None => Ok(None),
    }
}

/// What a stored commit says, if it is in its place and a trusted key signed it.
fn believe(archive: &Archive, trail: &str, number: u64, bytes: &[u8]) -> Result<Head, TrailError> {
    let object = layout::commit(trail, number).to_string();
    let commit: Commit = read_canonical(&object, bytes)?;
    let body = &commit.body;
    if (body.archive.as_str(), body.trail.as_str(), body.number) != (&archive.manifest().id, trail, number) {
        let claim = format!("commit {} of trail `{}` in archive {}", body.number, body.trail, body.archive);
        return Err(ArchiveError::Damaged { object, cause: Damage::Misplaced(claim) }.into());
    }
    let expected =
        body.checkpoint().map_err(|cause| ArchiveError::Encode { object: object.clone(), cause })?;
    match note::open(&commit.checkpoint, archive.trusted_keys()) {
        Ok((text, _)) if text == expected.text() => Ok(Head { body: commit.body, hash: Sha256::of(bytes) }),
        Ok(_) => Err(TrailError::CheckpointMismatch { object }),
        Err(cause) => Err(TrailError::Distrusted { object, cause }),
    }
}

async fn read_head(archive: &Archive, trail: &str, number: u64) -> Result<Head, TrailError> {
    if let Some(head) = read(archive, trail, number).await? {
        return Ok(head);
    }
    // It was there a moment ago, and nothing of ours deletes.
    let object = layout::commit(trail, number).to_string();
    let source = "it vanished while it was read".into();
    let cause = object_store::Error::NotFound { path: object.clone(), source };
    Err(ArchiveError::Store { operation: "reading", object, cause }.into())
}

/// The highest number in use; 0 for none.
async fn last_number(archive: &Archive, trail: &str) -> Result<u64, TrailError> {
    let hint = archive.head_hint(trail).await.unwrap_or(0);
    let mut last = hint.saturating_sub(1);
    let mut numbers = archive.commit_numbers(trail, last).await?;
    if last > 0 && numbers.first() != Some(&hint) {
        // The hint names nothing that is there: it is stale, or somebody tampered with it. It was only a hint.
        last = 0;
        numbers = archive.commit_numbers(trail, last).await?;
    }
    for number in numbers {
        if number != last + 1 {
            return Err(TrailError::Hole { object: layout::commit(trail, last + 1).to_string() });
        }
        last = number;
    }
    Ok(last)
}
