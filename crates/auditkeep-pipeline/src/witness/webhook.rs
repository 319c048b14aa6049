//! A web address as a witness: each seal is posted there as JSON, for a chat, a ticket system or a log that somebody else runs.
//!
//! The signed note is in it, so that `verify --checkpoint` can use what was posted. Nobody can be asked what was kept. An
//! address may hold a secret: no error shows more of it than the host. Redirects are not followed.

use std::time::Duration;

use async_trait::async_trait;
use auditkeep_archive::checkpoint::Checkpoint;
use auditkeep_archive::seal::Sealed;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use url::{Host, Url};

use super::{Witness, WitnessError};

const TIMEOUT: Duration = Duration::from_secs(30);

pub struct WebhookWitness {
    name: String,
    address: Url,
    client: reqwest::Client,
}

/// The address cannot be posted to.
#[derive(Debug, thiserror::Error)]
pub enum BadWebhook {
    #[error("the webhook of the witness `{0}` is neither https nor on this machine")]
    Insecure(String),
    #[error("setting up the HTTP client failed")]
    Client(#[source] reqwest::Error),
}

impl WebhookWitness {
    /// Whether what is posted there can be read on the way by nobody.
    pub fn is_secure(address: &Url) -> bool {
        address.scheme() == "https" || (address.scheme() == "http" && is_loopback(address))
    }

    pub fn new(name: &str, address: Url) -> Result<Self, BadWebhook> {
        if !Self::is_secure(&address) {
            return Err(BadWebhook::Insecure(name.to_owned()));
        }
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(Policy::none()).build();
        Ok(Self { name: name.to_owned(), address, client: client.map_err(BadWebhook::Client)? })
    }

    fn failed(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> WitnessError {
        WitnessError::unreachable("handing the seal to", &self.name, cause)
    }
}

fn is_loopback(address: &Url) -> bool {
    match address.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[async_trait]
impl Witness for WebhookWitness {
    fn name(&self) -> &str {
        &self.name
    }

    async fn keep(&self, archive: &str, seal: &Sealed) -> Result<(), WitnessError> {
        let message = serde_json::json!({
            "kind": "auditkeep-seal",
            "archive": archive,
            "commit": seal.number,
            "time": seal.time,
            "trails": seal.trails,
            "note": seal.note,
            // What chats show.
            "text": format!("auditkeep sealed {} trails of archive {archive}:\n{}", seal.trails, seal.note),
        });
        let request = self.client.post(self.address.clone()).header(CONTENT_TYPE, "application/json");
        let sent = request.body(message.to_string()).send().await;
        let answer = sent.map_err(|error| self.failed(error.without_url()))?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(self.failed(format!("it answered with status {}", answer.status())))
        }
    }

    async fn newest(&self, _: &str) -> Result<Option<Checkpoint>, WitnessError> {
        Ok(None)
    }
}
