//! The archive's store against moto's S3.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use auditkeep_aws::object_store_for;
use auditkeep_lab::servers::MotoServer;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use futures::future::join_all;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use url::Url;

use crate::scripted::{KEY_ID, SECRET, sdk_config_with};

fn store(moto: &MotoServer, place: &str, key: &str, secret: &str) -> Arc<dyn ObjectStore> {
    let sdk_config = sdk_config(moto, key, secret);
    object_store_for(&Url::parse(place).unwrap(), &sdk_config).unwrap()
}

fn sdk_config(moto: &MotoServer, key: &str, secret: &str) -> SdkConfig {
    sdk_config_with(Credentials::new(key, secret, None, None, "test"))
        .into_builder()
        .endpoint_url(moto.endpoint())
        .build()
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[tokio::test]
async fn of_many_who_create_the_same_object_one_wins() {
    let moto = MotoServer::start().unwrap();
    moto.create_bucket("archive").await.unwrap();
    let store = store(&moto, "s3://archive/prod", KEY_ID, SECRET);
    let path = Path::from("trails/t/commits/00000000000000000001.json");
    for round in 0..10 {
        let path = Path::from(format!("{path}-{round}"));
        let writers = (0..8).map(|writer| {
            let (store, path) = (Arc::clone(&store), path.clone());
            async move {
                let options = PutOptions::from(PutMode::Create);
                (writer, store.put_opts(&path, format!("writer {writer}").into(), options).await)
            }
        });
        let mut winners = Vec::new();
        for (writer, outcome) in join_all(writers).await {
            match outcome {
                Ok(_) => winners.push(writer),
                Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        let stored = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(stored, format!("writer {}", winners[0]));
    }
}

#[tokio::test]
async fn a_prefix_is_where_everything_happens() {
    let moto = MotoServer::start().unwrap();
    moto.create_bucket("archive").await.unwrap();
    let whole = store(&moto, "s3://archive", KEY_ID, SECRET);
    let below = store(&moto, "s3://archive/prod/eu%20west/", KEY_ID, SECRET);
    let name = Path::from("raw/server audit.log+é");
    below.put(&name, "bytes".into()).await.unwrap();
    whole.put(&Path::from("other/raw/x"), "other".into()).await.unwrap();
    let listed: HashMap<_, _> =
        below.list(None).map_ok(|object| (object.location, object.size)).try_collect().await.unwrap();
    assert_eq!(listed, HashMap::from([(name.clone(), 5)]));
    let full = Path::from("prod/eu west/raw/server audit.log+é");
    assert_eq!(whole.get(&full).await.unwrap().bytes().await.unwrap(), "bytes");
    assert_eq!(whole.list(None).count().await, 2);
    assert_eq!(below.get_range(&name, 1..3).await.unwrap(), "yt");
}

#[tokio::test]
async fn wrong_credentials_are_told_as_such() {
    let moto = MotoServer::start().unwrap();
    moto.create_bucket("archive").await.unwrap();
    let (key, secret) = moto.enforce_credentials().await.unwrap();
    let path = Path::from("a");
    store(&moto, "s3://archive/p", &key, &secret).put(&path, "right".into()).await.unwrap();
    for (key, secret, code) in
        [(key.as_str(), SECRET, "SignatureDoesNotMatch"), (KEY_ID, SECRET, "InvalidAccessKeyId")]
    {
        let store = store(&moto, "s3://archive/p", key, secret);
        for failure in [
            store.put_opts(&path, "wrong".into(), PutMode::Create.into()).await.err().unwrap(),
            store.get(&path).await.err().unwrap(),
            store.list(None).try_collect::<Vec<_>>().await.unwrap_err(),
        ] {
            let text = chain(&failure);
            assert!(text.contains(code), "{text}");
            assert!(!text.contains(SECRET) && !text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn plain_http_to_another_host_is_refused() {
    let sdk_config = sdk_config_with(Credentials::new(KEY_ID, SECRET, None, None, "test"))
        .into_builder()
        .endpoint_url("http://minio.example:9000")
        .build();
    let failure = object_store_for(&Url::parse("s3://archive").unwrap(), &sdk_config).unwrap_err();
    assert!(failure.to_string().contains("http://minio.example"), "{failure}");
    assert!(failure.to_string().contains("AWS_ALLOW_HTTP"), "{failure}");
}
