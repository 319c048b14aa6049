//! Verification that begins after a kept seal: what it believes, and what it still sees. And verification of some trails only.

use auditkeep_archive::control::Event;
use auditkeep_archive::layout::{self, JOURNAL};
use auditkeep_archive::leaf::Leaf;
use auditkeep_archive::verify::Depth;
use auditkeep_archive::verify::Verdict::{
    self, Forked, Gap, KeyUnknown, Missing, Modified, RolledBack, Truncated,
};

use super::forger::{Forger, name};
use super::honest::{A, B, C, KEPT_TO, LAST, LAST_SEAL, first, gap, honest, hour, kept, remarks, second};
use super::pen::Pen;
use super::{Attack, KEPT};
use crate::agreement::{Case, expected, found, verify_twice};

struct Since {
    attack: Attack,
    /// With the kept seal to begin after.
    found: Vec<(Verdict, String)>,
    remarks: Vec<(Verdict, String)>,
}

async fn since(what: &str, attack: impl FnOnce(&mut Forger)) -> Since {
    Since { attack: Attack::new(what, attack).await, found: Vec::new(), remarks: remarks() }
}

impl Since {
    fn finds(mut self, verdict: Verdict, object: impl Into<String>) -> Self {
        self.found.push((verdict, object.into()));
        self
    }
}

fn check(all: &[Since], (seal, note): (bytes::Bytes, String)) {
    let mut cases =
        vec![Case::deep("honest", super::honest::HONEST.get().unwrap().forger.clone(), first().public)];
    let mut wanted = Vec::new();
    for each in all {
        for (depth, kept) in [(Depth::Deep, seal.clone()), (Depth::Shallow, note.clone().into())] {
            let mut case = Case::deep(
                format!("{}, {depth:?}", each.attack.name),
                each.attack.forger.clone(),
                first().public,
            );
            (case.depth, case.since) = (depth, Some((KEPT.to_owned(), kept)));
            cases.push(case);
            wanted.push(expected(&each.found, &each.remarks));
        }
    }
    let reports = verify_twice(&cases);
    for ((case, report), wanted) in cases.iter().zip(reports).skip(1).zip(wanted) {
        let report = report.unwrap();
        assert_eq!(found(&report), wanted, "{}: {:?}", case.name, report.findings);
    }
}

#[tokio::test]
async fn what_is_covered_is_believed() {
    let segment = honest().await.forger.segments(B, 10).remove(0).object;
    let mut all = vec![
        since("nothing", |_| {}).await,
        since("an old commit is gone", |on| drop(on.remove(&name(B, 10)))).await,
        since("an old segment is gone", |on| drop(on.remove(&segment))).await,
        since("an old journal commit is another", |on| on.flip(&name(JOURNAL, 8), 50)).await,
        since("something is planted", |on| on.put("raw/x", "x")).await,
    ];
    let gone = since("the commit that was sealed is gone", |on| drop(on.remove(&name(C, KEPT_TO)))).await;
    all.push(gone.finds(Missing, name(C, KEPT_TO)));
    let other = since("the commit that was sealed is another", |on| {
        on.edit(C, KEPT_TO, &second(), |body| body["writer"] = "x".into());
    });
    all.push(other.await.finds(Forked, name(C, KEPT_TO)).finds(Forked, name(C, KEPT_TO + 1)));
    let cut = since("a new commit is gone", |on| drop(on.remove(&name(A, LAST - 1)))).await;
    all.push(cut.finds(Missing, name(A, LAST - 1)));
    let flipped = since("a new commit is another", |on| on.flip(&name(A, LAST - 1), 50)).await;
    all.push(flipped.finds(Modified, name(A, LAST - 1)));
    let less = since("a new seal names less", |on| {
        let mut seal = on.seal();
        seal.heads.remove(C);
        on.append(JOURNAL, vec![Leaf::Seal(seal)], &second());
    });
    all.push(less.await.finds(RolledBack, name(JOURNAL, LAST_SEAL + 2)));
    let early = since("too early an expiry", |on| {
        let expired = Event::Expired.at(hour(50)).with("through", 30);
        on.append(A, vec![Leaf::Control(expired)], &second());
    });
    all.push(early.await.finds(Missing, name(A, LAST + 1)));
    let retired = since("the retired key signs on", |on| on.append(A, Vec::new(), &first())).await;
    all.push(retired.finds(KeyUnknown, name(A, LAST + 1)));
    let stranger = since("a stranger signs", |on| on.append(A, Vec::new(), &Pen::ed25519(9))).await;
    all.push(stranger.finds(KeyUnknown, name(A, LAST + 1)));
    check(&all, kept().await);
}

#[tokio::test]
async fn without_the_seal_all_is_read() {
    let forger = honest().await.forger.clone();
    let (seal, note) = kept().await;
    let mut cut = forger.clone();
    cut.cut(JOURNAL, LAST_SEAL - 1);
    let mut cases = vec![Case::deep("honest", forger.clone(), first().public)];
    let mut wanted = vec![expected(&[], &remarks())];
    for kept in [seal, note.into()] {
        let mut case = Case::deep("the journal ends before it", cut.clone(), first().public);
        case.since = Some((KEPT.to_owned(), kept));
        cases.push(case);
        let journal = layout::trail(JOURNAL).to_string();
        wanted.push(expected(&[(Truncated, journal.clone()), (RolledBack, journal)], &remarks()));
    }
    // A commit of the journal that is no seal: nothing can begin there.
    let mut case = Case::deep("no seal", forger.clone(), first().public);
    case.since = Some((KEPT.to_owned(), forger.stored(JOURNAL, 8).clone()));
    cases.push(case);
    for (trails, remark) in [(vec![A.to_owned()], remarks()[1].clone()), (vec![B.to_owned()], (Gap, gap()))] {
        let mut case = Case::deep(format!("only {trails:?}"), forger.clone(), first().public);
        case.trails = trails;
        cases.push(case);
        wanted.push(expected(&[], &[remark]));
    }
    let mut case = Case::deep("a trail that is not there", forger, first().public);
    case.trails = vec!["x".to_owned()];
    cases.push(case);
    let reports = verify_twice(&cases);
    let errors = reports.iter().filter(|report| report.is_err()).count();
    assert_eq!(errors, 2);
    let found: Vec<_> = reports.iter().flatten().map(found).collect();
    assert_eq!(found, wanted);
}
