//! Opening and creating an archive, and the few ways to touch its store.
//!
//! Evidence can be put, if nothing is there under that name, read and listed. Whoever has an [`Archive`] has no way to delete or to
//! overwrite it, but for [`crate::expire`], which gives up what a signed record says is given up. The one object that is overwritten
//! is a trail's head, a hint that may be stale or lost.

use std::sync::{Arc, PoisonError, RwLock};

use auditkeep_core::integrity::canonical::{self, NotCanonical};
use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::key::VerifyingKey;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};

use crate::commit::FORMAT;
use crate::journal::{self, JournalView};
use crate::layout;
use crate::trail::TrailError;

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
    /// The store keeps it where it cannot be read at once.
    #[error("reading `{object}` failed")]
    NeedsRestore {
        object: String,
        #[source]
        cause: NeedsRestore,
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
    #[error("the signing key `{key}` is not one of this archive's keys in force")]
    ForeignKey { key: String },
    #[error("the signing key `{key}` was retired by commit {commit} of the journal")]
    RetiredKey { key: String, commit: u64 },
    /// Whose signatures count is written there.
    #[error("the archive's journal cannot be believed")]
    Journal(#[source] Box<TrailError>),
    #[error("`{object}` has format {format}, and this version reads up to {FORMAT}")]
    Newer { object: String, format: u32 },
    #[error("encoding `{object}` failed")]
    Encode {
        object: String,
        #[source]
        cause: serde_json::Error,
    },
}

impl ArchiveError {
    /// Whether the store did not answer: nothing is known then of what is stored.
    pub fn is_of_the_store(&self) -> bool {
        matches!(self, Self::Store { .. } | Self::NeedsRestore { .. })
    }
}

/// A store gives this as the source of its error where an object is there and cannot be read before it was asked back from
/// a storage class for cold data. Holds the store's own words.
#[derive(Debug, thiserror::Error)]
#[error("it is in a storage class from which it has to be restored before it can be read")]
pub struct NeedsRestore(#[source] pub object_store::Error);

#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    #[error("it is {0} bytes long, which is too long for what it should be")]
    TooLong(u64),
    #[error("its bytes do not have the hash that the commit states")]
    Hash,
    #[error("it is not what was written there a moment ago")]
    NotAsWritten,
    #[error("it does not decompress to the bytes that the commit states")]
    Raw,
    #[error("its frames are not those that the commit states")]
    Frames,
    #[error("it does not decompress")]
    Zstd(#[source] std::io::Error),
    #[error("it says that it is {0}")]
    Misplaced(String),
    #[error("it has what its format does not have, or lacks what its format demands")]
    NotItsFormat,
}

/// What a put found under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutNew {
    /// Nothing: the object was created.
    Created,
    /// These bytes. Whether they are as good as one's own is for the caller to say.
    Taken(Bytes),
}

/// Attempts to put an object that is said to exist and is not there. S3 answers a race between two creations like that.
const PUT_ATTEMPTS: usize = 4;

/// An opened archive. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    manifest: Arc<Manifest>,
    manifest_sha256: Sha256,
    /// What the journal said when it was last looked at; shared by all clones.
    journal: Arc<RwLock<Arc<JournalView>>>,
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
        let bytes: Bytes = canonical::to_vec(&manifest)
            .map_err(|cause| ArchiveError::Encode { object: layout::MANIFEST.to_owned(), cause })?
            .into();
        let roots = manifest.keys.clone();
        let archive = Self::of(store, manifest, &bytes, roots);
        match archive.put_new(&layout::manifest(), bytes).await? {
            // A crash here leaves an empty archive, which is a whole one. Its journal begins with the first commit.
            PutNew::Created => Ok(archive),
            PutNew::Taken(_) => Err(ArchiveError::Exists),
        }
    }

    /// Opens an archive that is believed by the keys that it names itself. Whoever can replace it can replace them.
    pub async fn open(store: Arc<dyn ObjectStore>) -> Result<Self, ArchiveError> {
        let archive = Self::unbelieved(store).await?;
        archive.look_at_journal(archive.manifest.keys.clone()).await?;
        Ok(archive)
    }

    /// Opens an archive that is believed by these keys alone, and by those that the journal says they have put in force.
    pub async fn open_trusting(
        store: Arc<dyn ObjectStore>,
        roots: Vec<VerifyingKey>,
    ) -> Result<Self, ArchiveError> {
        let archive = Self::unbelieved(store).await?;
        archive.look_at_journal(roots).await?;
        Ok(archive)
    }

    /// An archive of which only `archive.json` was read. Nothing that it says is believed yet.
    pub(crate) async fn unbelieved(store: Arc<dyn ObjectStore>) -> Result<Self, ArchiveError> {
        let bytes = match get(&store, &layout::manifest(), MAX_OBJECT_BYTES).await {
            Err(error) if is_missing(&error) => return Err(ArchiveError::Missing),
            bytes => bytes?,
        };
        let manifest: Manifest = read_canonical(layout::MANIFEST, &bytes)?;
        let object = layout::MANIFEST.to_owned();
        match manifest.format {
            1..=FORMAT => {}
            0 => return Err(ArchiveError::Damaged { object, cause: Damage::NotItsFormat }),
            format => return Err(ArchiveError::Newer { object, format }),
        }
        Ok(Self::of(store, manifest, &bytes, Vec::new()))
    }

    /// `bytes` are those of the manifest. The archive's journal counts for nothing yet but by `roots`.
    pub(crate) fn of(
        store: Arc<dyn ObjectStore>,
        manifest: Manifest,
        bytes: &[u8],
        roots: Vec<VerifyingKey>,
    ) -> Self {
        let journal = JournalView::before(&manifest, roots);
        Self {
            store,
            manifest: Arc::new(manifest),
            manifest_sha256: Sha256::of(bytes),
            journal: Arc::new(RwLock::new(Arc::new(journal))),
        }
    }

    async fn look_at_journal(&self, roots: Vec<VerifyingKey>) -> Result<(), ArchiveError> {
        let view = match journal::look(self, roots).await {
            Err(TrailError::Archive(error @ ArchiveError::Newer { .. })) => return Err(error),
            Err(TrailError::Archive(error)) if error.is_of_the_store() => return Err(error),
            view => view.map_err(|error| ArchiveError::Journal(error.into()))?,
        };
        self.know_journal(view);
        Ok(())
    }

    /// What the journal said when it was last looked at: whose signatures count, and its newest commit.
    pub fn journal(&self) -> Arc<JournalView> {
        Arc::clone(&self.journal.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn know_journal(&self, view: JournalView) {
        *self.journal.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    /// Of `archive.json` as stored.
    pub(crate) fn manifest_sha256(&self) -> Sha256 {
        self.manifest_sha256
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The store itself, which can do anything. It is not handed out: what lives beside the evidence opens the place anew.
    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Creates an object, or says what the name is taken by. Never overwrites.
    ///
    /// After an error the object may exist all the same: the answer may have been lost.
    pub async fn put_new(&self, path: &Path, bytes: Bytes) -> Result<PutNew, ArchiveError> {
        let mut attempt = 1;
        loop {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match self.store.put_opts(path, bytes.clone().into(), options).await {
                Ok(_) => return Ok(PutNew::Created),
                Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(cause) => return Err(failed("writing", path, cause)),
            }
            match self.get(path).await {
                Ok(there) => return Ok(PutNew::Taken(there)),
                Err(error) if !is_missing(&error) || attempt == PUT_ATTEMPTS => return Err(error),
                Err(_) => attempt += 1,
            }
        }
    }

    /// Whether the store refuses to create what is there. Where it does not, two writers are both told that the next commit
    /// is theirs, and the protocol does not hold.
    ///
    /// What is offered again is the manifest as it is stored, so at worst it is stored once more.
    pub async fn creates_once(&self) -> Result<bool, ArchiveError> {
        let path = layout::manifest();
        let bytes = self.get(&path).await?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&path, bytes.into(), options).await {
            Ok(_) => Ok(false),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(true),
            Err(cause) => Err(failed("writing", &path, cause)),
        }
    }

    pub async fn get(&self, path: &Path) -> Result<Bytes, ArchiveError> {
        get(&self.store, path, MAX_OBJECT_BYTES).await
    }

    /// The same, without reading an object that is longer than `limit` bytes.
    pub async fn get_at_most(&self, path: &Path, limit: u64) -> Result<Bytes, ArchiveError> {
        get(&self.store, path, limit.min(MAX_OBJECT_BYTES)).await
    }

    pub async fn find(&self, path: &Path) -> Result<Option<Bytes>, ArchiveError> {
        match self.get(path).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The numbers of a trail's stored commits above `after`, ascending; holes and all.
    pub(crate) async fn commit_numbers(&self, trail: &str, after: u64) -> Result<Vec<u64>, ArchiveError> {
        let prefix = layout::commits(trail);
        let offset = layout::commit(trail, after);
        let listed: Vec<ObjectMeta> = self
            .store
            .list_with_offset(Some(&prefix), &offset)
            .try_collect()
            .await
            .map_err(|cause| failed("listing", &prefix, cause))?;
        let number = |object: &ObjectMeta| {
            let number = object.location.filename().and_then(layout::commit_number)?;
            (number > after && layout::commit(trail, number) == object.location).then_some(number)
        };
        let mut numbers: Vec<u64> = listed.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Whether there is anything that a signed commit should know of: a segment, or something in the trail of a source.
    pub(crate) async fn has_evidence(&self) -> Result<bool, ArchiveError> {
        let journal = layout::trail(layout::JOURNAL);
        for prefix in [layout::raw(), layout::trails()] {
            let mut objects = self.list(&prefix);
            while let Some(object) = objects.next().await {
                let location = object.map_err(|cause| failed("listing", &prefix, cause))?.location;
                if !location.prefix_matches(&journal) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Everything below a name, in no particular order.
    pub fn list(&self, prefix: &Path) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.store.list(Some(prefix))
    }

    /// The ids of all trails of sources, sorted; not the journal.
    pub async fn trails(&self) -> Result<Vec<String>, ArchiveError> {
        let (mut trails, _) = self.trails_and_strays().await?;
        trails.retain(|trail| trail != layout::JOURNAL);
        Ok(trails)
    }

    /// The ids of all trails, the journal among them, and the objects beside them, which are of no trail.
    pub(crate) async fn trails_and_strays(&self) -> Result<(Vec<String>, Vec<Path>), ArchiveError> {
        let path = layout::trails();
        let listed = self.store.list_with_delimiter(Some(&path)).await;
        let listed = listed.map_err(|cause| failed("listing", &path, cause))?;
        let names = listed.common_prefixes.iter().filter_map(|prefix| prefix.filename().map(str::to_owned));
        let (mut ids, strange): (Vec<String>, Vec<String>) = names.partition(|name| layout::is_part(name));
        ids.sort();
        let mut strays: Vec<Path> = listed.objects.into_iter().map(|object| object.location).collect();
        if !strange.is_empty() {
            let is_stray = |object: &ObjectMeta| {
                let name = object.location.parts().nth(1);
                name.is_some_and(|name| strange.iter().any(|strange| strange == name.as_ref()))
            };
            let all: Vec<ObjectMeta> =
                self.list(&path).try_collect().await.map_err(|cause| failed("listing", &path, cause))?;
            strays.extend(all.into_iter().filter(is_stray).map(|object| object.location));
        }
        Ok((ids, strays))
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

pub(crate) async fn get(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    limit: u64,
) -> Result<Bytes, ArchiveError> {
    let object = store.get(path).await.map_err(|cause| failed("reading", path, cause))?;
    if object.meta.size > limit {
        return Err(ArchiveError::Damaged {
            object: path.to_string(),
            cause: Damage::TooLong(object.meta.size),
        });
    }
    // Of a file the stream would be many small reads, each on another thread; this is one.
    object.bytes().await.map_err(|cause| failed("reading", path, cause))
}

pub(crate) fn is_missing(error: &ArchiveError) -> bool {
    matches!(error, ArchiveError::Store { cause: object_store::Error::NotFound { .. }, .. })
}

pub(crate) fn failed(operation: &'static str, path: &Path, cause: object_store::Error) -> ArchiveError {
    let object = path.to_string();
    match cause {
        object_store::Error::Generic { store, source } => match source.downcast() {
            Ok(cause) => ArchiveError::NeedsRestore { object, cause: *cause },
            Err(source) => ArchiveError::Store {
                operation,
                object,
                cause: object_store::Error::Generic { store, source },
            },
        },
        cause => ArchiveError::Store { operation, object, cause },
    }
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
