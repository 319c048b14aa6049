//! Real databases, end to end: what clients did to a PostgreSQL with pgAudit and a MariaDB with server_audit is served over the
//! RDS API, collected, archived, derived, and compared with what the clients know.

use std::collections::BTreeMap;
use std::path::Path;

use auditkeep_lab::emulator::{
    DEFAULT_ACCESS_KEY_ID, DEFAULT_REGION, DEFAULT_SECRET_ACCESS_KEY, Emulator, EmulatorOptions, Fleet,
    LabInstance, Logs, Mount,
};
use auditkeep_lab::servers::mariadb::{MariadbOptions, MariadbServer};
use auditkeep_lab::servers::postgres::{PostgresOptions, PostgresServer};
use auditkeep_lab::truth::{Executed, LoggedText, Outcome, Truth};
use auditkeep_lab::workload::{self, RunOptions};
use serde_json::Value;

use crate::command::{Ended, Home};

/// An emulated RDS instance over the live log directory of a real server, and the product that collects from it.
struct Bench {
    home: Home,
    emulator: Emulator,
}

impl Bench {
    async fn new(engine: &str, prefix: &str, directory: &Path) -> Self {
        let mount = Mount { prefix: prefix.to_owned(), directory: directory.to_owned() };
        let instance = LabInstance {
            name: "shop".to_owned(),
            resource_id: "db-ENDTOENDENDTOENDENDTOEND00".to_owned(),
            engine: engine.to_owned(),
            engine_version: "1".to_owned(),
            cluster: None,
            logs: Logs::Mounts(vec![mount]),
        };
        let fleet = Fleet { instances: vec![instance] };
        let emulator = Emulator::start(EmulatorOptions::loopback(fleet)).await.unwrap();
        Self { home: Home::with_archive(), emulator }
    }

    fn collect(&self) -> Ended {
        let endpoint = self.emulator.endpoint();
        let environment = [
            ("AWS_ENDPOINT_URL_RDS", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", DEFAULT_ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", DEFAULT_SECRET_ACCESS_KEY),
            ("AWS_REGION", DEFAULT_REGION),
        ];
        self.home.run_with(&["collect", "--json"], &environment).succeeds()
    }

    fn query(&self, sql: &str) -> Vec<Value> {
        self.home.run(&["query", "--json", sql]).succeeds().rows()
    }

    /// Everything that holds after a collection, whatever was collected.
    fn assert_sound(&self, directory: &Path, prefix: &str) {
        let verified = self.home.run(&["verify", "--json"]).succeeds().json();
        assert_eq!(verified["verdict"], "OK");
        let problems = self.query("select reason, count(*) as n from problems group by reason");
        assert!(problems.is_empty(), "{problems:?}");
        self.assert_raw_bytes(directory, prefix);
        let again = self.collect().json();
        assert_eq!((&again["new_bytes"], &again["derived"]["events"]), (&0.into(), &0.into()), "{again}");
    }

    /// Each log that the server has on its disk comes back byte for byte.
    fn assert_raw_bytes(&self, directory: &Path, prefix: &str) {
        let mut compared = 0;
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            if bytes.is_empty() {
                continue;
            }
            let name = format!("{prefix}/{}", path.file_name().unwrap().to_str().unwrap());
            let copy = self.home.path(&format!("copy-{compared}"));
            let output = copy.to_str().unwrap();
            self.home.run(&["export", "raw", "--instance", "shop", "--log", &name, "-o", output]).succeeds();
            assert!(std::fs::read(copy).unwrap() == bytes, "{name} differs");
            compared += 1;
        }
        assert!(compared > 0);
    }

    /// Each statement that was sent is there once, told as the client knows it.
    fn assert_statements(&self, truth: &Truth) {
        let mut rows = self.query(
            "select statement, user_name, database_name, class, outcome from events \
             where statement is not null and flags not like '%unverified%'",
        );
        let mut wrong = Vec::new();
        for executed in &truth.statements {
            let (found, rest): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|row| text(row, "statement").contains(&executed.marker));
            rows = rest;
            wrong.extend(differences(executed, &found));
        }
        assert!(wrong.is_empty(), "{} statements are told wrongly:\n{}", wrong.len(), wrong.join("\n"));
        // What is left carries no marker of this run: nothing was made up.
        let made_up: Vec<_> = rows
            .iter()
            .filter(|row| text(row, "statement").contains(&format!("ak-{}-", truth.run)))
            .collect();
        assert!(made_up.is_empty(), "{made_up:?}");
    }

    /// As many logins of each user, successful and failed, as the client tried.
    fn assert_logins(&self, truth: &Truth, besides: &[&str]) {
        let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
        for login in &truth.logins {
            *expected.entry((login.user.clone(), outcome(login.outcome).to_owned())).or_default() += 1;
        }
        let rows = self.query(
            "select user_name, outcome, count(*) as n from events where class = 'connect' group by 1, 2",
        );
        let found: BTreeMap<(String, String), u64> = rows
            .iter()
            .map(|row| {
                (
                    (text(row, "user_name").to_owned(), text(row, "outcome").to_owned()),
                    row["n"].as_u64().unwrap(),
                )
            })
            .filter(|((user, _), _)| !besides.contains(&user.as_str()))
            .collect();
        expected.retain(|(user, _), _| !besides.contains(&user.as_str()));
        assert_eq!(found, expected);
    }
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_default()
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
    }
}

/// What the events of one statement say otherwise than the client who sent it; none if they agree.
fn differences(executed: &Executed, found: &[Value]) -> Option<String> {
    let records = match (executed.relations, executed.outcome) {
        // Refused before it ran: the error is its one record.
        (0, Outcome::Failure) => 1,
        (records, _) => records as usize,
    };
    let class = |row: &Value| text(row, "class") == executed.class;
    let agrees = |row: &Value| {
        // A MariaDB session without a default database is logged as being in `mysql` once it touched a system table.
        let database = text(row, "database_name");
        let in_none = executed.database.is_empty() && database == "mysql";
        text(row, "user_name") == executed.user
            && (database == executed.database || in_none)
            && text(row, "outcome") == outcome(executed.outcome)
            && (executed.logged_text != LoggedText::Whole || text(row, "statement") == executed.statement)
    };
    let right =
        found.len() == records && found.iter().all(agrees) && (records == 0 || found.iter().any(class));
    (!right).then(|| format!("{executed:#?}\nfound: {found:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_postgresql() {
    let server = PostgresServer::start(PostgresOptions::default()).await.unwrap();
    let bench = Bench::new("postgres", "error", &server.log_directory()).await;
    let truth = workload::postgres::run(&server, &RunOptions::new("pge2e", 6)).await.unwrap();
    server.flush().await.unwrap();
    // While the server runs, and again after it has stopped and written its last lines.
    bench.collect();
    let server = server.stop().unwrap();
    bench.collect();
    bench.assert_sound(&server.log_directory(), "error");
    bench.assert_statements(&truth);
    bench.assert_logins(&truth, &["rdsadmin"]);

    // `RAISE LOG 'AUDIT: …'` makes a line like pgAudit's. It is told as what it is, and not believed.
    let forged = bench.query("select command, class, statement from events where flags like '%unverified%'");
    assert_eq!(forged.len(), 1, "{forged:?}");
    assert_eq!((text(&forged[0], "command"), text(&forged[0], "class")), ("RAISE", "misc"));
    assert!(text(&forged[0], "statement").contains("DO $$ BEGIN RAISE LOG"), "{forged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_mariadb_that_rotates() {
    let query_log_limit = workload::mariadb::QUERY_LOG_LIMIT;
    let options = MariadbOptions { rotate_size: 40_000, query_log_limit, ..MariadbOptions::default() };
    let server = MariadbServer::start(options).await.unwrap();
    let bench = Bench::new("mariadb", "audit", &server.log_directory()).await;
    let truth = workload::mariadb::run(&server, &RunOptions::new("mae2e", 12)).await.unwrap();
    server.flush().await.unwrap();
    bench.collect();
    let server = server.stop().unwrap();
    bench.collect();
    bench.assert_sound(&server.log_directory(), "audit");
    bench.assert_statements(&truth);
    bench.assert_logins(&truth, &["rdsadmin"]);
}
