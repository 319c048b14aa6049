//! moto: AWS in one process, for everything but the RDS log files. Lives in the Python environment that `cargo xtask setup`
//! makes, keeps all its state in memory, and listens on 127.0.0.1.
//!
//! What its S3 does not do as AWS does (5.2): checksums are never verified, and not even seen without the header
//! `x-amz-sdk-checksum-algorithm`, without which it also takes nothing into a locked bucket; a lock can be shortened; no
//! signature is checked before [`MotoServer::enforce_credentials`].

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use super::ServerError;
use super::bucket::SignedS3;
use super::process::Running;

const SERVER: &str = "moto";
/// Where the keys are that [`MotoServer::kms`] makes.
pub const REGION: &str = "us-east-1";
const ALLOW_S3: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;

/// A running moto. It ends when this is dropped.
#[derive(Debug)]
pub struct MotoServer {
    // Held for its end.
    _running: Running,
    endpoint: String,
}

impl MotoServer {
    /// Starts moto and waits until it listens.
    pub fn start() -> Result<Self, ServerError> {
        let python = python()?;
        let mut command = Command::new(&python);
        command.args(["-m", "moto.server", "--host", "127.0.0.1", "--port", "0"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = Running::spawn(&mut command, Signal::TERM, Signal::KILL, None)
            .map_err(|source| ServerError::file("start", &python, source))?;
        let Some(stderr) = running.take_stderr() else {
            return Err(ServerError::Died { server: SERVER, log: String::new() });
        };
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let mut log = String::new();
        let endpoint = lines.by_ref().find_map(|line| {
            log.push_str(&line);
            line.split_once("Running on ")
                .map(|(_, endpoint)| endpoint.trim().trim_end_matches('/').to_owned())
        });
        // Read on, or moto would wait for room in the pipe.
        thread::spawn(move || lines.for_each(drop));
        match endpoint {
            Some(endpoint) => Ok(Self { _running: running, endpoint }),
            None => Err(ServerError::Died { server: SERVER, log }),
        }
    }

    /// `http://127.0.0.1:<port>`, for every service.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// S3 as it is, without this project's own way to it. Any credentials are right, until they are enforced.
    pub fn s3(&self) -> SignedS3 {
        SignedS3::new(&self.endpoint, "any", "any")
    }

    pub async fn create_bucket(&self, name: &str) -> Result<(), ServerError> {
        self.s3().create_bucket(name).await
    }

    /// From now on credentials are checked. Returns the access key id and the secret of the one user there is, who may do
    /// anything in S3.
    pub async fn enforce_credentials(&self) -> Result<(String, String), ServerError> {
        self.iam("Action=CreateUser&UserName=auditor").await?;
        let policy =
            format!("Action=PutUserPolicy&UserName=auditor&PolicyName=all&PolicyDocument={ALLOW_S3}");
        self.iam(&policy).await?;
        let key = self.iam("Action=CreateAccessKey&UserName=auditor").await?;
        let reset = reqwest::Client::new().post(format!("{}/moto-api/reset-auth", self.endpoint)).body("0");
        send(reset, "have credentials checked").await?;
        Ok((element(&key, "AccessKeyId"), element(&key, "SecretAccessKey")))
    }

    /// Calls an operation of KMS, such as `CreateKey`, in [`REGION`].
    pub async fn kms(&self, operation: &str, request: &Value) -> Result<Value, ServerError> {
        let request = reqwest::Client::new()
            .post(&self.endpoint)
            .header("authorization", any_signature("kms"))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("TrentService.{operation}"))
            .body(request.to_string());
        // Some operations answer with nothing.
        Ok(serde_json::from_str(&send(request, "call KMS").await?).unwrap_or(Value::Null))
    }

    async fn iam(&self, call: &str) -> Result<String, ServerError> {
        let request = reqwest::Client::new()
            .post(&self.endpoint)
            .header("authorization", any_signature("iam"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("{call}&Version=2010-05-08"));
        send(request, "ask for a user").await
    }
}

/// The interpreter with moto and boto3: named by `AUDITKEEP_LAB_PYTHON`, or the one that `cargo xtask setup` made.
pub fn python() -> Result<PathBuf, ServerError> {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.lab/venv/bin/python");
    let python = std::env::var_os("AUDITKEEP_LAB_PYTHON").map_or(made, PathBuf::from);
    if python.exists() {
        Ok(python)
    } else {
        Err(ServerError::NotInstalled { server: SERVER, missing: "Python environment", looked_in: python })
    }
}

async fn send(request: reqwest::RequestBuilder, action: &'static str) -> Result<String, ServerError> {
    let failed = |source| ServerError::client(action, source);
    let answer = request.send().await.map_err(failed)?.error_for_status().map_err(failed)?;
    answer.text().await.map_err(failed)
}

/// moto checks no signature for its first calls; these only have to look like one.
fn any_signature(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIAROOT/20261121/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

fn element(document: &str, name: &str) -> String {
    let rest = document.split_once(&format!("<{name}>")).map_or("", |(_, rest)| rest);
    rest.split('<').next().unwrap_or_default().to_owned()
}
