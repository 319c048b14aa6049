//! Buckets that keep versions, and Object Lock.

use std::sync::Arc;

use auditkeep_archive::archive::{Archive, ArchiveError, Damage};
use auditkeep_archive::layout;
use auditkeep_archive::leaf::SegmentLeaf;
use auditkeep_archive::segment;
use auditkeep_archive::test_support::behaviour::creators;
use auditkeep_archive::test_support::building::{TRAIL, append, archive, key as signing_key};
use auditkeep_archive::trail::{self, Head};
use auditkeep_archive::verify::verify;
use auditkeep_aws::S3Options;
use auditkeep_lab::servers::bucket::Answer;
use object_store::path::Path;
use object_store::{Error, ObjectStore};

use super::classes::newest_segment;
use super::{BOTH, PREFIX, Server, key, new_name};

/// An archive of two commits in a bucket that was made before.
async fn two_commits(server: Server, bucket: &str) -> (Archive, Head) {
    let store = server.store(&format!("s3://{bucket}/{PREFIX}"), S3Options::default());
    let archive = archive(store).await;
    let first = append(&archive, None, b"one\n").await;
    let second = append(&archive, Some(&first), b"two\n").await;
    (archive, second)
}

async fn assert_whole(archive: &Archive) {
    let report = verify(archive, &[signing_key(1).public().clone()], &|_| {}).await.unwrap();
    assert!(report.holds(true), "{:?}", report.findings);
    assert_eq!((report.commits, report.segments), (2, 2));
}

/// What a server says to somebody who would remove what is locked.
fn assert_refused(answer: &Answer, tried: &str) {
    assert_eq!((answer.status, answer.element("Code")), (403, "AccessDenied".to_owned()), "{tried}");
}

/// moto asks for a header that no program has to send (S3 is content with a checksum), and so takes no put of ours under a
/// lock.
#[tokio::test]
async fn an_archive_works_under_a_lock_and_nobody_can_take_it_away() {
    let server = Server::Gateway;
    let bucket = new_name();
    server.s3().create_locked_bucket(&bucket).await.unwrap();
    let (archive, head) = two_commits(server, &bucket).await;
    assert_whole(&archive).await;
    assert_eq!(trail::head(&archive, TRAIL).await.unwrap().unwrap().hash, head.hash);

    let leaf = newest_segment(&archive).await;
    let s3 = server.s3();
    for name in [key(&leaf.object), key(layout::commit(TRAIL, 2)), key(layout::MANIFEST)] {
        let stored = s3.head(&bucket, &name).await.unwrap();
        assert_eq!(stored.header("x-amz-object-lock-mode"), "COMPLIANCE", "{stored:?}");
        let version = format!("versionId={}", stored.header("x-amz-version-id"));
        let bypass = [("x-amz-bypass-governance-retention", "true")];
        for headers in [&[][..], &bypass] {
            let answer = s3.send("DELETE", &bucket, &name, &version, headers, "").await.unwrap();
            assert_refused(&answer, "deleting the version");
        }
        // Whoever overwrites it leaves it where it is.
        assert_eq!(s3.send("PUT", &bucket, &name, "", &[], "other").await.unwrap().status, 200);
        let locked = s3.send("GET", &bucket, &name, &version, &[], "").await.unwrap();
        assert_eq!(locked.status, 200);
        assert_eq!(locked.header("etag"), stored.header("etag"), "the locked version changed");
    }
}

/// moto lets anybody shorten it.
#[tokio::test]
async fn nobody_can_shorten_a_lock() {
    let server = Server::Gateway;
    let bucket = new_name();
    server.s3().create_locked_bucket(&bucket).await.unwrap();
    let (archive, _) = two_commits(server, &bucket).await;
    let name = key(newest_segment(&archive).await.object);
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(1);
    let soon = soon.strftime("%Y-%m-%dT%H:%M:%SZ");
    let body =
        format!("<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>{soon}</RetainUntilDate></Retention>");
    let answer = server.s3().send("PUT", &bucket, &name, "retention", &[], body).await.unwrap();
    assert_refused(&answer, "shortening the retention");
}

async fn versioned(server: Server) -> (String, Archive, SegmentLeaf) {
    let bucket = new_name();
    server.s3().create_bucket(&bucket).await.unwrap();
    server.s3().keep_versions(&bucket).await.unwrap();
    let (archive, _) = two_commits(server, &bucket).await;
    assert_whole(&archive).await;
    let leaf = newest_segment(&archive).await;
    (bucket, archive, leaf)
}

#[tokio::test]
async fn a_new_version_over_a_segment_is_damage() {
    for server in BOTH {
        let (bucket, archive, leaf) = versioned(server).await;
        let size = usize::try_from(leaf.object_size).unwrap();
        for (bytes, is_long) in [(vec![b'x'; size], false), (vec![b'x'; size + 1], true), (Vec::new(), false)]
        {
            let put = server.s3().send("PUT", &bucket, &key(&leaf.object), "", &[], bytes).await.unwrap();
            assert_eq!(put.status, 200);
            let read = segment::read(&archive, &leaf).await;
            match read {
                Err(ArchiveError::Damaged { object, cause }) => {
                    assert_eq!(object, leaf.object);
                    assert_eq!(matches!(cause, Damage::TooLong(_)), is_long, "{server:?}: {cause:?}");
                    assert_eq!(matches!(cause, Damage::Hash), !is_long, "{server:?}: {cause:?}");
                }
                other => panic!("{server:?}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_segment_behind_a_delete_marker_is_missing() {
    for server in BOTH {
        let (bucket, archive, leaf) = versioned(server).await;
        let put = server.s3().send("DELETE", &bucket, &key(&leaf.object), "", &[], "").await.unwrap();
        assert_eq!(put.status, 204);
        let read = segment::read(&archive, &leaf).await;
        assert!(
            matches!(&read, Err(ArchiveError::Store { cause: Error::NotFound { .. }, .. })),
            "{server:?}: {read:?}"
        );
        assert_eq!(archive.find(&Path::from(leaf.object.as_str())).await.unwrap(), None);
    }
}

/// On the gateway (16.2) a bucket that keeps versions lets everybody create everything. An archive must not be begun there,
/// and `init` finds it out by this question.
#[tokio::test]
async fn a_store_that_creates_twice_is_found_out() {
    for server in BOTH {
        for versions in [false, true] {
            let bucket = new_name();
            server.s3().create_bucket(&bucket).await.unwrap();
            if versions {
                server.s3().keep_versions(&bucket).await.unwrap();
            }
            let store: Arc<dyn ObjectStore> = server.store(&format!("s3://{bucket}"), S3Options::default());
            let archive = archive(Arc::clone(&store)).await;
            let winners = creators(&store, &layout::commit(TRAIL, 1)).await;
            let once = archive.creates_once().await.unwrap();
            assert_eq!(once, winners.len() == 1, "{server:?}, versions {versions}: {winners:?}");
            assert!(once || (versions && server == Server::Gateway), "{server:?}, versions {versions}");
            assert!(Archive::open(store).await.is_ok());
        }
    }
}
