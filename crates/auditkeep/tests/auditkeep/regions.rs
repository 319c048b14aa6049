//! Several accounts and regions: one that fails costs the others nothing.

use std::net::TcpListener;

use auditkeep_lab::emulator::{DEFAULT_REGION, Emulator, EmulatorOptions, LabCredential};
use auditkeep_lab::recorded;

use crate::command::{Ended, Home};

/// A configuration of several sources; each is a region and an endpoint.
fn home(sources: &[(&str, &str)]) -> Home {
    let home = Home::with_archive();
    let mut config = vec![std::fs::read_to_string(home.path("auditkeep.toml")).unwrap()];
    let tables = sources.iter();
    config.extend(
        tables.map(|(region, endpoint)| format!("[[rds]]\nregion = \"{region}\"\nendpoint = \"{endpoint}\"")),
    );
    home.write("auditkeep.toml", config.join("\n"));
    home
}

fn collect(home: &Home, arguments: &[&str]) -> Ended {
    let credential = LabCredential::well_known();
    let environment = [
        ("AWS_ACCESS_KEY_ID", credential.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", credential.secret_access_key.as_str()),
    ];
    home.run_with(&[&["collect"][..], arguments].concat(), &environment)
}

/// Nothing listens there: the port was free a moment ago and is not given out again so soon.
fn nobody() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("http://127.0.0.1:{port}")
}

fn count(text: &str, start: &str) -> usize {
    text.lines().filter(|line| line.starts_with(start)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_fails_stops_neither_the_others_nor_the_derivation() {
    let emulator = Emulator::start(EmulatorOptions::loopback(recorded::fleet())).await.unwrap();
    let (good, silent) = (emulator.endpoint(), nobody());
    let first = home(&[("eu-west-1", &silent), (DEFAULT_REGION, &good)]);
    let last = home(&[(DEFAULT_REGION, &good), ("us-east-1", "no URL"), ("eu-west-1", &silent)]);
    for (home, failed) in [(first, &["eu-west-1"][..]), (last, &["us-east-1", "eu-west-1"])] {
        let ended = collect(&home, &["--json"]);
        assert_eq!(ended.code, 1, "{}", ended.stderr);
        assert_eq!(count(&ended.stderr, "error: "), failed.len(), "{}", ended.stderr);
        assert_eq!(count(&ended.stderr, "hint: "), failed.len(), "{}", ended.stderr);
        let answer = ended.json();
        let failures = answer["failures"].as_array().unwrap();
        assert_eq!(failures.iter().map(|failure| &failure["region"]).collect::<Vec<_>>(), failed);
        for failure in failures {
            assert!(!failure["error"].as_str().unwrap().is_empty());
            assert!(ended.stderr.contains(failure["region"].as_str().unwrap()), "{}", ended.stderr);
        }
        assert_eq!(answer["instances"].as_array().unwrap().len(), 3, "{answer}");
        assert!(answer["derived"]["events"].as_u64().unwrap() > 1000, "{answer}");
        let events = home.run(&["query", "--json", "select count(*) as n from events"]).succeeds().rows();
        assert_eq!(events[0]["n"], answer["derived"]["events"]);

        // People are told the same, beside the table of what there is.
        let again = collect(&home, &[]);
        assert_eq!(again.code, 1);
        assert_eq!(count(&again.stderr, "hint: "), failed.len(), "{}", again.stderr);
        assert!(again.stdout.contains("nothing new to archive"), "{}", again.stdout);
    }
}

#[test]
fn when_every_region_fails_no_other_reason_is_given() {
    let home = home(&[("no region", "http://127.0.0.1:9"), ("us-east-1", "no URL")]);
    let ended = collect(&home, &[]);
    assert_eq!(ended.code, 1);
    assert_eq!(count(&ended.stderr, "hint: "), 2, "{}", ended.stderr);
    assert!(!ended.stderr.contains("no instance was found"), "{}", ended.stderr);
}

#[test]
fn the_only_region_fails_as_one_error() {
    collect(&home(&[("no region", "http://127.0.0.1:9")]), &[]).fails(1, "not the name of an AWS region");
    collect(&home(&[("us-east-1", "no URL")]), &["--json"])
        .fails(2, "`endpoint` in the configuration is no URL");
}
