//! What the command line says of witnesses: one that cannot be asked or has lost what it had is an error, and asking makes nothing.

use std::path::Path;

use serde_json::Value;

use crate::command::{Ended, Home, SERVER_AUDIT};

const PLACE: &str = "[[witness]]\nname = \"other-account\"\nplace = \"./witness\"\n";
const FILE: &str = "[[witness]]\nname = \"repository\"\nfile = \"notes/checkpoint.note\"\n";

fn home(witnesses: &str) -> Home {
    let home = Home::with_archive();
    configure(&home, witnesses);
    home.write("logs/server_audit.log", SERVER_AUDIT);
    home.run(&["import", "logs", "--engine", "mariadb", "--instance", "shop", "--no-derive"]).succeeds();
    home
}

fn configure(home: &Home, witnesses: &str) {
    let config = std::fs::read_to_string(home.path("auditkeep.toml")).unwrap();
    let without = config.split("\n[[witness]]").next().unwrap();
    home.write("auditkeep.toml", format!("{without}\n{witnesses}"));
}

/// What `verify --json` says of the witness of that name.
#[track_caller]
fn state(ended: &Ended, name: &str) -> Value {
    let answer = ended.json();
    let witnesses = answer["witnesses"].as_array().unwrap();
    let found = witnesses.iter().find(|witness| witness["name"] == name);
    assert!(found.is_some(), "{name}: {answer}");
    found.unwrap().clone()
}

#[test]
fn asking_makes_nothing_and_nothing_kept_yet_is_no_error() {
    let home = home(&format!("{PLACE}{FILE}"));
    let verified = home.run(&["verify", "--json"]).succeeds();
    assert_eq!(state(&verified, "other-account")["state"], "empty");
    assert_eq!(state(&verified, "repository")["state"], "empty");
    assert!(!home.path("witness").exists() && !home.path("notes").exists(), "asking made something");

    let sealed = home.run(&["seal"]).succeeds();
    assert!(sealed.stdout.contains("witness repository: has the seal"), "{}", sealed.stdout);
    assert!(home.path("notes/checkpoint.note").is_file(), "a seal that is handed over makes what is missing");
    let verified = home.run(&["verify", "--json"]).succeeds();
    for name in ["other-account", "repository"] {
        let state = state(&verified, name);
        assert_eq!(state["state"], "has-seal", "{state}");
        assert!(state["detail"].as_str().unwrap().contains("journal commit "), "{state}");
    }
    assert_eq!(
        home.run(&["verify", "--json", "--no-witnesses"]).succeeds().json()["witnesses"],
        Value::Array(vec![])
    );
}

#[test]
fn a_witness_that_has_lost_what_it_had_is_an_error() {
    let home = home(&format!("{PLACE}{FILE}"));
    home.run(&["seal"]).succeeds();
    let first = std::fs::read(home.path("notes/checkpoint.note")).unwrap();
    home.run(&["seal"]).succeeds();
    let lost = |home: &Home, name: &str, named: &str| {
        let verified = home.run(&["verify", "--json"]);
        assert_eq!(verified.code, 1, "{}{}", verified.stdout, verified.stderr);
        assert_eq!(verified.json()["verdict"], "OK");
        assert_eq!(state(&verified, name)["state"], named, "{}", verified.stdout);
        assert!(verified.stderr.contains(name) && verified.stderr.contains("hint: "), "{}", verified.stderr);
        let told = home.run(&["verify"]);
        assert_eq!(told.code, 1);
        assert!(told.stdout.contains("not all witnesses"), "{}", told.stdout);
        home.run(&["verify", "--no-witnesses"]).succeeds();
    };
    home.write("notes/checkpoint.note", "garbage\n");
    lost(&home, "repository", "damaged");
    // An older seal is a true one, and not the one that it got last.
    home.write("notes/checkpoint.note", first);
    lost(&home, "repository", "behind");
    std::fs::remove_dir_all(home.path("notes")).unwrap();
    lost(&home, "repository", "lost");
    assert!(!home.path("notes").exists());
    configure(&home, PLACE);
    std::fs::remove_dir_all(home.path("witness")).unwrap();
    lost(&home, "other-account", "lost");
    assert!(!home.path("witness").exists());
    home.write("witness", "a file where a directory was");
    lost(&home, "other-account", "unreachable");
}

#[test]
fn an_archive_that_does_not_hold_weighs_more_than_a_lost_witness() {
    let home = home(FILE);
    home.run(&["seal"]).succeeds();
    std::fs::remove_dir_all(home.path("notes")).unwrap();
    std::fs::remove_dir_all(home.path("archive/raw")).unwrap();
    let verified = home.run(&["verify", "--json"]);
    assert_eq!(verified.code, 3, "{}", verified.stderr);
    assert_eq!(state(&verified, "repository")["state"], "lost");
}

#[test]
fn what_is_no_witness_is_refused_by_every_command() {
    let home = home("");
    let absolute = home.path("archive").display().to_string();
    for (witness, message) in [
        ("name = \"a\"\n".to_owned(), "one of `place`, `file` and `webhook`"),
        ("name = \"a\"\nplace = \"w\"\nfile = \"n\"\n".to_owned(), "one of `place`, `file` and `webhook`"),
        ("name = \"\"\nfile = \"n\"\n".to_owned(), "has no name"),
        ("name = \" \"\nfile = \"n\"\n".to_owned(), "has no name"),
        ("name = \"a\"\nfile = \"\"\n".to_owned(), "`file` is empty"),
        ("name = \"a\"\nplace = \"\"\n".to_owned(), "it is empty"),
        ("name = \"a\"\nfile = \"n\"\n[[witness]]\nname = \"a\"\nfile = \"m\"\n".to_owned(), "two witnesses"),
        ("name = \"a\"\nplace = \"archive\"\n".to_owned(), "is the archive itself"),
        (format!("name = \"a\"\nplace = \"{absolute}/\"\n"), "is the archive itself"),
        (format!("name = \"a\"\nplace = \"file://{absolute}/trails\"\n"), "is the archive itself"),
        ("name = \"a\"\nfile = \"archive/note\"\n".to_owned(), "is the archive itself"),
        (
            "name = \"a\"\nwebhook = \"http://192.0.2.1/s3cret\"\n".to_owned(),
            "neither https nor on this machine",
        ),
        ("name = \"a\"\nwebhook = \"nowhere\"\n".to_owned(), "no URL"),
    ] {
        configure(&home, &format!("[[witness]]\n{witness}"));
        let before = home.snapshot("archive");
        for command in [&["seal"][..], &["verify"], &["status"], &["events"], &["verify", "--no-witnesses"]] {
            let refused = home.run(command).fails(2, message);
            assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
        }
        assert!(home.snapshot("archive") == before, "{witness}");
    }
    // What is typed may be the place that the configuration has for a witness.
    configure(&home, PLACE);
    home.run(&["verify", "--archive", "./witness"]).fails(2, "is the archive itself");
}

/// One output does not say that a witness was not reached and what it answered.
#[test]
fn a_witness_that_refuses_was_reached() {
    let home = home(FILE);
    home.write("notes/checkpoint.note", "garbage\n");
    let sealed = home.run(&["seal"]);
    assert_eq!(sealed.code, 1, "{}", sealed.stderr);
    assert!(sealed.stdout.contains("witness repository: did not get the seal"), "{}", sealed.stdout);
    assert!(!sealed.stdout.contains("not reached"), "{}", sealed.stdout);
    let json = home.run(&["seal", "--json"]).json();
    assert_eq!(
        (json["witnesses"].as_array().unwrap().len(), &json["witnesses"][0]["reached"]),
        (1, &false.into())
    );
    assert!(Path::new(&home.path("notes/checkpoint.note")).is_file());
    assert_eq!(
        std::fs::read(home.path("notes/checkpoint.note")).unwrap(),
        b"garbage\n",
        "it was not touched"
    );
}

/// What is wrong on the way to a witness is told with its name.
#[test]
fn a_witness_that_cannot_be_set_up_is_named() {
    let home = home("[[witness]]\nname = \"bucket\"\nplace = \"s3://nowhere/x\"\n");
    let sealed = home.run(&["seal"]);
    assert_eq!(sealed.code, 1, "{}", sealed.stderr);
    assert!(sealed.stderr.contains("error: the witness `bucket`"), "{}", sealed.stderr);
    assert!(sealed.stdout.contains("witness bucket: not reached, nor one before"), "{}", sealed.stdout);
    let verified = home.run(&["verify", "--json"]);
    assert_eq!((verified.code, &state(&verified, "bucket")["state"]), (1, &"unreachable".into()));
    assert!(verified.stderr.contains("error: the witness `bucket`"), "{}", verified.stderr);
}
