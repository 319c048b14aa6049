//! Files that are no files, or far too large, where a small one is expected: refused, at once and without filling memory.

use std::fs::File;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{Home, SERVER_AUDIT};

/// How it ended, if it did so in good time.
#[track_caller]
fn quickly(home: &Home, arguments: &[&str]) -> (i32, String) {
    let mut child = home.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        let hangs = begun.elapsed() > Duration::from_secs(15);
        if hangs {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(!hangs, "{arguments:?} hangs");
        thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn home() -> Home {
    let home = Home::with_archive();
    home.write("logs/server_audit.log", SERVER_AUDIT);
    home.run(&["import", "logs", "--engine", "mariadb", "--instance", "shop", "--no-derive"]).succeeds();
    assert!(Command::new("mkfifo").arg(home.path("fifo")).status().unwrap().success());
    // Sparse: it takes no room.
    File::create(home.path("huge")).unwrap().set_len(40 << 30).unwrap();
    home
}

#[test]
fn only_small_files_are_read() {
    let home = home();
    let fails = |arguments: &[&str]| {
        let (code, stderr) = quickly(&home, arguments);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains("\nhint: "), "{arguments:?}: {stderr}");
    };
    for odd in ["huge", "/dev/zero", "."] {
        for option in ["--checkpoint", "--since", "--public-key", "--config"] {
            fails(&["verify", option, odd]);
        }
    }
    // A pipe that nobody writes to would be waited for.
    fails(&["verify", "--config", "fifo"]);
    std::fs::set_permissions(home.path("fifo"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (code, stderr) = quickly(&home, &["seal", "--key", "fifo"]);
    assert_eq!(code, 1, "{stderr}");
}

/// As a shell gives for `<(…)`.
#[test]
fn checkpoints_and_keys_may_come_through_a_pipe() {
    let home = home();
    home.run(&["seal", "-o", "kept"]).succeeds();
    for (option, file) in [("--checkpoint", "kept"), ("--since", "kept"), ("--public-key", "auditkeep.pub")] {
        let (bytes, pipe) = (std::fs::read(home.path(file)).unwrap(), home.path("fifo"));
        let writer = thread::spawn(move || std::fs::write(pipe, bytes));
        let (code, stderr) = quickly(&home, &["verify", option, "fifo"]);
        assert_eq!(code, 0, "{option}: {stderr}");
        writer.join().unwrap().unwrap();
    }
}

#[test]
fn witnesses_are_not_read_without_end() {
    let home = home();
    let config = std::fs::read_to_string(home.path("auditkeep.toml")).unwrap();
    for odd in ["fifo", "huge", "/dev/zero"] {
        home.write("auditkeep.toml", format!("{config}\n[[witness]]\nname = \"w\"\nfile = \"{odd}\"\n"));
        for arguments in [&["verify"][..], &["seal"]] {
            let (code, stderr) = quickly(&home, arguments);
            assert_eq!(code, 1, "{odd}, {arguments:?}: {stderr}");
            assert!(stderr.contains("witness `w`") && stderr.contains("\nhint: "), "{odd}: {stderr}");
        }
    }
    let id = home.run(&["seal", "--json"]).json()["archive_id"].as_str().unwrap().to_owned();
    let kept = home.write(&format!("place/{id}/00000000000000000099.json"), "");
    home.write("auditkeep.toml", format!("{config}\n[[witness]]\nname = \"w\"\nplace = \"place\"\n"));
    // Objects that are no seals are passed over.
    File::create(&kept).unwrap().set_len(40 << 30).unwrap();
    let (code, stderr) = quickly(&home, &["verify"]);
    assert_eq!(code, 0, "{stderr}");
    std::fs::remove_file(&kept).unwrap();
    assert!(Command::new("mkfifo").arg(&kept).status().unwrap().success());
    let (code, stderr) = quickly(&home, &["verify"]);
    assert_eq!(code, 0, "{stderr}");
}

/// There it would be planted evidence, or a private key within reach of whoever alters the archive.
#[test]
fn nothing_is_written_into_the_archive() {
    let home = home();
    let before = home.run(&["verify", "--strict", "--json"]).succeeds().json();
    for arguments in [
        &["seal", "-o", "archive/trails/journal/commits/00000000000000000008.json"][..],
        &["export", "raw", "--instance", "shop", "--log", "server_audit.log", "-o", "archive/raw/x"],
        &["key", "rotate", "--new-key", "archive/k", "--by", "x", "--reason", "x"],
    ] {
        let (code, stderr) = quickly(&home, arguments);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains("would lie in the archive"), "{arguments:?}: {stderr}");
    }
    assert_eq!(home.run(&["verify", "--strict", "--json"]).succeeds().json(), before);
}
