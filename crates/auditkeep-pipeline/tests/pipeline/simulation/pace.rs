//! A store and a source that take their time: at every call, whoever else is running may be faster, the process may die, and
//! the store may be gone. Everything follows from a seed.

use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use async_trait::async_trait;
use auditkeep_pipeline::source::{LogBytes, LogFile, LogFiles, SourceError, SourceErrorKind};
use fastrand::Rng;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::logs::{ScriptedLogs, source_error};
use crate::world::wait_ms;

/// What happens at one of a process's calls of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The process is killed.
    Killed,
    /// This call fails, or its answer is lost, and the others are fine.
    Failed,
    /// The store fails for good.
    Gone,
}

#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub blow: Blow,
    /// Which call, from 1.
    pub at: u64,
    /// The call was done all the same.
    pub done: bool,
}

struct State {
    rng: Rng,
    plan: Option<Plan>,
    calls: u64,
    is_killed: bool,
    /// Of 256 calls of the source so many are answered with "too often".
    throttled: u8,
}

/// The pace of one process. Clones are the same process.
#[derive(Clone)]
pub struct Pace {
    state: Arc<Mutex<State>>,
    /// No process reaches the store.
    store_is_gone: Arc<AtomicBool>,
}

impl Pace {
    pub fn new(seed: u64, plan: Option<Plan>, throttled: u8, store_is_gone: &Arc<AtomicBool>) -> Self {
        let state = State { rng: Rng::with_seed(seed), plan, calls: 0, is_killed: false, throttled };
        Self { state: Arc::new(Mutex::new(state)), store_is_gone: Arc::clone(store_is_gone) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Lets others go first, or not, while time passes.
    pub async fn pause(&self) {
        let (turns, ms) = {
            let rng = &mut self.state().rng;
            (rng.u8(0..4), rng.i64(0..4))
        };
        wait_ms(ms);
        for _ in 0..turns {
            let mut was_here = false;
            poll_fn(|context| {
                context.waker().wake_by_ref();
                let ready = std::mem::replace(&mut was_here, true);
                if ready { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }

    fn fail() -> Error {
        Error::Generic { store: "slow", source: "the connection broke".into() }
    }

    async fn strike(&self, plan: Plan) -> Result<()> {
        match plan.blow {
            Blow::Killed => {
                self.state().is_killed = true;
                // Nobody polls this any more.
                pending().await
            }
            Blow::Failed => Err(Self::fail()),
            Blow::Gone => {
                self.store_is_gone.store(true, Ordering::SeqCst);
                Err(Self::fail())
            }
        }
    }

    /// Before a call takes effect. Returns what is to happen after it.
    async fn before(&self) -> Result<Option<Plan>> {
        self.pause().await;
        let plan = {
            let mut state = self.state();
            state.calls += 1;
            state.plan.filter(|plan| plan.at == state.calls)
        };
        if self.store_is_gone.load(Ordering::SeqCst) {
            return Err(Self::fail());
        }
        match plan {
            Some(plan) if !plan.done => self.strike(plan).await.map(|()| None),
            later => Ok(later),
        }
    }

    async fn after(&self, later: Option<Plan>) -> Result<()> {
        match later {
            Some(plan) => self.strike(plan).await,
            None => {
                self.pause().await;
                Ok(())
            }
        }
    }

    async fn source(&self, operation: &'static str, object: &str) -> Result<(), SourceError> {
        self.pause().await;
        let throttled = {
            let mut state = self.state();
            state.rng.u8(..) < state.throttled
        };
        if throttled { Err(source_error(SourceErrorKind::Throttled, operation, object)) } else { Ok(()) }
    }

    /// Runs it until it ends, or its process is killed: then nothing of it is left but what it stored.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if self.state().is_killed => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Pace")
    }
}

#[derive(Debug)]
pub struct SlowStore {
    pub inner: Arc<dyn ObjectStore>,
    pub pace: Pace,
}

impl fmt::Display for SlowStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "slow {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for SlowStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let later = self.pace.before().await?;
        let done = self.inner.put_opts(location, payload, options).await;
        self.pace.after(later).await?;
        done
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let later = self.pace.before().await?;
        let done = self.inner.get_opts(location, options).await;
        self.pace.after(later).await?;
        done
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, pace, prefix) = (Arc::clone(&self.inner), self.pace.clone(), prefix.cloned());
        let listed = async move {
            let later = pace.before().await?;
            let listed = inner.list(prefix.as_ref());
            pace.after(later).await?;
            Ok(listed)
        };
        let flat = |listed: Result<BoxStream<'static, _>>| match listed {
            Ok(listed) => listed,
            Err(error) => stream::iter([Err(error)]).boxed(),
        };
        stream::once(listed).map(flat).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let later = self.pace.before().await?;
        let done = self.inner.list_with_delimiter(prefix).await;
        self.pace.after(later).await?;
        done
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

pub struct SlowLogs {
    pub inner: ScriptedLogs,
    pub pace: Pace,
}

#[async_trait]
impl LogFiles for SlowLogs {
    async fn list(&self) -> Result<Vec<LogFile>, SourceError> {
        self.pace.source("listing log files of", "db").await?;
        let listed = self.inner.list().await;
        self.pace.pause().await;
        listed
    }

    async fn open(&self, name: &str) -> Result<LogBytes, SourceError> {
        self.pace.source("opening", name).await?;
        let bytes = self.inner.open(name).await?;
        let pace = self.pace.clone();
        let slowly = move |chunk| {
            let pace = pace.clone();
            async move {
                pace.pause().await;
                chunk
            }
        };
        Ok(bytes.then(slowly).boxed())
    }
}
