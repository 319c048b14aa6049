//! An object store whose writes fail on command, over a real one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use tokio::sync::Barrier;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The write does not happen, and fails.
    Failed,
    /// The write happens, and is said to have failed.
    FailedButDone,
}

#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    fault: Fault,
    fails: Fails,
    writes: AtomicUsize,
    creation: Option<Arc<Barrier>>,
}

#[derive(Debug)]
pub(crate) enum Fails {
    Never,
    /// The write with this number, counted from nought.
    Once(usize),
    /// Every write below this path.
    Below(Path),
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, fault: Fault, fails: Fails) -> Self {
        Self { inner, fault, fails, writes: AtomicUsize::new(0), creation: None }
    }

    /// Writes of the first version of a table wait for each other.
    pub(crate) fn creating_together(inner: Arc<dyn ObjectStore>, creation: Arc<Barrier>) -> Self {
        Self { creation: Some(creation), ..Self::new(inner, Fault::Failed, Fails::Never) }
    }

    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    fn fails(&self, location: &Path) -> bool {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        match &self.fails {
            Fails::Never => false,
            Fails::Once(which) => number == *which,
            Fails::Below(path) => location.prefix_matches(path),
        }
    }
}

fn failure() -> Error {
    Error::Generic { store: "faulty", source: "injected".into() }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "faulty {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if let Some(creation) = &self.creation
            && location.filename() == Some("00000000000000000000.json")
        {
            creation.wait().await;
        }
        let fails = self.fails(location);
        if fails && self.fault == Fault::Failed {
            return Err(failure());
        }
        let result = self.inner.put_opts(location, payload, opts).await;
        if fails && result.is_ok() { Err(failure()) } else { result }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if self.fails(location) {
            return Err(failure());
        }
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
