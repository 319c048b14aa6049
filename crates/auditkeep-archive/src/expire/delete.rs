//! The deletion that a record in the archive allows.
//!
//! What is not there any more is not looked at further, so that doing it again costs little. One object that cannot be deleted does not
//! stop the others.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::survey::{Candidate, PARTITIONS, Survey};
use super::{Committed, ExpireError};
use crate::archive::{Archive, ArchiveError, failed};
use crate::trail;

/// Objects that are asked for at the same time.
const CONCURRENT: usize = 16;
/// Failures that are told one by one; the others are counted.
pub const MAX_FAILURES: usize = 100;

/// What was deleted, and what was not.
#[derive(Clone, Debug, Default)]
pub struct Deleted {
    pub segments: u64,
    /// At most [`MAX_FAILURES`].
    pub failures: Vec<NotDeleted>,
    /// Failures beside these.
    pub more_failures: u64,
}

/// A segment that should be gone and is there.
#[derive(Clone, Debug, thiserror::Error)]
#[error("deleting `{object}` failed: {cause}")]
pub struct NotDeleted {
    pub object: String,
    pub cause: String,
}

impl Committed {
    pub(super) async fn delete(&self, archive: &Archive) -> Result<Deleted, ExpireError> {
        let mut survey = Survey::of(archive, &self.trail, self.before, self.through).await?;
        let mut deleted = Deleted::default();
        for partition in 0..PARTITIONS {
            // Later commits are only looked at when there is something to delete.
            if present(archive, survey.candidates(partition)?).await?.is_empty() {
                continue;
            }
            // Each time anew: collectors do not wait.
            survey.look_later(archive, trail::last_number(archive, &self.trail).await?).await?;
            let left = present(archive, survey.candidates(partition)?).await?;
            deleted.delete(archive, left).await?;
        }
        Ok(deleted)
    }
}

impl Deleted {
    async fn delete(&mut self, archive: &Archive, objects: Vec<String>) -> Result<(), ArchiveError> {
        let paths = objects.clone().into_iter().map(|object| Ok(Path::from(object)));
        let mut answers = archive.store().delete_stream(stream::iter(paths).boxed());
        let (mut gone, mut cause) = (HashSet::new(), None);
        while let Some(answer) = answers.next().await {
            // A crash here leaves the others for the next attempt.
            match answer {
                Ok(path) => {
                    gone.insert(path.to_string());
                }
                Err(error) => cause = cause.or(Some(error.to_string())),
            }
        }
        self.segments += gone.len() as u64;
        let unsaid = objects.into_iter().filter(|object| !gone.contains(object));
        let unsaid: Vec<Candidate> = unsaid.map(|object| Candidate { object, raw_bytes: 0 }).collect();
        let asked = unsaid.len();
        // Of a failure of many at once it is not said which of them are gone.
        let left = present(archive, unsaid).await?;
        self.segments += (asked - left.len()) as u64;
        for object in left {
            let cause = cause.clone().unwrap_or_else(|| "the store gave no answer".to_owned());
            if self.failures.len() < MAX_FAILURES {
                self.failures.push(NotDeleted { object, cause });
            } else {
                self.more_failures += 1;
            }
        }
        Ok(())
    }
}

/// Those that are in the store.
async fn present(archive: &Archive, candidates: Vec<Candidate>) -> Result<Vec<String>, ArchiveError> {
    let found = stream::iter(candidates).map(|candidate| async move {
        let path = Path::from(candidate.object.as_str());
        match archive.store().head(&path).await {
            Ok(_) => Ok(Some(candidate.object)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(cause) => Err(failed("looking for", &path, cause)),
        }
    });
    let found: Vec<Option<String>> = found.buffer_unordered(CONCURRENT).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}
