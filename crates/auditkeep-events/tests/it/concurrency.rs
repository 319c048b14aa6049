//! What several writers do to each other.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use auditkeep_archive::test_support::faults::FaultyStore;
use auditkeep_events::DeltaTables;
use auditkeep_pipeline::table::EventTable;
use futures::future::join_all;
use tokio::sync::Barrier;

use crate::append::files;
use crate::rows::{Archive, derived};

/// Runs every append at once, each as a process of its own would.
async fn race(archive: &Archive, appends: Vec<(&'static str, u64)>) {
    let start = Arc::new(Barrier::new(appends.len()));
    let tasks = appends.into_iter().map(|(trail, commit)| {
        let start = Arc::clone(&start);
        let tables = DeltaTables::new(archive.store(), archive.url.clone());
        tokio::spawn(async move {
            start.wait().await;
            tables.append(derived(trail, commit, 3)).await.unwrap();
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_commit_from_many_writers_is_there_once() {
    for _ in 0..5 {
        let archive = Archive::new();
        // The first race is about creating the tables as well.
        for commit in 0..3 {
            race(&archive, vec![("a", commit); 4]).await;
        }
        assert_eq!(archive.count("SELECT count(*) FROM events").await, 9);
        assert_eq!(archive.count("SELECT count(*) FROM problems").await, 3);
        assert_eq!(archive.tables().derived_through("a").await.unwrap(), Some(2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn trails_do_not_hinder_each_other() {
    let archive = Archive::new();
    let trails = ["a", "b", "c", "d", "e", "f"];
    for commit in 0..4 {
        race(&archive, trails.map(|trail| (trail, commit)).to_vec()).await;
    }
    for trail in trails {
        assert_eq!(archive.tables().derived_through(trail).await.unwrap(), Some(3));
        let sql = format!("SELECT count(*) FROM events WHERE trail = '{trail}'");
        assert_eq!(archive.count(&sql).await, 12);
    }
    assert_eq!(archive.count("SELECT count(*) FROM events").await, 72);
    assert_eq!(archive.count("SELECT count(*) FROM problems").await, 24);
}

/// Both have seen that there is no table before either creates it.
#[tokio::test]
async fn a_table_is_created_once() {
    let archive = Archive::new();
    let creation = Arc::new(Barrier::new(2));
    let appends = ["a", "b"].map(|trail| {
        let first = "00000000000000000000.json";
        let store = FaultyStore::meeting(archive.store(), first, Arc::clone(&creation));
        let tables = DeltaTables::new(Arc::new(store), archive.url.clone());
        async move { tables.append(derived(trail, 0, 3)).await.unwrap() }
    });
    join_all(appends).await;
    assert_eq!(archive.count("SELECT count(*) FROM events").await, 6);
    for table in ["events", "problems"] {
        let log = files(&archive.directory.path().join(table).join("_delta_log"));
        let creates = |path: &&PathBuf| fs::read_to_string(path).unwrap().contains("\"metaData\"");
        assert_eq!(log.iter().filter(creates).count(), 1, "{table}");
    }
}
