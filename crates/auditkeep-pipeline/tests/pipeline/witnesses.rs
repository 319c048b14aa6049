//! Witnesses that can be asked: what they keep, and what they refuse.

use std::sync::Arc;

use async_trait::async_trait;
use auditkeep_archive::archive::Archive;
use auditkeep_archive::checkpoint::Checkpoint;
use auditkeep_archive::seal::{Sealed, seal};
use auditkeep_archive::trail::Stamp;
use auditkeep_pipeline::seal::seal_and_hand;
use auditkeep_pipeline::witness::file::FileWitness;
use auditkeep_pipeline::witness::store::StoreWitness;
use auditkeep_pipeline::witness::{Witness, WitnessError};
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
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
    // Whoever can write there puts a seal of one archive where the other's are looked for, an old one before the newest, and junk.
    let newest = sealed(&other).await;
    witness.keep(other_id, &newest).await.unwrap();
    let old = std::fs::read(place.path().join(other_id).join(format!("{:020}.json", first.number))).unwrap();
    for (number, bytes) in
        [(90, first.bytes.to_vec()), (91, old), (92, b"junk".to_vec()), (u64::MAX, Vec::new())]
    {
        std::fs::write(place.path().join(other_id).join(format!("{number:020}.json")), bytes).unwrap();
        assert_eq!(witness.newest(other_id).await.unwrap().unwrap().note, newest.note, "{number}");
    }
    witness.keep(other_id, &sealed(&other).await).await.unwrap();
}

async fn copy(from: &InMemory, to: &InMemory) {
    let listed: Vec<_> = from.list(None).try_collect().await.unwrap();
    for object in listed {
        let bytes = from.get(&object.location).await.unwrap().bytes().await.unwrap();
        to.put(&object.location, bytes.into()).await.unwrap();
    }
}

/// An archive that was set back and has grown again has higher numbers than the witnesses; still it lacks what they have.
#[tokio::test]
async fn no_seal_of_a_journal_that_was_set_back_is_handed_over() {
    let place = TempDir::new().unwrap();
    let note = place.path().join("checkpoint.note");
    let store = Arc::new(LocalFileSystem::new_with_prefix(place.path()).unwrap());
    let witnesses: Vec<Box<dyn Witness>> = vec![
        Box::new(FileWitness::new("repository", note.clone())),
        Box::new(StoreWitness::new("other-account", store)),
    ];
    let stamp = |writer: &str| Stamp { time: now(), writer: writer.to_owned() };
    let (genuine, earlier) = (Arc::new(InMemory::new()), Arc::new(InMemory::new()));
    let public = key().public().clone();
    let archive = Archive::create(genuine.clone(), "0".repeat(32), public, now()).await.unwrap();
    seal_and_hand(&archive, &key(), &stamp("test"), &witnesses).await.unwrap();
    copy(&genuine, &earlier).await;
    let last = seal_and_hand(&archive, &key(), &stamp("test"), &witnesses).await.unwrap();
    let kept = std::fs::read_to_string(&note).unwrap();
    assert_eq!(kept, last.sealed.note);
    let files = || std::fs::read_dir(place.path().join("0".repeat(32))).unwrap().count();
    let before = files();

    let fork = Archive::open(earlier).await.unwrap();
    for _ in 0..6 {
        let pass = seal_and_hand(&fork, &key(), &stamp("another"), &witnesses).await.unwrap();
        for handed in &pass.handed {
            let refused = handed.outcome.as_ref().unwrap_err();
            assert!(matches!(refused, WitnessError::AnotherHistory { .. }), "{refused:?}");
        }
        assert_eq!((std::fs::read_to_string(&note).unwrap(), files()), (kept.clone(), before));
    }
    // The genuine one goes on.
    let pass = seal_and_hand(&archive, &key(), &stamp("test"), &witnesses).await.unwrap();
    assert!(pass.handed.iter().all(|handed| handed.outcome.is_ok()), "{:?}", pass.handed);
}

/// Somebody else sealed in between, and was faster at the witness.
#[tokio::test]
async fn a_witness_that_has_a_newer_seal_of_the_same_history_is_content() {
    let place = TempDir::new().unwrap();
    let archive = archive('0').await;
    let note = place.path().join("checkpoint.note");
    let stamp = Stamp { time: now(), writer: "test".to_owned() };
    // A seal is made, and before it is handed over another one is: the witness's first answer is the newer one.
    let witness: Vec<Box<dyn Witness>> = vec![Box::new(Overtaken {
        inner: FileWitness::new("repository", note.clone()),
        archive: archive.clone(),
        note: note.clone(),
    })];
    let pass = seal_and_hand(&archive, &key(), &stamp, &witness).await.unwrap();
    let has = *pass.handed[0].outcome.as_ref().unwrap();
    assert!(has > pass.sealed.number);
    assert_eq!(pass.handed[0].last.as_ref().unwrap().seal, has);
}

/// A witness that gets another seal just before it is asked.
struct Overtaken {
    inner: FileWitness,
    archive: Archive,
    note: std::path::PathBuf,
}

#[async_trait]
impl Witness for Overtaken {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn keep(&self, archive: &str, seal: &Sealed) -> Result<(), WitnessError> {
        self.inner.keep(archive, seal).await
    }

    async fn newest(&self, archive: &str) -> Result<Option<Checkpoint>, WitnessError> {
        std::fs::write(&self.note, sealed(&self.archive).await.note).unwrap();
        self.inner.newest(archive).await
    }
}
