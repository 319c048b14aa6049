//! An object store that lists in the order of names.
//!
//! Delta reads its log in the order in which the store lists it, and believes every store but a local directory to list by
//! name (`supports_ordered_listing` in `src/filesystem.rs` of buoyant_kernel_engine 0.28). A local directory below an
//! address of ours and an S3 directory bucket do not; a log read in no order is read wrongly. Everything else is handed on.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

#[derive(Clone, Debug)]
pub(crate) struct OrderedStore(pub(crate) Arc<dyn ObjectStore>);

/// The names must be in memory to be sorted. What Delta lists is one table's log, from its last checkpoint on.
fn in_order(listed: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
    let sorted = async move {
        let mut all: Vec<ObjectMeta> = listed.try_collect().await?;
        all.sort_unstable_by(|left, right| left.location.cmp(&right.location));
        Ok::<_, Error>(futures::stream::iter(all.into_iter().map(Ok)))
    };
    futures::stream::once(sorted).try_flatten().boxed()
}

impl fmt::Display for OrderedStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[async_trait]
impl ObjectStore for OrderedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.0.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        self.0.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        in_order(self.0.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        in_order(self.0.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.0.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn names_come_in_order() {
        let store = InMemory::new();
        for name in ["log/10", "log/1", "log/2", "log/02"] {
            store.put(&Path::from(name), PutPayload::new()).await.unwrap();
        }
        let mut listed: Vec<_> = store.list(None).try_collect().await.unwrap();
        listed.reverse();
        let listed = futures::stream::iter(listed.into_iter().map(Ok)).boxed();
        let names: Vec<_> =
            in_order(listed).map_ok(|object| object.location.to_string()).try_collect().await.unwrap();
        assert_eq!(names, ["log/02", "log/1", "log/10", "log/2"]);
    }
}
