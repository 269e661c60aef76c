//! Kick's web site, which has the channel and chatroom ids. Unofficial: after a refusal we pause. We do
//! not pretend to be a browser.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::time::Instant;

use super::client::KickClient;
use super::dto;
use super::rate_limit::RateLimit;
use super::settings::KickSettings;
use crate::domain::streamer::{KickIds, Slug};
use crate::ports::RemoteError;

/// A client for the web site.
pub(super) struct Site {
    client: KickClient,
    allowed: bool,
    rate_limit: RateLimit,
    closed: Duration,
    closed_until: Mutex<Option<Instant>>,
}

impl Site {
    pub(super) fn new(settings: &KickSettings) -> Result<Self, RemoteError> {
        let timing = &settings.timing;
        Ok(Self {
            client: settings.client(&settings.site_url)?,
            allowed: settings.allow_site,
            rate_limit: RateLimit::new(timing.site_interval, NonZeroU32::MIN, timing.patience),
            closed: timing.site_closed,
            closed_until: Mutex::default(),
        })
    }

    /// The three ids behind a name.
    pub(super) async fn ids(&self, slug: &Slug) -> Result<Option<KickIds>, RemoteError> {
        if !self.allowed {
            return Err(RemoteError::Unsupported(
                "channel ids come from kick.com only if `kick.feed` is auto, pusher or centrifugo".to_owned(),
            ));
        }
        self.open()?;
        // It has no holds, so this cannot fail.
        let _ = self.rate_limit.acquire().await;
        // It may have been closed while we waited.
        self.open()?;
        let path = format!("/api/v2/channels/{slug}");
        let request =
            self.client.request(Method::GET, &path).header(reqwest::header::ACCEPT, "application/json");
        let answer = self.client.send("site", request).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
                let mut until = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
                *until = Some(Instant::now() + self.closed);
                drop(until);
                tracing::info!(status = answer.status.as_u16(), "kick.com refuses requests for channel ids");
                Err(refused(self.closed))
            }
            status if status.is_success() => match dto::site_ids(&answer.json()?) {
                Some(ids) => Ok(Some(ids)),
                None => Err(answer.malformed("there is no number in it")),
            },
            _ => Err(answer.error(&[])),
        }
    }

    fn open(&self) -> Result<(), RemoteError> {
        let until = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if wait.is_zero() { Ok(()) } else { Err(refused(wait)) }
    }
}

fn refused(wait: Duration) -> RemoteError {
    let seconds = wait.as_secs().max(1);
    RemoteError::Unsupported(format!(
        "kick.com refuses requests from here; retrying in {seconds} s. Set the channel id by hand \
         instead"
    ))
}
