//! Seals: what they name, what they notice, and what a checkpoint that was kept elsewhere shows.

mod two_faced;

use std::sync::Arc;

use auditkeep_archive::archive::{Archive, ArchiveError, Damage};
use auditkeep_archive::checkpoint::{BadCheckpoint, Checkpoint};
use auditkeep_archive::commit::Commit;
use auditkeep_archive::control::Event;
use auditkeep_archive::journal;
use auditkeep_archive::layout::{self, JOURNAL};
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::seal::{Sealed, seal};
use auditkeep_archive::trail::{self, TrailError};
use auditkeep_archive::verify::{Depth, Report, Verdict, Verification, verify};
use auditkeep_core::integrity::{canonical, note};
use jiff::Timestamp;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use self::two_faced::TwoFaced;
use crate::building::{TRAIL, append, key, stamp, with_commits};

fn store() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

async fn sealed(archive: &Archive) -> Sealed {
    seal(archive, &key(1), &stamp()).await.unwrap()
}

fn checkpoint(seal: &Sealed) -> Checkpoint {
    Checkpoint::parse("kept", &seal.bytes).unwrap()
}

async fn report(store: &Arc<dyn ObjectStore>, verification: Verification) -> Report {
    let verification = Verification { roots: vec![key(1).public().clone()], ..verification };
    verification.run(store.clone(), &|_| {}).await.unwrap()
}

fn verdicts(report: &Report) -> Vec<(Verdict, &str)> {
    report.findings.iter().map(|finding| (finding.verdict, finding.object.as_str())).collect()
}

#[tokio::test]
async fn a_seal_names_every_trail_and_nothing_new_is_a_seal_too() {
    let store = store();
    let archive = with_commits(store.clone(), 5).await;
    let first = sealed(&archive).await;
    let second = sealed(&archive).await;
    assert_eq!((first.trails, first.lost.len(), second.number), (1, 0, first.number + 1));
    let head = trail::head(&archive, TRAIL).await.unwrap().unwrap();
    let seal = checkpoint(&second).seal().unwrap().clone();
    assert_eq!(seal.heads[TRAIL].number, 5);
    assert_eq!(seal.heads[TRAIL].commit, head.hash);
    assert_eq!(seal.heads[TRAIL].root, head.body.tree.root());
    let report = report(&store, Verification::default()).await;
    assert!(report.holds(true), "{:?}", report.findings);
    assert_eq!(report.sealed.unwrap().commit, second.number);
}

#[tokio::test]
async fn sealers_that_race_lose_nothing() {
    let store = store();
    with_commits(store.clone(), 2).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let archive = Archive::open(store.clone()).await.unwrap();
                sealed(&archive).await;
                let head = trail::head(&archive, TRAIL).await.unwrap();
                // Somebody else may have been faster; the seal is what matters here.
                drop(tokio::spawn(async move { append(&archive, head.as_ref(), b"x\n").await }).await);
                sealed(&Archive::open(store).await.unwrap()).await;
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let report = report(&store, Verification::default()).await;
    assert!(report.holds(false), "{:?}", report.findings);
    assert!(report.journal_commits > 8);
}

#[tokio::test]
async fn a_tail_that_was_cut_off_stays_visible() {
    let store = store();
    let archive = with_commits(store.clone(), 5).await;
    sealed(&archive).await;
    store.delete(&layout::commit(TRAIL, 5)).await.unwrap();
    let second = sealed(&archive).await;
    assert_eq!(second.lost.len(), 1);
    assert!(second.lost[0].detail.contains("ends at commit 4"), "{:?}", second.lost);
    assert_eq!(checkpoint(&second).seal().unwrap().heads[TRAIL].number, 5);
    let cut = report(&store, Verification::default()).await;
    let trail = layout::trail(TRAIL).to_string();
    assert!(verdicts(&cut).contains(&(Verdict::Truncated, &trail)), "{cut:?}");
    for number in 1..5 {
        store.delete(&layout::commit(TRAIL, number)).await.unwrap();
    }
    assert_eq!(sealed(&archive).await.lost.len(), 1);
    let gone = report(&store, Verification::default()).await;
    assert!(verdicts(&gone).contains(&(Verdict::Missing, &trail)), "{gone:?}");
}

#[tokio::test]
async fn without_the_seal_before_there_is_no_seal() {
    let store = store();
    let archive = with_commits(store.clone(), 2).await;
    let first = sealed(&archive).await;
    let leaf = Leaf::Control(Event::WitnessReached.at(Timestamp::UNIX_EPOCH).with("witness", "w"));
    journal::append(&archive, &key(1), &stamp(), &|_| vec![leaf.clone()]).await.unwrap();
    store.delete(&layout::commit(JOURNAL, first.number)).await.unwrap();
    let refused = seal(&archive, &key(1), &stamp()).await.unwrap_err();
    let missing = layout::commit(JOURNAL, first.number).to_string();
    assert!(matches!(&refused, TrailError::Hole { object } if *object == missing), "{refused:?}");
}

/// What the holder of the key can sign: a standing that names a commit without a seal.
#[tokio::test]
async fn a_commit_that_is_said_to_have_a_seal_and_has_none_is_no_seal_before() {
    let store = store();
    let archive = with_commits(store.clone(), 2).await;
    sealed(&archive).await;
    let head = trail::head(&archive, JOURNAL).await.unwrap().unwrap();
    let mut body = head.body;
    (body.number, body.previous, body.leaves) = (body.number + 1, Some(head.hash), Vec::new());
    body.standing.as_mut().unwrap().sealed = 1;
    let text = body.checkpoint().unwrap().text();
    let checkpoint = note::assemble(&text, key(1).public(), &key(1).sign(text.as_bytes()));
    let path = layout::commit(JOURNAL, body.number);
    let planted = canonical::to_vec(&Commit { body, checkpoint }).unwrap();
    store.put(&path, planted.into()).await.unwrap();
    let refused = seal(&archive, &key(1), &stamp()).await.unwrap_err();
    let first = layout::commit(JOURNAL, 1).to_string();
    assert!(matches!(&refused, TrailError::NoSeal { object } if *object == first), "{refused:?}");
}

#[tokio::test]
async fn only_what_was_sealed_is_handed_on() {
    let store = store();
    let archive = with_commits(store.clone(), 2).await;
    let first = sealed(&archive).await;
    let next = layout::commit(JOURNAL, first.number + 1);
    let other = TwoFaced::new(store, next.clone(), layout::commit(JOURNAL, first.number));
    let archive = Archive::open(Arc::new(other)).await.unwrap();
    let refused = seal(&archive, &key(1), &stamp()).await.unwrap_err();
    let TrailError::Archive(ArchiveError::Damaged { object, cause }) = refused else { panic!("{refused:?}") };
    assert!(matches!(cause, Damage::NotAsWritten), "{cause:?}");
    assert_eq!(object, next.to_string());
}

#[tokio::test]
async fn only_a_checkpoint_from_elsewhere_shows_that_everything_was_set_back() {
    let store = store();
    let archive = with_commits(store.clone(), 3).await;
    sealed(&archive).await;
    let before = copy(&store).await;
    let head = trail::head(&archive, TRAIL).await.unwrap();
    append(&archive, head.as_ref(), b"what somebody wants to vanish\n").await;
    let kept = sealed(&archive).await;
    assert!(report(&before, Verification::default()).await.holds(false), "nothing to see");
    let note = Checkpoint::parse("note", kept.note.as_bytes()).unwrap();
    for (name, checkpoint) in [("seal", checkpoint(&kept)), ("note", note)] {
        let checkpoints = vec![checkpoint];
        let whole =
            report(&store, Verification { checkpoints: checkpoints.clone(), ..Verification::default() });
        assert!(whole.await.holds(true), "{name}");
        let set_back = report(&before, Verification { checkpoints, ..Verification::default() }).await;
        let journal = layout::trail(JOURNAL).to_string();
        assert!(verdicts(&set_back).contains(&(Verdict::RolledBack, &journal)), "{name}: {set_back:?}");
    }
}

#[tokio::test]
async fn a_second_history_contradicts_the_checkpoint() {
    let (store, other) = (store(), store());
    let archive = with_commits(store.clone(), 3).await;
    let kept = checkpoint(&sealed(&archive).await);
    // The same key and id; another third commit.
    let second = with_commits(other.clone(), 2).await;
    let head = trail::head(&second, TRAIL).await.unwrap();
    append(&second, head.as_ref(), b"never happened\n").await;
    sealed(&second).await;
    let forked = report(&other, Verification { checkpoints: vec![kept], ..Verification::default() }).await;
    let third = layout::commit(TRAIL, 3).to_string();
    assert!(verdicts(&forked).contains(&(Verdict::Forked, &third)), "{forked:?}");
}

#[tokio::test]
async fn since_a_checkpoint_only_what_is_new_is_read() {
    let store = store();
    let archive = with_commits(store.clone(), 6).await;
    let kept = checkpoint(&sealed(&archive).await);
    let mut head = trail::head(&archive, TRAIL).await.unwrap();
    for _ in 0..3 {
        head = Some(append(&archive, head.as_ref(), b"later\n").await);
    }
    let since = Verification { since: Some(kept), ..Verification::default() };
    let new = report(&store, since.clone()).await;
    assert!(new.holds(true), "{:?}", new.findings);
    assert_eq!((new.commits, new.segments), (3, 3));
    // Damage before is not looked for, damage after is found.
    let leaf = head.unwrap().body.leaves.iter().find_map(Leaf::segment).unwrap().clone();
    store.put(&leaf.object.as_str().into(), "x".into()).await.unwrap();
    assert_eq!(verdicts(&report(&store, since.clone()).await), [(Verdict::Modified, leaf.object.as_str())]);
    store.delete(&layout::commit(TRAIL, 6)).await.unwrap();
    let cut = report(&store, since).await;
    assert!(!cut.holds(false) && cut.commits > 3, "without its beginning, the whole trail is read: {cut:?}");
}

#[tokio::test]
async fn a_shallow_look_finds_what_is_missing_or_short() {
    let store = store();
    let archive = with_commits(store.clone(), 4).await;
    let shallow = Verification { depth: Depth::Shallow, ..Verification::default() };
    let whole = report(&store, shallow.clone()).await;
    assert!(whole.holds(true), "{whole:?}");
    assert_eq!((whole.commits, whole.segments), (4, 4));
    let mut objects = Vec::new();
    for number in 1..=3 {
        let body = trail::read(&archive, TRAIL, number).await.unwrap().unwrap().body;
        objects.push(body.leaves.iter().find_map(Leaf::segment).unwrap().object.clone());
    }
    store.delete(&objects[0].as_str().into()).await.unwrap();
    store.put(&objects[1].as_str().into(), "short".into()).await.unwrap();
    let bytes = store.get(&objects[2].as_str().into()).await.unwrap().bytes().await.unwrap();
    store.put(&objects[2].as_str().into(), vec![0; bytes.len()].into()).await.unwrap();
    let found = report(&store, shallow).await;
    let expected = [(Verdict::Modified, objects[1].as_str()), (Verdict::Missing, objects[0].as_str())];
    assert_eq!(verdicts(&found), expected, "what has the right size is not read");
    assert_eq!(report(&store, Verification::default()).await.against, 3);
}

#[tokio::test]
async fn what_is_no_checkpoint_is_refused() {
    let store = store();
    let archive = with_commits(store.clone(), 1).await;
    let seal = sealed(&archive).await;
    let commit = store.get(&layout::commit(TRAIL, 1)).await.unwrap().bytes().await.unwrap();
    assert!(matches!(Checkpoint::parse("x", &commit), Err(BadCheckpoint::OfAnotherTrail { .. })));
    assert!(matches!(Checkpoint::parse("x", b"{}"), Err(BadCheckpoint::Commit(_))));
    assert!(matches!(Checkpoint::parse("x", b"nonsense"), Err(BadCheckpoint::Form { .. })));
    // A note under another key is read, and not believed.
    let forged = seal.note.replace(key(1).public().name(), key(2).public().name());
    let checkpoints = vec![Checkpoint::parse("forged", forged.as_bytes()).unwrap()];
    let found = report(&store, Verification { checkpoints, ..Verification::default() }).await;
    assert_eq!(verdicts(&found), [(Verdict::KeyUnknown, "forged")]);
}

async fn copy(store: &Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    use futures::TryStreamExt;
    let copy: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    for object in listed {
        let bytes = store.get(&object.location).await.unwrap().bytes().await.unwrap();
        copy.put(&object.location, bytes.into()).await.unwrap();
    }
    let archive = Archive::open(copy.clone()).await.unwrap();
    assert!(verify(&archive, &[key(1).public().clone()], &|_| {}).await.unwrap().holds(false));
    copy
}
