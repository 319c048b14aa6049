//! The same against S3, as moto emulates it.

use std::sync::Arc;

use auditkeep_events::{DeltaTables, QueryEngine};
use auditkeep_lab::servers::MotoServer;
use auditkeep_pipeline::table::EventTable;
use futures::future::join_all;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::prefix::PrefixStore;
use url::Url;

use crate::rows::{count, derived};

fn archive(moto: &MotoServer, bucket: &str) -> Arc<dyn ObjectStore> {
    let store = AmazonS3Builder::new()
        .with_endpoint(moto.endpoint())
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name(bucket)
        .with_access_key_id("test")
        .with_secret_access_key("test")
        .build()
        .unwrap();
    Arc::new(PrefixStore::new(store, "an/archive"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_writers_on_s3_write_each_commit_once() {
    let moto = MotoServer::start().unwrap();
    moto.create_bucket("audit").await.unwrap();
    let url = Url::parse("s3://audit/an/archive").unwrap();
    for commit in 0..3 {
        let appends = ["a", "a", "a", "b"].map(|trail| {
            let tables = DeltaTables::new(archive(&moto, "audit"), url.clone());
            tokio::spawn(async move { tables.append(derived(trail, commit, 3)).await })
        });
        for done in join_all(appends).await {
            done.unwrap().unwrap();
        }
    }
    let tables = DeltaTables::new(archive(&moto, "audit"), url.clone());
    assert_eq!(tables.derived_through("a").await.unwrap(), Some(2));
    assert_eq!(tables.derived_through("b").await.unwrap(), Some(2));
    let engine = QueryEngine::open(archive(&moto, "audit"), url).await.unwrap();
    assert_eq!(count(&engine, "SELECT count(*) FROM events WHERE trail = 'a'").await, 9);
    assert_eq!(count(&engine, "SELECT count(byte_offset) FROM events WHERE user_name = 'app'").await, 18);
    assert_eq!(count(&engine, "SELECT count(*) FROM problems").await, 6);
}
