//! Where region, credentials and endpoints come from: the standard chain of the AWS SDKs.
//!
//! Guarantees: what is missing is said before the first call, with the chain's own reason. Plain `http` is accepted for
//! loopback hosts only, unless `AWS_ALLOW_HTTP=true` says otherwise: requests carry session tokens.
//! Does not read files or variables of its own, that one variable apart.

use std::error::Error;
use std::fmt;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_types::service_config::ServiceConfigKey;
use url::{Host, Url};

/// Longer than any region's name so far; a region becomes part of a host name.
const MAX_REGION_LENGTH: usize = 32;
const ALLOW_HTTP: &str = "AWS_ALLOW_HTTP";

/// What takes precedence over the chain. `None` leaves it to the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    pub region: Option<String>,
    /// A profile of the shared configuration files.
    pub profile: Option<String>,
}

/// The configuration does not suffice to talk to AWS.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("no AWS region is configured; name one, or set AWS_REGION or `region` in the profile")]
    NoRegion,
    #[error("{0:?} is not the name of an AWS region")]
    BadRegion(String),
    #[error("no AWS credentials were found")]
    NoCredentials(#[source] Box<dyn Error + Send + Sync>),
    #[error("the endpoint for {service} is not usable")]
    BadEndpoint { service: &'static str, source: Box<dyn Error + Send + Sync> },
    #[error(
        "the endpoint {scheme}://{host} for {service} is not encrypted; only loopback hosts may be asked without TLS, \
         unless {ALLOW_HTTP}=true"
    )]
    InsecureEndpoint { service: &'static str, scheme: String, host: String },
    #[error("setting up the HTTP client failed")]
    HttpClient(#[source] Box<dyn Error + Send + Sync>),
}

/// Loads the standard chain: environment, profile, SSO, web identity, credential process, container and instance roles.
///
/// The endpoints that are configured (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`, and the same in a profile) are
/// honoured by [`crate::RdsAccount`], [`crate::KmsSigner`] and [`crate::object_store_for`].
/// Asks for credentials once, so that an expired login is told here and not in the middle of the work.
pub async fn load(options: &LoadOptions) -> Result<SdkConfig, ConfigError> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    let sdk_config = loader.load().await;
    region(&sdk_config, None)?;
    let provider =
        sdk_config.credentials_provider().ok_or_else(|| ConfigError::NoCredentials(NoProvider.into()))?;
    provider.provide_credentials().await.map_err(|cause| ConfigError::NoCredentials(cause.into()))?;
    Ok(sdk_config)
}

/// A configuration of fixed credentials and nothing else: no file and no variable is read for them. For emulators.
pub async fn of_credentials(region: &str, access_key_id: &str, secret_access_key: &str) -> SdkConfig {
    let credentials = Credentials::new(access_key_id, secret_access_key, None, None, "fixed");
    let loader = aws_config::defaults(BehaviorVersion::latest()).region(Region::new(region.to_owned()));
    loader.credentials_provider(credentials).load().await
}

/// There is not even a chain to ask.
#[derive(Debug)]
pub(crate) struct NoProvider;

impl fmt::Display for NoProvider {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the configuration names no source of credentials")
    }
}

impl Error for NoProvider {}

/// The region to work in: the explicit one, or the chain's.
pub(crate) fn region(sdk_config: &SdkConfig, explicit: Option<&str>) -> Result<String, ConfigError> {
    let region =
        explicit.or_else(|| sdk_config.region().map(Region::as_ref)).ok_or(ConfigError::NoRegion)?.to_owned();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.is_empty() || region.len() > MAX_REGION_LENGTH || !region.bytes().all(plain) {
        return Err(ConfigError::BadRegion(region));
    }
    Ok(region)
}

/// The endpoint that is configured for a service, if any, in the order of the SDKs: set in code, the service's own
/// variable or profile entry, the one for all services.
///
/// `service` is the SDKs' service id: `RDS`, `S3`, `KMS`.
pub(crate) fn configured_endpoint(
    sdk_config: &SdkConfig,
    service: &'static str,
) -> Result<Option<Url>, ConfigError> {
    let general = sdk_config.endpoint_url().map(str::to_owned);
    let found = if sdk_config.get_origin("endpoint_url").is_client_config() {
        general
    } else {
        own_endpoint(sdk_config, service)?.or(general)
    };
    found.map(|text| parse_endpoint(&text, service)).transpose()
}

fn own_endpoint(sdk_config: &SdkConfig, service: &'static str) -> Result<Option<String>, ConfigError> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .map_err(|cause| ConfigError::BadEndpoint { service, source: cause.into() })?;
    Ok(sdk_config.service_config().and_then(|configured| configured.load_config(key)))
}

pub(crate) fn parse_endpoint(text: &str, service: &'static str) -> Result<Url, ConfigError> {
    Url::parse(text).map_err(|cause| ConfigError::BadEndpoint { service, source: cause.into() })
}

/// Refuses endpoints to which a session token must not be sent. Returns whether plain `http` is in use.
pub(crate) fn check_transport(endpoint: &Url, service: &'static str) -> Result<bool, ConfigError> {
    let allowed_anywhere = std::env::var(ALLOW_HTTP).is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    match endpoint.scheme() {
        "https" => Ok(false),
        "http" if allowed_anywhere || is_loopback(endpoint) => Ok(true),
        scheme => Err(ConfigError::InsecureEndpoint {
            service,
            scheme: scheme.to_owned(),
            host: endpoint.host_str().unwrap_or_default().to_owned(),
        }),
    }
}

pub(crate) fn is_loopback(endpoint: &Url) -> bool {
    match endpoint.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdk_config(region: Option<&str>) -> SdkConfig {
        SdkConfig::builder().region(region.map(|name| Region::new(name.to_owned()))).build()
    }

    #[test]
    fn an_explicit_region_wins_over_the_chain() {
        assert_eq!(region(&sdk_config(Some("eu-west-1")), Some("us-east-2")).unwrap(), "us-east-2");
        assert_eq!(region(&sdk_config(Some("eu-west-1")), None).unwrap(), "eu-west-1");
        assert!(matches!(region(&sdk_config(None), None), Err(ConfigError::NoRegion)));
    }

    #[test]
    fn a_region_cannot_bend_a_host_name() {
        for name in ["", "eu-west-1.evil.example", "eu west", "EU-WEST-1", "a/b", &"a".repeat(33)] {
            assert!(
                matches!(region(&sdk_config(None), Some(name)), Err(ConfigError::BadRegion(_))),
                "{name:?}"
            );
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for (text, expected) in [
            ("https://rds.eu-west-1.amazonaws.com", Some(false)),
            ("http://127.0.0.1:8080", Some(true)),
            ("http://[::1]:8080", Some(true)),
            ("http://localhost:8080", Some(true)),
            ("http://rds.localhost", Some(true)),
            ("http://169.254.169.254", None),
            ("http://localhost.evil.example", None),
            ("ftp://127.0.0.1", None),
        ] {
            let checked = check_transport(&Url::parse(text).unwrap(), "RDS");
            assert_eq!(checked.ok(), expected, "{text}");
        }
    }
}
