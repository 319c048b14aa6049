//! Bad input gives one clear error with a hint and the right exit code, and leaves the archive as it was.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use auditkeep_lab::emulator::{DEFAULT_REGION, Emulator, EmulatorOptions, LabCredential};
use auditkeep_lab::recorded;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::command::{Home, SERVER_AUDIT};

/// An archive that holds something, so that damage would show.
fn home() -> Home {
    let home = Home::with_archive();
    home.write("good.log", SERVER_AUDIT);
    home.run(&["import", "good.log", "--engine", "mariadb", "--instance", "shop"]).succeeds();
    home
}

/// Runs a command that must fail and must not touch the archive.
#[track_caller]
fn refused(home: &Home, arguments: &[&str], code: i32, message: &str) {
    let before = home.snapshot("archive");
    home.run(arguments).fails(code, message);
    assert!(home.snapshot("archive") == before, "the archive was changed");
}

const IMPORT: [&str; 4] = ["--engine", "mariadb", "--instance", "shop"];

fn import<'a>(path: &'a str, engine: &'a str) -> Vec<&'a str> {
    vec!["import", path, "--engine", engine, "--instance", "shop"]
}

#[test]
fn no_archive() {
    let home = Home::new();
    for command in [&["verify"][..], &["status"], &["events"], &["query", "select 1"], &["derive"]] {
        home.run(command).fails(1, "./archive: there is no archive at this place");
    }
    home.write("a.log", SERVER_AUDIT);
    home.run(&import("a.log", "mariadb")).fails(1, "there is no archive");
    assert!(!home.path("archive").exists(), "a typo must not make an archive");
}

#[test]
fn no_key_a_wrong_key_and_a_public_one() {
    let home = home();
    refused(&home, &[&import("good.log", "mariadb")[..], &["--key", "none.key"]].concat(), 1, "none.key");

    let other = Home::with_archive();
    let foreign = std::fs::read(other.path("auditkeep.key")).unwrap();
    let path = home.write("foreign.key", foreign);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    home.write("more.log", SERVER_AUDIT.replace("03:58", "04:58"));
    // The segment may be there already; it is no evidence before a commit names it.
    home.run(&[&import("more.log", "mariadb")[..], &["--key", "foreign.key"]].concat())
        .fails(1, "is not one of this archive's keys");
    assert_eq!(home.run(&["verify", "--json"]).succeeds().json()["commits"], 1);

    let public = home.write("public.key", std::fs::read(home.path("auditkeep.pub")).unwrap());
    std::fs::set_permissions(&public, std::fs::Permissions::from_mode(0o600)).unwrap();
    refused(
        &home,
        &[&import("good.log", "mariadb")[..], &["--key", "public.key"]].concat(),
        1,
        "is not of the form",
    );

    std::fs::set_permissions(home.path("auditkeep.key"), std::fs::Permissions::from_mode(0o640)).unwrap();
    refused(&home, &import("good.log", "mariadb"), 1, "others can read it");
}

#[test]
fn a_public_key_that_did_not_sign() {
    let home = home();
    let other = Home::with_archive();
    let foreign = home.write("foreign.pub", std::fs::read(other.path("auditkeep.pub")).unwrap());
    let ended = home.run(&["verify", "--public-key", foreign.to_str().unwrap()]);
    assert_eq!(ended.code, 3);
    assert!(ended.stdout.contains("KEY-UNKNOWN"), "{}", ended.stdout);
    refused(&home, &["verify", "--public-key", "nonsense"], 2, "reading the public key");
    refused(&home, &["verify", "--public-key", "a+b+c"], 2, "holds no public key");
}

#[test]
fn an_unknown_engine() {
    refused(
        &home(),
        &import("good.log", "postgresql"),
        2,
        "`postgresql` is not an engine that auditkeep can read",
    );
}

#[test]
fn a_directory_without_logs() {
    let home = home();
    std::fs::create_dir(home.path("empty")).unwrap();
    refused(&home, &import("empty", "mariadb"), 1, "there is no file");
    home.write("other/readme.txt", "Nothing of this is a log.\n");
    refused(&home, &import("other", "mariadb"), 1, "none of the 1 file");
    refused(&home, &import("nowhere", "mariadb"), 1, "nowhere");
}

#[test]
fn a_binary_file_and_a_log_of_another_engine() {
    let home = home();
    home.write("binary.log", [0_u8, 159, 146, 150].repeat(4000));
    refused(&home, &import("binary.log", "mariadb"), 1, "binary.log");
    refused(&home, &import("binary.log", "postgres"), 1, "binary.log");
    refused(&home, &import("good.log", "postgres"), 1, "good.log");
}

#[test]
fn truncated_compression() {
    let home = home();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(SERVER_AUDIT.repeat(1000).as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    home.write("cut.log.gz", &whole[..whole.len() / 2]);
    refused(&home, &import("cut.log.gz", "mariadb"), 1, "does not decompress to its end");
    let whole = zstd::encode_all(SERVER_AUDIT.repeat(1000).as_bytes(), 1).unwrap();
    home.write("cut.log.zst", &whole[..whole.len() / 2]);
    refused(&home, &import("cut.log.zst", "mariadb"), 1, "does not decompress to its end");
}

#[test]
fn one_bad_file_does_not_stop_the_good_one() {
    let home = home();
    home.write("new.log", SERVER_AUDIT.replace("03:58", "05:58"));
    home.write("bad.log", [0_u8, 1, 2].repeat(100));
    let ended = home.run(&[&["import", "new.log", "bad.log"][..], &IMPORT].concat());
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("bad.log") && ended.stderr.contains("hint: "), "{}", ended.stderr);
    assert!(ended.stdout.contains("archived"), "{}", ended.stdout);
    let count = home.run(&["query", "--json", "select count(*) as n from events"]).succeeds().rows();
    assert_eq!(count[0]["n"], 10);
}

#[test]
fn a_configuration_with_a_typo() {
    let home = home();
    let config = std::fs::read_to_string(home.path("auditkeep.toml")).unwrap();
    home.write("auditkeep.toml", format!("{config}\n[[rds]]\nregoin = \"x\"\n"));
    let line = config.matches('\n').count() + 3;
    refused(&home, &["status"], 2, &format!("line {line}: unknown field `regoin`"));
    refused(&home, &["status", "--config", "absent.toml"], 2, "absent.toml");
    home.write("auditkeep.toml", "archive = \"gs://bucket\"\n");
    refused(&home, &["status"], 2, "nothing can be kept at `gs://`");
}

#[test]
fn wrong_sql_and_wrong_times() {
    let home = home();
    refused(&home, &["query", "selekt 1"], 1, "cannot be understood");
    refused(&home, &["query", "select usr_name from events"], 1, "did you mean `user_name`?");
    refused(&home, &["query", "select 1 from event"], 1, "did you mean `events`?");
    for sql in [
        "drop table events",
        "insert into events select * from events",
        "copy events to 'x.csv'",
        "set a = 1",
    ] {
        refused(&home, &["query", sql], 1, "not allowed");
    }
    refused(&home, &["events", "--since", "soon"], 2, "`--since soon` is no time");
}

#[test]
fn an_unreachable_endpoint_and_no_credentials() {
    let home = home();
    let before = home.snapshot("archive");
    // Nothing listens on this port: it was free a moment ago and is not given out again so soon.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let credentials = [
        ("AWS_ENDPOINT_URL_RDS", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-that-must-not-be-shown"),
        ("AWS_REGION", "eu-central-1"),
    ];
    let ended = home.run_with(&["collect"], &credentials).fails(1, "listing the instances");
    assert!(!ended.stderr.contains("a-secret"), "{}", ended.stderr);
    home.run_with(&["collect"], &credentials[..1]).fails(1, "region");
    home.run_with(&["collect"], &[credentials[0], credentials[3]]).fails(1, "credentials");
    assert!(home.snapshot("archive") == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials() {
    let home = home();
    let before = home.snapshot("archive");
    let emulator = Emulator::start(EmulatorOptions::loopback(recorded::fleet())).await.unwrap();
    let endpoint = emulator.endpoint();
    let known = LabCredential::well_known();
    for (key, secret, region) in [
        (known.access_key_id.as_str(), "a-secret-that-must-not-be-shown", DEFAULT_REGION),
        ("AKIAIOSFODNN7EXAMPLE", known.secret_access_key.as_str(), DEFAULT_REGION),
        (known.access_key_id.as_str(), known.secret_access_key.as_str(), "us-west-2"),
    ] {
        let environment = [
            ("AWS_ENDPOINT_URL_RDS", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_REGION", region),
        ];
        let ended = home.run_with(&["collect"], &environment).fails(1, "listing the instances");
        assert!(ended.stderr.contains("check the credentials"), "{}", ended.stderr);
        assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
    }
    assert!(home.snapshot("archive") == before);
}

#[test]
fn arguments_that_make_no_sense_are_usage_errors() {
    let home = Home::new();
    for arguments in [&["frobnicate"][..], &["import"], &["events", "--class", "reading"], &["export"]] {
        assert_eq!(home.run(arguments).code, 2, "{arguments:?}");
    }
}
