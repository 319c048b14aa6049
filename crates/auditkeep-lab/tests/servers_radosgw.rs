//! A real RADOS gateway: it serves S3 to whom it knows, on this machine alone, and leaves nothing behind.
#![cfg(feature = "servers")]
#![expect(clippy::unwrap_used, reason = "what the tests share is part of the tests")]

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use auditkeep_lab::servers::{RadosGateway, SignedS3, radosgw};

static GATEWAY: LazyLock<RadosGateway> = LazyLock::new(|| RadosGateway::start().unwrap());

#[tokio::test]
async fn objects_are_kept_for_who_has_the_secret() {
    let s3 = GATEWAY.s3();
    s3.create_bucket("first-bucket").await.unwrap();
    let put = s3.send("PUT", "first-bucket", "a=b/é +", "", &[], "bytes").await.unwrap();
    assert_eq!(put.status, 200);
    let got = s3.send("GET", "first-bucket", "a=b/é +", "", &[], "").await.unwrap();
    assert_eq!((got.status, &got.body[..]), (200, &b"bytes"[..]));

    let stranger = SignedS3::new(GATEWAY.endpoint(), radosgw::ACCESS_KEY, "another secret");
    let refused = stranger.send("GET", "first-bucket", "a=b/é +", "", &[], "").await.unwrap();
    assert_eq!((refused.status, refused.element("Code")), (403, "SignatureDoesNotMatch".to_owned()));
    assert!(stranger.create_bucket("second-bucket").await.unwrap_err().to_string().contains("403"));
}

#[test]
fn it_listens_on_the_loopback_alone() {
    let sockets: HashSet<String> = GATEWAY
        .process_ids()
        .into_iter()
        .flat_map(|process| sockets(&format!("/proc/{process}/fd")))
        .collect();
    let mut listening = 0;
    for (table, loopback) in [("tcp", "0100007F:"), ("tcp6", "00000000000000000000000001000000:")] {
        for line in fs::read_to_string(format!("/proc/net/{table}")).unwrap().lines().skip(1) {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (address, state, inode) = (fields[1], fields[3], fields[9]);
            if state == "0A" && sockets.contains(&format!("socket:[{inode}]")) {
                assert!(address.starts_with(loopback), "{line}");
                listening += 1;
            }
        }
    }
    assert!(listening >= 3, "each of the three listens, and only {listening} sockets were seen");
}

fn sockets(open_files: &str) -> Vec<String> {
    let links = fs::read_dir(open_files).unwrap().filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    links.map(|link| link.display().to_string()).collect()
}

fn is_gone(processes: &[u32], directory: &Path) -> bool {
    !directory.exists() && processes.iter().all(|process| !Path::new(&format!("/proc/{process}")).exists())
}

#[test]
fn a_dropped_gateway_leaves_no_process_and_no_directory() {
    let gateway = RadosGateway::start().unwrap();
    let (processes, directory) = (gateway.process_ids(), gateway.directory().to_owned());
    assert!(directory.exists());
    drop(gateway);
    assert!(is_gone(&processes, &directory));
}

/// A process that has a gateway, says where, and waits for its end.
#[test]
#[ignore = "run by the test below, which kills it"]
fn a_process_with_a_gateway() {
    let gateway = RadosGateway::start().unwrap();
    println!("\ngateway {} {:?}", gateway.directory().display(), gateway.process_ids());
    thread::sleep(Duration::from_mins(5));
}

#[test]
fn a_gateway_ends_with_the_process_that_started_it() {
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_process_with_a_gateway", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("gateway ")).unwrap();
    let (directory, processes) = line["gateway ".len()..].split_once(" [").unwrap();
    let directory = PathBuf::from(directory);
    let processes: Vec<u32> =
        processes.trim_end_matches(']').split(", ").map(|process| process.parse().unwrap()).collect();
    assert!(directory.exists() && processes.len() == 3);
    holder.kill().unwrap();
    holder.wait().unwrap();
    let killed = Instant::now();
    while !is_gone(&processes, &directory) {
        assert!(killed.elapsed() < Duration::from_secs(20), "{line} is still there");
        thread::sleep(Duration::from_millis(50));
    }
}
