//! Opening an archive that may be damaged: without a believable `archive.json`, the commits say which archive it is.

use std::sync::Arc;

use futures::StreamExt;
use jiff::Timestamp;
use object_store::ObjectStore;

use super::{Report, Verdict, describe};
use crate::archive::{Archive, ArchiveError, Manifest, failed, read_canonical};
use crate::commit::{Commit, FORMAT};
use crate::layout;

/// What is wrong with `archive.json` is a finding, as long as there are trails; without any, there is no archive here.
pub(super) async fn open(store: Arc<dyn ObjectStore>, report: &mut Report) -> Result<Archive, ArchiveError> {
    let error = match Archive::unbelieved(Arc::clone(&store)).await {
        Err(error @ (ArchiveError::Missing | ArchiveError::Damaged { .. })) => error,
        opened => return opened,
    };
    let Some(id) = stated_id(&store).await? else { return Err(error) };
    match error {
        ArchiveError::Missing => {
            report.add(Verdict::Missing, layout::MANIFEST, "there are trails, and it is not there")
        }
        error => report.add(Verdict::Modified, layout::MANIFEST, describe(&error)),
    }
    let manifest = Manifest { format: FORMAT, id, created: Timestamp::UNIX_EPOCH, keys: Vec::new() };
    Ok(Archive::of(store, manifest, &[]))
}

/// The archive that the first commit that can be read says it belongs to. Not believed: each commit's signature covers it.
async fn stated_id(store: &Arc<dyn ObjectStore>) -> Result<Option<String>, ArchiveError> {
    let trails = layout::trails();
    let mut listed = store.list(Some(&trails));
    while let Some(object) = listed.next().await {
        let path = object.map_err(|cause| failed("listing", &trails, cause))?.location;
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
