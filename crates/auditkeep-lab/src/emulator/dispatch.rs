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
use crate::emulator::counters::Counters;
use crate::emulator::describe::{self, Place};
use crate::emulator::fault::Fault;
use crate::emulator::listing::{self, LogQuery};
use crate::emulator::logs::LogFile;
use crate::emulator::params::{Params, VERSION};
use crate::emulator::portion::{self, PortionQuery};
use crate::emulator::served::Served;
use crate::emulator::sigv4::{SignedRequest, Verifier};
use crate::emulator::switches::{Call, Flow, ListingFlaw, Operation, Plan, PortionFlaw, Switch};
use crate::emulator::{Shared, body, download};
use crate::simulate::Status;

/// The largest request body that is read.
const MAX_BODY: usize = 1 << 20;
/// Where another process reads the counters. No path of AWS's, and no call that is signed, counted or spoiled.
const COUNTS_PATH: &str = "/lab/counts";

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(handle).with_state(shared)
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let request_id = request_id();
    let (parts, body) = request.into_parts();
    if parts.method == Method::GET && parts.uri.path() == COUNTS_PATH {
        return answer::json(&shared.counters.snapshot());
    }
    tracing::debug!(method = %parts.method, path = parts.uri.path(), request_id, "request");
    shared.clock.tick();
    // A timer has a resolution of a millisecond, and would make the usual day a slow one.
    let latency = shared.board().behaviour.latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut flow = Flow::default();
    let response = match respond(&shared, &parts, body, &request_id, &mut flow).await {
        Ok(response) => response,
        Err(fault) => {
            tracing::debug!(code = fault.code, request_id, "refused");
            answer::failure(&fault, &request_id)
        }
    };
    body::shaped(response, flow, Arc::clone(&shared.counters))
}

/// The answer; how it is sent goes into `flow`.
async fn respond(
    shared: &Shared,
    parts: &request::Parts,
    body: Body,
    request_id: &str,
    flow: &mut Flow,
) -> Result<Response<Body>, Fault> {
    let body = axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| Fault::body_unreadable())?;
    authenticate(shared, parts, &body)?;
    let asked = Asked::read(parts, &body)?;
    shared.counters.call(asked.call.operation);
    let mut plan = shared.board().decide(&asked.call, shared.clock.now_ms());
    *flow = Flow::new(std::mem::take(&mut plan.connection));
    carry_out(shared, asked, plan, parts, request_id).await
}

/// Answers a call as planned.
async fn carry_out(
    shared: &Shared,
    asked: Asked,
    plan: Plan,
    parts: &request::Parts,
    request_id: &str,
) -> Result<Response<Body>, Fault> {
    let counters = &shared.counters;
    if let Some(refusal) = plan.refusal {
        counters.fault(Switch::Refuse(refusal).kind());
        let Call { instance, file, .. } = asked.call;
        return Err(refusal.fault(&instance.unwrap_or_default(), &file.unwrap_or_default()));
    }
    let served = shared.fleet.now();
    let result = match asked.call.operation {
        Operation::DescribeDBInstances => {
            let place = Place { region: &shared.region, account: &shared.account };
            let page = describe::instances(&served, place, &asked.params)?;
            ActionResult::DescribeDBInstancesResult(page)
        }
        Operation::DescribeDBLogFiles => {
            let page_limit = shared.board().behaviour.listing_page;
            let now_ms = shared.clock.now_ms();
            plan.listing.iter().for_each(|flaw| counters.fault(Switch::Listing(*flaw).kind()));
            let (Asked { params, call }, counters) = (asked, Arc::clone(counters));
            let page = blocking(move || {
                let page = log_files(&served, &params, page_limit, &plan.listing, now_ms)?;
                rotate_after(&served, &call, &plan, &counters);
                Ok(page)
            })
            .await?;
            ActionResult::DescribeDBLogFilesResult(page)
        }
        Operation::DownloadDBLogFilePortion => {
            plan.portion.iter().for_each(|flaw| counters.fault(Switch::Portion(*flaw).kind()));
            let (Asked { params, call }, counters) = (asked, Arc::clone(counters));
            let portion = blocking(move || {
                let portion = log_portion(&served, &params, &plan.portion)?;
                rotate_after(&served, &call, &plan, &counters);
                Ok(portion)
            })
            .await?;
            ActionResult::DownloadDBLogFilePortionResult(portion)
        }
        Operation::DownloadCompleteLogFile => {
            let Call { instance, file, .. } = asked.call;
            let (instance, file) = (instance.unwrap_or_default(), file.unwrap_or_default());
            let (mut log, binary) = blocking(move || download::open(&served, &instance, &file)).await?;
            log.expect(plan.reading, Arc::clone(counters));
            return Ok(download::stream(log, binary, &parts.headers));
        }
    };
    answer::success(&result, request_id)
}

/// What a caller wants: the operation, and what it is asked with.
struct Asked {
    call: Call,
    params: Params,
}

impl Asked {
    fn read(parts: &request::Parts, body: &[u8]) -> Result<Self, Fault> {
        let path = parts.uri.path();
        if parts.method == Method::GET && path.starts_with(download::PATH) {
            let (instance, file) = download::target(path).ok_or_else(Fault::unknown_path)?;
            let operation = Operation::DownloadCompleteLogFile;
            let call = Call { operation, instance: Some(instance), file: Some(file) };
            return Ok(Self { call, params: Params::default() });
        }
        if path != "/" || !matches!(parts.method, Method::GET | Method::POST) {
            return Err(Fault::unknown_path());
        }
        let params = Params::read(parts.uri.query().unwrap_or_default(), body);
        let operation = action(&params)?;
        let instance = params.text("DBInstanceIdentifier").map(str::to_owned);
        let file = params.text("LogFileName").map(str::to_owned);
        Ok(Self { call: Call { operation, instance, file }, params })
    }
}

/// The action of a call in the Query protocol.
fn action(params: &Params) -> Result<Operation, Fault> {
    let action = params.text("Action").ok_or_else(Fault::missing_action)?;
    let version = params.text("Version").unwrap_or_default();
    match action {
        _ if version != VERSION => Err(Fault::invalid_action(action, version)),
        "DescribeDBInstances" => Ok(Operation::DescribeDBInstances),
        "DescribeDBLogFiles" => Ok(Operation::DescribeDBLogFiles),
        "DownloadDBLogFilePortion" => Ok(Operation::DownloadDBLogFilePortion),
        other => Err(Fault::invalid_action(other, version)),
    }
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

fn log_files(
    served: &Served,
    params: &Params,
    page_limit: usize,
    flaws: &[ListingFlaw],
    now_ms: i64,
) -> Result<LogFilesPage, Fault> {
    let name = params.required("DBInstanceIdentifier")?;
    let query = LogQuery::read(params)?;
    let instance = served.find(name).ok_or_else(|| Fault::instance_not_found(name))?;
    if instance.logs.status() != Status::Available {
        return Err(Fault::instance_not_ready(name));
    }
    let files = instance.logs.list().map_err(|error| Fault::internal("list log files", &error))?;
    let files = flaws.iter().fold(files, |files, flaw| flaw.applied(files, now_ms));
    let page = listing::page(files, &query, page_limit);
    let element = |file: LogFile| LogFileElement {
        last_written: file.last_written_ms,
        log_file_name: file.name,
        size: file.size,
    };
    let items = page.files.into_iter().map(element).collect();
    Ok(LogFilesPage { marker: page.marker, files: LogFileList { items } })
}

fn log_portion(served: &Served, params: &Params, flaws: &[PortionFlaw]) -> Result<PortionText, Fault> {
    let instance = params.required("DBInstanceIdentifier")?;
    let file = params.required("LogFileName")?;
    let query = PortionQuery::read(params)?;
    let (log, _) = download::open(served, instance, file)?;
    let portion = portion::read_portion(log, file, query, flaws)?;
    Ok(PortionText {
        additional_data_pending: portion.pending,
        marker: portion.marker,
        log_file_data: portion.text,
    })
}

/// What happens to an instance once a call for it is answered; the plan of a listing or a portion has nothing else.
fn rotate_after(served: &Served, call: &Call, plan: &Plan, counters: &Counters) {
    let Some(instance) = call.instance.as_deref().and_then(|name| served.find(name)) else { return };
    for flaw in &plan.reading {
        instance.logs.rotate();
        counters.fault(Switch::Reading(*flaw).kind());
    }
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
