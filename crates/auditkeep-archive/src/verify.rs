//! Does what is stored deserve belief?
//!
//! Everything is checked against the public keys that the caller trusts, and nothing against what the store says of itself;
//! `docs/spec/archive.md`, §7, says what in which order. The journal comes first, because it says whose signatures count.
//! Whatever lies under `raw/` or `trails/` and is named by no commit is reported as extra.
//!
//! Memory does not grow with a healthy archive: commits are read one after the other, and what must be compared in the end
//! lies on this machine's disk. Damage costs memory, up to [`MAX_FINDINGS`].
//!
//! What cannot be told from the store alone: that the newest commits of all trails were cut off together, or that the holder of
//! the key wrote a second history. That takes a checkpoint that was kept elsewhere.

mod checkpoints;
mod commit;
mod manifest;
mod pins;
mod segments;
mod trail;

use std::collections::BTreeMap;
use std::sync::Arc;

use auditkeep_core::integrity::key::VerifyingKey;
use jiff::Timestamp;
use object_store::ObjectStore;
use serde::Serialize;

use self::pins::Pins;
use self::segments::Segments;
use crate::archive::{Archive, ArchiveError};
use crate::checkpoint::Checkpoint;
use crate::keyring::KeyRing;
use crate::layout::{self, JOURNAL};
use crate::trail::TrailError;

/// Findings that a report holds; the others are only counted.
pub const MAX_FINDINGS: usize = 10_000;

/// What verification says of an object or a trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum Verdict {
    /// Its bytes are not those that were signed, or contradict themselves.
    Modified,
    /// It is named, or the numbering demands it, and it is not there.
    Missing,
    /// It sits where another one belongs.
    Reordered,
    /// It is signed, but another history than the one that is stored, sealed or witnessed.
    Forked,
    /// The journal ends before a checkpoint that was kept elsewhere, or a seal names less than the one before it.
    RolledBack,
    /// A trail ends before a commit that something signed says was there.
    Truncated,
    /// It is signed by no key that is trusted for it.
    KeyUnknown,
    /// Bytes of a log file are accounted for by no segment. Accuses nobody if a signed record explains them.
    Gap,
    /// Segments were given up after their retention. Accuses nobody.
    Expired,
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
            Self::RolledBack => "ROLLED-BACK",
            Self::Truncated => "TRUNCATED",
            Self::KeyUnknown => "KEY-UNKNOWN",
            Self::Gap => "GAP",
            Self::Expired => "EXPIRED",
            Self::Extra => "EXTRA",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub verdict: Verdict,
    /// Name of the object, of the trail's directory, or of an open gap.
    pub object: String,
    pub detail: String,
    /// Whether it speaks against the archive.
    pub against: bool,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Id of the archive.
    #[serde(skip)]
    pub archive: String,
    /// The keys that were trusted to begin with.
    #[serde(skip)]
    pub keys: Vec<VerifyingKey>,
    pub trails: u64,
    /// Of these trails.
    pub commits: u64,
    pub journal_commits: u64,
    pub segments: u64,
    /// Bytes of audit log whose hashes were found right; in a shallow verification, those that the segments must hold.
    pub raw_bytes: u64,
    /// The newest seal in the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    pub findings: Vec<Finding>,
    /// Findings that are only counted, because there are so many.
    #[serde(skip_serializing_if = "crate::standing::is_zero")]
    pub more_findings: u64,
    /// Of all findings, those against the archive.
    #[serde(skip)]
    pub against: u64,
    /// Of all findings, those that count only in a strict verification: extra objects, and gaps that are explained.
    #[serde(skip)]
    pub noted: u64,
}

/// A seal, as a report names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// Of the journal commit.
    pub commit: u64,
    pub time: Timestamp,
}

impl Report {
    /// Whether the evidence stands. Extra objects and explained gaps do not speak against it unless `strict`.
    pub fn holds(&self, strict: bool) -> bool {
        self.against == 0 && (!strict || self.noted == 0)
    }

    fn add(&mut self, verdict: Verdict, object: impl Into<String>, detail: impl Into<String>) {
        let against = !matches!(verdict, Verdict::Expired | Verdict::Extra);
        self.push(Finding { verdict, object: object.into(), detail: detail.into(), against });
    }

    fn add_explained_gap(&mut self, gap: &str, detail: String) {
        self.push(Finding { verdict: Verdict::Gap, object: gap.to_owned(), detail, against: false });
    }

    fn push(&mut self, finding: Finding) {
        if finding.against {
            self.against += 1;
        } else if finding.verdict != Verdict::Expired {
            self.noted += 1;
        }
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }
}

/// How closely segments are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Every segment is read, hashed and decompressed.
    #[default]
    Deep,
    /// Segments must be listed with the right size.
    Shallow,
}

/// What is to be verified, and by what.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// The public keys that are trusted; with none, those of `archive.json`, which whoever can replace the archive can replace.
    pub roots: Vec<VerifyingKey>,
    pub depth: Depth,
    /// These trails, and the journal; with none, all. Extra segments are then not looked for.
    pub trails: Vec<String>,
    /// Checkpoints that were kept elsewhere.
    pub checkpoints: Vec<Checkpoint>,
    /// A seal that was verified before: what it covers is believed.
    pub since: Option<Checkpoint>,
}

/// Why a verification came to no answer. What is wrong with what is stored is a finding, not an error.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("keeping track on this machine's disk failed")]
    Spill(#[from] std::io::Error),
    #[error("the checkpoint `{name}` holds no seal, so nothing can begin there")]
    NoSeal { name: String },
    #[error("there is no trail `{trail}`")]
    NoTrail { trail: String },
    #[error("whose signatures count cannot be told")]
    Keys(#[from] TrailError),
}

/// The full check of every trail. `progress` is called now and then with the report so far.
pub async fn verify(
    archive: &Archive,
    keys: &[VerifyingKey],
    progress: &(dyn Fn(&Report) + Sync),
) -> Result<Report, VerifyError> {
    let verification = Verification { roots: keys.to_vec(), ..Verification::default() };
    verification.run(Arc::clone(archive.store()), progress).await
}

/// The id of the archive that a store holds, as it says itself.
pub async fn archive_id(store: Arc<dyn ObjectStore>) -> Result<String, ArchiveError> {
    let archive = manifest::open(store, &[], &mut Report::default()).await?;
    Ok(archive.manifest().id.clone())
}

impl Verification {
    pub async fn run(
        &self,
        store: Arc<dyn ObjectStore>,
        progress: &(dyn Fn(&Report) + Sync),
    ) -> Result<Report, VerifyError> {
        let mut report = Report::default();
        let archive = manifest::open(store, &self.roots, &mut report).await?;
        let roots = if self.roots.is_empty() { archive.manifest().keys.clone() } else { self.roots.clone() };
        report.archive.clone_from(&archive.manifest().id);
        report.keys.clone_from(&roots);
        let check = Check {
            archive: &archive,
            asked: self,
            keys: KeyRing::of_roots(roots),
            report,
            segments: Segments::new(self.depth),
            pins: Pins::default(),
            last_numbers: BTreeMap::new(),
            progress,
        };
        check.run().await
    }

    fn is_partial(&self) -> bool {
        self.since.is_some() || !self.trails.is_empty()
    }
}

/// A verification under way.
struct Check<'a> {
    archive: &'a Archive,
    asked: &'a Verification,
    keys: KeyRing,
    report: Report,
    segments: Segments,
    pins: Pins,
    /// The number of each trail's last commit that is stored.
    last_numbers: BTreeMap<String, u64>,
    progress: &'a (dyn Fn(&Report) + Sync),
}

impl Check<'_> {
    async fn run(mut self) -> Result<Report, VerifyError> {
        let (stored, strays) = self.archive.trails_and_strays().await?;
        for stray in strays {
            self.report.add(Verdict::Extra, stray.to_string(), "it belongs to no trail");
        }
        if let Some(unknown) = self.asked.trails.iter().find(|trail| !stored.contains(trail)) {
            return Err(VerifyError::NoTrail { trail: unknown.clone() });
        }
        let starts = self.begin_after().await?;
        self.trail(JOURNAL, starts.get(JOURNAL)).await?;
        self.compare_checkpoints().await?;
        for trail in &stored {
            if !self.is_asked_for(trail) {
                continue;
            }
            self.trail(trail, starts.get(trail)).await?;
            // A directory without commits is no trail.
            self.report.trails += u64::from(self.last_numbers.get(trail).is_some_and(|last| *last > 0));
        }
        self.segments.finish(&mut self.report).await?;
        if !self.asked.is_partial() {
            self.segments.list(self.archive).await?;
        }
        self.segments.compare(&mut self.report)?;
        self.compare_pins().await?;
        self.report.findings.sort_by(|a, b| (a.verdict, &a.object).cmp(&(b.verdict, &b.object)));
        Ok(self.report)
    }

    fn is_asked_for(&self, trail: &str) -> bool {
        let asked = &self.asked.trails;
        trail != JOURNAL && (asked.is_empty() || asked.iter().any(|asked| asked == trail))
    }

    /// The directory of a trail, as findings name it.
    fn trail_name(trail: &str) -> String {
        layout::trail(trail).to_string()
    }
}

/// An error with its causes, in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}
