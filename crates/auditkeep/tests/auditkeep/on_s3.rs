//! The same archive and the same commands on S3, as moto and Ceph's gateway serve it.

use std::sync::LazyLock;

use auditkeep_lab::servers::{MotoServer, RadosGateway, radosgw};

use crate::command::{Ended, Home, SERVER_AUDIT};

static GATEWAY: LazyLock<RadosGateway> = LazyLock::new(|| RadosGateway::start().unwrap());

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

/// With the gateway's credentials in the environment, and nothing else of it.
fn run_on_gateway(home: &Home, arguments: &[&str]) -> Ended {
    let environment =
        [("AWS_ACCESS_KEY_ID", radosgw::ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", radosgw::SECRET)];
    home.run_with(arguments, &environment)
}

fn init_on_gateway<'a>(archive: &'a str, endpoint: &'a str) -> Vec<&'a str> {
    vec!["init", "--archive", archive, "--s3", endpoint, "--s3", "region=us-east-1"]
}

/// The names of everything in a bucket.
async fn names(bucket: &str) -> Vec<String> {
    let listed = GATEWAY.s3().send("GET", bucket, "", "list-type=2", &[], "").await.unwrap();
    let text = String::from_utf8(listed.body.to_vec()).unwrap();
    text.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_is_reached_and_written_to_as_configured() {
    GATEWAY.s3().create_bucket("configured").await.unwrap();
    let home = Home::new();
    let endpoint = format!("endpoint={}", GATEWAY.endpoint());
    let kms_key = format!("kms_key={}", radosgw::KMS_KEY);
    let mut init = init_on_gateway("s3://configured/audit", &endpoint);
    init.extend(["--s3", "storage_class=GLACIER_IR", "--s3", &kms_key, "--s3", "bucket_key=true"]);
    run_on_gateway(&home, &init).succeeds();

    // From here on the configuration says it.
    home.write("server_audit.log", SERVER_AUDIT);
    let import = ["import", "server_audit.log", "--engine", "mariadb", "--instance", "shop", "--json"];
    assert_eq!(run_on_gateway(&home, &import).succeeds().json()["derived"]["events"], 5);
    assert_eq!(run_on_gateway(&home, &import).succeeds().json()["new_bytes"], 0);
    let verified = run_on_gateway(&home, &["verify", "--json", "--strict"]).succeeds().json();
    assert_eq!(verified["raw_bytes"], SERVER_AUDIT.len());
    assert_eq!(run_on_gateway(&home, &["events", "--json", "--failed"]).succeeds().rows().len(), 2);

    let names = names("configured").await;
    for folder in ["raw/", "trails/", "events/", "problems/", "archive.json"] {
        assert!(names.iter().any(|name| name.starts_with(&format!("audit/{folder}"))), "{names:?}");
    }
    for name in names {
        let head = GATEWAY.s3().head("configured", &name).await.unwrap();
        let class = if name.starts_with("audit/raw/") { "GLACIER_IR" } else { "" };
        assert_eq!(head.header("x-amz-storage-class"), class, "{name}");
        let key = head.header("x-amz-server-side-encryption-aws-kms-key-id");
        assert_eq!(key, radosgw::KMS_KEY, "{name}: {head:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_archive_is_begun_where_names_can_be_taken_twice() {
    let s3 = GATEWAY.s3();
    s3.create_bucket("versions").await.unwrap();
    s3.keep_versions("versions").await.unwrap();
    let home = Home::new();
    let endpoint = format!("endpoint={}", GATEWAY.endpoint());
    run_on_gateway(&home, &init_on_gateway("s3://versions", &endpoint)).fails(1, "two histories");
    assert!(!home.path("auditkeep.toml").exists());
}

#[test]
fn settings_that_cannot_be_are_usage_errors() {
    let home = Home::with_archive();
    for (typed, said) in [
        ("storage_class=GOLD", "is no storage class"),
        ("storage_class=GLACIER", "have to be restored"),
        ("checksum=md5", "is no checksum"),
        ("bucket_key=true", "without `kms_key`"),
        ("regoin=x", "regoin"),
    ] {
        let config = ["init", "--config", "second.toml", "--archive", "second", "--s3", typed];
        home.run(&config).fails(2, said);
        assert!(!home.path("second.toml").exists() && !home.path("second").exists(), "{typed}");
    }
    let config = std::fs::read_to_string(home.path("auditkeep.toml")).unwrap();
    home.write("auditkeep.toml", config.replace("# [s3]", "[s3]\nstorage_class = \"GOLD\""));
    home.run(&["status"]).fails(2, "`GOLD` is no storage class");
}
