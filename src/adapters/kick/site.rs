//! Kick's web site, which has the channel and chatroom ids. Unofficial: after a refusal we pause. We do
//! not pretend to be a browser.

use std::num::NonZeroU32;
use std::time::Duration;

use reqwest::{Method, StatusCode};

use super::client::KickClient;
use super::dto;
use super::rate_limit::RateLimit;
use super::settings::KickSettings;
use crate::domain::streamer::{KickIds, Slug};
use crate::ports::RemoteError;

pub(super) struct Site {
    client: KickClient,
    allowed: bool,
    /// Held after a refusal; nobody waits for the end of that.
    rate_limit: RateLimit,
    closed: Duration,
}

impl Site {
    pub(super) fn new(settings: &KickSettings) -> Result<Self, RemoteError> {
        Ok(Self {
            client: settings.client(&settings.site_url)?,
            allowed: settings.allow_site,
            rate_limit: RateLimit::new(settings.timing.site_interval, NonZeroU32::MIN, Duration::ZERO),
            closed: settings.timing.site_closed,
        })
    }

    pub(super) async fn ids(&self, slug: &Slug) -> Result<Option<KickIds>, RemoteError> {
        if !self.allowed {
            return Err(RemoteError::Unsupported(
                "channel ids come from kick.com only if `kick.feed` is auto, pusher or centrifugo".to_owned(),
            ));
        }
        self.rate_limit.acquire().await.map_err(refused)?;
        let path = format!("/api/v2/channels/{slug}");
        let request =
            self.client.request(Method::GET, &path).header(reqwest::header::ACCEPT, "application/json");
        let answer = self.client.send("site", request).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
                self.rate_limit.hold(self.closed);
                tracing::info!(status = answer.status.as_u16(), "kick.com refuses requests for channel ids");
                Err(refused(self.closed))
            }
            _ => match dto::site_ids(&answer.ok()?) {
                Some(ids) => Ok(Some(ids)),
                None => Err(answer.malformed("there is no number in it")),
            },
        }
    }
}

fn refused(wait: Duration) -> RemoteError {
    let seconds = wait.as_secs().max(1);
    RemoteError::Unsupported(format!(
        "kick.com refuses requests from here; retrying in {seconds} s. Set the channel id by hand \
         instead"
    ))
}
