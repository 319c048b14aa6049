//! Log files as a source gives them: from memory, or made as they are read.

use async_trait::async_trait;
use auditkeep_pipeline::source::{Instance, LogBytes, LogFile, LogFiles, SourceError, SourceErrorKind};
use bytes::Bytes;
use futures::{StreamExt, stream};

use crate::corpus::{Corpus, Kind};

/// About what comes out of a TLS connection at once.
pub const CHUNK_BYTES: usize = 64 << 10;
/// 2026-11-21T08:00:00Z.
pub const WRITTEN_MS: i64 = 1_795_248_000_000;

pub fn instance(kind: Kind) -> Instance {
    Instance {
        account: "111122223333".to_owned(),
        region: "eu-central-1".to_owned(),
        resource_id: "db-BENCH".to_owned(),
        name: "bench".to_owned(),
        engine: kind.engine(),
        cluster: None,
    }
}

fn listing(kind: Kind, size: u64) -> Vec<LogFile> {
    vec![LogFile { name: kind.log().to_owned(), size, last_written_ms: WRITTEN_MS }]
}

/// One file that lies in memory.
pub struct InMemory {
    pub kind: Kind,
    pub raw: Bytes,
}

#[async_trait]
impl LogFiles for InMemory {
    async fn list(&self) -> Result<Vec<LogFile>, SourceError> {
        Ok(listing(self.kind, self.raw.len() as u64))
    }

    async fn open(&self, _: &str) -> Result<LogBytes, SourceError> {
        let raw = self.raw.clone();
        let ends = (0..raw.len()).step_by(CHUNK_BYTES);
        let chunks = ends.map(move |from| Ok(raw.slice(from..raw.len().min(from + CHUNK_BYTES))));
        Ok(stream::iter(chunks).boxed())
    }
}

/// One file of about so many bytes that is nowhere: it is made while it is read.
pub struct Made {
    pub kind: Kind,
    pub bytes: u64,
}

#[async_trait]
impl LogFiles for Made {
    async fn list(&self) -> Result<Vec<LogFile>, SourceError> {
        Ok(listing(self.kind, self.bytes))
    }

    async fn open(&self, name: &str) -> Result<LogBytes, SourceError> {
        let corpus = Corpus::new(self.kind, 1).map_err(|cause| SourceError {
            kind: SourceErrorKind::NotFound,
            operation: "reading the recorded logs for",
            object: name.to_owned(),
            cause: cause.into(),
        })?;
        let made = stream::unfold((corpus, self.bytes), |(mut corpus, left)| async move {
            if left == 0 {
                return None;
            }
            let mut chunk = Vec::with_capacity(CHUNK_BYTES + 8192);
            corpus.fill(&mut chunk, CHUNK_BYTES);
            let left = left.saturating_sub(chunk.len() as u64);
            Some((Ok(Bytes::from(chunk)), (corpus, left)))
        });
        Ok(made.boxed())
    }
}
