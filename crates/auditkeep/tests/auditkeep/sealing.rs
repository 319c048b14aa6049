//! Sealing from the command line: witnesses of each kind, and what they show when the archive was set back.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use crate::command::{Home, SERVER_AUDIT};

const WITNESSES: &str = "
[[witness]]
name = \"other-account\"
place = \"./witness\"
[[witness]]
name = \"repository\"
file = \"checkpoint.note\"
";

fn home() -> Home {
    let home = Home::with_archive();
    let config = std::fs::read_to_string(home.path("auditkeep.toml")).unwrap();
    home.write("auditkeep.toml", format!("{config}{WITNESSES}"));
    import(&home, SERVER_AUDIT);
    home
}

fn import(home: &Home, log: &str) {
    home.write("logs/server_audit.log", log);
    home.run(&["import", "logs", "--engine", "mariadb", "--instance", "shop", "--no-derive"]).succeeds();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn an_archive_that_was_set_back_is_found_out() {
    let home = home();
    let first = home.run(&["seal", "--json"]).succeeds().json();
    assert_eq!((first["trails"].as_u64(), first["witnesses"][0]["reached"].as_bool()), (Some(1), Some(true)));
    copy(&home.path("archive"), &home.path("before"));
    import(
        &home,
        &format!("{SERVER_AUDIT}20261121 04:00:00,db1,eve,10.0.0.5,9,30,QUERY,shop,'DROP TABLE x',0\n"),
    );
    home.run(&["seal", "--output", "kept.json"]).succeeds();
    let whole = home.run(&["verify", "--json"]).succeeds().json();
    assert_eq!(whole["checkpoints"].as_array().unwrap().len(), 2, "both witnesses were asked");

    std::fs::rename(home.path("archive"), home.path("after")).unwrap();
    copy(&home.path("before"), &home.path("archive"));
    // Nothing but what was kept elsewhere shows it.
    home.run(&["verify", "--no-witnesses"]).succeeds();
    for arguments in [
        &["verify"][..],
        &["verify", "--no-witnesses", "--checkpoint", "kept.json"],
        &["verify", "--no-witnesses", "--checkpoint", "checkpoint.note"],
        &["verify", "--no-witnesses", "--since", "kept.json"],
    ] {
        let found = home.run(arguments);
        assert_eq!(found.code, 3, "{arguments:?}: {}{}", found.stdout, found.stderr);
        assert!(found.stdout.contains("ROLLED-BACK"), "{}", found.stdout);
    }
    let again = home.run(&["seal"]);
    assert_eq!(again.code, 3, "{}{}", again.stdout, again.stderr);
    assert!(again.stderr.contains("knows another history"), "{}", again.stderr);
    assert!(again.stdout.contains("witness repository: did not get the seal; last on "), "{}", again.stdout);
}

#[test]
fn since_a_seal_only_what_is_new_is_checked() {
    let home = home();
    home.run(&["seal", "--output", "kept.json"]).succeeds();
    let nothing = home.run(&["verify", "--since", "kept.json", "--json"]).succeeds().json();
    assert_eq!((nothing["commits"].as_u64(), nothing["verdict"].as_str()), (Some(0), Some("OK")));
    import(
        &home,
        &format!("{SERVER_AUDIT}20261121 04:00:00,db1,eve,10.0.0.5,9,30,QUERY,shop,'DROP TABLE x',0\n"),
    );
    let new = home.run(&["verify", "--since", "kept.json", "--shallow", "--json"]).succeeds().json();
    assert_eq!(new["commits"].as_u64(), Some(1));
    home.run(&["verify", "--since", "auditkeep.toml"]).fails(2, "neither a sealed commit nor a signed note");
    home.run(&["verify", "--trail", "local.local.nobody.import"]).fails(1, "there is no trail");
    home.run(&["seal", "--output", "kept.json"]).fails(1, "was not touched");
}

#[test]
fn a_witness_that_cannot_be_reached_stops_nothing() {
    let home = home();
    home.run(&["seal"]).succeeds();
    std::fs::remove_dir_all(home.path("witness")).unwrap();
    home.write("witness", "a file where a directory was");
    let sealed = home.run(&["seal", "--json"]);
    assert_eq!(sealed.code, 1, "{}", sealed.stderr);
    let answer = sealed.json();
    assert_eq!(answer["witnesses"].as_array().unwrap().len(), 2);
    let missed =
        answer["witnesses"].as_array().unwrap().iter().find(|witness| witness["witness"] == "other-account");
    let missed = missed.unwrap();
    assert_eq!(missed["reached"], false);
    assert!(missed["last"]["seal"].as_u64() < answer["commit"].as_u64(), "{answer}");
    let verified = home.run(&["verify"]);
    assert_eq!(verified.code, 1);
    assert!(verified.stderr.contains("error: ") && verified.stdout.contains("OK: "), "{}", verified.stderr);
}

#[test]
fn a_webhook_gets_the_note_and_its_address_stays_secret() {
    let home = home();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = std::fs::read_to_string(home.path("auditkeep.toml")).unwrap();
    let webhook = format!("[[witness]]\nname = \"chat\"\nwebhook = \"http://{address}/hooks/s3cret\"\n");
    home.write("auditkeep.toml", format!("{config}{webhook}"));
    let answers = thread::spawn(move || {
        let mut bodies = Vec::new();
        for status in ["204 No Content", "500 Oops"] {
            let (mut stream, _) = listener.accept().unwrap();
            bodies.push(read_request(&mut stream));
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        }
        bodies
    });
    let sealed = home.run(&["seal", "--json"]).succeeds().json();
    let refused = home.run(&["seal"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("status 500") && !refused.stderr.contains("s3cret"),
        "{}",
        refused.stderr
    );
    let gone = home.run(&["seal"]);
    assert_eq!(gone.code, 1);
    assert!(!gone.stderr.contains("s3cret"), "{}", gone.stderr);
    let bodies = answers.join().unwrap();
    let posted: serde_json::Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!(posted["note"], sealed["note"]);
    home.write("posted.note", posted["note"].as_str().unwrap());
    home.run(&["verify", "--no-witnesses", "--checkpoint", "posted.note"]).succeeds();

    home.write(
        "auditkeep.toml",
        format!("{config}{}", webhook.replace("http://127.0.0.1", "http://192.0.2.1")),
    );
    let insecure = home.run(&["seal"]);
    assert!(insecure.stderr.contains("neither https nor on this machine"), "{}", insecure.stderr);
}

fn read_request(stream: &mut impl Read) -> String {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).unwrap();
        request.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
        });
        if count == 0 || length.is_some_and(|length| body.len() >= length) {
            return body.to_owned();
        }
    }
}
