//! A directory as an object store that is durable on return.
//!
//! `object_store`'s own local store does not flush (nor does it promise to), and puts a name in place before its bytes are
//! on the disk. Here a put writes a staging file, flushes it, gives it its name in one step, and flushes the directory.
//! Reading and listing are left to `object_store`, which does not show staging files (`<name>#<digits>`).

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// A local directory. Puts are atomic and durable on return; everything else is as in [`LocalFileSystem`].
#[derive(Debug)]
pub struct DurableDirectory {
    files: LocalFileSystem,
}

impl DurableDirectory {
    /// `root` must exist.
    pub fn new(root: &FilePath) -> Result<Self> {
        Ok(Self { files: LocalFileSystem::new_with_prefix(root)? })
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
        let put = tokio::task::spawn_blocking(move || put_durably(&target, &payload, create));
        let outcome = put.await.map_err(|source| Error::JoinError { source })?;
        match outcome {
            Ok(()) => Ok(PutResult { e_tag: None, version: None }),
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::AlreadyExists { path: location.to_string(), source: Box::new(source) })
            }
            Err(source) => Err(Error::Generic { store: "DurableDirectory", source: Box::new(source) }),
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
        self.files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }
}

fn put_durably(target: &FilePath, payload: &PutPayload, create: bool) -> io::Result<()> {
    let directory = target.parent().ok_or_else(|| io::Error::other("an object needs a directory"))?;
    create_directories(directory)?;
    let staging = staging_name(target);
    let outcome = write_staging(&staging, payload).and_then(|()| {
        // A crash here leaves a staging file, which no listing shows; the next put writes its own.
        if create { fs::hard_link(&staging, target) } else { fs::rename(&staging, target) }
    });
    // After a rename there is nothing left to remove; a staging file that stays behind does no harm.
    let _ = fs::remove_file(&staging);
    outcome?;
    // A crash here may lose the name, but never leaves a name with other bytes; the caller was not told yet.
    sync_directory(directory)
}

fn write_staging(staging: &FilePath, payload: &PutPayload) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(staging)?;
    for chunk in payload {
        file.write_all(chunk)?;
    }
    file.sync_all()
}

/// Distinct among all processes and threads that write here.
fn staging_name(target: &FilePath) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = target.as_os_str().to_owned();
    // Process ids have at most seven digits on Linux; digits only, so that listings skip the file.
    name.push(format!("#{}{:012}", std::process::id(), count));
    PathBuf::from(name)
}

/// Creates what is missing, and makes each new name durable in its parent.
fn create_directories(directory: &FilePath) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        create_directories(parent)?;
        match fs::create_dir(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_directory(parent)?,
        }
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
        let store = std::sync::Arc::new(DurableDirectory::new(directory.path()).unwrap());
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
        fs::write(staging_name(&directory.path().join("x")), "half").unwrap();
        let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
        assert!(listed.is_empty(), "{listed:?}");
    }
}
