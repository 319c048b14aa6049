//! Each way to tamper gets its verdict, and a healthy archive gets none.

use std::sync::Arc;

use auditkeep_archive::archive::{Archive, ArchiveError};
use auditkeep_archive::layout;
use auditkeep_archive::verify::{Report, Verdict, VerifyError, verify};
use auditkeep_core::integrity::canonical;
use auditkeep_core::integrity::checkpoint::Checkpoint;
use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::note;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::building::{TRAIL, key, with_commits};

const COMMITS: u64 = 9;

struct Victim {
    store: Arc<dyn ObjectStore>,
    archive: Archive,
}

impl Victim {
    async fn new() -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        Self { archive: with_commits(store.clone(), COMMITS).await, store }
    }

    async fn report(&self) -> Report {
        verify(&self.archive, &[key(1).public().clone()], &|_| {}).await.unwrap()
    }

    /// All findings, as `VERDICT object`.
    async fn verdicts(&self) -> Vec<(Verdict, String)> {
        self.report().await.findings.into_iter().map(|finding| (finding.verdict, finding.object)).collect()
    }

    async fn segments(&self) -> Vec<Path> {
        let mut paths: Vec<Path> = self
            .store
            .list(Some(&layout::raw()))
            .map_ok(|object| object.location)
            .try_collect()
            .await
            .unwrap();
        paths.sort_by_key(|path| {
            path.filename().and_then(|name| name.split('-').next()).and_then(|from| from.parse::<u64>().ok())
        });
        paths
    }

    async fn read(&self, path: &Path) -> Vec<u8> {
        self.store.get(path).await.unwrap().bytes().await.unwrap().to_vec()
    }

    async fn write(&self, path: &Path, bytes: Vec<u8>) {
        self.store.put(path, bytes.into()).await.unwrap();
    }
}

fn commit(number: u64) -> Path {
    layout::commit(TRAIL, number)
}

#[tokio::test]
async fn a_healthy_archive_is_not_accused() {
    let report = Victim::new().await.report().await;
    assert!(report.holds(true), "{:?}", report.findings);
    assert_eq!((report.trails, report.commits, report.segments), (1, COMMITS, COMMITS));
    assert_eq!(report.raw_bytes, COMMITS * 9 * 9);
}

#[tokio::test]
async fn any_flipped_bit_of_a_commit_is_noticed() {
    let victim = Victim::new().await;
    let whole = victim.read(&commit(5)).await;
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        victim.write(&commit(5), flipped).await;
        let verdicts = victim.verdicts().await;
        assert!(
            verdicts.iter().any(|(verdict, object)| {
                *object == commit(5).to_string() && matches!(verdict, Verdict::Modified | Verdict::KeyUnknown)
            }),
            "byte {at}: {verdicts:?}"
        );
    }
}

#[tokio::test]
async fn any_flipped_bit_of_a_segment_is_noticed() {
    let victim = Victim::new().await;
    let path = victim.segments().await[4].clone();
    let whole = victim.read(&path).await;
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        victim.write(&path, flipped).await;
        assert_eq!(victim.verdicts().await, [(Verdict::Modified, path.to_string())], "byte {at}");
    }
}

#[tokio::test]
async fn deleted_objects_are_missing() {
    let victim = Victim::new().await;
    let segment = victim.segments().await[2].clone();
    victim.store.delete(&segment).await.unwrap();
    assert_eq!(victim.verdicts().await, [(Verdict::Missing, segment.to_string())]);

    let victim = Victim::new().await;
    victim.store.delete(&commit(4)).await.unwrap();
    let orphan = victim.segments().await[3].to_string();
    assert_eq!(
        victim.verdicts().await,
        [(Verdict::Missing, commit(4).to_string()), (Verdict::Extra, orphan)]
    );
}

#[tokio::test]
async fn swapped_objects_are_noticed() {
    let victim = Victim::new().await;
    let (third, fourth) = (victim.read(&commit(3)).await, victim.read(&commit(4)).await);
    victim.write(&commit(3), fourth).await;
    victim.write(&commit(4), third).await;
    let verdicts = victim.verdicts().await;
    for number in [3, 4] {
        assert!(verdicts.contains(&(Verdict::Reordered, commit(number).to_string())), "{verdicts:?}");
    }

    let victim = Victim::new().await;
    let segments = victim.segments().await;
    let (first, second) = (victim.read(&segments[0]).await, victim.read(&segments[1]).await);
    victim.write(&segments[0], second).await;
    victim.write(&segments[1], first).await;
    let mut expected: Vec<_> =
        segments[..2].iter().map(|path| (Verdict::Modified, path.to_string())).collect();
    expected.sort();
    assert_eq!(victim.verdicts().await, expected);
}

#[tokio::test]
async fn another_history_with_the_right_key_is_a_fork() {
    let victim = Victim::new().await;
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let other = with_commits(store.clone(), 2).await;
    // The same archive and key, but its third commit follows another second one.
    let head = auditkeep_archive::trail::head(&other, TRAIL).await.unwrap();
    crate::building::append(&other, head.as_ref(), b"never happened\n").await;
    let forged = store.get(&commit(3)).await.unwrap().bytes().await.unwrap();
    victim.write(&commit(3), forged.to_vec()).await;
    let verdicts = victim.verdicts().await;
    assert!(verdicts.contains(&(Verdict::Forked, commit(4).to_string())), "{verdicts:?}");
    assert!(!victim.report().await.holds(false));
}

#[tokio::test]
async fn an_unknown_key_is_called_that() {
    let victim = Victim::new().await;
    let report = verify(&victim.archive, &[key(2).public().clone()], &|_| {}).await.unwrap();
    // Each commit, the journal's only one, and each segment.
    assert_eq!(report.findings.len() as u64, COMMITS + 1 + COMMITS);
    let by = |verdict| report.findings.iter().filter(|finding| finding.verdict == verdict).count() as u64;
    assert_eq!((by(Verdict::KeyUnknown), by(Verdict::Extra)), (COMMITS + 1, COMMITS));
    assert!(!report.holds(false));
}

#[tokio::test]
async fn planted_objects_are_extra_and_accuse_only_when_strict() {
    let victim = Victim::new().await;
    victim.write(&Path::from("raw/local/planted.zst"), b"x".to_vec()).await;
    victim.write(&layout::trail(TRAIL).join("notes"), b"x".to_vec()).await;
    let report = victim.report().await;
    assert!(report.findings.iter().all(|finding| finding.verdict == Verdict::Extra));
    assert_eq!(report.findings.len(), 2);
    assert!(report.holds(false) && !report.holds(true));
}

#[tokio::test]
async fn a_planted_number_does_not_keep_verify_busy() {
    let victim = Victim::new().await;
    victim.write(&commit(u64::MAX), b"{}".to_vec()).await;
    victim.write(&layout::trails().join("stray"), b"x".to_vec()).await;
    let verdicts = victim.verdicts().await;
    let expected = [
        (Verdict::Modified, commit(u64::MAX).to_string()),
        (Verdict::Missing, commit(COMMITS + 1).to_string()),
        (Verdict::Extra, "trails/stray".to_owned()),
    ];
    assert_eq!(verdicts, expected);
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_not_called_damaged() {
    let victim = Victim::new().await;
    let text = String::from_utf8(victim.read(&commit(9)).await).unwrap();
    let forged = text.replace("\"format\":2,\"journal\"", "\"format\":3,\"journal\"");
    assert_ne!(forged, text);
    victim.write(&commit(9), forged.clone().into_bytes()).await;
    // Understood, and not what was signed.
    assert_eq!(victim.verdicts().await[0], (Verdict::Modified, commit(9).to_string()));

    // Not understood, and not signed either.
    let newer = forged.replace("\"format\":3,\"journal\"", "\"format\":3,\"future\":0,\"journal\"");
    victim.write(&commit(9), newer.clone().into_bytes()).await;
    assert_eq!(victim.verdicts().await[0], (Verdict::Modified, commit(9).to_string()));

    victim.write(&commit(9), signed_again(&newer)).await;
    let refused = verify(&victim.archive, &[key(1).public().clone()], &|_| {}).await;
    assert!(
        matches!(refused, Err(VerifyError::Archive(ArchiveError::Newer { format: 3, .. }))),
        "{refused:?}"
    );
}

/// The same commit with a right note over its body, whatever that is.
fn signed_again(commit: &str) -> Vec<u8> {
    let mut commit: serde_json::Value = serde_json::from_str(commit).unwrap();
    let body = canonical::to_vec(&commit["body"]).unwrap();
    let stated = Checkpoint::parse(commit["checkpoint"].as_str().unwrap()).unwrap();
    let text = Checkpoint { body: Sha256::of(&body), ..stated }.text();
    let signature = key(1).sign(text.as_bytes());
    commit["checkpoint"] = note::assemble(&text, key(1).public(), &signature).into();
    canonical::to_vec(&commit).unwrap()
}

#[tokio::test]
async fn a_trail_under_another_name_is_noticed() {
    let victim = Victim::new().await;
    for number in 1..=COMMITS {
        let bytes = victim.read(&commit(number)).await;
        victim.write(&layout::commit("local.local.other.log-files", number), bytes).await;
    }
    let verdicts = victim.verdicts().await;
    assert_eq!(verdicts.iter().filter(|(verdict, _)| *verdict == Verdict::Reordered).count() as u64, COMMITS);
}
