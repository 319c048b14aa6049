//! What a put is sent with: its condition, its checksum, the key that encrypts it; and that it is one put.

use auditkeep_archive::segment::{self, MAX_RAW_BYTES};
use auditkeep_archive::test_support::behaviour::{create, incompressible};
use auditkeep_archive::test_support::building::{PREFIX, archive, segment_of, with_commits};
use auditkeep_aws::s3::{Checksum, StorageClass};
use auditkeep_aws::{S3Options, object_store_for};
use auditkeep_lab::servers::radosgw::KMS_KEY;
use aws_credential_types::Credentials;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error, MultipartUpload as _, ObjectStoreExt as _};
use url::Url;

use super::{BOTH, key};
use crate::scripted::{Answer, KEY_ID, SECRET, Scripted, sdk_config_with};

/// SHA-256 of `bytes`, in base64.
const SHA256_OF_BYTES: &str = "J3CJ2RwL308uaGK6fkoHYFEZQx9dE/cm3TUrBvGyBqk=";

fn encrypted() -> S3Options {
    S3Options { kms_key: Some(KMS_KEY.parse().unwrap()), bucket_key: Some(true), ..S3Options::default() }
}

/// What is sent, on the wire.
async fn sent(path: &str, options: S3Options) -> String {
    let accepted = b"HTTP/1.1 200 OK\r\netag: \"0\"\r\ncontent-length: 0\r\n\r\n".to_vec();
    let server = Scripted::start(vec![Answer::Bytes(accepted)]).await;
    let sdk_config = sdk_config_with(Credentials::new(KEY_ID, SECRET, None, None, "test"));
    let options = S3Options { endpoint: Some(server.url()), ..options };
    let place = Url::parse("s3://bucket/prod").unwrap();
    let store = object_store_for(&place, &sdk_config, &options).unwrap();
    create(&store, &Path::from(path), "bytes").await.unwrap();
    let [request] = server.requests().try_into().unwrap();
    request
}

#[tokio::test]
async fn a_put_says_all_that_was_asked_for_and_no_more() {
    let all = S3Options {
        storage_class: Some(StorageClass::GlacierIr),
        region: Some("eu-north-1".to_owned()),
        ..encrypted()
    };
    let request = sent("raw/a", all.clone()).await;
    assert!(request.starts_with("PUT /bucket/prod/raw/a HTTP/1.1\r\n"), "{request}");
    let checksum = format!("x-amz-checksum-sha256: {SHA256_OF_BYTES}");
    for line in [
        "if-none-match: *",
        "x-amz-storage-class: GLACIER_IR",
        &checksum,
        "x-amz-server-side-encryption: aws:kms",
        &format!("x-amz-server-side-encryption-aws-kms-key-id: {KMS_KEY}"),
        "x-amz-server-side-encryption-bucket-key-enabled: true",
    ] {
        assert!(request.contains(&format!("{line}\r\n")), "no {line}: {request}");
    }
    assert!(request.contains("/eu-north-1/s3/aws4_request"), "{request}");

    let request = sent("rawer/a", all).await;
    assert!(!request.contains("storage-class") && request.contains(&checksum), "{request}");
    let request = sent("raw/a", S3Options { checksum: Checksum::None, ..S3Options::default() }).await;
    assert!(request.contains("if-none-match: *\r\n"), "{request}");
    for nobody_asked in ["checksum", "storage-class", "server-side-encryption"] {
        assert!(!request.contains(nobody_asked), "{request}");
    }
}

/// Neither of the two keeps one that comes without the header by which an SDK announces it, which S3 does not ask for.
#[tokio::test]
async fn a_checksum_is_accepted_and_never_another_one_kept() {
    for server in BOTH {
        for (checksum, sent) in [(Checksum::Sha256, SHA256_OF_BYTES), (Checksum::None, "")] {
            let (bucket, store) = server.empty(S3Options { checksum, ..S3Options::default() }).await;
            create(&store, &Path::from("raw/a"), "bytes").await.unwrap();
            let head = server.s3().head(&bucket, &key("raw/a")).await.unwrap();
            let kept = head.header("x-amz-checksum-sha256");
            assert!(kept.is_empty() || kept == sent, "{server:?}: {head:?}");
        }
    }
}

#[tokio::test]
async fn everything_that_is_put_is_encrypted_with_the_key() {
    for server in BOTH {
        let (bucket, store) = server.empty(encrypted()).await;
        let archive = with_commits(store.clone(), 1).await;
        let objects: Vec<Path> =
            store.list(None).map_ok(|object| object.location).try_collect().await.unwrap();
        // The manifest, a segment, a commit and its head, the journal's commit and its head.
        assert_eq!(objects.len(), 6, "{objects:?}");
        for object in &objects {
            let head = server.s3().head(&bucket, &key(object)).await.unwrap();
            assert_eq!(head.header("x-amz-server-side-encryption"), "aws:kms", "{object}: {head:?}");
            let with = head.header("x-amz-server-side-encryption-aws-kms-key-id");
            assert_eq!(with, KMS_KEY, "{object}: {head:?}");
            assert!(!archive.get(object).await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn the_largest_segment_is_one_conditional_put() {
    for server in BOTH {
        let (bucket, store) = server.empty(S3Options::default()).await;
        let archive = archive(store.clone()).await;
        let made = segment_of(0, &incompressible()).await;
        assert!(made.object.len() as u64 > MAX_RAW_BYTES);
        let stored = segment::store(&archive, &PREFIX, made.clone()).await.unwrap();
        assert!(archive.get(&Path::from(stored.name.as_str())).await.unwrap() == made.object);
        // What was put in parts has their number behind a dash.
        let head = server.s3().head(&bucket, &key(&stored.name)).await.unwrap();
        let tag = head.header("etag").trim_matches('"');
        assert!(tag.len() == 32 && tag.bytes().all(|byte| byte.is_ascii_hexdigit()), "{server:?}: {tag}");
        let again = create(&store, &Path::from(stored.name.as_str()), vec![0; 9 << 20]).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{server:?}: {again:?}");
    }
}

/// Tables are written in parts when they are large, and do not need a condition: a version names them afterwards.
#[tokio::test]
async fn tables_may_be_put_in_parts() {
    for server in BOTH {
        for options in [S3Options::default(), encrypted()] {
            let (_, store) = server.empty(options).await;
            let path = Path::from("events/part-0.parquet");
            let mut upload = store.put_multipart(&path).await.unwrap();
            upload.put_part(vec![1; 5 << 20].into()).await.unwrap();
            upload.put_part(vec![2; 100].into()).await.unwrap();
            upload.complete().await.unwrap();
            let whole = store.get(&path).await.unwrap().bytes().await.unwrap();
            assert_eq!((whole.len(), whole[0], whole[5 << 20]), ((5 << 20) + 100, 1, 2), "{server:?}");
        }
    }
}
