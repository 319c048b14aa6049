//! What the commands print, to people and to programs.

use crate::command::{Home, SERVER_AUDIT};

#[test]
fn init_writes_a_private_key_and_overwrites_nothing() {
    use std::os::unix::fs::MetadataExt;
    let home = Home::with_archive();
    let key = std::fs::read(home.path("auditkeep.key")).unwrap();
    assert_eq!(std::fs::metadata(home.path("auditkeep.key")).unwrap().mode() & 0o777, 0o600);
    home.run(&["init"]).fails(1, "`auditkeep.toml` exists already");
    home.run(&["init", "--config", "second.toml"]).succeeds();
    assert_eq!(std::fs::read(home.path("auditkeep.key")).unwrap(), key);
    let made = home.run(&["init", "--json", "--config", "third.toml"]).succeeds();
    assert!(!made.stdout.contains("PRIVATE"), "{}", made.stdout);
    assert_eq!(made.json()["archive"], "./archive");
}

#[test]
fn events_are_filtered() {
    let home = Home::with_shop();
    let count =
        |filters: &[&str]| home.run(&[&["events", "--json"], filters].concat()).succeeds().rows().len();
    assert_eq!(count(&[]), 5);
    assert_eq!(count(&["--user", "mallory"]), 1);
    assert_eq!(count(&["--user", "Mallory", "--failed"]), 1);
    assert_eq!(count(&["--failed"]), 2);
    assert_eq!(count(&["--class", "connect"]), 2);
    assert_eq!(count(&["--object", "payments", "--class", "read"]), 1);
    assert_eq!(count(&["--object", "shop.payments"]), 1);
    assert_eq!(count(&["--database", "shop"]), 4);
    assert_eq!(count(&["--grep", "from PAYMENTS"]), 1);
    assert_eq!(count(&["--grep", "from%payments"]), 0);
    assert_eq!(count(&["--since", "2026-11-21T03:58:18Z", "--until", "2026-11-21T03:58:19Z"]), 2);
    assert_eq!(count(&["--since", "2026-11-22"]), 0);
    assert_eq!(count(&["--instance", "shop", "--limit", "2"]), 2);
    assert_eq!(count(&["--instance", "SHOP", "--grep", "nowhere"]), 0);
    let typo = home.run(&["events", "--instance", "shpo"]).fails(1, "nothing of an instance `shpo`");
    assert!(typo.stderr.contains("known: shop"), "{}", typo.stderr);
    let turned = ["events", "--since", "2026-11-22", "--until", "2026-11-21"];
    home.run(&turned).fails(2, "--until");
}

#[test]
fn an_event_says_who_did_what_and_where_its_bytes_lie() {
    let home = Home::with_shop();
    let event = &home.run(&["events", "--json", "--grep", "payments"]).succeeds().rows()[0];
    for (column, value) in [
        ("event_time", "2026-11-21T03:58:18Z"),
        ("instance", "shop"),
        ("engine", "mariadb"),
        ("user_name", "app"),
        ("client_address", "10.0.0.5"),
        ("database_name", "shop"),
        ("class", "read"),
        ("command", "SELECT"),
        ("statement", "SELECT * FROM payments WHERE id = 4"),
        ("outcome", "success"),
        ("session_id", "7"),
        ("statement_id", "21"),
        ("flags", "local_time"),
        ("trail", "local.local.shop.import"),
    ] {
        assert_eq!(event[column], value, "{column} of {event}");
    }
    let (offset, length) = (event["byte_offset"].as_u64().unwrap(), event["byte_length"].as_u64().unwrap());
    let raw =
        home.run(&["export", "raw", "--instance", "shop", "--log", "server_audit.log"]).succeeds().stdout;
    let line = &raw[usize::try_from(offset).unwrap()..usize::try_from(offset + length).unwrap()];
    assert!(line.contains("'SELECT * FROM payments WHERE id = 4',0"), "{line}");
    assert!(home.path("archive").join(event["segment"].as_str().unwrap()).is_file());
}

#[test]
fn raw_bytes_come_back_as_they_were() {
    let home = Home::with_shop();
    let arguments = ["export", "raw", "--instance", "shop", "--log", "server_audit.log"];
    assert_eq!(home.run(&arguments).succeeds().stdout, SERVER_AUDIT);
    home.run(&[&arguments[..], &["-o", "copy.log"]].concat()).succeeds();
    assert_eq!(std::fs::read_to_string(home.path("copy.log")).unwrap(), SERVER_AUDIT);
    home.run(&[&arguments[..], &["-o", "copy.log"]].concat()).fails(1, "copy.log");
    home.run(&["export", "raw", "--instance", "nobody"]).fails(1, "nothing of an instance `nobody`");
    home.run(&["export", "raw", "--instance", "shop", "--log", "x"]).fails(1, "no log `x`");
    let listed = home.run(&["export", "raw", "--instance", "shop", "--json"]).succeeds().rows();
    assert_eq!((listed.len(), listed[0]["bytes"].as_u64().unwrap()), (1, SERVER_AUDIT.len() as u64));
}

#[test]
fn importing_again_adds_only_what_is_new() {
    let home = Home::with_shop();
    let import = ["import", "logs", "--engine", "mariadb", "--instance", "shop", "--json"];
    assert_eq!(home.run(&import).succeeds().json()["new_bytes"], 0);
    let more = "20261121 03:58:21,db1,app,10.0.0.5,7,0,DISCONNECT,shop,,0\n";
    // It was rotated, and the live file is a new one.
    home.write("logs/server_audit.log.1", format!("{SERVER_AUDIT}{more}"));
    home.write("logs/server_audit.log", more.replace(":21", ":22"));
    let again = home.run(&import).succeeds().json();
    assert_eq!(again["new_bytes"].as_u64().unwrap(), 2 * more.len() as u64);
    let verified = home.run(&["verify", "--json"]).succeeds().json();
    assert_eq!(verified["raw_bytes"].as_u64().unwrap(), (SERVER_AUDIT.len() + 2 * more.len()) as u64);
    let count = home.run(&["query", "--json", "select count(*) as n from events"]).succeeds().rows();
    assert_eq!(count[0]["n"], 7);
}

#[test]
fn a_file_that_is_being_written_is_understood_record_by_record() {
    let home = Home::with_archive();
    let import = ["import", "live.log", "--engine", "mariadb", "--instance", "shop"];
    // Cut within the first record, within later ones, and whole.
    for end in [20, 70, 150, 260, SERVER_AUDIT.len() - 3, SERVER_AUDIT.len()] {
        home.write("live.log", &SERVER_AUDIT[..end]);
        home.run(&import).succeeds();
    }
    let rows = home.run(&["query", "--json", "select statement, outcome from events"]).succeeds().rows();
    assert_eq!(rows.len(), 5, "{rows:?}");
    assert!(home.run(&["query", "--json", "select * from problems"]).succeeds().rows().is_empty());
    let raw = home.run(&["export", "raw", "--instance", "shop", "--log", "live.log"]).succeeds().stdout;
    assert_eq!(raw, SERVER_AUDIT);
    // A file that nobody has written to for long has ended, with or without a last line feed.
    let old = home.write("old.log", SERVER_AUDIT.replace("03:58", "02:58").trim_end());
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
    std::fs::File::options().write(true).open(old).unwrap().set_modified(hour_ago).unwrap();
    let answer =
        home.run(&["import", "old.log", "--engine", "mariadb", "--instance", "shop", "--json"]).succeeds();
    assert_eq!(answer.json()["derived"]["events"], 5);
}

#[test]
fn standard_input_is_imported() {
    let home = Home::with_archive();
    let import = ["import", "-", "--engine", "mysql", "--instance", "piped", "--json"];
    let ended = home.run_with_input(&import, SERVER_AUDIT.as_bytes()).succeeds().json();
    assert_eq!(ended["derived"]["events"], 5);
    let raw = home.run(&["export", "raw", "--instance", "piped", "--log", "stdin"]).succeeds().stdout;
    assert_eq!(raw, SERVER_AUDIT);
}

#[test]
fn hostile_text_reaches_no_terminal() {
    let home = Home::with_archive();
    let line =
        "20261121 03:58:17,db1,a\u{202e}b,h,7,21,QUERY,shop,'SELECT \"\u{1b}]0;owned\u{7}\u{9b}31m\"',0\n";
    home.write("evil.log", line);
    home.run(&["import", "evil.log", "--engine", "mariadb", "--instance", "e"]).succeeds();
    let hostile = |text: &str| text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}');
    for command in [
        &["events"][..],
        &["events", "--json"],
        &["query", "select statement, user_name from events"],
        &["query", "--json", "select statement, user_name from events"],
        &["query", "select statement as \"\u{1b}[2J\" from events"],
    ] {
        let ended = home.run(command).succeeds();
        assert!(!hostile(&ended.stdout), "{command:?}: {}", ended.stdout);
    }
    let event = &home.run(&["events", "--json"]).succeeds().rows()[0];
    assert_eq!(event["statement"], "SELECT \"\u{1b}]0;owned\u{7}\u{9b}31m\"", "JSON means the same text");
}

#[test]
fn status_and_verify_in_json() {
    let home = Home::with_shop();
    let status = home.run(&["status", "--json"]).succeeds().json();
    for (key, value) in [("instance", "shop"), ("engine", "mariadb"), ("trail", "local.local.shop.import")] {
        assert_eq!(status[key], value);
    }
    for (key, value) in [("logs", 1), ("commits", 1), ("derived_through", 1), ("events", 5), ("problems", 0)]
    {
        assert_eq!(status[key], value, "{key}");
    }
    let verified = home.run(&["verify", "--json"]).succeeds().json();
    assert_eq!((&verified["verdict"], &verified["keys_from"]), (&"OK".into(), &"key-file".into()));
    std::fs::remove_file(home.path("auditkeep.pub")).unwrap();
    let ended = home.run(&["verify", "--json"]).succeeds();
    assert_eq!(ended.json()["keys_from"], "archive");
    assert!(ended.stderr.contains("warning: "), "{}", ended.stderr);
}

#[test]
fn a_lost_table_is_derived_again() {
    let home = Home::with_shop();
    let all = ["query", "--json", "select * from events order by byte_offset"];
    let before = home.run(&all).succeeds().stdout;
    for table in ["events", "problems"] {
        std::fs::remove_dir_all(home.path("archive").join(table)).unwrap();
    }
    assert_eq!(home.run(&["derive", "--json"]).succeeds().json()["events"], 5);
    assert_eq!(home.run(&all).succeeds().stdout, before);
    assert_eq!(home.run(&["derive", "--json"]).succeeds().json()["commits"], 0);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    use std::process::Stdio;
    let home = Home::with_shop();
    let mut child =
        home.command(&["events", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
}
