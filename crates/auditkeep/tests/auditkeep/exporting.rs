//! `export raw`: a file is whole or not there, and options that mean nothing are refused.

use std::fs;

use crate::command::{Home, SERVER_AUDIT};

const RAW: [&str; 6] = ["export", "raw", "--instance", "shop", "--log", "server_audit.log"];

/// An archive with a log in two segments.
fn home() -> Home {
    let home = Home::with_archive();
    for end in [150, SERVER_AUDIT.len()] {
        home.write("logs/server_audit.log", &SERVER_AUDIT[..end]);
        home.run(&["import", "logs", "--engine", "mariadb", "--instance", "shop", "--no-derive"]).succeeds();
    }
    home
}

fn names(home: &Home) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(home.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_failure_leaves_no_half_file() {
    let home = home();
    fs::create_dir(home.path("out")).unwrap();
    let export = [&RAW[..], &["-o", "out/copy.log"]].concat();
    home.run(&export).succeeds();
    assert_eq!(fs::read_to_string(home.path("out/copy.log")).unwrap(), SERVER_AUDIT);
    home.run(&export).fails(1, "out/copy.log");
    assert_eq!(names(&home), ["copy.log"]);
    fs::remove_file(home.path("out/copy.log")).unwrap();

    // The first segment can be read; the second cannot.
    let segments = home.snapshot("archive/raw");
    assert_eq!(segments.len(), 2);
    let last = segments.iter().find(|(path, _)| !path.to_str().unwrap().contains("00000000000000000000"));
    let (path, bytes) = last.unwrap();
    fs::write(path, b"damaged").unwrap();
    home.run(&export).fails(1, "");
    assert!(names(&home).is_empty(), "{:?}", names(&home));
    fs::remove_file(path).unwrap();
    let missing = home.run(&export).fails(1, "is not there");
    assert!(missing.stderr.contains("`auditkeep verify`"), "{}", missing.stderr);
    assert!(names(&home).is_empty(), "{:?}", names(&home));
    fs::write(path, bytes).unwrap();
    home.run(&export).succeeds();
    home.run(&[&RAW[..], &["-o", "nowhere/copy.log"]].concat()).fails(1, "nowhere/copy.log");
}

#[test]
fn what_is_for_one_log_takes_a_log() {
    let home = home();
    for more in [&["-o", "copy.log"][..], &["--from", "5"], &["--generation", "00"], &["--from", "0"]] {
        let refused = home.run(&[&RAW[..4], more].concat());
        assert_eq!(refused.code, 2, "{more:?}: {}", refused.stdout);
        assert!(refused.stderr.contains("--log"), "{more:?}: {}", refused.stderr);
        assert!(!home.path("copy.log").exists());
    }
    home.run(&RAW[..4]).succeeds();
}
