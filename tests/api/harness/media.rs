//! A media server in memory, whose sessions are set by the test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use streamward::domain::media_server::{
    Capabilities, ObservedPath, ObservedReader, ObservedSource, Relay, Snapshot, SourceId, SourceKind,
    StreamStats,
};
use streamward::domain::path::{IngestPath, StreamPath};
use streamward::domain::secret::Secret;
use streamward::ports::{MediaServer, RelayRemoval, RemoteError, ServerInfo, ServerSettings};

/// Clones are the same media server.
#[derive(Clone, Default)]
pub(crate) struct FakeMedia(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    unreachable: bool,
    ignores_disconnects: bool,
    has_no_relays: bool,
    sessions: BTreeMap<String, Session>,
    relays: BTreeSet<StreamPath>,
    disconnected: Vec<String>,
    /// Who watches: id, path and query.
    readers: Vec<(String, String, String)>,
    /// A path whose item cannot be read.
    unreadable: Option<String>,
}

struct Session {
    id: String,
    readers: u32,
}

impl FakeMedia {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("not poisoned")
    }

    /// An allowed encoder publishes at `path`, which may be private.
    pub(crate) fn go_live(&self, path: &str, id: &str) {
        let session = Session { id: id.into(), readers: 0 };
        self.state().sessions.insert(path.into(), session);
    }

    pub(crate) fn leave(&self, path: &str) {
        self.state().sessions.remove(path);
    }

    /// A connection that was let in reads.
    pub(crate) fn reads(&self, id: &str, path: &str, query: &str) {
        self.state().readers.push((id.into(), path.into(), query.into()));
    }

    /// The connections that read.
    pub(crate) fn readers_now(&self) -> Vec<String> {
        self.state().readers.iter().map(|(id, ..)| id.clone()).collect()
    }

    /// A reader leaves.
    pub(crate) fn stops_reading(&self, id: &str) {
        self.state().readers.retain(|(reader, ..)| reader != id);
    }

    pub(crate) fn watched_by(&self, path: &str, readers: u32) {
        if let Some(session) = self.state().sessions.get_mut(path) {
            session.readers = readers;
        }
    }

    /// Whether it answers.
    pub(crate) fn set_unreachable(&self, unreachable: bool) {
        self.state().unreachable = unreachable;
    }

    /// Whether sessions stay although they are disconnected.
    pub(crate) fn set_ignores_disconnects(&self, ignores_disconnects: bool) {
        self.state().ignores_disconnects = ignores_disconnects;
    }

    /// From now on the item of this path cannot be read.
    pub(crate) fn set_unreadable(&self, path: &str) {
        self.state().unreadable = Some(path.into());
    }

    /// From now on it is of a kind that cannot relay.
    pub(crate) fn set_without_relays(&self) {
        self.state().has_no_relays = true;
    }

    /// The ids of the disconnected sessions, in order.
    pub(crate) fn disconnected(&self) -> Vec<String> {
        self.state().disconnected.clone()
    }

    pub(crate) fn carries(&self, path: &str) -> bool {
        self.state().sessions.contains_key(path)
    }

    pub(crate) fn relays(&self) -> Vec<String> {
        self.state().relays.iter().map(ToString::to_string).collect()
    }

    fn reach(&self) -> Result<MutexGuard<'_, State>, RemoteError> {
        let state = self.state();
        if state.unreachable { Err(RemoteError::Unreachable("refused".into())) } else { Ok(state) }
    }
}

#[async_trait]
impl MediaServer for FakeMedia {
    fn capabilities(&self) -> Capabilities {
        Capabilities { relay: !self.state().has_no_relays, ..Capabilities::MEDIAMTX }
    }

    async fn snapshot(&self) -> Result<Snapshot, RemoteError> {
        let state = self.reach()?;
        let unreadable = state.unreadable.as_deref();
        let readable = state.sessions.iter().filter(|(path, _)| Some(path.as_str()) != unreadable);
        let live = readable.map(|(path, session)| ObservedPath {
            path: IngestPath::from_media_server(path),
            live: true,
            configured: false,
            source: Some(ObservedSource {
                kind: SourceKind::Rtmp,
                publishes: true,
                id: SourceId::parse(&session.id),
                aliases: vec![],
            }),
            stats: StreamStats {
                readers: session.readers,
                tracks: vec!["H264".into()],
                inbound_bytes: 1_000,
            },
        });
        let relays = state.relays.iter().map(|path| ObservedPath {
            path: IngestPath::Public(path.clone()),
            live: false,
            configured: true,
            source: None,
            stats: StreamStats::default(),
        });
        Ok(Snapshot {
            run: Some("1".into()),
            version: Some("v0.0.0".into()),
            paths: live.chain(relays).collect(),
            unreadable: unreadable
                .map(|path| Some(IngestPath::from_media_server(path)))
                .into_iter()
                .collect(),
        })
    }

    async fn disconnect(&self, source: &ObservedSource) -> Result<(), RemoteError> {
        let mut state = self.reach()?;
        let id = source.id.as_ref().map(ToString::to_string).unwrap_or_default();
        state.disconnected.push(id.clone());
        if !state.ignores_disconnects {
            state.sessions.retain(|_, session| session.id != id);
            state.readers.retain(|(reader, ..)| *reader != id);
        }
        Ok(())
    }

    async fn readers(&self) -> Result<Vec<ObservedReader>, RemoteError> {
        let state = self.reach()?;
        let reader = |(id, path, query): &(String, String, String)| ObservedReader {
            source: ObservedSource {
                kind: SourceKind::Rtmp,
                publishes: false,
                id: SourceId::parse(id),
                aliases: vec![],
            },
            path: IngestPath::from_media_server(path),
            query: Secret::new(query),
        };
        Ok(state.readers.iter().map(reader).collect())
    }

    async fn ensure_relay(&self, relay: &Relay, _: &Secret) -> Result<(), RemoteError> {
        self.reach()?.relays.insert(relay.public.clone());
        Ok(())
    }

    async fn remove_relay(&self, public: &StreamPath) -> Result<RelayRemoval, RemoteError> {
        self.reach()?.relays.remove(public);
        Ok(RelayRemoval::Gone)
    }

    async fn info(&self) -> Result<ServerInfo, RemoteError> {
        drop(self.reach()?);
        Ok(ServerInfo::default())
    }

    async fn settings(&self) -> Result<ServerSettings, RemoteError> {
        drop(self.reach()?);
        Ok(ServerSettings::default())
    }
}
