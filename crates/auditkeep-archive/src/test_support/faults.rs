//! A store whose writes and deletions go wrong on command: they fail, or they are done and the answer is lost, or the process dies.
//! One read can fail, too.
//!
//! Everything else is that of the store behind it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use tokio::sync::{Barrier, Notify};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The write fails.
    Failed,
    /// The write is done, and its answer lost.
    FailedButDone,
    /// The process dies before the write: whoever writes never hears of it again. See [`FaultyStore::outlive`].
    KilledBefore,
    /// The process dies after the write.
    KilledAfter,
}

impl Fault {
    pub const ALL: [Self; 4] = [Self::Failed, Self::FailedButDone, Self::KilledBefore, Self::KilledAfter];
}

/// Which writes go wrong.
#[derive(Debug)]
enum Wrong {
    /// The one with this number, counted from 1; 0 is none.
    At(u64),
    /// Every one below this path.
    Below(Path),
}

#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    plan: Arc<Plan>,
    meeting: Option<(String, Arc<Barrier>)>,
    /// The number of the read that fails.
    failing_read: u64,
    reads: AtomicU64,
}

/// What goes wrong, and how far it has come.
#[derive(Debug)]
struct Plan {
    fault: Fault,
    wrong: Wrong,
    writes: AtomicU64,
    killed: Notify,
}

impl FaultyStore {
    /// `at` counts from 1; 0 never fails.
    pub fn new(inner: Arc<dyn ObjectStore>, fault: Fault, at: u64) -> Self {
        Self::planned(inner, fault, Wrong::At(at))
    }

    fn planned(inner: Arc<dyn ObjectStore>, fault: Fault, wrong: Wrong) -> Self {
        let plan = Plan { fault, wrong, writes: AtomicU64::new(0), killed: Notify::new() };
        Self { inner, plan: Arc::new(plan), meeting: None, failing_read: 0, reads: AtomicU64::new(0) }
    }

    /// Every write below a path goes wrong.
    pub fn below(inner: Arc<dyn ObjectStore>, fault: Fault, path: Path) -> Self {
        Self::planned(inner, fault, Wrong::Below(path))
    }

    /// Nothing goes wrong, and writes of objects with this file name wait for each other.
    pub fn meeting(inner: Arc<dyn ObjectStore>, file_name: &str, barrier: Arc<Barrier>) -> Self {
        Self { meeting: Some((file_name.to_owned(), barrier)), ..Self::new(inner, Fault::Failed, 0) }
    }

    /// Only one read goes wrong. `at` counts from 1; 0 never fails.
    pub fn failing_read(inner: Arc<dyn ObjectStore>, at: u64) -> Self {
        Self { failing_read: at, ..Self::new(inner, Fault::Failed, 0) }
    }

    /// What came of some work, none if it was killed on the way: nothing of it happens any more then.
    pub async fn outlive<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.plan.killed.notified() => None,
        }
    }

    /// Writes and deletions that were tried so far.
    pub fn writes(&self) -> u64 {
        self.plan.writes.load(Ordering::SeqCst)
    }

    /// Reads that were tried so far.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }
}

impl Plan {
    fn goes_wrong(&self, location: &Path) -> bool {
        let write = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        match &self.wrong {
            Wrong::At(at) => write == *at,
            Wrong::Below(path) => location.prefix_matches(path),
        }
    }

    async fn change<T>(&self, location: &Path, change: impl Future<Output = Result<T>>) -> Result<T> {
        if !self.goes_wrong(location) {
            return change.await;
        }
        if matches!(self.fault, Fault::FailedButDone | Fault::KilledAfter) {
            change.await?;
        }
        if matches!(self.fault, Fault::KilledBefore | Fault::KilledAfter) {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
        Err(broken())
    }
}

fn broken() -> Error {
    Error::Generic { store: "faulty", source: "the connection broke".into() }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "faulty {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if let Some((name, barrier)) = &self.meeting
            && location.filename() == Some(name)
        {
            barrier.wait().await;
        }
        self.plan.change(location, self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if self.plan.goes_wrong(location) {
            return Err(broken());
        }
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if self.reads.fetch_add(1, Ordering::SeqCst) + 1 == self.failing_read {
            return Err(broken());
        }
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, plan) = (Arc::clone(&self.inner), Arc::clone(&self.plan));
        locations
            .then(move |location| {
                let (inner, plan) = (Arc::clone(&inner), Arc::clone(&plan));
                async move {
                    let location = location?;
                    plan.change(&location, inner.delete(&location)).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
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
