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
        "OK: up to the newest commit of each trail, everything is there and unaltered",
        "Who tried to connect and failed?",
        "Who read the table `payments`?",
        "Who changed roles or privileges?",
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

/// Runs a demo that must be refused before it writes or removes anything.
#[track_caller]
fn refused(home: &Home, directory: &str) {
    let before = home.snapshot(".");
    let ended = home.run(&["demo", "--directory", directory]).fails(2, "was not made by the demo");
    assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
    assert!(home.snapshot(".") == before, "something was written to `{directory}`, or removed");
}

#[test]
fn it_keeps_out_of_directories_that_it_did_not_make() {
    let real = Home::with_archive();
    real.write("tampered/evidence.txt", "not the demo's");
    for directory in [".", "archive", "tampered"] {
        refused(&real, directory);
    }
    let other = Home::new();
    other.write("notes/notes.txt", "not the demo's");
    refused(&other, "notes");
    refused(&other, "notes/notes.txt");
    // A configuration is somebody's, even where nothing else is.
    let copied = Home::new();
    copied.write("auditkeep.toml", "archive = \"./archive\"\n");
    refused(&copied, ".");
}

#[test]
fn it_marks_its_directory_and_goes_on_where_it_was_interrupted() {
    let home = Home::new();
    std::fs::create_dir(home.path("here")).unwrap();
    home.run(&["demo", "--directory", "here"]).succeeds();
    let mark = std::fs::read_to_string(home.path("here/auditkeep-demo.txt")).unwrap();
    assert!(mark.contains("can be deleted"), "{mark}");
    // All that was there when it ended the first time, in the order in which it was written.
    for left in [&["auditkeep-demo.txt"][..], &["auditkeep-demo.txt", "auditkeep.key"]] {
        let again = Home::new();
        for name in left {
            let copy = again.write(&format!("here/{name}"), "");
            std::fs::copy(home.path("here").join(name), copy).unwrap();
        }
        again.run(&["demo", "--directory", "here"]).succeeds();
    }
}

#[test]
fn recorded_logs_go_nowhere_else_whatever_its_configuration_says() {
    let home = Home::with_archive();
    home.run(&["demo", "--directory", "demo"]).succeeds();
    let config = std::fs::read_to_string(home.path("demo/auditkeep.toml")).unwrap();
    assert!(config.contains("\narchive = \"archive\"\n"), "{config}");
    let config = config.replace("\narchive = \"archive\"\n", "\narchive = \"../archive\"\n");
    home.write("demo/auditkeep.toml", config);
    let before = home.snapshot("archive");
    home.run(&["demo", "--directory", "demo"]).succeeds();
    assert!(home.snapshot("archive") == before, "recorded logs went into somebody's archive");
}

/// What a person sees in a window of the usual size. Commands to copy are on one line, whatever their length.
#[test]
fn its_sentences_fit_a_terminal() {
    let home = Home::new();
    let shown = home.run(&["demo"]).succeeds().stdout;
    let wide =
        shown.lines().filter(|line| line.chars().count() > 100 && line.starts_with(char::is_alphabetic));
    let sentences: Vec<&str> = wide.filter(|line| line.ends_with(['.', ',', ':'])).collect();
    assert!(sentences.is_empty(), "{sentences:#?}");
}
