//! A proof of one event, from the archive to somebody who has only the file and the public key.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::{Home, SERVER_AUDIT};

/// Somebody elsewhere, with the file and nothing else.
fn auditor(file: &str) -> Home {
    let elsewhere = Home::new();
    elsewhere.write("event.proof", file);
    elsewhere
}

fn public_key(home: &Home) -> String {
    fs::read_to_string(home.path("auditkeep.pub")).unwrap().trim().to_owned()
}

fn imported(log: &str) -> Home {
    let home = Home::with_archive();
    home.write("logs/server_audit.log", log);
    home.run(&["import", "logs", "--engine", "mariadb", "--instance", "shop"]).succeeds();
    home
}

fn id(event: &Value) -> &str {
    event["event"].as_str().unwrap()
}

#[test]
fn events_of_a_recorded_log() {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../auditkeep-lab/recorded/shop-mariadb/audit");
    let home = Home::with_archive();
    let directory = recorded.to_str().unwrap();
    home.run(&["import", directory, "--engine", "mariadb", "--instance", "shop"]).succeeds();
    let logs: Vec<Vec<u8>> =
        fs::read_dir(&recorded).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    let events = home.run(&["events", "--json"]).succeeds().rows();
    assert!(events.len() > 50, "{}", events.len());
    for event in events.iter().step_by(events.len() / 8) {
        let proof = home.run(&["proof", id(event)]).succeeds().stdout;
        let verify = ["verify", "--proof", "event.proof", "--public-key", &public_key(&home), "--json"];
        let shown = auditor(&proof).run(&verify).succeeds().json();
        assert_eq!((&shown["verdict"], &shown["trail"]), (&"OK".into(), &event["trail"]));
        let (from, to) = (shown["from"].as_u64().unwrap(), shown["to"].as_u64().unwrap());
        assert_eq!(
            (from, to - from),
            (event["byte_offset"].as_u64().unwrap(), event["byte_length"].as_u64().unwrap())
        );
        let range = usize::try_from(from).unwrap()..usize::try_from(to).unwrap();
        // This log is plain ASCII; only backslashes are doubled.
        let text = shown["text"].as_str().unwrap().replace("\\\\", "\\");
        assert!(logs.iter().any(|log| log.get(range.clone()) == Some(text.as_bytes())), "{shown}");
        assert!(shown["findings"].as_array().unwrap().is_empty());
    }
}

#[test]
fn what_a_person_sees() {
    let home = imported(SERVER_AUDIT);
    let table = home.run(&["events", "--ids", "--grep", "from payments"]).succeeds().stdout;
    assert!(table.lines().next().unwrap().ends_with("EVENT"), "{table}");
    let id = table.lines().nth(1).unwrap().split_whitespace().last().unwrap().to_owned();
    assert!(!home.run(&["events"]).succeeds().stdout.contains(&id), "ids are shown when they are asked for");
    let written = home.run(&["proof", &id, "-o", "event.proof"]).succeeds();
    assert!(written.stdout.is_empty() && written.stderr.contains("wrote a proof of "), "{}", written.stderr);
    let file = fs::read_to_string(home.path("event.proof")).unwrap();
    assert_eq!(home.run(&["proof", &id, "-o", "-"]).succeeds().stdout, file);
    home.run(&["proof", &id, "-o", "event.proof"]).fails(1, "event.proof");
    let told = home.run(&["proof", &id, "-o", "second.proof", "--json"]).succeeds().json();
    assert_eq!(
        (told["event"].as_str(), told["bytes"].as_u64()),
        (Some(id.as_str()), Some(file.len() as u64))
    );

    // Beside the key file the public key need not be given.
    let shown = home.run(&["verify", "--proof", "event.proof"]).succeeds();
    assert!(shown.stderr.contains("note: ") && shown.stderr.contains("not that"), "{}", shown.stderr);
    let shown = shown.stdout;
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "OK: these bytes are in the archive, as they were received");
    for (line, value) in [
        ("trail", "local.local.shop.import"),
        ("log", "server_audit.log (generation "),
        ("signed by", "auditkeep-"),
    ] {
        assert!(
            lines.iter().any(|shown| shown.starts_with(line) && shown.contains(value)),
            "{line}: {shown}"
        );
    }
    assert_eq!(*lines.last().unwrap(), format!("| {}", SERVER_AUDIT.lines().nth(2).unwrap()));
}

#[test]
fn what_does_not_hold() {
    let home = imported(SERVER_AUDIT);
    let events = home.run(&["events", "--json"]).succeeds().rows();
    let proof = home.run(&["proof", id(&events[0])]).succeeds().stdout;
    let key = public_key(&home);
    let other = public_key(&Home::with_archive());
    let refused = |file: &str, key: &str, verdict: &str| {
        let elsewhere = auditor(file);
        let ended = elsewhere.run(&["verify", "--proof", "event.proof", "--public-key", key]);
        assert_eq!(ended.code, 3, "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.starts_with(&format!("FAILED: {verdict}")), "{}", ended.stdout);
        let json = elsewhere.run(&["verify", "--proof", "event.proof", "--public-key", key, "--json"]);
        assert_eq!((json.code, &json.json()["verdict"]), (3, &"FAILED".into()));
    };
    refused(&proof, &other, "KEY-UNKNOWN parts[0]: ");
    refused("", &key, "MODIFIED proof: ");
    refused("not a proof", &key, "MODIFIED proof: ");
    refused(&proof.replacen("\"from\":0", "\"from\":1", 1), &key, "MODIFIED proof: ");
    refused(&proof.replace("index 1", "index 0"), &key, "MODIFIED parts[0]: ");
    refused(&format!("{proof}\n"), &key, "MODIFIED proof: ");

    let elsewhere = auditor(&proof);
    elsewhere.run(&["verify", "--proof", "event.proof"]).fails(2, "no public key is at hand");
    elsewhere.run(&["verify", "--proof", "gone.proof", "--public-key", &key]).fails(2, "gone.proof");
    elsewhere.run(&["verify", "--proof", "event.proof", "--public-key", "x"]).fails(2, "");
    let newer = auditor(&proof.replace("\"format\":2,\"from\"", "\"format\":3,\"from\""));
    newer.run(&["verify", "--proof", "event.proof", "--public-key", &key]).fails(1, "has format 3");

    home.run(&["proof", "5"]).fails(2, "`5` is not of the form");
    home.run(&["proof", "local.local.shop.import/9/00/0+1"]).fails(1, "there is no commit 9");
    home.run(&["proof", "local.local.shop.import/1/00/0+1"]).fails(1, "completes no bytes 0..1");
}

/// What is proven is an event that the tables have, and no range of bytes that somebody chose.
#[test]
fn only_whole_records_of_their_commit_are_proven() {
    let cut = SERVER_AUDIT.len() - 30;
    let home = imported(&SERVER_AUDIT[..cut]);
    home.write("logs/server_audit.log", SERVER_AUDIT);
    home.run(&["import", "logs", "--engine", "mariadb", "--instance", "shop"]).succeeds();
    let events = home.run(&["events", "--json"]).succeeds().rows();
    let mut places: Vec<(u64, u64, u64, String)> = events
        .iter()
        .map(|event| {
            let number = |name: &str| event[name].as_u64().unwrap();
            let generation = id(event).split('/').nth(2).unwrap().to_owned();
            (number("byte_offset"), number("byte_length"), number("commit_number"), generation)
        })
        .collect();
    places.sort();
    let (offset, length, _, generation) = places[1].clone();
    let name = |commit: u64, offset: u64, length: u64| {
        format!("local.local.shop.import/{commit}/{generation}/{offset}+{length}")
    };
    let next = places[2].1;
    for (what, from, bytes) in [
        ("its end", offset, length - 1),
        ("its beginning", offset + 1, length - 1),
        ("a part", offset + 9, 5),
        ("two records", offset, length + next),
        ("one and a half", offset, length + 7),
    ] {
        let refused = home.run(&["proof", &name(1, from, bytes), "-o", "x.proof"]);
        let refused = refused.fails(1, "are not one record");
        assert!(refused.stdout.is_empty() && !home.path("x.proof").exists(), "{what}");
        // The record that is there can be copied from the hint.
        assert!(refused.stderr.contains(&name(1, offset, length)), "{what}: {}", refused.stderr);
    }
    home.run(&["proof", &name(1, offset, length)]).succeeds();
    // The last record's first bytes came with commit 1, and it was whole with commit 2.
    let (offset, length, commit, _) = places[4].clone();
    assert_eq!(commit, 2);
    home.run(&["proof", &name(2, offset, length)]).succeeds();
    home.run(&["proof", &name(1, offset, length)]).fails(1, "completes no bytes");
    let begun = u64::try_from(cut).unwrap() - offset;
    home.run(&["proof", &name(1, offset, begun)]).fails(1, "are not one record");
    // Commit 2 knows the segment that the record before lies in, but did not make it whole.
    let (offset, length, _, _) = places[3].clone();
    home.run(&["proof", &name(2, offset, length)]).fails(1, "are not one record");
}

/// A hostile client's text reaches the auditor's terminal no more than anybody else's.
#[test]
fn an_event_with_control_characters() {
    let line =
        "20261121 03:58:17,db1,a\u{202e}b,h,7,21,QUERY,shop,'SELECT \"\u{1b}]0;owned\u{7}\u{9b}31m\"',0\n";
    let home = imported(line);
    let events = home.run(&["events", "--json"]).succeeds().rows();
    let proof = home.run(&["proof", id(&events[0])]).succeeds().stdout;
    let (elsewhere, key) = (auditor(&proof), public_key(&home));
    let hostile = |text: &str| text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}');
    let verify = ["verify", "--proof", "event.proof", "--public-key", &key];
    let shown = elsewhere.run(&verify).succeeds().stdout;
    assert!(!hostile(&shown) && shown.contains("\\u{1b}]0;owned\\u{7}"), "{shown}");
    let json = elsewhere.run(&[&verify[..], &["--json"]].concat()).succeeds();
    assert!(!hostile(&json.stdout), "{}", json.stdout);
    let text = json.json()["text"].as_str().unwrap().to_owned();
    assert_eq!(text, line.replace('\\', "\\\\"));
}
