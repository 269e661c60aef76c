//! Which of the differences between a media server and the records are drift: those that nothing announced.

use std::collections::{HashMap, HashSet};

use crate::domain::StreamKeyId;
use crate::domain::media_server::{Connection, MediaServerName};
use crate::domain::reconcile::Start;
use crate::domain::secret::SecretHash;
use crate::domain::stream_key::{Holder, StreamKey};
use crate::ports::Applied;

/// What a poll found to be other than the records, and repaired. Encoders that start and stop while it watches are none of
/// it.
#[derive(Clone, Copy, Default)]
pub(super) struct Drift {
    /// Streams that began without a claim.
    pub(super) started: usize,
    /// Streams that ended while nobody watched.
    pub(super) ended: usize,
    /// Sessions that no key allows.
    pub(super) disconnected: usize,
    /// Relays that were lost, or left over.
    pub(super) relays: usize,
}

impl Drift {
    /// Counts it; returns how much it is.
    pub(super) fn count(self, server: &MediaServerName) -> u64 {
        let Self { started, ended, disconnected, relays } = self;
        let kinds = [
            ("stream_started", started),
            ("stream_ended", ended),
            ("session_disconnected", disconnected),
            ("relay", relays),
        ];
        for (kind, times) in kinds.into_iter().filter(|(_, times)| *times > 0) {
            metrics::counter!("streamward_drift_repaired_total", "media_server" => server.to_string(), "kind" => kind)
                .increment(times as u64);
        }
        kinds.into_iter().map(|(_, times)| times as u64).sum()
    }
}

/// The connections that hold keys, by a claim or live, before a poll's changes.
pub(super) struct Announced(HashMap<StreamKeyId, Connection>);

impl Announced {
    pub(super) fn of(keys: &[(SecretHash, StreamKey)]) -> Self {
        let holder = |key: &StreamKey| match &key.holder {
            Holder::Claimed { by, .. } | Holder::Live { by } => Some((key.id, by.clone())),
            Holder::Free | Holder::Evicted { .. } => None,
        };
        Self(keys.iter().filter_map(|(_, key)| holder(key)).collect())
    }

    /// How many of the streams that began were not announced by a claim of their connection.
    pub(super) fn unexpected(&self, starts: &[Start], applied: &Applied) -> usize {
        let is_announced = |start: &Start| self.0.get(&start.key).is_some_and(|by| start.is(by));
        let unexpected: HashSet<StreamKeyId> =
            starts.iter().filter(|start| !is_announced(start)).map(|start| start.key).collect();
        applied.started.iter().filter(|stream| unexpected.contains(&stream.stream_key_id)).count()
    }
}
