//! Which files a mount has, and what an open file is.

use super::*;

fn mounted(directory: &Path, prefix: &str) -> Logs {
    Logs::Mounts(vec![Mount { prefix: prefix.to_owned(), directory: directory.to_owned() }])
}

fn names(logs: &Logs) -> Vec<String> {
    let mut names: Vec<String> = logs.list().unwrap().into_iter().map(|file| file.name).collect();
    names.sort();
    names
}

#[test]
fn only_regular_files_below_the_mount_exist() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("logs");
    std::fs::create_dir_all(directory.join("old")).unwrap();
    std::fs::write(root.path().join("beside"), "no log").unwrap();
    std::fs::write(directory.join("a.log"), "1").unwrap();
    std::fs::write(directory.join("old/b.log"), "22").unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), directory.join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path(), directory.join("linked")).unwrap();

    let logs = mounted(&directory, "error");
    assert_eq!(names(&logs), ["error/a.log", "error/old/b.log"]);
    assert_eq!(logs.open("error/old/b.log").unwrap().unwrap().size(), 2);
    for name in [
        "error/link",
        "error/linked/secret",
        "error/../beside",
        "error/./a.log",
        "error//a.log",
        "error/old",
        "error/old/../a.log",
        "error/a.log/x",
        "error/",
        "error",
        "a.log",
        "errors/a.log",
        "/etc/passwd",
        "error/a.log\0",
    ] {
        assert!(logs.open(name).unwrap().is_none(), "{name} was opened");
    }
}

#[test]
fn an_instance_directory_hides_its_description() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("audit")).unwrap();
    std::fs::write(root.path().join("instance.json"), "{}").unwrap();
    std::fs::write(root.path().join("audit/server_audit.log"), "x").unwrap();
    let logs = mounted(root.path(), "");
    assert_eq!(names(&logs), ["audit/server_audit.log"]);
    assert!(logs.open("instance.json").unwrap().is_none());
}

#[test]
fn a_mount_may_appear_and_grow_later() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("log");
    let logs = mounted(&directory, "error");
    assert!(logs.list().unwrap().is_empty());
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("a"), "one").unwrap();
    assert_eq!(logs.list().unwrap()[0].size, 3);
    std::fs::write(directory.join("a"), "one two").unwrap();
    std::fs::write(directory.join("b"), "").unwrap();
    let listed = logs.list().unwrap();
    assert_eq!(listed.iter().map(|file| file.size).max(), Some(7));
    assert!(listed.iter().all(|file| file.last_written_ms % 1000 == 0 && file.last_written_ms > 0));
    assert_eq!(names(&logs), ["error/a", "error/b"]);
}

#[test]
fn an_open_log_ends_where_it_ended_when_it_was_opened() {
    use std::io::Write;
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a");
    std::fs::write(&path, "first").unwrap();
    let mut log = mounted(root.path(), "error").open("error/a").unwrap().unwrap();
    File::options().append(true).open(&path).unwrap().write_all(b" second").unwrap();
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    assert_eq!(text, "first");
}

#[test]
fn an_open_log_that_becomes_shorter_has_no_proper_end() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a");
    std::fs::write(&path, "first").unwrap();
    let mut log = mounted(root.path(), "error").open("error/a").unwrap().unwrap();
    File::options().write(true).open(&path).unwrap().set_len(2).unwrap();
    let mut bytes = Vec::new();
    assert_eq!(log.read_to_end(&mut bytes).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(bytes, b"fi");
}
