//! A directory as an object store that is durable on return.
//!
//! `object_store`'s own local store does not flush (nor does it promise to), and puts a name in place before its bytes are
//! on the disk. Here a put writes a staging file, flushes it, gives it its name in one step, and flushes the directory.
//! Reading is left to `object_store`. Listing is done here, where a directory of many commits has to be cheap; as in `object_store` it
//! does not show staging files (`<name>#<digits>`).

mod listing;

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use self::listing::Walk;

const STORE: &str = "DurableDirectory";

/// A local directory. Puts are atomic and durable on return; everything else is as in [`LocalFileSystem`].
#[derive(Debug)]
pub struct DurableDirectory {
    files: LocalFileSystem,
    root: Arc<FilePath>,
    synced: Synced,
}

impl DurableDirectory {
    /// `root` must exist.
    pub fn new(root: &FilePath) -> Result<Self> {
        let files = LocalFileSystem::new_with_prefix(root)?;
        // As `object_store` spells it: absolute, without symbolic links.
        let inside = files.path_to_filesystem(&Path::from("x"))?;
        let root = inside.parent().unwrap_or(root).into();
        Ok(Self { files, root, synced: Synced::default() })
    }

    /// Opening a pipe waits for somebody who writes to it, and a device may have no end.
    fn must_be_file(&self, location: &Path) -> Result<()> {
        let path = self.files.path_to_filesystem(location)?;
        match fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() => {
                let source = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file").into();
                Err(Error::NotFound { path: location.to_string(), source })
            }
            // What is wrong otherwise, opening it says.
            _ => Ok(()),
        }
    }
}

impl fmt::Display for DurableDirectory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.files)
    }
}

#[async_trait]
impl ObjectStore for DurableDirectory {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if matches!(options.mode, PutMode::Update(_)) || !options.attributes.is_empty() {
            // A directory has neither versions nor attributes; `object_store` refuses in its own words.
            return self.files.put_opts(location, payload, options).await;
        }
        let target = self.files.path_to_filesystem(location)?;
        let create = options.mode == PutMode::Create;
        let (root, synced) = (Arc::clone(&self.root), Arc::clone(&self.synced));
        let put = tokio::task::spawn_blocking(move || put_durably(&root, &target, &payload, create, &synced));
        let outcome = put.await.map_err(|source| Error::JoinError { source })?;
        match outcome.map_err(|source| Error::Generic { store: STORE, source: Box::new(source) })? {
            Put::Done => Ok(PutResult { e_tag: None, version: None }),
            Put::Taken(source) => {
                Err(Error::AlreadyExists { path: location.to_string(), source: Box::new(source) })
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.files.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.must_be_file(location)?;
        self.files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.must_be_file(location)?;
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_with_offset(prefix, &Path::default())
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned().unwrap_or_default();
        Walk::below(self.root.join(prefix.as_ref()), &prefix, offset).into_stream()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        let directory = self.root.join(prefix.as_ref());
        let listing = tokio::task::spawn_blocking(move || listing::level(&directory, &prefix));
        listing.await.map_err(|source| Error::JoinError { source })?
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }
}

enum Put {
    Done,
    /// The name was taken before, by whomever.
    Taken(io::Error),
}

fn put_durably(
    root: &FilePath,
    target: &FilePath,
    payload: &PutPayload,
    create: bool,
    synced: &Synced,
) -> io::Result<Put> {
    let directory = target.parent().ok_or_else(|| io::Error::other("an object needs a directory"))?;
    create_directories(root, directory, synced)?;
    let staging = staging_name(target)?;
    write_staging(&staging, payload).inspect_err(|_| discard(&staging))?;
    // A crash here leaves a staging file, which no listing shows; the next put writes its own.
    let named = if create { fs::hard_link(&staging, target) } else { fs::rename(&staging, target) };
    discard(&staging);
    let outcome = match named {
        Err(source) if create && source.kind() == io::ErrorKind::AlreadyExists => Put::Taken(source),
        named => named.map(|()| Put::Done)?,
    };
    // A crash here may lose the name, but never leaves a name with other bytes; the caller was not told yet. A name that
    // another process gave is flushed too: whoever is told that it is taken will build on it.
    sync_directory(directory)?;
    Ok(outcome)
}

/// After a rename there is nothing left to remove, and a staging file that stays behind does no harm.
fn discard(staging: &FilePath) {
    let _ = fs::remove_file(staging);
}

fn write_staging(staging: &FilePath, payload: &PutPayload) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(staging)?;
    for chunk in payload {
        file.write_all(chunk)?;
    }
    file.sync_all()
}

/// A name that no other process, thread or machine that shares the directory uses. Digits only after the `#`, so that
/// listings skip the file.
fn staging_name(target: &FilePath) -> io::Result<PathBuf> {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| io::Error::other("no random numbers"))?;
    let mut name = target.as_os_str().to_owned();
    name.push(format!("#{:039}", u128::from_be_bytes(random)));
    Ok(PathBuf::from(name))
}

/// Directories whose names this process knows to be on the disk.
type Synced = Arc<Mutex<HashSet<PathBuf>>>;

/// Creates what is missing, and makes each name durable in its parent, also one that another process has just made.
fn create_directories(root: &FilePath, directory: &FilePath, synced: &Synced) -> io::Result<()> {
    let known = |synced: &Synced| synced.lock().is_ok_and(|synced| synced.contains(directory));
    let Some(parent) = directory.parent().filter(|_| directory != root && !known(synced)) else {
        return Ok(());
    };
    create_directories(root, parent, synced)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => sync_directory(parent)?,
    }
    if let Ok(mut synced) = synced.lock() {
        synced.insert(directory.to_owned());
    }
    Ok(())
}

fn sync_directory(directory: &FilePath) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;

    use super::*;

    fn create() -> PutOptions {
        PutOptions { mode: PutMode::Create, ..PutOptions::default() }
    }

    #[tokio::test]
    async fn created_once() {
        let directory = tempfile::tempdir().unwrap();
        let store = DurableDirectory::new(directory.path()).unwrap();
        let path = Path::from("a/b/c.json");
        store.put_opts(&path, "one".into(), create()).await.unwrap();
        let again = store.put_opts(&path, "two".into(), create()).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "one");
        store.put(&path, "three".into()).await.unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "three");
        let names: Vec<_> = fs::read_dir(directory.path().join("a/b")).unwrap().collect();
        assert_eq!(names.len(), 1, "staging files are gone");
    }

    #[tokio::test]
    async fn many_writers_have_one_winner() {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(DurableDirectory::new(directory.path()).unwrap());
        let puts = (0..16).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                store.put_opts(&Path::from("x/y"), format!("{writer}").into(), create()).await.is_ok()
            })
        });
        let mut winners = 0;
        for put in puts.collect::<Vec<_>>() {
            winners += usize::from(put.await.unwrap());
        }
        assert_eq!(winners, 1);
    }

    #[tokio::test]
    async fn a_staging_file_left_by_a_crash_is_not_an_object() {
        let directory = tempfile::tempdir().unwrap();
        let store = DurableDirectory::new(directory.path()).unwrap();
        fs::write(staging_name(&directory.path().join("x")).unwrap(), "half").unwrap();
        let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
        assert!(listed.is_empty(), "{listed:?}");
    }
}
