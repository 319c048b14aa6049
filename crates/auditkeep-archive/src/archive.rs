//! Opening and creating an archive, and the few ways to touch its store.
//!
//! Evidence can be put, if nothing is there under that name, read and listed. There is no way here to delete or to
//! overwrite it. The one object that is overwritten is a trail's head, a hint that may be stale or lost.

use std::sync::Arc;

use auditkeep_core::integrity::canonical::{self, NotCanonical};
use auditkeep_core::integrity::key::VerifyingKey;
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};

use crate::commit::FORMAT;
use crate::layout;

/// An archive object that is longer than this is not one of ours: commits and the manifest are small, segments bounded.
pub const MAX_OBJECT_BYTES: u64 = 256 << 20;

/// `archive.json`: what makes a store an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    /// 32 hexadecimal digits, random: two archives are never mistaken for one another.
    pub id: String,
    pub created: Timestamp,
    /// Who may sign. Storage is not trusted: a verifier compares them with keys that it got elsewhere.
    pub keys: Vec<VerifyingKey>,
}

/// Doing what, to which object, failed, and why.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("{operation} `{object}` failed")]
    Store {
        operation: &'static str,
        object: String,
        #[source]
        cause: object_store::Error,
    },
    /// There is no `archive.json`.
    #[error("there is no archive at this place")]
    Missing,
    #[error("there is an archive at this place already")]
    Exists,
    /// What is stored is not what an archive holds.
    #[error("`{object}` is damaged")]
    Damaged {
        object: String,
        #[source]
        cause: Damage,
    },
    /// The name is taken by other bytes. Nothing was overwritten.
    #[error("`{object}` exists already and holds other bytes; nothing was overwritten")]
    Incident { object: String },
    #[error("the signing key `{key}` is not one of this archive's keys")]
    ForeignKey { key: String },
    #[error("`{object}` has format {format}, and this version reads up to {FORMAT}")]
    Newer { object: String, format: u32 },
    #[error("encoding `{object}` failed")]
    Encode {
        object: String,
        #[source]
        cause: serde_json::Error,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    #[error("it is {0} bytes long, which no object of an archive is")]
    TooLong(u64),
    #[error("its bytes do not have the hash that the commit states")]
    Hash,
    #[error("it does not decompress to the bytes that the commit states")]
    Raw,
    #[error("it does not decompress")]
    Zstd(#[source] std::io::Error),
    #[error("it says that it is {0}")]
    Misplaced(String),
}

/// Whether a put created the object or found the same bytes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutNew {
    Created,
    Taken,
}

/// An opened archive. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    manifest: Arc<Manifest>,
}

impl Archive {
    /// Makes an empty place an archive. `id` is 32 random hexadecimal digits.
    pub async fn create(
        store: Arc<dyn ObjectStore>,
        id: String,
        key: VerifyingKey,
        created: Timestamp,
    ) -> Result<Self, ArchiveError> {
        let manifest = Manifest { format: FORMAT, id, created, keys: vec![key] };
        let bytes = canonical::to_vec(&manifest)
            .map_err(|cause| ArchiveError::Encode { object: layout::MANIFEST.to_owned(), cause })?;
        let archive = Self { store, manifest: Arc::new(manifest) };
        match archive.put_new(&layout::manifest(), bytes.into()).await? {
            // A crash here leaves an empty archive, which is a whole one.
            PutNew::Created => Ok(archive),
            PutNew::Taken => Err(ArchiveError::Exists),
        }
    }

    pub async fn open(store: Arc<dyn ObjectStore>) -> Result<Self, ArchiveError> {
        let bytes = match get(&store, &layout::manifest()).await {
            Err(ArchiveError::Store { cause: object_store::Error::NotFound { .. }, .. }) => {
                return Err(ArchiveError::Missing);
            }
            bytes => bytes?,
        };
        let manifest: Manifest = read_canonical(layout::MANIFEST, &bytes)?;
        if manifest.format > FORMAT {
            return Err(ArchiveError::Newer { object: layout::MANIFEST.to_owned(), format: manifest.format });
        }
        Ok(Self { store, manifest: Arc::new(manifest) })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The store itself, for the derived tables that live beside the evidence.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Creates an object, or finds that the name is taken. What is there then is for the caller to compare.
    ///
    /// After an error the object may exist all the same: the answer may have been lost.
    pub async fn put_new(&self, path: &Path, bytes: Bytes) -> Result<PutNew, ArchiveError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(path, bytes.into(), options).await {
            Ok(_) => Ok(PutNew::Created),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(PutNew::Taken),
            Err(cause) => Err(failed("writing", path, cause)),
        }
    }

    pub async fn get(&self, path: &Path) -> Result<Bytes, ArchiveError> {
        get(&self.store, path).await
    }

    pub async fn find(&self, path: &Path) -> Result<Option<Bytes>, ArchiveError> {
        match self.get(path).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ArchiveError::Store { cause: object_store::Error::NotFound { .. }, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn exists(&self, path: &Path) -> Result<bool, ArchiveError> {
        match self.store.head(path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(cause) => Err(failed("looking for", path, cause)),
        }
    }

    /// Everything below a name, in no particular order.
    pub fn list(&self, prefix: &Path) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.store.list(Some(prefix))
    }

    /// The ids of all trails, sorted.
    pub async fn trails(&self) -> Result<Vec<String>, ArchiveError> {
        let path = layout::trails();
        let listed = self.store.list_with_delimiter(Some(&path)).await;
        let listed = listed.map_err(|cause| failed("listing", &path, cause))?;
        let mut ids: Vec<String> =
            listed.common_prefixes.iter().filter_map(|prefix| prefix.filename().map(str::to_owned)).collect();
        ids.sort();
        Ok(ids)
    }

    /// Writes a hint: where the head of a trail was last seen. Losing it costs time, never data.
    pub(crate) async fn hint_head(&self, trail: &str, number: u64) {
        let path = layout::head(trail);
        if let Err(error) = self.store.put(&path, number.to_string().into()).await {
            tracing::debug!(%path, %error, "the head hint was not written");
        }
    }

    pub(crate) async fn head_hint(&self, trail: &str) -> Option<u64> {
        let bytes = self.get(&layout::head(trail)).await.ok()?;
        std::str::from_utf8(&bytes).ok()?.parse().ok()
    }
}

async fn get(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<Bytes, ArchiveError> {
    let object = store.get(path).await.map_err(|cause| failed("reading", path, cause))?;
    if object.meta.size > MAX_OBJECT_BYTES {
        return Err(ArchiveError::Damaged {
            object: path.to_string(),
            cause: Damage::TooLong(object.meta.size),
        });
    }
    let chunks: Vec<Bytes> =
        object.into_stream().try_collect().await.map_err(|cause| failed("reading", path, cause))?;
    Ok(match <[Bytes; 1]>::try_from(chunks) {
        Ok([whole]) => whole,
        Err(chunks) => chunks.concat().into(),
    })
}

pub(crate) fn failed(operation: &'static str, path: &Path, cause: object_store::Error) -> ArchiveError {
    ArchiveError::Store { operation, object: path.to_string(), cause }
}

/// Reads an object of ours; one of a newer format says so instead of looking damaged.
pub(crate) fn read_canonical<T: Serialize + serde::de::DeserializeOwned>(
    object: &str,
    bytes: &[u8],
) -> Result<T, ArchiveError> {
    canonical::from_slice(bytes).map_err(|cause| match stated_format(bytes) {
        Some(format) if format > FORMAT => ArchiveError::Newer { object: object.to_owned(), format },
        _ => ArchiveError::Damaged { object: object.to_owned(), cause: cause.into() },
    })
}

fn stated_format(bytes: &[u8]) -> Option<u32> {
    let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    let format = value.get("format").or_else(|| value.get("body")?.get("format"))?;
    format.as_u64()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn key(seed: u8) -> VerifyingKey {
        auditkeep_core::integrity::key::SigningKey::from_seed("k", &[seed; 32]).unwrap().public().clone()
    }

    #[tokio::test]
    async fn created_once_and_opened() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        assert!(matches!(Archive::open(store.clone()).await, Err(ArchiveError::Missing)));
        let made =
            Archive::create(store.clone(), "0".repeat(32), key(1), Timestamp::UNIX_EPOCH).await.unwrap();
        let second = Archive::create(store.clone(), "1".repeat(32), key(2), Timestamp::UNIX_EPOCH).await;
        assert!(matches!(second, Err(ArchiveError::Exists)));
        assert_eq!(Archive::open(store).await.unwrap().manifest(), made.manifest());
    }

    #[tokio::test]
    async fn newer_and_damaged_manifests_are_told_apart() {
        for (text, newer) in [(r#"{"format":9,"more":1}"#, true), (r#"{"format":1}"#, false), ("x", false)] {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            store.put(&layout::manifest(), text.into()).await.unwrap();
            let error = Archive::open(store).await.unwrap_err();
            assert_eq!(matches!(error, ArchiveError::Newer { format: 9, .. }), newer, "{text}");
        }
    }
}
