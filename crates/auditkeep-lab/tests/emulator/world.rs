//! One simulated database behind an emulator, and the calls that the tests make.

use std::io::Read as _;
use std::time::Duration;

use auditkeep_lab::clock::Clock;
use auditkeep_lab::emulator::switches::{ReadingFlaw, Rule, Switch, When};
use auditkeep_lab::emulator::{Behaviour, Emulator, EmulatorOptions};
use auditkeep_lab::simulate::{Database, Estate, Exposed, InstanceOptions, Layout, ServerAudit};
use aws_sdk_rds::Client;
use aws_sdk_rds::error::ProvideErrorMetadata;
use jiff::Timestamp;

use crate::lab::{Signing, client, signed};

pub(crate) const NAME: &str = "orders";
pub(crate) const LIVE: &str = "audit/server_audit.log";

pub(crate) struct World {
    pub(crate) emulator: Emulator,
    /// One for all calls: making a client reads the machine's certificates.
    pub(crate) http: reqwest::Client,
    pub(crate) rds: Client,
    pub(crate) clock: Clock,
    pub(crate) estate: Estate,
}

pub(crate) fn nine() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

pub(crate) fn options(engine: &str, layout: Layout, record_every: Option<Duration>) -> InstanceOptions {
    InstanceOptions {
        name: NAME.to_owned(),
        engine: engine.to_owned(),
        engine_version: "1".to_owned(),
        cluster: None,
        layout,
        record_every,
        age: Duration::ZERO,
    }
}

pub(crate) fn mariadb(record_every: Option<Duration>) -> InstanceOptions {
    let layout = Layout::ServerAudit(ServerAudit { rotate_bytes: 20_000, rotations: 3, mysql: false });
    options("mariadb", layout, record_every)
}

pub(crate) fn lines(bytes: &[u8]) -> usize {
    bytes.split_inclusive(|byte| *byte == b'\n').count()
}

pub(crate) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

pub(crate) async fn world(instance: InstanceOptions) -> World {
    let clock = Clock::manual(nine());
    let estate = Estate::new(clock.clone(), 7);
    estate.create(instance).unwrap();
    let emulator = Emulator::start(EmulatorOptions::simulated(estate.clone())).await.unwrap();
    World { rds: client(&emulator), http: reqwest::Client::new(), emulator, clock, estate }
}

impl World {
    pub(crate) fn database(&self) -> std::sync::Arc<Database> {
        self.estate.database(NAME).unwrap()
    }

    pub(crate) fn flaw(&self, flaw: ReadingFlaw) {
        let rules = vec![Rule::always(Switch::Reading(flaw)).when(When::every(1))];
        self.emulator.set_behaviour(Behaviour { rules, ..Behaviour::default() });
    }

    /// Name, size and time of each file, by name.
    pub(crate) async fn list(&self) -> Vec<(String, i64, i64)> {
        let answer = self.rds.describe_db_log_files().db_instance_identifier(NAME).send().await.unwrap();
        let file = |file: &aws_sdk_rds::types::DescribeDbLogFilesDetails| {
            (file.log_file_name().unwrap().to_owned(), file.size().unwrap(), file.last_written().unwrap())
        };
        let mut files: Vec<_> = answer.describe_db_log_files().iter().map(file).collect();
        files.sort();
        files
    }

    pub(crate) async fn names(&self) -> Vec<String> {
        self.list().await.into_iter().map(|(name, _, _)| name).collect()
    }

    pub(crate) async fn get(&self, file: &str) -> Vec<u8> {
        let url = format!("{}/v13/downloadCompleteLogFile/{NAME}/{file}", self.emulator.endpoint());
        let answer = self.http.execute(signed("GET", &url, "", &Signing::default())).await.unwrap();
        assert_eq!(answer.status(), 200, "{file}");
        answer.bytes().await.unwrap().to_vec()
    }

    /// The files of all databases that ever were.
    pub(crate) fn exposed(&self) -> Vec<Exposed> {
        self.estate.truth().into_iter().flat_map(|truth| truth.files).collect()
    }

    pub(crate) async fn listing_error(&self) -> Option<String> {
        let error = self.rds.describe_db_log_files().db_instance_identifier(NAME).send().await.unwrap_err();
        error.code().map(str::to_owned)
    }
}
