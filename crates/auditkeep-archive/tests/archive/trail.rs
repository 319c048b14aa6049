//! Appending: alone, raced, and with writes that go wrong.

use std::sync::Arc;

use auditkeep_archive::archive::{Archive, ArchiveError};
use auditkeep_archive::layout::{self, JOURNAL};
use auditkeep_archive::trail::{self, Append, TrailError};
use auditkeep_archive::verify::verify;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::building::{TRAIL, addition, append, archive, key, with_commits};

async fn assert_whole(archive: &Archive, commits: u64) {
    let report = verify(archive, &[key(1).public().clone()], &|_| {}).await.unwrap();
    assert!(report.holds(true), "{:?}", report.findings);
    assert_eq!((report.commits, report.segments), (commits, commits));
}

#[tokio::test]
async fn the_head_is_found_whatever_the_hint_says() {
    for commits in [1, 2, 3, 7, 8, 20] {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let archive = with_commits(store.clone(), commits).await;
        for hint in [Some("1"), Some("0"), Some("999"), Some("nonsense"), None] {
            match hint {
                Some(hint) => store.put(&layout::head(TRAIL), hint.into()).await.map(drop).unwrap(),
                None => store.delete(&layout::head(TRAIL)).await.unwrap(),
            }
            let head = trail::head(&archive, TRAIL).await.unwrap().unwrap();
            assert_eq!(head.body.number, commits, "hint {hint:?}");
        }
    }
}

#[tokio::test]
async fn the_second_of_two_is_told_and_goes_on() {
    let archive = archive(Arc::new(InMemory::new())).await;
    let first = append(&archive, None, b"one\n").await;
    let late = addition(&archive, None, b"one\n").await;
    // The same addition again is the same commit: whoever did not hear the answer hears it now.
    assert!(matches!(
        trail::append(&archive, &key(1), TRAIL, None, late.clone()).await.unwrap(),
        Append::Done(_)
    ));
    let mut other = late;
    other.stamp.writer = "somebody else".to_owned();
    let Append::Overtaken(head) = trail::append(&archive, &key(1), TRAIL, None, other).await.unwrap() else {
        panic!("two commits with one number")
    };
    assert_eq!(head.hash, first.hash);
    append(&archive, Some(&head), b"two\n").await;
    assert_whole(&archive, 2).await;
}

/// Whoever appended to what is left would hide that the rest is lost.
#[tokio::test]
async fn a_history_that_has_gone_is_not_begun_anew() {
    for lost in [layout::trails(), layout::trail(JOURNAL)] {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        with_commits(store.clone(), 2).await;
        let objects: Vec<_> = store.list(None).try_collect().await.unwrap();
        for object in objects {
            if object.location.prefix_matches(&lost) {
                store.delete(&object.location).await.unwrap();
            }
        }
        let archive = Archive::open(store).await.unwrap();
        let addition = addition(&archive, None, b"new\n").await;
        let refused = trail::append(&archive, &key(1), "local.local.other.log-files", None, addition).await;
        assert!(matches!(refused, Err(TrailError::NoJournal)), "{refused:?}");
        assert!(trail::head(&archive, JOURNAL).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn sixteen_appenders_lose_nothing_and_double_nothing() {
    let archive = archive(Arc::new(InMemory::new())).await;
    let tasks = (0..16).map(|task| {
        let archive = archive.clone();
        tokio::spawn(async move {
            loop {
                let head = trail::head(&archive, TRAIL).await.unwrap();
                let addition = addition(&archive, head.as_ref(), format!("task {task}\n").as_bytes()).await;
                match trail::append(&archive, &key(1), TRAIL, head.as_ref(), addition).await.unwrap() {
                    Append::Done(_) => break,
                    Append::Overtaken(_) => {}
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    // Segments of attempts that were overtaken stay behind as extra; everything named is whole.
    let report = verify(&archive, &[key(1).public().clone()], &|_| {}).await.unwrap();
    assert!(report.holds(false), "{:?}", report.findings);
    assert_eq!((report.commits, report.segments), (16, 16));
}

#[tokio::test]
async fn nobody_goes_on_over_a_hole() {
    for hint in ["1", "2", "4", "9", "gone"] {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let archive = with_commits(store.clone(), 4).await;
        store.delete(&layout::commit(TRAIL, 3)).await.unwrap();
        store.put(&layout::head(TRAIL), hint.into()).await.unwrap();
        let head = trail::head(&archive, TRAIL).await;
        match head {
            Err(TrailError::Hole { object }) => assert_eq!(object, layout::commit(TRAIL, 3).to_string()),
            // The newest commit is what the hint says, and nothing before it was looked at.
            Ok(Some(head)) => assert_eq!((hint, head.body.number), ("4", 4)),
            other => panic!("hint {hint}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_planted_number_is_not_believed() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let archive = with_commits(store.clone(), 2).await;
    store.put(&layout::commit(TRAIL, u64::MAX), "{}".into()).await.unwrap();
    assert!(matches!(trail::head(&archive, TRAIL).await, Err(TrailError::Hole { .. })));
    store.put(&layout::head(TRAIL), u64::MAX.to_string().into()).await.unwrap();
    assert!(matches!(trail::head(&archive, TRAIL).await, Err(TrailError::Archive(_))));
}

#[tokio::test]
async fn the_keys_of_the_store_are_not_believed_when_others_are_known() {
    // Somebody replaces the manifest and the whole trail, under a key of their own.
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    with_commits(store.clone(), 2).await;
    let refused = Archive::open_trusting(store.clone(), vec![key(2).public().clone()]).await;
    let Err(ArchiveError::Journal(cause)) = refused else { panic!("{refused:?}") };
    assert!(matches!(*cause, TrailError::Distrusted { .. }), "{cause:?}");
}

#[tokio::test]
async fn a_foreign_key_cannot_append() {
    let archive = archive(Arc::new(InMemory::new())).await;
    let addition = addition(&archive, None, b"one\n").await;
    let refused = trail::append(&archive, &key(2), TRAIL, None, addition).await;
    assert!(matches!(refused, Err(TrailError::Archive(ArchiveError::ForeignKey { .. }))), "{refused:?}");
    assert!(trail::head(&archive, TRAIL).await.unwrap().is_none());
}

#[tokio::test]
async fn nobody_appends_after_a_forged_commit() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let archive = with_commits(store.clone(), 2).await;
    let path = layout::commit(TRAIL, 2);
    let text = String::from_utf8(store.get(&path).await.unwrap().bytes().await.unwrap().to_vec()).unwrap();
    store.put(&path, text.replace("\"writer\":\"test\"", "\"writer\":\"tesT\"").into()).await.unwrap();
    assert!(matches!(trail::head(&archive, TRAIL).await, Err(TrailError::CheckpointMismatch { .. })));
}
