//! What is asked of Kick: who somebody is, and who is live.

use async_trait::async_trait;

use super::RemoteError;
use crate::domain::Timestamp;
use crate::domain::streamer::{ChannelId, KickIds, Session, Slug, UserId};

/// How many users one question may be about.
pub const MOST_USERS: usize = 50;

/// A channel as Kick's official API tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KickChannel {
    /// Whose it is.
    pub user: UserId,
    /// Its name now.
    pub slug: Slug,
    /// What it carries, if it says that it is live. That it is not proves nothing.
    pub live: Option<Session>,
}

/// Somebody who is live, as Kick's official API tells of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KickLive {
    /// Who.
    pub user: UserId,
    /// Their channel: the only place where the official API tells its number.
    pub channel: Option<ChannelId>,
    /// Their channel's name now.
    pub slug: Option<Slug>,
    /// What they carry.
    pub session: Session,
}

/// Kick's official API, and where it does not suffice its web site. Waits for its turn by itself: for the rate limit,
/// and for as long as Kick told it to after a 429.
#[async_trait]
pub trait KickApi: Send + Sync {
    /// Looks names up, at most [`MOST_USERS`]. MUST return the channels there are; names that Kick does not know MUST
    /// not keep it from finding the others.
    async fn channels_named(&self, slugs: &[Slug]) -> Result<Vec<KickChannel>, RemoteError>;

    /// MUST return what Kick says of these, at most [`MOST_USERS`]; who is missing was not known to it.
    async fn channels(&self, users: &[UserId]) -> Result<Vec<KickChannel>, RemoteError>;

    /// MUST return those of these, at most [`MOST_USERS`], that Kick lists as live.
    async fn live_among(&self, users: &[UserId]) -> Result<Vec<KickLive>, RemoteError>;

    /// Asks Kick's web site for the three numbers behind a name. Unofficial, and often refused to servers.
    /// MUST return `None` if there is no such channel, and [`RemoteError::Unsupported`] if it may not be asked now.
    async fn ids_on_site(&self, slug: &Slug) -> Result<Option<KickIds>, RemoteError>;

    /// Gets a token if there is none, and tells until when it is valid; never the token.
    async fn token_valid_until(&self) -> Result<Timestamp, RemoteError>;
}
