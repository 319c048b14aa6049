//! Downloads a log file as it is: `GET /v13/downloadCompleteLogFile/{instance}/{file}`, which is described in the RDS user
//! guide ("DownloadCompleteDBLogFile") and is in no SDK.
//!
//! Guarantees: the answer's status, type and first bytes were checked before the first byte is passed on, and its end is
//! known to be the end: every answer is framed by a length, by chunks or by gzip, or refused. Memory is constant.
//! Up to [`ATTEMPTS`] attempts are made before the first byte is passed on, and none after: the file may have become
//! another one in the meantime, so the caller starts again. The server knows no ranges.
//! Requests are signed in headers; there is no signed URL that could get into a log.

mod answer;
mod failure;
mod request;

use std::time::{Duration, SystemTime};

use auditkeep_pipeline::source::{LogBytes, SourceError, SourceErrorKind};
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::redirect;
use url::Url;

use super::Timeouts;
use crate::config::{ConfigError, is_loopback};
use crate::credentials::CachedCredentials;
use failure::DownloadError;

const OPERATION: &str = "downloading log file";
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(400);

#[derive(Clone, Debug)]
pub(super) struct CompleteFiles {
    http: reqwest::Client,
    endpoint: Url,
    region: String,
    credentials: CachedCredentials,
}

/// A client that decodes nothing, follows nothing, and tells the framing of an answer as the server sent it.
///
/// Proxies are taken from the environment, as the SDK does; a loopback endpoint is never asked through one.
/// Another crate of the build may switch on reqwest's own decoding, which would hide truncation: hence the four `no_…`.
pub(super) fn http_client(
    timeouts: Timeouts,
    endpoint: &Url,
    plain_http: bool,
) -> Result<reqwest::Client, ConfigError> {
    let mut builder = reqwest::Client::builder()
        .http1_only()
        .https_only(!plain_http)
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .connect_timeout(timeouts.connect)
        .read_timeout(timeouts.read)
        .user_agent(concat!("auditkeep/", env!("CARGO_PKG_VERSION")));
    if is_loopback(endpoint) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|cause| ConfigError::HttpClient(cause.into()))
}

impl CompleteFiles {
    pub(super) fn new(
        http: reqwest::Client,
        endpoint: Url,
        region: String,
        credentials: CachedCredentials,
    ) -> Self {
        Self { http, endpoint, region, credentials }
    }

    pub(super) async fn open(&self, instance: &str, file: &str) -> Result<LogBytes, SourceError> {
        let object = format!("{file:?} of {instance}");
        let failed = move |cause: DownloadError| SourceError {
            kind: cause.kind(),
            operation: OPERATION,
            object: object.clone(),
            cause: cause.into(),
        };
        let bytes = self.open_with_retries(instance, file).await.map_err(&failed)?;
        Ok(bytes.map_err(failed).boxed())
    }

    /// A loop of its own and not a crate's: what may be tried again depends on our kinds of failure and on nothing else.
    async fn open_with_retries(&self, instance: &str, file: &str) -> Result<answer::Body, DownloadError> {
        let url = request::url(&self.endpoint, instance, file)?;
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(&url).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            if failure.kind() == SourceErrorKind::Denied {
                self.credentials.forget().await;
            }
            if attempt >= ATTEMPTS || !may_pass(failure.kind()) {
                return Err(failure);
            }
            let pause = pause_after(attempt, fastrand::f64());
            tracing::debug!(instance, attempt, ?pause, %failure, "download will be tried again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, url: &Url) -> Result<answer::Body, DownloadError> {
        let now = SystemTime::now();
        let credentials = self.credentials.get(now).await.map_err(DownloadError::Credentials)?;
        let headers = request::signed_headers(url, credentials, &self.region, now)?;
        let response = self
            .http
            .get(url.clone())
            .headers(headers)
            .send()
            .await
            .map_err(|cause| DownloadError::NoAnswer(cause.without_url()))?;
        answer::checked(response).await
    }
}

fn may_pass(kind: SourceErrorKind) -> bool {
    matches!(kind, SourceErrorKind::Throttled | SourceErrorKind::Unreachable)
}

/// Doubles with every attempt; `random`, from 0 to 1, spreads callers that failed together ("full jitter").
fn pause_after(attempt: u32, random: f64) -> Duration {
    (FIRST_PAUSE * 2_u32.saturating_pow(attempt)).mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_spread() {
        assert_eq!(pause_after(1, 1.0), Duration::from_millis(800));
        assert_eq!(pause_after(3, 1.0), Duration::from_millis(3200));
        assert_eq!(pause_after(3, 0.0), Duration::ZERO);
    }
}
