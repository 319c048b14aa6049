//! The request for a log file: its URL, and its signature in headers.
//!
//! Guarantees: a file name stays below the path of its instance, whatever it contains; the session token is signed.
//! Does not send anything.

use std::error::Error;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderValue, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::failure::DownloadError;

const PATH: &str = "/v13/downloadCompleteLogFile";
/// In bytes; names of log files have about 50.
const MAX_NAME: usize = 1024;
/// The letters that signature version 4 leaves as they are.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The slashes of `file` stay separators; those of `instance` do not.
pub(super) fn url(endpoint: &Url, instance: &str, file: &str) -> Result<Url, DownloadError> {
    let mut path = endpoint.path().trim_end_matches('/').to_owned();
    path.push_str(PATH);
    push_segment(&mut path, instance)?;
    for segment in file.split('/') {
        push_segment(&mut path, segment)?;
    }
    let mut url = endpoint.clone();
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Dots and nothing would be resolved on the way and lead elsewhere.
fn push_segment(path: &mut String, segment: &str) -> Result<(), DownloadError> {
    if matches!(segment, "" | "." | "..") || segment.len() > MAX_NAME {
        return Err(DownloadError::Name(segment.chars().take(100).collect()));
    }
    path.push('/');
    path.extend(utf8_percent_encode(segment, RESERVED));
    Ok(())
}

/// `accept-encoding` is left out of the signature: a proxy may change it.
pub(super) fn signed_headers(
    url: &Url,
    credentials: Credentials,
    region: &str,
    now: SystemTime,
) -> Result<HeaderMap, DownloadError> {
    let mut headers = signature(url, credentials, region, now).map_err(DownloadError::Signing)?;
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(headers)
}

fn signature(
    url: &Url,
    credentials: Credentials,
    region: &str,
    now: SystemTime,
) -> Result<HeaderMap, Box<dyn Error + Send + Sync>> {
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("rds")
        .time(now)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let signable = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _signature) = sign(signable, &parameters)?.into_parts();
    let mut request = Request::get(url.as_str()).body(())?;
    instructions.apply_to_request_http1x(&mut request);
    let mut headers = std::mem::take(request.headers_mut());
    // The signer marks the token as not to be shown, but not the signature.
    headers.values_mut().for_each(|value| value.set_sensitive(true));
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn path(file: &str) -> Option<String> {
        let endpoint = Url::parse("https://rds.eu-west-1.amazonaws.com").unwrap();
        url(&endpoint, "orders", file).ok().map(|url| url.path().to_owned())
    }

    #[test]
    fn slashes_separate_and_everything_else_is_encoded() {
        assert_eq!(
            path("error/postgresql.log.2026-11-21-04").unwrap(),
            "/v13/downloadCompleteLogFile/orders/error/postgresql.log.2026-11-21-04"
        );
        assert_eq!(
            path("audit/a b%2e?c#d+é").unwrap(),
            "/v13/downloadCompleteLogFile/orders/audit/a%20b%252e%3Fc%23d%2B%C3%A9"
        );
    }

    #[test]
    fn a_name_cannot_leave_its_instance() {
        for file in ["", "/", "../other/audit/a", "audit/../../x", "audit/./a", "audit//a", &"a".repeat(1025)]
        {
            assert_eq!(path(file), None, "{file}");
        }
        let endpoint = Url::parse("https://rds.eu-west-1.amazonaws.com").unwrap();
        let bent = url(&endpoint, "orders/../x", "a").unwrap();
        assert_eq!(bent.path(), "/v13/downloadCompleteLogFile/orders%2F..%2Fx/a");
    }

    #[test]
    fn an_endpoint_may_have_a_path_of_its_own() {
        let endpoint = Url::parse("http://127.0.0.1:9000/rds/?x=1").unwrap();
        assert_eq!(
            url(&endpoint, "orders", "a").unwrap().as_str(),
            "http://127.0.0.1:9000/rds/v13/downloadCompleteLogFile/orders/a"
        );
    }

    #[test]
    fn the_signature_is_in_headers_covers_the_token_and_is_not_shown() {
        let url = Url::parse("https://rds.eu-west-1.amazonaws.com/v13/downloadCompleteLogFile/o/a").unwrap();
        let credentials =
            Credentials::new("AKIDEXAMPLE", "the secret", Some("the token".to_owned()), None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(498_672);
        let headers = signed_headers(&url, credentials, "eu-west-1", now).unwrap();
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(
            authorization.starts_with(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-west-1/rds/aws4_request, \
                 SignedHeaders=host;x-amz-date;x-amz-security-token, Signature="
            ),
            "{authorization}"
        );
        assert_eq!(headers["x-amz-security-token"], "the token");
        assert_eq!(headers["accept-encoding"], "gzip");
        let shown = format!("{headers:?}");
        assert!(!shown.contains("the token") && !shown.contains("Signature="), "{shown}");
    }
}
