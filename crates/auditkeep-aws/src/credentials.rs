//! Credentials for the requests that no SDK client makes: the download of log files, and S3 through `object_store`.
//!
//! Guarantees: the provider is asked by one caller at a time and not before the last credentials are about to expire;
//! when it fails, credentials that are still valid are used on. Nothing in here prints them.
//! Does not find credentials; that is the provider's work.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use tokio::sync::Mutex;

/// New credentials are asked for this long before the old ones expire; a request may wait in a queue.
const MARGIN: Duration = Duration::from_mins(5);
/// Credentials without an expiry are asked for again after this long: somebody may have replaced them.
const UNDATED: Duration = Duration::from_mins(15);

#[derive(Clone)]
pub(crate) struct CachedCredentials {
    provider: SharedCredentialsProvider,
    held: Arc<Mutex<Option<Held>>>,
}

struct Held {
    credentials: Credentials,
    fresh_until: SystemTime,
}

impl CachedCredentials {
    pub(crate) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, held: Arc::default() }
    }

    /// Credentials that are valid at `now`.
    pub(crate) async fn get(&self, now: SystemTime) -> Result<Credentials, CredentialsError> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| now < held.fresh_until) {
            return Ok(held.credentials.clone());
        }
        match self.provider.provide_credentials().await {
            Ok(credentials) => {
                let fresh_until = credentials.expiry().map_or(now + UNDATED, |expiry| expiry - MARGIN);
                *held = Some(Held { credentials: credentials.clone(), fresh_until });
                Ok(credentials)
            }
            Err(failure) => held
                .as_ref()
                .map(|held| held.credentials.clone())
                .filter(|credentials| credentials.expiry().is_some_and(|expiry| now < expiry))
                .ok_or(failure),
        }
    }

    /// Drops what is held, because AWS refused it: the next call asks the provider.
    pub(crate) async fn forget(&self) {
        *self.held.lock().await = None;
    }
}

impl fmt::Debug for CachedCredentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CachedCredentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use aws_credential_types::provider::future::ProvideCredentials as Provided;
    use aws_credential_types::provider::{ProvideCredentials, Result as ProviderResult};

    use super::*;

    /// Hands out `KEY1`, `KEY2` … and fails from the `fails_from`th on.
    #[derive(Debug)]
    struct Numbered {
        last: AtomicU64,
        lifetime: Option<Duration>,
        fails_from: u64,
    }

    impl Numbered {
        fn next(&self) -> ProviderResult {
            let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
            if number >= self.fails_from {
                return Err(CredentialsError::not_loaded("login has expired"));
            }
            let expiry = self.lifetime.map(|lifetime| SystemTime::UNIX_EPOCH + lifetime);
            Ok(Credentials::new(format!("KEY{number}"), "secret", None, expiry, "test"))
        }
    }

    impl ProvideCredentials for Numbered {
        fn provide_credentials<'a>(&'a self) -> Provided<'a>
        where
            Self: 'a,
        {
            Provided::ready(self.next())
        }
    }

    fn cached(lifetime: Option<Duration>, fails_from: u64) -> CachedCredentials {
        let provider = Numbered { last: AtomicU64::new(0), lifetime, fails_from };
        CachedCredentials::new(SharedCredentialsProvider::new(provider))
    }

    async fn key_at(credentials: &CachedCredentials, seconds: u64) -> String {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        match credentials.get(now).await {
            Ok(credentials) => credentials.access_key_id().to_owned(),
            Err(failure) => failure.to_string(),
        }
    }

    #[tokio::test]
    async fn dated_credentials_are_renewed_before_they_expire() {
        let credentials = cached(Some(Duration::from_hours(1)), 9);
        assert_eq!(key_at(&credentials, 0).await, "KEY1");
        assert_eq!(key_at(&credentials, 3299).await, "KEY1");
        assert_eq!(key_at(&credentials, 3300).await, "KEY2");
    }

    #[tokio::test]
    async fn undated_credentials_are_looked_up_again_after_a_while() {
        let credentials = cached(None, 9);
        assert_eq!(key_at(&credentials, 0).await, "KEY1");
        assert_eq!(key_at(&credentials, 899).await, "KEY1");
        assert_eq!(key_at(&credentials, 900).await, "KEY2");
    }

    #[tokio::test]
    async fn refused_credentials_are_replaced_at_once() {
        let credentials = cached(None, 9);
        assert_eq!(key_at(&credentials, 0).await, "KEY1");
        credentials.forget().await;
        assert_eq!(key_at(&credentials, 0).await, "KEY2");
    }

    #[tokio::test]
    async fn a_failing_provider_is_bridged_until_the_expiry_and_not_longer() {
        let credentials = cached(Some(Duration::from_hours(1)), 2);
        assert_eq!(key_at(&credentials, 0).await, "KEY1");
        assert_eq!(key_at(&credentials, 3599).await, "KEY1");
        assert!(!key_at(&credentials, 3600).await.starts_with("KEY"));
    }

    #[test]
    fn debug_output_holds_no_secret() {
        assert!(!format!("{:?}", cached(None, 9)).contains("secret"));
    }
}
