//! Opening an archive that may be damaged: without a believable `archive.json`, the commits say which archive it is.

use std::sync::Arc;

use auditkeep_core::integrity::key::VerifyingKey;
use futures::StreamExt;
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::path::Path;

use super::{Report, Verdict, describe};
use crate::archive::{Archive, ArchiveError, Manifest, failed, read_canonical};
use crate::commit::{Commit, FORMAT};
use crate::control::Event;
use crate::keyring::KeyRing;
use crate::layout::{self, JOURNAL};
use crate::leaf::Leaf;

/// What is wrong with `archive.json` is a finding, as long as there are trails; without any, there is no archive here.
///
/// With `roots`, the journal's first commit is asked first: what a trusted key signed knows the archive better than a file that
/// nobody signed.
pub(super) async fn open(
    store: Arc<dyn ObjectStore>,
    roots: &[VerifyingKey],
    report: &mut Report,
) -> Result<Archive, ArchiveError> {
    let opened = Archive::unbelieved(Arc::clone(&store)).await;
    let finding = match &opened {
        Ok(archive) => match created_otherwise(archive, roots).await? {
            Some(id) => (Verdict::Modified, "it is another one than the journal says".to_owned(), Some(id)),
            None => return opened,
        },
        Err(ArchiveError::Missing) => {
            (Verdict::Missing, "there are trails, and it is not there".to_owned(), None)
        }
        Err(error @ ArchiveError::Damaged { .. }) => (Verdict::Modified, describe(error), None),
        Err(_) => return opened,
    };
    let (verdict, detail, id) = finding;
    let id = match id {
        Some(id) => id,
        None => match stated_id(&store).await? {
            Some(id) => id,
            None => return opened,
        },
    };
    report.add(verdict, layout::MANIFEST, detail);
    let keys = opened.map(|archive| archive.manifest().keys.clone()).unwrap_or_default();
    let manifest = Manifest { format: FORMAT, id, created: Timestamp::UNIX_EPOCH, keys };
    Ok(Archive::of(store, manifest, &[]))
}

/// The archive's id by the journal's first commit, if a trusted key signed that and it was not created with this `archive.json`.
async fn created_otherwise(
    archive: &Archive,
    roots: &[VerifyingKey],
) -> Result<Option<String>, ArchiveError> {
    let path = layout::commit(JOURNAL, 1);
    let Some(bytes) = archive.find(&path).await? else { return Ok(None) };
    let Ok(Commit { body, checkpoint }) = read_canonical(path.as_ref(), &bytes) else { return Ok(None) };
    let roots = if roots.is_empty() { archive.manifest().keys.clone() } else { roots.to_vec() };
    let keys = KeyRing::of_roots(roots);
    let is_signed = keys
        .open(&checkpoint, JOURNAL, 1)
        .is_ok_and(|text| body.checkpoint().is_ok_and(|expected| expected.text() == text));
    let created = body.leaves.first().and_then(Leaf::control).filter(|leaf| leaf.is(Event::ArchiveCreated));
    let stated = created.and_then(|leaf| leaf.text("manifest"));
    let differs = stated.is_some_and(|stated| stated != archive.manifest_sha256().to_string());
    Ok((is_signed && differs).then_some(body.archive))
}

/// The archive that the first commit that can be read says it belongs to, the journal's first of all. Not believed: each
/// commit's signature covers it.
async fn stated_id(store: &Arc<dyn ObjectStore>) -> Result<Option<String>, ArchiveError> {
    let journal = layout::trail(JOURNAL);
    if let Some(id) = stated_below(store, &journal).await? {
        return Ok(Some(id));
    }
    stated_below(store, &layout::trails()).await
}

async fn stated_below(store: &Arc<dyn ObjectStore>, prefix: &Path) -> Result<Option<String>, ArchiveError> {
    let mut listed = store.list(Some(prefix));
    while let Some(object) = listed.next().await {
        let path = object.map_err(|cause| failed("listing", prefix, cause))?.location;
        if path.filename().and_then(layout::commit_number).is_none() {
            continue;
        }
        let bytes = crate::archive::get(store, &path, crate::archive::MAX_OBJECT_BYTES).await?;
        if let Ok(commit) = read_canonical::<Commit>(path.as_ref(), &bytes) {
            return Ok(Some(commit.body.archive));
        }
    }
    Ok(None)
}
