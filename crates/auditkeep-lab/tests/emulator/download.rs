//! The REST download of a whole file, with requests signed by Amazon's signing library.

use std::io::Read;
use std::time::Duration;

use auditkeep_lab::emulator::{Emulator, EmulatorOptions, Logs, Mount};

use crate::lab::{BINARY, ODD_LINES, Signing, fleet, memory, signed};

const ODD: &str = "error/postgresql.log.2026-11-02-10";

async fn start() -> Emulator {
    Emulator::start(EmulatorOptions::loopback(fleet())).await.unwrap()
}

fn url(emulator: &Emulator, instance: &str, file: &str) -> String {
    format!("{}/v13/downloadCompleteLogFile/{instance}/{file}", emulator.endpoint())
}

async fn get(url: &str, signing: &Signing) -> reqwest::Response {
    reqwest::Client::new().execute(signed("GET", url, "", signing)).await.unwrap()
}

#[tokio::test]
async fn both_forms_of_signature_give_the_raw_bytes() {
    let emulator = start().await;
    for presigned in [None, Some(Duration::from_mins(5))] {
        let signing = Signing { presigned, ..Signing::default() };
        let answer = get(&url(&emulator, "orders", ODD), &signing).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/plain");
        assert_eq!(answer.bytes().await.unwrap(), ODD_LINES);
        let answer = get(&url(&emulator, "ORDERS", "error/dump.bin"), &signing).await;
        assert_eq!(answer.headers()["content-type"], "application/octet-stream");
        assert_eq!(answer.bytes().await.unwrap(), BINARY);
    }
    emulator.shutdown().await;
}

#[tokio::test]
async fn ranges_are_not_supported() {
    let emulator = start().await;
    let mut request = signed("GET", &url(&emulator, "orders", ODD), "", &Signing::default());
    request.headers_mut().insert("range", "bytes=5-".parse().unwrap());
    let answer = reqwest::Client::new().execute(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.bytes().await.unwrap(), ODD_LINES);
    emulator.shutdown().await;
}

#[tokio::test]
async fn gzip_is_sent_when_it_is_accepted() {
    let emulator = start().await;
    let text: Vec<u8> = (0..200_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    let mut fleet = fleet();
    fleet.instances[0].logs = memory(vec![("error/big".to_owned(), text.clone(), 0)]);
    emulator.set_fleet(fleet).unwrap();
    let mut request = signed("GET", &url(&emulator, "orders", "error/big"), "", &Signing::default());
    request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
    let answer = reqwest::Client::new().execute(request).await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let body = answer.bytes().await.unwrap();
    assert!(body.len() < text.len() / 2);
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
    assert!(plain == text);

    let answer = get(&url(&emulator, "orders", "error/big"), &Signing::default()).await;
    assert!(!answer.headers().contains_key("content-encoding"));
    assert!(answer.bytes().await.unwrap() == text);
    emulator.shutdown().await;
}

#[tokio::test]
async fn files_on_disk_are_served_live_and_nothing_beside_them() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("log");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(root.path().join("secret"), "secret").unwrap();
    std::fs::write(directory.join("a b+c.log"), "one").unwrap();
    let emulator = start().await;
    let mut fleet = fleet();
    fleet.instances[0].logs =
        Logs::Mounts(vec![Mount { prefix: "error".to_owned(), directory: directory.clone() }]);
    emulator.set_fleet(fleet).unwrap();

    let file = url(&emulator, "orders", "error/a%20b%2Bc.log");
    assert_eq!(get(&file, &Signing::default()).await.text().await.unwrap(), "one");
    std::fs::write(directory.join("a b+c.log"), "one two").unwrap();
    assert_eq!(get(&file, &Signing::default()).await.text().await.unwrap(), "one two");
    // Encoded, so that no client takes the dots away before they arrive.
    for outside in ["error/%2e%2e%2fsecret", "error%2F..%2Fsecret", "%2Fetc%2Fpasswd"] {
        let answer = get(&url(&emulator, "orders", outside), &Signing::default()).await;
        assert_eq!(answer.status(), 404, "{outside}");
    }
    emulator.shutdown().await;
}

#[tokio::test]
async fn what_is_missing_is_told_in_xml_with_status_404() {
    let emulator = start().await;
    for (instance, file, code) in
        [("none", ODD, "DBInstanceNotFound"), ("orders", "error/gone", "DBLogFileNotFoundFault")]
    {
        let answer = get(&url(&emulator, instance, file), &Signing::default()).await;
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.headers()["content-type"], "text/xml");
        assert!(answer.headers().contains_key("x-amzn-requestid"));
        let text = answer.text().await.unwrap();
        assert!(text.contains(&format!("<Code>{code}</Code>")), "{text}");
        assert!(
            text.starts_with("<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">"),
            "{text}"
        );
    }
    emulator.shutdown().await;
}
