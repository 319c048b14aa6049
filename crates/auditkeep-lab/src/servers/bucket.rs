//! Plain signed S3 requests: for what a test sets up on a server, and for what it looks at behind the product's back.
//!
//! It is not the product's way to S3 and shares none of its code, so it does not share its mistakes. Every request is sent
//! once, with the bucket in the path; nothing is retried.

use std::error::Error;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::ServerError;

const SERVER: &str = "the S3 server";
/// The letters that signature version 4 leaves as they are, and the separator of a key's parts.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// Emulators and gateways take any; they only have to be told the same in the request and in its signature.
pub const REGION: &str = "us-east-1";

/// Somebody who may use an S3 server.
#[derive(Clone, Debug)]
pub struct SignedS3 {
    endpoint: String,
    access_key: String,
    secret: String,
}

/// What the server said.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// One header as text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The text of the first XML element of this name; empty if there is none.
    pub fn element(&self, name: &str) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let rest = text.split_once(&format!("<{name}>")).map_or("", |(_, rest)| rest);
        rest.split('<').next().unwrap_or_default().to_owned()
    }
}

impl SignedS3 {
    /// `endpoint` is `http://host:port`.
    pub fn new(endpoint: &str, access_key: &str, secret: &str) -> Self {
        let [endpoint, access_key, secret] = [endpoint, access_key, secret].map(str::to_owned);
        Self { endpoint, access_key, secret }
    }

    /// Sends one request. `query` is `name` or `name=value&…`, encoded as it must be; `key` is empty for the bucket itself.
    pub async fn send(
        &self,
        method: &str,
        bucket: &str,
        key: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, ServerError> {
        let failed = |source: Box<dyn Error + Send + Sync>| ServerError::Client {
            action: "send a request to the S3 server",
            source,
        };
        let mut url = format!("{}/{bucket}", self.endpoint);
        if !key.is_empty() {
            url = format!("{url}/{}", utf8_percent_encode(key, RESERVED));
        }
        if !query.is_empty() {
            url = format!("{url}?{query}");
        }
        let request = self.signed(method, &url, headers, body.into()).map_err(failed)?;
        let request = reqwest::Request::try_from(request).map_err(|error| failed(error.into()))?;
        let answer = reqwest::Client::new().execute(request).await.map_err(|error| failed(error.into()))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.map_err(|error| failed(error.into()))?;
        Ok(Answer { status, headers, body })
    }

    fn signed(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Request<Bytes>, Box<dyn Error + Send + Sync>> {
        let identity = Credentials::new(&self.access_key, &self.secret, None, None, "fixed").into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()?
            .into();
        let signable =
            SignableRequest::new(method, url, headers.iter().copied(), SignableBody::Bytes(&body))?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        // The client leaves it out where there is no body, and S3 asks for it.
        let mut request = request.header(CONTENT_LENGTH, body.len()).body(body)?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    /// An ordinary bucket.
    pub async fn create_bucket(&self, bucket: &str) -> Result<(), ServerError> {
        done("create a bucket", &self.send("PUT", bucket, "", "", &[], "").await?)
    }

    /// From now on the bucket keeps what is overwritten or deleted as older versions.
    pub async fn keep_versions(&self, bucket: &str) -> Result<(), ServerError> {
        let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        done("keep versions", &self.send("PUT", bucket, "", "versioning", &[], body).await?)
    }

    /// A bucket with Object Lock: for a day, nobody may delete or overwrite a version that is put there (`COMPLIANCE`).
    pub async fn create_locked_bucket(&self, bucket: &str) -> Result<(), ServerError> {
        let lock = [("x-amz-bucket-object-lock-enabled", "true")];
        done("create a bucket with Object Lock", &self.send("PUT", bucket, "", "", &lock, "").await?)?;
        let body = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                    <Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
        done("lock a bucket", &self.send("PUT", bucket, "", "object-lock", &[], body).await?)
    }

    /// What the server says of an object without giving it.
    pub async fn head(&self, bucket: &str, key: &str) -> Result<Answer, ServerError> {
        let answer = self.send("HEAD", bucket, key, "", &[("x-amz-checksum-mode", "ENABLED")], "").await?;
        done("describe an object", &answer).map(|()| answer)
    }
}

fn done(action: &'static str, answer: &Answer) -> Result<(), ServerError> {
    if answer.status < 300 {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    Err(ServerError::Refused { server: SERVER, action, status: answer.status, answer: text })
}
