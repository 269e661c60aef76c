//! `streamward hook ready|not-ready`: the program that MediaMTX runs as its hooks. Its image has no shell and no curl.
//!
//! It always ends within five seconds, since MediaMTX waits for its hooks when it stops. The next poll of the media server
//! finds the change if a hook is lost.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use backon::{ExponentialBuilder, Retryable as _};
use clap::{Args, Subcommand};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::client::client;
use crate::domain::secret::Secret;

/// How long the whole command may take.
pub const LIMIT: Duration = Duration::from_millis(4_500);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_millis(1_500);

/// The event, and where to send it.
#[derive(Debug, Clone, Args)]
pub struct HookArgs {
    /// What happened
    #[command(subcommand)]
    pub event: HookName,
    /// The media server that runs this
    #[arg(long, global = true, value_name = "NAME", default_value = "default")]
    pub server: String,
    /// Where Streamward is (the key `hooks.url`)
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// A file with the hook secret; by default it comes from the configuration or the database
    #[arg(long, global = true, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum HookName {
    /// A stream became available
    Ready,
    /// A stream is no longer available
    NotReady,
}

/// Sends the event in the environment to the service at `url`, and retries until the service has received it.
/// Errors contain no path, since a path may be a secret.
pub async fn run(
    args: &HookArgs,
    url: &str,
    secret: &Secret,
    env: impl Fn(&str) -> String,
) -> anyhow::Result<()> {
    let event = match args.event {
        HookName::Ready => "ready",
        HookName::NotReady => "not-ready",
    };
    if env("MTX_PATH").is_empty() {
        bail!(
            "MTX_PATH is not set: MediaMTX runs this command (runOnReady, runOnAvailable); do not run it by hand"
        );
    }
    // Without MTX_QUERY: it may contain secrets and is not needed.
    let event_json = json!({
        "path": env("MTX_PATH"),
        "source_type": env("MTX_SOURCE_TYPE"),
        "source_id": env("MTX_SOURCE_ID"),
    });
    let client = client(url, ATTEMPT)?;
    let address = format!("{url}/webhook/{event}");
    let send = || send(&client, &address, &args.server, secret, &event_json);
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_millis(800))
        .without_max_times();
    let sent = send.retry(backoff).when(|failure| failure.retry).await;
    sent.map_err(|failure| failure.why).with_context(|| format!("hook {event} to {url}"))
}

struct Failure {
    why: anyhow::Error,
    retry: bool,
}

async fn send(
    client: &Client,
    address: &str,
    server: &str,
    secret: &Secret,
    event: &Value,
) -> Result<(), Failure> {
    let request = client.post(address).query(&[("server", server)]).bearer_auth(secret.expose()).json(event);
    let answer = request.send().await;
    let answer = answer.map_err(|error| Failure { why: error.without_url().into(), retry: true })?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED => Err(Failure {
            why: anyhow::anyhow!(
                "the hook secret is wrong, or Streamward has no media server named {server:?}"
            ),
            retry: false,
        }),
        status => Err(Failure {
            why: anyhow::anyhow!("Streamward answered {status}"),
            retry: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
        }),
    }
}

/// Runs `work` for at most as long as a hook may take.
pub async fn within_limit<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match timeout(LIMIT, work).await {
        Ok(done) => done,
        Err(_) => bail!(
            "Streamward could not be reached in time; its next poll of the media server will find the change"
        ),
    }
}
