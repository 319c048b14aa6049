//! Listings of instances and log files: pages, wrong markers, refusals.

use std::fmt::Write as _;

use auditkeep_aws::DiscoveredInstance;
use auditkeep_pipeline::source::{LogFile, LogFiles as _, SourceErrorKind};
use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use url::Url;

use crate::scripted::{Answer, Scripted, account, answer, aws_error, instance, raw, sdk_config, shown};

fn log_files_page(names: &[&str], marker: Option<&str>) -> Answer {
    let mut entries = String::new();
    for name in names {
        write!(
            entries,
            "<DescribeDBLogFilesDetails><LastWritten>1795219200000</LastWritten>\
             <LogFileName>{name}</LogFileName><Size>42</Size></DescribeDBLogFilesDetails>"
        )
        .unwrap();
    }
    let marker = marker.map(|marker| format!("<Marker>{marker}</Marker>")).unwrap_or_default();
    let body = format!(
        "<DescribeDBLogFilesResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeDBLogFilesResult>\
         <DescribeDBLogFiles>{entries}</DescribeDBLogFiles>{marker}</DescribeDBLogFilesResult>\
         </DescribeDBLogFilesResponse>"
    );
    answer("200 OK", "text/xml", body)
}

fn instances_page(entries: &[(&str, &str)], marker: &str) -> Answer {
    let mut text = String::new();
    for (name, engine) in entries {
        write!(
            text,
            "<DBInstance><DBInstanceIdentifier>{name}</DBInstanceIdentifier><Engine>{engine}</Engine>\
             <DbiResourceId>db-{name}</DbiResourceId>\
             <DBInstanceArn>arn:aws:rds:eu-central-1:123456789012:db:{name}</DBInstanceArn></DBInstance>"
        )
        .unwrap();
    }
    let body = format!(
        "<DescribeDBInstancesResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeDBInstancesResult>\
         <DBInstances>{text}</DBInstances><Marker>{marker}</Marker></DescribeDBInstancesResult>\
         </DescribeDBInstancesResponse>"
    );
    answer("200 OK", "text/xml", body)
}

async fn list(server: &Scripted) -> Result<Vec<LogFile>, (SourceErrorKind, String)> {
    let files = server.account().await.log_files(&instance("orders"));
    files.list().await.map_err(|failure| (failure.kind, shown(&failure)))
}

#[tokio::test]
async fn all_pages_of_log_files_are_read() {
    let server = Scripted::start(vec![
        log_files_page(&["audit/a", "audit/b"], Some("m 1")),
        log_files_page(&[], Some("m/2")),
        log_files_page(&["error/é c"], None),
    ])
    .await;
    let found = list(&server).await.unwrap();
    let names: Vec<_> = found.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["audit/a", "audit/b", "error/é c"]);
    assert_eq!((found[0].size, found[0].last_written_ms), (42, 1_795_219_200_000));
    let markers: Vec<_> =
        server.requests().iter().map(|request| request.split("Marker=").nth(1).map(str::to_owned)).collect();
    assert_eq!(markers, [None, Some("m%201".to_owned()), Some("m%2F2".to_owned())]);
}

#[tokio::test]
async fn a_marker_that_comes_again_is_an_error_and_not_the_end() {
    let server = Scripted::start(vec![log_files_page(&["audit/a"], Some("m"))]).await;
    let (kind, text) = list(&server).await.unwrap_err();
    assert_eq!(kind, SourceErrorKind::Invalid);
    assert!(text.contains("circles"), "{text}");
}

#[tokio::test]
async fn an_empty_listing_is_passed_on() {
    assert_eq!(list(&Scripted::start(vec![log_files_page(&[], None)]).await).await.unwrap(), []);
}

#[tokio::test]
async fn refusals_have_their_kind_and_the_words_of_aws() {
    for (answer, kind, words) in [
        (
            aws_error("404 Not Found", "DBInstanceNotFound", "DBInstance orders not found."),
            SourceErrorKind::NotFound,
            "orders not found",
        ),
        (
            aws_error("403 Forbidden", "ExpiredToken", "The token has expired"),
            SourceErrorKind::Denied,
            "ExpiredToken",
        ),
        (
            aws_error("403 Forbidden", "AccessDenied", "User is not authorized"),
            SourceErrorKind::Denied,
            "not authorized",
        ),
        (
            aws_error("400 Bad Request", "InvalidParameterValue", "bad"),
            SourceErrorKind::Invalid,
            "InvalidParameterValue",
        ),
        (
            raw("200 OK", "content-type: text/xml\r\ncontent-length: 7", "<html/>"),
            SourceErrorKind::Invalid,
            "orders",
        ),
    ] {
        let (found, text) = list(&Scripted::start(vec![answer]).await).await.unwrap_err();
        assert_eq!(found, kind, "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test]
async fn throttling_and_breaks_are_tried_again() {
    let server = Scripted::start(vec![
        aws_error("400 Bad Request", "Throttling", "Rate exceeded"),
        Answer::Bytes(Vec::new()),
        aws_error("503 Service Unavailable", "ServiceUnavailable", "later"),
        log_files_page(&["audit/a"], None),
    ])
    .await;
    assert_eq!(list(&server).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let files = account(&sdk_config(), nobody).await.log_files(&instance("orders"));
    let listing = files.list().await.unwrap_err();
    assert_eq!(listing.kind, SourceErrorKind::Unreachable, "{}", shown(&listing));
    let opening = files.open("audit/a").await.err().unwrap();
    assert_eq!(opening.kind, SourceErrorKind::Unreachable, "{}", shown(&opening));
}

#[tokio::test]
async fn all_pages_of_instances_are_read_and_none_is_dropped() {
    let server = Scripted::start(vec![
        instances_page(&[("orders", "mysql"), ("legacy", "oracle-ee")], "orders"),
        instances_page(&[("archive", "aurora"), ("graph", "neptune")], ""),
    ])
    .await;
    let found = server.account().await.instances().await.unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|entry| match entry {
            DiscoveredInstance::Readable(instance) => {
                format!("{} {} {}", instance.name, instance.engine, instance.resource_id)
            }
            DiscoveredInstance::Skipped { name, engine, .. } => format!("{name} {engine} skipped"),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "archive aurora-mysql db-archive",
            "graph neptune skipped",
            "legacy oracle-ee skipped",
            "orders mysql db-orders"
        ]
    );
}

/// A login that has run out.
#[derive(Debug)]
struct Expired;

impl ProvideCredentials for Expired {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::ready(Err(CredentialsError::not_loaded("the SSO session has expired")))
    }
}

#[tokio::test]
async fn missing_credentials_are_denied_with_the_reason() {
    let server = Scripted::start(vec![log_files_page(&["audit/a"], None)]).await;
    let expired: SdkConfig =
        sdk_config().into_builder().credentials_provider(SharedCredentialsProvider::new(Expired)).build();
    let account = account(&expired, server.url()).await;
    let files = account.log_files(&instance("orders"));
    for failure in [
        files.list().await.unwrap_err(),
        files.open("audit/a").await.err().unwrap(),
        account.instances().await.unwrap_err(),
    ] {
        assert_eq!(failure.kind, SourceErrorKind::Denied);
        assert!(shown(&failure).contains("the SSO session has expired"), "{}", shown(&failure));
    }
}
