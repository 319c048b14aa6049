//! What can be done to an archive, and what verification calls it.
//!
//! Each attack is made on a copy of one archive and has its exact findings, deep and shallow, with a checkpoint that was kept
//! elsewhere and without. No attack passes for a healthy archive, but for those that only a kept checkpoint shows; no healthy
//! archive is accused. Two verifiers must say the same.

pub mod forger;
mod healthy;
pub mod honest;
mod incremental;
pub mod pen;
mod random;
mod signed;
mod stored;

use auditkeep_archive::verify::{Depth, Verdict};
use bytes::Bytes;

use self::forger::Forger;
use self::honest::{first, honest, kept, remarks};
use crate::agreement::{Case, expected, found, verify_twice};

pub const KEPT: &str = "kept seal";

/// An archive after an attack, and what is found then.
pub struct Attack {
    name: String,
    forger: Forger,
    /// Deep and shallow.
    found: Vec<(Verdict, String)>,
    /// Only when every segment is read.
    only_deep: Vec<(Verdict, String)>,
    /// Besides, with the seal that was kept elsewhere.
    by_seal: Vec<(Verdict, String)>,
    /// Besides, if only its note was kept.
    by_note: Vec<(Verdict, String)>,
    remarks: Vec<(Verdict, String)>,
    unreadable: bool,
}

/// What a way to verify is called, its depth, the checkpoint, and what is found besides.
type Way<'a> = (&'static str, Depth, Option<Bytes>, [&'a [(Verdict, String)]; 2]);

impl Attack {
    pub async fn new(name: impl Into<String>, attack: impl FnOnce(&mut Forger)) -> Self {
        let mut forger = honest().await.forger.clone();
        attack(&mut forger);
        Self {
            name: name.into(),
            forger,
            found: Vec::new(),
            only_deep: Vec::new(),
            by_seal: Vec::new(),
            by_note: Vec::new(),
            remarks: remarks(),
            unreadable: false,
        }
    }

    pub fn finds(mut self, verdict: Verdict, object: impl Into<String>) -> Self {
        self.found.push((verdict, object.into()));
        self
    }

    pub fn finds_all(mut self, verdict: Verdict, objects: impl IntoIterator<Item = String>) -> Self {
        self.found.extend(objects.into_iter().map(|object| (verdict, object)));
        self
    }

    pub fn only_deep(mut self, verdict: Verdict, object: impl Into<String>) -> Self {
        self.only_deep.push((verdict, object.into()));
        self
    }

    /// With the checkpoint, whole or as a note.
    pub fn by_checkpoint(mut self, verdict: Verdict, object: impl Into<String>) -> Self {
        let object = object.into();
        self.by_note.push((verdict, object.clone()));
        self.by_seal(verdict, object)
    }

    /// With the whole seal only.
    pub fn by_seal(mut self, verdict: Verdict, object: impl Into<String>) -> Self {
        self.by_seal.push((verdict, object.into()));
        self
    }

    /// Nothing accuses, and this is what is remarked.
    pub fn remarks(mut self, remarks: Vec<(Verdict, String)>) -> Self {
        self.remarks = remarks;
        self
    }

    pub fn unreadable(mut self) -> Self {
        self.unreadable = true;
        self
    }

    /// The four ways to verify it, with what each finds.
    fn cases(&self, (seal, note): &(Bytes, String)) -> Vec<(Case, Vec<(Verdict, String)>)> {
        let ways: [Way<'_>; 4] = [
            ("deep", Depth::Deep, None, [&self.only_deep, &[]]),
            ("shallow", Depth::Shallow, None, [&[], &[]]),
            ("deep, seal", Depth::Deep, Some(seal.clone()), [&self.only_deep, &self.by_seal]),
            ("shallow, note", Depth::Shallow, Some(note.clone().into()), [&[], &self.by_note]),
        ];
        let case = |(way, depth, checkpoint, more): Way<'_>| {
            let mut case = Case::deep(format!("{}: {way}", self.name), self.forger.clone(), first().public);
            case.depth = depth;
            case.checkpoints = checkpoint.map(|bytes| (KEPT.to_owned(), bytes)).into_iter().collect();
            (case, [self.found.as_slice(), more[0], more[1]].concat())
        };
        ways.map(case).into_iter().collect()
    }
}

/// Verifies each attack in all ways, with both verifiers.
pub async fn check(attacks: Vec<Attack>) {
    let kept = kept().await;
    let mut cases = vec![Case::deep("honest", honest().await.forger.clone(), first().public)];
    let mut wanted = vec![Some((expected(&[], &remarks()), true))];
    for attack in &attacks {
        for (case, findings) in attack.cases(&kept) {
            let holds =
                !findings.iter().any(|(verdict, _)| !matches!(verdict, Verdict::Extra | Verdict::Expired));
            wanted.push((!attack.unreadable).then(|| (expected(&findings, &attack.remarks), holds)));
            cases.push(case);
        }
    }
    let mut wrong = Vec::new();
    for ((case, wanted), report) in cases.iter().zip(wanted).zip(verify_twice(&cases)) {
        match (wanted, report) {
            (None, Err(_)) => {}
            (Some((wanted, holds)), Ok(report))
                if found(&report) == wanted && report.holds(false) == holds => {}
            (wanted, report) => {
                let findings = report.map(|report| report.findings);
                wrong.push(format!("{}\n  wanted: {wanted:?}\n  found:  {findings:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
