//! Hook events: what a media server reports by itself.

use strum::{EnumString, IntoStaticStr};

use super::{Changes, Start, View, end_by_key};
use crate::domain::Timestamp;
use crate::domain::media_server::{Connection, MediaServerName, SourceId, SourceKind, StreamStats};
use crate::domain::path::StreamPath;
use crate::domain::secret::SecretHash;
use crate::domain::stream::{EndReason, IngestForm};

/// The kind of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum HookKind {
    /// A path went live.
    Ready,
    /// A path is no longer live.
    NotReady,
}

impl HookKind {
    /// The word for logs, metrics and the store.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads what [`HookKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A stored hook. Hooks arrive late, twice, out of order or never, so a hook only triggers a poll. It is accepted as
/// fact only while the media server is unreachable, and only if it names its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookEvent {
    /// The media server.
    pub server: MediaServerName,
    /// Which hook.
    pub kind: HookKind,
    /// The public path, if it is one.
    pub path: Option<StreamPath>,
    /// The hash of the key in the path, if it is private.
    pub hash: Option<SecretHash>,
    /// The session.
    pub source_id: Option<SourceId>,
    /// The kind of session.
    pub source_kind: Option<SourceKind>,
    /// When it arrived.
    pub at: Timestamp,
}

/// The changes that hook events justify while the media server is unreachable.
///
/// "Ready" is accepted for a connection that holds a valid claim, "not ready" for a recorded session. Everything else
/// waits for the next snapshot. Events are read in the order of arrival.
pub fn accept_hook_events(now: Timestamp, hook_events: &[HookEvent], view: &View) -> Changes {
    let mut changes = Changes::default();
    for hook_event in hook_events {
        let Some(id) = &hook_event.source_id else { continue };
        match hook_event.kind {
            HookKind::Ready => {
                let connection = Connection { server: hook_event.server.clone(), id: id.clone() };
                let known = view.streams.iter().any(|a| a.stream.source_id.as_ref() == Some(id))
                    || changes.started.iter().any(|s| s.connection == connection);
                if !known && let Some(start) = claimed_start(now, hook_event, connection, view) {
                    changes.started.push(start);
                }
            }
            HookKind::NotReady => {
                changes.started.retain(|s| s.connection.id != *id);
                let gone = view.streams.iter().find(|a| a.stream.source_id.as_ref() == Some(id));
                if let Some(active) = gone
                    && !changes.ended.iter().any(|(ended, _)| *ended == active.stream.id)
                {
                    let key = view.keys.iter().find(|(_, key)| key.id == active.stream.stream_key_id);
                    // It may be our own disconnection that it tells of.
                    let by_key = key.and_then(|(_, key)| end_by_key(key, now));
                    changes.ended.push((active.stream.id, by_key.unwrap_or(EndReason::PublisherLeft)));
                }
            }
        }
    }
    changes
}

fn claimed_start(
    now: Timestamp,
    hook_event: &HookEvent,
    connection: Connection,
    view: &View,
) -> Option<Start> {
    let (_, key) = view.keys.iter().find(|(hash, key)| {
        key.is_usable(now)
            && key.holder.active_holder(now) == Some(&connection)
            && (hook_event.hash == Some(*hash) || hook_event.path.as_ref() == Some(&key.path))
    })?;
    Some(Start {
        key: key.id,
        connection,
        aliases: Vec::new(),
        kind: hook_event.source_kind.clone(),
        form: if hook_event.hash.is_some() { IngestForm::SecretPath } else { IngestForm::NamedPath },
        stats: StreamStats::default(),
    })
}
