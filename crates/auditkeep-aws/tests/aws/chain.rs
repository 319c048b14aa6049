//! The configuration chain as it is used: from the environment and the files of a process of its own.
//!
//! Each test starts this test program again with nothing but the variables it names, and reads what that prints.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use auditkeep_aws::{LoadOptions, RdsAccount, RdsOptions, load};
use auditkeep_pipeline::source::LogFiles as _;
use futures::TryStreamExt as _;

use crate::scripted::{Scripted, answer, instance};

const CHILD: &str = "AUDITKEEP_TEST_CHILD";
const REGION: &str = "AUDITKEEP_TEST_REGION";
const PROFILE: &str = "AUDITKEEP_TEST_PROFILE";
const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "not shown")];

/// Not a test of its own: what the other tests start.
#[tokio::test]
async fn child() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    match use_chain().await {
        Ok(text) => println!("<<{text}>>"),
        Err(failure) => {
            let mut text = failure.to_string();
            let mut next = failure.source();
            while let Some(cause) = next {
                text.push_str(": ");
                text.push_str(&cause.to_string());
                next = cause.source();
            }
            println!("<<error: {text}>>");
        }
    }
}

async fn use_chain() -> Result<String, Box<dyn Error>> {
    let options = LoadOptions { region: env::var(REGION).ok(), profile: env::var(PROFILE).ok() };
    let sdk_config = load(&options).await?;
    let account = RdsAccount::new(&sdk_config, RdsOptions::default()).await?;
    let region = account.region();
    if !env::vars().any(|(name, _)| name.starts_with("AWS_ENDPOINT") || name == "AWS_CONFIG_FILE") {
        return Ok(region.to_owned());
    }
    let files = account.log_files(&instance("orders"));
    let listed = files.list().await?.len();
    let bytes: Vec<_> = files.open("audit/a").await?.try_collect().await?;
    Ok(format!("{region}, {listed} files, {}", String::from_utf8_lossy(&bytes.concat())))
}

fn run(home: &Path, variables: &[(&str, &str)]) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "chain::child", "--nocapture"])
        .env_clear()
        .env("HOME", home)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env(CHILD, "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("not shown"), "{text}");
    let start = text.find("<<").unwrap_or_else(|| panic!("{text}"));
    let end = text.rfind(">>").unwrap_or_else(|| panic!("{text}"));
    text[start + 2..end].to_owned()
}

async fn run_in_thread(variables: Vec<(&'static str, String)>, files: Vec<(&'static str, String)>) -> String {
    tokio::task::spawn_blocking(move || {
        let home = tempfile::tempdir().unwrap();
        let mut variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let config = home.path().join("config").display().to_string();
        for (name, content) in &files {
            fs::write(home.path().join(name), content).unwrap();
            variables.push(("AWS_CONFIG_FILE", &config));
        }
        run(home.path(), &variables)
    })
    .await
    .unwrap()
}

fn with_keys(variables: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    KEYS.iter().chain(variables).map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// Listing and download in one: RDS would send the one as XML and the other as a file.
async fn rds() -> Scripted {
    let listing = "<DescribeDBLogFilesResponse><DescribeDBLogFilesResult><DescribeDBLogFiles>\
                   <DescribeDBLogFilesDetails><LogFileName>audit/a</LogFileName></DescribeDBLogFilesDetails>\
                   </DescribeDBLogFiles></DescribeDBLogFilesResult></DescribeDBLogFilesResponse>";
    Scripted::start(vec![answer("200 OK", "text/xml", listing), answer("200 OK", "text/plain", "bytes")])
        .await
}

#[tokio::test]
async fn a_missing_region_is_said() {
    let text = run_in_thread(with_keys(&[]), vec![]).await;
    assert!(text.starts_with("error: no AWS region is configured"), "{text}");
}

#[tokio::test]
async fn missing_credentials_are_said_with_the_reason() {
    let text = run_in_thread(vec![("AWS_REGION", "eu-west-1".to_owned())], vec![]).await;
    assert!(text.starts_with("error: no AWS credentials were found: "), "{text}");
    assert!(text.len() > "error: no AWS credentials were found: ".len());
}

#[tokio::test]
async fn a_region_that_is_named_wins_over_the_environment() {
    assert_eq!(run_in_thread(with_keys(&[("AWS_REGION", "eu-west-1")]), vec![]).await, "eu-west-1");
    let both = with_keys(&[("AWS_REGION", "eu-west-1"), (REGION, "us-east-2")]);
    assert_eq!(run_in_thread(both, vec![]).await, "us-east-2");
}

#[tokio::test]
async fn the_endpoint_of_rds_wins_over_the_general_one_for_api_and_download() {
    let server = rds().await;
    let url = server.url();
    let general = with_keys(&[("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", url.as_str())]);
    assert_eq!(run_in_thread(general, vec![]).await, "eu-west-1, 1 files, bytes");
    let server = rds().await;
    let url = server.url();
    let both = with_keys(&[
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ENDPOINT_URL_RDS", url.as_str()),
    ]);
    assert_eq!(run_in_thread(both, vec![]).await, "eu-west-1, 1 files, bytes");
}

#[tokio::test]
async fn a_profile_gives_region_credentials_and_endpoint() {
    let server = rds().await;
    let profile = format!(
        "[profile audit]\nregion = ap-south-1\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n\
         aws_secret_access_key = not shown\nservices = local\n[services local]\nrds =\n  endpoint_url = {}\n",
        server.url()
    );
    let text = run_in_thread(vec![(PROFILE, "audit".to_owned())], vec![("config", profile)]).await;
    assert_eq!(text, "ap-south-1, 1 files, bytes");
}

#[tokio::test]
async fn plain_http_to_another_host_needs_to_be_allowed() {
    let server = rds().await;
    let elsewhere = format!("http://127.1.2.3.nip.invalid:{}", server.url().port().unwrap());
    let refused = with_keys(&[("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL_RDS", &elsewhere)]);
    let text = run_in_thread(refused.clone(), vec![]).await;
    assert!(text.contains("not encrypted") && text.contains("AWS_ALLOW_HTTP"), "{text}");
    let allowed = [refused, vec![("AWS_ALLOW_HTTP", "true".to_owned())]].concat();
    let text = run_in_thread(allowed, vec![]).await;
    assert!(text.contains("listing log files of orders failed"), "{text}");
}
