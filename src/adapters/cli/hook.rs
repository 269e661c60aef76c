//! `streamward hook ready|not-ready`: what MediaMTX runs, since its image has neither a shell nor curl.
//!
//! It ends within five seconds whatever happens: MediaMTX waits for its hooks when it stops. What is lost here is found
//! by the next look at the media server.

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

/// What happened, and how to tell it.
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
    /// A file with the hook secret; taken from the configuration or the database otherwise
    #[arg(long, global = true, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum HookName {
    /// A stream became available
    Ready,
    /// It no longer is
    NotReady,
}

/// Tells the service at `url` what the environment says, again and again until it has heard.
///
/// # Errors
/// When it refuses, or has not heard in time. The text holds no path: that may be a secret.
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
        bail!("MTX_PATH is not set: this is run by MediaMTX (runOnReady, runOnAvailable), not by hand");
    }
    // MTX_QUERY holds whatever the encoder put into its URL, secrets among it, and nobody needs it.
    let said = json!({
        "path": env("MTX_PATH"),
        "source_type": env("MTX_SOURCE_TYPE"),
        "source_id": env("MTX_SOURCE_ID"),
    });
    let client = client(url, ATTEMPT)?;
    let address = format!("{url}/webhook/{event}");
    let tell = || tell(&client, &address, &args.server, secret, &said);
    let often = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_millis(800))
        .without_max_times();
    let heard = tell.retry(often).when(|failure| failure.again).await;
    heard.map_err(|failure| failure.why).with_context(|| format!("hook {event} to {url}"))
}

struct Failure {
    why: anyhow::Error,
    again: bool,
}

async fn tell(
    client: &Client,
    address: &str,
    server: &str,
    secret: &Secret,
    said: &Value,
) -> Result<(), Failure> {
    let request = client.post(address).query(&[("server", server)]).bearer_auth(secret.expose()).json(said);
    let answer = request.send().await;
    let answer = answer.map_err(|error| Failure { why: error.without_url().into(), again: true })?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED => Err(Failure {
            why: anyhow::anyhow!("the hook secret is wrong, or no media server is called {server:?} there"),
            again: false,
        }),
        status => Err(Failure {
            why: anyhow::anyhow!("it answered {status}"),
            again: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
        }),
    }
}

/// Runs `work`, but no longer than a hook may take.
///
/// # Errors
/// Those of `work`; that it took too long.
pub async fn within_limit<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match timeout(LIMIT, work).await {
        Ok(done) => done,
        Err(_) => bail!("Streamward was not reached in time; it will see for itself when it is back"),
    }
}
