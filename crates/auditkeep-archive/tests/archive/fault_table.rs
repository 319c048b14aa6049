//! The fault table: every write of every operation fails, fails but is done, or is where the process dies, before or after.
//! Then the operation is done again, by a process that knows nothing of the first attempt, and the archive holds what it must.

use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::control::Event;
use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::seal::seal;
use auditkeep_archive::standing::Standing;
use auditkeep_archive::trail::{self, TrailError};
use auditkeep_archive::verify::verify;
use auditkeep_archive::{journal, local};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::building::{TRAIL, addition, create, key, stamp, with_commits};
use crate::faults::{Fault, FaultyStore};

type Work = fn(Arc<dyn ObjectStore>) -> BoxFuture<'static, Result<(), TrailError>>;

struct Operation {
    name: &'static str,
    /// Commits that there are before.
    commits: u64,
    /// What is done, and done again. It must not mind that it was done already.
    work: Work,
    /// Whether it was done, once, by what the journal and the trail say.
    is_done: fn(&Standing, Option<&Standing>, u64) -> bool,
}

async fn open(store: Arc<dyn ObjectStore>) -> Result<Archive, TrailError> {
    Ok(Archive::open(store).await?)
}

/// Appends the bytes that are not there yet, as a collector does.
async fn collect(archive: &Archive, records: &[&[u8]]) -> Result<(), TrailError> {
    journal::begin(archive, &key(1), &stamp()).await?;
    loop {
        let head = trail::head(archive, TRAIL).await?;
        let done = usize::try_from(head.as_ref().map_or(0, |head| head.body.number)).unwrap();
        let Some(record) = records.get(done) else { return Ok(()) };
        // What stores the segment panics where a segment cannot be stored, as tests do.
        let (archive_now, head_now, record) = (archive.clone(), head.clone(), record.to_vec());
        let stored =
            std::panic::AssertUnwindSafe(
                async move { addition(&archive_now, head_now.as_ref(), &record).await },
            );
        let Ok(addition) = stored.catch_unwind().await else {
            return Err(TrailError::NoTrail { trail: "the segment was not stored".to_owned() });
        };
        trail::append(archive, &key(1), TRAIL, head.as_ref(), addition).await?;
    }
}

fn control(event: Event, name: &str, value: impl std::fmt::Display) -> Vec<Leaf> {
    vec![Leaf::Control(event.at(Timestamp::UNIX_EPOCH).with(name, value))]
}

const OPERATIONS: [Operation; 7] = [
    Operation {
        name: "creating an archive",
        commits: 0,
        work: |store| {
            async move {
                if Archive::open(store.clone()).await.is_err() {
                    create(store.clone()).await?;
                }
                let archive = open(store).await?;
                if archive.journal().head.is_none() {
                    journal::begin(&archive, &key(1), &stamp()).await?;
                }
                Ok(())
            }
            .boxed()
        },
        is_done: |journal, trail, _| journal.keys.len() == 1 && trail.is_none(),
    },
    Operation {
        name: "the first commits",
        commits: 0,
        work: |store| {
            async move {
                if Archive::open(store.clone()).await.is_err() {
                    create(store.clone()).await?;
                }
                collect(&open(store).await?, &[b"one\n", b"two\n", b"three\n"]).await
            }
            .boxed()
        },
        is_done: |_, trail, commits| trail.is_some() && commits == 3,
    },
    Operation {
        name: "a further commit",
        commits: 2,
        work: |store| async move { collect(&open(store).await?, &[b"", b"", b"three\n"]).await }.boxed(),
        is_done: |_, _, commits| commits == 3,
    },
    Operation {
        name: "sealing",
        commits: 3,
        work: |store| async move { seal(&open(store).await?, &key(1), &stamp()).await.map(drop) }.boxed(),
        is_done: |journal, _, commits| journal.sealed > 1 && commits == 3,
    },
    Operation {
        name: "placing a hold",
        commits: 2,
        work: |store| {
            async move {
                let leaves = |head: &trail::Head| {
                    let is_placed = head.body.standing().holds.contains_key("case");
                    if is_placed { Vec::new() } else { control(Event::HoldPlaced, "hold", "case") }
                };
                trail::record(&open(store).await?, &key(1), TRAIL, &stamp(), &leaves).await.map(drop)
            }
            .boxed()
        },
        is_done: |_, trail, commits| trail.is_some_and(|trail| trail.holds.len() == 1) && commits == 3,
    },
    Operation {
        name: "putting a key in force",
        commits: 1,
        work: |store| {
            async move {
                let leaves = |standing: &Standing| {
                    let is_added = standing.keys.contains_key(&key(2).public().signer());
                    if is_added { Vec::new() } else { control(Event::KeyAdded, "key", key(2).public()) }
                };
                let archive = open(store).await?;
                journal::append(&archive, &key(1), &stamp(), &leaves).await.map(drop)
            }
            .boxed()
        },
        is_done: |journal, _, _| journal.keys.len() == 2,
    },
    Operation {
        name: "retiring a key after a seal",
        commits: 2,
        work: |store| {
            async move {
                let archive = open(store).await?;
                let added = |standing: &Standing| {
                    let is_added = standing.keys.contains_key(&key(2).public().signer());
                    if is_added { Vec::new() } else { control(Event::KeyAdded, "key", key(2).public()) }
                };
                journal::append(&archive, &key(1), &stamp(), &added)
                    .await
                    .map(drop)
                    .or_else(ignore_retired)?;
                let sealed = seal(&archive, &key(2), &stamp()).await?;
                let leaves = |standing: &Standing| {
                    let signer = key(1).public().signer();
                    if standing.keys.get(&signer).is_none_or(|known| known.retired.is_some()) {
                        return Vec::new();
                    }
                    let retired = Event::KeyRetired.at(Timestamp::UNIX_EPOCH).with("key", signer);
                    vec![Leaf::Control(retired.with("seal", sealed.number))]
                };
                journal::append(&archive, &key(2), &stamp(), &leaves).await.map(drop)
            }
            .boxed()
        },
        is_done: |journal, _, _| journal.keys.values().filter(|key| key.retired.is_some()).count() == 1,
    },
];

fn ignore_retired(error: TrailError) -> Result<(), TrailError> {
    match error {
        TrailError::Archive(auditkeep_archive::archive::ArchiveError::ForeignKey { .. }) => Ok(()),
        error => Err(error),
    }
}

async fn standing_of(archive: &Archive, trail: &str) -> Option<(Standing, u64)> {
    let head = trail::head(archive, trail).await.unwrap()?;
    Some((head.body.standing(), head.body.number))
}

/// One operation with one write that goes wrong, and once more without. Returns whether a write went wrong at all.
async fn goes_wrong(operation: &Operation, fault: Fault, at: u64) -> bool {
    let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    if operation.commits > 0 {
        with_commits(inner.clone(), operation.commits).await;
    }
    let faulty = Arc::new(FaultyStore::new(inner.clone(), fault, at));
    let first = faulty.outlive((operation.work)(faulty.clone())).await;
    let case = format!("{}: {fault:?} at write {at}", operation.name);
    if faulty.writes() < at {
        assert!(first.unwrap().is_ok(), "{case}");
        return false;
    }
    for _ in 0..2 {
        (operation.work)(inner.clone()).await.unwrap_or_else(|error| panic!("{case}: {error}"));
    }
    let archive = Archive::open(inner).await.unwrap();
    let (journal, _) = standing_of(&archive, JOURNAL).await.unwrap_or_else(|| panic!("{case}: no journal"));
    let trail = standing_of(&archive, TRAIL).await;
    let commits = trail.as_ref().map_or(0, |(_, number)| *number);
    assert!((operation.is_done)(&journal, trail.as_ref().map(|(standing, _)| standing), commits), "{case}");
    let report = verify(&archive, &[key(1).public().clone()], &|_| {}).await.unwrap();
    assert!(report.holds(false), "{case}: {:?}", report.findings);
    true
}

#[tokio::test]
async fn every_write_of_every_operation() {
    for operation in &OPERATIONS {
        for fault in Fault::ALL {
            let mut writes = 0;
            while goes_wrong(operation, fault, writes + 1).await {
                writes += 1;
            }
            // Of everything but the head hint: at least the commit itself and the hint.
            assert!(writes >= 2, "{}: {writes} writes", operation.name);
        }
    }
}

/// What is durable on a disk when a put returns is in a test of the directory; here, that a killed process leaves nothing
/// that is in the way.
#[tokio::test]
async fn a_directory_after_a_killed_put() {
    let place = tempfile::tempdir().unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(local::DurableDirectory::new(place.path()).unwrap());
    let faulty = Arc::new(FaultyStore::new(store.clone(), Fault::KilledBefore, 5));
    assert!(faulty.outlive(with_commits(faulty.clone(), 3)).await.is_none());
    let archive = Archive::open(store.clone()).await.unwrap();
    collect(&archive, &[b"one\n", b"two\n"]).await.unwrap();
    let report = verify(&archive, &[key(1).public().clone()], &|_| {}).await.unwrap();
    // The killed process had stored a segment; nothing else of it is seen.
    assert_eq!((report.against, report.noted, report.commits), (0, 1, 2), "{:?}", report.findings);
}
