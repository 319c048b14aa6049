//! Instances that were collected once and are not any more.

use auditkeep_lab::emulator::{DEFAULT_REGION, Emulator, EmulatorOptions, LabCredential};
use auditkeep_lab::recorded;
use serde_json::Value;

use crate::command::{Ended, Home};

fn home(endpoint: &str, more: &str) -> Home {
    let home = Home::with_archive();
    let config = std::fs::read_to_string(home.path("auditkeep.toml")).unwrap();
    let rds = format!("[[rds]]\nregion = \"{DEFAULT_REGION}\"\nendpoint = \"{endpoint}\"\n{more}");
    home.write("auditkeep.toml", [config, rds].join("\n"));
    home
}

fn collect(home: &Home, arguments: &[&str]) -> Ended {
    let credential = LabCredential::well_known();
    let environment = [
        ("AWS_ACCESS_KEY_ID", credential.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", credential.secret_access_key.as_str()),
    ];
    home.run_with(&[&["collect", "--no-derive", "--json"][..], arguments].concat(), &environment)
}

fn stopped(ended: &Ended) -> Vec<Value> {
    ended.json()["stopped"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_recorded_once_that_an_instance_is_gone_or_excluded() {
    let mut fleet = recorded::fleet();
    let emulator = Emulator::start(EmulatorOptions::loopback(fleet.clone())).await.unwrap();
    let home = home(&emulator.endpoint(), "");
    let first = collect(&home, &[]).succeeds();
    assert_eq!(stopped(&first), [Value::Null; 0]);
    for instance in first.json()["instances"].as_array().unwrap() {
        assert_eq!(instance["gaps_opened"], Value::Array(Vec::new()));
    }
    let names: Vec<String> = fleet.instances.iter().map(|instance| instance.name.clone()).collect();
    let others = collect(&home, &["--instance", &names[1]]).succeeds();
    assert_eq!(stopped(&others), [Value::Null; 0], "asked for on the command line");

    fleet.instances.remove(0);
    emulator.set_fleet(fleet).unwrap();
    let config = std::fs::read_to_string(home.path("auditkeep.toml")).unwrap();
    home.write("auditkeep.toml", format!("{config}exclude = [\"{}\"]\n", names[1]));
    let second = collect(&home, &[]).succeeds();
    let causes: Vec<(String, bool)> = stopped(&second)
        .iter()
        .map(|stopped| {
            let text = |key: &str| stopped[key].as_str().unwrap().to_owned();
            (text("instance"), text("cause").contains("excludes"))
        })
        .collect();
    let mut expected = [(names[0].clone(), false), (names[1].clone(), true)];
    expected.sort();
    let mut causes = causes;
    causes.sort();
    assert_eq!(causes, expected);
    assert_eq!(stopped(&collect(&home, &[]).succeeds()), [Value::Null; 0], "once");

    for trail in home.run(&["status", "--json"]).succeeds().rows() {
        let is_gone = names[..2].iter().any(|name| trail["instance"] == **name);
        assert_eq!(trail["state"], if is_gone { "stopped" } else { "started" }, "{trail}");
        assert_eq!((&trail["gaps"], &trail["holds"]), (&Value::Array(Vec::new()), &Value::Array(Vec::new())));
    }
    home.run(&["verify"]).succeeds();
}
