//! `auditkeep-lab serve`: an emulated RDS endpoint over a directory of log files, over the recorded ones, or over
//! simulated databases as a scenario says.
//!
//! It listens on the loopback device unless told otherwise twice, and runs until it is interrupted. Then it says what it has
//! counted; until then `GET /lab/counts` does.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use auditkeep_lab::clock::Clock;
use auditkeep_lab::emulator::{
    Behaviour, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCOUNT, DEFAULT_REGION, DEFAULT_SECRET_ACCESS_KEY, Emulator,
    EmulatorError, EmulatorOptions, Fleet, FleetError, LabCredential,
};
use auditkeep_lab::scenario::{Scenario, ScenarioError, Stage};
use auditkeep_lab::simulate::Estate;
use clap::Args;

/// Serve log files as the RDS endpoint does.
#[derive(Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    source: Source,
    /// Address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8400", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Allow an address that other machines can reach
    #[arg(long)]
    allow_remote: bool,
    /// Access key id that callers must sign with
    #[arg(long, default_value = DEFAULT_ACCESS_KEY_ID, env = "AUDITKEEP_LAB_ACCESS_KEY_ID")]
    access_key_id: String,
    /// Secret that callers must sign with; better given in the environment, where other users cannot see it
    #[arg(long, default_value = DEFAULT_SECRET_ACCESS_KEY, env = "AUDITKEEP_LAB_SECRET_ACCESS_KEY")]
    #[arg(hide_env_values = true)]
    secret_access_key: String,
    /// Region to play
    #[arg(long, default_value = DEFAULT_REGION)]
    region: String,
    /// Account to play
    #[arg(long, default_value = DEFAULT_ACCOUNT)]
    account: String,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// Directory whose subdirectories with an instance.json are the instances; read live
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Serve the logs that were recorded from real servers
    #[arg(long)]
    recorded: bool,
    /// Serve simulated databases, and spoil their answers, as a scenario file says
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
}

/// Why serving failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("{0} can be reached by other machines; say --allow-remote if that is meant")]
    Remote(SocketAddr),
    #[error("could not read the instances")]
    Fleet(#[from] FleetError),
    #[error("could not set up the scenario")]
    Scenario(#[from] ScenarioError),
    #[error("could not start the endpoint")]
    Start(#[from] EmulatorError),
    #[error("could not write to standard error or wait for the interrupt")]
    Terminal(#[from] io::Error),
}

pub(crate) async fn run(arguments: ServeArguments) -> Result<(), ServeError> {
    if !arguments.listen.ip().is_loopback() && !arguments.allow_remote {
        return Err(ServeError::Remote(arguments.listen));
    }
    let Served { fleet, estate, behaviour } = served(&arguments.source)?;
    let simulated = estate.as_ref().map_or(0, |estate| estate.fleet().instances.len());
    let instances = fleet.instances.len() + simulated;
    let credential = LabCredential {
        access_key_id: arguments.access_key_id,
        secret_access_key: arguments.secret_access_key,
        session_token: None,
    };
    let options = EmulatorOptions {
        listen: arguments.listen,
        region: arguments.region.clone(),
        account: arguments.account,
        credentials: vec![credential.clone()],
        fleet,
        estate,
        behaviour,
        clock: Clock::real(),
    };
    let emulator = Emulator::start(options).await?;
    announce(&emulator.endpoint(), instances, &credential, &arguments.region)?;
    tokio::signal::ctrl_c().await?;
    let counts = serde_json::to_string(&emulator.counts()).map_err(io::Error::from)?;
    writeln!(io::stderr(), "counts: {counts}")?;
    emulator.shutdown().await;
    Ok(())
}

/// What is served, and how.
struct Served {
    fleet: Fleet,
    estate: Option<Estate>,
    behaviour: Behaviour,
}

fn served(source: &Source) -> Result<Served, ServeError> {
    if let Some(path) = &source.scenario {
        let Stage { estate, behaviour } = Scenario::read(path)?.stage()?;
        return Ok(Served { fleet: Fleet::default(), estate: Some(estate), behaviour });
    }
    let fleet = match &source.directory {
        Some(directory) => Fleet::from_directory(directory)?,
        None => auditkeep_lab::recorded::fleet(),
    };
    Ok(Served { fleet, estate: None, behaviour: Behaviour::default() })
}

/// Tells what a client needs. A secret is repeated only if it is the public one.
fn announce(endpoint: &str, instances: usize, credential: &LabCredential, region: &str) -> io::Result<()> {
    let secret = if credential.secret_access_key == DEFAULT_SECRET_ACCESS_KEY {
        DEFAULT_SECRET_ACCESS_KEY
    } else {
        "<the secret you chose>"
    };
    let mut stderr = io::stderr().lock();
    writeln!(stderr, "{instances} instances at {endpoint}; stop with Ctrl-C. For clients:")?;
    writeln!(stderr, "export AWS_ENDPOINT_URL_RDS={endpoint}")?;
    writeln!(stderr, "export AWS_REGION={region} AWS_DEFAULT_REGION={region}")?;
    writeln!(stderr, "export AWS_ACCESS_KEY_ID={}", credential.access_key_id)?;
    writeln!(stderr, "export AWS_SECRET_ACCESS_KEY={secret}")
}
