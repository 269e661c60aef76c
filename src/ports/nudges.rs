//! Nudges: "something changed, look now", within this instance and to the others.

use tokio::sync::broadcast;

use crate::domain::media_server::MediaServerName;

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Nudge {
    /// Reconcile this media server.
    Reconcile(MediaServerName),
    /// The event log has grown.
    Events,
    /// Keys were made, rotated, revoked or deleted.
    Keys,
    /// Streamers were added, removed, or are to be watched differently.
    Streamers,
    /// Anything may have changed: nudges were lost.
    Everything,
}

/// Carries nudges. They are hints only: whoever waits for one also looks now and then by itself.
pub trait Nudges: Send + Sync {
    /// Tells everyone, this instance at once. Never waits and never fails; nudges to other instances may be merged
    /// or lost.
    fn send(&self, nudge: Nudge);

    /// Tells this instance only.
    fn send_local(&self, nudge: Nudge);

    /// Listens from now on. A receiver that lags MUST treat it as [`Nudge::Everything`].
    fn listen(&self) -> broadcast::Receiver<Nudge>;
}
