//! In which order a directory's writes reach the disk, seen from the kernel's side: strace watches a process that uses it.
//!
//! The process is this test binary once more, with one of the ignored tests below. What it does with the directory is
//! compared call by call, so that a flush that is left out, or comes too late, is seen.

use std::path::{Path, PathBuf};
use std::process::Command;

use auditkeep_archive::local::DurableDirectory;
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tempfile::TempDir;

/// Where the watched process finds its directory.
const DIRECTORY: &str = "AUDITKEEP_WATCHED_DIRECTORY";
const COMMITS: &str = "trails/t/commits";

fn watched() -> (PathBuf, DurableDirectory) {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let store = DurableDirectory::new(&directory).unwrap();
    (directory, store)
}

/// Leaves a trace of its own: whatever was called before has returned.
fn returned(directory: &Path, from: &str) {
    drop(std::fs::read(directory.join(format!("returned from {from}"))));
}

async fn create(store: &DurableDirectory, name: &str) -> object_store::Result<()> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    store.put_opts(&ObjectPath::from(name), "bytes".into(), options).await.map(drop)
}

#[tokio::test]
#[ignore = "run under strace by the tests below"]
async fn watched_puts() {
    let (directory, store) = watched();
    create(&store, "trails/t/c1").await.unwrap();
    returned(&directory, "the first");
    create(&store, "trails/t/c2").await.unwrap();
    returned(&directory, "the second");
    let taken = create(&store, "trails/t/c2").await;
    assert!(matches!(taken, Err(Error::AlreadyExists { .. })), "{taken:?}");
    returned(&directory, "one too many");
    store.put(&ObjectPath::from("trails/t/head"), "1".into()).await.unwrap();
    returned(&directory, "an overwrite");
    // As another process, which does not know who made the directories, nor whether they were flushed.
    create(&watched().1, "trails/t/c3").await.unwrap();
    returned(&directory, "another process");
}

#[tokio::test]
#[ignore = "run under strace by the tests below"]
async fn watched_listing() {
    let (directory, store) = watched();
    let offset = ObjectPath::from(format!("{COMMITS}/045"));
    let prefix = ObjectPath::from(COMMITS);
    returned(&directory, "nothing");
    let listed: Vec<ObjectMeta> = store.list_with_offset(Some(&prefix), &offset).try_collect().await.unwrap();
    returned(&directory, "listing");
    assert_eq!(listed.len(), 5);
}

/// What the watched process called, without what is not about its directory. None where this machine lets nobody watch.
fn calls_of(test: &str, traced: &str, directory: &Path) -> Option<Vec<String>> {
    let may_watch = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !may_watch.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: strace is missing (`cargo xtask setup` installs it), or nobody may trace here");
        return None;
    }
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-s", "0", "-e", traced, "-o"]).arg(&log);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--ignored", "--test-threads=1"]);
    let output = command.env(DIRECTORY, directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let log = std::fs::read_to_string(log).unwrap();
    let root = directory.to_str().unwrap();
    Some(finished_calls(&log).into_iter().filter(|call| call.contains(root)).collect())
}

/// One text a call, in the order in which they returned: a call that another thread interrupted is two lines of the log.
fn finished_calls(log: &str) -> Vec<String> {
    let mut begun: Vec<(&str, &str)> = Vec::new();
    let mut finished = Vec::new();
    for line in log.lines() {
        let (thread, call) = line.trim_start().split_once(' ').unwrap();
        let call = call.trim_start();
        if let Some(start) = call.strip_suffix(" <unfinished ...>") {
            begun.push((thread, start));
        } else if let Some((_, end)) = call.split_once(" resumed>") {
            let at = begun.iter().position(|(other, _)| *other == thread).unwrap();
            finished.push(format!("{}{end}", begun.swap_remove(at).1));
        } else {
            finished.push(call.to_owned());
        }
    }
    finished
}

/// A call in a few words: `write trails/t/c1#`, where `#` stands for a staging file's number.
fn in_words(call: &str, directory: &Path) -> String {
    let (name, rest) = call.split_once('(').unwrap();
    let name = name.trim_end_matches(char::is_numeric).trim_end_matches("at");
    let root = format!("{}/", directory.display());
    // Only what is inside the directory; the directory itself is a dot.
    let rest = rest.replace(&format!("<{}>", directory.display()), &format!("<{root}.>"));
    let mut words = vec![name.to_owned()];
    for inside in rest.split(root.as_str()).skip(1) {
        let path = inside.split(['"', '>']).next().unwrap();
        let staging = path.split_once('#').map(|(object, _)| format!("{object}#"));
        words.push(staging.unwrap_or_else(|| path.to_owned()));
    }
    if rest.contains(" = -1 EEXIST") {
        words.push("(exists)".to_owned());
    }
    words.join(" ")
}

#[test]
fn bytes_then_name_then_directory_and_only_then_an_answer() {
    let kept = TempDir::new().unwrap();
    let directory = kept.path().canonicalize().unwrap();
    let traced = "trace=mkdir,mkdirat,write,writev,pwrite64,fsync,fdatasync,link,linkat,rename,renameat,renameat2,unlink,\
                  unlinkat,openat";
    let Some(calls) = calls_of("durability::watched_puts", traced, &directory) else { return };
    let calls: Vec<String> = calls.iter().map(|call| in_words(call, &directory)).collect();
    // Files are opened to be read as well; only the marks are of interest.
    let of_interest = |call: &&String| !call.starts_with("open ") || call.contains("returned");
    let calls: Vec<&str> = calls.iter().filter(of_interest).map(String::as_str).collect();
    let put_new = |name: &str| {
        vec![
            format!("write trails/t/{name}#"),
            format!("fsync trails/t/{name}#"),
            format!("link trails/t/{name}# trails/t/{name}"),
            format!("unlink trails/t/{name}#"),
            "fsync trails/t".to_owned(),
        ]
    };
    let owned = |calls: &[&str]| calls.iter().map(|call| (*call).to_owned()).collect::<Vec<_>>();
    let mut taken = put_new("c2");
    taken[2].push_str(" (exists)");
    let expected = [
        owned(&["mkdir trails", "fsync .", "mkdir trails/t", "fsync trails"]),
        put_new("c1"),
        owned(&["open returned from the first"]),
        put_new("c2"),
        owned(&["open returned from the second"]),
        taken,
        owned(&["open returned from one too many"]),
        owned(&["write trails/t/head#", "fsync trails/t/head#", "rename trails/t/head# trails/t/head"]),
        owned(&["unlink trails/t/head#", "fsync trails/t", "open returned from an overwrite"]),
        owned(&["mkdir trails (exists)", "fsync .", "mkdir trails/t (exists)", "fsync trails"]),
        put_new("c3"),
        owned(&["open returned from another process"]),
    ];
    assert_eq!(calls, expected.concat());
}

#[test]
fn commits_that_are_known_are_not_looked_at() {
    let kept = TempDir::new().unwrap();
    let directory = kept.path().canonicalize().unwrap();
    let commits = directory.join(COMMITS);
    std::fs::create_dir_all(&commits).unwrap();
    let names: Vec<String> = (1..=50).map(|number| format!("{number:03}")).collect();
    for name in &names {
        std::fs::write(commits.join(name), "{}").unwrap();
    }
    let Some(calls) = calls_of("durability::watched_listing", "trace=%file", &directory) else { return };
    let between = calls.iter().skip_while(|call| !call.contains("returned from nothing")).skip(1);
    let between: Vec<&String> = between.take_while(|call| !call.contains("returned from listing")).collect();
    for (number, name) in (1..).zip(&names) {
        let looks = between.iter().filter(|call| call.contains(&format!("{COMMITS}/{name}\""))).count();
        assert_eq!(looks, usize::from(number > 45), "{name} in {between:#?}");
    }
}
