//! The streamers that `streamward streamer watch` shows.

use anyhow::bail;

use crate::app::streamer::Streamers;
use crate::domain::access::Actor;
use crate::domain::streamer::{Slug, Streamer};
use crate::ports::StreamerFilter;

pub(super) struct Watched {
    pub(super) actor: Actor,
    /// Plain names; all if there are none.
    names: Vec<String>,
}

impl Watched {
    /// Names without a row are mistyped or paused, and refused.
    pub(super) async fn new(names: &[String], streamers: &Streamers) -> anyhow::Result<Self> {
        let names = names.iter().map(|name| plain(name)).collect();
        let watched = Self { actor: Actor::cli("streamer watch"), names };
        let found = watched.streamers(streamers).await?;
        let is_there =
            |name: &&String| found.iter().any(|streamer| name.eq_ignore_ascii_case(&streamer.username));
        if let Some(name) = watched.names.iter().find(|name| !is_there(name)) {
            bail!("{name} is not watched: `streamward streamer add {name}`, or `resume` if it is paused");
        }
        Ok(watched)
    }

    pub(super) fn includes(&self, streamer: &Streamer) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name.eq_ignore_ascii_case(&streamer.username))
    }

    /// The present rows of the shown streamers.
    pub(super) async fn streamers(&self, streamers: &Streamers) -> anyhow::Result<Vec<Streamer>> {
        let filter = StreamerFilter { is_active: Some(true), ..StreamerFilter::default() };
        let mut streamers = streamers.all(&self.actor, &filter).await?;
        streamers.retain(|streamer| self.includes(streamer));
        Ok(streamers)
    }
}

/// A name in plain form: without `@` or an address around it.
pub(super) fn plain(name: &str) -> String {
    Slug::parse(name).map_or_else(|_| name.to_ascii_lowercase(), String::from)
}
