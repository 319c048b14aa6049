//! What the hints advise where evidence may be at stake: look and keep first.

use crate::command::{Home, SERVER_AUDIT};

const IMPORT: [&str; 6] = ["import", "logs", "--engine", "mariadb", "--instance", "shop"];

fn hint(stderr: &str) -> &str {
    stderr.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default()
}

/// An archive whose latest commit is gone, while the table still has the events: the table may be the only witness.
#[test]
fn a_table_ahead_of_its_archive_is_kept() {
    let home = Home::with_archive();
    home.write("logs/a.log", SERVER_AUDIT);
    home.run(&IMPORT).succeeds();
    let before = home.snapshot("archive/trails");
    home.write("logs/b.log", SERVER_AUDIT.replace("03:58", "04:58"));
    home.run(&IMPORT).succeeds();
    for (path, _) in home.snapshot("archive/trails") {
        match before.iter().find(|(earlier, _)| *earlier == path) {
            Some((_, bytes)) => std::fs::write(path, bytes).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
    }
    let ended = home.run(&["derive"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("which the archive does not"), "{}", ended.stderr);
    let hint = hint(&ended.stderr);
    for advised in ["keep a copy of both", "`auditkeep verify`", "only witness"] {
        assert!(hint.contains(advised), "{hint}");
    }
    // The tables are given up last, and only where it is known why.
    let removing = hint.find("remove the directories `events/` and `problems/`").unwrap();
    assert!(hint.find("keep a copy of both").unwrap() < hint.find("`auditkeep verify`").unwrap(), "{hint}");
    assert!(hint.find("`auditkeep verify`").unwrap() < removing, "{hint}");
    assert!(hint[removing..].contains("`auditkeep derive`"), "{hint}");
    for harmful in ["move ", "delete"] {
        assert!(!hint.replace("remove ", "").contains(harmful), "{hint}");
    }
    let status = home.run(&["status"]);
    assert_eq!(status.code, 1, "{}", status.stderr);
    assert!(
        status.stdout.contains("shop") && status.stderr.contains("which the archive does not"),
        "{}",
        status.stderr
    );
    assert_eq!(self::hint(&status.stderr), hint);
}

/// What is derived is no evidence, so a damaged table is derived again.
#[test]
fn damaged_tables_are_derived_again() {
    let home = Home::with_archive();
    home.write("logs/a.log", SERVER_AUDIT);
    home.run(&IMPORT).succeeds();
    home.write("logs/b.log", SERVER_AUDIT.replace("03:58", "04:58"));
    home.run(&[&IMPORT[..], &["--no-derive"]].concat()).succeeds();
    for (path, _) in home.snapshot("archive/problems/_delta_log") {
        std::fs::write(path, "{").unwrap();
    }
    for command in ["derive", "status"] {
        let ended = home.run(&[command]);
        assert_eq!(ended.code, 1, "{command}: {}{}", ended.stdout, ended.stderr);
        let hint = hint(&ended.stderr);
        assert!(
            hint.contains("remove the directories `events/` and `problems/`"),
            "{command}: {}",
            ended.stderr
        );
        assert!(hint.contains("`auditkeep derive`") && hint.contains("can be reached"), "{command}: {hint}");
    }
    for table in ["events", "problems"] {
        std::fs::remove_dir_all(home.path("archive").join(table)).unwrap();
    }
    home.run(&["derive"]).succeeds();
    home.run(&["status"]).succeeds();
}

#[test]
fn a_table_that_cannot_be_opened_is_not_to_be_moved_away() {
    let home = Home::with_archive();
    home.write("logs/a.log", SERVER_AUDIT);
    home.run(&IMPORT).succeeds();
    for (path, _) in home.snapshot("archive/events/_delta_log") {
        std::fs::write(path, "{").unwrap();
    }
    let ended = home.run(&["query", "select 1 from events"]).fails(1, "opening");
    let hint = hint(&ended.stderr);
    assert!(hint.contains("can be reached") && hint.contains("`auditkeep derive`"), "{hint}");
    assert!(!hint.contains("move") && !hint.contains("delete"), "{hint}");
}
