//! The archive as the files that lie in its directory: what a killed process has left, told without the product.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use auditkeep_core::integrity::hash::Sha256;
use serde_json::Value;

/// The files below an archive directory, as far as they were looked at. None is ever deleted but what a put has staged.
pub struct Disk {
    archive: PathBuf,
    /// Segments.
    raw: BTreeSet<String>,
    commits: BTreeSet<String>,
    /// Segments that a commit names.
    named: BTreeSet<String>,
    /// What puts have written and not given a name yet: `<name>#<digits>`.
    staging: BTreeSet<String>,
    /// Below `events/` and `problems/`.
    tables: BTreeSet<String>,
}

/// What is on the disk that was not there when it was last looked at.
pub struct News {
    pub commits: usize,
    /// Segments that no commit names.
    pub unnamed: usize,
    /// What killed puts have left, by what they were to become.
    pub staged_segments: usize,
    pub staged_commits: usize,
    pub staged_hints: usize,
    /// A commit was made, and the trail's hint does not name it.
    pub stale_hint: bool,
    pub table_files: usize,
}

impl Disk {
    pub fn new(archive: PathBuf) -> Self {
        let none = BTreeSet::new;
        Self { archive, raw: none(), commits: none(), named: none(), staging: none(), tables: none() }
    }

    /// Looks again. No process may be writing.
    pub fn look(&mut self) -> News {
        let (mut raw, mut commits, mut staging, mut tables) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for name in files_below(&self.archive) {
            let kind = match name.split('/').next().unwrap() {
                _ if is_staging(&name) => &mut staging,
                "raw" if name.ends_with(".zst") => &mut raw,
                "trails" if is_commit(&name) => &mut commits,
                "trails" if name.ends_with("/head") => continue,
                "archive.json" => continue,
                "events" | "problems" => &mut tables,
                _ => unreachable!("no archive has a file {name}"),
            };
            kind.insert(name);
        }
        let new_commits: Vec<String> = commits.difference(&self.commits).cloned().collect();
        for commit in &new_commits {
            self.named.extend(segments_of(&self.archive.join(commit)));
        }
        let new_staging: Vec<String> = staging.difference(&self.staging).cloned().collect();
        let staged = |part: &str| new_staging.iter().filter(|name| name.contains(part)).count();
        let news = News {
            commits: new_commits.len(),
            unnamed: raw.difference(&self.raw).filter(|name| !self.named.contains(*name)).count(),
            staged_segments: staged("raw/"),
            staged_commits: staged("/commits/"),
            staged_hints: staged("/head#"),
            stale_hint: new_commits.iter().any(|commit| !self.is_hinted(commit, &commits)),
            table_files: tables.difference(&self.tables).count(),
        };
        (self.raw, self.commits, self.staging, self.tables) = (raw, commits, staging, tables);
        news
    }

    /// Segments that no commit names.
    pub fn unnamed(&self) -> BTreeSet<String> {
        self.raw.difference(&self.named).cloned().collect()
    }

    /// Leaves what a process leaves that is killed while it puts a segment and a commit: chance may not have done so.
    pub fn leave_half_puts(&self) {
        for name in [self.raw.last(), self.commits.last()] {
            let object = self.archive.join(name.unwrap());
            let bytes = std::fs::read(&object).unwrap();
            let staging = format!("{}#{:039}", object.to_str().unwrap(), 7);
            std::fs::write(staging, &bytes[..bytes.len() / 2]).unwrap();
        }
    }

    /// Segments that no commit names hold the bytes that their names say.
    pub fn assert_unnamed_are_whole(&self) {
        for name in self.unnamed() {
            let raw = zstd::decode_all(File::open(self.archive.join(&name)).unwrap()).unwrap();
            let hash = Sha256::of(&raw).to_string();
            assert!(name.ends_with(&format!("-{hash}.zst")), "{name} holds other bytes");
        }
    }

    /// Trails that have a commit.
    pub fn trails(&self) -> usize {
        let trails: BTreeSet<&str> = self.commits.iter().filter_map(|name| name.split('/').nth(1)).collect();
        trails.len()
    }

    /// Whether a commit is not its trail's newest, or is the one that the hint names.
    fn is_hinted(&self, commit: &str, all: &BTreeSet<String>) -> bool {
        let (trail, number) = commit.split_once("/commits/").unwrap();
        let newest = all.iter().rfind(|name| name.starts_with(&format!("{trail}/")));
        let hint = std::fs::read_to_string(self.archive.join(trail).join("head")).unwrap_or_default();
        newest.is_some_and(|newest| newest != commit) || number == format!("{hint:0>20}.json")
    }
}

/// The names of all files below a directory, with slashes.
fn files_below(directory: &Path) -> Vec<String> {
    let (mut found, mut directories) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(at) = directories.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            } else {
                let path = entry.path();
                found.push(path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// As `object_store` and the archive's own directories call a file that is being written.
fn is_staging(name: &str) -> bool {
    let digits = name.rsplit_once('#').map(|(_, digits)| digits);
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_commit(name: &str) -> bool {
    let number = name.split_once("/commits/").and_then(|(_, file)| file.strip_suffix(".json"));
    number.is_some_and(|number| number.len() == 20 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn segments_of(commit: &Path) -> Vec<String> {
    let commit: Value = serde_json::from_slice(&std::fs::read(commit).unwrap()).unwrap();
    let leaves = commit["body"]["leaves"].as_array().unwrap();
    leaves.iter().filter_map(|leaf| leaf["object"].as_str().map(str::to_owned)).collect()
}
