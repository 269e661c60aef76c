//! Kick's official API.
//!
//! | call | endpoint |
//! |---|---|
//! | names | `GET /public/v1/channels?slug=…`: an unknown one fails the whole request, which is then repeated in halves |
//! | users | `GET /public/v1/channels?broadcaster_user_id=…`: about half of those live come back as not live in a request about 50 (KickDevDocs #321) |
//! | who is live | `GET /public/v1/livestreams?broadcaster_user_id=…`, or v2 (with pages and numbers of livestreams) once v1, deprecated in June 2026, is gone |
//!
//! Every call waits for the rate limit. After a 429 all calls wait for its `Retry-After` (30 s without one), then the call
//! is repeated once. If the wait is longer than 30 s, calls fail at once with [`RemoteError::Status`] 429 and do not
//! reach Kick until the wait is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::client::{Answer, KickClient};
use super::dto;
use super::rate_limit::RateLimit;
use super::settings::{KickSettings, Timing};
use super::site::Site;
use super::token::Tokens;
use crate::domain::Timestamp;
use crate::domain::streamer::{KickIds, Slug, UserId};
use crate::ports::{Clock, KickApi, KickChannel, KickLive, MOST_USERS, RemoteError};

/// Longest wait of a call after a 429; if the wait is longer, the call fails at once.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most requests that one call may be split into because of an unknown user. Enough to find two in fifty.
const MOST_PARTS: usize = 24;
/// Most pages of live streams that are read; one has 100.
const MOST_PAGES: usize = 5;

/// Kick's official API, and its web site if that is allowed. Its state need not outlive the process.
pub struct KickHttp {
    client: KickClient,
    tokens: Option<Tokens>,
    rate_limit: RateLimit,
    site: Site,
    timing: Timing,
    clock: Arc<dyn Clock>,
    /// Whether v1 of the live streams is gone, so that v2 is used.
    second: AtomicBool,
}

impl KickHttp {
    /// Does not connect yet. Without `client_id` and `client_secret` every official call is
    /// [`RemoteError::Unsupported`]; so is this one if an address is not http(s) or TLS is not available.
    pub fn new(settings: &KickSettings, clock: Arc<dyn Clock>) -> Result<Self, RemoteError> {
        let timing = settings.timing;
        let interval = Duration::from_secs(60) / settings.requests_per_minute.get();
        Ok(Self {
            client: settings.client(&settings.api_url)?,
            tokens: Tokens::new(settings, Arc::clone(&clock))?,
            rate_limit: RateLimit::new(interval, settings.burst, PATIENCE),
            site: Site::new(settings)?,
            timing,
            clock,
            second: AtomicBool::new(false),
        })
    }

    fn tokens(&self) -> Result<&Tokens, RemoteError> {
        self.tokens.as_ref().ok_or_else(|| {
            RemoteError::Unsupported(
                "Kick's official API needs the credentials of an app: set `kick.client_id` and `kick.client_secret`"
                    .to_owned(),
            )
        })
    }

    /// Sends a request within the rate limit; once more with a new token if Kick refuses the token, and once more after
    /// a 429. The answer may be any other error.
    pub(super) async fn call(
        &self,
        endpoint: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, RemoteError> {
        let tokens = self.tokens()?;
        let (mut replaced, mut waited) = (false, false);
        loop {
            self.rate_limit.acquire().await.map_err(too_long)?;
            let token = tokens.token().await?;
            let mut request = self.client.request(method.clone(), path).bearer_auth(token.secret.expose());
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = self.client.send(endpoint, request).await?;
            let answer = answer.hiding([tokens.client_secret(), &token.secret]);
            match answer.status {
                StatusCode::UNAUTHORIZED if replaced => return Err(RemoteError::Unauthorised),
                StatusCode::UNAUTHORIZED => {
                    replaced = true;
                    tokens.instead_of(&token).await?;
                }
                StatusCode::TOO_MANY_REQUESTS => {
                    let hold = answer.hold(self.clock.now(), self.timing.hold);
                    tracing::info!(
                        endpoint,
                        seconds = hold.as_secs(),
                        "Kick's rate limit is reached; waiting"
                    );
                    self.rate_limit.hold(hold);
                    if waited {
                        return Err(too_long(hold));
                    }
                    waited = true;
                }
                _ => return Ok(answer),
            }
        }
    }

    async fn get(&self, endpoint: &'static str, path: &str) -> Result<Answer, RemoteError> {
        self.call(endpoint, Method::GET, path, None).await
    }

    /// Requests all `pairs` at once, or in halves if Kick refuses one of them. A pair that is refused alone is unknown.
    /// Sends at most `most` requests.
    async fn channels_in_parts(
        &self,
        pairs: Vec<String>,
        most: usize,
    ) -> Result<Vec<KickChannel>, RemoteError> {
        let mut parts = if pairs.is_empty() { Vec::new() } else { vec![pairs] };
        let (mut found, mut requests) = (Vec::new(), 0);
        while let Some(mut part) = parts.pop() {
            requests += 1;
            let answer = self.get("channels", &format!("/public/v1/channels?{}", part.join("&"))).await?;
            match answer.status {
                StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND if requests < most => {
                    if part.len() > 1 {
                        let right = part.split_off(part.len() / 2);
                        parts.extend([right, part]);
                    }
                }
                _ => found.extend(answer.items(&answer.ok()?, dto::channel)?),
            }
        }
        Ok(found)
    }

    async fn lives_of(&self, users: &[UserId]) -> Result<Vec<KickLive>, RemoteError> {
        if !self.second.load(Ordering::Relaxed) {
            let answer = self.get("livestreams", &livestreams("v1", users, None)).await?;
            if !matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
                return lives(&answer, &answer.ok()?, users);
            }
        }
        let mut found = Vec::new();
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let answer = self.get("livestreams_v2", &livestreams("v2", users, cursor.as_deref())).await?;
            let body = answer.ok()?;
            // v2 exists, as this answer shows.
            if !self.second.swap(true, Ordering::Relaxed) {
                tracing::info!("Kick has withdrawn /public/v1/livestreams; using v2 from now on");
            }
            found.extend(lives(&answer, &body, users)?);
            cursor = dto::next_cursor(&body);
            if cursor.is_none() || found.len() >= users.len() {
                return Ok(found);
            }
        }
        Err(RemoteError::Malformed("livestreams_v2: its pages have no end".to_owned()))
    }
}

fn not_too_many(count: usize) -> Result<(), RemoteError> {
    if count > MOST_USERS {
        return Err(RemoteError::Unsupported(format!("handle more than {MOST_USERS} users at once")));
    }
    Ok(())
}

/// The users in an answer. One about other users is an error: Kick ignored the filter, and a missing user means nothing.
fn lives(answer: &Answer, body: &Value, users: &[UserId]) -> Result<Vec<KickLive>, RemoteError> {
    let found = answer.items(body, dto::live)?;
    if found.iter().all(|live| users.contains(&live.user)) {
        return Ok(found);
    }
    Err(answer.malformed("it is about other users"))
}

fn of_users(users: &[UserId]) -> Vec<String> {
    users.iter().map(|user| format!("broadcaster_user_id={user}")).collect()
}

fn livestreams(version: &str, users: &[UserId], cursor: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(format!("{}&limit=100", of_users(users).join("&")));
    if let Some(cursor) = cursor {
        query.append_pair("cursor", cursor);
    }
    format!("/public/{version}/livestreams?{}", query.finish())
}

fn too_long(wait: Duration) -> RemoteError {
    let message = format!("too many requests; retrying in {} s", wait.as_secs().max(1));
    RemoteError::Status { status: 429, message }
}

#[async_trait]
impl KickApi for KickHttp {
    async fn channels_named(&self, slugs: &[Slug]) -> Result<Vec<KickChannel>, RemoteError> {
        not_too_many(slugs.len())?;
        // Unknown names are common: in the worst case each name needs a request.
        self.channels_in_parts(slugs.iter().map(|slug| format!("slug={slug}")).collect(), usize::MAX).await
    }

    async fn channels(&self, users: &[UserId]) -> Result<Vec<KickChannel>, RemoteError> {
        not_too_many(users.len())?;
        self.channels_in_parts(of_users(users), MOST_PARTS).await
    }

    async fn live_among(&self, users: &[UserId]) -> Result<Vec<KickLive>, RemoteError> {
        // Never in parts: a failed part must not make streamers appear offline.
        not_too_many(users.len())?;
        // Without a filter Kick would list everybody.
        if users.is_empty() { Ok(Vec::new()) } else { self.lives_of(users).await }
    }

    async fn ids_on_site(&self, slug: &Slug) -> Result<Option<KickIds>, RemoteError> {
        self.site.ids(slug).await
    }

    async fn token_valid_until(&self) -> Result<Timestamp, RemoteError> {
        Ok(self.tokens()?.token().await?.valid_until)
    }
}
