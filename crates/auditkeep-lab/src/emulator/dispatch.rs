//! From an HTTP request to an answer: read, authenticate, find the operation, run it.
//!
//! Files are read on tokio's blocking threads. Every answer, refusals included, carries a request id.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Response, request};
use jiff::Timestamp;

use crate::emulator::answer::{self, ActionResult, LogFileElement, LogFileList, LogFilesPage, PortionText};
use crate::emulator::describe::{self, Place};
use crate::emulator::fault::Fault;
use crate::emulator::fleet::Fleet;
use crate::emulator::listing::{self, LogQuery};
use crate::emulator::params::{Params, VERSION};
use crate::emulator::portion::{self, PortionQuery};
use crate::emulator::sigv4::{SignedRequest, Verifier};
use crate::emulator::{Shared, download};

/// The largest request body that is read.
const MAX_BODY: usize = 1 << 20;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(handle).with_state(shared)
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let request_id = request_id();
    let (parts, body) = request.into_parts();
    tracing::debug!(method = %parts.method, path = parts.uri.path(), request_id, "request");
    // A timer has a resolution of a millisecond, and would make the usual day a slow one.
    let latency = shared.behaviour().latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    match respond(&shared, &parts, body, &request_id).await {
        Ok(response) => response,
        Err(fault) => {
            tracing::debug!(code = fault.code, request_id, "refused");
            answer::failure(&fault, &request_id)
        }
    }
}

async fn respond(
    shared: &Shared,
    parts: &request::Parts,
    body: Body,
    request_id: &str,
) -> Result<Response<Body>, Fault> {
    let body = axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| Fault::body_unreadable())?;
    authenticate(shared, parts, &body)?;
    let path = parts.uri.path();
    if parts.method == Method::GET && path.starts_with(download::PATH) {
        return complete_file(shared, parts).await;
    }
    if path == "/" && matches!(parts.method, Method::GET | Method::POST) {
        let params = Params::read(parts.uri.query().unwrap_or_default(), &body);
        return answer::success(&run(shared, params).await?, request_id);
    }
    Err(Fault::unknown_path())
}

fn authenticate(shared: &Shared, parts: &request::Parts, body: &Bytes) -> Result<(), Fault> {
    let verifier = Verifier {
        credentials: &shared.credentials,
        region: &shared.region,
        service: "rds",
        now: Timestamp::now(),
    };
    verifier.verify(&SignedRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    })
}

/// Runs an action of the Query protocol.
async fn run(shared: &Shared, params: Params) -> Result<ActionResult, Fault> {
    let action = params.text("Action").ok_or_else(Fault::missing_action)?;
    let version = params.text("Version").unwrap_or_default();
    if version != VERSION {
        return Err(Fault::invalid_action(action, version));
    }
    let fleet = shared.fleet();
    match action {
        "DescribeDBInstances" => {
            let place = Place { region: &shared.region, account: &shared.account };
            describe::instances(&fleet, place, &params).map(ActionResult::DescribeDBInstancesResult)
        }
        "DescribeDBLogFiles" => {
            let page_limit = shared.behaviour().listing_page;
            let page = blocking(move || log_files(&fleet, &params, page_limit)).await?;
            Ok(ActionResult::DescribeDBLogFilesResult(page))
        }
        "DownloadDBLogFilePortion" => {
            let portion = blocking(move || log_portion(&fleet, &params)).await?;
            Ok(ActionResult::DownloadDBLogFilePortionResult(portion))
        }
        other => Err(Fault::invalid_action(other, version)),
    }
}

fn log_files(fleet: &Fleet, params: &Params, page_limit: usize) -> Result<LogFilesPage, Fault> {
    let name = params.required("DBInstanceIdentifier")?;
    let query = LogQuery::read(params)?;
    let instance = fleet.find(name).ok_or_else(|| Fault::instance_not_found(name))?;
    let files = instance.logs.list().map_err(|error| Fault::internal("list log files", &error))?;
    let page = listing::page(files, &query, page_limit);
    let element = |file: crate::emulator::logs::LogFile| LogFileElement {
        last_written: file.last_written_ms,
        log_file_name: file.name,
        size: file.size,
    };
    let items = page.files.into_iter().map(element).collect();
    Ok(LogFilesPage { marker: page.marker, files: LogFileList { items } })
}

fn log_portion(fleet: &Fleet, params: &Params) -> Result<PortionText, Fault> {
    let instance = params.required("DBInstanceIdentifier")?;
    let file = params.required("LogFileName")?;
    let query = PortionQuery::read(params)?;
    let (log, _) = download::open(fleet, instance, file)?;
    let portion = portion::read_portion(log, file, query)?;
    Ok(PortionText {
        additional_data_pending: portion.pending,
        marker: portion.marker,
        log_file_data: portion.text,
    })
}

async fn complete_file(shared: &Shared, parts: &request::Parts) -> Result<Response<Body>, Fault> {
    let (instance, file) = download::target(parts.uri.path()).ok_or_else(Fault::unknown_path)?;
    let fleet = shared.fleet();
    let (log, binary) = blocking(move || download::open(&fleet, &instance, &file)).await?;
    Ok(download::stream(log, binary, &parts.headers))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Fault::internal("finish a request", &error)))
}

/// A random id in the form of a UUID, as AWS gives them.
fn request_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness the id is all zero; it serves only to be read by people.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
