//! Two verifiers, one verdict: what `Verification::run` says of an archive, the one in `tests/verifier` must say, too.
//!
//! That one is written in another language from `docs/spec/archive.md`. All cases go to it in one batch.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use auditkeep_archive::checkpoint::Checkpoint;
use auditkeep_archive::local::DurableDirectory;
use auditkeep_archive::verify::{Depth, Report, Verdict, Verification, verify};
use auditkeep_core::integrity::key::VerifyingKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use object_store::ObjectStore;
use serde_json::{Value, json};

use crate::attacks::forger::{Forger, Objects};
use crate::building;

const WORKERS: usize = 4;

/// An archive, and how it is to be verified.
#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub forger: Forger,
    pub roots: Vec<VerifyingKey>,
    pub depth: Depth,
    pub trails: Vec<String>,
    /// By name.
    pub checkpoints: Vec<(String, Bytes)>,
    pub since: Option<(String, Bytes)>,
}

/// Verdict, object, and whether it speaks against the archive.
pub type Found = BTreeSet<(String, String, bool)>;

/// What a verifier says; an error is one whatever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Unreadable,
    Report { found: Found, counts: [u64; 5] },
}

impl Case {
    pub fn deep(name: impl Into<String>, forger: Forger, root: VerifyingKey) -> Self {
        let name = name.into();
        Self {
            name,
            forger,
            roots: vec![root],
            depth: Depth::Deep,
            trails: Vec::new(),
            checkpoints: Vec::new(),
            since: None,
        }
    }

    pub fn verification(&self) -> Result<Verification, String> {
        let parse = |(name, bytes): &(String, Bytes)| {
            Checkpoint::parse(name, bytes).map_err(|error| error.to_string())
        };
        Ok(Verification {
            roots: self.roots.clone(),
            depth: self.depth,
            trails: self.trails.clone(),
            checkpoints: self.checkpoints.iter().map(parse).collect::<Result<_, _>>()?,
            since: self.since.as_ref().map(parse).transpose()?,
        })
    }

    pub async fn run(&self) -> Result<Report, String> {
        let store = self.forger.store().await;
        self.verification()?.run(store, &|_| {}).await.map_err(|error| error.to_string())
    }

    /// One line of the batch, relative to the archive in a directory.
    fn line(&self, base: &Path, in_base: &Objects) -> Value {
        let files = |files: &[(String, Bytes)]| -> BTreeMap<String, String> {
            files.iter().map(|(name, bytes)| (name.clone(), STANDARD.encode(bytes))).collect()
        };
        let objects = &self.forger.objects;
        let other = objects.iter().filter(|(name, bytes)| in_base.get(*name) != Some(bytes));
        let mut changes: BTreeMap<&str, Option<String>> =
            other.map(|(name, bytes)| (name.as_str(), Some(STANDARD.encode(bytes)))).collect();
        let gone = in_base.keys().filter(|name| !objects.contains_key(*name));
        changes.extend(gone.map(|name| (name.as_str(), None)));
        let since: Vec<_> = self.since.iter().cloned().collect();
        json!({
            "name": self.name, "archive": base, "changes": changes, "keys": self.roots, "trails": self.trails,
            "shallow": self.depth == Depth::Shallow, "checkpoints": files(&self.checkpoints), "since": files(&since),
        })
    }
}

pub fn found(report: &Report) -> Found {
    let found = report.findings.iter();
    found
        .map(|finding| (finding.verdict.name().to_owned(), finding.object.clone(), finding.against))
        .collect()
}

pub fn expected(of: &[(Verdict, String)], remarks: &[(Verdict, String)]) -> Found {
    let against = |(verdict, object): &(Verdict, String)| {
        (verdict.name().to_owned(), object.clone(), !matches!(verdict, Verdict::Extra | Verdict::Expired))
    };
    let remark = |(verdict, object): &(Verdict, String)| (verdict.name().to_owned(), object.clone(), false);
    of.iter().map(against).chain(remarks.iter().map(remark)).collect()
}

fn run_all(cases: &[Case]) -> Vec<Result<Report, String>> {
    let run_some = |cases: &[Case]| -> Vec<_> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        cases.iter().map(|case| runtime.block_on(case.run())).collect()
    };
    std::thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(WORKERS).max(1));
        let workers: Vec<_> = parts.map(|part| scope.spawn(move || run_some(part))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

fn answer(report: &Result<Report, String>) -> Answer {
    match report {
        Err(_) => Answer::Unreadable,
        Ok(report) => Answer::Report {
            found: found(report),
            counts: [
                report.trails,
                report.commits,
                report.journal_commits,
                report.segments,
                report.raw_bytes,
            ],
        },
    }
}

fn other_answer(said: &Value) -> Answer {
    if said.get("error").is_some() {
        return Answer::Unreadable;
    }
    let found = said["findings"].as_array().unwrap().iter().map(|finding| {
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        (text("verdict"), text("object"), finding["against"].as_bool().unwrap())
    });
    let counts = ["trails", "commits", "journal_commits", "segments", "raw_bytes"];
    Answer::Report { found: found.collect(), counts: counts.map(|key| said[key].as_u64().unwrap()) }
}

/// Verifies all cases with both verifiers, which must say the same. Gives the reports of the one that is tested.
pub fn verify_twice(cases: &[Case]) -> Vec<Result<Report, String>> {
    let reports = run_all(cases);
    let base = tempfile::tempdir().unwrap();
    let in_base = cases.first().map(|case| case.forger.objects.clone()).unwrap_or_default();
    for (name, bytes) in &in_base {
        let file = base.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
    let lines: Vec<Value> = cases.iter().map(|case| case.line(base.path(), &in_base)).collect();
    let mut disagreements = Vec::new();
    for ((case, report), said) in cases.iter().zip(&reports).zip(batch(&lines)) {
        assert_eq!(said["name"], case.name);
        let (ours, other) = (answer(report), other_answer(&said));
        if ours != other {
            let error = report.as_ref().err();
            disagreements.push(format!(
                "{}\n  ours:  {ours:?} {error:?}\n  other: {other:?} {}",
                case.name, said["error"]
            ));
        }
    }
    assert!(
        disagreements.is_empty(),
        "{} of {}:\n{}",
        disagreements.len(),
        cases.len(),
        disagreements.join("\n")
    );
    reports
}

/// What the other verifier answers to each line.
pub fn batch(lines: &[Value]) -> Vec<Value> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
    std::fs::write(file.path(), text.join("\n")).unwrap();
    let output = python().arg(verifier().join("verify.py")).arg("--batch").arg(file.path()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), lines.len(), "{errors}");
    answers
}

pub fn verifier() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifier")
}

/// The interpreter named by `AUDITKEEP_LAB_PYTHON`, or the one that `cargo xtask setup` made.
pub fn python() -> Command {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.lab/venv/bin/python");
    let python = std::env::var_os("AUDITKEEP_LAB_PYTHON").map_or(made, PathBuf::from);
    assert!(python.exists(), "{} is not there: run `cargo xtask setup`", python.display());
    let mut command = Command::new(python);
    // No compiled modules beside the sources.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

#[test]
fn the_other_verifier_passes_its_own_tests() {
    let output = python().args(["-m", "unittest"]).current_dir(verifier()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Whoever can plant a file cannot keep the archive from being verified.
#[tokio::test]
async fn files_that_no_object_can_be() {
    let place = tempfile::tempdir().unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(DurableDirectory::new(place.path()).unwrap());
    let archive = building::with_commits(store, 2).await;
    let planted: [(&[u8], &str); 4] = [
        (b"raw/a\nb.zst", "raw/a%0Ab.zst"),
        (b"raw/\xFF/x.zst", "raw/%FF/x.zst"),
        (b"trails/x\x7F/commits/00000000000000000001.json", "trails/x%7F/commits/00000000000000000001.json"),
        (b"trails/a b/head", "trails/a b/head"),
    ];
    for (name, _) in planted {
        let file = place.path().join(OsStr::from_bytes(name));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "planted").unwrap();
    }
    let root = building::key(1).public().clone();
    let report = verify(&archive, std::slice::from_ref(&root), &|_| {}).await.unwrap();
    let extra: Vec<_> = planted.iter().map(|(_, name)| (Verdict::Extra, (*name).to_owned())).collect();
    assert_eq!(found(&report), expected(&extra, &[]));
    let line = json!({
        "name": "planted", "archive": place.path(), "changes": {}, "keys": [root], "trails": [],
        "shallow": false, "checkpoints": {}, "since": {},
    });
    assert_eq!(other_answer(&batch(&[line])[0]), answer(&Ok(report)));
}
