//! A server that says exactly what a test wrote down, byte by byte, however wrong that is.
//!
//! Every connection gets the next answer and is closed; the last answer is given again and again.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auditkeep_aws::{RdsAccount, RdsOptions, Timeouts};
use auditkeep_core::engine::Engine;
use auditkeep_pipeline::source::Instance;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

pub(crate) const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(crate) const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKEN";

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Bytes(Vec<u8>),
    /// These bytes, and then a connection that stays open.
    Hanging(Vec<u8>),
    /// The request is read and never answered.
    Silence,
}

pub(crate) struct Scripted {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(crate) async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut next = 0;
            while let Ok((connection, _)) = listener.accept().await {
                let answer = answers[next.min(answers.len() - 1)].clone();
                next += 1;
                tokio::spawn(serve(connection, answer, Arc::clone(&seen)));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self) -> Url {
        Url::parse(&format!("http://{}", self.address)).unwrap()
    }

    /// Head and body of every request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) async fn account(&self) -> RdsAccount {
        account(&sdk_config(), self.url()).await
    }
}

async fn serve(mut connection: TcpStream, answer: Answer, seen: Arc<Mutex<Vec<String>>>) {
    let request = read_request(&mut connection).await;
    // A client opens connections that it does not use.
    if request.is_empty() {
        return;
    }
    seen.lock().unwrap().push(request);
    match answer {
        Answer::Bytes(bytes) => {
            let _ = connection.write_all(&bytes).await;
            let _ = connection.shutdown().await;
        }
        Answer::Hanging(bytes) => {
            let _ = connection.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Answer::Silence => std::future::pending().await,
    }
}

async fn read_request(connection: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while !is_complete(&bytes) {
        match connection.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// An answer with the right length.
pub(crate) fn answer(status: &str, media_type: &str, body: impl AsRef<[u8]>) -> Answer {
    let body = body.as_ref();
    let head = format!("content-type: {media_type}\r\ncontent-length: {}", body.len());
    raw(status, &head, body)
}

/// An answer with these headers and no others.
pub(crate) fn raw(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
    let mut bytes = format!("HTTP/1.1 {status}\r\n{headers}\r\nconnection: close\r\n\r\n").into_bytes();
    bytes.extend_from_slice(body.as_ref());
    Answer::Bytes(bytes)
}

pub(crate) fn aws_error(status: &str, code: &str, message: &str) -> Answer {
    answer(status, "text/xml", error_document(code, message))
}

pub(crate) fn error_document(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\n  <Error>\
         <Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\n  <RequestId>1</RequestId>\n</ErrorResponse>"
    )
}

pub(crate) fn sdk_config() -> SdkConfig {
    sdk_config_with(Credentials::new(KEY_ID, SECRET, Some(TOKEN.to_owned()), None, "test"))
}

pub(crate) fn sdk_config_with(credentials: Credentials) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

pub(crate) async fn account(sdk_config: &SdkConfig, endpoint: Url) -> RdsAccount {
    let timeouts = Timeouts { connect: Duration::from_secs(5), read: Duration::from_millis(500) };
    let options = RdsOptions { endpoint: Some(endpoint), timeouts, ..RdsOptions::default() };
    RdsAccount::new(sdk_config, options).await.unwrap()
}

pub(crate) fn instance(name: &str) -> Instance {
    Instance {
        account: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
        resource_id: "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ".to_owned(),
        name: name.to_owned(),
        engine: Engine::Mysql,
        cluster: None,
    }
}

/// The error with its causes, as a person sees it; and no output of it reveals anything.
pub(crate) fn shown(failure: &(dyn Error + 'static)) -> String {
    let mut text = failure.to_string();
    let mut next = failure.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    for output in [text.clone(), format!("{failure:?}")] {
        for secret in [KEY_ID, SECRET, TOKEN, "Signature=", "X-Amz-Signature", "?X-Amz"] {
            assert!(!output.contains(secret), "{output}");
        }
    }
    text
}
