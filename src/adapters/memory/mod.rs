//! A store in memory: nothing survives the process, everything else is as the ports demand. For tests and dry runs,
//! and the reference the SQL stores are compared with.

mod access;
mod audit_log;
mod auth_failures;
mod broadcasters;
mod channels;
mod clips;
mod leases;
mod media_servers;
mod notifications;
mod organizations;
mod programmes;
mod reconcile;
mod stored_studio;
mod stored_user;
mod stream_keys;
mod streamers;
mod streams;
mod studios;
mod user_sessions;
mod users;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::stored_studio::StoredStudio;
use self::stored_user::StoredUser;
use crate::domain::access::ApiToken;
use crate::domain::audit::AuditEntry;
use crate::domain::auth_failure::{AuthFailure, AuthFailureId};
use crate::domain::broadcaster::Broadcaster;
use crate::domain::channel::{
    Channel, ChannelId, Decision, DecisionId, Destination, DestinationId, ProgrammeStatus, Rehearsal,
    RehearsalId,
};
use crate::domain::clip::{Clip, ClipId, JobId};
use crate::domain::event::{EventBody, StoredEvent};
use crate::domain::media_server::{MediaServerName, MediaServerStatus};
use crate::domain::notification::{DeliveryId, NotificationId};
use crate::domain::organization::Organization;
use crate::domain::page::{Newest, Page, Placed};
use crate::domain::reconcile::ActiveStream;
use crate::domain::secret::SecretHash;
use crate::domain::stream::{EndReason, Stream};
use crate::domain::stream_key::StreamKey;
use crate::domain::streamer::feed::WatchStatus;
use crate::domain::streamer::{StatusEvent, Streamer};
use crate::domain::studio::StudioId;
use crate::domain::user::{Attempts, OneTimeLink, Session};
use crate::domain::{
    ApiTokenId, BroadcasterId, OrganizationId, SessionId, StreamId, StreamKeyId, StreamerId, Timestamp,
    UserId,
};
use crate::ports::{
    Assignment, Clock, InstanceLease, Result, Store, StoredDelivery, StoredHookEvent, StoredNotification,
};

/// A store in memory. Clones share what is stored.
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    /// The database's time.
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    organizations: BTreeMap<OrganizationId, Organization>,
    broadcasters: BTreeMap<BroadcasterId, Broadcaster>,
    keys: BTreeMap<StreamKeyId, (SecretHash, StreamKey)>,
    streams: BTreeMap<StreamId, ActiveStream>,
    events: Vec<StoredEvent>,
    last_event: i64,
    audit: Vec<AuditEntry>,
    auth_failures: BTreeMap<AuthFailureId, AuthFailure>,
    tokens: BTreeMap<ApiTokenId, (SecretHash, ApiToken)>,
    signatures: HashMap<SecretHash, Timestamp>,
    /// Leases, and when they expire.
    instances: HashMap<String, (InstanceLease, Timestamp)>,
    /// Assignments, and the epoch of the lease they were made under.
    assignments: HashMap<String, (Assignment, i64)>,
    secrets: HashMap<String, String>,
    hook_events: Vec<StoredHookEvent>,
    last_hook_event: i64,
    media_servers: BTreeMap<MediaServerName, MediaServerStatus>,
    streamers: BTreeMap<StreamerId, Streamer>,
    status_events: Vec<StatusEvent>,
    watch_status: Option<WatchStatus>,
    /// Channels, and the sealed secrets of their programme keys.
    channels: BTreeMap<ChannelId, (Channel, String)>,
    /// Destinations, and their sealed keys.
    destinations: BTreeMap<DestinationId, (Destination, String)>,
    decisions: BTreeMap<DecisionId, Decision>,
    channel_status: BTreeMap<ChannelId, ProgrammeStatus>,
    rehearsals: BTreeMap<RehearsalId, Rehearsal>,
    clips: BTreeMap<ClipId, StoredClip>,
    studios: BTreeMap<StudioId, StoredStudio>,
    notifications: BTreeMap<NotificationId, StoredNotification>,
    deliveries: BTreeMap<DeliveryId, StoredDelivery>,
    users: BTreeMap<UserId, StoredUser>,
    sessions: BTreeMap<SessionId, (SecretHash, Session)>,
    links: BTreeMap<SecretHash, OneTimeLink>,
    attempts: BTreeMap<SecretHash, Attempts>,
}

/// A clip, and who prepares it.
#[derive(Clone)]
struct StoredClip {
    clip: Clip,
    job: Option<JobId>,
    job_until: Option<Timestamp>,
    attempts: u32,
}

impl MemoryStore {
    /// A store with the default organization only, whose database time is `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let first = Organization::first();
        let state = State { organizations: BTreeMap::from([(first.id, first)]), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), clock }
    }

    /// The whole state, for one verb. Verbs do not await while they have it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Records a change of what `owner` owns: its audit entry and its event.
    fn record(&mut self, at: Timestamp, audit: &AuditEntry, owner: OrganizationId, event: &EventBody) {
        self.audit.push(audit.clone().owned_by(owner));
        self.append_event(at, owner, event);
    }

    fn append_event(&mut self, at: Timestamp, owner: OrganizationId, event: &EventBody) {
        self.last_event += 1;
        self.events.push(event.stored(self.last_event, at, owner));
    }

    /// Marks active streams as ending; returns all that are, now or since before.
    fn mark(&mut self, reason: EndReason, of: impl Fn(&Stream) -> bool) -> Vec<Stream> {
        let active =
            self.streams.values_mut().filter(|active| active.stream.is_active() && of(&active.stream));
        active
            .filter_map(|active| {
                active.stream = active.stream.clone().end_requested(reason).ok()?;
                Some(active.stream.clone())
            })
            .collect()
    }
}

/// The page of these rows, the newest first.
fn newest_first<'a, T: Placed<Place = Newest> + Clone + 'a>(
    rows: impl Iterator<Item = &'a T>,
    page: &Page<Newest>,
) -> Vec<T> {
    let mut rows: Vec<&T> = rows.filter(|row| page.after.is_none_or(|after| row.place() < after)).collect();
    rows.sort_by_key(|row| Reverse(row.place()));
    rows.into_iter().take(limit(page)).cloned().collect()
}

fn limit<P>(page: &Page<P>) -> usize {
    page.limit.map_or(usize::MAX, |limit| limit as usize)
}

/// Removes the values that are not to be kept; returns how many.
fn prune<T>(values: &mut Vec<T>, keep: impl FnMut(&T) -> bool) -> u64 {
    let count = values.len();
    values.retain(keep);
    (count - values.len()) as u64
}

#[async_trait]
impl Store for MemoryStore {
    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn time(&self) -> Result<Timestamp> {
        Ok(self.clock.now())
    }

    async fn check_writable(&self) -> Result<()> {
        Ok(())
    }

    fn damage(&self) -> Option<String> {
        None
    }
}
