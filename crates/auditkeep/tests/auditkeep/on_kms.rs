//! Signing with AWS KMS, as moto plays it, and verifying without it.

use auditkeep_lab::servers::MotoServer;
use auditkeep_lab::servers::moto::REGION;
use serde_json::json;

use crate::command::{Ended, Home, SERVER_AUDIT};

const IMPORT: [&str; 7] =
    ["import", "server_audit.log", "--engine", "mariadb", "--instance", "shop", "--json"];

struct Kms {
    moto: MotoServer,
    home: Home,
}

impl Kms {
    fn new() -> Self {
        let kms = Self { moto: MotoServer::start().unwrap(), home: Home::new() };
        kms.home.write("server_audit.log", SERVER_AUDIT);
        kms
    }

    /// The id and the ARN of a new key.
    async fn key(&self, spec: &str) -> (String, String) {
        let request = json!({ "KeySpec": spec, "KeyUsage": "SIGN_VERIFY" });
        let made = self.moto.kms("CreateKey", &request).await.unwrap();
        let text = |field: &str| made["KeyMetadata"][field].as_str().unwrap().to_owned();
        (text("KeyId"), text("Arn"))
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.home.run_with(arguments, &[self.environment().as_slice(), &[("AWS_REGION", REGION)]].concat())
    }

    /// Without a region.
    fn environment(&self) -> [(&str, &str); 3] {
        [
            ("AWS_ENDPOINT_URL_KMS", self.moto.endpoint()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "any"),
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_in_kms_and_verified_without_it() {
    let kms = Kms::new();
    let (_, arn) = kms.key("ECC_NIST_P256").await;
    let key = format!("awskms:{arn}");
    // The ARN says the region.
    let made = kms.home.run_with(&["init", "--key", &key, "--json"], &kms.environment()).succeeds().json();
    assert_eq!(made["key"], key.as_str());
    assert!(made["public_key"].as_str().unwrap().starts_with("awskms-"), "{made}");
    let configured = std::fs::read_to_string(kms.home.path("auditkeep.toml")).unwrap();
    assert!(configured.contains(&format!("\nkey = \"{key}\"\n")), "{configured}");
    assert!(!kms.home.path("auditkeep.key").exists());
    let public = std::fs::read_to_string(kms.home.path("auditkeep.pub")).unwrap();
    assert_eq!(public.trim(), made["public_key"]);

    assert_eq!(kms.run(&IMPORT).succeeds().json()["commits"], 1);
    kms.home.write("server_audit.log", SERVER_AUDIT.repeat(2));
    assert_eq!(kms.run(&IMPORT).succeeds().json()["commits"], 1);
    assert_eq!(kms.run(&IMPORT).succeeds().json()["commits"], 0);

    // From here on KMS is not asked, and no variable of AWS is set.
    for arguments in
        [&["verify", "--json", "--strict"][..], &["verify", "--json", "--public-key", public.trim()]]
    {
        let verified = kms.home.run(arguments).succeeds().json();
        assert_eq!((&verified["verdict"], &verified["commits"]), (&"OK".into(), &2.into()), "{verified}");
        assert_eq!(verified["keys"], json!([public.trim()]));
    }
    kms.home.run(&["status"]).succeeds();
    std::fs::write(kms.home.path("auditkeep.pub"), public.replace("awskms-", "awskmS-")).unwrap();
    let other = kms.home.run(&["verify", "--json"]);
    assert_eq!((other.code, &other.json()["findings"][0]["verdict"]), (3, &"KEY-UNKNOWN".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_names_another_key_signs_nothing() {
    let kms = Kms::new();
    let ((first, _), (second, _)) = (kms.key("ECC_NIST_P256").await, kms.key("ECC_NIST_P256").await);
    let alias = |key: &str| json!({ "AliasName": "alias/audit", "TargetKeyId": key });
    kms.moto.kms("CreateAlias", &alias(&first)).await.unwrap();
    kms.run(&["init", "--key", "awskms:alias/audit"]).succeeds();
    kms.run(&IMPORT).succeeds();
    kms.moto.kms("UpdateAlias", &alias(&second)).await.unwrap();
    kms.home.write("server_audit.log", SERVER_AUDIT.repeat(2));
    let refused = kms.run(&IMPORT).fails(1, "is not one of this archive's keys");
    assert!(refused.stderr.contains("awskms-"), "{}", refused.stderr);
    let verified = kms.home.run(&["verify", "--json"]).succeeds().json();
    assert_eq!(verified["commits"], 1);
    // Nor does another configuration get the first key's public half for its own.
    kms.run(&["init", "--config", "other.toml", "--key", "awskms:alias/audit"])
        .fails(1, "is not the public half of `awskms:alias/audit`");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_key_is_said_with_the_next_step() {
    let kms = Kms::new();
    let (unsuitable, _) = kms.key("ECC_NIST_P384").await;
    let (key, _) = kms.key("ECC_NIST_P256").await;
    let init = |key: &str| kms.run(&["init", "--key", &format!("awskms:{key}")]);
    let hint = |ended: Ended, expected: &str| assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    hint(init(&unsuitable).fails(1, "accepted are ECC_NIST_P256"), "--key-spec ECC_NIST_P256");
    hint(init("alias/nobody").fails(1, "NotFoundException"), "awskms:alias/name");
    init("").fails(2, "names no signing key");
    let awskms = format!("awskms:{key}");
    hint(kms.home.run(&["init", "--key", &awskms]).fails(1, "no AWS region"), "AWS_REGION");
    let nobody = kms.home.run_with(&["init", "--key", &awskms], &[("AWS_REGION", REGION)]);
    hint(nobody.fails(1, "no AWS credentials"), "aws sso login");
    kms.moto.enforce_credentials().await.unwrap();
    let denied = init(&key).fails(1, "reading the public half of");
    hint(denied, "kms:GetPublicKey and kms:Sign");
    // Nothing was begun.
    assert!(!kms.home.path("auditkeep.toml").exists() && !kms.home.path("archive").exists());
    assert!(!kms.home.path("auditkeep.pub").exists());
}
