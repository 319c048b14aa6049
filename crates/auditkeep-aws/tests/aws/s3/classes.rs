//! Storage classes: of segments alone, and those from which an object has to be restored.

use std::error::Error as _;

use auditkeep_archive::archive::{Archive, ArchiveError};
use auditkeep_archive::leaf::{Leaf, SegmentLeaf};
use auditkeep_archive::segment;
use auditkeep_archive::test_support::building::{TRAIL, with_commits};
use auditkeep_archive::trail;
use auditkeep_aws::S3Options;
use auditkeep_aws::s3::StorageClass;
use auditkeep_lab::servers::radosgw;
use futures::TryStreamExt as _;
use object_store::path::Path;

use super::{BOTH, Server, key};

/// The segment that the newest commit adds.
pub(super) async fn newest_segment(archive: &Archive) -> SegmentLeaf {
    let head = trail::head(archive, TRAIL).await.unwrap().unwrap();
    let mut segments = head.body.leaves.iter().filter_map(Leaf::segment).cloned();
    segments.next_back().unwrap()
}

#[tokio::test]
async fn segments_alone_get_the_class() {
    let class = StorageClass::GlacierIr;
    assert_eq!(class.name(), radosgw::STORAGE_CLASS);
    for server in BOTH {
        let options = S3Options { storage_class: Some(class), ..S3Options::default() };
        let (bucket, store) = server.empty(options).await;
        let archive = with_commits(store.clone(), 2).await;
        let objects: Vec<Path> =
            store.list(None).map_ok(|object| object.location).try_collect().await.unwrap();
        let mut segments = 0;
        for object in &objects {
            let head = server.s3().head(&bucket, &key(object)).await.unwrap();
            let is_segment = object.as_ref().starts_with("raw/");
            segments += usize::from(is_segment);
            let expected = if is_segment { class.name() } else { "" };
            assert_eq!(head.header("x-amz-storage-class"), expected, "{server:?} {object}: {head:?}");
        }
        // The manifest, two commits and their head, the journal's commit and its head are the others.
        assert_eq!((segments, objects.len()), (2, 8), "{objects:?}");
        segment::read(&archive, &newest_segment(&archive).await).await.unwrap();
    }
}

/// As a lifecycle rule does it, some months later. The gateway has no such classes.
#[tokio::test]
async fn what_has_to_be_restored_is_called_that() {
    let server = Server::Moto;
    let (bucket, store) = server.empty(S3Options::default()).await;
    let archive = with_commits(store, 1).await;
    let leaf = newest_segment(&archive).await;
    let name = key(&leaf.object);
    for class in ["GLACIER", "DEEP_ARCHIVE"] {
        let source = format!("/{bucket}/{name}");
        let moved = [("x-amz-copy-source", source.as_str()), ("x-amz-storage-class", class)];
        assert_eq!(server.s3().send("PUT", &bucket, &name, "", &moved, "").await.unwrap().status, 200);

        let refused = segment::read(&archive, &leaf).await.unwrap_err();
        assert!(
            matches!(&refused, ArchiveError::NeedsRestore { object, .. } if *object == leaf.object),
            "{refused:?}"
        );
        let cause = refused.source().unwrap();
        assert!(cause.to_string().contains("has to be restored"), "{cause}");
        assert!(cause.source().unwrap().to_string().contains("InvalidObjectState"), "{cause:?}");

        let restore = "<RestoreRequest><Days>1</Days></RestoreRequest>";
        let asked = server.s3().send("POST", &bucket, &name, "restore", &[], restore).await.unwrap();
        assert!(matches!(asked.status, 200 | 202), "{asked:?}");
        segment::read(&archive, &leaf).await.unwrap();
    }
}

#[tokio::test]
async fn a_class_that_the_server_does_not_have_is_refused_by_it() {
    let options = S3Options { storage_class: Some(StorageClass::StandardIa), ..S3Options::default() };
    let (_, store) = Server::Gateway.empty(options).await;
    let error = auditkeep_archive::test_support::behaviour::create(&store, &Path::from("raw/a"), "bytes")
        .await
        .unwrap_err();
    assert!(super::chain(&error).contains("InvalidArgument"), "{error}");
}
