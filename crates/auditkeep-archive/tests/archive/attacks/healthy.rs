//! Archives that nobody has attacked: none of them is accused, whatever has happened to it.

use std::sync::Arc;

use auditkeep_archive::archive::Archive;
use auditkeep_archive::control::{ControlLeaf, Event};
use auditkeep_archive::layout::JOURNAL;
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::trail::{self, Stamp};
use auditkeep_archive::verify::Depth;
use auditkeep_archive::verify::Verdict::{self, Expired, Extra, Gap};
use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::memory::InMemory;

use super::forger::{Forger, extend, segment};
use super::honest::{A, B, EXPIRED, ID, LAST, TRAILS, first, gap, generation, honest, hour, second};
use super::{Attack, KEPT, check};
use crate::agreement::{Case, expected, found, verify_twice};
use crate::building;
use crate::faults::FaultyStore;

async fn healthy(what: &str, happens: impl FnOnce(&mut Forger)) -> Attack {
    Attack::new(what, happens).await
}

#[tokio::test]
async fn what_happens_to_archives() {
    let given_up = &honest().await.given_up;
    let mut all = Vec::new();
    let (leaf, object) = segment(B, "audit.log", &generation("new"), 0, b"a line\n", hour(99));
    let left = leaf.object.clone();
    all.push(
        healthy("a crash before the commit", |on| on.put(&left, object.clone())).await.finds(Extra, &left),
    );
    let (grown, longer) = segment(B, "audit.log", &generation("new"), 0, b"a line\nand more\n", hour(99));
    let two_writers = healthy("a crash before the commit, and the rerun", |on| {
        on.put(&left, object.clone());
        on.put(&grown.object.clone(), longer);
        on.append(B, vec![Leaf::Segment(grown)], &second());
    });
    all.push(two_writers.await.finds(Extra, &left));
    all.push(healthy("a crash in the middle of an expiry", |on| on.objects.extend(given_up.clone())).await);
    let found_anew = healthy("a cursor that is forgotten, and its file again", |on| {
        let mut body = on.next(B, Vec::new());
        body.cursors.clear();
        on.write(&body, &second());
        let (leaf, object) =
            segment(B, "audit.log", &generation(&format!("{B} audit.log 5")), 0, b"a\n", hour(99));
        on.put(&leaf.object.clone(), object);
        on.append(B, vec![Leaf::Segment(leaf)], &second());
    });
    all.push(found_anew.await);
    let odd = ControlLeaf {
        event: "from-the-future".to_owned(),
        time: hour(50),
        detail: [("a".to_owned(), "b".to_owned())].into(),
    };
    all.push(
        healthy("an event that nobody knows", |on| on.append(B, vec![Leaf::Control(odd)], &second())).await,
    );
    let more = Event::Expired.at(hour(70)).with("through", 30);
    let expired_more = healthy("more has expired", |on| {
        on.append(A, vec![Leaf::Control(more)], &second());
        for leaf in (EXPIRED..=30).flat_map(|number| on.segments(A, number)).collect::<Vec<_>>() {
            on.objects.remove(&leaf.object);
        }
    });
    all.push(expired_more.await);
    let closed = Event::GapClosed.at(hour(70)).with("gap", gap()).with("how", "archived");
    let closed =
        healthy("the gap is closed", |on| on.append(B, vec![Leaf::Control(closed)], &second())).await;
    all.push(closed.remarks(vec![(Expired, format!("trails/{A}"))]));
    let resealed = healthy("a seal more", |on| on.append(JOURNAL, vec![Leaf::Seal(on.seal())], &second()));
    all.push(resealed.await);
    check(all).await;
}

/// A segment that an expired commit names, and a later one too, must be there.
#[tokio::test]
async fn what_is_named_again_is_kept() {
    let again = Attack::new("named again", |on| {
        let leaf = on.segments(A, 1).remove(0);
        let mut body = on.next(A, Vec::new());
        body.cursors.remove(&leaf.cursor_key());
        on.write(&body, &second());
        let mut cursors = body.cursors;
        extend(&mut cursors, &leaf);
        on.append(A, vec![Leaf::Segment(leaf)], &second());
    });
    let object = honest().await.forger.segments(A, 1).remove(0).object;
    let given_up = honest().await.given_up[&object].clone();
    let again = again.await;
    let mut there =
        Attack::new("named again, and there", |on| on.objects.clone_from(&again.forger.objects)).await;
    there.forger.put(&object, given_up);
    check(vec![again.finds(Verdict::Missing, object), there]).await;
}

async fn small(commits: u64) -> (Arc<dyn ObjectStore>, Archive) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let archive = building::with_commits(store.clone(), commits).await;
    (store, archive)
}

#[tokio::test]
async fn small_archives() {
    let mut cases = Vec::new();
    for commits in [0, 1, 3] {
        let (store, _) = small(commits).await;
        cases.push(Case::deep(format!("{commits} commits"), Forger::of(&store).await, first().public));
    }
    let (store, archive) = small(2).await;
    // Later than the next commit, whose writer then says so.
    let stamp = |hours| Stamp { time: hour(hours), writer: "test".to_owned() };
    let said: &[fn(Timestamp) -> ControlLeaf] = &[|at| Event::Exported.at(at), |at| Event::RawRead.at(at)];
    for (hours, event) in [9, 2].into_iter().zip(said) {
        let leaves = [Leaf::Control(event(hour(hours)))];
        let say = |_: &trail::Head| leaves.to_vec();
        trail::record(&archive, &building::key(1), building::TRAIL, &stamp(hours), &say).await.unwrap();
    }
    cases.push(Case::deep("the clock went back", Forger::of(&store).await, first().public));
    let mut own_keys =
        Case::deep("with the keys that it names itself", Forger::of(&store).await, first().public);
    own_keys.roots.clear();
    cases.push(own_keys);
    let mut by_later_key =
        Case::deep("with a later key alone", honest().await.forger.clone(), second().public);
    by_later_key.roots.push(first().public);
    let remarked = cases.len();
    cases.push(by_later_key);
    let reports = verify_twice(&cases);
    for (index, report) in reports.into_iter().enumerate() {
        let remarks = if index == remarked { super::remarks() } else { Vec::new() };
        assert_eq!(found(&report.unwrap()), expected(&[], &remarks), "{}", cases[index].name);
    }
}

/// A store that does not answer says nothing of what is stored.
#[tokio::test]
async fn a_read_that_fails_accuses_nobody() {
    let honest = Case::deep("honest", honest().await.forger.clone(), first().public);
    let (seal, _) = super::kept().await;
    let since = Case { depth: Depth::Shallow, since: Some((KEPT.to_owned(), seal)), ..honest.clone() };
    let shallow = Case { depth: Depth::Shallow, ..honest };
    for case in [shallow, since] {
        let store = case.forger.store().await;
        let whole = case.verification().unwrap().run(store.clone(), &|_| {}).await.unwrap();
        let counting = Arc::new(FaultyStore::failing_read(store.clone(), 0));
        case.verification().unwrap().run(counting.clone(), &|_| {}).await.unwrap();
        assert!(counting.reads() > 10);
        for at in 1..=counting.reads() {
            let failing = Arc::new(FaultyStore::failing_read(store.clone(), at));
            let report = case.verification().unwrap().run(failing, &|_| {}).await;
            assert!(
                report.is_err() || report.is_ok_and(|report| found(&report) == found(&whole)),
                "read {at}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_report_counts() {
    let case = Case::deep("honest", honest().await.forger.clone(), first().public);
    let report = verify_twice(&[case]).remove(0).unwrap();
    let forger = &honest().await.forger;
    let numbered = TRAILS.into_iter().flat_map(|id| (1..=LAST).map(move |number| (id, number)));
    let numbered = numbered.filter(|(id, number)| *id != A || *number > EXPIRED);
    let mut segments: Vec<_> = numbered.flat_map(|(id, number)| forger.segments(id, number)).collect();
    // Of what expired, the beginning of a record that goes on is kept.
    let kept =
        forger.segments(A, EXPIRED).into_iter().filter(|leaf| forger.objects.contains_key(&leaf.object));
    segments.extend(kept);
    let raw_bytes: u64 = segments.iter().map(|leaf| leaf.to - leaf.from).sum();
    assert_eq!(
        (report.archive.as_str(), report.trails, report.commits, report.journal_commits),
        (ID, 3, 120, 10)
    );
    assert_eq!((report.segments, report.raw_bytes), (segments.len() as u64, raw_bytes));
    assert!(segments.len() > 250);
    assert_eq!(report.findings.iter().filter(|finding| finding.verdict == Gap).count(), 1);
}
