//! Requests that AWS refuses, and the raw Query protocol.

use std::time::{Duration, SystemTime};

use auditkeep_lab::emulator::{Emulator, EmulatorOptions};

use crate::lab::{Signing, fleet, signed};

const DESCRIBE: &str = "Action=DescribeDBInstances&Version=2014-10-31";

async fn start() -> Emulator {
    Emulator::start(EmulatorOptions::loopback(fleet())).await.unwrap()
}

async fn send(request: reqwest::Request) -> (u16, String) {
    let answer = reqwest::Client::new().execute(request).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn code(text: &str) -> &str {
    let (_, rest) = text.split_once("<Code>").unwrap_or_else(|| panic!("no error code in {text}"));
    rest.split_once("</Code>").unwrap().0
}

#[tokio::test]
async fn queries_work_as_post_and_as_get_in_both_forms() {
    let emulator = start().await;
    let base = format!("{}/", emulator.endpoint());
    for presigned in [None, Some(Duration::from_mins(5))] {
        let signing = Signing { presigned, ..Signing::default() };
        let (status, text) = send(signed("POST", &base, DESCRIBE, &signing)).await;
        assert_eq!(status, 200, "{text}");
        let (status, text) = send(signed("GET", &format!("{base}?{DESCRIBE}"), "", &signing)).await;
        assert_eq!(status, 200, "{text}");
        assert!(text.contains("<ResponseMetadata><RequestId>"));
    }
    emulator.shutdown().await;
}

#[tokio::test]
async fn unsigned_and_tampered_requests_are_refused() {
    let emulator = start().await;
    let base = format!("{}/", emulator.endpoint());
    let unsigned = reqwest::Client::new().post(&base).body(DESCRIBE).build().unwrap();
    let (status, text) = send(unsigned).await;
    assert_eq!((status, code(&text)), (403, "MissingAuthenticationToken"));

    let mut tampered = signed("POST", &base, DESCRIBE, &Signing::default());
    *tampered.body_mut() = Some("Action=DescribeDBLogFiles&Version=2014-10-31".into());
    let (status, text) = send(tampered).await;
    assert_eq!((status, code(&text)), (403, "SignatureDoesNotMatch"));

    let file = format!("{base}v13/downloadCompleteLogFile/orders/error/a");
    let mut redirected = signed("GET", &file, "", &Signing::default());
    redirected.url_mut().set_path("/v13/downloadCompleteLogFile/orders/error/b");
    let (status, text) = send(redirected).await;
    assert_eq!((status, code(&text)), (403, "SignatureDoesNotMatch"));
    emulator.shutdown().await;
}

#[tokio::test]
async fn old_future_and_foreign_signatures_are_refused() {
    let emulator = start().await;
    let base = format!("{}/", emulator.endpoint());
    let now = SystemTime::now();
    for at in [now - Duration::from_mins(16), now + Duration::from_mins(16)] {
        let (status, text) =
            send(signed("POST", &base, DESCRIBE, &Signing { at, ..Signing::default() })).await;
        assert_eq!((status, code(&text)), (400, "RequestExpired"));
    }
    let expired = Signing {
        at: now - Duration::from_mins(5),
        presigned: Some(Duration::from_mins(4)),
        ..Signing::default()
    };
    let (_, text) = send(signed("POST", &base, DESCRIBE, &expired)).await;
    assert_eq!(code(&text), "RequestExpired");
    let (status, text) =
        send(signed("POST", &base, DESCRIBE, &Signing { region: "eu-west-1", ..Signing::default() })).await;
    assert_eq!((status, code(&text)), (403, "SignatureDoesNotMatch"));
    assert!(text.contains("eu-west-1"), "{text}");
    emulator.shutdown().await;
}

#[tokio::test]
async fn what_the_service_does_not_know_is_an_error() {
    let emulator = start().await;
    let base = format!("{}/", emulator.endpoint());
    for (body, expected) in [
        ("Action=RebootDBInstance&Version=2014-10-31", "InvalidAction"),
        ("Action=DescribeDBInstances&Version=2010-01-01", "InvalidAction"),
        ("Version=2014-10-31", "MissingAction"),
        ("Action=DescribeDBLogFiles&Version=2014-10-31", "MissingParameter"),
        ("Action=DescribeDBInstances&Version=2014-10-31&MaxRecords=5", "InvalidParameterValue"),
    ] {
        let (status, text) = send(signed("POST", &base, body, &Signing::default())).await;
        assert_eq!((status, code(&text)), (400, expected));
    }
    let (status, text) = send(signed("GET", &format!("{base}v13/other"), "", &Signing::default())).await;
    assert_eq!((status, code(&text)), (404, "UnknownOperationException"));
    emulator.shutdown().await;
}

#[tokio::test]
async fn an_error_message_cannot_break_the_xml() {
    let emulator = start().await;
    let body = "Action=DescribeDBInstances&Version=2014-10-31&DBInstanceIdentifier=%3C%2FMessage%3E%00%26";
    let (status, text) =
        send(signed("POST", &format!("{}/", emulator.endpoint()), body, &Signing::default())).await;
    assert_eq!(status, 404);
    assert!(text.contains("DBInstance &lt;/Message&gt;?&amp; not found."), "{text}");
    emulator.shutdown().await;
}

#[tokio::test]
async fn a_body_without_bounds_is_not_read() {
    let emulator = start().await;
    let huge = reqwest::Client::new().post(format!("{}/", emulator.endpoint())).body(vec![b'a'; 2 << 20]);
    // The server may close the connection before the client has sent everything.
    if let Ok(answer) = huge.send().await {
        assert_eq!(answer.status().as_u16(), 413);
    }
    emulator.shutdown().await;
}
