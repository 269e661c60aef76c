//! The app's token. All calls share it. It is replaced before it expires and after a refusal.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::client::{Answer, KickClient, repeat};
use super::dto;
use super::settings::KickSettings;
use crate::domain::Timestamp;
use crate::domain::secret::Secret;
use crate::ports::{Clock, RemoteError};

/// The lifetime of a token without `expires_in`.
const DEFAULT_LIFE: Duration = Duration::from_hours(1);
/// How long before its end a token is replaced; at most a tenth of its life.
const MARGIN: Duration = Duration::from_mins(5);
/// The pause after our credentials were refused: only a person can fix that.
const REFUSED_PAUSE: Duration = Duration::from_mins(1);

/// A token and its serial number.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) secret: Secret,
    pub(super) valid_until: Timestamp,
    renew_at: Timestamp,
    number: u64,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, valid until {})", self.number, self.valid_until)
    }
}

#[derive(Default)]
struct Cached {
    token: Option<Token>,
    count: u64,
    /// Why the last attempt failed, and when the next one is allowed.
    failed: Option<(RemoteError, Instant)>,
    /// When a refused token was last replaced.
    replaced: Option<Instant>,
}

pub(super) struct Tokens {
    client: KickClient,
    settings: KickSettings,
    clock: Arc<dyn Clock>,
    /// Locked while a token is requested; all others wait for it.
    held: Mutex<Cached>,
}

impl Tokens {
    /// Tokens for the app in `settings`; `None` without an app.
    pub(super) fn new(settings: &KickSettings, clock: Arc<dyn Clock>) -> Result<Option<Self>, RemoteError> {
        let client = settings.client(&settings.auth_url)?;
        if settings.client_id.is_empty() || settings.client_secret.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { client, settings: settings.clone(), clock, held: Mutex::default() }))
    }

    /// The texts that must not be shown.
    pub(super) fn client_secret(&self) -> &Secret {
        &self.settings.client_secret
    }

    /// A valid token. One that is about to expire is still used if there is no other.
    pub(super) async fn token(&self) -> Result<Token, RemoteError> {
        let mut held = self.held.lock().await;
        let now = self.clock.now();
        let present = held.token.clone().filter(|token| now < token.valid_until);
        match present {
            Some(token) if now < token.renew_at => Ok(token),
            Some(token) => Ok(self.fresh(&mut held).await.unwrap_or(token)),
            None => self.fresh(&mut held).await,
        }
    }

    /// Another token than `refused`: the one that another call got meanwhile, or a new one. If Kick refuses a new token
    /// at once, it is not replaced: the token is not the cause.
    pub(super) async fn instead_of(&self, refused: &Token) -> Result<Token, RemoteError> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.token.as_ref().filter(|token| token.number != refused.number) {
            return Ok(token.clone());
        }
        held.token = None;
        if held.replaced.is_some_and(|at| at.elapsed() < self.settings.timing.token_pause) {
            held.failed =
                Some((RemoteError::Unauthorised, Instant::now() + self.settings.timing.token_pause));
            return Err(RemoteError::Unauthorised);
        }
        let token = self.fresh(&mut held).await?;
        held.replaced = Some(Instant::now());
        Ok(token)
    }

    async fn fresh(&self, held: &mut Cached) -> Result<Token, RemoteError> {
        if let Some((error, until)) = &held.failed
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        match self.call(held.count + 1).await {
            Ok(token) => {
                held.failed = None;
                held.count = token.number;
                held.token = Some(token.clone());
                Ok(token)
            }
            Err((error, pause)) => {
                tracing::warn!(%error, pause_seconds = pause.as_secs(), "Kick gave no token");
                held.failed = Some((error.clone(), Instant::now() + pause));
                Err(error)
            }
        }
    }

    /// Requests a token. An error comes with the pause before the next request.
    async fn call(&self, number: u64) -> Result<Token, (RemoteError, Duration)> {
        let pause = self.settings.timing.token_pause;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.settings.client_id),
            ("client_secret", self.settings.client_secret.expose()),
        ];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .client
            .request(Method::POST, "/oauth/token")
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        let answer = self.client.send("token", request).await.map_err(|error| (error, pause))?;
        let now = self.clock.now();
        if answer.status.is_success() {
            return self.read(&answer, number, now).map_err(|error| (error, pause));
        }
        if refuses_us(&answer) {
            return Err((RemoteError::Unauthorised, REFUSED_PAUSE));
        }
        let is_too_often = answer.status == StatusCode::TOO_MANY_REQUESTS;
        let pause = if is_too_often { answer.hold(now, self.settings.timing.hold) } else { pause };
        // Without Kick's own text, which might repeat the secret.
        let message = error_code(&answer).unwrap_or_else(|| "no token".to_owned());
        let message = repeat(&message, std::slice::from_ref(&self.settings.client_secret));
        Err((RemoteError::Status { status: answer.status.as_u16(), message }, pause))
    }

    fn read(&self, answer: &Answer, number: u64, now: Timestamp) -> Result<Token, RemoteError> {
        let body = answer.json()?;
        let token = body["access_token"].as_str().unwrap_or_default();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(answer.malformed("there is no token in it"));
        }
        let life = match dto::number(&body, "expires_in") {
            None | Some(0) => DEFAULT_LIFE,
            Some(seconds) => Duration::from_secs(seconds),
        };
        let margin = MARGIN.min(life / 10);
        let valid_until = now.plus(life);
        Ok(Token { secret: Secret::new(token), valid_until, renew_at: valid_until.minus(margin), number })
    }
}

/// Whether our credentials are wrong (RFC 6749, 5.2).
fn refuses_us(answer: &Answer) -> bool {
    let errors = ["invalid_client", "unauthorized_client"];
    answer.status == StatusCode::UNAUTHORIZED
        || error_code(answer).is_some_and(|error| errors.contains(&error.as_str()))
}

/// The error code, such as `invalid_request`.
fn error_code(answer: &Answer) -> Option<String> {
    let code = dto::text(&answer.json().ok()?, "error")?;
    let shaped = code.len() <= 40 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    shaped.then_some(code)
}
