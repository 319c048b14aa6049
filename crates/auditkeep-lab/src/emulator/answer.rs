//! XML answers of the AWS Query protocol in RDS's namespace.
//!
//! The element names are those of the Amazon RDS API Reference, version 2014-10-31. All text is escaped by the XML
//! library; characters that XML 1.0 cannot carry must not be in it.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::emulator::fault::Fault;

const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";

/// What an operation found. The variant's name is the element's name.
#[derive(Debug, Serialize)]
#[expect(clippy::enum_variant_names, reason = "the names are the element names of the API")]
pub(crate) enum ActionResult {
    DescribeDBInstancesResult(InstancesPage),
    DescribeDBLogFilesResult(LogFilesPage),
    DownloadDBLogFilePortionResult(PortionText),
}

impl ActionResult {
    fn root(&self) -> &'static str {
        match self {
            Self::DescribeDBInstancesResult(_) => "DescribeDBInstancesResponse",
            Self::DescribeDBLogFilesResult(_) => "DescribeDBLogFilesResponse",
            Self::DownloadDBLogFilePortionResult(_) => "DownloadDBLogFilePortionResponse",
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InstancesPage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) marker: Option<String>,
    #[serde(rename = "DBInstances")]
    pub(crate) instances: InstanceList,
}

#[derive(Debug, Serialize)]
pub(crate) struct InstanceList {
    #[serde(rename = "DBInstance")]
    pub(crate) items: Vec<InstanceElement>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InstanceElement {
    #[serde(rename = "DBInstanceIdentifier")]
    pub(crate) identifier: String,
    #[serde(rename = "DBInstanceClass")]
    pub(crate) class: &'static str,
    pub(crate) engine: String,
    pub(crate) engine_version: String,
    #[serde(rename = "DBInstanceStatus")]
    pub(crate) status: &'static str,
    pub(crate) dbi_resource_id: String,
    #[serde(rename = "DBInstanceArn")]
    pub(crate) arn: String,
    pub(crate) instance_create_time: &'static str,
    pub(crate) endpoint: EndpointElement,
    #[serde(rename = "DBClusterIdentifier", skip_serializing_if = "Option::is_none")]
    pub(crate) cluster: Option<String>,
    pub(crate) availability_zone: String,
    pub(crate) tag_list: Empty,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EndpointElement {
    pub(crate) address: String,
    pub(crate) port: u16,
}

/// An element without content.
#[derive(Debug, Serialize)]
pub(crate) struct Empty {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LogFilesPage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) marker: Option<String>,
    #[serde(rename = "DescribeDBLogFiles")]
    pub(crate) files: LogFileList,
}

#[derive(Debug, Serialize)]
pub(crate) struct LogFileList {
    #[serde(rename = "DescribeDBLogFilesDetails")]
    pub(crate) items: Vec<LogFileElement>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LogFileElement {
    pub(crate) last_written: i64,
    pub(crate) log_file_name: String,
    pub(crate) size: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PortionText {
    pub(crate) additional_data_pending: bool,
    pub(crate) marker: String,
    pub(crate) log_file_data: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    #[serde(rename = "$value")]
    result: &'a ActionResult,
    response_metadata: Metadata<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    request_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorEnvelope<'a> {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    error: ErrorElement<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorElement<'a> {
    r#type: &'static str,
    code: &'a str,
    message: &'a str,
}

/// The answer to a Query call that worked.
pub(crate) fn success(result: &ActionResult, request_id: &str) -> Result<Response<Body>, Fault> {
    let response_metadata = Metadata { request_id };
    let envelope = Envelope { xmlns: NAMESPACE, result, response_metadata };
    let xml = quick_xml::se::to_string_with_root(result.root(), &envelope)
        .map_err(|cause| Fault::internal("write the answer", &cause))?;
    Ok(xml_response(StatusCode::OK, xml, request_id))
}

/// The answer to a call that failed, of either protocol.
pub(crate) fn failure(fault: &Fault, request_id: &str) -> Response<Body> {
    let r#type = if fault.status.is_client_error() { "Sender" } else { "Receiver" };
    let error = ErrorElement { r#type, code: fault.code, message: &printable(&fault.message) };
    let envelope = ErrorEnvelope { xmlns: NAMESPACE, error, request_id };
    let xml = quick_xml::se::to_string_with_root("ErrorResponse", &envelope).unwrap_or_default();
    xml_response(fault.status, xml, request_id)
}

/// An answer of the lab itself.
pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::to_string(value).unwrap_or_default()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Replaces what XML 1.0 cannot carry (a message repeats parts of the request).
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { '?' } else { c })
        .collect()
}

fn xml_response(status: StatusCode, xml: String, request_id: &str) -> Response<Body> {
    // The library leaves a carriage return in a text as it is, and an XML parser would then read it as a line feed.
    // Only texts can hold one: no markup written here does.
    let xml = if xml.contains('\r') { xml.replace('\r', "&#13;") } else { xml };
    let mut response = Response::new(Body::from(xml));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}
