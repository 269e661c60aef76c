//! Kick's API: users, channels, and who is live.

use async_trait::async_trait;

use super::RemoteError;
use crate::domain::Timestamp;
use crate::domain::streamer::{ChannelId, KickIds, Session, Slug, UserId};

/// The most users in one request.
pub const MOST_USERS: usize = 50;

/// A channel in Kick's official API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KickChannel {
    /// Its user.
    pub user: UserId,
    /// Its name now.
    pub slug: Slug,
    /// Its session, if Kick reports it live. `None` does not prove that it is offline.
    pub live: Option<Session>,
}

/// A user whom Kick's official API lists as live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KickLive {
    /// The user.
    pub user: UserId,
    /// The channel's number. No other answer of the official API contains it.
    pub channel: Option<ChannelId>,
    /// The channel's name now.
    pub slug: Option<Slug>,
    /// The session.
    pub session: Session,
}

/// Kick's official API, and its web site where the API does not suffice. A call waits for the rate limit, and after a 429
/// for as long as Kick requires.
#[async_trait]
pub trait KickApi: Send + Sync {
    /// MUST return the channels of these names, at most [`MOST_USERS`]. An unknown name MUST NOT hide the others.
    async fn channels_named(&self, slugs: &[Slug]) -> Result<Vec<KickChannel>, RemoteError>;

    /// MUST return the channels of these users, at most [`MOST_USERS`]. Kick does not know a user who is missing.
    async fn channels(&self, users: &[UserId]) -> Result<Vec<KickChannel>, RemoteError>;

    /// MUST return those of these users, at most [`MOST_USERS`], whom Kick lists as live.
    async fn live_among(&self, users: &[UserId]) -> Result<Vec<KickLive>, RemoteError>;

    /// Reads the three numbers of a name from Kick's web site, which often refuses servers. MUST return `None` if there is
    /// no such channel, and [`RemoteError::Unsupported`] if the site may not be requested now.
    async fn ids_on_site(&self, slug: &Slug) -> Result<Option<KickIds>, RemoteError>;

    /// Gets a token if there is none, and returns when it expires; never the token itself.
    async fn token_valid_until(&self) -> Result<Timestamp, RemoteError>;
}
