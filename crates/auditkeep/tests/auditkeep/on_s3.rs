//! The same archive and the same commands on S3, as moto serves it.

use auditkeep_lab::servers::MotoServer;

use crate::command::{Ended, Home, SERVER_AUDIT};

struct Bucket {
    moto: MotoServer,
    home: Home,
}

const ARCHIVE: &str = "s3://audit/some/prefix";

impl Bucket {
    async fn new() -> Self {
        let moto = MotoServer::start().unwrap();
        moto.create_bucket("audit").await.unwrap();
        Self { moto, home: Home::new() }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let environment = [
            ("AWS_ENDPOINT_URL_S3", self.moto.endpoint()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "any"),
            ("AWS_REGION", "us-east-1"),
        ];
        self.home.run_with(arguments, &environment)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn archive_verify_query_and_export_on_s3() {
    let bucket = Bucket::new().await;
    bucket.run(&["status", "--archive", ARCHIVE]).fails(1, "there is no archive at this place");
    bucket.run(&["init", "--archive", ARCHIVE]).succeeds();
    bucket.home.write("server_audit.log", SERVER_AUDIT);
    let import = ["import", "server_audit.log", "--engine", "mariadb", "--instance", "shop", "--json"];
    assert_eq!(bucket.run(&import).succeeds().json()["derived"]["events"], 5);
    assert_eq!(bucket.run(&import).succeeds().json()["new_bytes"], 0);
    let verified = bucket.run(&["verify", "--json", "--strict"]).succeeds().json();
    assert_eq!(verified["raw_bytes"], SERVER_AUDIT.len());
    assert_eq!(bucket.run(&["events", "--json", "--failed"]).succeeds().rows().len(), 2);
    let raw = ["export", "raw", "--instance", "shop", "--log", "server_audit.log"];
    assert_eq!(bucket.run(&raw).succeeds().stdout, SERVER_AUDIT);
    assert!(!bucket.home.path("s3:").exists() && !bucket.home.path("archive").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_is_given_up_on_s3() {
    let bucket = Bucket::new().await;
    bucket.run(&["init", "--archive", ARCHIVE]).succeeds();
    bucket.home.write("server_audit.log", SERVER_AUDIT);
    bucket.run(&["import", "server_audit.log", "--engine", "mariadb", "--instance", "shop"]).succeeds();
    let retain = [
        "retain",
        "--instance",
        "shop",
        "--until",
        "2020-01-01",
        "--shorten",
        "--by",
        "me",
        "--reason",
        "test",
    ];
    bucket.run(&retain).succeeds();
    let delete = ["expire", "--delete", "--by", "me", "--json"];
    let done = &bucket.run(&delete).succeeds().json()["done"];
    assert_eq!((&done["commit"], &done["deleted"]), (&3.into(), &1.into()));
    assert_eq!(bucket.run(&delete).succeeds().json()["done"]["finished"], 0);
    let verified = bucket.run(&["verify", "--json", "--strict"]).succeeds().json();
    assert_eq!((&verified["segments"], &verified["findings"][0]["verdict"]), (&0.into(), &"EXPIRED".into()));
    let raw = ["export", "raw", "--instance", "shop", "--log", "server_audit.log"];
    bucket.run(&raw).fails(1, "were given up after their retention");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_said() {
    let bucket = Bucket::new().await;
    bucket.run(&["init", "--archive", "s3://no-such-bucket/x"]).fails(1, "s3://no-such-bucket/x");
    assert!(!bucket.home.path("auditkeep.toml").exists());
}
