//! Downloads that go wrong, in every way that was seen or can be thought of.

use std::io::Write as _;

use auditkeep_pipeline::source::{LogFiles as _, SourceError, SourceErrorKind};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt as _;

use crate::scripted::{Answer, Scripted, answer, aws_error, error_document, instance, raw, shown};

const FILE: &str = "audit/server_audit.log";
const LOG: &[u8] = b"20261121 10:00:00,host,eve,10.0.0.1,1,2,QUERY,db,'select \xc3\xa9 \xff',0\n";

/// The bytes that were passed on, and how it ended.
async fn download(answers: Vec<Answer>) -> (Vec<u8>, Result<(), SourceError>) {
    download_from(&Scripted::start(answers).await).await
}

async fn download_from(server: &Scripted) -> (Vec<u8>, Result<(), SourceError>) {
    let files = server.account().await.log_files(&instance("orders"));
    let mut bytes = Vec::new();
    let mut stream = match files.open(FILE).await {
        Ok(stream) => stream,
        Err(failure) => return (bytes, Err(failure)),
    };
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(failure) => return (bytes, Err(failure)),
        }
    }
    (bytes, Ok(()))
}

async fn whole(answers: Vec<Answer>) -> Vec<u8> {
    let (bytes, outcome) = download(answers).await;
    outcome.unwrap_or_else(|failure| panic!("{}", shown(&failure)));
    bytes
}

/// The failure of a download of which nothing was passed on.
async fn refused(answers: Vec<Answer>) -> (SourceErrorKind, String) {
    let (bytes, outcome) = download(answers).await;
    assert!(bytes.is_empty(), "{} came out", String::from_utf8_lossy(&bytes));
    let failure = outcome.unwrap_err();
    (failure.kind, shown(&failure))
}

/// The bytes and the failure of a download that broke off.
async fn broken(answers: Vec<Answer>) -> (Vec<u8>, SourceErrorKind) {
    let (bytes, outcome) = download(answers).await;
    let failure = outcome.unwrap_err();
    shown(&failure);
    (bytes, failure.kind)
}

fn log() -> Answer {
    answer("200 OK", "text/plain", LOG)
}

fn gzip(raw: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(raw).unwrap();
    encoder.finish().unwrap()
}

fn gzipped(body: &[u8]) -> Answer {
    raw("200 OK", &format!("content-encoding: gzip\r\ncontent-length: {}", body.len()), body)
}

#[tokio::test]
async fn the_bytes_come_as_they_are_plain_chunked_or_compressed() {
    assert_eq!(whole(vec![log()]).await, LOG);
    let chunked = [b"4\r\n2026\r\n".as_slice(), b"3\r\n112\r\n", b"0\r\n\r\n"].concat();
    assert_eq!(whole(vec![raw("200 OK", "transfer-encoding: chunked", chunked)]).await, b"2026112");
    assert_eq!(whole(vec![gzipped(&gzip(LOG))]).await, LOG);
    let members = [gzip(LOG), gzip(LOG)].concat();
    assert_eq!(whole(vec![gzipped(&members)]).await, [LOG, LOG].concat());
    // The length of a connection that is simply closed is unknown, but gzip knows its own end.
    assert_eq!(whole(vec![raw("200 OK", "content-encoding: gzip", gzip(LOG))]).await, LOG);
}

#[tokio::test]
async fn an_empty_file_is_empty() {
    assert!(whole(vec![raw("200 OK", "content-length: 0", "")]).await.is_empty());
    assert!(whole(vec![raw("200 OK", "content-encoding: gzip\r\ncontent-length: 0", "")]).await.is_empty());
    assert!(whole(vec![gzipped(&gzip(b""))]).await.is_empty());
}

#[tokio::test]
async fn the_request_is_signed_in_headers_with_the_token_and_asks_for_gzip() {
    let server = Scripted::start(vec![log()]).await;
    download_from(&server).await.1.unwrap();
    let request = server.requests().remove(0).to_ascii_lowercase();
    assert!(
        request.starts_with("get /v13/downloadcompletelogfile/orders/audit/server_audit.log http/1.1\r\n")
    );
    for expected in [
        "signedheaders=host;x-amz-date;x-amz-security-token",
        "/eu-central-1/rds/aws4_request",
        "\r\naccept-encoding: gzip\r\n",
        "\r\nx-amz-security-token: ",
    ] {
        assert!(request.contains(expected), "{request}");
    }
}

#[tokio::test]
async fn a_cut_body_gives_what_arrived_and_an_error() {
    let short = raw("200 OK", "content-length: 1000", LOG);
    assert_eq!(broken(vec![short]).await, (LOG.to_vec(), SourceErrorKind::Unreachable));
    let chunked = raw("200 OK", "transfer-encoding: chunked", "5\r\n20261\r\n5\r\n12");
    let (bytes, kind) = broken(vec![chunked]).await;
    assert!(b"2026112".starts_with(&bytes), "{bytes:?}");
    assert_eq!(kind, SourceErrorKind::Unreachable);
}

#[tokio::test]
async fn a_transfer_that_hangs_is_given_up() {
    let Answer::Bytes(start) = raw("200 OK", "content-length: 1000", LOG) else { unreachable!() };
    let (bytes, kind) = broken(vec![Answer::Hanging(start)]).await;
    assert_eq!((bytes, kind), (LOG.to_vec(), SourceErrorKind::Unreachable));
}

#[tokio::test]
async fn compressed_transfers_that_are_cut_or_damaged_are_errors() {
    let mut random = fastrand::Rng::with_seed(7);
    let text: Vec<u8> = std::iter::repeat_with(|| random.u8(b' '..b'z')).take(500_000).collect();
    let packed = gzip(&text);
    let cut = &packed[..packed.len() - 4];
    let (bytes, kind) = broken(vec![gzipped(cut)]).await;
    assert!(!bytes.is_empty() && text.starts_with(&bytes));
    assert_eq!(kind, SourceErrorKind::Unreachable);
    let mut damaged = packed.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    assert!(matches!(
        broken(vec![gzipped(&damaged)]).await.1,
        SourceErrorKind::Invalid | SourceErrorKind::Unreachable
    ));
    assert_eq!(refused(vec![gzipped(b"no gzip at all, but a log")]).await.0, SourceErrorKind::Invalid);
}

#[tokio::test]
async fn before_the_first_byte_a_failure_is_tried_again() {
    for first in [
        raw("503 Service Unavailable", "content-length: 0", ""),
        aws_error("503 Slow Down", "SlowDown", "Reduce your request rate."),
        aws_error("400 Bad Request", "Throttling", "Rate exceeded"),
        raw("429 Too Many Requests", "content-length: 0", ""),
        raw("200 OK", "content-length: 1000", ""),
        Answer::Bytes(Vec::new()),
        Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
        Answer::Silence,
        aws_error("200 OK", "Throttling", "Rate exceeded"),
    ] {
        assert_eq!(whole(vec![first.clone(), log()]).await, LOG, "{first:?}");
    }
}

#[tokio::test]
async fn failures_that_stay_are_told_by_their_kind() {
    let throttled = refused(vec![aws_error("400 Bad Request", "Throttling", "Rate exceeded")]).await;
    assert_eq!(throttled.0, SourceErrorKind::Throttled);
    assert!(throttled.1.contains("Throttling") && throttled.1.contains("Rate exceeded"), "{}", throttled.1);
    assert_eq!(refused(vec![Answer::Silence]).await.0, SourceErrorKind::Unreachable);
    let missing =
        refused(vec![aws_error("404 Not Found", "DBInstanceNotFound", "DBInstance orders not found.")]).await;
    assert_eq!(missing.0, SourceErrorKind::NotFound);
    assert!(
        missing.1.contains("server_audit.log") && missing.1.contains("DBInstance orders not found"),
        "{}",
        missing.1
    );
    let json = answer(
        "404 Not Found",
        "application/json",
        r#"{"__type":"DBLogFileNotFoundFault","message":"gone"}"#,
    );
    assert_eq!(refused(vec![json]).await.0, SourceErrorKind::NotFound);
}

#[tokio::test]
async fn nothing_is_sent_or_told_that_somebody_could_reuse() {
    let quoted = format!(
        "The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for this \
         request should have been\n'GET\n/v13\n\nhost:rds\nx-amz-security-token:{}\n'",
        crate::scripted::TOKEN
    );
    let (kind, text) = refused(vec![aws_error("403 Forbidden", "SignatureDoesNotMatch", &quoted)]).await;
    assert_eq!(kind, SourceErrorKind::Denied);
    assert!(text.contains("SignatureDoesNotMatch"), "{text}");
    let echoed = format!("The key {} is unknown", crate::scripted::KEY_ID);
    let (kind, _) = refused(vec![aws_error("403 Forbidden", "InvalidClientTokenId", &echoed)]).await;
    assert_eq!(kind, SourceErrorKind::Denied);
}

#[tokio::test]
async fn an_error_document_is_never_a_log_file() {
    let document = error_document("DBInstanceNotFound", "DBInstance orders not found.");
    for media_type in ["text/xml", "text/plain", "application/octet-stream", "binary/octet-stream; charset=x"]
    {
        let (kind, _) = refused(vec![answer("200 OK", media_type, &document)]).await;
        assert_eq!(kind, SourceErrorKind::NotFound, "{media_type}");
    }
    assert_eq!(refused(vec![gzipped(&gzip(document.as_bytes()))]).await.0, SourceErrorKind::NotFound);
    let json = r#"{"Error":{"Code":"AccessDenied","Message":"no"}}"#;
    assert_eq!(refused(vec![answer("200 OK", "application/json", json)]).await.0, SourceErrorKind::Denied);
    assert_eq!(refused(vec![raw("200 OK", "content-length: 48", json)]).await.0, SourceErrorKind::Denied);
    for (media_type, body) in [
        ("text/html; charset=utf-8", "<html>Please log in</html>"),
        ("application/xml", "<ListBucketResult/>"),
        ("application/x-amz-json-1.1", "{}"),
    ] {
        assert_eq!(
            refused(vec![answer("200 OK", media_type, body)]).await.0,
            SourceErrorKind::Invalid,
            "{media_type}"
        );
    }
}

#[tokio::test]
async fn what_somebody_wrote_into_a_log_does_not_keep_it_from_being_collected() {
    let forged = format!("{}\n20261121 10:00:00,host,eve\n", error_document("DBInstanceNotFound", "x"));
    let long = format!("<Error><Code>X</Code>{}</Error>", "a".repeat(200_000));
    for log in [forged.as_str(), &long, "{\"code\":", "   <", "\n\n  \n", "<?xml version=\"1.0\"?>"] {
        assert_eq!(whole(vec![answer("200 OK", "text/plain", log)]).await, log.as_bytes());
    }
}

#[tokio::test]
async fn other_statuses_redirects_and_foreign_pages_are_no_answer() {
    let elsewhere = Scripted::start(vec![log()]).await;
    let location = format!("location: {}other\r\ncontent-length: 0", elsewhere.url());
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        assert_eq!(refused(vec![raw(status, &location, "")]).await.0, SourceErrorKind::Invalid, "{status}");
    }
    assert!(elsewhere.requests().is_empty(), "credentials were sent to another host");
    for (status, body) in [
        ("404 Not Found", "<h1>no such page</h1>"),
        ("206 Partial Content", "20261121"),
        ("204 No Content", ""),
    ] {
        let (kind, text) = refused(vec![answer(status, "text/html", body)]).await;
        assert_eq!(kind, SourceErrorKind::Invalid, "{text}");
    }
    assert_eq!(
        refused(vec![raw("200 OK", "content-encoding: br\r\ncontent-length: 3", "abc")]).await.0,
        SourceErrorKind::Invalid
    );
}

#[tokio::test]
async fn an_answer_whose_end_cannot_be_told_is_refused() {
    let (kind, text) = refused(vec![raw("200 OK", "content-type: text/plain", LOG)]).await;
    assert_eq!(kind, SourceErrorKind::Invalid);
    assert!(text.contains("length"), "{text}");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_not_asked_for() {
    let server = Scripted::start(vec![log()]).await;
    let files = server.account().await.log_files(&instance("orders"));
    for name in ["", "../users/audit/a", "audit/../../../", "audit//a"] {
        let failure = files.open(name).await.err().unwrap();
        assert_eq!(failure.kind, SourceErrorKind::Invalid, "{name}");
    }
    assert!(server.requests().is_empty());
}
