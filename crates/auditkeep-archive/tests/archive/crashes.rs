//! A store whose n-th write or deletion goes wrong, and what it takes to try each of them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::Notify;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The write fails.
    Failed,
    /// The write is done, and its answer lost.
    FailedButDone,
    /// The process ends before the write.
    KilledBefore,
    /// The process ends after it.
    KilledAfter,
}

const CRASHES: [Crash; 4] = [Crash::Failed, Crash::FailedButDone, Crash::KilledBefore, Crash::KilledAfter];

#[derive(Debug)]
pub struct CrashingStore {
    pub inner: Arc<dyn ObjectStore>,
    counting: Arc<Counting>,
}

#[derive(Debug)]
struct Counting {
    crash: Crash,
    at: u64,
    writes: AtomicU64,
    killed: Notify,
}

impl CrashingStore {
    /// `at` counts from 1; 0 never fails.
    pub fn new(inner: Arc<dyn ObjectStore>, crash: Crash, at: u64) -> Self {
        let counting = Counting { crash, at, writes: AtomicU64::new(0), killed: Notify::new() };
        Self { inner, counting: Arc::new(counting) }
    }

    pub fn writes(&self) -> u64 {
        self.counting.writes.load(Ordering::SeqCst)
    }
}

impl Counting {
    async fn write<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        if self.writes.fetch_add(1, Ordering::SeqCst) + 1 != self.at {
            return write.await;
        }
        if matches!(self.crash, Crash::FailedButDone | Crash::KilledAfter) {
            write.await?;
        }
        if matches!(self.crash, Crash::KilledBefore | Crash::KilledAfter) {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
        Err(Error::Generic { store: "crashing", source: "the connection broke".into() })
    }
}

/// Does `work` with each of its writes going wrong in each way, then once more as a new process would, and has `check` look at
/// what is there. `prepare` makes what there is before.
pub async fn each_fault<E: fmt::Debug>(
    prepare: impl AsyncFn(Arc<dyn ObjectStore>),
    work: impl AsyncFn(Arc<dyn ObjectStore>) -> std::result::Result<(), E>,
    check: impl AsyncFn(Arc<dyn ObjectStore>, &str),
) {
    let undisturbed = Arc::new(CrashingStore::new(Arc::new(InMemory::new()), Crash::Failed, 0));
    prepare(Arc::clone(&undisturbed.inner)).await;
    work(undisturbed.clone()).await.unwrap();
    check(Arc::clone(&undisturbed.inner), "undisturbed").await;
    assert!(undisturbed.writes() > 0);
    for crash in CRASHES {
        for at in 1..=undisturbed.writes() {
            let about = format!("{crash:?} at write {at}");
            let store = Arc::new(CrashingStore::new(Arc::new(InMemory::new()), crash, at));
            prepare(Arc::clone(&store.inner)).await;
            let counting = Arc::clone(&store.counting);
            tokio::select! {
                // It may fail or not: a lost hint is no failure.
                outcome = work(store.clone()) => drop(outcome),
                () = counting.killed.notified() => {}
            }
            work(Arc::clone(&store.inner)).await.unwrap();
            check(Arc::clone(&store.inner), &about).await;
        }
    }
}

impl fmt::Display for CrashingStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "crashing {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for CrashingStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.counting.write(self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, counting) = (Arc::clone(&self.inner), Arc::clone(&self.counting));
        locations
            .then(move |location| {
                let (inner, counting) = (Arc::clone(&inner), Arc::clone(&counting));
                async move {
                    let location = location?;
                    counting.write(inner.delete(&location)).await?;
                    Ok(location)
                }
            })
            .boxed()
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
}
