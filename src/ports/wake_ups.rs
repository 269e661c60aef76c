//! Wake-ups: "something changed, run now", within this instance and to the others.

use tokio::sync::broadcast;

use crate::domain::event::Topic;
use crate::domain::media_server::MediaServerName;

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum WakeUp {
    /// Reconcile this media server.
    #[strum(to_string = "reconcile:{0}")]
    Reconcile(MediaServerName),
    /// The event log has grown.
    Events,
    /// New events of this topic have reached the listeners of this instance.
    #[strum(to_string = "topic:{0}")]
    Topic(Topic),
    /// Streamers were added, removed, or are to be watched differently.
    Streamers,
    /// Channels, their destinations or their modes were changed.
    Channels,
    /// A person ordered something of a studio.
    Studios,
    /// A clip is to be prepared.
    Clips,
    /// Subscriptions to notifications were changed, or messages are to be sent again.
    Notifications,
    /// Anything may have changed: wake-ups were lost.
    Everything,
}

/// Carries wake-ups. They may be lost, so every receiver also checks at intervals.
pub trait WakeUps: Send + Sync {
    /// Sends to all instances, to this one at once. Never waits and never fails; wake-ups to others may be merged or lost.
    fn send(&self, wake_up: WakeUp);

    /// Sends to this instance only.
    fn send_local(&self, wake_up: WakeUp);

    /// Listens from now on. A receiver that lags MUST treat it as [`WakeUp::Everything`].
    fn listen(&self) -> broadcast::Receiver<WakeUp>;
}
