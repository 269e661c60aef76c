//! What the application needs from outside, as small traits in domain terms.
//!
//! The contract suite (`tests/contract`) tests each MUST on every implementation. A store method is one use-case in one
//! transaction, which also contains the events and the audit entry of the change. Every method that takes a
//! [`Scope`](crate::domain::access::Scope), or a [`Change`] with one, MUST treat rows outside of it as if they did not exist.

mod access;
mod arrival_probe;
mod audit_log;
mod auth_failures;
mod broadcasters;
mod change;
mod channel_engine;
mod channels;
mod clips;
mod clock;
mod destination_probe;
mod error;
mod event_log;
mod hook_events;
mod identity_provider;
mod kick;
mod launcher;
mod leases;
mod mailer;
mod media_server;
mod media_servers;
mod media_store;
mod notifications;
mod obs;
pub mod obs_values;
mod organizations;
mod password_hasher;
mod platform_probe;
mod programmes;
mod reconcile;
mod secret_store;
mod status_feed;
mod stream_keys;
mod streamer_reports;
mod streamers;
mod streams;
mod studios;
mod transcoder;
mod user_sessions;
mod users;
mod wake_ups;
mod webhooks;

pub use access::AccessStore;
pub use arrival_probe::{Arrival, ArrivalProbe};
pub use audit_log::AuditStore;
pub use auth_failures::AuthFailureStore;
pub use broadcasters::BroadcasterStore;
pub use change::Change;
pub use channel_engine::{ChannelEngine, ProgrammeReports};
pub use channels::{ChannelCreation, ChannelStore, ChannelWrite, RehearsalCreation};
pub use clips::{ClipCreation, ClipDeletion, ClipStore};
pub use clock::{Clock, IdGen};
pub use destination_probe::{DestinationProbe, ProbeStep, ProbedStep};
pub use error::{RemoteError, Result, StoreError};
pub use event_log::EventStore;
pub use hook_events::{HookEventStore, StoredHookEvent};
pub use identity_provider::{IdentityError, IdentityProvider, SignInRequest};
pub use kick::{KickApi, KickChannel, KickLive, MOST_USERS};
pub use launcher::{LaunchError, ObsLauncher, ProcessState};
pub use leases::{Assignment, InstanceLease, LeaseCheck, LeaseStore};
pub use mailer::{Mail, Mailer};
pub use media_server::{MediaServer, RelayRemoval, ServerInfo, ServerSettings};
pub use media_servers::{Contact, MediaServerStore, PollResult};
pub use media_store::{LocalFile, MediaError, MediaResult, MediaStore, UploadWriter};
pub use notifications::{NotificationSender, NotificationStore, StoredDelivery, StoredNotification};
pub use obs::{Disconnect, ObsControl, ObsError, ObsEvent, ObsSignal};
pub use organizations::{OrganizationDeletion, OrganizationStore, OrganizationWrite};
pub use password_hasher::{HasherBusy, PasswordHasher};
pub use platform_probe::PlatformProbe;
pub use programmes::{ProgrammeStore, ReportedProgrammes, StoredProgramme};
pub use reconcile::{Applied, ReconcileStore, named_hashes, named_paths};
pub use secret_store::SecretStore;
pub use status_feed::{FeedSignal, StatusFeed, StatusUpdate, Subject, Wanted};
pub use stream_keys::{CachedKeyStore, KeyCreation, KeyFilter, Revocation, Rotation, StreamKeyStore};
pub use streamer_reports::{Recorded, ReportStore};
pub use streamers::{StreamerFilter, StreamerStore, Written};
pub use streams::{StatusFilter, StreamFilter, StreamStore};
pub use studios::{DrillCreation, StudioReport, StudioStore};
pub use transcoder::{Conversion, LiveTranscoder, TranscodeError, Transcoder};
pub use user_sessions::UserSessionStore;
pub use users::{UserStore, UserWrite};
pub use wake_ups::{WakeUp, WakeUps};
pub use webhooks::{WebhookError, WebhookHeaders, WebhookVerifier};

use async_trait::async_trait;

use crate::domain::Timestamp;

/// Everything that is stored. One implementation serves one kind of work (auth, API, workers) with its own connections.
#[async_trait]
pub trait Store:
    OrganizationStore
    + BroadcasterStore
    + StreamKeyStore
    + CachedKeyStore
    + StreamStore
    + ReconcileStore
    + EventStore
    + AuditStore
    + AuthFailureStore
    + AccessStore
    + LeaseStore
    + SecretStore
    + HookEventStore
    + MediaServerStore
    + StreamerStore
    + ReportStore
    + ChannelStore
    + ProgrammeStore
    + ClipStore
    + StudioStore
    + NotificationStore
    + UserStore
    + UserSessionStore
{
    /// Checks that the database answers and has our schema.
    async fn ping(&self) -> Result<()>;

    /// MUST return the present time by the database's clock.
    async fn time(&self) -> Result<Timestamp>;

    /// Checks that the database can be written. MUST reach its disk.
    async fn check_writable(&self) -> Result<()>;

    /// What was found damaged in the database since the start. It stays so until a backup is restored.
    fn damage(&self) -> Option<String>;
}
