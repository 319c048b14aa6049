//! `auditkeep-lab serve` as a process.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::lab::{Signing, signed};

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auditkeep-lab"));
    command.env_remove("AUDITKEEP_LAB_SECRET_ACCESS_KEY").env_remove("AUDITKEEP_LAB_ACCESS_KEY_ID");
    command.stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Where a server says that it listens, and its standard error, which must stay open.
async fn endpoint(server: &mut Child) -> (String, Lines<BufReader<ChildStderr>>) {
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended before it listened"));
        if let Some(endpoint) = line.strip_prefix("export AWS_ENDPOINT_URL_RDS=") {
            return (endpoint.to_owned(), lines);
        }
    }
}

#[tokio::test]
async fn serve_says_where_it_listens_and_serves_a_directory() {
    let root = tempfile::tempdir().unwrap();
    let orders = root.path().join("orders");
    std::fs::create_dir_all(orders.join("error")).unwrap();
    let json = r#"{"name":"orders","resource_id":"db-O","engine":"postgres","engine_version":"15.8"}"#;
    std::fs::write(orders.join("instance.json"), json).unwrap();
    std::fs::write(orders.join("error/a.log"), "one\n").unwrap();

    let mut server =
        command().args(["serve", "--listen", "127.0.0.1:0", "--directory"]).arg(root.path()).spawn().unwrap();
    let (endpoint, _said) = endpoint(&mut server).await;
    let url = format!("{endpoint}/v13/downloadCompleteLogFile/orders/error/a.log");
    let answer = reqwest::Client::new().execute(signed("GET", &url, "", &Signing::default())).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "one\n");
    let url = format!("{endpoint}/v13/downloadCompleteLogFile/orders/instance.json");
    let answer = reqwest::Client::new().execute(signed("GET", &url, "", &Signing::default())).await.unwrap();
    assert_eq!(answer.status(), 404);
    server.kill().await.unwrap();
}

#[tokio::test]
async fn serve_plays_a_scenario_and_shows_its_counters() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("scenario.toml");
    let text = "[[instances]]\nname = 'orders'\nengine = 'mariadb'\nrecord_every = '1s'\nage = '1m'\n\
                [[rules]]\nswitch = { refuse = 'throttle' }\nwhen = { every = 2 }\n";
    std::fs::write(&path, text).unwrap();
    let mut server =
        command().args(["serve", "--listen", "127.0.0.1:0", "--scenario"]).arg(&path).spawn().unwrap();
    let (endpoint, _said) = endpoint(&mut server).await;
    let url = format!("{endpoint}/v13/downloadCompleteLogFile/orders/audit/server_audit.log");
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = signed("GET", &url, "", &Signing::default());
        let answer = reqwest::Client::new().execute(request).await.unwrap();
        answers.push((answer.status().as_u16(), answer.bytes().await.unwrap().len()));
    }
    assert!(answers[0].0 == 200 && answers[0].1 > 3000 && answers[1].0 == 400, "{answers:?}");
    let counts = reqwest::get(format!("{endpoint}/lab/counts")).await.unwrap().text().await.unwrap();
    let sent = answers[0].1 + answers[1].1;
    assert_eq!(
        counts,
        format!(
            r#"{{"calls":{{"downloadCompleteLogFile":2}},"bytes_sent":{sent},"faults":{{"throttle":1}}}}"#
        )
    );
    server.kill().await.unwrap();
}

#[tokio::test]
async fn serve_refuses_what_it_should() {
    for (arguments, reason) in [
        (&["serve", "--recorded", "--listen", "0.0.0.0:0"][..], "--allow-remote"),
        (&["serve", "--listen", "127.0.0.1:0"], "--recorded"),
        (
            &["serve", "--directory", "/nonexistent/lab"],
            "could not read the instances: could not read /nonexistent/lab",
        ),
        (
            &["serve", "--scenario", "/nonexistent/day.toml"],
            "could not set up the scenario: could not read /nonexistent/day.toml",
        ),
    ] {
        let output = command().args(arguments).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(reason), "{said}");
    }
}
