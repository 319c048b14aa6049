//! A small fleet and clients for it.

use std::time::{Duration, SystemTime};

use auditkeep_lab::emulator::{
    DEFAULT_REGION, Emulator, Fleet, LabCredential, LabInstance, Logs, RecordedFile,
};
use aws_credential_types::Credentials;
use aws_sdk_rds::Client;
use aws_sdk_rds::config::retry::RetryConfig;
use aws_sdk_rds::config::{BehaviorVersion, Region};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;

pub(crate) const REGION: &str = DEFAULT_REGION;

/// Bytes that are awkward for XML, for ASCII, and for whoever trims.
pub(crate) const ODD_LINES: &[u8] = b"  a < b & \"c\" > \xc3\xa9\r\n\x01x\n ";
pub(crate) const BINARY: &[u8] = b"\x00\x01\x02\xffbinary";

/// 2026-11-02T09:00:00Z, in milliseconds, and an hour later.
const NINE: i64 = 1_793_610_000_000;
const TEN: i64 = 1_793_613_600_000;

pub(crate) fn memory(files: Vec<(String, Vec<u8>, i64)>) -> Logs {
    let file = |(name, bytes, last_written_ms): (String, Vec<u8>, i64)| {
        (name, RecordedFile { bytes: bytes.into(), last_written_ms })
    };
    Logs::Memory(files.into_iter().map(file).collect())
}

pub(crate) fn fleet() -> Fleet {
    let instance = |name: &str, engine: &str, version: &str, cluster: Option<&str>, logs: Logs| LabInstance {
        name: name.to_owned(),
        resource_id: format!("db-{}", name.to_uppercase()),
        engine: engine.to_owned(),
        engine_version: version.to_owned(),
        cluster: cluster.map(str::to_owned),
        logs,
    };
    let orders = memory(vec![
        ("error/postgresql.log.2026-11-02-09".to_owned(), b"one\ntwo\nthree\n".to_vec(), NINE + 5),
        ("error/postgresql.log.2026-11-02-10".to_owned(), ODD_LINES.to_vec(), TEN + 999),
        ("error/dump.bin".to_owned(), BINARY.to_vec(), NINE - 1),
    ]);
    let aurora = "8.0.mysql_aurora.3.05.2";
    Fleet {
        instances: vec![
            instance("orders", "postgres", "15.8", None, orders),
            instance("reports", "aurora-mysql", aurora, Some("reporting"), memory(Vec::new())),
            instance("empty", "mariadb", "10.11.8", None, memory(Vec::new())),
        ],
    }
}

pub(crate) fn well_known() -> LabCredential {
    LabCredential::well_known()
}

pub(crate) fn client(emulator: &Emulator) -> Client {
    client_as(emulator, signer(), REGION)
}

/// The credential of [`well_known`], as the SDK's type.
pub(crate) fn signer() -> Credentials {
    let known = well_known();
    Credentials::new(known.access_key_id, known.secret_access_key, None, None, "test")
}

pub(crate) fn client_as(emulator: &Emulator, credentials: Credentials, region: &'static str) -> Client {
    let config = aws_sdk_rds::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(emulator.endpoint())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// How a request is signed by hand.
pub(crate) struct Signing {
    pub(crate) region: &'static str,
    pub(crate) at: SystemTime,
    /// In the query string, valid for so long; otherwise in the `Authorization` header.
    pub(crate) presigned: Option<Duration>,
}

impl Default for Signing {
    fn default() -> Self {
        Self { region: REGION, at: SystemTime::now(), presigned: None }
    }
}

/// A request for `url` with `body`, signed by Amazon's own signing library.
pub(crate) fn signed(method: &str, url: &str, body: &'static str, signing: &Signing) -> reqwest::Request {
    let mut settings = SigningSettings::default();
    if let Some(expires_in) = signing.presigned {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(expires_in);
    }
    let identity = signer().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(signing.region)
        .name("rds")
        .time(signing.at)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let mut request = http::Request::builder().method(method).uri(url).body(body).unwrap();
    let host = request.uri().authority().unwrap().to_string();
    let signable = SignableRequest::new(
        method,
        url,
        [("host", host.as_str())].into_iter(),
        SignableBody::Bytes(body.as_bytes()),
    );
    let (instructions, _) = sign(signable.unwrap(), &params).unwrap().into_parts();
    instructions.apply_to_request_http1x(&mut request);
    request.try_into().unwrap()
}
