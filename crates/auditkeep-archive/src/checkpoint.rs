//! Checkpoints that are kept outside the archive: a seal as it is stored, or only its signed note.
//!
//! A witness keeps the seal, which says where each trail stood. A note is a few lines that fit into a report or a chat, and
//! pins the same; what the trails were is then looked up in the archive's own copy of the seal. Reading one believes nothing.

use auditkeep_core::integrity::checkpoint::{BadCheckpointText, Checkpoint as CheckpointText};
use auditkeep_core::integrity::hash::Sha256;

use crate::archive::{Archive, ArchiveError};
use crate::commit::Commit;
use crate::journal::seal_of;
use crate::layout::{self, JOURNAL};
use crate::leaf::SealLeaf;

/// A commit of the journal, as somebody kept it.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Where it was kept, for people.
    pub name: String,
    pub archive: String,
    /// Of the journal commit.
    pub number: u64,
    /// Hash of the commit's canonical body.
    pub body: Sha256,
    /// The signed note.
    pub note: String,
    commit: Option<Commit>,
}

/// The text is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum BadCheckpoint {
    #[error("`{name}` is neither a sealed commit nor a signed note of one")]
    Form {
        name: String,
        #[source]
        cause: BadCheckpointText,
    },
    #[error(transparent)]
    Commit(#[from] ArchiveError),
    #[error("`{name}` is a checkpoint of trail `{trail}`, and not of the journal")]
    OfAnotherTrail { name: String, trail: String },
    #[error("the note in `{name}` is of another commit than the one around it")]
    Contradiction { name: String },
}

impl Checkpoint {
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, BadCheckpoint> {
        if bytes.first() == Some(&b'{') {
            // A file that was edited may end in a line feed that the stored object does not have.
            let commit = Commit::read(name, bytes.trim_ascii_end())?;
            let note = commit.checkpoint.clone();
            return Self::of_note(name, note, Some(commit));
        }
        Self::of_note(name, String::from_utf8_lossy(bytes).into_owned(), None)
    }

    fn of_note(name: &str, note: String, commit: Option<Commit>) -> Result<Self, BadCheckpoint> {
        let name = name.to_owned();
        let stated = CheckpointText::parse(&note)
            .map_err(|cause| BadCheckpoint::Form { name: name.clone(), cause })?;
        if stated.trail != JOURNAL {
            return Err(BadCheckpoint::OfAnotherTrail { name, trail: stated.trail });
        }
        let of_commit = commit.as_ref().map(|commit| commit.body.checkpoint().ok());
        if of_commit.is_some_and(|of_commit| of_commit.as_ref() != Some(&stated)) {
            return Err(BadCheckpoint::Contradiction { name });
        }
        Ok(Self { name, archive: stated.archive, number: stated.commit, body: stated.body, note, commit })
    }

    /// Whether the archive's journal has the commit that it is of. Signatures are not looked at.
    pub async fn is_in(&self, archive: &Archive) -> Result<bool, ArchiveError> {
        let path = layout::commit(JOURNAL, self.number);
        let Some(bytes) = archive.find(&path).await? else { return Ok(false) };
        let Ok(commit) = Commit::read(path.as_ref(), &bytes) else { return Ok(false) };
        let stored = commit.body.checkpoint();
        Ok(stored.is_ok_and(|stored| stored.archive == self.archive && stored.body == self.body))
    }

    /// Whether it is known to cover no trail: a commit without a seal. A note alone does not say.
    pub fn has_no_seal(&self) -> bool {
        self.commit.is_some() && self.seal().is_none()
    }

    /// Where each trail stood, if it is more than a note.
    pub fn seal(&self) -> Option<&SealLeaf> {
        self.commit.as_ref().and_then(|commit| seal_of(&commit.body.leaves))
    }
}
