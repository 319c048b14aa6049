//! What is said fits what was done.

use crate::command::{Home, SERVER_AUDIT};

#[test]
fn an_archive_is_called_empty_only_if_it_is() {
    let home = Home::with_shop();
    home.run(&["seal", "-o", "kept.json"]).succeeds();
    let said = |arguments: &[&str]| home.run(arguments).succeeds().stdout;
    let since = said(&["verify", "--since", "kept.json"]);
    assert!(since.contains("OK: ") && !since.contains("the archive is empty"), "{since}");
    assert!(since.contains("nothing was added"), "{since}");
    let journal = said(&["verify", "--trail", "journal"]);
    assert!(journal.contains("OK: ") && !journal.contains("the archive is empty"), "{journal}");
    assert!(journal.contains("the journal"), "{journal}");
    let both = said(&["verify", "--trail", "journal", "--trail", "local.local.shop.import"]);
    assert!(both.contains("of each trail that was asked for"), "{both}");
    home.write("logs/more.log", SERVER_AUDIT.replace("03:58", "04:58"));
    home.run(&["import", "logs", "--engine", "mariadb", "--instance", "shop"]).succeeds();
    let since = said(&["verify", "--since", "kept.json"]);
    assert!(since.contains("OK: ") && since.contains("after the checkpoint"), "{since}");
    let whole = said(&["verify"]);
    assert!(whole.contains("OK: up to the newest commit of each trail, everything is there"), "{whole}");
    assert!(Home::with_archive().run(&["verify"]).succeeds().stdout.contains("OK: the archive is empty"));
}

#[test]
fn a_checkpoint_without_a_seal_is_refused() {
    let home = Home::with_shop();
    home.run(&["seal"]).succeeds();
    let first = "archive/trails/journal/commits/00000000000000000001.json";
    let note = {
        let commit: serde_json::Value =
            serde_json::from_slice(&std::fs::read(home.path(first)).unwrap()).unwrap();
        commit["checkpoint"].as_str().unwrap().to_owned()
    };
    home.write("first.note", note);
    for file in [first, "first.note"] {
        for option in ["--checkpoint", "--since"] {
            let refused = home.run(&["verify", option, file]).fails(2, "holds no seal");
            assert!(refused.stderr.contains("auditkeep seal"), "{option} {file}: {}", refused.stderr);
        }
    }
}

#[test]
fn a_seal_for_a_file_that_is_there_is_not_made() {
    let home = Home::with_shop();
    home.write("kept.json", "mine");
    let before = home.snapshot("archive");
    home.run(&["seal", "-o", "kept.json"]).fails(1, "was not touched");
    home.run(&["seal", "-o", "nowhere/kept.json"]).fails(1, "nowhere/kept.json");
    assert!(home.snapshot("archive") == before, "it was sealed");
    assert_eq!(std::fs::read(home.path("kept.json")).unwrap(), b"mine");
}

#[test]
fn what_is_logged_has_no_colours_where_nobody_looks_and_a_wrong_filter_is_said() {
    let home = Home::with_shop();
    for command in [&["verify"][..], &["status"], &["--help"], &["verify", "--verbose"]] {
        let ended = home.run_with(command, &[("AUDITKEEP_LOG", "trace")]).succeeds();
        assert!(!ended.stderr.contains('\u{1b}') && !ended.stdout.contains('\u{1b}'), "{command:?}");
    }
    assert!(home.run_with(&["status"], &[("AUDITKEEP_LOG", "trace")]).stderr.contains("TRACE"));
    let wrong = home.run_with(&["verify"], &[("AUDITKEEP_LOG", "auditkeep=loud")]).succeeds();
    assert!(wrong.stderr.contains("AUDITKEEP_LOG") && wrong.stderr.contains("warning: "), "{}", wrong.stderr);
    assert!(!home.run(&["verify"]).stderr.contains("AUDITKEEP_LOG"));
    assert!(!home.run_with(&["verify"], &[("AUDITKEEP_LOG", "")]).stderr.contains("AUDITKEEP_LOG"));
}

/// Bytes that are archived and wait for the rest of their record are no record that was read.
#[test]
fn unfinished_bytes_are_said() {
    let home = Home::with_archive();
    let cut = SERVER_AUDIT.len() - 30;
    let import = ["import", "a.log", "--engine", "mariadb", "--instance", "shop"];
    home.write("a.log", &SERVER_AUDIT[..cut]);
    let said = home.run(&import).succeeds().stdout;
    let begun = SERVER_AUDIT.lines().last().unwrap().len() + 1 - 30;
    assert!(said.contains("UNFINISHED") && said.contains(&format!("{begun} B")), "{said}");
    assert!(!said.contains("every record was read"), "{said}");
    assert!(said.contains("after the last whole record"), "{said}");
    let status = home.run(&["status"]).succeeds().stdout;
    assert!(status.contains("UNFINISHED") && status.contains(&format!("{begun} B")), "{status}");
    assert_eq!(home.run(&["status", "--json"]).succeeds().json()["unfinished_bytes"], begun);
    let again = home.run(&[&import[..], &["--json"]].concat()).succeeds().json();
    assert_eq!(again["instances"][0]["unfinished_bytes"], begun);
    assert_eq!(again["derived"]["unfinished_bytes"], begun);
    assert_eq!(home.run(&["derive", "--json"]).succeeds().json()["unfinished_bytes"], begun);

    home.write("a.log", SERVER_AUDIT);
    let said = home.run(&import).succeeds().stdout;
    assert!(said.contains("every record was read"), "{said}");
    assert_eq!(home.run(&["status", "--json"]).succeeds().json()["unfinished_bytes"], 0);
}
