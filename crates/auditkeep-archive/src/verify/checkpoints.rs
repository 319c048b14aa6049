//! Checkpoints that were kept elsewhere: does the archive still have what they cover?

use std::collections::BTreeMap;

use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::note::NoteError;

use super::pins::Pinned;
use super::trail::Start;
use super::{Check, Verdict, VerifyError};
use crate::checkpoint::Checkpoint;
use crate::commit::Body;
use crate::journal;
use crate::keyring::KeyRing;
use crate::layout::{self, JOURNAL};
use crate::leaf::SealLeaf;
use crate::trail;

impl Check<'_> {
    /// The commits after which an incremental verification begins, by trail.
    ///
    /// The checkpoint is believed if a key signed it that is trusted, or that the keys trusted have put in force by then.
    pub(super) async fn begin_after(&mut self) -> Result<BTreeMap<String, Start>, VerifyError> {
        let mut starts = BTreeMap::new();
        let Some(since) = &self.asked.since else { return Ok(starts) };
        let Some((body, hash)) = self.stored_as(since).await? else { return Ok(starts) };
        let mut keys = self.keys.clone();
        // What this puts in force is checked on the way, key by key.
        journal::follow_keys(self.archive, &body.standing(), &mut keys).await?;
        if self.doubt(since, &keys).is_some() {
            // What is wrong with it is told once the journal has been read.
            return Ok(starts);
        }
        self.keys = keys;
        let seal = journal::seal_of(&body.leaves);
        let seal = seal.ok_or_else(|| VerifyError::NoSeal { name: since.name.clone() })?;
        starts.insert(JOURNAL.to_owned(), Start { number: since.number, commit: hash });
        for (trail, head) in &seal.heads {
            starts.insert(trail.clone(), Start { number: head.number, commit: head.commit });
        }
        Ok(starts)
    }

    /// Whether each checkpoint's commit is in the journal, and what it covers in the trails.
    pub(super) async fn compare_checkpoints(&mut self) -> Result<(), VerifyError> {
        let asked = self.asked;
        for checkpoint in asked.checkpoints.iter().chain(&asked.since) {
            if let Some((verdict, detail)) = self.doubt(checkpoint, &self.keys) {
                self.report.add(verdict, checkpoint.name.clone(), detail);
                continue;
            }
            let last = self.last_numbers.get(JOURNAL).copied().unwrap_or(0);
            let stored = self.stored_as(checkpoint).await?.map(|(body, _)| body);
            if stored.is_none() && last < checkpoint.number {
                let detail = format!(
                    "it ends at commit {last}; the checkpoint `{}` is commit {}",
                    checkpoint.name, checkpoint.number
                );
                self.report.add(Verdict::RolledBack, Self::trail_name(JOURNAL), detail);
            } else if stored.is_none() && self.was_not_accused(checkpoint.number).await? {
                let detail = format!("the checkpoint `{}` is of another one", checkpoint.name);
                let name = layout::commit(JOURNAL, checkpoint.number).to_string();
                self.report.add(Verdict::Forked, name, detail);
            }
            let sealed = stored.as_ref().and_then(|body| journal::seal_of(&body.leaves));
            if let Some(seal) = checkpoint.seal().or(sealed) {
                self.pin_heads(seal)?;
            }
        }
        Ok(())
    }

    fn pin_heads(&mut self, seal: &SealLeaf) -> Result<(), VerifyError> {
        for (trail, head) in &seal.heads {
            self.pins.pin(trail, head.number, Pinned::commit(head.commit))?;
        }
        Ok(())
    }

    /// What is wrong with a checkpoint itself: it is of another archive, or signed by no key that counts.
    fn doubt(&self, checkpoint: &Checkpoint, keys: &KeyRing) -> Option<(Verdict, String)> {
        if checkpoint.archive != self.archive.manifest().id {
            let detail = format!("it is a checkpoint of the archive {}", checkpoint.archive);
            return Some((Verdict::Forked, detail));
        }
        match keys.open(&checkpoint.note, JOURNAL, checkpoint.number) {
            Ok(_) => None,
            Err(error @ NoteError::UnknownKey { .. }) => Some((Verdict::KeyUnknown, error.to_string())),
            Err(error) => Some((Verdict::Modified, error.to_string())),
        }
    }

    /// Whether a journal commit passed for a good one so far, or was not looked at.
    async fn was_not_accused(&self, number: u64) -> Result<bool, VerifyError> {
        let is_before = number <= self.pins.start(JOURNAL);
        Ok(is_before || trail::read_if_believed(self.archive, &self.keys, JOURNAL, number).await?.is_some())
    }

    /// The checkpoint's commit and its hash, if it is stored and is the one that the checkpoint is of.
    async fn stored_as(&self, checkpoint: &Checkpoint) -> Result<Option<(Body, Sha256)>, VerifyError> {
        let stored = self.stored(JOURNAL, checkpoint.number).await?;
        Ok(stored.filter(|(body, _)| body.checkpoint().is_ok_and(|stored| stored.body == checkpoint.body)))
    }
}
