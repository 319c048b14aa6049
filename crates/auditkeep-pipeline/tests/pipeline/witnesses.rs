//! Witnesses that can be asked: what they keep, and what they refuse.

use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::seal::{Sealed, seal};
use auditkeep_archive::trail::Stamp;
use auditkeep_pipeline::witness::file::FileWitness;
use auditkeep_pipeline::witness::store::StoreWitness;
use auditkeep_pipeline::witness::{Witness, WitnessError};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use tempfile::TempDir;

use crate::world::{key, now};

async fn archive(id: char) -> Archive {
    let (id, public) = (id.to_string().repeat(32), key().public().clone());
    Archive::create(Arc::new(InMemory::new()), id, public, now()).await.unwrap()
}

async fn sealed(archive: &Archive) -> Sealed {
    seal(archive, &key(), &Stamp { time: now(), writer: "test 1".to_owned() }).await.unwrap()
}

#[tokio::test]
async fn a_file_that_holds_a_seal_of_another_archive_is_not_overwritten() {
    let (one, other) = (archive('0').await, archive('1').await);
    let place = TempDir::new().unwrap();
    let witness = FileWitness::new("repository", place.path().join("checkpoint.note"));
    let kept = sealed(&one).await;
    witness.keep(&one.manifest().id, &kept).await.unwrap();
    // The other one's number is higher: by the numbers alone it would go on.
    sealed(&other).await;
    let stray = sealed(&other).await;
    assert!(stray.number > kept.number);
    let refused = witness.keep(&other.manifest().id, &stray).await.unwrap_err();
    assert!(matches!(&refused, WitnessError::AnotherHistory { .. }), "{refused:?}");
    assert!(refused.to_string().contains(&one.manifest().id), "{refused}");
    assert_eq!(std::fs::read_to_string(place.path().join("checkpoint.note")).unwrap(), kept.note);
    witness.keep(&one.manifest().id, &sealed(&one).await).await.unwrap();
}

#[tokio::test]
async fn a_directory_keeps_the_seals_of_many_archives_apart() {
    let (one, other) = (archive('0').await, archive('1').await);
    let place = TempDir::new().unwrap();
    let store = Arc::new(LocalFileSystem::new_with_prefix(place.path()).unwrap());
    let witness = StoreWitness::new("other-account", store);
    let first = sealed(&one).await;
    let (id, other_id) = (&one.manifest().id, &other.manifest().id);
    witness.keep(id, &first).await.unwrap();
    witness.keep(other_id, &sealed(&other).await).await.unwrap();
    assert_eq!(witness.newest(id).await.unwrap().unwrap().note, first.note);
    // Whoever can write there puts a seal of one archive where the other's are looked for.
    let misplaced = place.path().join(other_id).join(format!("{:020}.json", 9));
    std::fs::write(misplaced, &first.bytes).unwrap();
    let refused = witness.keep(other_id, &sealed(&other).await).await.unwrap_err();
    assert!(matches!(refused, WitnessError::AnotherHistory { .. }), "{refused:?}");
}
