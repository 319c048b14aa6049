//! The verifier against requests that Amazon's own signing library signed, and against changed ones.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::{HeaderName, HeaderValue};

use super::*;

const SIGNED_AT: &str = "2015-08-30T12:36:00Z";
const TOKEN: &str = "a-session-token/with+signs=";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Shapes of requests whose canonical form is easy to get wrong: method, target, headers, body.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

const VANILLA: Case = ("GET", "/", &[], "");
const QUERY: Case = ("GET", "/?Param2=b&Param1=a", &[], "");
const HEADERS: Case =
    ("GET", "/", &[("my-header", "d"), ("my-header", "a"), ("my-other", "  one   two ")], "");
const FORM: Case =
    ("POST", "/", &[("content-type", "application/x-www-form-urlencoded")], "Action=List&Version=1");

const CASES: [Case; 14] = [
    VANILLA,
    QUERY,
    HEADERS,
    FORM,
    ("POST", "/?Param1=value1", &[], ""),
    ("GET", "/?Param1", &[], ""),
    ("GET", "/?a=2&a=1&a-b=3&A=4", &[], ""),
    ("GET", "/?%E1%88%B4=bar%20baz&empty=", &[], ""),
    ("GET", "/-._~0123456789abcXYZ", &[], ""),
    ("GET", "/%E1%88%B4/a%20b", &[], ""),
    ("GET", "/example/..", &[], ""),
    ("GET", "/./example//x/", &[], ""),
    ("GET", "/v13/downloadCompleteLogFile/shop/error/postgresql.log.2026-11-21-04", &[], ""),
    ("PUT", "/", &[("zoo", "1"), ("ant", "2")], "body"),
];

struct Received {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// How a case is signed.
#[derive(Clone, Copy, Default)]
struct Form {
    in_query: bool,
    with_token: bool,
}

const IN_HEADER: Form = Form { in_query: false, with_token: false };
const IN_QUERY: Form = Form { in_query: true, with_token: false };

impl Received {
    fn signed((method, target, headers, body): Case, form: Form) -> Self {
        let url = format!("https://example.amazonaws.com{target}");
        let token = form.with_token.then(|| TOKEN.to_owned());
        let identity = Credentials::new("AKIDEXAMPLE", SECRET, token, None, "test").into();
        let mut settings = SigningSettings::default();
        if form.in_query {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_hours(1));
        }
        let time: Timestamp = SIGNED_AT.parse().unwrap();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("service")
            .time(SystemTime::from(time))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let all = [("host", "example.amazonaws.com")].into_iter().chain(headers.iter().copied());
        let signable = SignableRequest::new(method, &url, all.clone(), SignableBody::Bytes(body.as_bytes()));
        let (instructions, _) = sign(signable.unwrap(), &params).unwrap().into_parts();
        let mut request = http::Request::builder().method(method).uri(&url).body(()).unwrap();
        for (name, value) in all {
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        instructions.apply_to_request_http1x(&mut request);
        Self {
            method: method.to_owned(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            headers: request.headers().clone(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn verify_at(&self, now: &str, token: Option<&str>) -> Result<(), Fault> {
        let credential = LabCredential {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: SECRET.into(),
            session_token: token.map(str::to_owned),
        };
        let verifier = Verifier {
            credentials: &[credential],
            region: "us-east-1",
            service: "service",
            now: now.parse().unwrap(),
        };
        verifier.verify(&SignedRequest {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        })
    }

    fn verify(&self) -> Result<(), Fault> {
        self.verify_at(SIGNED_AT, None)
    }
}

fn refusal(request: &Received) -> &'static str {
    request.verify().unwrap_err().code
}

#[test]
fn what_the_official_library_signs_verifies_and_nothing_else_does() {
    for case in CASES {
        for in_query in [false, true] {
            for with_token in [false, true] {
                let token = with_token.then_some(TOKEN);
                let mut request = Received::signed(case, Form { in_query, with_token });
                assert_eq!(request.verify_at(SIGNED_AT, token), Ok(()), "{case:?} {in_query} {with_token}");
                request.method = "DELETE".into();
                assert!(request.verify_at(SIGNED_AT, token).is_err(), "{case:?} with another method");
            }
        }
    }
}

#[test]
fn the_published_example_has_the_published_signature() {
    // "get-vanilla" of Amazon's Signature Version 4 test suite.
    let signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={signature}"
    );
    let mut request = Received::signed(VANILLA, IN_HEADER);
    request.headers.insert("authorization", HeaderValue::from_str(&authorization).unwrap());
    assert_eq!(request.verify(), Ok(()));
}

#[test]
fn a_changed_body_query_or_header_is_refused() {
    let mut request = Received::signed(FORM, IN_HEADER);
    request.body = b"Param1=value2".to_vec();
    assert_eq!(refusal(&request), "SignatureDoesNotMatch");
    let mut request = Received::signed(QUERY, IN_HEADER);
    request.query = "Param1=value2".into();
    assert_eq!(refusal(&request), "SignatureDoesNotMatch");
    let mut request = Received::signed(HEADERS, IN_HEADER);
    request.headers.append("my-header", HeaderValue::from_static("value5"));
    assert_eq!(refusal(&request), "SignatureDoesNotMatch");
    let mut request = Received::signed(VANILLA, IN_HEADER);
    request.headers.insert("host", HeaderValue::from_static("elsewhere.example"));
    assert_eq!(refusal(&request), "SignatureDoesNotMatch");
}

#[test]
fn a_declared_payload_hash_must_be_the_bodys() {
    let mut request = Received::signed(VANILLA, IN_HEADER);
    request.headers.insert("x-amz-content-sha256", HeaderValue::from_static("UNSIGNED-PAYLOAD"));
    assert_eq!(refusal(&request), "SignatureDoesNotMatch");
}

#[test]
fn fifteen_minutes_of_skew_are_allowed_and_no_more() {
    let request = Received::signed(VANILLA, IN_HEADER);
    for (now, accepted) in [
        ("2015-08-30T12:51:00Z", true),
        ("2015-08-30T12:51:01Z", false),
        ("2015-08-30T12:21:00Z", true),
        ("2015-08-30T12:20:59Z", false),
    ] {
        let code = request.verify_at(now, None).err().map(|fault| fault.code);
        assert_eq!(code, (!accepted).then_some("RequestExpired"), "{now}");
    }
}

#[test]
fn a_presigned_request_is_good_until_it_expires() {
    let request = Received::signed(VANILLA, IN_QUERY);
    assert_eq!(request.verify_at("2015-08-30T13:36:00Z", None), Ok(()));
    assert_eq!(request.verify_at("2015-08-30T13:36:01Z", None).unwrap_err().code, "RequestExpired");
    assert_eq!(request.verify_at("2015-08-30T12:20:59Z", None).unwrap_err().code, "RequestExpired");
}

#[test]
fn presigned_parameters_cannot_be_changed() {
    for (from, to) in [("Expires=3600", "Expires=604800"), ("Date=20150830T123600Z", "Date=20150830T124000Z")]
    {
        let mut request = Received::signed(VANILLA, IN_QUERY);
        request.query = request.query.replace(from, to);
        assert_eq!(refusal(&request), "SignatureDoesNotMatch");
    }
    let mut request = Received::signed(VANILLA, IN_QUERY);
    request.query = request.query.replace("Expires=3600", "Expires=604801");
    assert_eq!(refusal(&request), "IncompleteSignature");
}

#[test]
fn session_tokens_must_be_sent_signed_and_right() {
    let request = Received::signed(VANILLA, Form { with_token: true, ..IN_HEADER });
    assert_eq!(request.verify_at(SIGNED_AT, Some("another")).unwrap_err().code, "InvalidClientTokenId");
    assert_eq!(request.verify().unwrap_err().code, "InvalidClientTokenId");
    let without = Received::signed(VANILLA, IN_HEADER);
    assert_eq!(without.verify_at(SIGNED_AT, Some(TOKEN)).unwrap_err().code, "InvalidClientTokenId");
    let mut unsigned = Received::signed(VANILLA, IN_HEADER);
    unsigned.headers.insert("x-amz-security-token", HeaderValue::from_static(TOKEN));
    assert_eq!(unsigned.verify_at(SIGNED_AT, Some(TOKEN)).unwrap_err().code, "SignatureDoesNotMatch");
}

#[test]
fn requests_without_a_whole_signature_have_their_own_errors() {
    let mut request = Received::signed(VANILLA, IN_HEADER);
    request.headers.remove("authorization");
    assert_eq!(refusal(&request), "MissingAuthenticationToken");

    let good = Received::signed(VANILLA, IN_HEADER).headers["authorization"].to_str().unwrap().to_owned();
    let with = |authorization: &str| {
        let mut request = Received::signed(VANILLA, IN_HEADER);
        request.headers.insert("authorization", HeaderValue::from_str(authorization).unwrap());
        refusal(&request)
    };
    assert_eq!(with("Bearer abc"), "IncompleteSignature");
    assert_eq!(with(&good.replace("SignedHeaders=host;", "SignedHeaders=")), "SignatureDoesNotMatch");
    assert_eq!(with(&good.replace(", Signature=", ", Sig=")), "IncompleteSignature");
    assert_eq!(with(&good.replace("/aws4_request", "")), "IncompleteSignature");
    assert_eq!(with(&good.replace("AKIDEXAMPLE", "AKIDOTHER")), "InvalidClientTokenId");
    assert_eq!(with(&good.replace("us-east-1", "eu-west-1")), "SignatureDoesNotMatch");
    assert_eq!(with(&good.replace("/service/", "/s3/")), "SignatureDoesNotMatch");
    assert_eq!(with(&good.replace("20150830/", "20150831/")), "SignatureDoesNotMatch");
    let mut request = Received::signed(VANILLA, IN_HEADER);
    request.headers.remove("x-amz-date");
    assert_eq!(refusal(&request), "IncompleteSignature");
}

#[test]
fn a_path_that_is_encoded_is_encoded_again() {
    assert_eq!(canonical::path("/a%20b/ö"), "/a%2520b/%C3%B6");
}
