//! What the hints advise where evidence may be at stake: look and keep, never delete.

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
    for advised in ["keep both", "`auditkeep verify`", "copy of the archive"] {
        assert!(hint.contains(advised), "{hint}");
    }
    for harmful in ["move", "delete", "remove"] {
        assert!(!hint.contains(harmful), "{hint}");
    }
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
