//! Kick.com: its official API and webhooks, and its unofficial feeds.
//!
//! Official are [`KickHttp`] (who somebody is, who is live), [`KickWebhooks`] (proof that a webhook comes from Kick) and
//! [`WebhookSubscriptions`] (what it is sent for). Kick's answers are read leniently, because they are described
//! loosely and change: what is not known is ignored, an item that makes no sense is left out and counted, and only an
//! answer that is no answer at all is an error. The one unofficial call here, [`crate::ports::KickApi::ids_on_site`], has
//! to be allowed.

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
