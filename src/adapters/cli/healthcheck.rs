//! `streamward healthcheck`: checks that the running service is healthy.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::client::client;

/// Less than the three seconds that Docker waits.
const LIMIT: Duration = Duration::from_millis(2_500);

/// Whether the process at `base` is alive: 200 of `GET /livez`.
pub async fn alive(base: &str) -> anyhow::Result<()> {
    let answer = client(base, LIMIT)?.get(format!("{base}/livez")).send().await;
    answer.and_then(reqwest::Response::error_for_status).map_err(reqwest::Error::without_url)?;
    Ok(())
}

/// The answer of `GET /health` at `base` (`http://host:port`).
pub async fn run(base: &str) -> anyhow::Result<String> {
    let answer = client(base, LIMIT)?.get(format!("{base}/health")).send().await;
    let answer = answer.map_err(reqwest::Error::without_url).context(format!("no answer from {base}"))?;
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    if status.is_success() { Ok(text) } else { bail!("{base} is not healthy: {status} {text}") }
}
