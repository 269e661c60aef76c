//! Notifications: who hears of which events, and what became of each message.

mod address;
mod message;
mod severity;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use url::Url;
use uuid::Uuid;

use super::event::{Event, Topic};
use super::id::id;
use super::invalid::{Invalid, text};
use super::page::newest_first;
use super::path_pattern::PathPattern;
use super::{OrganizationId, Timestamp};

pub use address::is_public;
pub use message::{Envelope, HttpMessage, SigningSecret, http_message, mail_text, signature};
pub use severity::{Severity, path_of, severity_of};

id!(/// Names a subscription to notifications.
    NotificationId);
id!(/// Names a message to a receiver. It is the `webhook-id`, and stays the same when the message is sent again.
    DeliveryId);

/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// How a receiver is reached.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    Display,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// A signed HTTP request (Standard Webhooks).
    Webhook,
    /// An e-mail.
    Email,
    /// A message in a Discord channel.
    Discord,
    /// A message in a Slack channel.
    Slack,
    /// A message to a topic of ntfy.
    Ntfy,
}

impl Kind {
    /// Checks where messages go: an e-mail address, or an HTTP address.
    pub fn check_target(self, target: &str) -> Result<(), Invalid> {
        let refuse = |message: &str| Err(Invalid::one("target", message));
        if self == Self::Email {
            return super::user::Email::parse(target).map(drop).map_err(|error| error.of("target"));
        }
        if target.len() > 2_000 {
            return refuse("must be at most 2000 characters");
        }
        let Ok(url) = Url::parse(target) else {
            return refuse("must be an address such as https://example.org/hook");
        };
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() || url.fragment().is_some() {
            return refuse("must begin with https:// or http://, name a host, and have no fragment");
        }
        if self == Self::Ntfy && url.path().trim_matches('/').is_empty() {
            return refuse("must name a topic, such as https://ntfy.sh/my-topic");
        }
        Ok(())
    }

    /// What may be shown of a target. The address of a Discord or Slack webhook is a secret, so only its host is.
    pub fn shown_target(self, target: &str) -> String {
        match Url::parse(target) {
            Ok(url) if self != Self::Email => url.host_str().unwrap_or_default().to_owned(),
            _ => target.to_owned(),
        }
    }
}

/// Which events a subscription hears of. Empty lists mean all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Topics of the event log, such as `stream`.
    pub topics: Vec<String>,
    /// Paths: exact, or `prefix/*`. Only events about streams and stream keys have a path.
    pub paths: Vec<PathPattern>,
    /// Nothing below this severity.
    pub severity: Severity,
}

impl Filter {
    /// Checks what a client sent.
    pub fn parse(topics: Vec<String>, paths: &[String], severity: Severity) -> Result<Self, Invalid> {
        if let Some(unknown) = topics.iter().find(|topic| topic.parse::<Topic>().is_err()) {
            let all = Topic::ALL.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Invalid::one("topics", format!("has {unknown:?}; it must be of {all}")));
        }
        if topics.len() > Topic::ALL.len() || paths.len() > 50 {
            return Err(Invalid::one("paths", "must be at most 50, and each topic only once"));
        }
        let paths = paths.iter().map(|path| PathPattern::parse(path)).collect::<Result<_, _>>()?;
        Ok(Self { topics, paths, severity })
    }

    /// Whether the subscription hears of the event.
    pub fn hears(&self, event: &Event) -> bool {
        let topic = event.body.topic().as_str();
        (self.topics.is_empty() || self.topics.iter().any(|one| one == topic))
            && severity_of(&event.body) >= self.severity
            && (self.paths.is_empty()
                || path_of(&event.body).is_some_and(|path| self.paths.iter().any(|one| one.covers(path))))
    }
}

/// A subscription, without what is secret of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Its identity.
    pub id: NotificationId,
    /// Whose events it hears. `None`: those of the whole installation.
    pub organization_id: Option<OrganizationId>,
    /// What it is for.
    pub name: String,
    /// How the receiver is reached.
    pub kind: Kind,
    /// What may be shown of where messages go.
    pub target: String,
    /// Which events.
    pub filter: Filter,
    /// Whether it hears anything now.
    pub enabled: bool,
    /// Why it was turned off, if nobody did it.
    pub problem: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

newest_first!(Notification, created_at);

/// Checks a subscription's name.
pub fn notification_name(value: &str) -> Result<String, Invalid> {
    text("name", value, 1, 100)
}

/// A change of a subscription; `None` means no change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationPatch {
    /// The new name.
    pub name: Option<String>,
    /// The new filter.
    pub filter: Option<Filter>,
    /// Whether it hears anything. One that is turned on again begins with the next event.
    pub enabled: Option<bool>,
    /// The new target as it may be shown, if that changed.
    pub target: Option<String>,
    /// What is sealed of it before and afterwards, if that changes.
    pub sealed: Option<(String, String)>,
}

impl NotificationPatch {
    /// What is sealed afterwards, if `now` is; `None` if the patch was made of something else.
    pub fn resealed(&self, now: &str) -> Option<String> {
        match &self.sealed {
            Some((before, after)) => (before == now).then(|| after.clone()),
            None => Some(now.to_owned()),
        }
    }
}

impl Notification {
    /// The subscription as `patch` makes it at `now`.
    #[must_use]
    pub fn patched(mut self, patch: &NotificationPatch, now: Timestamp) -> Self {
        let NotificationPatch { name, filter, enabled, target, sealed: _ } = patch.clone();
        self.name = name.unwrap_or(self.name);
        self.filter = filter.unwrap_or(self.filter);
        self.target = target.unwrap_or(self.target);
        if let Some(enabled) = enabled {
            self.enabled = enabled;
            self.problem = None;
        }
        self.updated_at = now;
        self
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, EnumString, Display, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be sent, or to be sent again.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It is not sent any more, unless a person replays it.
    Dead,
}

/// A message about one event to one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its identity.
    pub id: DeliveryId,
    /// The subscription.
    pub notification_id: NotificationId,
    /// The number of the event.
    pub seq: i64,
    /// What the event is about. Messages about the same are sent in order.
    pub subject: Uuid,
    /// The name of the event.
    pub event: String,
    /// When the event was found.
    pub created_at: Timestamp,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was tried, since the last replay.
    pub attempts: u32,
    /// When it is tried next.
    pub next_attempt_at: Option<Timestamp>,
    /// After which it is not tried any more.
    pub give_up_at: Timestamp,
    /// The receiver's last HTTP status.
    pub last_status: Option<u32>,
    /// The receiver's last words, or why it was not reached.
    pub last_words: Option<String>,
    /// When the receiver took it.
    pub delivered_at: Option<Timestamp>,
}

newest_first!(Delivery, created_at);

/// The other side's answer to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its HTTP status, if it has one.
    pub status: Option<u32>,
    /// Its words, or why it was not reached, without secrets.
    pub words: String,
    /// Whether it took the message.
    pub is_taken: bool,
}

impl Reply {
    /// Whether the receiver wants no more messages.
    pub fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

impl Delivery {
    /// The delivery after an attempt at `now`. `first_wait` doubles with each attempt; `jitter` is any number.
    #[must_use]
    pub fn attempted(mut self, reply: &Reply, now: Timestamp, first_wait: Duration, jitter: u8) -> Self {
        self.attempts = self.attempts.saturating_add(1);
        (self.last_status, self.last_words) = (reply.status, Some(reply.words.clone()));
        self.next_attempt_at = None;
        if reply.is_taken {
            (self.state, self.delivered_at) = (DeliveryState::Delivered, Some(now));
        } else if now >= self.give_up_at || reply.is_gone() {
            self.state = DeliveryState::Dead;
        } else {
            let next = now.plus(wait(self.attempts, first_wait, jitter));
            self.next_attempt_at = Some(next.min(self.give_up_at));
        }
        self
    }
}

/// How long to wait after so many attempts: 75 to 125 % of a time that doubles.
fn wait(attempts: u32, first: Duration, jitter: u8) -> Duration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1).min(20)));
    doubled.min(LONGEST_WAIT).mul_f64(0.75 + f64::from(jitter) / 510.0)
}

#[cfg(test)]
mod tests;
