//! Amazon RDS: which instances an account has, and their log files.
//!
//! Guarantees: all pages are read or the call fails; an instance that cannot be read is named, never dropped.
//! Does not change anything in the account.

mod complete_file;
mod log_files;
mod pages;

use std::error::Error;
use std::str::FromStr as _;
use std::time::Duration;

use auditkeep_core::engine::Engine;
use auditkeep_pipeline::source::{Instance, SourceError, SourceErrorKind};
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_rds::Client;
use aws_sdk_rds::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_sdk_rds::types::DbInstance;
use aws_types::region::Region;
use url::Url;

pub use self::log_files::RdsLogFiles;
use crate::config::{self, ConfigError};
use crate::credentials::CachedCredentials;
use crate::fault::sdk::source_error;
use complete_file::CompleteFiles;
use pages::Pages;

const SERVICE: &str = "RDS";
const LISTING: &str = "listing the instances of";
/// Attempts per call, the first one included; adaptive, so that throttling slows down the whole client.
const ATTEMPTS: u32 = 5;
/// Doubled with every attempt; throttling is answered by the adaptive rate, not by this.
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// How to reach RDS. `None` leaves it to the configuration that was loaded.
#[derive(Clone, Debug, Default)]
pub struct RdsOptions {
    /// Such as `eu-central-1`.
    pub region: Option<String>,
    /// An interface endpoint or an emulator.
    pub endpoint: Option<Url>,
    pub timeouts: Timeouts,
}

/// How long silence is borne. There is no limit on a whole transfer: log files may be large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Without a byte.
    pub read: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), read: Duration::from_mins(1) }
    }
}

/// RDS in one account and region.
#[derive(Clone, Debug)]
pub struct RdsAccount {
    client: Client,
    complete_files: CompleteFiles,
    region: String,
}

/// An entry of the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiscoveredInstance {
    Readable(Instance),
    /// An instance whose audit logs cannot be read.
    Skipped {
        name: String,
        /// As RDS names it: `oracle-ee`, `docdb`.
        engine: String,
        /// For people.
        reason: String,
    },
}

impl RdsAccount {
    /// Makes no call yet.
    pub async fn new(sdk_config: &SdkConfig, options: RdsOptions) -> Result<Self, ConfigError> {
        let region = config::region(sdk_config, options.region.as_deref())?;
        let endpoint = endpoint(sdk_config, &region, options.endpoint).await?;
        let plain_http = config::check_transport(&endpoint, SERVICE)?;
        let provider = sdk_config
            .credentials_provider()
            .ok_or_else(|| ConfigError::NoCredentials(config::NoProvider.into()))?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(options.timeouts.connect)
            .read_timeout(options.timeouts.read)
            .build();
        let client = aws_sdk_rds::config::Builder::from(sdk_config)
            .region(Region::new(region.clone()))
            .endpoint_url(endpoint.as_str())
            .retry_config(
                RetryConfig::adaptive().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_PAUSE),
            )
            .timeout_config(timeouts)
            .build();
        let http = complete_file::http_client(options.timeouts, &endpoint, plain_http)?;
        let credentials = CachedCredentials::new(provider);
        Ok(Self {
            client: Client::from_conf(client),
            complete_files: CompleteFiles::new(http, endpoint, region.clone(), credentials),
            region,
        })
    }

    /// Such as `eu-central-1`.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Every instance of the account and region, in the order of their names.
    pub async fn instances(&self) -> Result<Vec<DiscoveredInstance>, SourceError> {
        let mut found: Vec<(String, DiscoveredInstance)> = Vec::new();
        let mut pages = Pages::default();
        loop {
            let page = self
                .client
                .describe_db_instances()
                .set_marker(pages.marker())
                .send()
                .await
                .map_err(|failure| source_error(LISTING, &self.region, &failure))?;
            found.extend(page.db_instances().iter().map(|entry| {
                (entry.db_instance_identifier().unwrap_or_default().to_owned(), discovered(entry))
            }));
            if !pages.turn(page.marker()).map_err(|cause| self.invalid(cause.into()))? {
                break;
            }
        }
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(found.into_iter().map(|(_, instance)| instance).collect())
    }

    /// The log files of one instance. They are asked for by its name, which is all that RDS takes: after an instance
    /// was deleted and another one got its name, the inventory must be read again.
    pub fn log_files(&self, instance: &Instance) -> RdsLogFiles {
        RdsLogFiles::new(self.client.clone(), self.complete_files.clone(), instance.name.clone())
    }

    fn invalid(&self, cause: Box<dyn Error + Send + Sync>) -> SourceError {
        SourceError { kind: SourceErrorKind::Invalid, operation: LISTING, object: self.region.clone(), cause }
    }
}

/// The endpoint for API calls and downloads alike: explicit, configured, or the region's own.
async fn endpoint(sdk_config: &SdkConfig, region: &str, explicit: Option<Url>) -> Result<Url, ConfigError> {
    let configured = match explicit {
        Some(endpoint) => Some(endpoint),
        None => config::configured_endpoint(sdk_config, SERVICE)?,
    };
    if let Some(endpoint) = configured {
        return Ok(endpoint);
    }
    let unusable = |source| ConfigError::BadEndpoint { service: SERVICE, source };
    let params = Params::builder()
        .region(region)
        .use_fips(sdk_config.use_fips().unwrap_or_default())
        .use_dual_stack(sdk_config.use_dual_stack().unwrap_or_default())
        .build()
        .map_err(|cause| unusable(cause.into()))?;
    let resolved = DefaultResolver::new().resolve_endpoint(&params).await.map_err(unusable)?;
    config::parse_endpoint(resolved.url(), SERVICE)
}

fn discovered(entry: &DbInstance) -> DiscoveredInstance {
    let name = entry.db_instance_identifier().unwrap_or_default().to_owned();
    let engine = entry.engine().unwrap_or_default();
    let skipped = |reason: String| DiscoveredInstance::Skipped {
        name: name.clone(),
        engine: engine.to_owned(),
        reason,
    };
    let known_engine = match Engine::from_str(engine) {
        Ok(known) => known,
        Err(unknown) => return skipped(unknown.to_string()),
    };
    let Some((account, region)) = entry.db_instance_arn().and_then(account_and_region) else {
        return skipped("RDS gave no valid ARN for it".to_owned());
    };
    let Some(resource_id) = entry.dbi_resource_id().filter(|id| !id.is_empty()) else {
        return skipped("RDS gave no resource id for it".to_owned());
    };
    if name.is_empty() {
        return skipped("RDS gave no name for it".to_owned());
    }
    DiscoveredInstance::Readable(Instance {
        account: account.to_owned(),
        region: region.to_owned(),
        resource_id: resource_id.to_owned(),
        name,
        engine: known_engine,
        cluster: entry.db_cluster_identifier().map(str::to_owned),
    })
}

/// From `arn:aws:rds:eu-central-1:123456789012:db:orders`; the partition may differ.
fn account_and_region(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.split(':');
    if parts.next()? != "arn" || parts.next()?.is_empty() || parts.next()? != "rds" {
        return None;
    }
    let (region, account) = (parts.next()?, parts.next()?);
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (is_account && !region.is_empty()).then_some((account, region))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(engine: &str, arn: &str) -> DbInstance {
        DbInstance::builder()
            .db_instance_identifier("orders")
            .engine(engine)
            .dbi_resource_id("db-ABCDEFGHIJKLMNOPQRSTUVWXYZ")
            .db_instance_arn(arn)
            .db_cluster_identifier("shop")
            .build()
    }

    #[test]
    fn account_and_region_come_from_the_arn_of_any_partition() {
        let found = discovered(&entry("mysql", "arn:aws-cn:rds:cn-north-1:123456789012:db:orders"));
        let DiscoveredInstance::Readable(instance) = found else { panic!("{found:?}") };
        assert_eq!((instance.account.as_str(), instance.region.as_str()), ("123456789012", "cn-north-1"));
        assert_eq!(instance.engine, Engine::Mysql);
        assert_eq!(instance.cluster.as_deref(), Some("shop"));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_the_reason() {
        let arn = "arn:aws:rds:eu-central-1:123456789012:db:orders";
        let mut nameless = entry("mysql", arn);
        nameless.dbi_resource_id = None;
        for (entry, expected) in [
            (entry("oracle-ee", arn), "oracle-ee"),
            (entry("mysql", "orders"), "ARN"),
            (entry("mysql", "arn:aws:rds:eu-central-1:1234:db:orders"), "ARN"),
            (nameless, "resource id"),
        ] {
            let found = discovered(&entry);
            let DiscoveredInstance::Skipped { name, reason, .. } = found else { panic!("{found:?}") };
            assert_eq!(name, "orders");
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
