//! Giving up what is too old, through the binary.

use crate::command::{Home, SERVER_AUDIT};

const WHY: [&str; 4] = ["--by", "D. Officer", "--reason", "policy 7"];
const IMPORT: [&str; 7] =
    ["import", "server_audit.log", "--engine", "mariadb", "--instance", "shop", "--json"];

fn home() -> Home {
    let home = Home::with_archive();
    home.write("server_audit.log", SERVER_AUDIT);
    home.run(&IMPORT).succeeds();
    home
}

/// From now on, everything may go at once.
fn keep_nothing(home: &Home) {
    home.run(&[&["retain", "--instance", "shop", "--until", "2020-01-01", "--shorten"], &WHY[..]].concat())
        .succeeds();
}

#[test]
fn the_plan_writes_nothing_and_says_why() {
    let home = home();
    let plan = || home.run(&["expire", "--json"]).succeeds().json();
    assert_eq!((&plan()["segments"], &plan()["stays"]["why"]), (&0.into(), &"for-ever".into()));
    home.run(&[&["retain", "--instance", "shop", "--days", "30", "--shorten"], &WHY[..]].concat()).succeeds();
    assert_eq!((&plan()["segments"], &plan()["stays"]["why"]), (&0.into(), &"until".into()));
    keep_nothing(&home);
    home.run(&[&["hold", "place", "case 12", "--all"], &WHY[..]].concat()).succeeds();
    assert_eq!((&plan()["segments"], &plan()["stays"]["holds"][0]), (&0.into(), &"case 12".into()));
    home.run(&[&["hold", "release", "case 12", "--all"], &WHY[..]].concat()).succeeds();
    let before = home.snapshot("archive");
    let all = plan();
    for (key, value) in [("through", 1), ("segments", 1), ("raw_bytes", SERVER_AUDIT.len())] {
        assert_eq!(all[key], value, "{key} of {all}");
    }
    assert!(all.get("stays").is_none() && all.get("done").is_none(), "{all}");
    let text = home.run(&["expire"]).succeeds().stdout;
    assert!(text.contains("1 segment can go; `auditkeep expire --delete"), "{text}");
    assert!(home.snapshot("archive") == before, "the archive was changed");
    assert_eq!(home.run(&["expire", "--delete"]).code, 2, "somebody must have decided it");
}

#[test]
fn what_is_given_up_is_on_record_and_nothing_else_breaks() {
    let home = home();
    keep_nothing(&home);
    let delete = ["expire", "--delete", "--by", "D. Officer", "--json"];
    let done = &home.run(&delete).succeeds().json()["done"];
    assert_eq!((&done["commit"], &done["deleted"]), (&3.into(), &1.into()));
    assert!(home.snapshot("archive/raw").is_empty());
    let again = &home.run(&delete).succeeds().json()["done"];
    assert_eq!((again.get("commit"), &again["deleted"], &again["finished"]), (None, &0.into(), &0.into()));

    let verified = home.run(&["verify", "--strict", "--json"]).succeeds().json();
    assert_eq!(
        (&verified["verdict"], &verified["findings"][0]["verdict"]),
        (&"OK".into(), &"EXPIRED".into())
    );
    let raw = ["export", "raw", "--instance", "shop", "--log", "server_audit.log"];
    let before = home.snapshot("archive");
    let failed = home
        .run(&raw)
        .fails(1, "were given up after their retention; commit 3 of local.local.shop.import recorded it");
    assert!(
        failed.stderr.contains("by D. Officer") && failed.stderr.contains("nothing of this log is left"),
        "{}",
        failed.stderr
    );
    assert!(home.snapshot("archive") == before, "nothing was read, so nothing is recorded");

    // What comes later is archived and derived, with or without the tables of before.
    let more = "20261121 03:58:21,db1,app,10.0.0.5,7,0,DISCONNECT,shop,,0\n";
    home.write("server_audit.log", format!("{SERVER_AUDIT}{more}"));
    assert_eq!(home.run(&IMPORT).succeeds().json()["derived"]["events"], 1);
    for table in ["events", "problems"] {
        std::fs::remove_dir_all(home.path("archive").join(table)).unwrap();
    }
    let derived = home.run(&["derive", "--json"]).succeeds();
    assert!(derived.stderr.contains("up to 1 were given up"), "{}", derived.stderr);
    let answer = derived.json();
    assert_eq!((&answer["events"], &answer["given_up"][0]["through"]), (&1.into(), &1.into()));
    home.run(&raw).fails(1, &format!("`--from {}` gives what is left", SERVER_AUDIT.len()));
    let from = SERVER_AUDIT.len().to_string();
    assert_eq!(home.run(&[&raw[..], &["--from", &from]].concat()).succeeds().stdout, more);
    home.run(&["verify", "--strict"]).succeeds();
}

#[test]
fn what_a_crash_has_left_is_deleted_later() {
    let home = home();
    keep_nothing(&home);
    // A crash between the record and the deletion leaves the same.
    let segment = home.snapshot("archive/raw").remove(0);
    home.run(&["expire", "--delete", "--by", "me"]).succeeds();
    std::fs::write(&segment.0, &segment.1).unwrap();
    let done = &home.run(&["expire", "--delete", "--by", "me", "--json"]).succeeds().json()["done"];
    assert_eq!((done.get("commit"), &done["finished"]), (None, &1.into()));
}

#[test]
fn what_is_not_derived_is_warned_of_before_it_is_deleted() {
    let home = Home::with_archive();
    home.write("server_audit.log", SERVER_AUDIT);
    home.run(&[&IMPORT[..], &["--no-derive"]].concat()).succeeds();
    keep_nothing(&home);
    let shown = home.run(&["expire"]).succeeds();
    assert!(shown.stderr.contains("derived up to commit 0 only"), "{}", shown.stderr);
    let deleted = home.run(&["expire", "--delete", "--by", "D. Officer"]).succeeds();
    assert!(deleted.stderr.contains("derived up to commit 0 only"), "{}", deleted.stderr);
    assert!(deleted.stderr.contains("never"), "{}", deleted.stderr);
}
