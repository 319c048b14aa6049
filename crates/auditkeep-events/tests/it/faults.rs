//! Every write fails once, in both ways, and is tried again.

use std::sync::Arc;

use auditkeep_archive::test_support::faults::{Fault, FaultyStore};
use auditkeep_events::DeltaTables;
use auditkeep_pipeline::table::EventTable;
use object_store::path::Path;

use crate::rows::{Archive, derived, together};

async fn exactly_two_commits(archive: &Archive, note: &str) {
    assert_eq!(archive.tables().derived_through("a").await.unwrap(), Some(1), "{note}");
    assert_eq!(archive.count("SELECT count(*) FROM events").await, 6, "{note}");
    assert_eq!(archive.count("SELECT count(*) FROM problems").await, 2, "{note}");
}

#[tokio::test]
async fn each_write_may_fail_once() {
    for fault in [Fault::Failed, Fault::FailedButDone] {
        for number in 1.. {
            let archive = Archive::new();
            let store = Arc::new(FaultyStore::new(archive.store(), fault, number));
            let tables = DeltaTables::new(store.clone(), archive.url.clone());
            for commit in 0..2 {
                // The caller's rule: whatever went wrong, offer it again.
                let first = tables.append(derived("a", commit, 3)).await;
                if first.is_err() {
                    tables.append(derived("a", commit, 3)).await.unwrap();
                }
            }
            exactly_two_commits(&archive, &format!("write {number} {fault:?}")).await;
            if store.writes() < number {
                // Creation of two tables, and a file and a version each for two appends.
                assert!(number > 10, "only {number} writes were tried");
                break;
            }
        }
    }
}

/// The process dies after the problems are written and before the events are.
#[tokio::test]
async fn a_crash_between_the_tables_is_made_up_for() {
    for again in [1, 2] {
        let archive = Archive::new();
        archive.tables().append(derived("a", 0, 3)).await.unwrap();
        let dying = Path::from("events");
        let store = Arc::new(FaultyStore::below(archive.store(), Fault::Failed, dying));
        let dead = DeltaTables::new(store, archive.url.clone());
        let error = dead.append(derived("a", 1, 3)).await.unwrap_err();
        assert!(format!("{error:?}").contains("the connection broke"), "the reason is lost: {error:?}");
        assert_eq!(archive.count("SELECT count(*) FROM problems").await, 2);
        assert_eq!(archive.count("SELECT count(*) FROM events").await, 3);
        assert_eq!(archive.tables().derived_through("a").await.unwrap(), Some(0));

        // The next run derives the same commit, or more by then.
        let rest = together((1..=again).map(|commit| derived("a", commit, 3)).collect());
        archive.tables().append(rest).await.unwrap();
        let through = i64::try_from(again).unwrap();
        assert_eq!(archive.tables().derived_through("a").await.unwrap(), Some(again));
        assert_eq!(archive.count("SELECT count(*) FROM events").await, 3 * (through + 1));
        assert_eq!(archive.count("SELECT count(*) FROM problems").await, through + 1);
        assert_eq!(archive.count("SELECT count(DISTINCT commit_number) FROM problems").await, through + 1);
    }
}
