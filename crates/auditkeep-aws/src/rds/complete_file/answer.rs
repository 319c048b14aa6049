//! Checks the answer to a download before a byte of it is believed.
//!
//! Guarantees: what comes out is the content of a log file: the status was 200, the end of the transfer can be told from
//! a break, the encoding is one that was asked for, and the content is no error document, whatever the answer
//! called itself. RDS has been seen to send error documents that tools then archived as logs.
//! Does not compare with the size in a listing, which lags behind.

use auditkeep_pipeline::source::gunzip::gunzip;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, StatusCode};
use reqwest::Response;

use super::failure::DownloadError;
use crate::fault::document::{self, MAX_DOCUMENT};
use crate::fault::{AwsFault, presentable};

pub(super) type Body = BoxStream<'static, Result<Bytes, DownloadError>>;

/// The content, decoded, from its first byte on.
pub(super) async fn checked(response: Response) -> Result<Body, DownloadError> {
    let status = response.status();
    let headers = response.headers().clone();
    if status.is_redirection() {
        return Err(DownloadError::Redirect(status.as_u16()));
    }
    let is_gzip = is_gzip(&headers)?;
    let is_framed = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
    let transfer = response.bytes_stream().map_err(|cause| DownloadError::Cut(cause.without_url())).boxed();
    let body = if is_gzip { gunzip(transfer, DownloadError::Gzip) } else { transfer };
    if status != StatusCode::OK {
        return Err(refusal(status, &headers, body).await);
    }
    if !is_gzip && !is_framed {
        return Err(DownloadError::Unframed);
    }
    without_error_document(&headers, body).await
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, DownloadError> {
    match text(headers, &CONTENT_ENCODING).as_str() {
        "" | "identity" => Ok(false),
        "gzip" | "x-gzip" => Ok(true),
        other => Err(DownloadError::Encoding(other.to_owned())),
    }
}

/// A body that cannot be read does not hide the status.
async fn refusal(status: StatusCode, headers: &HeaderMap, body: Body) -> DownloadError {
    let mut start = Start::new(body);
    // Whatever arrived until the transfer failed may say enough.
    let _ = start.read(|start| start.bytes.len() > MAX_DOCUMENT).await;
    if let Some(found) = document::parse(&start.bytes) {
        return AwsFault::new(status.as_u16(), &found.code, &found.message).into();
    }
    let code = text(headers, &HeaderName::from_static("x-amzn-errortype"));
    let media_type = media_type(headers);
    // A proxy's page about a missing path must not pass for a file that was rotated away.
    if code.is_empty() && (status.is_success() || media_type == "text/html") {
        return DownloadError::Foreign { status: status.as_u16(), media_type };
    }
    AwsFault::new(status.as_u16(), &code, "").into()
}

/// Log files of the engines in question begin with a time, a path or a version, never with `<` or `{`.
/// Where the type names a document, such a start suffices to refuse it; where it does not, the whole has to be an error
/// document, so that nobody can keep a log file from being collected by what they write into it.
async fn without_error_document(headers: &HeaderMap, body: Body) -> Result<Body, DownloadError> {
    let mut start = Start::new(body);
    start.read(|start| !document::is_blank(&start.bytes) || start.bytes.len() > MAX_DOCUMENT).await?;
    if !document::begins_like_document(&start.bytes) {
        return Ok(start.into_body());
    }
    start.read(|start| start.bytes.len() > MAX_DOCUMENT).await?;
    if let Some(found) = document::parse(&start.bytes) {
        return Err(AwsFault::new(StatusCode::OK.as_u16(), &found.code, &found.message).into());
    }
    let media_type = media_type(headers);
    if names_document(&media_type) { Err(DownloadError::Document(media_type)) } else { Ok(start.into_body()) }
}

/// The first bytes of a body, and the rest of it.
struct Start {
    bytes: BytesMut,
    rest: Body,
    ended: bool,
}

impl Start {
    fn new(rest: Body) -> Self {
        Self { bytes: BytesMut::new(), rest, ended: false }
    }

    async fn read(&mut self, is_enough: impl Fn(&Self) -> bool) -> Result<(), DownloadError> {
        while !self.ended && !is_enough(self) {
            match self.rest.try_next().await? {
                Some(piece) => self.bytes.extend_from_slice(&piece),
                None => self.ended = true,
            }
        }
        Ok(())
    }

    fn into_body(self) -> Body {
        let first = (!self.bytes.is_empty()).then(|| Ok(self.bytes.freeze()));
        if self.ended { stream::iter(first).boxed() } else { stream::iter(first).chain(self.rest).boxed() }
    }
}

fn names_document(media_type: &str) -> bool {
    let subtype = media_type.split('/').nth(1).unwrap_or_default();
    ["xml", "json", "html"].into_iter().any(|name| subtype.contains(name))
}

/// Without its parameters.
fn media_type(headers: &HeaderMap) -> String {
    text(headers, &CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_owned()
}

/// In lower case, as codings and types are compared; codes of errors keep theirs.
fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    let value = headers.get(name).map(|value| presentable(&String::from_utf8_lossy(value.as_bytes())));
    let value = value.unwrap_or_default();
    if name == "x-amzn-errortype" { value } else { value.to_ascii_lowercase() }
}
