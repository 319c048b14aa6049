//! Does what is stored deserve belief?
//!
//! Everything is checked against the public keys that the caller trusts, and nothing against what the store says of
//! itself. Each commit must be spelled canonically, sit under its own number, follow the commit before it, carry a right
//! signature over its tree and its body, and name segments that exist, have the stated hashes, and continue one another
//! without overlap or hole. Whatever lies under `raw/` or `trails/` and is named by no commit is reported as extra.
//!
//! What cannot be told from the store alone: that the newest commits or a whole trail were cut off, or that the holder of
//! the key wrote a second history. That takes a checkpoint that was kept elsewhere.

mod trail;

use std::collections::HashSet;

use auditkeep_core::integrity::hash::Sha256;
use auditkeep_core::integrity::key::VerifyingKey;
use futures::TryStreamExt;
use serde::Serialize;

use crate::archive::{Archive, ArchiveError, failed};
use crate::layout;

/// What verification says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum Verdict {
    /// Its bytes are not those that were signed.
    Modified,
    /// A commit names it, or the numbering demands it, and it is not there.
    Missing,
    /// It sits where another one belongs.
    Reordered,
    /// It is signed, but does not follow what is stored before it.
    Forked,
    /// Signed by a key that the verifier does not trust.
    KeyUnknown,
    /// Bytes of a log file between two segments are accounted for by neither.
    Gap,
    /// Nobody names it: the remains of a crash, or planted. Accuses nobody.
    Extra,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Self::Modified => "MODIFIED",
            Self::Missing => "MISSING",
            Self::Reordered => "REORDERED",
            Self::Forked => "FORKED",
            Self::KeyUnknown => "KEY-UNKNOWN",
            Self::Gap => "GAP",
            Self::Extra => "EXTRA",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub verdict: Verdict,
    /// Name of the object, or for a gap the log file.
    pub object: String,
    pub detail: String,
}

/// What was looked at, and what was found wrong.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub trails: u64,
    pub commits: u64,
    pub segments: u64,
    /// Bytes of audit log whose hashes were found right.
    pub raw_bytes: u64,
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether the evidence stands. Extra objects do not speak against it unless `strict`.
    pub fn holds(&self, strict: bool) -> bool {
        self.findings.iter().all(|finding| finding.verdict == Verdict::Extra && !strict)
    }

    fn add(&mut self, verdict: Verdict, object: impl Into<String>, detail: impl Into<String>) {
        self.findings.push(Finding { verdict, object: object.into(), detail: detail.into() });
    }
}

/// The full check of every trail. `progress` is called now and then with the report so far.
///
/// Fails only if the store cannot be read, or was written by a newer version; whatever else is wrong with what it holds is
/// a finding.
pub async fn verify(
    archive: &Archive,
    keys: &[VerifyingKey],
    progress: &(dyn Fn(&Report) + Sync),
) -> Result<Report, ArchiveError> {
    let mut report = Report::default();
    let mut named = NamedObjects::default();
    let (trails, strays) = archive.trails_and_strays().await?;
    for stray in strays {
        report.add(Verdict::Extra, stray.to_string(), "it belongs to no trail");
    }
    for id in trails {
        trail::verify(archive, &id, keys, &mut report, &mut named, progress).await?;
        report.trails += 1;
    }
    find_extra_segments(archive, &named, &mut report).await?;
    report.findings.sort_by(|a, b| (a.verdict, &a.object).cmp(&(b.verdict, &b.object)));
    Ok(report)
}

/// Names of the segments that commits name. Sixteen bytes each: forging a collision gains nothing but an object less
/// reported as extra.
#[derive(Default)]
struct NamedObjects(HashSet<[u8; 16]>);

impl NamedObjects {
    fn digest(name: &str) -> [u8; 16] {
        let mut digest = [0; 16];
        digest.copy_from_slice(&Sha256::of(name.as_bytes()).0[..16]);
        digest
    }

    fn insert(&mut self, name: &str) {
        self.0.insert(Self::digest(name));
    }

    fn contains(&self, name: &str) -> bool {
        self.0.contains(&Self::digest(name))
    }
}

async fn find_extra_segments(
    archive: &Archive,
    named: &NamedObjects,
    report: &mut Report,
) -> Result<(), ArchiveError> {
    let raw = layout::raw();
    let mut listed = archive.list(&raw);
    while let Some(object) = listed.try_next().await.map_err(|cause| failed("listing", &raw, cause))? {
        let name = object.location.to_string();
        if !named.contains(&name) {
            report.add(Verdict::Extra, name, "no believable commit names it");
        }
    }
    Ok(())
}
