//! The canonical request of Signature Version 4: what both sides hash.

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::claim::{Claim, Form};
use super::{SignedRequest, sha256_hex};

/// Everything but the characters that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

pub(super) fn request(request: &SignedRequest<'_>, claim: &Claim) -> String {
    format!(
        "{}\n{}\n{}\n{}\n{}\n{}",
        request.method,
        path(request.path),
        query(request.query, claim.form),
        headers(request.headers, &claim.signed_headers),
        claim.signed_headers.join(";"),
        sha256_hex(request.body),
    )
}

/// The path without dot segments and doubled slashes, encoded once more than it came.
pub(super) fn path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let is_directory = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    let end = if is_directory && !segments.is_empty() { "/" } else { "" };
    let normal = format!("/{}{end}", segments.join("/"));
    percent_encode(normal.as_bytes(), RESERVED_IN_PATH).to_string()
}

/// The parameters, encoded one way and sorted; a presigned request's signature is not part of itself.
fn query(query: &str, form: Form) -> String {
    let presigned = matches!(form, Form::Query { .. });
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded_once(name), encoded_once(value)))
        .filter(|(name, _)| !(presigned && name == "X-Amz-Signature"))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn encoded_once(text: &str) -> String {
    let decoded: Vec<u8> = percent_decode_str(text).collect();
    percent_encode(&decoded, RESERVED).to_string()
}

fn headers(headers: &HeaderMap, signed: &[String]) -> String {
    let mut text = String::new();
    for name in signed {
        let values: Vec<String> =
            headers.get_all(name).iter().map(|value| trimmed(value.as_bytes())).collect();
        text.push_str(name);
        text.push(':');
        text.push_str(&values.join(","));
        text.push('\n');
    }
    text
}

/// Without spaces around it, and runs of spaces inside as one.
fn trimmed(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    words.join(" ")
}
