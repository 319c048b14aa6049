//! Against the lab's RDS, which checks signatures and answers as the real one does.

use std::collections::BTreeMap;

use auditkeep_aws::{DiscoveredInstance, RdsAccount, RdsOptions};
use auditkeep_lab::emulator::{
    Behaviour, DEFAULT_ACCOUNT, DEFAULT_REGION, Emulator, EmulatorOptions, Fleet, LabCredential, LabInstance,
    Logs, RecordedFile,
};
use auditkeep_pipeline::source::{LogFiles as _, SourceError, SourceErrorKind};
use aws_config::Region;
use aws_credential_types::Credentials;
use bytes::Bytes;
use futures::TryStreamExt as _;
use url::Url;

use crate::scripted::{KEY_ID, SECRET, TOKEN, instance, sdk_config_with, shown};

fn credential() -> LabCredential {
    LabCredential {
        access_key_id: KEY_ID.to_owned(),
        secret_access_key: SECRET.to_owned(),
        session_token: Some(TOKEN.to_owned()),
    }
}

async fn start(instances: Vec<LabInstance>) -> Emulator {
    let mut options = EmulatorOptions::loopback(Fleet { instances });
    options.credentials = vec![credential()];
    Emulator::start(options).await.unwrap()
}

fn lab_instance(name: &str, engine: &str, files: &[(&str, Bytes)]) -> LabInstance {
    let file = |bytes: &Bytes| RecordedFile { bytes: bytes.clone(), last_written_ms: 1_795_219_200_000 };
    LabInstance {
        name: name.to_owned(),
        resource_id: format!("db-{name}"),
        engine: engine.to_owned(),
        engine_version: "1".to_owned(),
        cluster: None,
        logs: Logs::Memory(
            files.iter().map(|(name, bytes)| ((*name).to_owned(), file(bytes))).collect::<BTreeMap<_, _>>(),
        ),
    }
}

async fn account(emulator: &Emulator, secret: &str, token: Option<&str>, region: &'static str) -> RdsAccount {
    let credentials = Credentials::new(KEY_ID, secret, token.map(str::to_owned), None, "test");
    let sdk_config = sdk_config_with(credentials).into_builder().region(Region::new(region)).build();
    let endpoint = Some(Url::parse(&emulator.endpoint()).unwrap());
    RdsAccount::new(&sdk_config, RdsOptions { endpoint, ..RdsOptions::default() }).await.unwrap()
}

async fn right(emulator: &Emulator) -> RdsAccount {
    account(emulator, SECRET, Some(TOKEN), DEFAULT_REGION).await
}

async fn download(account: &RdsAccount, name: &str, file: &str) -> Result<Vec<u8>, SourceError> {
    let pieces: Vec<Bytes> = account.log_files(&instance(name)).open(file).await?.try_collect().await?;
    Ok(pieces.concat())
}

#[tokio::test]
async fn a_fleet_of_more_than_one_page_is_found_whole() {
    let engines = ["mysql", "postgres", "mariadb", "aurora-mysql", "aurora-postgresql", "sqlserver-ee"];
    let fleet: Vec<_> = (0..130)
        .map(|number| lab_instance(&format!("db{number:03}"), engines[number % engines.len()], &[]))
        .collect();
    let emulator = start(fleet.clone()).await;
    let found = right(&emulator).await.instances().await.unwrap();
    assert_eq!(found.len(), fleet.len());
    for (found, expected) in found.iter().zip(&fleet) {
        match found {
            DiscoveredInstance::Readable(found) => {
                assert_eq!(found.name, expected.name);
                assert_eq!(found.resource_id, expected.resource_id);
                assert_eq!(found.engine.name(), expected.engine);
                assert_eq!(
                    (found.account.as_str(), found.region.as_str()),
                    (DEFAULT_ACCOUNT, DEFAULT_REGION)
                );
            }
            DiscoveredInstance::Skipped { name, engine, .. } => {
                assert_eq!((name, engine.as_str()), (&expected.name, "sqlserver-ee"));
                assert_eq!(expected.engine, "sqlserver-ee");
            }
        }
    }
}

#[tokio::test]
async fn a_listing_of_more_than_one_page_is_read_whole() {
    let names: Vec<String> = (0..2345).map(|number| format!("audit/audit.log.{number:04}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), Bytes::from_static(b"12345"))).collect();
    let emulator = start(vec![lab_instance("orders", "aurora-mysql", &files)]).await;
    let mut behaviour = Behaviour::default();
    for listing_page in [1000, 7] {
        behaviour.listing_page = listing_page;
        emulator.set_behaviour(behaviour.clone());
        let mut found = right(&emulator).await.log_files(&instance("orders")).list().await.unwrap();
        found.sort_by(|left, right| left.name.cmp(&right.name));
        assert!(found.iter().map(|file| &file.name).eq(&names), "{} files", found.len());
        assert!(found.iter().all(|file| file.size == 5 && file.last_written_ms == 1_795_219_200_000));
    }
}

#[tokio::test]
async fn a_large_file_with_any_bytes_comes_byte_by_byte() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut content = Vec::with_capacity(30 << 20);
    while content.len() < 30 << 20 {
        content.extend_from_slice("20261121 10:00:00,host,eve,10.0.0.1,1,2,QUERY,db,'größe 数据 ".as_bytes());
        content.extend((0..random.usize(..200)).map(|_| random.u8(..)));
        content.extend_from_slice(b"',0\n");
    }
    let content = Bytes::from(content);
    let files = [
        ("audit/server_audit.log", content.clone()),
        ("error/a b+é%2F.log", Bytes::from_static(b"odd name")),
    ];
    let emulator = start(vec![lab_instance("orders", "mysql", &files)]).await;
    let account = right(&emulator).await;
    assert!(download(&account, "orders", "audit/server_audit.log").await.unwrap() == content);
    assert_eq!(download(&account, "orders", "error/a b+é%2F.log").await.unwrap(), b"odd name");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let emulator = start(vec![lab_instance("orders", "mysql", &[("audit/a", Bytes::new())])]).await;
    let account = right(&emulator).await;
    assert_eq!(download(&account, "orders", "audit/a").await.unwrap(), b"");
    let missing_instance = account.log_files(&instance("gone"));
    for failure in [
        missing_instance.list().await.unwrap_err(),
        missing_instance.open("audit/a").await.err().unwrap(),
        download(&account, "orders", "audit/rotated-away").await.unwrap_err(),
    ] {
        assert_eq!(failure.kind, SourceErrorKind::NotFound, "{}", shown(&failure));
    }
}

#[tokio::test]
async fn a_wrong_secret_token_or_region_is_denied_and_said() {
    let emulator =
        start(vec![lab_instance("orders", "mysql", &[("audit/a", Bytes::from_static(b"x"))])]).await;
    for (secret, token, region) in [
        ("a wrong secret", Some(TOKEN), DEFAULT_REGION),
        (SECRET, None, DEFAULT_REGION),
        (SECRET, Some("another token"), DEFAULT_REGION),
        (SECRET, Some(TOKEN), "us-east-1"),
    ] {
        let account = account(&emulator, secret, token, region).await;
        for failure in [
            account.instances().await.unwrap_err(),
            account.log_files(&instance("orders")).list().await.unwrap_err(),
            download(&account, "orders", "audit/a").await.unwrap_err(),
        ] {
            let text = shown(&failure);
            assert_eq!(failure.kind, SourceErrorKind::Denied, "{text}");
            assert!(text.contains("AWS answered "), "{text}");
        }
    }
}
