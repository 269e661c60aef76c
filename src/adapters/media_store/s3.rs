//! The address of an S3 bucket, and the client for it.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use super::objects::Objects;
use crate::adapters::remote::repeat;
use crate::domain::secret::Secret;

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the server may be silent. While a part is sent it is.
const SILENCE: Duration = Duration::from_secs(120);
/// A request that fails is sent so many times again. Whoever wanted it tries again later, too.
const RETRIES: usize = 2;

/// An S3 bucket.
#[derive(Clone, Debug)]
pub struct S3 {
    /// Its name.
    pub bucket: String,
    /// What the names of all files begin with; may be empty.
    pub prefix: String,
    /// The address of the server; `None` for Amazon.
    pub endpoint: Option<String>,
    /// Where the bucket is.
    pub region: Option<String>,
    /// The id of the access key, and its secret. `None` takes what the environment and the machine give.
    pub access_key: Option<(String, Secret)>,
}

impl S3 {
    /// The files in it. Does not connect yet; an error says what is wrong with the settings.
    pub fn objects(&self) -> Result<Objects, String> {
        // The first provider wins; `main` installs the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut s3 = match &self.access_key {
            Some((id, secret)) => {
                AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret.expose())
            }
            None => AmazonS3Builder::from_env(),
        };
        let mut client = ClientOptions::new()
            .with_connect_timeout(CONNECT)
            .with_timeout_disabled()
            .with_read_timeout(SILENCE);
        if let Some(region) = &self.region {
            s3 = s3.with_region(region);
        }
        if let Some(endpoint) = &self.endpoint {
            let is_plain = endpoint.starts_with("http:");
            // An image built from scratch may have no certificates.
            client = client.with_allow_http(is_plain).with_no_system_certificates(is_plain);
            // This one would win if the environment had another.
            s3 = s3.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
        }
        let retry = RetryConfig {
            max_retries: RETRIES,
            retry_timeout: Duration::from_secs(30),
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(200),
                max_backoff: Duration::from_secs(2),
                ..BackoffConfig::default()
            },
        };
        let s3 = s3.with_bucket_name(&self.bucket).with_client_options(client).with_retry(retry).build();
        let s3 =
            s3.map_err(|error| repeat(&error.source().map_or(error.to_string(), ToString::to_string)))?;
        Ok(Objects::new(Arc::new(s3), &self.prefix, self.name()))
    }

    /// Its name for people.
    fn name(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        let at = self.endpoint.as_ref().map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
        format!("s3://{}{slash}{}{at}", self.bucket, self.prefix)
    }
}
