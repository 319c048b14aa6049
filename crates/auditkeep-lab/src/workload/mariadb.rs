//! Runs the shop's workload in a MariaDB server through mysql_async.
//!
//! The client asks the server for its settings when it connects; those statements are in the log without a marker and
//! are not part of the truth.

mod business;
mod foundation;
mod incidents;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, Params, Value};

use super::script::{Driver, Planned, Scene, Session, Via};
use super::{RunOptions, Truth, WorkloadError};
use crate::servers::ServerError;
use crate::servers::mariadb::{MariadbServer, SUPERUSER};

/// Users and passwords; they exist only while a private server runs. `bob` is the DBA and the instance's master user.
const APP: (&str, &str) = ("app", "app-Sommer.2026");
const ALICE: (&str, &str) = ("alice", "alice'quoted\"word");
const BOB: (&str, &str) = ("bob", "bob-keeps-the-keys");
const ADMIN: (&str, &str) = (SUPERUSER, "");

/// The `query_log_limit` that the workload is written for, in escaped bytes: one statement is longer, all others fit.
pub const QUERY_LOG_LIMIT: u32 = 2048;

/// Plays the whole workload on a fresh server and returns what was done.
///
/// # Errors
/// When a statement or a login does not end as planned: then the server is not what the workload was written for.
pub async fn run(server: &MariadbServer, options: &RunOptions) -> Result<Truth, WorkloadError> {
    let mut driver = Driver::new(options);
    for scene in scenes(options) {
        play(server, scene, &mut driver).await?;
        tokio::time::sleep(options.pause).await;
    }
    Ok(driver.into_truth())
}

fn scenes(options: &RunOptions) -> Vec<Scene> {
    [foundation::scenes(), business::scenes(options.orders), incidents::scenes()].concat()
}

async fn play(server: &MariadbServer, scene: Scene, driver: &mut Driver) -> Result<(), WorkloadError> {
    let mut clients = Vec::new();
    for session in &scene {
        let (client, told) = match Conn::new(way_in(server, session)).await {
            Ok(client) => (Some(client), Ok(())),
            Err(error) => (None, Err(error.to_string())),
        };
        driver.logged_in(session, told)?;
        clients.push(client);
    }
    let rounds = scene.iter().map(|session| session.statements.len()).max().unwrap_or_default();
    for round in 0..rounds {
        for (session, client) in scene.iter().zip(&mut clients) {
            if let (Some(client), Some(planned)) = (client, session.statements.get(round)) {
                let composed = driver.compose(planned);
                let result = send(client, planned, &composed.1).await;
                driver.executed(session, planned, composed, result.map_err(|error| error.to_string()))?;
            }
        }
    }
    for client in clients.into_iter().flatten() {
        client
            .disconnect()
            .await
            .map_err(|source| ServerError::Client { action: "log out", source: source.into() })?;
    }
    Ok(())
}

fn way_in(server: &MariadbServer, session: &Session) -> OptsBuilder {
    if session.user == SUPERUSER {
        return server.superuser();
    }
    let database = (!session.database.is_empty()).then_some(session.database);
    server.tcp().user(Some(session.user)).pass(Some(session.password)).db_name(database)
}

async fn send(client: &mut Conn, planned: &Planned, text: &str) -> Result<(), mysql_async::Error> {
    match &planned.via {
        Via::Prepared(values) => {
            let values = values
                .iter()
                .map(|value| value.as_ref().map_or(Value::NULL, |text| Value::from(text.as_str())));
            client.exec_drop(text, Params::Positional(values.collect())).await
        }
        // The protocol has no COPY; the script does not ask for it.
        Via::Text | Via::CopyIn(_) | Via::CopyOut => client.query_drop(text).await,
    }
}
