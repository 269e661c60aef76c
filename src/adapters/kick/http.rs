//! Kick's official API.
//!
//! | call | endpoint |
//! |---|---|
//! | names | `GET /public/v1/channels?slug=…`: an unknown one fails the whole question, which is then asked in halves |
//! | users | `GET /public/v1/channels?broadcaster_user_id=…`: about half of those live come back as not live when 50 are asked about (KickDevDocs #321) |
//! | who is live | `GET /public/v1/livestreams?broadcaster_user_id=…`, or v2 (with pages and numbers of livestreams) once v1, deprecated in June 2026, is gone |
//!
//! Every call waits for its turn. After a 429 all of them wait as long as it says (30 s if it does not say), then the
//! call is tried once more. If that is longer than 30 s they fail at once with [`RemoteError::Status`] 429 and a text
//! that says how long: whoever sweeps stops there, and goes on with a later tick that finds the door open again. Until
//! then its calls fail without reaching Kick.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::client::{Answer, KickClient};
use super::dto;
use super::rate_limit::{RateLimit, TooLong};
use super::settings::{KickSettings, Timing};
use super::site::Site;
use super::token::Tokens;
use crate::domain::Timestamp;
use crate::domain::streamer::{KickIds, Slug, UserId};
use crate::ports::{Clock, KickApi, KickChannel, KickLive, MOST_USERS, RemoteError};

/// How many times a question about several is asked anew in parts because one of them spoils it. Enough to find two in
/// fifty; beyond that something else is wrong.
const MOST_PARTS: usize = 24;
/// Most pages of who is live that are read for one question; one holds 100.
const MOST_PAGES: usize = 5;

/// Kick's official API, and its web site as far as that is allowed. Holds nothing that must outlive the process.
pub struct KickHttp {
    client: KickClient,
    tokens: Option<Tokens>,
    rate_limit: RateLimit,
    site: Site,
    timing: Timing,
    clock: Arc<dyn Clock>,
    /// Whether who is live is asked at v2.
    second: AtomicBool,
}

impl KickHttp {
    /// Kick as `settings` describe it. Connects to nothing yet. Without `client_id` and `client_secret` every official
    /// call is [`RemoteError::Unsupported`].
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`] if an address is not http(s), or no TLS can be set up.
    pub fn new(settings: &KickSettings, clock: Arc<dyn Clock>) -> Result<Self, RemoteError> {
        let timing = settings.timing;
        let interval = Duration::from_secs(60) / settings.requests_per_minute.get();
        Ok(Self {
            client: settings.client(&settings.api_url)?,
            tokens: Tokens::new(settings, Arc::clone(&clock))?,
            rate_limit: RateLimit::new(interval, settings.burst, timing.patience),
            site: Site::new(settings)?,
            timing,
            clock,
            second: AtomicBool::new(settings.livestreams_v2),
        })
    }

    fn tokens(&self) -> Result<&Tokens, RemoteError> {
        self.tokens.as_ref().ok_or_else(|| {
            RemoteError::Unsupported(
                "Kick's official API asks for an app's credentials: set `kick.client_id` and `kick.client_secret`"
                    .to_owned(),
            )
        })
    }

    /// Asks when it is our turn, with a token; once more with another one if that is refused, and once more after a
    /// 429. The answer may be an error, but neither of these two.
    pub(super) async fn call(
        &self,
        endpoint: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply<'_>, RemoteError> {
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
            match answer.status {
                StatusCode::UNAUTHORIZED if replaced => return Err(RemoteError::Unauthorised),
                StatusCode::UNAUTHORIZED => {
                    replaced = true;
                    tokens.instead_of(&token).await?;
                }
                StatusCode::TOO_MANY_REQUESTS => {
                    let hold = answer.retry_after(self.clock.now()).unwrap_or(self.timing.hold);
                    let hold = hold.min(self.timing.longest_hold);
                    tracing::info!(endpoint, seconds = hold.as_secs(), "Kick asks us to wait");
                    self.rate_limit.hold(hold);
                    if waited {
                        return Err(too_long(TooLong(hold)));
                    }
                    waited = true;
                }
                _ => return Ok(Reply { answer, tokens, token: token.secret }),
            }
        }
    }

    async fn get(&self, endpoint: &'static str, path: &str) -> Result<Reply<'_>, RemoteError> {
        self.call(endpoint, Method::GET, path, None).await
    }

    /// Asks about all of `pairs` at once, and in halves where one of them spoils the question; a lone one that does is
    /// unknown. At most `most` questions.
    async fn channels_in_parts(
        &self,
        pairs: Vec<String>,
        most: usize,
    ) -> Result<Vec<KickChannel>, RemoteError> {
        let mut parts = if pairs.is_empty() { Vec::new() } else { vec![pairs] };
        let (mut found, mut questions) = (Vec::new(), 0);
        while let Some(mut part) = parts.pop() {
            questions += 1;
            let reply = self.get("channels", &format!("/public/v1/channels?{}", part.join("&"))).await?;
            match reply.answer.status {
                StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND if questions < most => {
                    if part.len() > 1 {
                        let right = part.split_off(part.len() / 2);
                        parts.extend([right, part]);
                    }
                }
                _ => found.extend(reply.items(&reply.ok()?, dto::channel)?),
            }
        }
        Ok(found)
    }

    async fn lives_of(&self, users: &[UserId]) -> Result<Vec<KickLive>, RemoteError> {
        if !self.second.load(Ordering::Relaxed) {
            let reply = self.get("livestreams", &livestreams("v1", users, None)).await?;
            if !matches!(reply.answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
                let found = reply.items(&reply.ok()?, dto::live)?;
                return only_those(&reply, users, found);
            }
        }
        let mut found = Vec::new();
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let reply = self.get("livestreams_v2", &livestreams("v2", users, cursor.as_deref())).await?;
            let body = reply.ok()?;
            // Only now is it certain that v2 is there.
            if !self.second.swap(true, Ordering::Relaxed) {
                tracing::info!("Kick has withdrawn /public/v1/livestreams; asking at v2 from now on");
            }
            let page = reply.items(&body, dto::live)?;
            found.extend(only_those(&reply, users, page)?);
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
        return Err(RemoteError::Unsupported(format!("tell of more than {MOST_USERS} at once")));
    }
    Ok(())
}

/// Who is live is believed only of those asked about: if others come, Kick did not understand the question, and that
/// somebody is missing means nothing.
fn only_those(
    reply: &Reply<'_>,
    users: &[UserId],
    found: Vec<KickLive>,
) -> Result<Vec<KickLive>, RemoteError> {
    if found.iter().all(|live| users.contains(&live.user)) {
        return Ok(found);
    }
    Err(reply.answer.malformed("it tells of others than those asked about"))
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

fn too_long(TooLong(wait): TooLong) -> RemoteError {
    let message = format!("too many requests; Kick is asked again in {} s", wait.as_secs().max(1));
    RemoteError::Status { status: 429, message }
}

/// An answer, with what must not be repeated of it.
pub(super) struct Reply<'a> {
    pub(super) answer: Answer,
    tokens: &'a Tokens,
    token: crate::domain::secret::Secret,
}

impl Reply<'_> {
    /// What it says, if it is a success.
    pub(super) fn ok(&self) -> Result<Value, RemoteError> {
        if self.answer.status.is_success() { self.answer.json() } else { Err(self.error()) }
    }

    pub(super) fn error(&self) -> RemoteError {
        self.answer.error(&[self.tokens.client_secret(), &self.token])
    }

    /// What it says went wrong.
    pub(super) fn message(&self) -> String {
        self.answer.message(&[self.tokens.client_secret(), &self.token])
    }

    /// Its items, without those that make no sense.
    pub(super) fn items<T>(
        &self,
        body: &Value,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, RemoteError> {
        let items = dto::items(body).ok_or_else(|| self.answer.malformed("there is no list in it"))?;
        let found: Vec<T> = items.iter().filter_map(read).collect();
        let odd = items.len() - found.len();
        if odd > 0 {
            metrics::counter!("streamward_kick_api_invalid_items_total").increment(odd as u64);
            tracing::debug!(odd, of = items.len(), "Kick's answer has items that make no sense");
        }
        if found.is_empty() && odd > 0 {
            return Err(self.answer.malformed("no item in it makes sense"));
        }
        Ok(found)
    }
}

#[async_trait]
impl KickApi for KickHttp {
    async fn channels_named(&self, slugs: &[Slug]) -> Result<Vec<KickChannel>, RemoteError> {
        not_too_many(slugs.len())?;
        // Unknown names are an everyday matter: in the worst case each name is asked for by itself.
        self.channels_in_parts(slugs.iter().map(|slug| format!("slug={slug}")).collect(), usize::MAX).await
    }

    async fn channels(&self, users: &[UserId]) -> Result<Vec<KickChannel>, RemoteError> {
        not_too_many(users.len())?;
        self.channels_in_parts(of_users(users), MOST_PARTS).await
    }

    async fn live_among(&self, users: &[UserId]) -> Result<Vec<KickLive>, RemoteError> {
        // Never in parts: that a question fails must not look as if nobody were live.
        not_too_many(users.len())?;
        // Without a filter Kick would tell of everybody.
        if users.is_empty() { Ok(Vec::new()) } else { self.lives_of(users).await }
    }

    async fn ids_on_site(&self, slug: &Slug) -> Result<Option<KickIds>, RemoteError> {
        self.site.ids(slug).await
    }

    async fn token_valid_until(&self) -> Result<Timestamp, RemoteError> {
        Ok(self.tokens()?.token().await?.valid_until)
    }
}
