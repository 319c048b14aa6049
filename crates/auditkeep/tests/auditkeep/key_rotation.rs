//! Rotating the signing key, through the binary.

use std::path::Path;

use crate::command::{Home, SERVER_AUDIT};

const WHY: [&str; 4] = ["--by", "K. Keeper", "--reason", "once a year"];

fn import(home: &Home, log: &str, hour: &str, key: &str) -> crate::command::Ended {
    home.write(log, SERVER_AUDIT.replace("03:58", hour));
    home.run(&["import", log, "--engine", "mariadb", "--instance", "shop", "--key", key, "--no-derive"])
}

fn home() -> Home {
    let home = Home::with_archive();
    import(&home, "first.log", "03:58", "auditkeep.key").succeeds();
    home
}

fn rotate(home: &Home) -> serde_json::Value {
    home.run(&[&["key", "rotate", "--new-key", "new.key", "--json"], &WHY[..]].concat()).succeeds().json()
}

fn keys_in(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_key_is_rotated_and_retired() {
    let home = home();
    let old = keys_in(&home.path("auditkeep.pub")).remove(0);
    let rotated = rotate(&home);
    let new = rotated["public_key"].as_str().unwrap().to_owned();
    assert_eq!((&rotated["commit"], &rotated["before"]), (&2.into(), &false.into()));
    for file in ["auditkeep.pub", "new.key.pub"] {
        assert_eq!(keys_in(&home.path(file)), [new.clone(), old.clone()], "{file}");
    }
    // Again, as after a crash.
    let again = rotate(&home);
    assert_eq!((&again["public_key"], &again["before"]), (&new.as_str().into(), &true.into()));
    assert_eq!(keys_in(&home.path("new.key.pub")).len(), 2);

    // Both sign.
    import(&home, "second.log", "04:58", "auditkeep.key").succeeds();
    import(&home, "third.log", "05:58", "new.key").succeeds();
    let signer = rotated["signed_by"].as_str().unwrap();
    let retire = |key: &str, which: &str| {
        home.run(&[&["--key", key, "key", "retire", which, "--json"], &WHY[..]].concat())
    };
    retire("auditkeep.key", signer).fails(1, "cannot sign its own retirement");
    retire("new.key", "nobody+01020304").fails(1, "the archive has no key `nobody+01020304`");
    let retired = retire("new.key", signer).succeeds().json();
    assert_eq!((&retired["commit"], &retired["before"]), (&4.into(), &false.into()));
    assert_eq!(retire("new.key", signer).succeeds().json()["before"], true);
    retire("auditkeep.key", rotated["signer"].as_str().unwrap()).fails(1, "is the last one in force");

    let refused = import(&home, "late.log", "06:58", "auditkeep.key")
        .fails(1, "was retired by commit 4 of the journal");
    assert!(refused.stderr.contains("`auditkeep key show` lists them"), "{}", refused.stderr);
    import(&home, "late.log", "06:58", "new.key").succeeds();
    for arguments in
        [&["--public-key", old.as_str()][..], &["--public-key", "new.key.pub"], &["--key", "auditkeep.key"]]
    {
        let verified = home.run(&[&["verify", "--json"], arguments].concat()).succeeds().json();
        assert_eq!((&verified["verdict"], &verified["commits"]), (&"OK".into(), &4.into()), "{verified}");
    }

    let shown = home.run(&["key", "show", "--json"]).succeeds().json();
    let states: Vec<(bool, u64)> = shown["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (key["in_force"].as_bool().unwrap(), key["added"].as_u64().unwrap()))
        .collect();
    assert_eq!(states, [(true, 2), (false, 1)]);
    assert_eq!((&shown["keys"][1]["retired"], &shown["keys"][1]["seal"]), (&4.into(), &3.into()));
    assert_eq!(shown["roots"], serde_json::json!([new, old]));
    let text = home.run(&["key", "show"]).succeeds().stdout;
    assert!(text.contains("in force") && text.contains("retired"), "{text}");
}

#[test]
fn a_crash_before_the_public_key_files_is_mended() {
    let home = home();
    let old = std::fs::read(home.path("auditkeep.pub")).unwrap();
    let rotated = rotate(&home);
    let whole = std::fs::read(home.path("auditkeep.pub")).unwrap();
    std::fs::write(home.path("auditkeep.pub"), &old).unwrap();
    std::fs::remove_file(home.path("new.key.pub")).unwrap();
    let again = rotate(&home);
    assert_eq!((&again["commit"], &again["before"]), (&rotated["commit"], &true.into()));
    for file in ["auditkeep.pub", "new.key.pub"] {
        assert_eq!(std::fs::read(home.path(file)).unwrap(), whole, "{file}");
    }
}

#[test]
fn the_last_key_stays_and_nobody_else_rotates() {
    let home = home();
    let public = keys_in(&home.path("auditkeep.pub")).remove(0);
    let signer = public.splitn(3, '+').take(2).collect::<Vec<_>>().join("+");
    let before = home.snapshot("archive");
    let retire = |key: &str| home.run(&[&["--key", key, "key", "retire", &signer], &WHY[..]].concat());
    retire("auditkeep.key").fails(1, "cannot sign its own retirement");
    let other = Home::with_archive();
    let foreign = home.write("foreign.key", std::fs::read(other.path("auditkeep.key")).unwrap());
    std::fs::set_permissions(foreign, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    retire("foreign.key").fails(1, "is the last one in force");
    let rotate = [&["--key", "foreign.key", "key", "rotate", "--new-key", "new.key"], &WHY[..]].concat();
    home.run(&rotate).fails(1, "is not one of this archive's keys");
    assert!(home.snapshot("archive") == before, "the archive was changed");
}

#[test]
fn a_key_is_not_rotated_to_itself() {
    let home = home();
    let before = home.snapshot("archive");
    for key in ["auditkeep.key", "./auditkeep.key"] {
        home.run(&[&["key", "rotate", "--new-key", key], &WHY[..]].concat()).fails(2, "is the present one");
    }
    assert!(home.snapshot("archive") == before, "the archive was changed");
    assert_eq!(keys_in(&home.path("auditkeep.pub")).len(), 1);
}

/// Keys whose names differ in what comes after the last dot have public halves of their own.
#[test]
fn public_halves_do_not_meet() {
    let home = Home::new();
    home.run(&["init", "--key", "audit.a"]).succeeds();
    home.run(&["init", "--key", "audit.b", "--config", "b.toml", "--archive", "b"]).succeeds();
    assert_ne!(keys_in(&home.path("audit.a.pub")), keys_in(&home.path("audit.b.pub")));
    home.run(&["verify", "--key", "audit.a"]).succeeds();
}
