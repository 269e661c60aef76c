//! Kick.com: its official API and webhooks, and its unofficial feeds.
//!
//! Official: [`KickHttp`] (ids and live status), [`KickWebhooks`] (signatures) and [`WebhookSubscriptions`].
//! Kick's answers are loosely documented and change. So unknown fields are ignored, invalid items are skipped and
//! counted, and only an answer without any valid item is an error. The one unofficial call,
//! [`crate::ports::KickApi::ids_on_site`], must be allowed in the settings.

mod client;
mod dto;
pub mod feed;
mod http;
mod rate_limit;
mod settings;
mod site;
mod subscriptions;
mod token;
mod webhook;

pub use http::KickHttp;
pub use settings::{KickSettings, Timing};
pub use subscriptions::{SubscriptionSettings, WebhookSubscriptions};
pub use webhook::{KickWebhooks, WebhookKeySettings};
