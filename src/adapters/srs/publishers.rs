//! The publishers that were seen: their kind, and how many bytes a stream had received before them.
//!
//! The list of streams tells neither, so each new publisher is requested once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::timeout;

use super::api::Api;
use super::words::source_kind;
use crate::domain::media_server::SourceKind;

/// How many requests run at once.
const AT_ONCE: usize = 8;
/// How long a poll spends on them; the next one continues.
const TIME: Duration = Duration::from_secs(1);

/// One publisher.
#[derive(Clone, Debug)]
struct Known {
    kind: SourceKind,
    /// The bytes that its stream had received before it.
    before: u64,
}

/// The publishers of one SRS, by client id. It only saves calls and may be lost.
#[derive(Default)]
pub(super) struct Publishers(Mutex<HashMap<String, Known>>);

impl Publishers {
    /// Requests those of `active` that are new, and forgets all others. `active` are client ids with the bytes that their
    /// streams have received. A failure does no harm: the next poll repeats it.
    pub(super) async fn update(&self, api: &Api, active: &HashMap<String, u64>) {
        let unknown: Vec<(&String, u64)> = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|id, _| active.contains_key(id));
            active.iter().filter(|(id, _)| !known.contains_key(*id)).map(|(id, bytes)| (id, *bytes)).collect()
        };
        let calls = unknown.into_iter().map(|(id, received)| async move {
            let client = api.client(id).await.ok().flatten()?;
            let before = received.saturating_sub(client.recv_bytes);
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(id.clone(), Known { kind: source_kind(&client.kind), before });
            Some(())
        });
        let calls: Vec<_> = calls.collect();
        let requests = stream::iter(calls).buffer_unordered(AT_ONCE).collect::<Vec<_>>();
        let _ = timeout(TIME, requests).await;
    }

    /// The kind of a publisher, and how many of the `received` bytes of its stream are from it.
    pub(super) fn of(&self, id: &str, received: u64) -> (SourceKind, u64) {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            Some(known) => (known.kind.clone(), received.saturating_sub(known.before)),
            None => (SourceKind::Rtmp, received),
        }
    }
}
