//! The commit protocol: how a trail grows, by any number of processes at once, without a lock.
//!
//! Read the last commit; put the segments; put the next commit under the next number, which only one can create. Whoever
//! finds the number taken reads again and decides anew. Recovery after a crash is nothing but doing this again.
//!
//! This file does not judge the past: it believes the last commit if it is spelled right, signed by a trusted key, and no
//! number up to it is missing since the one that was last seen. Whether the whole trail holds together is for `verify`.

mod read;

use std::collections::BTreeMap;

use auditkeep_core::integrity::canonical;
use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::note::{self, NoteError};
use auditkeep_core::integrity::tree::Frontier;
use jiff::Timestamp;

use crate::archive::{Archive, ArchiveError, Damage, PutNew};
use crate::commit::{Body, Commit, Cursor, FORMAT, Source};
use crate::control::Event;
use crate::journal;
use crate::keyring::KeyRing;
use crate::layout::{self, JOURNAL};
use crate::leaf::Leaf;
use crate::signer::{SignError, Signer};
use crate::standing::Standing;

pub(crate) use self::read::{commit, commits, commits_back, last, segments};

/// A commit that is believed, with the hash of its stored bytes. The last one of a trail is what the next follows.
#[derive(Clone, Debug)]
pub struct Head {
    pub body: Body,
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
    #[error("the commit `{object}` cannot be believed")]
    Distrusted {
        object: String,
        #[source]
        cause: NoteError,
    },
    #[error("the commit `{object}` does not say what its signature is over")]
    CheckpointMismatch { object: String },
    #[error("there is no trail `{trail}`")]
    NoTrail { trail: String },
    /// Going on after a hole would make a second history.
    #[error("the commit `{object}` is missing, and later ones are there")]
    Hole { object: String },
    /// Sealing without it would forget what was sealed.
    #[error("the commit `{object}` has no seal, and the journal says that it has")]
    NoSeal { object: String },
    /// See [`journal::append`].
    #[error("the archive holds evidence, and its journal is gone: a new one would hide what is lost")]
    NoJournal,
}

impl TrailError {
    /// Whether a later version of the program wrote it.
    pub(crate) fn is_newer(&self) -> bool {
        matches!(self, Self::Archive(ArchiveError::Newer { .. }))
    }

    /// Whether the store did not answer: nothing is known then of what is stored.
    pub fn is_of_the_store(&self) -> bool {
        matches!(self, Self::Archive(error) if error.is_of_the_store())
    }
}

/// When something is written, and by what.
#[derive(Clone, Debug)]
pub struct Stamp {
    pub time: Timestamp,
    /// Name and version of the program.
    pub writer: String,
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
    pub stamp: Stamp,
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
    archive.journal().check_signer(key.public())?;
    if trail != JOURNAL && archive.journal().head.is_none() {
        // Boxed, because this is how the journal itself is appended to. A crash after it leaves an archive with a journal.
        Box::pin(journal::begin(archive, key, &addition.stamp)).await?;
    }
    let number = head.map_or(1, |head| head.body.number + 1);
    let path = layout::commit(trail, number);
    let encode = |cause| ArchiveError::Encode { object: path.to_string(), cause };
    let body = next_body(archive, trail, head, addition).map_err(encode)?;
    let body_bytes = canonical::to_vec(&body).map_err(encode)?;
    let text = body.checkpoint_over(&body_bytes).text();
    // A crash here, or a key that does not answer, leaves segments that nobody names.
    let signature = key.sign(text.as_bytes()).await?;
    let checkpoint = note::assemble(&text, key.public(), &signature);
    let bytes = Commit::around(&body_bytes, &checkpoint).map_err(encode)?;
    let hash = Sha256::of(&bytes);

    let head = match archive.put_new(&path, bytes.into()).await? {
        // The commit is made. A crash here loses only the hint.
        PutNew::Created => Head { body, hash },
        PutNew::Taken(there) => {
            let there = believe(archive, &archive.journal().keys, trail, number, &there)?;
            if there.body != body {
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

/// Appends a commit that adds no bytes to a trail that is there, whoever else appends meanwhile.
///
/// `leaves` is asked what there is to say after a given head, and may be asked again if somebody was faster; without leaves
/// nothing is written. Gives the last commit as it is then, and whether it was written here. After an error the record may be there all
/// the same, and a second attempt may write it twice.
pub async fn record(
    archive: &Archive,
    key: &dyn Signer,
    trail: &str,
    stamp: &Stamp,
    leaves: &(dyn Fn(&Head) -> Vec<Leaf> + Sync),
) -> Result<(Head, bool), TrailError> {
    let mut head = last(archive, trail).await?;
    loop {
        let leaves = leaves(&head);
        if leaves.is_empty() {
            return Ok((head, false));
        }
        let addition = Addition {
            stamp: stamp.clone(),
            source: head.body.source.clone(),
            leaves,
            cursors: head.body.cursors.clone(),
        };
        match append(archive, key, trail, Some(&head), addition).await? {
            Append::Done(head) => return Ok((head, true)),
            Append::Overtaken(there) => head = there,
        }
    }
}

fn next_body(
    archive: &Archive,
    trail: &str,
    head: Option<&Head>,
    addition: Addition,
) -> Result<Body, serde_json::Error> {
    let Addition { stamp, source, mut leaves, cursors } = addition;
    if let Some(head) = head.filter(|head| head.body.time > stamp.time) {
        leaves.push(Leaf::Control(Event::ClockWentBack.at(stamp.time).with("previous", head.body.time)));
    }
    let mut tree = head.map_or_else(Frontier::default, |head| head.body.tree.clone());
    for leaf in &leaves {
        tree.push(leaf.hash()?);
    }
    let number = head.map_or(1, |head| head.body.number + 1);
    let standing = head.map_or_else(Standing::default, |head| head.body.standing()).after(number, &leaves);
    Ok(Body {
        format: FORMAT,
        archive: archive.manifest().id.clone(),
        trail: trail.to_owned(),
        number,
        previous: head.map(|head| head.hash),
        time: stamp.time,
        writer: stamp.writer,
        source,
        leaves,
        tree,
        cursors,
        journal: archive.journal().head.filter(|_| trail != JOURNAL),
        standing: Some(standing),
    })
}

/// Reads one commit and believes it if a key signed it whose signature counts there; none if there is no such number.
pub async fn read(archive: &Archive, trail: &str, number: u64) -> Result<Option<Head>, TrailError> {
    read_by(archive, &archive.journal().keys, trail, number).await
}

/// The same, believed by other keys.
pub(crate) async fn read_by(
    archive: &Archive,
    keys: &KeyRing,
    trail: &str,
    number: u64,
) -> Result<Option<Head>, TrailError> {
    match archive.find(&layout::commit(trail, number)).await? {
        Some(bytes) => believe(archive, keys, trail, number, &bytes).map(Some),
        None => Ok(None),
    }
}

/// The same; none, too, if it cannot be believed. An error is the store's, and says nothing of what is stored.
pub(crate) async fn read_if_believed(
    archive: &Archive,
    keys: &KeyRing,
    trail: &str,
    number: u64,
) -> Result<Option<Head>, TrailError> {
    match read_by(archive, keys, trail, number).await {
        Err(error) if !error.is_of_the_store() => Ok(None),
        outcome => outcome,
    }
}

/// What a stored commit says, if it is in its place and a key signed it whose signature counts there.
pub(crate) fn believe(
    archive: &Archive,
    keys: &KeyRing,
    trail: &str,
    number: u64,
    bytes: &[u8],
) -> Result<Head, TrailError> {
    let commit = believe_whole(archive, keys, trail, number, bytes)?;
    Ok(Head { body: commit.body, hash: Sha256::of(bytes) })
}

/// The same, with the note.
pub(crate) fn believe_whole(
    archive: &Archive,
    keys: &KeyRing,
    trail: &str,
    number: u64,
    bytes: &[u8],
) -> Result<Commit, TrailError> {
    let object = layout::commit(trail, number).to_string();
    let commit = Commit::read(&object, bytes)?;
    let body = &commit.body;
    if (body.archive.as_str(), body.trail.as_str(), body.number) != (&archive.manifest().id, trail, number) {
        let claim = format!("commit {} of trail `{}` in archive {}", body.number, body.trail, body.archive);
        return Err(ArchiveError::Damaged { object, cause: Damage::Misplaced(claim) }.into());
    }
    let body_bytes = commit.body_within(bytes);
    let body_bytes = body_bytes.map_err(|cause| ArchiveError::Encode { object: object.clone(), cause })?;
    let expected = body.checkpoint_over(body_bytes);
    match keys.open(&commit.checkpoint, trail, number) {
        Ok(text) if text == expected.text() => Ok(commit),
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
pub(crate) async fn last_number(archive: &Archive, trail: &str) -> Result<u64, TrailError> {
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
