//! What is said fits what was done.

use crate::command::{Home, SERVER_AUDIT};

fn home() -> Home {
    let home = Home::with_archive();
    home.write("logs/server_audit.log", SERVER_AUDIT);
    home.run(&["import", "logs", "--engine", "mariadb", "--instance", "shop"]).succeeds();
    home
}

#[test]
fn an_archive_is_called_empty_only_if_it_is() {
    let home = home();
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
    let home = home();
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
