//! What a request says about its own signature, in either of the two places.

use http::HeaderMap;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use percent_encoding::percent_decode_str;

use super::{ALGORITHM, SignedRequest, sha256_hex};
use crate::emulator::fault::Fault;

/// Seven days, in seconds: the longest life of a presigned request.
const MAX_EXPIRES: u32 = 604_800;

/// Where the signature was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Header,
    Query { expires_seconds: u32 },
}

/// A signature and all that it claims to cover. Nothing in it is verified yet.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) form: Form,
    pub(super) access_key_id: String,
    /// `YYYYMMDD`.
    pub(super) date: String,
    pub(super) region: String,
    pub(super) service: String,
    /// `YYYYMMDDTHHMMSSZ`.
    pub(super) date_time: String,
    pub(super) signed_at: Timestamp,
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: String,
    pub(super) token: Option<String>,
}

impl Claim {
    pub(super) fn read(request: &SignedRequest<'_>) -> Result<Self, Fault> {
        let claim = if let Some(authorization) = header(request.headers, "authorization") {
            Self::from_header(authorization, request.headers)?
        } else if let Some(algorithm) = parameter(request.query, "X-Amz-Algorithm") {
            Self::from_query(&algorithm, request.query)?
        } else {
            return Err(Fault::missing_token());
        };
        claim.check_coverage(request)?;
        Ok(claim)
    }

    pub(super) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }

    fn from_header(authorization: &str, headers: &HeaderMap) -> Result<Self, Fault> {
        let fields = authorization.strip_prefix(ALGORITHM).ok_or_else(|| {
            Fault::incomplete_signature(format!("Unsupported AWS 'algorithm', not {ALGORITHM}"))
        })?;
        let field = |name: &'static str| {
            fields
                .split(',')
                .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
                .ok_or_else(|| missing(&format!("Authorization header requires '{name}' parameter.")))
        };
        let date_time = header(headers, "x-amz-date")
            .ok_or_else(|| missing("Authorization header requires existence of a 'X-Amz-Date' header."))?;
        let token = header(headers, "x-amz-security-token").map(str::to_owned);
        Self::build(
            Form::Header,
            field("Credential")?,
            date_time,
            field("SignedHeaders")?,
            field("Signature")?,
            token,
        )
    }

    fn from_query(algorithm: &str, query: &str) -> Result<Self, Fault> {
        if algorithm != ALGORITHM {
            return Err(Fault::incomplete_signature(format!("Unsupported AWS 'algorithm', not {ALGORITHM}")));
        }
        let field = |name: &'static str| {
            parameter(query, name)
                .ok_or_else(|| missing(&format!("AWS query-string parameters must include '{name}'.")))
        };
        let expires_seconds = field("X-Amz-Expires")?
            .parse()
            .ok()
            .filter(|seconds| (1..=MAX_EXPIRES).contains(seconds))
            .ok_or_else(|| missing("X-Amz-Expires must be between 1 and 604800 seconds."))?;
        let token = parameter(query, "X-Amz-Security-Token");
        Self::build(
            Form::Query { expires_seconds },
            &field("X-Amz-Credential")?,
            &field("X-Amz-Date")?,
            &field("X-Amz-SignedHeaders")?,
            &field("X-Amz-Signature")?,
            token,
        )
    }

    fn build(
        form: Form,
        credential: &str,
        date_time: &str,
        signed_headers: &str,
        signature: &str,
        token: Option<String>,
    ) -> Result<Self, Fault> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = parts.as_slice() else {
            return Err(missing(
                "Credential must have five parts: key id, date, region, service, aws4_request.",
            ));
        };
        Ok(Self {
            form,
            access_key_id: (*access_key_id).to_owned(),
            date: (*date).to_owned(),
            region: (*region).to_owned(),
            service: (*service).to_owned(),
            date_time: date_time.to_owned(),
            signed_at: parse_time(date_time)?,
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            signature: signature.to_owned(),
            token,
        })
    }

    /// Fails if something that must be signed is not: the host, a session token in a header, the payload's own hash.
    fn check_coverage(&self, request: &SignedRequest<'_>) -> Result<(), Fault> {
        let signed = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        if !signed("host") {
            return Err(Fault::signature_mismatch(
                "'Host' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        if self.form == Form::Header && self.token.is_some() && !signed("x-amz-security-token") {
            return Err(Fault::signature_mismatch("'X-Amz-Security-Token' must be a 'SignedHeader'."));
        }
        let declared = header(request.headers, "x-amz-content-sha256");
        if declared.is_some_and(|declared| declared != sha256_hex(request.body)) {
            return Err(Fault::signature_mismatch(
                "The provided 'x-amz-content-sha256' is not that of the body.",
            ));
        }
        Ok(())
    }
}

fn missing(message: &str) -> Fault {
    Fault::incomplete_signature(message)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)?;
    percent_decode_str(value).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

fn parse_time(text: &str) -> Result<Timestamp, Fault> {
    DateTime::strptime("%Y%m%dT%H%M%SZ", text)
        .and_then(|time| time.to_zoned(TimeZone::UTC))
        .map(|zoned| zoned.timestamp())
        .map_err(|_| missing("Date must be in ISO-8601 'basic format', as 20150830T123600Z."))
}
