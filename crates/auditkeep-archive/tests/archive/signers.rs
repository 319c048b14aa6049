//! Appending with a key that, like those of services, signs the same message differently each time, or not at all.

use std::sync::Arc;

use async_trait::async_trait;
use auditkeep_archive::archive::Archive;
use auditkeep_archive::commit::Commit;
use auditkeep_archive::signer::{SignError, Signer};
use auditkeep_archive::trail::{self, Addition, Append, Head, TrailError};
use auditkeep_archive::verify::verify;
use auditkeep_archive::{journal, layout};
use auditkeep_core::integrity::canonical;
use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::key::VerifyingKey;
use auditkeep_core::integrity::note;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use jiff::Timestamp;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::building::{TRAIL, addition, stamp};
use crate::faults::{Fault, FaultyStore};

#[derive(Debug)]
struct EcdsaSigner {
    pair: EcdsaKeyPair,
    public: VerifyingKey,
}

impl EcdsaSigner {
    fn new(name: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let spki = pair.public_key().as_der().unwrap();
        Self { public: VerifyingKey::from_spki(name, spki.as_ref()).unwrap(), pair }
    }

    async fn archive(&self, store: Arc<dyn ObjectStore>) -> Archive {
        let made = Archive::create(store, "0".repeat(32), self.public.clone(), Timestamp::UNIX_EPOCH).await;
        let archive = made.unwrap();
        journal::begin(&archive, self, &stamp()).await.unwrap();
        archive
    }
}

#[async_trait]
impl Signer for EcdsaSigner {
    fn public(&self) -> &VerifyingKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec())
    }
}

/// A service that does not answer.
#[derive(Debug)]
struct Silent(VerifyingKey);

#[async_trait]
impl Signer for Silent {
    fn public(&self) -> &VerifyingKey {
        &self.0
    }

    async fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError { key: self.0.name().to_owned(), cause: "no answer".into() })
    }
}

async fn append(archive: &Archive, key: &dyn Signer, head: Option<&Head>, addition: Addition) -> Head {
    match trail::append(archive, key, TRAIL, head, addition).await.unwrap() {
        Append::Done(head) => head,
        Append::Overtaken(head) => panic!("overtaken by {}", head.body.number),
    }
}

async fn stored(store: &Arc<dyn ObjectStore>, number: u64) -> Vec<u8> {
    store.get(&layout::commit(TRAIL, number)).await.unwrap().bytes().await.unwrap().to_vec()
}

async fn assert_whole(archive: &Archive, key: &VerifyingKey, commits: u64) {
    let report = verify(archive, std::slice::from_ref(key), &|_| {}).await.unwrap();
    assert!(report.holds(true), "{:?}", report.findings);
    assert_eq!((report.commits, report.segments), (commits, commits));
}

#[tokio::test]
async fn the_same_commit_is_found_done_whatever_its_signature() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let key = EcdsaSigner::new("service");
    assert_ne!(key.sign(b"x").await.unwrap(), key.sign(b"x").await.unwrap(), "else this tests nothing");
    let archive = key.archive(store.clone()).await;
    let one = addition(&archive, None, b"one\n").await;
    let first = append(&archive, &key, None, one.clone()).await;
    let bytes = stored(&store, 1).await;

    let again = append(&archive, &key, None, one.clone()).await;
    assert_eq!(stored(&store, 1).await, bytes);
    assert_eq!((again.hash, &again.body), (Sha256::of(&bytes), &first.body));
    let mut other = one;
    other.stamp.writer = "somebody else".to_owned();
    let overtaken = trail::append(&archive, &key, TRAIL, None, other).await.unwrap();
    assert!(matches!(overtaken, Append::Overtaken(head) if head.hash == again.hash));

    // What follows names the bytes that are stored, not those of the second attempt.
    let two = addition(&archive, Some(&again), b"two\n").await;
    append(&archive, &key, Some(&again), two).await;
    assert_whole(&archive, key.public(), 2).await;
}

#[tokio::test]
async fn a_lost_answer_is_not_taken_for_another_writer() {
    // Segment, commit, head hint; the segment is put when the addition is made.
    for at in [2, 3] {
        let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let key = EcdsaSigner::new("service");
        let whole = key.archive(inner.clone()).await;
        let faulty: Arc<dyn ObjectStore> =
            Arc::new(FaultyStore::new(inner.clone(), Fault::FailedButDone, at));
        let faulty = Archive::open(faulty).await.unwrap();
        let one = addition(&faulty, None, b"one\n").await;
        let lost = trail::append(&faulty, &key, TRAIL, None, one.clone()).await;
        assert_eq!(lost.is_err(), at == 2, "{lost:?}");
        let head = append(&faulty, &key, None, one).await;
        assert_eq!(head.hash, Sha256::of(&stored(&inner, 1).await));
        assert_whole(&whole, key.public(), 1).await;
    }
}

#[tokio::test]
async fn the_same_body_is_not_believed_under_another_signature() {
    let key = EcdsaSigner::new("service");
    let (foreign, impostor) = (EcdsaSigner::new("foreign"), EcdsaSigner::new("service"));
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let archive = key.archive(store.clone()).await;
    let one = addition(&archive, None, b"one\n").await;
    let body = append(&archive, &key, None, one.clone()).await.body;
    let text = body.checkpoint().unwrap().text();
    for (signer, named) in [(&foreign, &foreign), (&impostor, &impostor), (&impostor, &key)] {
        let signature = signer.sign(text.as_bytes()).await.unwrap();
        let checkpoint = note::assemble(&text, named.public(), &signature);
        let planted = canonical::to_vec(&Commit { body: body.clone(), checkpoint }).unwrap();
        store.put(&layout::commit(TRAIL, 1), planted.into()).await.unwrap();
        let refused = trail::append(&archive, &key, TRAIL, None, one.clone()).await;
        assert!(matches!(refused, Err(TrailError::Distrusted { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn without_a_signature_no_commit_is_written() {
    let key = EcdsaSigner::new("service");
    let archive = key.archive(Arc::new(InMemory::new())).await;
    let one = addition(&archive, None, b"one\n").await;
    let silent = Silent(key.public().clone());
    let refused = trail::append(&archive, &silent, TRAIL, None, one.clone()).await;
    assert!(matches!(&refused, Err(TrailError::Sign(error)) if error.key == "service"), "{refused:?}");
    assert!(trail::head(&archive, TRAIL).await.unwrap().is_none());
    // The segment that was put before is used by the attempt that succeeds.
    append(&archive, &key, None, one).await;
    assert_whole(&archive, key.public(), 1).await;
}
