//! A directory or a bucket as a witness: every seal as an object of its own, created if absent.
//!
//! `<archive id>/<20-digit number of the journal commit>.json` holds the commit's stored bytes. Whoever seals needs the right
//! to put, to get and to list, and no right to delete; Object Lock on the bucket makes it final.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use auditkeep_archive::checkpoint::Checkpoint;
use auditkeep_archive::seal::Sealed;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use super::{Witness, WitnessError, goes_on};
use crate::small_file;

const HANDING: &str = "handing the seal to";
const ASKING: &str = "asking";

pub struct StoreWitness {
    name: String,
    store: Arc<dyn ObjectStore>,
}

impl StoreWitness {
    pub fn new(name: &str, store: Arc<dyn ObjectStore>) -> Self {
        Self { name: name.to_owned(), store }
    }

    async fn read(&self, operation: &'static str, path: &Path) -> Result<bytes::Bytes, WitnessError> {
        let failed = |cause| match cause {
            // It is listed, and is nothing that can be read.
            Error::NotFound { .. } => {
                WitnessError::Damaged { witness: self.name.clone(), cause: Box::new(cause) }
            }
            cause => WitnessError::unreachable(operation, &self.name, cause),
        };
        let object = self.store.get(path).await.map_err(failed)?;
        if object.meta.size > small_file::MAX_BYTES {
            let cause = small_file::too_large().into();
            return Err(WitnessError::Damaged { witness: self.name.clone(), cause });
        }
        object.bytes().await.map_err(failed)
    }

    fn checkpoint(&self, path: &Path, bytes: &[u8]) -> Result<Checkpoint, WitnessError> {
        Checkpoint::parse(&format!("{} ({path})", self.name), bytes)
            .map_err(|cause| WitnessError::Damaged { witness: self.name.clone(), cause: cause.into() })
    }
}

fn object(archive: &str, number: u64) -> Path {
    Path::from(archive).join(format!("{number:020}.json"))
}

/// The number that an object's name says, if it is the name of a seal.
fn number(archive: &str, path: &Path) -> Option<u64> {
    let number = path.filename()?.strip_suffix(".json")?.parse().ok()?;
    (object(archive, number) == *path).then_some(number)
}

#[async_trait]
impl Witness for StoreWitness {
    fn name(&self) -> &str {
        &self.name
    }

    async fn keep(&self, archive: &str, seal: &Sealed) -> Result<(), WitnessError> {
        goes_on(&self.name, archive, self.newest(archive).await?.as_ref(), seal)?;
        let path = object(archive, seal.number);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&path, seal.bytes.clone().into(), options).await {
            // The witness has it. A crash here loses only the record of it, which the next seal makes good.
            Ok(_) => Ok(()),
            // An earlier attempt had succeeded, or somebody else sealed another archive of this id.
            Err(Error::AlreadyExists { .. }) if self.read(HANDING, &path).await? == seal.bytes => Ok(()),
            Err(Error::AlreadyExists { .. }) => Err(WitnessError::AnotherHistory {
                witness: self.name.clone(),
                detail: format!("`{path}` holds another seal"),
            }),
            Err(cause) => Err(WitnessError::unreachable(HANDING, &self.name, cause)),
        }
    }

    /// A name that is not that of the seal in the object counts for nothing: whoever may only add objects must not be able to put
    /// an old seal in front of the newest one.
    async fn newest(&self, archive: &str) -> Result<Option<Checkpoint>, WitnessError> {
        let prefix = Path::from(archive);
        let mut listed = self.store.list(Some(&prefix));
        let mut numbers = BTreeSet::new();
        while let Some(found) =
            listed.try_next().await.map_err(|cause| WitnessError::unreachable(ASKING, &self.name, cause))?
        {
            numbers.extend(number(archive, &found.location));
        }
        for number in numbers.into_iter().rev() {
            let path = object(archive, number);
            match self.read(ASKING, &path).await.and_then(|bytes| self.checkpoint(&path, &bytes)) {
                Ok(checkpoint) if (checkpoint.archive.as_str(), checkpoint.number) == (archive, number) => {
                    return Ok(Some(checkpoint));
                }
                Ok(_) | Err(WitnessError::Damaged { .. }) => {
                    tracing::warn!(witness = self.name, object = %path, "it is not the seal that its name says");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
