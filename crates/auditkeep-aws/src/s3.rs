//! Amazon S3, and what speaks its protocol, as an `object_store`.
//!
//! Guarantees: credentials come from the same chain as for every other service and are renewed before they expire;
//! creating an object that exists fails (`If-None-Match: *`); retries are bounded. Plain `http` is refused as described
//! in [`crate::config`].
//! Does not create buckets, and does not look up a bucket's region: it must be the configured one.

mod bucket;
mod options;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::SdkConfig;
use object_store::aws::{self, AmazonS3, AmazonS3Builder, AwsCredential, S3ConditionalPut};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, ObjectStore, RetryConfig};
use url::Url;

pub use self::options::{Checksum, KmsKey, OptionError, S3Options, StorageClass};

use self::bucket::ArchiveBucket;
use crate::config::{self, ConfigError};
use crate::credentials::CachedCredentials;

const SERVICE: &str = "S3";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For one request with its body: a segment over a slow line.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);
const MAX_RETRIES: usize = 5;
/// A request is retried with the credentials it began with, which are valid for five minutes at least.
const RETRY_TIMEOUT: Duration = Duration::from_mins(4);

/// A place in S3 cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    #[error("{0} does not name a place in S3; it has to look like s3://bucket/prefix")]
    NotAPlace(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("setting up access to the bucket {bucket} failed")]
    SetUp { bucket: String, source: object_store::Error },
}

/// The store for an archive at `s3://bucket/prefix`; names in it are relative to the prefix, which may be missing.
///
/// An endpoint that is configured (in the options, by `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, or in the profile) is asked
/// with the bucket in the path. Makes no call yet.
pub fn object_store_for(
    url: &Url,
    sdk_config: &SdkConfig,
    options: &S3Options,
) -> Result<Arc<dyn ObjectStore>, S3Error> {
    let (bucket, prefix) = place(url).ok_or_else(|| S3Error::NotAPlace(shown(url)))?;
    let set_up = |source| S3Error::SetUp { bucket: bucket.to_owned(), source };
    let builder = putting_as(options, bucket_store(bucket, sdk_config, options)?);
    let store = with_prefix(builder.build().map_err(set_up)?, prefix);
    Ok(Arc::new(ArchiveBucket::new(store, options.storage_class)))
}

/// What every put is sent with.
fn putting_as(options: &S3Options, mut builder: AmazonS3Builder) -> AmazonS3Builder {
    if let Some(key) = &options.kms_key {
        builder = builder.with_sse_kms_encryption(key.to_string());
        if let Some(bucket_key) = options.bucket_key {
            builder = builder.with_bucket_key(bucket_key);
        }
    }
    match options.checksum {
        Checksum::Sha256 => builder.with_checksum_algorithm(aws::Checksum::SHA256),
        Checksum::None => builder,
    }
}

fn place(url: &Url) -> Option<(&str, Path)> {
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.port().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let bucket = url.host_str().filter(|bucket| !bucket.is_empty())?;
    let prefix = Path::from_url_path(url.path()).ok()?;
    (url.scheme() == "s3" && is_plain).then_some((bucket, prefix))
}

/// Without what may be a password.
fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

fn with_prefix(store: AmazonS3, prefix: Path) -> Arc<dyn ObjectStore> {
    if prefix.as_ref().is_empty() { Arc::new(store) } else { Arc::new(PrefixStore::new(store, prefix)) }
}

fn bucket_store(
    bucket: &str,
    sdk_config: &SdkConfig,
    options: &S3Options,
) -> Result<AmazonS3Builder, ConfigError> {
    let region = config::region(sdk_config, options.region.as_deref())?;
    let provider = sdk_config
        .credentials_provider()
        .ok_or_else(|| ConfigError::NoCredentials(config::NoProvider.into()))?;
    let endpoint = match &options.endpoint {
        Some(endpoint) => Some(endpoint.clone()),
        None => config::configured_endpoint(sdk_config, SERVICE)?,
    };
    let plain_http = match &endpoint {
        Some(endpoint) => config::check_transport(endpoint, SERVICE)?,
        None => false,
    };
    // AWS's certificates do not cover a bucket name with dots as part of the host name.
    let in_host = endpoint.is_none() && !bucket.contains('.');
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region)
        .with_credentials(Arc::new(ChainCredentials {
            bucket: bucket.to_owned(),
            credentials: CachedCredentials::new(provider),
        }))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_virtual_hosted_style_request(in_host)
        .with_retry(RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: MAX_RETRIES,
            retry_timeout: RETRY_TIMEOUT,
        })
        .with_client_options(
            ClientOptions::new()
                .with_allow_http(plain_http)
                .with_connect_timeout(CONNECT_TIMEOUT)
                .with_timeout(REQUEST_TIMEOUT),
        );
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
    }
    Ok(builder)
}

/// The SDK's credentials in the shape that `object_store` asks for.
#[derive(Debug)]
struct ChainCredentials {
    bucket: String,
    credentials: CachedCredentials,
}

#[async_trait]
impl CredentialProvider for ChainCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let credentials = self.credentials.get(SystemTime::now()).await.map_err(|cause| {
            object_store::Error::Unauthenticated {
                path: format!("s3://{}", self.bucket),
                source: ConfigError::NoCredentials(cause.into()).into(),
            }
        })?;
        Ok(Arc::new(AwsCredential {
            key_id: credentials.access_key_id().to_owned(),
            secret_key: credentials.secret_access_key().to_owned(),
            token: credentials.session_token().map(str::to_owned),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_and_prefix_come_from_the_url() {
        for (text, expected) in [
            ("s3://bucket", Some(("bucket", ""))),
            ("s3://bucket/", Some(("bucket", ""))),
            ("s3://bucket/a/b/", Some(("bucket", "a/b"))),
            ("s3://bucket/a%20b", Some(("bucket", "a b"))),
            ("s3:///a", None),
            ("https://bucket/a", None),
            ("s3://key:secret@bucket/a", None),
            ("s3://bucket:9000/a", None),
            ("s3://bucket/a?versionId=1", None),
            ("s3://bucket/a//b", None),
        ] {
            let url = Url::parse(text).unwrap();
            let found = place(&url);
            let found = found.as_ref().map(|(bucket, prefix)| (*bucket, prefix.as_ref()));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn an_error_does_not_repeat_a_password() {
        let url = Url::parse("s3://key:secret@bucket/a").unwrap();
        let failure =
            object_store_for(&url, &SdkConfig::builder().build(), &S3Options::default()).unwrap_err();
        assert!(!failure.to_string().contains("secret"), "{failure}");
    }
}
