//! The domain: validated types, lifecycles, and every decision as a pure function.
//!
//! Nothing here does I/O, awaits, or reads a clock; `now` is always an argument. Start with [`publish`] (may this
//! encoder publish?) and [`reconcile`] (how do the records differ from the media server?).

pub mod access;
pub mod audit;
pub mod auth_failure;
pub mod broadcaster;
pub mod channel;
pub mod clip;
pub mod credentials;
pub mod event;
pub mod finding;
pub mod guessing;
pub mod id;
pub mod invalid;
pub mod local_time;
pub mod log_throttle;
pub mod media_server;
pub mod nearest;
pub mod network;
pub mod notification;
pub mod on_air;
pub mod organization;
pub mod page;
pub mod path;
pub mod path_pattern;
pub mod playback;
pub mod profile;
pub mod publish;
pub mod reconcile;
pub mod seal;
pub mod secret;
pub mod stream;
pub mod stream_key;
pub mod streamer;
pub mod studio;
pub mod time;
pub mod user;

pub use access::ApiTokenId;
pub use audit::AuditId;
pub use id::{BroadcasterId, ClipId, OrganizationId, SessionId, StreamId, StreamKeyId, StreamerId, UserId};
pub use invalid::{FieldError, Invalid};
pub use log_throttle::LogThrottle;
pub use time::{Timestamp, millis};
