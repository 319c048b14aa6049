//! What an archive is compared with: checkpoints in files, and what the configured witnesses have.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::checkpoint::Checkpoint;
use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::verify::Verification;
use auditkeep_archive::{journal, trail, verify};
use auditkeep_pipeline::small_file;
use object_store::ObjectStore;

use crate::cli::Context;
use crate::failure::{self, Failure};
use crate::witnesses::{self, Asked};

const HINT: &str = "give a file that `auditkeep seal --output` wrote, or that a witness keeps";

pub(super) fn read_checkpoint(path: &Path) -> Result<Checkpoint, Failure> {
    let bytes = small_file::read_given(path).map_err(|error| {
        Failure::usage(format!("reading the checkpoint `{}` failed: {error}", path.display()), HINT)
    })?;
    Checkpoint::parse(&path.display().to_string(), &bytes)
        .map_err(|error| Failure::usage(failure::with_causes(&error), HINT))
}

/// Refuses checkpoints of journal commits that seal nothing: that the archive has all that they cover would say nothing.
pub(super) async fn refuse_without_seal(
    archive: Option<&Archive>,
    verification: &Verification,
) -> Result<(), Failure> {
    for checkpoint in verification.checkpoints.iter().chain(&verification.since) {
        if checkpoint.has_no_seal() || seals_nothing(archive, checkpoint).await {
            let message =
                format!("the checkpoint `{}` holds no seal, so it covers no trail", checkpoint.name);
            return Err(Failure::usage(message, HINT));
        }
    }
    Ok(())
}

/// Whether the archive has the checkpoint's commit, and no seal in it. What cannot be read is for the verification to judge.
async fn seals_nothing(archive: Option<&Archive>, checkpoint: &Checkpoint) -> bool {
    let Some(archive) = archive.filter(|_| checkpoint.seal().is_none()) else { return false };
    let Ok(Some(head)) = trail::read(archive, JOURNAL, checkpoint.number).await else { return false };
    let is_it = head.body.checkpoint().is_ok_and(|stored| stored.body == checkpoint.body);
    is_it && journal::seal_of(&head.body.leaves).is_none()
}

/// Asks the configured witnesses, and adds what they keep to what is compared.
pub(super) async fn ask(
    context: &Context,
    store: &Arc<dyn ObjectStore>,
    archive: Option<&Archive>,
    verification: &mut Verification,
) -> Vec<Asked> {
    if context.config.witness.is_empty() {
        return Vec::new();
    }
    let nothing = BTreeMap::new();
    let known = archive.map(Archive::journal);
    let known = known.as_ref().map_or(&nothing, |journal| &journal.standing.witnesses);
    let Ok(id) = verify::archive_id(Arc::clone(store)).await else { return Vec::new() };
    let asked = witnesses::ask(&context.config, &id, known).await;
    verification.checkpoints.extend(asked.iter().filter_map(|asked| asked.checkpoint.clone()));
    asked
}
