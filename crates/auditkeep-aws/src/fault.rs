//! What AWS says when it refuses: a code and a message, from any service, and what can be done about it.
//!
//! Guarantees: the texts that come out are one line, bounded, free of control characters, and hold nothing that looks
//! like a key, a token or a signature. AWS's own message about a wrong signature quotes the signed headers, the session
//! token among them; so a message is never passed on unseen.
//! Does not decide whether to try again.

pub(crate) mod document;
pub(crate) mod sdk;

use std::error::Error;
use std::fmt::{self, Write as _};

use auditkeep_pipeline::source::SourceErrorKind;

/// In characters; AWS's messages for people are shorter.
const MAX_TEXT: usize = 300;
/// Access key ids have 20 characters, but are documented as 16 to 128.
const MIN_KEY_ID: usize = 16;
/// Secret keys have 40 characters, signatures 64, tokens hundreds.
const MIN_SECRET: usize = 40;
const MASK: &str = "[hidden]";

/// A refusal by AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwsFault {
    /// The HTTP status, such as 403.
    status: u16,
    /// Such as `DBInstanceNotFound`; empty when the answer had none.
    code: String,
    message: String,
}

impl AwsFault {
    /// Takes the texts as AWS sent them.
    pub(crate) fn new(status: u16, code: &str, message: &str) -> Self {
        // JSON services write `com.amazonaws.rds#DBInstanceNotFoundFault:http://…`.
        let code = code.rsplit('#').next().unwrap_or_default();
        let code = code.split(':').next().unwrap_or_default();
        Self { status, code: presentable(code), message: presentable(message) }
    }

    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    pub(crate) fn kind(&self) -> SourceErrorKind {
        kind_of_code(&self.code).unwrap_or_else(|| match kind_of_status(self.status) {
            // Something else is missing than an instance or a file: the operation, or S3's bucket.
            SourceErrorKind::NotFound if !self.code.is_empty() => SourceErrorKind::Invalid,
            kind => kind,
        })
    }
}

impl fmt::Display for AwsFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code.is_empty() {
            write!(out, "AWS answered with status {}", self.status)?;
        } else {
            write!(out, "AWS answered {} (status {})", self.code, self.status)?;
        }
        if self.message.is_empty() { Ok(()) } else { write!(out, ": {}", self.message) }
    }
}

impl Error for AwsFault {}

/// From the lists of common errors in the AWS API references, those of RDS, and those that the SDKs retry.
fn kind_of_code(code: &str) -> Option<SourceErrorKind> {
    // The SDKs' model writes `DBInstanceNotFoundFault`, the wire `DBInstanceNotFound`; JSON services add `Exception`.
    let code = code.strip_suffix("Fault").or_else(|| code.strip_suffix("Exception")).unwrap_or(code);
    let kind = match code {
        "DBInstanceNotFound" | "DBLogFileNotFound" => SourceErrorKind::NotFound,
        "AccessDenied"
        | "AuthFailure"
        | "ExpiredToken"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSignature"
        | "InvalidToken"
        | "MissingAuthenticationToken"
        | "NotAuthorized"
        | "OptInRequired"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch"
        | "TokenRefreshRequired"
        | "UnauthorizedOperation"
        | "UnrecognizedClient" => SourceErrorKind::Denied,
        "BandwidthLimitExceeded"
        | "PriorRequestNotComplete"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "SlowDown"
        | "Throttled"
        | "Throttling"
        | "TooManyRequests" => SourceErrorKind::Throttled,
        "DBInstanceNotReady"
        | "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "InvalidDBInstanceState"
        | "RequestTimeout"
        | "ServiceUnavailable" => SourceErrorKind::Unreachable,
        _ => return None,
    };
    Some(kind)
}

fn kind_of_status(status: u16) -> SourceErrorKind {
    match status {
        401 | 403 => SourceErrorKind::Denied,
        404 => SourceErrorKind::NotFound,
        429 => SourceErrorKind::Throttled,
        408 | 500..=599 => SourceErrorKind::Unreachable,
        _ => SourceErrorKind::Invalid,
    }
}

/// One line of a text that came from outside, fit to be printed: see the guarantees of this file.
pub(crate) fn presentable(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    let mut out = String::new();
    for word in line.split_inclusive(|letter| !is_key_letter(letter)) {
        let run = word.trim_end_matches(|letter| !is_key_letter(letter));
        let rest = word.get(run.len()..).unwrap_or_default();
        out.push_str(if is_secret(run) { MASK } else { run });
        for letter in rest.chars() {
            push_printable(&mut out, letter);
        }
        if out.chars().count() >= MAX_TEXT {
            return out.chars().take(MAX_TEXT).chain(['…']).collect();
        }
    }
    out
}

/// The letters of base 64, percent-encoded base 64 and hexadecimal.
fn is_key_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/' | '=' | '%' | '_')
}

fn is_secret(run: &str) -> bool {
    let key_id = run.rsplit('=').next().unwrap_or(run);
    let is_key_id = (key_id.starts_with("AKIA") || key_id.starts_with("ASIA")) && key_id.len() >= MIN_KEY_ID;
    run.len() >= MIN_SECRET || is_key_id
}

/// Control characters and the invisible ones that reorder text are written as escapes.
fn push_printable(out: &mut String, letter: char) {
    let reorders = matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if letter.is_control() || reorders {
        // Writing to a String cannot fail.
        let _ = write!(out, "{}", letter.escape_unicode());
    } else {
        out.push(letter);
    }
}

/// An error with its causes, as one presentable line.
pub(crate) fn presentable_chain(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = presentable(&error.to_string());
        // Wrappers often repeat the text of what they wrap.
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_before_statuses() {
        for (status, code, kind) in [
            (404, "DBInstanceNotFound", SourceErrorKind::NotFound),
            (404, "DBLogFileNotFoundFault", SourceErrorKind::NotFound),
            (200, "DBInstanceNotFound", SourceErrorKind::NotFound),
            (404, "", SourceErrorKind::NotFound),
            (404, "UnknownOperationException", SourceErrorKind::Invalid),
            (404, "NoSuchBucket", SourceErrorKind::Invalid),
            (403, "SignatureDoesNotMatch", SourceErrorKind::Denied),
            (400, "com.amazon.coral.service#ExpiredTokenException", SourceErrorKind::Denied),
            (400, "ThrottlingException:http://internal.amazon.com/coral/", SourceErrorKind::Throttled),
            (503, "SlowDown", SourceErrorKind::Throttled),
            (429, "", SourceErrorKind::Throttled),
            (403, "", SourceErrorKind::Denied),
            (500, "", SourceErrorKind::Unreachable),
            (400, "DBInstanceNotReady", SourceErrorKind::Unreachable),
            (400, "InvalidParameterValue", SourceErrorKind::Invalid),
            (302, "", SourceErrorKind::Invalid),
        ] {
            assert_eq!(AwsFault::new(status, code, "").kind(), kind, "{status} {code}");
        }
    }

    #[test]
    fn the_quoted_request_of_a_signature_error_is_cut_off() {
        let message = "The request signature we calculated does not match the signature you provided.\n\n\
                       The Canonical String for this request should have been\n'GET\n/v13/x\n\nhost:rds\n\
                       x-amz-security-token:IQoJb3JpZ2luX2VjEXAMPLETOKEN";
        let shown = AwsFault::new(403, "SignatureDoesNotMatch", message).to_string();
        assert_eq!(
            shown,
            "AWS answered SignatureDoesNotMatch (status 403): \
             The request signature we calculated does not match the signature you provided."
        );
    }

    #[test]
    fn keys_tokens_and_signatures_are_hidden_and_names_are_not() {
        let signature = "a".repeat(64);
        let text = format!(
            "user arn:aws:iam::123456789012:user/eve key ASIAIOSFODNN7EXAMPLE \
             secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY signature={signature}, for error/postgresql.log.2026-11-21-04"
        );
        assert_eq!(
            presentable(&text),
            "user arn:aws:iam::123456789012:user/eve key [hidden] secret [hidden] [hidden], \
             for error/postgresql.log.2026-11-21-04"
        );
    }

    #[test]
    fn hostile_texts_become_one_short_plain_line() {
        assert_eq!(presentable("\n  a\u{1b}[31mb\u{202e}c\r\nsecond"), "a\\u{1b}[31mb\\u{202e}c");
        assert_eq!(presentable(&"é ".repeat(1000)).chars().count(), MAX_TEXT + 1);
    }

    #[test]
    fn a_chain_of_causes_is_one_line_without_repetition() {
        let inner = std::io::Error::other("connection refused");
        let outer = std::io::Error::other(inner);
        assert_eq!(presentable_chain(&outer), "connection refused");
    }
}
