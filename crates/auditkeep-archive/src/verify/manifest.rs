//! Opening an archive that may be damaged: without a believable `archive.json`, the commits say which archive it is.

use std::sync::Arc;

use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::key::VerifyingKey;
use futures::StreamExt;
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::path::Path;

use super::{Report, Verdict, describe};
use crate::archive::{Archive, ArchiveError, Manifest, failed, is_missing};
use crate::commit::Commit;
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
    let created = created(&store, &opened, roots).await?;
    let finding = match &opened {
        Ok(archive) => match created.filter(|created| created.differs(archive.manifest_sha256())) {
            Some(created) => (Verdict::Modified, DIFFERS.to_owned(), Some(created.archive)),
            None => return opened,
        },
        Err(ArchiveError::Missing) => {
            let detail = "there are trails, and it is not there".to_owned();
            (Verdict::Missing, detail, created.map(|created| created.archive))
        }
        Err(error @ ArchiveError::Damaged { .. }) => {
            (Verdict::Modified, describe(error), created.map(|created| created.archive))
        }
        // Nobody signed that it is newer.
        Err(ArchiveError::Newer { .. }) => match created.filter(|created| created.manifest.is_some()) {
            Some(created) if created.differs(stored_hash(&store).await?) => {
                (Verdict::Modified, DIFFERS.to_owned(), Some(created.archive))
            }
            _ => return opened,
        },
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
    // Version 1 demands the least of the rest of the archive.
    let manifest = Manifest { format: 1, id, created: Timestamp::UNIX_EPOCH, keys };
    Ok(Archive::of(store, manifest, &[], Vec::new()))
}

const DIFFERS: &str = "it is another one than the journal says";

/// What the journal's first commit says of the archive, if a trusted key signed it.
struct Created {
    archive: String,
    /// Hash of `archive.json`.
    manifest: Option<String>,
}

impl Created {
    fn differs(&self, manifest: Sha256) -> bool {
        self.manifest.as_ref().is_some_and(|stated| *stated != manifest.to_string())
    }
}

async fn created(
    store: &Arc<dyn ObjectStore>,
    opened: &Result<Archive, ArchiveError>,
    roots: &[VerifyingKey],
) -> Result<Option<Created>, ArchiveError> {
    let path = layout::commit(JOURNAL, 1);
    let bytes = match crate::archive::get(store, &path, crate::archive::MAX_OBJECT_BYTES).await {
        Err(error) if is_missing(&error) => return Ok(None),
        bytes => bytes?,
    };
    let Ok(Commit { body, checkpoint }) = Commit::read(path.as_ref(), &bytes) else { return Ok(None) };
    let roots = match opened {
        Ok(archive) if roots.is_empty() => archive.manifest().keys.clone(),
        _ => roots.to_vec(),
    };
    let keys = KeyRing::of_roots(roots);
    let is_signed = keys
        .open(&checkpoint, JOURNAL, 1)
        .is_ok_and(|text| body.checkpoint().is_ok_and(|expected| expected.text() == text));
    let created = body.leaves.first().and_then(Leaf::control).filter(|leaf| leaf.is(Event::ArchiveCreated));
    let manifest = created.and_then(|leaf| leaf.text("manifest")).map(str::to_owned);
    Ok(is_signed.then_some(Created { archive: body.archive, manifest }))
}

async fn stored_hash(store: &Arc<dyn ObjectStore>) -> Result<Sha256, ArchiveError> {
    let bytes = crate::archive::get(store, &layout::manifest(), crate::archive::MAX_OBJECT_BYTES).await?;
    Ok(Sha256::of(&bytes))
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
        if let Ok(commit) = Commit::read(path.as_ref(), &bytes) {
            return Ok(Some(commit.body.archive));
        }
    }
    Ok(None)
}
