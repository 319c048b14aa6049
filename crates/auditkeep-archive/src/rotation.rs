//! Rotating the archive's keys: putting one in force, and retiring another.
//!
//! Both are records in the journal, signed by a key that is in force. A retired key's signatures count up to the heads of a seal, so
//! nothing that it has signed after that seal may be in any trail; that is looked at before it is retired. Makes no key.

use auditkeep_core::integrity::key::VerifyingKey;

use crate::archive::Archive;
use crate::control::Event;
use crate::journal::{self, seal_of};
use crate::keyring::KeyRing;
use crate::layout::JOURNAL;
use crate::leaf::Leaf;
use crate::retention::Reason;
use crate::signer::Signer;
use crate::standing::Standing;
use crate::trail::{self, Stamp, TrailError};

#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    #[error(transparent)]
    Trail(#[from] TrailError),
    #[error("the archive has no key `{signer}`")]
    Unknown { signer: String },
    /// A retired key does not come back.
    #[error("the key `{signer}` was retired by commit {by} of the journal")]
    Retired { signer: String, by: u64 },
    #[error("the key `{signer}` is the last one in force")]
    Last { signer: String },
    #[error("the key `{signer}` cannot sign its own retirement")]
    Itself { signer: String },
    #[error("the journal's commit {commit} has no seal")]
    NoSeal { commit: u64 },
    /// Its signature would count no more.
    #[error("commit {commit} of trail `{trail}` was signed by the key `{signer}` after the seal")]
    InUse { signer: String, trail: String, commit: u64 },
}

/// What came of a change of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// By the journal commit of this number.
    Recorded(u64),
    /// It is so already, by the journal commit of this number; nothing was written.
    Before(u64),
}

/// Puts a key in force, from the next journal commit on. After an error it may be in force all the same; asking again is right.
pub async fn add(
    archive: &Archive,
    key: &dyn Signer,
    stamp: &Stamp,
    new: &VerifyingKey,
    Reason { who, reason }: Reason<'_>,
) -> Result<Rotated, RotationError> {
    let added = Event::KeyAdded.at(stamp.time).with("key", new).with("who", who).with("reason", reason);
    let leaves = |standing: &Standing| {
        let is_there = standing.keys.contains_key(&new.signer());
        if is_there { Vec::new() } else { vec![Leaf::Control(added.clone())] }
    };
    let (_, wrote) = journal::append(archive, key, stamp, &leaves).await?;
    match archive.journal().standing.keys.get(&new.signer()) {
        Some(known) => match known.retired {
            Some(by) => Err(RotationError::Retired { signer: new.signer(), by }),
            None if wrote => Ok(Rotated::Recorded(known.added)),
            None => Ok(Rotated::Before(known.added)),
        },
        None => Err(RotationError::Unknown { signer: new.signer() }),
    }
}

/// Retires the key `<name>+<key id>` as of the seal in journal commit `seal`, which should be a moment old.
///
/// `key` is another one that is in force. After an error it may be retired all the same; asking again is right.
pub async fn retire(
    archive: &Archive,
    key: &dyn Signer,
    stamp: &Stamp,
    (signer, seal): (&str, u64),
    Reason { who, reason }: Reason<'_>,
) -> Result<Rotated, RotationError> {
    if let Some(by) = may_retire(archive, key, signer)? {
        return Ok(Rotated::Before(by));
    }
    check_unused_since(archive, signer, seal).await?;
    let retired = Event::KeyRetired.at(stamp.time).with("key", signer).with("seal", seal);
    let retired = retired.with("who", who).with("reason", reason);
    let leaves = |standing: &Standing| {
        let may_be = matches!(retirement(standing, signer), Ok(None));
        if may_be { vec![Leaf::Control(retired.clone())] } else { Vec::new() }
    };
    let (head, wrote) = journal::append(archive, key, stamp, &leaves).await?;
    if wrote {
        return Ok(Rotated::Recorded(head.body.number));
    }
    match retirement(&archive.journal().standing, signer)? {
        Some(by) => Ok(Rotated::Before(by)),
        None => Err(RotationError::Unknown { signer: signer.to_owned() }),
    }
}

/// Whether `key` may retire the other one, as far as the journal was looked at: none if so, the journal commit that did it if it
/// is retired.
pub fn may_retire(archive: &Archive, key: &dyn Signer, signer: &str) -> Result<Option<u64>, RotationError> {
    if key.public().signer() == signer {
        return Err(RotationError::Itself { signer: signer.to_owned() });
    }
    retirement(&archive.journal().standing, signer)
}

/// None if the key may be retired, the commit that did it if it is.
fn retirement(standing: &Standing, signer: &str) -> Result<Option<u64>, RotationError> {
    let owned = || signer.to_owned();
    let known = standing.keys.get(signer).ok_or_else(|| RotationError::Unknown { signer: owned() })?;
    if known.retired.is_some() {
        return Ok(known.retired);
    }
    let others = standing.keys.iter().any(|(other, known)| other != signer && known.retired.is_none());
    if others { Ok(None) } else { Err(RotationError::Last { signer: owned() }) }
}

/// A commit that only this key has signed, after the seal, could be believed no more, and its trail not be appended to.
async fn check_unused_since(archive: &Archive, signer: &str, seal: u64) -> Result<(), RotationError> {
    let sealed = trail::read(archive, JOURNAL, seal).await?;
    let heads = sealed.as_ref().and_then(|head| seal_of(&head.body.leaves)).map(|seal| &seal.heads);
    let heads = heads.ok_or(RotationError::NoSeal { commit: seal })?;
    let journal = archive.journal();
    let others = journal.keys.keys().iter().filter(|key| key.signer() != signer).cloned().collect();
    let others = KeyRing::of_roots(others);
    for trail in archive.trails().await.map_err(TrailError::from)? {
        let last = trail::last_number(archive, &trail).await?;
        let sealed = heads.get(&trail).map_or(0, |head| head.number);
        for commit in sealed + 1..=last {
            match trail::read_by(archive, &others, &trail, commit).await {
                Err(TrailError::Distrusted { .. }) => {
                    return Err(RotationError::InUse { signer: signer.to_owned(), trail, commit });
                }
                there => drop(there?),
            }
        }
    }
    Ok(())
}
