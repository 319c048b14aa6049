//! Verification of AWS Signature Version 4, in the `Authorization` header and in the query string (presigned).
//!
//! Own code, because a server needs the other half of what the SDKs offer. It follows "Signature Version 4 signing
//! process" in the AWS IAM User Guide: every service but S3 encodes the path twice, and the payload hash is that of the
//! body that arrived, so a body that was changed after signing is refused. Signatures and tokens are compared in
//! constant time.
//!
//! It does not know SigV4a, chunked payloads or unsigned payloads, which RDS has no use for.

mod canonical;
mod claim;
#[cfg(test)]
mod tests;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use self::claim::{Claim, Form};
use crate::emulator::LabCredential;
use crate::emulator::fault::Fault;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a request's date may be from the server's clock.
const MAX_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// A request as it arrived: path and query still encoded.
#[derive(Debug)]
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Who may call, what they must have signed for, and what time it is.
#[derive(Debug)]
pub(crate) struct Verifier<'a> {
    pub(crate) credentials: &'a [LabCredential],
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) now: Timestamp,
}

impl Verifier<'_> {
    /// Fails with the error that AWS would answer, unless the request is signed as it must be.
    pub(crate) fn verify(&self, request: &SignedRequest<'_>) -> Result<(), Fault> {
        let claim = Claim::read(request)?;
        self.check_scope(&claim)?;
        self.check_time(&claim)?;
        let credential = self.credential(&claim)?;
        let string_to_sign = format!(
            "{ALGORITHM}\n{}\n{}\n{}",
            claim.date_time,
            claim.scope(),
            sha256_hex(canonical::request(request, &claim).as_bytes()),
        );
        let key = signing_key(&credential.secret_access_key, &claim);
        let expected = hex::encode(hmac_sha256(&key, string_to_sign.as_bytes()));
        verify_slices_are_equal(expected.as_bytes(), claim.signature.as_bytes()).map_err(|_| {
            Fault::signature_mismatch(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method. Consult the service documentation for details.",
            )
        })
    }

    fn check_scope(&self, claim: &Claim) -> Result<(), Fault> {
        let mismatch = |message: String| Err(Fault::signature_mismatch(message));
        if claim.region != self.region {
            return mismatch(format!(
                "Credential should be scoped to a valid region, not '{}'.",
                claim.region
            ));
        }
        if claim.service != self.service {
            return mismatch(format!("Credential should be scoped to correct service: '{}'.", self.service));
        }
        if !claim.date_time.starts_with(&claim.date) {
            return mismatch(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date".into(),
            );
        }
        Ok(())
    }

    fn check_time(&self, claim: &Claim) -> Result<(), Fault> {
        let age = self.now.duration_since(claim.signed_at);
        let valid_for = match claim.form {
            Form::Header => MAX_SKEW,
            Form::Query { expires_seconds } => SignedDuration::from_secs(i64::from(expires_seconds)),
        };
        if age > valid_for {
            return Err(Fault::request_expired(format!(
                "Signature expired: {} is too long ago",
                claim.date_time
            )));
        }
        if age < -MAX_SKEW {
            return Err(Fault::request_expired(format!("Signature not yet current: {}", claim.date_time)));
        }
        Ok(())
    }

    /// The credential that the claim names, if the session token fits too.
    fn credential(&self, claim: &Claim) -> Result<&LabCredential, Fault> {
        let named = self.credentials.iter().find(|known| known.access_key_id == claim.access_key_id);
        let credential = named.ok_or_else(Fault::invalid_token)?;
        let expected = credential.session_token.as_deref().unwrap_or_default();
        let sent = claim.token.as_deref().unwrap_or_default();
        verify_slices_are_equal(expected.as_bytes(), sent.as_bytes()).map_err(|_| Fault::invalid_token())?;
        Ok(credential)
    }
}

fn signing_key(secret: &str, claim: &Claim) -> Vec<u8> {
    [claim.date.as_str(), &claim.region, &claim.service, "aws4_request"]
        .into_iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac_sha256(&key, part.as_bytes()))
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
}

fn sha256_hex(data: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, data))
}
