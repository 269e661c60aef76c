//! Why a path is, or is not, on air.

use std::sync::Arc;

use super::media_server::ConfiguredServers;
use super::{Core, Result};
use crate::domain::access::{Action, Actor, Resource, Role, Scope};
use crate::domain::auth_failure::AuthFailure;
use crate::domain::nearest::nearest;
use crate::domain::on_air::{Explanation, Facts};
use crate::domain::page::Page;
use crate::domain::path::StreamPath;
use crate::domain::stream::Stream;
use crate::ports::{KeyFilter, StatusFilter, StreamFilter};

const RESOURCE: Resource = Resource::read_by(Role::Operator);
/// How many paths before and after the given one are compared with it.
const NEIGHBOURS: u32 = 200;
/// How many kinds of refused attempts are searched. There are not many more.
const FAILURES: u32 = 1_001;

/// Explains paths.
pub struct Explain {
    core: Arc<Core>,
    servers: Arc<ConfiguredServers>,
}

impl Explain {
    /// Over the stores of `core`.
    pub fn new(core: Arc<Core>, servers: Arc<ConfiguredServers>) -> Self {
        Self { core, servers }
    }

    /// Why this path is, or is not, on air. What other organizations own does not exist.
    pub async fn explain(&self, actor: &Actor, path: &str) -> Result<(StreamPath, Explanation)> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let path = StreamPath::parse(path)?;
        let facts = self.facts(&scope, path.clone()).await?;
        Ok((path, Explanation::of(&facts)))
    }

    async fn facts(&self, scope: &Scope, path: StreamPath) -> Result<Facts> {
        let turn = self.core.lists.turn().await;
        let filter = KeyFilter { broadcaster_id: None, path: Some(path.clone()) };
        let keys = turn.stream_keys(scope, &filter, &Page::first(20)).await?;
        let mut servers = turn.media_servers(&Scope::system()).await?;
        servers.retain(|server| self.servers.get(&server.name).is_some());
        if scope.organizations().is_some() {
            // They are not for organizations, and addresses are in them.
            servers.iter_mut().for_each(|server| server.last_error = None);
        }
        let failures = turn.auth_failures(scope, &Page::first(FAILURES)).await?;
        let refused = failures.into_iter().find(|failure| concerns(failure, &path));
        drop(turn);
        Ok(Facts {
            now: self.core.now(),
            near: if keys.is_empty() { self.near(scope, &path).await? } else { None },
            live: self.last(scope, &path, StatusFilter::Active).await?,
            ended: self.last(scope, &path, StatusFilter::Ended).await?,
            keys,
            servers,
            refused,
            path,
        })
    }

    async fn last(&self, scope: &Scope, path: &StreamPath, status: StatusFilter) -> Result<Option<Stream>> {
        let filter = StreamFilter { status, path: Some(path.clone()), ..StreamFilter::default() };
        let found = self.core.lists.turn().await.streams(scope, &filter, &Page::first(1)).await?;
        Ok(found.into_iter().next())
    }

    /// The path of a key in scope that is much like this one.
    async fn near(&self, scope: &Scope, path: &StreamPath) -> Result<Option<String>> {
        let turn = self.core.lists.turn().await;
        let known = turn.paths_near(path.as_str(), NEIGHBOURS).await?;
        let Some(near) = nearest(path.as_str(), known.iter().map(StreamPath::as_str)) else {
            return Ok(None);
        };
        let filter = KeyFilter { broadcaster_id: None, path: Some(StreamPath::parse(near)?) };
        let is_visible = !turn.stream_keys(scope, &filter, &Page::first(1)).await?.is_empty();
        Ok(is_visible.then(|| near.to_owned()))
    }
}

/// Whether the attempt was for the path, or with a key of it.
fn concerns(failure: &AuthFailure, path: &StreamPath) -> bool {
    let asked = failure.attempt.path.as_deref() == Some(path.as_str());
    asked || failure.attempt.path_of_key() == Some(path)
}
