//! Runs the shop's workload in a PostgreSQL server through tokio-postgres.
//!
//! Simple and extended protocol are both used, as the script says. The client's own housekeeping (none for the built-in
//! types) is not part of the truth.

mod business;
mod foundation;
mod incidents;

use std::error::Error;

use bytes::{Bytes, BytesMut};
use futures::{SinkExt as _, TryStreamExt as _, pin_mut};
use tokio_postgres::types::{Format, IsNull, ToSql, Type};
use tokio_postgres::{Client, Config};

use super::script::{Driver, Planned, Scene, Session, Via};
use super::{RunOptions, Truth, WorkloadError};
use crate::servers::ServerError;
use crate::servers::postgres::{PostgresServer, SUPERUSER, connect};

/// Users and passwords; they exist only while a private server runs.
const APP: (&str, &str) = ("app", "app-Sommer.2026");
const ALICE: (&str, &str) = ("alice", "alice'quoted\"word");
const BOB: (&str, &str) = ("bob", "bob-keeps-the-keys");
const ADMIN: (&str, &str) = (SUPERUSER, "");

/// Plays the whole workload on a fresh server and returns what was done.
///
/// # Errors
/// When a statement or a login does not end as planned: then the server is not what the workload was written for.
pub async fn run(server: &PostgresServer, options: &RunOptions) -> Result<Truth, WorkloadError> {
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

async fn play(server: &PostgresServer, scene: Scene, driver: &mut Driver) -> Result<(), WorkloadError> {
    let mut clients = Vec::new();
    for session in &scene {
        let connected = connect(&way_in(server, session), "log in").await;
        let (client, told) = match connected {
            Ok(client) => (Some(client), Ok(())),
            Err(ServerError::Client { source, .. }) => (None, Err(source.to_string())),
            Err(error) => return Err(error.into()),
        };
        driver.logged_in(session, told)?;
        clients.push(client);
    }
    let rounds = scene.iter().map(|session| session.statements.len()).max().unwrap_or_default();
    for round in 0..rounds {
        for (session, client) in scene.iter().zip(&clients) {
            if let (Some(client), Some(planned)) = (client, session.statements.get(round)) {
                let composed = driver.compose(planned);
                let result = send(client, planned, &composed.1).await;
                driver.executed(session, planned, composed, result.map_err(|error| told(&error)))?;
            }
        }
    }
    Ok(())
}

fn way_in(server: &PostgresServer, session: &Session) -> Config {
    let mut config = if session.user == SUPERUSER { server.superuser() } else { server.tcp() };
    config.user(session.user).password(session.password).dbname(session.database).application_name("shop");
    config
}

async fn send(client: &Client, planned: &Planned, text: &str) -> Result<(), tokio_postgres::Error> {
    match &planned.via {
        Via::Text => client.batch_execute(text).await,
        Via::Prepared(values) => {
            let values: Vec<AsText<'_>> = values.iter().map(|value| AsText(value.as_deref())).collect();
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            client.query(text, &values).await.map(drop)
        }
        Via::CopyIn(data) => {
            let sink = client.copy_in(text).await?;
            pin_mut!(sink);
            sink.send(Bytes::from_static(data.as_bytes())).await?;
            sink.finish().await.map(drop)
        }
        Via::CopyOut => {
            let stream = client.copy_out(text).await?;
            pin_mut!(stream);
            while stream.try_next().await?.is_some() {}
            Ok(())
        }
    }
}

/// What the server told the client.
fn told(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |error| format!("{} {}", error.code().code(), error.message()))
}

/// A parameter in PostgreSQL's text format, whatever its type; so the truth knows it as it is sent.
#[derive(Debug)]
struct AsText<'a>(Option<&'a str>);

impl ToSql for AsText<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}
