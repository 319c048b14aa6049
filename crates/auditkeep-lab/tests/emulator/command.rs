//! `auditkeep-lab serve` as a process.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::lab::{Signing, signed};

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auditkeep-lab"));
    command.env_remove("AUDITKEEP_LAB_SECRET_ACCESS_KEY").env_remove("AUDITKEEP_LAB_ACCESS_KEY_ID");
    command.stderr(Stdio::piped()).kill_on_drop(true);
    command
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
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let endpoint = loop {
        let line = lines.next_line().await.unwrap().expect("it ended before it listened");
        if let Some(endpoint) = line.strip_prefix("export AWS_ENDPOINT_URL_RDS=") {
            break endpoint.to_owned();
        }
    };
    let url = format!("{endpoint}/v13/downloadCompleteLogFile/orders/error/a.log");
    let answer = reqwest::Client::new().execute(signed("GET", &url, "", &Signing::default())).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "one\n");
    let url = format!("{endpoint}/v13/downloadCompleteLogFile/orders/instance.json");
    let answer = reqwest::Client::new().execute(signed("GET", &url, "", &Signing::default())).await.unwrap();
    assert_eq!(answer.status(), 404);
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
    ] {
        let output = command().args(arguments).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(reason), "{said}");
    }
}
