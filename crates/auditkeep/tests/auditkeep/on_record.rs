//! What people put on record: reviews, retention and holds, who read original bytes; and what `auditkeep journal` shows of it.

use crate::command::{Home, SERVER_AUDIT};

const TRAIL: &str = "local.local.shop.import";
const WHY: [&str; 4] = ["--by", "D. Officer", "--reason", "policy 7"];

fn home() -> Home {
    let home = Home::with_archive();
    home.write("server_audit.log", SERVER_AUDIT);
    home.run(&["import", "server_audit.log", "--engine", "mariadb", "--instance", "shop"]).succeeds();
    home
}

/// Runs a command that is refused and writes nothing.
#[track_caller]
fn refused(home: &Home, arguments: &[&str], code: i32, message: &str) {
    let before = home.snapshot("archive");
    home.run(arguments).fails(code, message);
    assert!(home.snapshot("archive") == before, "the archive was changed");
}

fn review<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let begin = [
        "review",
        "--reviewer",
        "A. Auditor",
        "--scope",
        "privileged actions, shop-*",
        "--from",
        "2025-11-01",
    ];
    [&begin[..], &["--to", "2025-11-30"], more].concat()
}

#[test]
fn a_review_is_signed_off_once() {
    let home = home();
    let accepted = review(&["--outcome", "accepted", "--json"]);
    let recorded = home.run(&accepted).succeeds().json();
    assert_eq!((&recorded["commit"], &recorded["before"]), (&2.into(), &false.into()));
    assert_eq!(
        (&recorded["from"], &recorded["to"]),
        (&"2025-11-01T00:00:00Z".into(), &"2025-12-01T00:00:00Z".into())
    );
    let again = home.run(&accepted).succeeds().json();
    assert_eq!((&again["commit"], &again["before"]), (&2.into(), &true.into()));

    let exceptions = ["--outcome", "with-exceptions", "--exception", "one", "--exception", "two \u{1b}[2J"];
    let said = home.run(&review(&exceptions)).succeeds().stdout;
    assert!(said.contains("  - one\n  - two \\u{1b}[2J\n") && said.contains("in journal commit 3"), "{said}");
    let shown = home.run(&["journal", "--trail", "journal", "--event", "review", "--json"]).succeeds().rows();
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[1]["detail"]["exceptions"], "one\ntwo \u{1b}[2J");
    assert_eq!(shown[1]["detail"]["outcome"], "with-exceptions");
    home.run(&["verify", "--strict"]).succeeds();
}

#[test]
fn a_review_that_makes_no_sense_is_refused() {
    let home = home();
    refused(&home, &review(&["--outcome", "accepted", "--exception", "x"]), 2, "has no exceptions");
    for outcome in ["rejected", "with-exceptions"] {
        refused(&home, &review(&["--outcome", outcome]), 2, "says what is wrong");
    }
    refused(&home, &review(&["--outcome", "rejected", "--exception", "a\nb"]), 2, "lines of its own");
    let backwards = [
        "review",
        "--reviewer",
        "A",
        "--scope",
        "s",
        "--from",
        "2025-11-02",
        "--to",
        "2025-11-01",
        "--outcome",
        "accepted",
    ];
    refused(&home, &backwards, 2, "ends before it begins");
    // A statement: nobody is assumed.
    assert_eq!(
        home.run(&[
            "review",
            "--scope",
            "s",
            "--from",
            "2025-11-01",
            "--to",
            "2025-11-02",
            "--outcome",
            "accepted"
        ])
        .code,
        2
    );
}

#[test]
fn a_retention_is_shortened_on_purpose_only() {
    let home = home();
    let retain =
        |more: &[&str]| home.run(&[&["retain", "--instance", "shop", "--json"], &WHY[..], more].concat());
    refused(
        &home,
        &[&["retain", "--trail", TRAIL, "--days", "365"], &WHY[..]].concat(),
        1,
        "is kept for ever",
    );
    let set = retain(&["--days", "365", "--shorten"]).succeeds().json();
    assert_eq!((&set["trail"], &set["keep_days"], &set["commit"]), (&TRAIL.into(), &365.into(), &2.into()));
    assert!(retain(&["--days", "365"]).succeeds().json().get("commit").is_none());
    assert_eq!(retain(&["--days", "365", "--until", "2199-01-01"]).succeeds().json()["commit"], 3);
    retain(&["--days", "400"]).fails(1, "is kept for 365 days, and until 2199-01-01T00:00:00Z at least");
    retain(&["--until", "2200-01-01"]).fails(1, "add `--shorten`");
    assert_eq!(retain(&["--for-ever"]).succeeds().json()["commit"], 4);
    assert_eq!(retain(&["--days", "0"]).code, 2);
    retain(&[]).fails(2, "how long to keep");
    retain(&["--until", "whenever"]).fails(2, "`--until whenever` is no time");
    refused(&home, &[&["retain", "--for-ever"], &WHY[..]].concat(), 2, "which trails");
    refused(&home, &[&["retain", "--for-ever", "--trail", "x"], &WHY[..]].concat(), 1, "no trail `x`");
    refused(&home, &[&["retain", "--for-ever", "--instance", "x"], &WHY[..]].concat(), 1, "an instance `x`");
}

#[test]
fn holds_are_placed_and_released_once() {
    let home = home();
    let hold = |what: &str, more: &[&str]| {
        home.run(&[&["hold", what, "case 12", "--json"], &WHY[..], more].concat()).succeeds().json()
    };
    assert_eq!(hold("place", &["--all"])["commit"], 2);
    assert!(hold("place", &["--trail", TRAIL]).get("commit").is_none());
    let released = hold("release", &["--instance", "shop"]);
    assert_eq!((&released["in_place"], &released["commit"]), (&false.into(), &3.into()));
    assert!(hold("release", &["--all"]).get("commit").is_none());
    refused(&home, &[&["hold", "place", "x"], &WHY[..]].concat(), 2, "which trails");
    let events: Vec<String> = home
        .run(&["journal", "--json"])
        .succeeds()
        .rows()
        .iter()
        .map(|row| row["event"].to_string())
        .collect();
    let expected = ["archive-created", "source-started", "hold-placed", "hold-released"];
    assert_eq!(events, expected.map(|event| format!("\"{event}\"")));
}

#[test]
fn reading_original_bytes_is_on_record() {
    let home = home();
    let raw = ["export", "raw", "--instance", "shop", "--log", "server_audit.log"];
    assert_eq!(home.run(&[&raw[..], &["--by", "A. Auditor"]].concat()).succeeds().stdout, SERVER_AUDIT);
    let reads = || home.run(&["journal", "--event", "raw-read", "--json"]).succeeds().rows();
    let read = &reads()[0];
    let size = SERVER_AUDIT.len();
    assert_eq!(
        (&read["detail"]["who"], &read["trail"], &read["commit"]),
        (&"A. Auditor".into(), &TRAIL.into(), &2.into())
    );
    assert_eq!(read["detail"]["bytes"], size.to_string());
    let what = read["detail"]["what"].as_str().unwrap();
    assert!(what.starts_with("server_audit.log#") && what.ends_with(&format!(" 0-{size}")), "{what}");

    // Somebody who may only read.
    std::fs::remove_file(home.path("auditkeep.key")).unwrap();
    refused(&home, &raw, 1, "`--unrecorded`");
    refused(&home, &[&raw[..], &["-o", "copy.log"]].concat(), 1, "auditkeep.key");
    assert!(!home.path("copy.log").exists());
    let unrecorded = home.run(&[&raw[..], &["--unrecorded", "--from", "59"]].concat()).succeeds();
    assert_eq!(unrecorded.stdout, SERVER_AUDIT[59..]);
    assert!(unrecorded.stderr.contains("is not recorded"), "{}", unrecorded.stderr);
    refused(
        &home,
        &[&raw[..], &["--unrecorded", "--from", "99999"]].concat(),
        2,
        &format!("has {size} bytes"),
    );
    assert_eq!(reads().len(), 1);
}

#[test]
fn the_journal_is_one_line_a_record_and_harmless() {
    let home = home();
    let hostile = "x\" who=\"nobody\"\n\u{1b}]0;owned\u{7}\u{202e}";
    home.run(&["hold", "place", hostile, "--all", "--by", "me", "--reason", "r"]).succeeds();
    home.run(&["seal"]).succeeds();
    let text = home.run(&["journal"]).succeeds().stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text}");
    assert!(lines[2].contains("hold-placed  hold=\"x\\\" who=\\\"nobody\\\"\\n"), "{}", lines[2]);
    assert!(lines[3].ends_with("journal 2  seal  1 trail"), "{}", lines[3]);
    let seal = &home.run(&["journal", "--event", "seal", "--json"]).succeeds().rows()[0];
    assert_eq!(seal["heads"][TRAIL]["number"], 2);
    assert_eq!(home.run(&["journal", "--instance", "shop", "--json"]).succeeds().rows().len(), 2);
    assert!(home.run(&["journal", "--since", "2199-01-01"]).succeeds().stdout.is_empty());
    refused(&home, &["journal", "--event", "sael"], 2, "no event `sael`");
    refused(&home, &["journal", "--trail", "x"], 1, "no trail `x`");
}

/// Nobody, for no reason, is no record.
#[test]
fn empty_words_and_the_future_are_not_recorded() {
    let home = home();
    let before = home.snapshot("archive");
    let retain = ["retain", "--instance", "shop", "--days", "30", "--shorten"];
    let place = ["hold", "place"];
    for empty in ["", " ", "\t"] {
        for arguments in [
            [&retain[..], &["--by", empty, "--reason", "r"]].concat(),
            [&retain[..], &["--by", "b", "--reason", empty]].concat(),
            [&place[..], &["case 12", "--all", "--by", empty, "--reason", "r"]].concat(),
            [&place[..], &["case 12", "--all", "--by", "b", "--reason", empty]].concat(),
            [&place[..], &[empty, "--all", "--by", "b", "--reason", "r"]].concat(),
            vec!["expire", "--delete", "--by", empty],
            vec!["key", "rotate", "--new-key", "new.key", "--by", empty, "--reason", "r"],
            vec!["key", "rotate", "--new-key", "new.key", "--by", "b", "--reason", empty],
            vec!["key", "retire", "a+00", "--by", empty, "--reason", "r"],
            vec!["export", "raw", "--instance", "shop", "--log", "server_audit.log", "--by", empty],
            [&["review", "--reviewer", empty][..], &review(&["--outcome", "accepted"])[3..]].concat(),
            [&review(&["--outcome", "accepted"])[..4], &[empty], &review(&["--outcome", "accepted"])[5..]]
                .concat(),
        ] {
            let refused = home.run(&arguments);
            assert_eq!(refused.code, 2, "{arguments:?}: {}{}", refused.stdout, refused.stderr);
            assert!(refused.stderr.starts_with("error: "), "{}", refused.stderr);
        }
    }
    for (from, to) in [("2999-01-01", "2999-02-01"), ("2025-11-01", "2999-02-01")] {
        let period = ["--reviewer", "A", "--scope", "s", "--from", from, "--to", to, "--outcome", "accepted"];
        let refused = home.run(&[&["review"][..], &period].concat()).fails(2, "is not over");
        assert!(refused.stderr.contains("--to"), "{}", refused.stderr);
    }
    assert!(home.snapshot("archive") == before, "the archive was changed");
    assert!(!home.path("new.key").exists());
}
