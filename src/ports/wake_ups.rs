//! WakeUps: "something changed, look now", within this instance and to the others.

use std::fmt;

use tokio::sync::broadcast;

use crate::domain::event::Topic;
use crate::domain::media_server::MediaServerName;

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WakeUp {
    /// Reconcile this media server.
    Reconcile(MediaServerName),
    /// The event log has grown.
    Events,
    /// New events of this topic have reached the listeners of this instance.
    Topic(Topic),
    /// Streamers were added, removed, or are to be watched differently.
    Streamers,
    /// Anything may have changed: wake-ups were lost.
    Everything,
}

impl fmt::Display for WakeUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reconcile(server) => write!(f, "reconcile:{server}"),
            Self::Events => f.write_str("events"),
            Self::Topic(topic) => write!(f, "topic:{}", topic.as_str()),
            Self::Streamers => f.write_str("streamers"),
            Self::Everything => f.write_str("everything"),
        }
    }
}

/// Carries wake-ups. They may be lost: whoever waits for one also looks now and then by itself.
pub trait WakeUps: Send + Sync {
    /// Tells everyone, this instance at once. Never waits and never fails; wake-ups to other instances may be merged
    /// or lost.
    fn send(&self, wake_up: WakeUp);

    /// Tells this instance only.
    fn send_local(&self, wake_up: WakeUp);

    /// Listens from now on. A receiver that lags MUST treat it as [`WakeUp::Everything`].
    fn listen(&self) -> broadcast::Receiver<WakeUp>;
}
