//! The use-cases. HTTP, command line and background tasks all use them.
//!
//! Each slice has a service: a struct that holds [`Core`] and the ports it needs. A use-case authorises its
//! [`Actor`](crate::domain::access::Actor), validates, decides (in the [domain](crate::domain)), stores in one
//! transaction, and only then calls other systems.

pub mod access;
pub mod audit;
pub mod auth_failures;
pub mod auth_rollup;
pub mod broadcaster;
pub mod callbacks;
pub mod channel;
pub mod clip;
pub mod core;
pub mod database_clock;
mod disconnect_retries;
mod drift;
pub mod error;
pub mod events;
pub mod grace;
pub mod health;
pub mod hook;
pub mod housekeeping;
pub mod key_cache;
pub mod key_cache_loader;
pub mod list;
pub mod live_stats;
pub mod media_server;
pub mod notification;
pub mod organization;
pub mod poll_requests;
pub mod publish;
pub mod reconcile;
pub mod refusal_rollup;
pub mod request_lines;
mod rollup;
pub mod secrets;
pub mod stream;
pub mod stream_key;
pub mod streamer;
pub mod studio;
pub mod task;
pub mod user;

pub use self::core::Core;
pub use error::{AppError, Result};
