//! The archive's store against two servers that were written apart from each other and from us: moto and Ceph's gateway.
//!
//! Each is started once for all tests; every test has buckets of its own. What is set up and looked at behind the product's
//! back goes through the lab's plain requests.

mod behaviour;
mod classes;
mod puts;
mod versions;

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use auditkeep_aws::{S3Options, object_store_for};
use auditkeep_lab::servers::{MotoServer, RadosGateway, SignedS3, radosgw};
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode};
use url::Url;

use crate::scripted::{KEY_ID, SECRET, sdk_config_with};

static MOTO: LazyLock<MotoServer> = LazyLock::new(|| MotoServer::start().unwrap());
static GATEWAY: LazyLock<RadosGateway> = LazyLock::new(|| RadosGateway::start().unwrap());
static BUCKETS: AtomicU32 = AtomicU32::new(0);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Moto,
    Gateway,
}

const BOTH: [Server; 2] = [Server::Moto, Server::Gateway];

impl Server {
    fn endpoint(self) -> &'static str {
        match self {
            Self::Moto => MOTO.endpoint(),
            Self::Gateway => GATEWAY.endpoint(),
        }
    }

    fn s3(self) -> SignedS3 {
        match self {
            Self::Moto => MOTO.s3(),
            Self::Gateway => GATEWAY.s3(),
        }
    }

    /// The product's way there.
    fn store(self, place: &str, options: S3Options) -> Arc<dyn ObjectStore> {
        let (key, secret) = match self {
            Self::Moto => (KEY_ID, SECRET),
            Self::Gateway => (radosgw::ACCESS_KEY, radosgw::SECRET),
        };
        let sdk_config = sdk_config_with(Credentials::new(key, secret, None, None, "test"));
        let options = S3Options { endpoint: Some(Url::parse(self.endpoint()).unwrap()), ..options };
        object_store_for(&Url::parse(place).unwrap(), &sdk_config, &options).unwrap()
    }

    /// A new bucket, and the product's way to a place in it.
    async fn empty(self, options: S3Options) -> (String, Arc<dyn ObjectStore>) {
        let bucket = new_name();
        self.s3().create_bucket(&bucket).await.unwrap();
        let store = self.store(&format!("s3://{bucket}/{PREFIX}"), options);
        (bucket, store)
    }
}

/// Where the archive lies in its bucket.
const PREFIX: &str = "prod/audit";

fn new_name() -> String {
    format!("archive-{}", BUCKETS.fetch_add(1, Ordering::SeqCst))
}

/// The whole name of one of the archive's objects.
fn key(name: impl AsRef<str>) -> String {
    format!("{PREFIX}/{}", name.as_ref())
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// As an environment would say it, and not the options.
fn sdk_config_for(endpoint: &str, key: &str, secret: &str) -> SdkConfig {
    let sdk_config = sdk_config_with(Credentials::new(key, secret, None, None, "test"));
    sdk_config.into_builder().endpoint_url(endpoint).build()
}

#[tokio::test]
async fn a_prefix_is_where_everything_happens() {
    for server in BOTH {
        let bucket = new_name();
        server.s3().create_bucket(&bucket).await.unwrap();
        let whole = server.store(&format!("s3://{bucket}"), S3Options::default());
        let below = server.store(&format!("s3://{bucket}/prod/eu%20west/"), S3Options::default());
        let name = Path::from("raw/server audit.log+é");
        below.put(&name, "bytes".into()).await.unwrap();
        whole.put(&Path::from("other/raw/x"), "other".into()).await.unwrap();
        let listed: HashMap<_, _> =
            below.list(None).map_ok(|object| (object.location, object.size)).try_collect().await.unwrap();
        assert_eq!(listed, HashMap::from([(name.clone(), 5)]), "{server:?}");
        let full = Path::from("prod/eu west/raw/server audit.log+é");
        assert_eq!(whole.get(&full).await.unwrap().bytes().await.unwrap(), "bytes");
        assert_eq!(whole.list(None).count().await, 2);
        assert_eq!(below.get_range(&name, 1..3).await.unwrap(), "yt");
    }
}

#[tokio::test]
async fn wrong_credentials_are_told_as_such() {
    // A server of its own: from then on it lets nobody else in.
    let moto = MotoServer::start().unwrap();
    moto.create_bucket("archive").await.unwrap();
    let (known, its_secret) = moto.enforce_credentials().await.unwrap();
    GATEWAY.s3().create_bucket("credentials").await.unwrap();
    let place = Url::parse("s3://archive/p").unwrap();
    let other_place = Url::parse("s3://credentials/p").unwrap();
    let path = Path::from("a");
    for (place, endpoint, key, secret, code) in [
        (&place, moto.endpoint(), known.as_str(), its_secret.as_str(), None),
        (&place, moto.endpoint(), &known, SECRET, Some("SignatureDoesNotMatch")),
        (&place, moto.endpoint(), KEY_ID, SECRET, Some("InvalidAccessKeyId")),
        (&other_place, GATEWAY.endpoint(), radosgw::ACCESS_KEY, radosgw::SECRET, None),
        (&other_place, GATEWAY.endpoint(), radosgw::ACCESS_KEY, SECRET, Some("SignatureDoesNotMatch")),
        (&other_place, GATEWAY.endpoint(), KEY_ID, SECRET, Some("InvalidAccessKeyId")),
    ] {
        let sdk_config = sdk_config_for(endpoint, key, secret);
        let store = object_store_for(place, &sdk_config, &S3Options::default()).unwrap();
        let Some(code) = code else {
            store.put(&path, "right".into()).await.unwrap();
            continue;
        };
        for failure in [
            store.put_opts(&path, "wrong".into(), PutMode::Create.into()).await.err().unwrap(),
            store.get(&path).await.err().unwrap(),
            store.list(None).try_collect::<Vec<_>>().await.unwrap_err(),
        ] {
            let text = chain(&failure);
            assert!(text.contains(code), "{text}");
            assert!(!text.contains(SECRET) && !text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn plain_http_to_another_host_is_refused() {
    let place = Url::parse("s3://archive").unwrap();
    let of_environment = sdk_config_for("http://minio.example:9000", KEY_ID, SECRET);
    let of_options = S3Options {
        endpoint: Some(Url::parse("http://minio.example:9000").unwrap()),
        ..S3Options::default()
    };
    let chain = sdk_config_with(Credentials::new(KEY_ID, SECRET, None, None, "test"));
    for failure in [
        object_store_for(&place, &of_environment, &S3Options::default()).unwrap_err(),
        object_store_for(&place, &chain, &of_options).unwrap_err(),
    ] {
        assert!(failure.to_string().contains("http://minio.example"), "{failure}");
        assert!(failure.to_string().contains("AWS_ALLOW_HTTP"), "{failure}");
    }
}
