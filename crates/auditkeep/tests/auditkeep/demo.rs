//! The demo: what a stranger sees first.

use crate::command::Home;

#[test]
fn it_shows_everything_and_a_second_run_collects_nothing_new() {
    let home = Home::new();
    let first = home.run(&["demo"]).succeeds();
    for shown in [
        "shop-postgres",
        "shop-mariadb",
        "shop-aurora",
        "every record was read",
        "OK: everything that was archived is there and unaltered",
        "Who tried to connect and failed?",
        "Who read the table `payments`?",
        "What changed roles or privileges?",
        "MODIFIED",
        "MISSING",
        "FAILED: 2 findings against this archive",
        "auditkeep-demo/auditkeep.toml events --failed",
    ] {
        assert!(first.stdout.contains(shown), "`{shown}` is missing in\n{}", first.stdout);
    }
    assert!(!first.stdout.contains('\u{1b}'), "no terminal sequence gets out");

    let archive = home.snapshot("auditkeep-demo/archive");
    let second = home.run(&["demo"]).succeeds();
    assert!(second.stdout.contains("nothing new to archive"), "{}", second.stdout);
    assert!(second.stdout.contains("nothing new to derive"), "{}", second.stdout);
    assert!(home.snapshot("auditkeep-demo/archive") == archive, "the second run wrote something");
}

#[test]
fn its_json_is_one_object() {
    let home = Home::new();
    let answer = home.run(&["demo", "--json"]).succeeds().json();
    assert_eq!(answer["collected"]["instances"].as_array().unwrap().len(), 3);
    assert_eq!(answer["collected"]["derived"]["problems"], 0);
    assert_eq!(answer["verified"]["findings"].as_array().unwrap().len(), 0);
    assert_eq!(answer["tampered"]["findings"].as_array().unwrap().len(), 2);
}

#[test]
fn every_next_step_that_it_names_works() {
    let home = Home::new();
    let shown = home.run(&["demo"]).succeeds().stdout;
    let steps: Vec<&str> = shown.lines().filter(|line| line.contains(" --config ")).collect();
    assert!(steps.len() >= 6, "{shown}");
    for step in steps {
        let (_, arguments) = step.split_once(" --config ").unwrap();
        let quoted: Vec<&str> = arguments.splitn(3, '"').collect();
        let mut words: Vec<&str> = quoted[0].split_whitespace().collect();
        words.extend(quoted.get(1));
        let ended = home.run(&[&["--config"][..], &words].concat());
        let expected = if step.contains("/tampered") { 3 } else { 0 };
        assert_eq!(ended.code, expected, "{step}\n{}", ended.stderr);
        assert!(!ended.stdout.is_empty(), "{step}");
    }
}
