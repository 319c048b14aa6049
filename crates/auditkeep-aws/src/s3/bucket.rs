//! A bucket as the archive needs it: segments in a storage class of their own, and a word for what has to be restored.
//!
//! Everything else is passed on as it is.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use auditkeep_archive::archive::NeedsRestore;
use auditkeep_archive::layout;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    Attribute, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use super::options::StorageClass;

/// The error code of S3 for an object that is where it cannot be read at once.
const NOT_AT_HAND: &str = "<Code>InvalidObjectState</Code>";

#[derive(Debug)]
pub(super) struct ArchiveBucket {
    store: Arc<dyn ObjectStore>,
    raw: Path,
    raw_class: Option<StorageClass>,
}

impl ArchiveBucket {
    /// `store` is at the archive's place.
    pub(super) fn new(store: Arc<dyn ObjectStore>, raw_class: Option<StorageClass>) -> Self {
        Self { store, raw: layout::raw(), raw_class }
    }
}

impl fmt::Display for ArchiveBucket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(out)
    }
}

#[async_trait]
impl ObjectStore for ArchiveBucket {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        if let Some(class) = self.raw_class
            && location.prefix_matches(&self.raw)
        {
            options.attributes.insert(Attribute::StorageClass, class.name().into());
        }
        self.store.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.store.get_opts(location, options).await.map_err(told)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.store.get_ranges(location, ranges).await.map_err(told)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.store.rename_opts(from, to, options).await
    }
}

/// S3 answers 403 for it, as if it were a matter of rights; only the body says what is the matter.
fn told(error: Error) -> Error {
    match &error {
        Error::PermissionDenied { source, .. } if source.to_string().contains(NOT_AT_HAND) => {
            Error::Generic { store: "S3", source: Box::new(NeedsRestore(error)) }
        }
        _ => error,
    }
}
