//! Rotating keys: old evidence stays believed, and a retired key signs no more.

use std::sync::Arc;

use auditkeep_archive::archive::{Archive, ArchiveError};
use auditkeep_archive::layout::{self, JOURNAL};
use auditkeep_archive::retention::Reason;
use auditkeep_archive::rotation::{self, Rotated, RotationError};
use auditkeep_archive::seal::seal;
use auditkeep_archive::trail::{self, Append, TrailError};
use auditkeep_archive::verify::Verdict;
use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::building::{TRAIL, addition, key, with_commits};
use crate::crashes::each_fault;
use crate::history::{append_on, findings, records_of, stamp};

const WHY: Reason<'static> = Reason { who: "K. Keeper", reason: "once a year" };

async fn with_two(store: Arc<dyn ObjectStore>) {
    with_commits(store, 2).await;
}

/// As somebody who trusts the first key opens it now.
async fn open(store: &Arc<dyn ObjectStore>) -> Archive {
    Archive::open_trusting(Arc::clone(store), vec![key(1).public().clone()]).await.unwrap()
}

async fn add_second(archive: &Archive, on: i64) -> Result<Rotated, RotationError> {
    rotation::add(archive, &key(1), &stamp(on), key(2).public(), WHY).await
}

async fn retire_first(archive: &Archive, on: i64) -> Result<Rotated, RotationError> {
    let sealed = seal(archive, &key(2), &stamp(on)).await?;
    let first = key(1).public().signer();
    rotation::retire(archive, &key(2), &stamp(on), (&first, sealed.number), WHY).await
}

async fn rotated() -> (Arc<dyn ObjectStore>, Archive) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    with_two(store.clone()).await;
    let archive = open(&store).await;
    assert_eq!(add_second(&archive, 1).await.unwrap(), Rotated::Recorded(2));
    assert_eq!(add_second(&archive, 2).await.unwrap(), Rotated::Before(2));
    assert_eq!(retire_first(&archive, 3).await.unwrap(), Rotated::Recorded(4));
    (store, archive)
}

#[tokio::test]
async fn what_the_old_key_signed_stays_believed() {
    let (store, archive) = rotated().await;
    let head = trail::head(&archive, TRAIL).await.unwrap();
    let more = addition(&archive, head.as_ref(), b"signed by the second\n").await;
    let done = trail::append(&archive, &key(2), TRAIL, head.as_ref(), more).await.unwrap();
    assert!(matches!(done, Append::Done(_)));
    assert!(findings(&open(&store).await, &[1]).await.is_empty());
    assert!(findings(&archive, &[1, 2]).await.is_empty());
}

#[tokio::test]
async fn a_retired_key_is_refused() {
    let (store, archive) = rotated().await;
    for archive in [archive, open(&store).await] {
        let head = trail::head(&archive, TRAIL).await.unwrap();
        let more = addition(&archive, head.as_ref(), b"too late\n").await;
        let refused = trail::append(&archive, &key(1), TRAIL, head.as_ref(), more).await;
        let retired = matches!(refused, Err(TrailError::Archive(ArchiveError::RetiredKey { commit: 4, .. })));
        assert!(retired, "{refused:?}");
    }
}

#[tokio::test]
async fn what_a_retired_key_signs_all_the_same_is_not_believed() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let before = with_commits(store.clone(), 2).await;
    let archive = open(&store).await;
    add_second(&archive, 1).await.unwrap();
    retire_first(&archive, 1).await.unwrap();
    // Whoever has not looked at the journal since does not know.
    append_on(&before, 2, b"too late\n", false).await;
    let found = findings(&open(&store).await, &[1]).await;
    let commit = (Verdict::KeyUnknown, layout::commit(TRAIL, 3).to_string());
    assert!(found.contains(&commit), "{found:?}");
    assert!(
        found.iter().all(|(verdict, _)| matches!(verdict, Verdict::KeyUnknown | Verdict::Extra)),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_key_that_is_still_in_use_is_not_retired() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let old_collector = with_commits(store.clone(), 2).await;
    let archive = open(&store).await;
    add_second(&archive, 1).await.unwrap();
    let sealed = seal(&archive, &key(2), &stamp(1)).await.unwrap().number;
    append_on(&old_collector, 1, b"meanwhile\n", false).await;
    let first = key(1).public().signer();
    let refused = rotation::retire(&archive, &key(2), &stamp(1), (&first, sealed), WHY).await;
    assert!(matches!(&refused, Err(RotationError::InUse { commit: 3, .. })), "{refused:?}");
    assert_eq!(retire_first(&archive, 1).await.unwrap(), Rotated::Recorded(5));
    assert!(findings(&archive, &[1]).await.is_empty());
}

#[tokio::test]
async fn somebody_must_be_left_to_sign() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    with_two(store.clone()).await;
    let archive = open(&store).await;
    let (first, second) = (key(1).public().signer(), key(2).public().signer());
    let retire = async |seed, signer: &str, seal| {
        rotation::retire(&archive, &key(seed), &stamp(1), (signer, seal), WHY).await
    };
    assert!(matches!(retire(1, &first, 1).await, Err(RotationError::Itself { .. })));
    assert!(matches!(retire(2, &first, 1).await, Err(RotationError::Last { .. })));
    assert!(matches!(retire(1, &second, 1).await, Err(RotationError::Unknown { .. })));
    add_second(&archive, 1).await.unwrap();
    assert!(matches!(retire(2, &first, 1).await, Err(RotationError::NoSeal { commit: 1 })));
    assert_eq!(retire_first(&archive, 1).await.unwrap(), Rotated::Recorded(4));
    assert_eq!(retire(2, &first, 3).await.unwrap(), Rotated::Before(4));
    let again = rotation::add(&archive, &key(2), &stamp(1), key(1).public(), WHY).await;
    assert!(matches!(again, Err(RotationError::Retired { by: 4, .. })), "{again:?}");
}

#[tokio::test]
async fn whatever_goes_wrong_one_key_comes_and_the_other_goes() {
    let work = async |store: Arc<dyn ObjectStore>| -> Result<(), RotationError> {
        let archive = Archive::open_trusting(store, vec![key(1).public().clone()]).await;
        let archive = archive.map_err(TrailError::from)?;
        add_second(&archive, 1).await?;
        let first = key(1).public().signer();
        if archive.journal().standing.keys.get(&first).is_some_and(|known| known.retired.is_none()) {
            retire_first(&archive, 1).await?;
        }
        Ok(())
    };
    let check = async |store: Arc<dyn ObjectStore>, about: &str| {
        let archive = open(&store).await;
        let records = records_of(&archive, &[JOURNAL]).await;
        let count = |event: &str| records.iter().filter(|(_, name)| name == event).count();
        assert_eq!((count("key-added"), count("key-retired")), (1, 1), "{about}: {records:?}");
        assert!(archive.journal().may_sign(key(2).public()) && !archive.journal().may_sign(key(1).public()));
        assert!(findings(&archive, &[1]).await.is_empty(), "{about}");
    };
    each_fault(with_two, work, check).await;
}
