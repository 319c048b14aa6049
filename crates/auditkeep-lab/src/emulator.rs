//! An HTTP server that behaves like the Amazon RDS endpoint for the log-file API.
//!
//! It answers `DescribeDBInstances`, `DescribeDBLogFiles`, `DownloadDBLogFilePortion` and the REST download
//! `GET /v13/downloadCompleteLogFile/{instance}/{file}`, with the real service's paging, limits and defects. Every call
//! must carry a valid Signature Version 4; expired, tampered and unsigned calls are refused as AWS refuses them.
//!
//! It does so in the manner of a usual day, unless a [`Behaviour`] turns on what happens on others.
//!
//! It does not create or change instances, knows no IAM policy, and serves plain HTTP only.

mod answer;
mod behaviour;
mod board;
mod body;
mod counters;
mod describe;
mod dispatch;
mod download;
mod fault;
mod fleet;
mod listing;
mod logs;
mod params;
mod portion;
mod reading;
mod served;
mod sigv4;
pub mod switches;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use board::Board;
use counters::Counters;
use served::InForce;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use behaviour::Behaviour;
pub use counters::Counts;
pub(crate) use fleet::{DESCRIPTION_FILE, Description, is_instance_name};
pub use fleet::{Fleet, FleetError, LabInstance, Logs, Mount, RecordedFile};
pub(crate) use logs::LogFile;

use crate::clock::Clock;
use crate::simulate::Estate;

/// The access key id that the lab uses when nobody chose another.
pub const DEFAULT_ACCESS_KEY_ID: &str = "AKIDAUDITKEEPLAB0000";
/// The secret that belongs to [`DEFAULT_ACCESS_KEY_ID`]. Public on purpose: it opens nothing but a lab.
pub const DEFAULT_SECRET_ACCESS_KEY: &str = "auditkeep-lab-secret-access-key";
/// The region that the lab plays when nobody chose another.
pub const DEFAULT_REGION: &str = "eu-central-1";
/// The account that the lab plays when nobody chose another: the one of AWS's own examples.
pub const DEFAULT_ACCOUNT: &str = "123456789012";

/// How long [`Emulator::shutdown`] waits for calls under way.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// A credential that the emulator accepts.
#[derive(Clone)]
pub struct LabCredential {
    /// The public half, as in `AKIA…` or `ASIA…`.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
    /// Set for temporary credentials: every call must then send this token, signed.
    pub session_token: Option<String>,
}

impl LabCredential {
    /// The lab's well-known credential, without a session token.
    pub fn well_known() -> Self {
        Self {
            access_key_id: DEFAULT_ACCESS_KEY_ID.to_owned(),
            secret_access_key: DEFAULT_SECRET_ACCESS_KEY.to_owned(),
            session_token: None,
        }
    }
}

impl fmt::Debug for LabCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LabCredential")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// What an emulator is to be.
#[derive(Debug, Clone)]
pub struct EmulatorOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The only region whose signatures are accepted; also part of the instances' ARNs.
    pub region: String,
    /// The account in the instances' ARNs.
    pub account: String,
    /// The credentials that are accepted.
    pub credentials: Vec<LabCredential>,
    /// The instances to serve.
    pub fleet: Fleet,
    /// Simulated instances, which are served beside those of the fleet and may come and go.
    pub estate: Option<Estate>,
    /// How it behaves from the first call on.
    pub behaviour: Behaviour,
    /// What time it is for the switches; an estate's clock takes its place. Signatures are checked against the real time.
    pub clock: Clock,
}

impl EmulatorOptions {
    /// A free port on 127.0.0.1 with the lab's default region, account and credential.
    pub fn loopback(fleet: Fleet) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            region: DEFAULT_REGION.to_owned(),
            account: DEFAULT_ACCOUNT.to_owned(),
            credentials: vec![LabCredential::well_known()],
            fleet,
            estate: None,
            behaviour: Behaviour::default(),
            clock: Clock::real(),
        }
    }

    /// The same, for an estate.
    pub fn simulated(estate: Estate) -> Self {
        Self { estate: Some(estate), ..Self::loopback(Fleet::default()) }
    }
}

/// Why an emulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The address could not be bound.
    #[error("could not listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The fleet is not one that RDS could have.
    #[error("the fleet cannot be served")]
    Fleet(#[from] FleetError),
}

/// What the request handlers share.
struct Shared {
    region: String,
    account: String,
    credentials: Vec<LabCredential>,
    clock: Clock,
    fleet: InForce,
    board: RwLock<Arc<Board>>,
    counters: Arc<Counters>,
}

impl Shared {
    fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A running emulator. Dropping it stops it; [`Emulator::shutdown`] stops it and waits.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<std::io::Result<()>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Emulator {
    /// Starts a server in the current tokio runtime; when this returns, it accepts connections.
    pub async fn start(options: EmulatorOptions) -> Result<Self, EmulatorError> {
        options.fleet.check()?;
        let listen = |source| EmulatorError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let clock = options.estate.as_ref().map_or(options.clock, |estate| estate.clock().clone());
        let shared = Arc::new(Shared {
            region: options.region,
            account: options.account,
            credentials: options.credentials,
            fleet: InForce::new(options.fleet, options.estate),
            board: RwLock::new(Arc::new(Board::new(options.behaviour, clock.now_ms()))),
            clock,
            counters: Arc::default(),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let serving =
            axum::serve(listener, dispatch::router(Arc::clone(&shared))).with_graceful_shutdown(async {
                // A dropped sender means the same as a message: stop.
                let _ = stopped.await;
            });
        let server = tokio::spawn(serving.into_future());
        Ok(Self { address, shared, stop: Some(stop), server })
    }

    /// The URL that goes into `AWS_ENDPOINT_URL_RDS`, without a trailing slash.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address in use; has the real port when port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the fleet for all later calls. Calls under way end with the fleet they began with.
    pub fn set_fleet(&self, fleet: Fleet) -> Result<(), FleetError> {
        fleet.check()?;
        self.shared.fleet.give(fleet);
        Ok(())
    }

    /// Replaces the behaviour for all later calls. Calls and time are counted anew for its rules.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        let board = Arc::new(Board::new(behaviour, self.shared.clock.now_ms()));
        *self.shared.board.write().unwrap_or_else(PoisonError::into_inner) = board;
    }

    /// What it has done since it was started.
    pub fn counts(&self) -> Counts {
        self.shared.counters.snapshot()
    }

    /// Stops accepting and waits, two seconds at most, for the calls under way.
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        if tokio::time::timeout(SHUTDOWN_GRACE, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}
